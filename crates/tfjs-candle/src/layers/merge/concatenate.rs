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
