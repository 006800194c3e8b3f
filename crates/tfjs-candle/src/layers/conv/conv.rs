//! Runs `Conv1D`, `Conv2D`, `Conv3D`: every window as a row, then one matrix product.

use crate::activation::{activate, to_float};
use crate::layers::spatial::{Border, Taps, channels_last, restore};
use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::layers::conv::conv::Conv;
use tfjs_topology::layers::spatial::Windows;

impl Run for Conv {
    fn run(&self, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let spatial = &self.windows.spatial;
        let input = channels_last(&to_float(single(call)?)?, spatial).or_bug()?;
        let taps = taps(&self.windows, &input)?;
        let mut out = convolve(&input, cx.weight(0)?, &taps, self.groups).or_bug()?;
        if self.use_bias {
            out = out.broadcast_add(cx.weight(1)?).or_bug()?;
        }
        // A softmax goes over the last axis, wherever the channels are.
        one(activate(self.activation, &restore(&out, spatial).or_bug()?)?)
    }
}

/// The windows along the spatial axes of a tensor with channels last.
pub(crate) fn taps(windows: &Windows, input: &Tensor) -> Result<Vec<Taps>> {
    windows
        .axes
        .iter()
        .enumerate()
        .map(|(i, window)| {
            let length = input.dim(i + 1).or_bug()?;
            let outputs = window.output(Some(length))?.ok_or_else(|| Error::bug("a length without an output"))?;
            Ok(Taps::new(window, i + 1, length, outputs))
        })
        .collect()
}

