//! Runs `DepthwiseConv1D`, `DepthwiseConv2D`: a sum of scaled copies, one for each element of the window.

use super::conv::taps;
use crate::activation::{activate, to_float};
use crate::layers::spatial::{Border, Taps, channels_last, restore};
use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use candle_core::{D, Tensor};
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::conv::depthwise::DepthwiseConv;

impl Run for DepthwiseConv {
    fn run(&self, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let spatial = &self.windows.spatial;
        let input = channels_last(&to_float(single(call)?)?, spatial).or_bug()?;
        let taps = taps(&self.windows, &input)?;
        let mut out = convolve_depthwise(&input, cx.weight(0)?, &taps).or_bug()?;
        if self.use_bias {
            out = out.broadcast_add(cx.weight(1)?).or_bug()?;
        }
        one(activate(self.activation, &restore(&out, spatial).or_bug()?)?)
    }
}

/// The depthwise convolution of an input with channels last; the kernel is `[k..., in, multiplier]`.
pub(crate) fn convolve_depthwise(input: &Tensor, kernel: &Tensor, taps: &[Taps]) -> candle_core::Result<Tensor> {
    let axes = taps.len();
    let (channels, multiplier) = (kernel.dim(axes)?, kernel.dim(axes + 1)?);
    let mut shape = vec![input.dim(0)?];
    shape.extend(taps.iter().map(|t| t.outputs));
    shape.push(channels * multiplier);
    if !taps.iter().all(Taps::meets) {
        return Tensor::zeros(shape, input.dtype(), input.device());
    }
    let padded = taps.iter().try_fold(input.clone(), |x, t| t.pad(&x, Border::Zeros))?;
    let kernel = if multiplier == 1 { kernel.squeeze(D::Minus1)? } else { kernel.clone() };
    sum(&padded, &kernel, taps, 1, multiplier)?.reshape(shape)
}

fn sum(x: &Tensor, kernel: &Tensor, taps: &[Taps], axis: usize, multiplier: usize) -> candle_core::Result<Tensor> {
    let Some((t, rest)) = taps.split_first() else {
        return if multiplier == 1 { x.broadcast_mul(kernel) } else { x.unsqueeze(D::Minus1)?.broadcast_mul(kernel) };
    };
    let mut total: Option<Tensor> = None;
    for k in t.indices.clone() {
        let part = sum(&t.get(x, axis, k)?, &kernel.get(k)?, rest, axis + 1, multiplier)?;
        total = Some(match total {
            Some(total) => (total + part)?,
            None => part,
        });
    }
    total.ok_or_else(|| candle_core::Error::Msg("a window that meets nothing".into()))
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_run, tensor};
    use crate::value::Value;
    use serde_json::json;

    #[test]
    fn channels_stay_apart_and_multiply() {
        // Two rows, one column, two channels; three outputs of each channel.
        let x = [Value::new(tensor(&[1, 2, 1, 2], &[1.0, 2.0, 3.0, 4.0]))];
        let kernel = tensor(&[2, 1, 2, 3], &[1., 0., 10., 1., 0., 10., 0., 1., 100., 0., 1., 100.]);
        let config = json!({"kernel_size": [2, 1], "depth_multiplier": 3, "use_bias": false});
        check_run("DepthwiseConv2D", config, &x, &[kernel], &[1.0, 3.0, 310.0, 2.0, 4.0, 420.0]);
    }

    #[test]
    fn dilation_is_not_dropped() {
        let x = [Value::new(tensor(&[1, 1, 3, 1], &[1.0, 2.0, 3.0]))];
        let config = json!({"kernel_size": [1, 2], "dilation_rate": [1, 2], "padding": "same", "use_bias": false});
        let kernel = tensor(&[1, 2, 1, 1], &[1.0, 10.0]);
        check_run("DepthwiseConv2D", config, &x, &[kernel], &[20.0, 31.0, 2.0]);
    }
}
