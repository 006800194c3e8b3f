//! Runs `BatchNormalization`.

use super::{inverse_deviation, moments};
use crate::activation::to_float;
use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::norm::batch::BatchNormalization;
use tfjs_topology::types::SymShape;

impl Run for BatchNormalization {
    fn run(&self, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = to_float(single(call)?)?;
        let dims: Vec<Option<usize>> = x.dims().iter().copied().map(Some).collect();
        let axes = self.axes(&SymShape(dims))?;
        let shape: Vec<usize> =
            x.dims().iter().enumerate().map(|(i, &d)| if axes.contains(&i) { d } else { 1 }).collect();
        let mut next = 0;
        let mut weight = || -> Result<Tensor> {
            let weight = cx.weight(next)?.reshape(shape.as_slice()).or_bug()?;
            next += 1;
            Ok(weight)
        };
        let gamma = if self.scale { Some(weight()?) } else { None };
        let beta = if self.center { Some(weight()?) } else { None };
        let (mean, variance) = if cx.training {
            let others: Vec<usize> = (0..x.rank()).filter(|i| !axes.contains(i)).collect();
            moments(&x, &others).or_bug()?
        } else {
            (weight()?, weight()?)
        };
        one(normalize(&x, &mean, &variance, self.epsilon, gamma, beta).or_bug()?)
    }
}

fn normalize(
    x: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
    epsilon: f32,
    gamma: Option<Tensor>,
    beta: Option<Tensor>,
) -> candle_core::Result<Tensor> {
    let inverse = inverse_deviation(variance, epsilon)?;
    let factor = match gamma {
        Some(gamma) => (inverse * gamma)?,
        None => inverse,
    };
    let out = x.broadcast_sub(mean)?.broadcast_mul(&factor)?;
    match beta {
        Some(beta) => out.broadcast_add(&beta),
        None => Ok(out),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_close, check_run, counting, run_layer, tensor};
    use crate::value::Value;
    use serde_json::json;
    use tfjs_topology::producer::Family;

    #[test]
    fn inference_uses_the_moving_statistics() {
        let x = [Value::new(tensor(&[1, 2, 2], &[1.0, 2.0, 3.0, 4.0]))];
        let w = |v: [f32; 2]| tensor(&[2], &v);
        let weights = [w([2.0, 3.0]), w([10.0, 20.0]), w([1.0, 2.0]), w([3.0, 8.0])];
        // 1 / sqrt(3 + 1) = 1/2, 1 / sqrt(8 + 1) = 1/3.
        let config = |axis: i64| json!({"axis": axis, "epsilon": 1.0});
        check_run("BatchNormalization", config(-1), &x, &weights, &[10.0, 20.0, 12.0, 22.0]);
        check_run("BatchNormalization", config(1), &x, &weights, &[10.0, 11.0, 21.0, 22.0]);
        let bare = json!({"epsilon": 1.0, "center": false, "scale": false});
        check_run("BatchNormalization", bare, &x, &weights[2..], &[0.0, 0.0, 1.0, 2.0 / 3.0]);
    }

    #[test]
    fn training_uses_the_batch() {
        let x = [Value::new(counting(&[2, 1], 1.0))];
        let weights = [tensor(&[1], &[50.0]), tensor(&[1], &[60.0])];
        let config = json!({"epsilon": 0.75, "center": false, "scale": false});
        let out = run_layer((Family::Keras2, "BatchNormalization", config), &x, &weights, true).unwrap();
        check_close(out.tensor().unwrap(), &[-0.5, 0.5]);
    }
}