/// The convolution of an input with channels last; the kernel is `[k..., in / groups, filters]`.
pub(crate) fn convolve(input: &Tensor, kernel: &Tensor, taps: &[Taps], groups: usize) -> candle_core::Result<Tensor> {
    let axes = taps.len();
    let (batch, channels) = (input.dim(0)?, input.dim(axes + 1)?);
    let filters = kernel.dim(axes + 1)?;
    let mut shape = vec![batch];
    shape.extend(taps.iter().map(|t| t.outputs));
    let rows = shape.iter().product::<usize>();
    shape.push(filters);
    if rows == 0 || !taps.iter().all(Taps::meets) {
        return Tensor::zeros(shape, input.dtype(), input.device());
    }
    let mut x = input.clone();
    let mut kernel = kernel.clone();
    for (i, t) in taps.iter().enumerate() {
        x = t.pad(&x, Border::Zeros)?;
        kernel = kernel.narrow(i, t.indices.start, t.indices.len())?;
    }
    // Each spatial axis becomes two: the elements of the window, then its positions.
    for (i, t) in taps.iter().enumerate() {
        let axis = 2 * i + 1;
        let met: Vec<Tensor> = t.indices.clone().map(|k| t.get(&x, axis, k)).collect::<candle_core::Result<_>>()?;
        x = Tensor::stack(&met, axis)?;
    }
    let mut order = vec![0];
    order.extend((0..axes).map(|i| 2 * i + 2));
    order.extend((0..axes).map(|i| 2 * i + 1));
    order.push(2 * axes + 1);
    let elements: usize = taps.iter().map(|t| t.indices.len()).product();
    let x = x.permute(order)?;
    let out = if groups == 1 {
        x.reshape((rows, elements * channels))?.matmul(&kernel.reshape((elements * channels, filters))?)?
    } else {
        let inner = channels / groups;
        let x = x.reshape((rows, elements, groups, inner))?.permute((2, 0, 1, 3))?;
        let kernel = kernel.reshape((elements * inner, groups, filters / groups))?.permute((1, 0, 2))?;
        let out = x.reshape((groups, rows, elements * inner))?.matmul(&kernel.contiguous()?)?;
        out.permute((1, 0, 2))?.reshape((rows, filters))?
    };
    out.reshape(shape)
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_close, check_run, counting, run_layer, tensor};
    use crate::value::Value;
    use candle_core::{Device, Tensor, Var};
    use serde_json::json;
    use tfjs_topology::producer::Family;

    #[test]
    fn unequal_strides_and_dilations() {
        // 3 x 4 of 0..12; the kernel takes the difference of two elements in a column, two rows apart.
        let x = [Value::new(counting(&[1, 3, 4, 1], 0.0))];
        let kernel = [tensor(&[2, 1, 1, 1], &[-1.0, 1.0]), tensor(&[1], &[0.5])];
        let config = json!({"filters": 1, "kernel_size": [2, 1], "dilation_rate": [2, 1], "strides": [1, 3]});
        check_run("Conv2D", config, &x, &kernel, &[8.5, 8.5]);
    }

    #[test]
    fn same_puts_the_odd_zero_after() {
        let x = [Value::new(counting(&[1, 3, 1], 1.0))];
        let config = json!({"filters": 1, "kernel_size": 2, "padding": "same", "use_bias": false});
        check_run("Conv1D", config, &x, &[tensor(&[2, 1, 1], &[1.0, 10.0])], &[21.0, 32.0, 3.0]);
        let config = json!({"filters": 1, "kernel_size": 2, "padding": "causal", "use_bias": false});
        check_run("Conv1D", config, &x, &[tensor(&[2, 1, 1], &[1.0, 10.0])], &[10.0, 21.0, 32.0]);
    }

    #[test]
    fn groups_see_their_channels_only() {
        let x = [Value::new(tensor(&[1, 1, 4], &[1.0, 2.0, 3.0, 4.0]))];
        let config = json!({"filters": 2, "kernel_size": 1, "groups": 2, "use_bias": false});
        check_run("Conv1D", config, &x, &[tensor(&[1, 2, 2], &[1.0, 10.0, 100.0, 1000.0])], &[201.0, 4030.0]);
    }

    #[test]
    fn an_activation_over_the_last_axis_with_channels_first() {
        let x = [Value::new(tensor(&[1, 1, 2], &[0.0, 0.0]))];
        let config = json!({"filters": 1, "kernel_size": 1, "data_format": "channels_first", "activation": "softmax"});
        check_run("Conv1D", config, &x, &[tensor(&[1, 1, 1], &[1.0]), tensor(&[1], &[3.0])], &[0.5, 0.5]);
    }

    #[test]
    fn a_window_that_meets_nothing_gives_the_bias() {
        let x = [Value::new(tensor(&[1, 1, 1], &[7.0]))];
        let config = json!({"filters": 1, "kernel_size": 2, "padding": "same", "dilation_rate": 1000000000000u64});
        check_run("Conv1D", config, &x, &[tensor(&[2, 1, 1], &[1.0, 1.0]), tensor(&[1], &[3.0])], &[3.0]);
    }

    #[test]
    fn volumes() {
        let x = [Value::new(counting(&[1, 2, 2, 2, 1], 0.0))];
        let config = json!({"filters": 1, "kernel_size": 2, "use_bias": false});
        let kernel = tensor(&[2, 2, 2, 1, 1], &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 10.0]);
        check_run("Conv3D", config, &x, &[kernel], &[70.0]);
    }

    #[test]
    fn gradients_reach_input_and_kernel() {
        let x = Var::from_tensor(&counting(&[1, 3, 1], 1.0)).unwrap();
        let kernel = Var::from_tensor(&tensor(&[2, 1, 1], &[1.0, 10.0])).unwrap();
        let config = json!({"filters": 1, "kernel_size": 2, "strides": 2, "padding": "same", "use_bias": false});
        let inputs = [Value::new(x.as_tensor().clone())];
        let weights: [Tensor; 1] = [kernel.as_tensor().clone()];
        let out = run_layer((Family::Keras2, "Conv1D", config), &inputs, &weights, true).unwrap();
        let grads = out.tensor().unwrap().sum_all().unwrap().backward().unwrap();
        // Outputs: x0 + 10 x1, x2.
        check_close(grads.get(&x).unwrap(), &[1.0, 10.0, 1.0]);
        check_close(grads.get(&kernel).unwrap(), &[4.0, 2.0]);
        assert!(matches!(x.device(), Device::Cpu));
    }
}
