//! Runs `Add`, `Subtract`, `Multiply`, `Average`, `Maximum`, `Minimum`.

use super::tensors;
use crate::run::{OrBug, Run, RunCx, one};
use crate::value::Value;
use candle_core::{DType, Result as CandleResult, Tensor};
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::layers::merge::arithmetic::{Merge, MergeKind};

impl Run for Merge {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let values = call.inputs();
        let truth = values.iter().any(|v| v.tensor().is_ok_and(|t| t.dtype() == DType::U8));
        let inputs = tensors(call, self.kind != MergeKind::Average && !truth)?;
        let rank = inputs.iter().map(Tensor::rank).max().unwrap_or_default();
        let inputs = inputs.iter().map(|x| expand(x, rank)).collect::<CandleResult<Vec<_>>>().or_bug()?;
        let masks: Vec<Option<&Tensor>> = values.iter().map(|v| v.mask.as_ref()).collect();
        let out = if self.skips_masked && masks.iter().any(Option::is_some) {
            merge_unmasked(self.kind, &inputs, &masks)
        } else {
            merge(self.kind, inputs)
        };
        one(out.or_bug()?)
    }
}

/// Axes of 1 after the batch, up to a rank.
fn expand(x: &Tensor, rank: usize) -> CandleResult<Tensor> {
    let at = x.rank().min(1);
    (x.rank()..rank).try_fold(x.clone(), |x, _| x.unsqueeze(at))
}

fn pair(kind: MergeKind, a: &Tensor, b: &Tensor) -> CandleResult<Tensor> {
    match kind {
        MergeKind::Add | MergeKind::Average => a.broadcast_add(b),
        MergeKind::Subtract => a.broadcast_sub(b),
        MergeKind::Multiply => a.broadcast_mul(b),
        MergeKind::Maximum => a.broadcast_maximum(b),
        MergeKind::Minimum => a.broadcast_minimum(b),
    }
}

fn merge(kind: MergeKind, inputs: Vec<Tensor>) -> CandleResult<Tensor> {
    let count = inputs.len() as f64;
    let out = inputs
        .into_iter()
        .map(Ok)
        .reduce(|a, b| pair(kind, &a?, &b?))
        .unwrap_or_else(|| Err(candle_core::Error::Msg("a merge of nothing".into())))?;
    if kind == MergeKind::Average { out / count } else { Ok(out) }
}

/// Keras 3's arithmetic with masks: a masked element counts as 1 in a product, and not at all among the largest
/// or smallest. Where all inputs have masks, what is masked in all of them is 0 in a product.
fn merge_unmasked(kind: MergeKind, inputs: &[Tensor], masks: &[Option<&Tensor>]) -> CandleResult<Tensor> {
    let mut shape = inputs[0].shape().clone();
    for x in inputs {
        shape = shape.broadcast_shape_binary_op(x.shape(), "merge")?;
    }
    let all_masked = masks.iter().all(Option::is_some);
    let mut state: Option<(Tensor, Option<Tensor>)> = None;
    for (x, mask) in inputs.iter().zip(masks) {
        let x = x.broadcast_as(&shape)?.contiguous()?;
        let mask = mask.map(|m| spread(m, &shape)).transpose()?;
        let x = match (&mask, kind) {
            (Some(mask), MergeKind::Multiply) => mask.where_cond(&x, &x.ones_like()?)?,
            _ => x,
        };
        state = Some(match state {
            None => (x, mask),
            Some((out, out_mask)) => {
                let either = match (&out_mask, &mask) {
                    (Some(a), Some(b)) => Some(a.maximum(b)?),
                    _ => None,
                };
                if kind == MergeKind::Multiply {
                    ((out * x)?, either)
                } else {
                    let x = mask.map_or(Ok(x.clone()), |m| m.where_cond(&x, &out))?;
                    let out = out_mask.map_or(Ok(out.clone()), |m| m.where_cond(&out, &x))?;
                    (pair(kind, &out, &x)?, either)
                }
            }
        });
    }
    match state {
        Some((out, Some(mask))) if kind == MergeKind::Multiply && all_masked => {
            mask.where_cond(&out, &out.zeros_like()?)
        }
        Some((out, _)) => Ok(out),
        None => Err(candle_core::Error::Msg("a merge of nothing".into())),
    }
}

/// A `[batch, time]` mask over a whole shape, as zeros and ones.
fn spread(mask: &Tensor, shape: &candle_core::Shape) -> CandleResult<Tensor> {
    let mask = mask.ne(0u8)?;
    let mask = (mask.rank()..shape.rank()).try_fold(mask, |m, _| m.unsqueeze(m.rank()))?;
    mask.broadcast_as(shape)?.contiguous()
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_run, check_run_of, masked, tensor};
    use crate::value::Value;
    use serde_json::json;
    use tfjs_topology::producer::Family;

    #[test]
    fn ranks_and_shapes_broadcast() {
        let row = |v: &[f32]| Value::new(tensor(&[2, 2], v));
        let block = Value::new(tensor(&[2, 1, 2], &[10.0, 20.0, 30.0, 40.0]));
        let inputs = [row(&[1.0, 2.0, 3.0, 4.0]), block];
        check_run("Add", json!({}), &inputs, &[], &[11.0, 22.0, 33.0, 44.0]);
        check_run("Subtract", json!({}), &inputs, &[], &[-9.0, -18.0, -27.0, -36.0]);
        check_run("Multiply", json!({}), &inputs, &[], &[10.0, 40.0, 90.0, 160.0]);
        let three = [row(&[1.0, 5.0, 3.0, 4.0]), row(&[2.0, 2.0, 2.0, 2.0]), row(&[3.0, -1.0, 1.0, 0.0])];
        check_run("Average", json!({}), &three, &[], &[2.0, 2.0, 2.0, 2.0]);
        check_run("Maximum", json!({}), &three, &[], &[3.0, 5.0, 3.0, 4.0]);
        check_run("Minimum", json!({}), &three, &[], &[1.0, -1.0, 1.0, 0.0]);
    }

    #[test]
    fn keras_3_leaves_masked_elements_out() {
        let a = masked(tensor(&[1, 3, 1], &[2.0, 3.0, 4.0]), &[&[1, 0, 0]]);
        let b = masked(tensor(&[1, 3, 1], &[5.0, 1.0, 7.0]), &[&[1, 1, 0]]);
        let of = |class| (Family::Keras3, class, json!({}));
        let both = [a.clone(), b];
        check_run_of(of("Multiply"), &both, &[], &[10.0, 1.0, 0.0]);
        check_run_of(of("Maximum"), &both, &[], &[5.0, 1.0, 4.0]);
        check_run_of(of("Add"), &both, &[], &[7.0, 4.0, 11.0]);
        check_run("Multiply", json!({}), &both, &[], &[10.0, 3.0, 28.0]);
        let one = [a, Value::new(tensor(&[1, 3, 1], &[5.0, 1.0, 7.0]))];
        check_run_of(of("Multiply"), &one, &[], &[10.0, 1.0, 7.0]);
        check_run_of(of("Minimum"), &one, &[], &[2.0, 1.0, 7.0]);
    }
}
