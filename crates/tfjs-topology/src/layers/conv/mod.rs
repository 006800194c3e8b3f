//! Convolutions.

// The plain convolution is what the family is named after.
#[allow(clippy::module_inception)]
pub mod conv;
pub mod depthwise;

use crate::activation::Activation;
use crate::layer::WeightDecl;
use crate::layers::spatial::Windows;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::Value;
use tfjs_manifest::{Result, Shape};

/// The bias of so many channels, if there is one.
fn take_bias(cx: &mut LowerCx<'_>, use_bias: bool, channels: usize) -> Result<Option<Value>> {
    if !use_bias {
        return Ok(None);
    }
    cx.weight(WeightDecl::new("bias", Shape::new([channels])?)).map(Some)
}

/// `activation(conv(input, kernel) + bias)`, the channels where the layer has them. The kernel is
/// `[k..., in / groups, filters]`.
fn convolve(
    cx: &mut LowerCx<'_>,
    windows: &Windows,
    input: Value,
    (kernel, bias): (Value, Option<Value>),
    groups: usize,
    activation: Activation,
) -> Result<KerasTensor> {
    let x = cx.to_float(input)?;
    let x = windows.spatial.channels_last(cx, x)?;
    let mut out = cx.conv(x, kernel, &windows.axes, groups)?;
    if let Some(bias) = bias {
        out = cx.add(out, bias)?;
    }
    // A softmax goes over the last axis, wherever the channels are.
    let out = windows.spatial.restore(cx, out)?;
    activation.lower(cx, out).map(KerasTensor::from)
}
