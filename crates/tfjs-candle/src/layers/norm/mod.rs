//! Normalizations.

pub mod batch;
pub mod layer;

use candle_core::{Result, Tensor};

/// Mean and variance (of the population) over some axes, which stay with one element each.
fn moments(x: &Tensor, axes: &[usize]) -> Result<(Tensor, Tensor)> {
    let mean = x.mean_keepdim(axes.to_vec())?;
    let variance = x.broadcast_sub(&mean)?.sqr()?.mean_keepdim(axes.to_vec())?;
    Ok((mean, variance))
}

/// `1 / sqrt(variance + epsilon)`.
fn inverse_deviation(variance: &Tensor, epsilon: f32) -> Result<Tensor> {
    (variance + f64::from(epsilon))?.sqrt()?.recip()
}
