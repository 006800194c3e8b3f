//! A pass that folds zero padding of a convolution's operand into the padding of its windows.

use tfjs_ir::prim::layout::{Pad, Padding};
use tfjs_ir::prim::linear::Conv;
use tfjs_ir::rewrite::{Within, rewrite};
use tfjs_ir::window::{Padding as WindowPadding, Window};
use tfjs_ir::{Dim, Prim, Program};
use tfjs_manifest::Result;

/// Rewrites `conv(pad(x))`.
///
/// # Errors
/// None for a well-formed program.
pub(super) fn fold_pads(program: &Program) -> Result<Program> {
    rewrite(program, Within::Body, &mut |b, node, operands| {
        let (Prim::Conv(conv), &[x, kernel]) = (&node.prim, operands) else { return Ok(None) };
        let Some(from) = b.block().node_of(x) else { return Ok(None) };
        let (Prim::Pad(pad), &[inner]) = (&from.prim, &from.operands[..]) else { return Ok(None) };
        let known = |dim: Dim| b.program().dims.known(dim).and_then(|n| usize::try_from(n).ok());
        let Some(windows) = folded(conv, pad, known) else { return Ok(None) };
        b.conv(inner, kernel, &windows, conv.groups).map(|result| Some(vec![result]))
    })
}

/// The windows with the padding of both.
fn folded(conv: &Conv, pad: &Pad, known: impl Fn(Dim) -> Option<usize>) -> Option<Vec<Window>> {
    let [batch, spatial @ .., channels] = &pad.padding[..] else { return None };
    if [batch, channels].into_iter().any(|padding| *padding != Padding::NONE) || pad.value != 0.0 {
        return None;
    }
    let each = conv.windows.iter().zip(spatial).map(|(window, padding)| {
        let (own_before, own_after) = match window.padding {
            WindowPadding::Valid => (0, 0),
            WindowPadding::Exact { before, after } => (before, after),
            // The padding of these windows depends on the length of the padded axis.
            WindowPadding::Same | WindowPadding::Causal => return None,
        };
        let before = known(padding.low)?.checked_add(own_before)?;
        let after = known(padding.high)?.checked_add(own_after)?;
        let padding = (padding.interior == 0).then_some(WindowPadding::Exact { before, after })?;
        Window::new(window.size, window.stride, window.dilation, padding).ok()
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::tests::{input, weight};
    use tfjs_ir::{Builder, ElementType};

    fn check(before: usize, after: usize, window: &str, expected: &str) {
        let mut b = Builder::default();
        let x = input(&mut b, ElementType::F32, &["n", "h", "3"]);
        let kernel = weight(&mut b, &[3, 3, 4]);
        let [low, high] = [before, after].map(|n| b.number(n));
        let around = Padding { low, high, interior: 0 };
        let padded = b.pad(x, &[Padding::NONE, around, Padding::NONE], 0.0).unwrap();
        let y = b.conv(padded, kernel, &[window.parse().unwrap()], 1).unwrap();
        let program = b.finish(vec![("y".to_string(), y)]).unwrap();
        let folded = fold_pads(&program).unwrap();
        tfjs_ir::verify::verify(&folded).unwrap();
        let conv = folded.body.node_of(folded.body.results[0]).unwrap();
        let Prim::Conv(conv) = &conv.prim else { panic!("{folded}") };
        assert_eq!(conv.windows[0].to_string(), expected);
    }

    #[test]
    fn zeros_around_a_value_become_padding() {
        check(1, 2, "3:valid", "3:1,2");
        check(1, 1, "3/2:0,1", "3/2:1,2");
        // The padding of these windows depends on the length of the padded axis.
        check(1, 1, "3/2:same", "3/2:same");
    }
}
