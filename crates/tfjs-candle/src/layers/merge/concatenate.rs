//! Runs `Concatenate`.

use super::tensors;
use crate::run::{OrBug, Run, RunCx};
use crate::value::Value;
use candle_core::{DType, Result as CandleResult, Tensor};
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::layers::merge::concatenate::Concatenate;
use tfjs_topology::types::SymShape;

impl Run for Concatenate {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let inputs = tensors(call, true)?;
        let first = inputs.first().ok_or_else(|| Error::bug("a concatenation of nothing"))?;
        let axis = SymShape(vec![None; first.rank()]).axis(self.axis)?;
        let out = Tensor::cat(&inputs, axis).or_bug()?;
        let masks: Vec<Option<&Tensor>> = call.inputs().iter().map(|v| v.mask.as_ref()).collect();
        let mask = mask(&inputs, &masks, axis, self.mask_any).or_bug()?;
        Ok(vec![Value::new(out).with_mask(mask)])
    }
}

/// The mask of the output: along batch or time the masks one after the other, along another axis the steps that
/// all inputs have, or any of them. An input without a mask has all its steps.
fn mask(inputs: &[Tensor], masks: &[Option<&Tensor>], axis: usize, any: bool) -> CandleResult<Option<Tensor>> {
    if masks.iter().all(Option::is_none) || inputs[0].rank() < 3 {
        return Ok(None);
    }
    let whole = |x: &Tensor| Tensor::ones((x.dim(0)?, x.dim(1)?), DType::U8, x.device());
    let masks = inputs
        .iter()
        .zip(masks)
        .map(|(x, mask)| mask.map_or_else(|| whole(x), |m| m.ne(0u8)))
        .collect::<CandleResult<Vec<_>>>()?;
    if axis < 2 {
        return Tensor::cat(&masks, axis).map(Some);
    }
    masks.into_iter().map(Ok).reduce(|a, b| if any { a?.maximum(&b?) } else { a?.minimum(&b?) }).transpose()
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_close, masked, run_layer, tensor};
    use crate::value::Value;
    use candle_core::DType;
    use serde_json::json;
    use tfjs_topology::producer::Family;

    #[track_caller]
    fn check(family: Family, axis: i64, inputs: &[Value], expect: &[f32], mask: &[f32]) {
        let out = run_layer((family, "Concatenate", json!({"axis": axis})), inputs, &[], false).unwrap();
        check_close(out.tensor().unwrap(), expect);
        let found = out.mask.map(|m| m.to_dtype(DType::F32).unwrap());
        match found {
            Some(found) => check_close(&found, mask),
            None => assert!(mask.is_empty(), "no mask, expected {mask:?}"),
        }
    }

    #[test]
    fn values_and_masks() {
        let a = masked(tensor(&[1, 2, 1], &[1.0, 2.0]), &[&[1, 0]]);
        let b = masked(tensor(&[1, 2, 1], &[3.0, 4.0]), &[&[0, 1]]);
        let bare = Value::new(tensor(&[1, 2, 1], &[5.0, 6.0]));
        let both = [a.clone(), b];
        check(Family::Keras2, -1, &both, &[1.0, 3.0, 2.0, 4.0], &[0.0, 0.0]);
        check(Family::Keras3, -1, &both, &[1.0, 3.0, 2.0, 4.0], &[1.0, 1.0]);
        check(Family::Keras2, -2, &both, &[1.0, 2.0, 3.0, 4.0], &[1.0, 0.0, 0.0, 1.0]);
        check(Family::Keras2, 2, &[a.clone(), bare.clone()], &[1.0, 5.0, 2.0, 6.0], &[1.0, 0.0]);
        check(Family::Keras3, 1, &[a, bare.clone()], &[1.0, 2.0, 5.0, 6.0], &[1.0, 0.0, 1.0, 1.0]);
        check(Family::Keras3, 1, &[bare.clone(), bare], &[5.0, 6.0, 5.0, 6.0], &[]);
    }
}
