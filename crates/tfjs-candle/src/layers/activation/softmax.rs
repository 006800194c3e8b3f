//! Runs `Softmax`.

use crate::activation::to_float;
use crate::extremes::largest;
use crate::layers::mask_of;
use crate::run::{OrBug, Run, RunCx, one, single};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::layers::activation::softmax::{MaskedSoftmax, Softmax};
use tfjs_topology::types::SymShape;

/// What masked elements become before the softmax, in every producer.
const MASKED: f64 = -1e9;

impl Run for Softmax {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = to_float(single(call)?)?;
        let dims: Vec<Option<usize>> = x.dims().iter().copied().map(Some).collect();
        let axes = self.axes(&SymShape(dims))?;
        let Some(mask) = mask_of(call)? else { return one(softmax(&x, &axes).or_bug()?) };
        let mask = mask.broadcast_as(x.shape()).map_err(|_| {
            let message = format!("a mask of shape {:?} does not fit an input {:?}", mask.dims(), x.dims());
            Error::mismatch(message)
        })?;
        one(masked(&x, &mask, &axes, self.masked).or_bug()?)
    }
}

fn masked(x: &Tensor, mask: &Tensor, axes: &[usize], how: MaskedSoftmax) -> candle_core::Result<Tensor> {
    let weight = mask.to_dtype(x.dtype())?;
    match how {
        MaskedSoftmax::Added => softmax(&(x + ((1.0 - weight)? * MASKED)?)?, axes),
        MaskedSoftmax::Replaced => {
            let keep = weight.gt(0.5f32)?;
            let zeros = x.zeros_like()?;
            let out = softmax(&keep.where_cond(x, &(&zeros + MASKED)?)?, axes)?;
            keep.where_cond(&out, &zeros)
        }
    }
}

fn softmax(x: &Tensor, axes: &[usize]) -> candle_core::Result<Tensor> {
    let max = axes.iter().try_fold(x.clone(), |max, &axis| largest(&max, axis))?;
    let exp = x.broadcast_sub(&max)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(axes.to_vec())?)
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_run, check_run_of, masked, run_layer, tensor};
    use crate::value::Value;
    use serde_json::json;
    use tfjs_manifest::Kind;
    use tfjs_topology::producer::Family;

    #[test]
    fn axes() {
        // Logarithms of weights: each share is a weight over their sum.
        let ln = |w: &[f32]| w.iter().map(|w| w.ln()).collect::<Vec<_>>();
        let x = [Value::new(tensor(&[1, 2, 2], &ln(&[1.0, 3.0, 4.0, 2.0])))];
        check_run("Softmax", json!({}), &x, &[], &[0.25, 0.75, 4.0 / 6.0, 2.0 / 6.0]);
        check_run("Softmax", json!({"axis": 1}), &x, &[], &[0.2, 0.6, 0.8, 0.4]);
        check_run("Softmax", json!({"axis": [1, 2]}), &x, &[], &[0.1, 0.3, 0.4, 0.2]);
    }

    #[test]
    fn masks() {
        let x = [masked(tensor(&[2, 2], &[0.0, 5.0, 0.0, 0.0]), &[&[1, 0], &[0, 0]])];
        check_run_of((Family::Keras2, "Softmax", json!({})), &x, &[], &[1.0, 0.0, 0.5, 0.5]);
        check_run_of((Family::Keras3, "Softmax", json!({})), &x, &[], &[1.0, 0.0, 0.0, 0.0]);
        let x = [masked(tensor(&[1, 2, 3], &[0.0; 6]), &[&[1, 0]])];
        let error = run_layer((Family::Keras2, "Softmax", json!({})), &x, &[], false).unwrap_err();
        assert!(matches!(error.kind(), Kind::Mismatch), "{error}");
    }
}
