//! Convolutions.

// The family is named after the ordinary convolution.
#[allow(clippy::module_inception)]
pub mod conv;
pub mod depthwise;
pub mod local;
pub mod separable;
pub mod transpose;

use crate::layer::WeightDecl;
use crate::layers::activation::last::Last;
use crate::layers::spatial::{Spatial, Windows};
use crate::lower::{KerasTensor, LowerCx};
use std::fmt::Display;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result, Shape};

/// Declares the bias for this number of channels, if there is one.
fn take_bias(cx: &mut LowerCx<'_>, use_bias: bool, channels: usize) -> Result<Option<Value>> {
    if !use_bias {
        return Ok(None);
    }
    cx.weight(WeightDecl::new("bias", Shape::new([channels])?)).map(Some)
}

/// `activation(conv(input, kernel) + bias)`, with the channels on the layer's axis. The kernel is
/// `[k..., in / groups, filters]`.
fn convolve(
    cx: &mut LowerCx<'_>,
    windows: &Windows,
    input: Value,
    (kernel, bias): (Value, Option<Value>),
    groups: usize,
    activation: &Last,
) -> Result<KerasTensor> {
    let x = cx.to_float(input)?;
    let x = windows.spatial.channels_last(cx, x)?;
    let out = cx.conv(x, kernel, &windows.axes, groups)?;
    finish(cx, &windows.spatial, out, bias, activation)
}

/// `activation(out + bias)`. The channels are last in `out`, and on the layer's axis in the result.
fn finish(
    cx: &mut LowerCx<'_>,
    spatial: &Spatial,
    mut out: Value,
    bias: Option<Value>,
    activation: &Last,
) -> Result<KerasTensor> {
    if let Some(bias) = bias {
        out = cx.add(out, bias)?;
    }
    // A softmax goes over the last axis, or the one it names, wherever the channels are.
    let out = spatial.restore(cx, out)?;
    activation.lower(cx, out).map(KerasTensor::from)
}

/// The number of output channels of a depthwise convolution.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if it overflows.
pub(crate) fn depthwise_outputs(channels: usize, multiplier: usize, shape: impl Display) -> Result<usize> {
    channels
        .checked_mul(multiplier)
        .ok_or_else(|| Error::malformed(format!("too many output channels for shape {shape}")))
}

/// A depthwise kernel as the kernel of a convolution with one group per channel: `[k..., 1, in * multiplier]`.
pub(crate) fn grouped(cx: &mut LowerCx<'_>, kernel: Value, spatial: usize, outputs: usize) -> Result<Value> {
    let mut dims = cx.dims_of(kernel);
    dims.truncate(spatial);
    dims.extend([Dim::ONE, cx.number(outputs)]);
    cx.reshape(kernel, &dims)
}
