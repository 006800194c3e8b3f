//! Runs `MaxPooling` and `AveragePooling`, one axis after the other.

use crate::activation::to_float;
use crate::layers::conv::conv::taps;
use crate::layers::spatial::{Border, Taps, channels_last, restore};
use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::geometry::Window;
use tfjs_topology::layers::pool::PoolKind;
use tfjs_topology::layers::pool::window::Pool;

impl Run for Pool {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let spatial = &self.windows.spatial;
        let mut x = channels_last(&to_float(single(call)?)?, spatial).or_bug()?;
        let taps = taps(&self.windows, &x)?;
        for (axis, (taps, window)) in (1..).zip(taps.iter().zip(&self.windows.axes)) {
            x = match self.kind {
                PoolKind::Max => largest(&x, taps, axis),
                PoolKind::Average => mean(&x, taps, axis, window),
            }
            .or_bug()?;
        }
        one(restore(&x, spatial).or_bug()?)
    }
}

/// Pairwise maxima: unlike candle's pool they have the right gradient.
fn largest(x: &Tensor, taps: &Taps, axis: usize) -> candle_core::Result<Tensor> {
    let padded = taps.pad(x, Border::Edge)?;
    fold(&padded, taps, axis, |a, b| a.maximum(&b))
}

fn mean(x: &Tensor, taps: &Taps, axis: usize, window: &Window) -> candle_core::Result<Tensor> {
    let padded = taps.pad(x, Border::Zeros)?;
    let sum = fold(&padded, taps, axis, |a, b| a + b)?;
    let counts = counts(window, x.dim(axis)?, taps.outputs);
    if counts.iter().all(|n| *n == counts[0]) {
        return sum / f64::from(counts[0]);
    }
    let mut shape = vec![1; x.rank()];
    shape[axis] = counts.len();
    sum.broadcast_div(&Tensor::from_vec(counts, shape, x.device())?.to_dtype(x.dtype())?)
}

fn fold(
    padded: &Tensor,
    taps: &Taps,
    axis: usize,
    f: impl Fn(Tensor, Tensor) -> candle_core::Result<Tensor>,
) -> candle_core::Result<Tensor> {
    let mut all = taps.indices.clone().map(|k| taps.get(padded, axis, k));
    // A pool has no dilation, so some element of its window meets the input at every position.
    let first = all.next().unwrap_or_else(|| Err(candle_core::Error::Msg("a pool that meets nothing".into())))?;
    all.try_fold(first, |total, next| f(total, next?))
}

/// How many elements of the input each position of the window covers.
fn counts(window: &Window, length: usize, outputs: usize) -> Vec<f32> {
    let before = window.pads(length).before;
    (0..outputs)
        .map(|i| {
            let start = i * window.stride;
            let end = start.saturating_add(window.size).min(before + length);
            end.saturating_sub(start.max(before)) as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_close, check_run, counting, run_layer, tensor};
    use crate::value::Value;
    use candle_core::Var;
    use serde_json::json;
    use tfjs_topology::producer::Family;

    #[test]
    fn padding_never_counts() {
        let x = [Value::new(tensor(&[1, 3, 1], &[-1.0, -2.0, -3.0]))];
        let config = json!({"pool_size": 3, "strides": 1, "padding": "same"});
        check_run("MaxPooling1D", config.clone(), &x, &[], &[-1.0, -1.0, -2.0]);
        check_run("AveragePooling1D", config, &x, &[], &[-1.5, -2.0, -2.5]);
        let huge = json!({"pool_size": 1u64 << 50, "strides": 1u64 << 50, "padding": "same"});
        check_run("MaxPooling1D", huge.clone(), &x, &[], &[-1.0]);
        check_run("AveragePooling1D", huge, &x, &[], &[-2.0]);
    }

    #[test]
    fn axes_differ() {
        let x = [Value::new(counting(&[1, 1, 3, 4], 0.0))];
        let config = json!({"pool_size": [2, 3], "strides": [1, 1], "data_format": "channels_first"});
        check_run("MaxPooling2D", config.clone(), &x, &[], &[6.0, 7.0, 10.0, 11.0]);
        check_run("AveragePooling2D", config, &x, &[], &[3.0, 4.0, 7.0, 8.0]);
    }

    #[test]
    fn the_gradient_goes_to_the_largest() {
        let x = Var::from_tensor(&tensor(&[1, 4, 1], &[1.0, 5.0, 2.0, 3.0])).unwrap();
        let layer = (Family::Keras2, "MaxPooling1D", json!({"pool_size": 3, "strides": 1, "padding": "same"}));
        let out = run_layer(layer, &[Value::new(x.as_tensor().clone())], &[], true).unwrap();
        let grads = out.tensor().unwrap().sum_all().unwrap().backward().unwrap();
        check_close(grads.get(&x).unwrap(), &[0.0, 3.0, 0.0, 1.0]);
    }
}
