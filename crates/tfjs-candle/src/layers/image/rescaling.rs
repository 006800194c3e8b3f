//! Runs `Rescaling`.

use crate::activation::to_float;
use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::image::rescaling::Rescaling;

impl Run for Rescaling {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = to_float(single(call)?)?;
        let row = |numbers: &[f32]| Tensor::new(numbers, x.device())?.to_dtype(x.dtype());
        let scaled = x.broadcast_mul(&row(&self.scale.0).or_bug()?).or_bug()?;
        one(scaled.broadcast_add(&row(&self.offset.0).or_bug()?).or_bug()?)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_run, tensor};
    use crate::value::Value;
    use serde_json::json;

    #[test]
    fn scales() {
        let x = [Value::new(tensor(&[1, 2], &[1.0, 2.0]))];
        check_run("Rescaling", json!({"scale": 2.0, "offset": -1}), &x, &[], &[1.0, 3.0]);
        check_run("Rescaling", json!({"scale": [2.0, 3.0]}), &x, &[], &[2.0, 6.0]);
    }
}
