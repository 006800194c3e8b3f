//! A pass that rewrites a convolution over three spatial axes as one over two.
//!
//! The elements of the window along the first axis, depth, become channels. The result is a 2D convolution of images,
//! one for each position along the depth.

use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::linear::Conv;
use tfjs_ir::rewrite::{Within, rewrite};
use tfjs_ir::{Builder, Prim, Program, Value};
use tfjs_manifest::Result;

/// Rewrites convolutions over three axes without groups, those in the bodies of loops too.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) for dimensions past the limits.
pub(super) fn as_images(program: &Program) -> Result<Program> {
    rewrite(program, Within::Loops, &mut |b, node, operands| match (&node.prim, operands) {
        (Prim::Conv(conv), &[x, kernel]) if conv.groups == 1 => rewritten(b, conv, x, kernel),
        _ => Ok(None),
    })
}

/// The largest kernel depth; the interpreter runs deeper ones.
const MOST_TAPS: usize = 64;

fn rewritten(b: &mut Builder, conv: &Conv, x: Value, kernel: Value) -> Result<Option<Vec<Value>>> {
    let &[depth, height, width] = &conv.windows[..] else { return Ok(None) };
    let (&[n, d, h, w, c], &[taps, kernel_h, kernel_w, inner, filters]) = (&b.dims_of(x)[..], &b.dims_of(kernel)[..])
    else {
        return Ok(None);
    };
    // The slices of the input under the taps are concatenated, so memory and nodes grow with the number of taps.
    if depth.size > MOST_TAPS {
        return Ok(None);
    }
    // The guard of the depth stays: the program keeps those it had.
    let (positions, _) = depth.output_dim(b.dims(), d)?;
    let (low, high) = depth.pads_dim(b.dims(), d)?;
    let mut padding = [Padding::NONE; 5];
    padding[1] = Padding { low, high, interior: 0 };
    let padded = b.pad(x, &padding, 0.0)?;
    let mut seen = Vec::with_capacity(depth.size);
    for tap in 0..depth.size {
        let start = b.number(tap * depth.dilation);
        seen.push(b.slice_axis(padded, 1, Range { start, len: positions, step: depth.stride as u64 })?);
    }
    let beside = b.concat(&seen, 4)?;
    let (images, channels) = (b.dims().mul(n, positions)?, b.dims().mul(taps, c)?);
    let images = b.reshape(beside, &[images, h, w, channels])?;
    let kernel = b.transpose(kernel, &[1, 2, 0, 3, 4])?;
    let channels = b.dims().mul(taps, inner)?;
    let kernel = b.reshape(kernel, &[kernel_h, kernel_w, channels, filters])?;
    let y = b.conv(images, kernel, &[height, width], 1)?;
    let &[_, rows, columns, _] = &b.dims_of(y)[..] else { return Ok(None) };
    b.reshape(y, &[n, positions, rows, columns, filters]).map(|result| Some(vec![result]))
}

#[cfg(test)]
mod tests {
    use crate::native::tests::{Case, input, weight, windows};
    use tfjs_ir::ElementType::F32;
    use tfjs_ir::Loop;

    #[test]
    fn volumes_run_as_images() {
        for window in ["3:same", "3/2:same", "2:valid", "2*2:valid", "3/2:1,0"] {
            let case = Case::new(|b| {
                let x = input(b, F32, &["n", "d", "5", "4", "2"]);
                let size = window[..1].parse().unwrap();
                let kernel = weight(b, &[size, size, size, 2, 3]);
                Ok(vec![b.conv(x, kernel, &windows(window, 3), 1)?])
            });
            assert!(case.plan.reference_layers().is_empty());
            assert!(case.kernels().iter().any(|kernel| kernel == "conv2d"), "{:?}", case.kernels());
            for symbols in [[2, 4], [1, 7], [0, 5]] {
                case.agrees(&symbols);
            }
        }
    }

    #[test]
    fn volumes_in_a_loop_run_as_images() {
        let case = Case::new(|b| {
            let x = input(b, F32, &["n", "d", "3", "4", "2"]);
            let kernel = weight(b, &[3, 3, 3, 2, 2]);
            let length = b.dims_of(x)[1];
            let over = Loop { carries: &[x], sequences: &[x], invariants: &[kernel], length, axis: 1, reverse: false };
            let (finals, _) = b.scan(over, |b, carries, _, invariants| {
                Ok((vec![b.conv(carries[0], invariants[0], &windows("3:same", 3), 1)?], vec![]))
            })?;
            Ok(finals)
        });
        assert!(case.plan.reference_layers().is_empty());
        case.agrees(&[2, 3]);
    }
}
