//! Normalizations.

pub mod batch;
pub mod feature;
pub mod group;
pub mod layer;
pub mod rms;
pub mod scale;
pub mod spectral;
pub mod unit;

use crate::encode::Encoding;
use crate::lower::LowerCx;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::Result;

/// The lengths of the normalized axes, which are those of the weights.
fn lengths(cx: &LowerCx<'_>, x: Value, axes: &[usize]) -> Result<Vec<usize>> {
    axes.iter().map(|&axis| cx.known(cx.ty(x).dims[axis], "the normalized axis", x)).collect()
}

/// A weight for some axes of a value, reshaped to broadcast to the value.
fn spread(cx: &mut LowerCx<'_>, weight: Value, x: Value, axes: &[usize]) -> Result<Value> {
    let dims = cx.dims_of(x);
    let first = axes.iter().copied().min().unwrap_or_default();
    let of_axis = |(axis, &dim): (usize, &Dim)| if axes.contains(&axis) { dim } else { Dim::ONE };
    let target: Vec<Dim> = dims.iter().enumerate().skip(first).map(of_axis).collect();
    cx.reshape(weight, &target)
}

/// Warns of an input of a rank that TensorFlow.js does not normalize.
fn warn_of_rank(out: &Encoding<'_>) {
    if let Some(rank) = out.rank().filter(|rank| !(2..=4).contains(rank)) {
        out.warn(format_args!("TensorFlow.js normalizes ranks 2 to 4 only, not {rank}"));
    }
}
