//! Runs `PReLU`.

use crate::activation::to_float;
use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::activation::prelu::PRelu;

impl Run for PRelu {
    fn run(&self, cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        one(prelu(&to_float(single(call)?)?, cx.weight(0)?).or_bug()?)
    }
}

/// Strictly below zero, so that a NaN stays one.
fn prelu(x: &Tensor, alpha: &Tensor) -> candle_core::Result<Tensor> {
    x.lt(0f32)?.where_cond(&x.broadcast_mul(alpha)?, x)
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_run, tensor};
    use crate::value::Value;
    use serde_json::json;

    #[test]
    fn slopes() {
        let x = [Value::new(tensor(&[1, 2, 2], &[-1.0, 2.0, -3.0, -4.0]))];
        let alpha = tensor(&[2, 2], &[0.5, 0.5, 1.0, 2.0]);
        check_run("PReLU", json!({}), &x, &[alpha], &[-0.5, 2.0, -3.0, -8.0]);
        let alpha = tensor(&[1, 2], &[0.5, 2.0]);
        check_run("PReLU", json!({"shared_axes": [1]}), &x, &[alpha], &[-0.5, 2.0, -1.5, -8.0]);
        let nan = [Value::new(tensor(&[1, 1], &[f32::NAN]))];
        check_run("PReLU", json!({}), &nan, &[tensor(&[1], &[0.5])], &[f32::NAN]);
    }
}
