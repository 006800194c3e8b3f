//! Activation functions with parameters or weights, as layers.

pub mod elu;
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
    if let Some(axis) = shared_axes.iter().find(|axis| !(1..rank).contains(*axis)) {
        return Err(Error::malformed(format!("shared axis {axis} does not exist in shape {}", cx.shape(x))));
    }
    let length = |(axis, &dim)| match shared_axes.contains(&axis) {
        true => Ok(1),
        false => cx.known(dim, "an axis that is not shared", x),
    };
    Shape::new((1..).zip(&dims[1..]).map(length).collect::<Result<Vec<usize>>>()?)
}
