//! A pass that rewrites a transposed convolution as a convolution over its operand with zeros between the elements.
//!
//! Let `z` be the operand with `stride - 1` zeros between neighbouring elements. Element `i` of the result is the sum
//! of `z[i + before - t * dilation] * kernel[t]`: a convolution with the kernel flipped and its channels swapped.

use tfjs_ir::prim::layout::Padding;
use tfjs_ir::prim::linear::ConvInput;
use tfjs_ir::rewrite::{Within, rewrite};
use tfjs_ir::window::{Padding as WindowPadding, Window};
use tfjs_ir::{Builder, Dim, Prim, Program, Value};
use tfjs_manifest::Result;

/// Rewrites transposed convolutions whose padding is known.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) for dimensions past the limits.
pub(super) fn as_convolutions(program: &Program) -> Result<Program> {
    rewrite(program, Within::Body, &mut |b, node, operands| match (&node.prim, operands) {
        (Prim::ConvInput(conv), &[dy, kernel]) => rewritten(b, conv, dy, kernel),
        _ => Ok(None),
    })
}

fn rewritten(b: &mut Builder, conv: &ConvInput, dy: Value, kernel: Value) -> Result<Option<Vec<Value>>> {
    let spatial = b.dims_of(dy).into_iter().skip(1);
    let mut windows = Vec::with_capacity(conv.windows.len());
    let mut padding = vec![Padding::NONE];
    for ((window, length), &result) in conv.windows.iter().zip(spatial).zip(&conv.dims) {
        let Some(turned) = turned(b, window, length, result)? else { return Ok(None) };
        windows.push(turned);
        padding.push(Padding { interior: window.stride as u64 - 1, ..Padding::NONE });
    }
    padding.push(Padding::NONE);
    let kernel = exchanged(b, kernel, conv.groups)?;
    let spaced = b.pad(dy, &padding, 0.0)?;
    b.conv(spaced, kernel, &windows, conv.groups).map(|result| Some(vec![result]))
}

/// The window over the operand with interior zeros; `length` is the length of the operand without them.
fn turned(b: &mut Builder, window: &Window, length: Dim, result: Dim) -> Result<Option<Window>> {
    let extent = window.extent();
    let [stride, reach] = [window.stride, extent].map(|n| b.number(n));
    // The distance from the first to the last element of the operand in the result, and what remains of the result.
    let steps = b.dims().sub(length, Dim::ONE)?;
    let span = b.dims().mul(steps, stride)?;
    let full = b.dims().add(span, reach)?;
    let missing = b.dims().sub(full, result)?;
    let missing = b.dims().max(missing, Dim::ZERO)?;
    let left = b.dims().sub(result, span)?;
    let known = |b: &Builder, dim: Dim| b.program().dims.known(dim).and_then(|n| usize::try_from(n).ok());
    let before = match window.padding {
        WindowPadding::Valid => Some(0),
        WindowPadding::Exact { before, .. } => Some(before),
        WindowPadding::Causal => Some(extent - 1),
        // The padding of the convolution that maps the result to the operand.
        WindowPadding::Same => known(b, missing).map(|missing| missing / 2),
    };
    // `before + after = left + extent - 2` zeros give `result` windows over the operand with interior zeros.
    let zeros = known(b, left).and_then(|left| (left + extent).checked_sub(2));
    let around = before.zip(zeros).and_then(|(before, zeros)| {
        let before = (extent - 1).checked_sub(before)?;
        Some(WindowPadding::Exact { before, after: zeros.checked_sub(before)? })
    });
    Ok(around.and_then(|padding| Window::new(window.size, 1, window.dilation, padding).ok()))
}

/// The kernel `[k.., c / groups, o]` as `[k.., o / groups, c]`, flipped along its spatial axes.
fn exchanged(b: &mut Builder, kernel: Value, groups: usize) -> Result<Value> {
    let dims = b.dims_of(kernel);
    let spatial = dims.len().saturating_sub(2);
    let (sizes, &[inner, filters]) = (&dims[..spatial], &dims[spatial..]) else { return Ok(kernel) };
    let block = b.dims().div_floor(filters, groups as u64)?;
    let groups = b.number(groups);
    let channels = b.dims().mul(inner, groups)?;
    let axes: Vec<usize> = (0..spatial).collect();
    let kernel = b.reverse(kernel, &axes)?;
    let apart = b.reshape(kernel, &[sizes, &[inner, groups, block]].concat())?;
    let order: Vec<usize> = axes.into_iter().chain([spatial + 2, spatial + 1, spatial]).collect();
    let exchanged = b.transpose(apart, &order)?;
    b.reshape(exchanged, &[sizes, &[block, channels]].concat())
}

#[cfg(test)]
mod tests {
    use crate::native::tests::{Case, input, weight};
    use tfjs_ir::ElementType::F32;
    use tfjs_ir::window::Window;

    /// Checks a transposed convolution over axes of these lengths, with the output size that Keras chooses.
    fn check(window: &str, groups: usize, lengths: &[u64]) {
        let window: Window = window.parse().unwrap();
        let case = Case::new(|b| {
            let x = input(b, F32, &["n", "h", "4"]);
            let kernel = weight(b, &[window.size, 2, 4]);
            let h = b.dims_of(x)[1];
            let (out, _) = window.transposed_output_dim(b.dims(), h, None)?;
            Ok(vec![b.conv_input(x, kernel, &[window], groups, &[out])?])
        });
        assert!(case.kernels().iter().any(|kernel| kernel == "conv2d"), "{:?}", case.kernels());
        assert!(case.plan.reference_layers().is_empty());
        lengths.iter().for_each(|&length| case.agrees(&[2, length]));
    }

    #[test]
    fn transposed_convolutions_run_as_convolutions() {
        for window in
            ["3/2:same", "4/2:same", "2/3:same", "3:same", "2/2:valid", "3/2:valid", "2/3:valid", "3*2:same", "3/2:1,1"]
        {
            check(window, 1, &[1, 2, 5]);
        }
        check("3/2:same", 2, &[1, 4]);
    }
}
