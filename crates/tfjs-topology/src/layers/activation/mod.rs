//! Activation functions with parameters or weights, as layers.

pub mod elu;
pub mod last;
pub mod parametric_softplus;
pub mod prelu;
pub mod relu;
pub mod softmax;
pub mod srelu;

use crate::config::Config;
use crate::layers::axes::Axes;
use crate::lower::LowerCx;
use tfjs_ir::Value;
use tfjs_manifest::{Error, Result, Shape};

/// The axes along which all elements have the same weights, the batch counted as 0.
fn shared_axes(config: &Config<'_>) -> Result<Vec<i64>> {
    config.or("shared_axes", Axes(Vec::new())).map(|axes| axes.0)
}

/// The shape of a weight for each element of an input: its shape without the batch, 1 for shared axes.
fn weight_shape(cx: &LowerCx<'_>, x: Value, shared_axes: &[i64]) -> Result<Shape> {
    let dims = &cx.ty(x).dims;
    let rank = dims.len() as i64;
    if rank == 0 {
        return Err(Error::malformed("expected an input of rank 1 or more, found shape []"));
    }
    let mut shared = Vec::with_capacity(shared_axes.len());
    for &axis in shared_axes {
        // Keras assigns `shape_without_batch[axis - 1] = 1`: axes below 1 count from the end, one further on, so that -1 is
        // the last but one.
        let from_front = if axis >= 1 { Some(axis) } else { axis.checked_add(rank - 1) };
        match from_front.filter(|axis| (1..rank).contains(axis)) {
            Some(axis) => shared.push(axis),
            None => {
                let shape = cx.shape(x);
                return Err(Error::malformed(format!("shared axis {axis} does not exist in shape {shape}")));
            }
        }
    }
    let length = |(axis, &dim)| match shared.contains(&axis) {
        true => Ok(1),
        false => cx.known(dim, "an axis that is not shared", x),
    };
    Shape::new((1..).zip(&dims[1..]).map(length).collect::<Result<Vec<usize>>>()?)
}
