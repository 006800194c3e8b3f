//! Runs `GetItem`.

use super::type_of;
use crate::run::{OrBug, Run, RunCx, one};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::ops::params::subject;
use tfjs_topology::ops::slice::{GetItem, Piece};

impl Run for GetItem {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let mut x = subject(call, &[])?.tensor()?.clone();
        let pieces = self.plan(call, &type_of(&x).shape.0).map_err(|e| Error::mismatch(e.message()))?;
        let mut axis = 0;
        for piece in pieces {
            match piece {
                Piece::At(index) => {
                    x = x.narrow(axis, index, 1).or_bug()?.squeeze(axis).or_bug()?;
                    continue;
                }
                Piece::New => x = x.unsqueeze(axis).or_bug()?,
                Piece::Range { start, step, len } => {
                    let len = len.ok_or_else(|| Error::bug("a running operation's shape is not known"))?;
                    x = range(&x, axis, start, step, len)?;
                }
                Piece::Whole => {}
            }
            axis += 1;
        }
        one(x.contiguous().or_bug()?)
    }
}

fn range(x: &Tensor, axis: usize, start: usize, step: i64, len: usize) -> Result<Tensor> {
    if len == 0 || x.elem_count() == 0 {
        let mut dims = x.dims().to_vec();
        dims[axis] = len;
        return Tensor::zeros(dims, x.dtype(), x.device()).or_bug();
    }
    if step == 1 {
        return x.narrow(axis, start, len).or_bug();
    }
    // The last index is inside the axis: the description has counted them.
    let index = |i: usize| (start as i64 + step.saturating_mul(i as i64)) as u32;
    let indices = Tensor::from_vec((0..len).map(index).collect::<Vec<u32>>(), len, x.device()).or_bug()?;
    x.contiguous().or_bug()?.index_select(&indices, axis).or_bug()
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{c, check, f, none, run_op};
    use serde_json::{Value, json};
    use tfjs_manifest::Kind;

    fn slice(start: Value, stop: Value, step: Value) -> Value {
        json!({"start": start, "stop": stop, "step": step})
    }

    #[test]
    fn parts() {
        let x = || f(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
        let all = || slice(Value::Null, Value::Null, Value::Null);
        let check =
            |spec: Value, dims: &[usize], expect: &[f64]| check("GetItem", none(), vec![x(), c(spec)], dims, expect);
        check(json!([all(), slice(json!(1), json!(null), json!(null))]), &[2, 2], &[2.0, 3.0, 5.0, 6.0]);
        check(json!([all(), slice(json!(null), json!(null), json!(2))]), &[2, 2], &[1.0, 3.0, 4.0, 6.0]);
        check(json!([all(), slice(json!(null), json!(null), json!(-1))]), &[2, 3], &[3.0, 2.0, 1.0, 6.0, 5.0, 4.0]);
        check(json!([all(), slice(json!(-1), json!(0), json!(-1))]), &[2, 2], &[3.0, 2.0, 6.0, 5.0]);
        check(json!([all(), -1]), &[2], &[3.0, 6.0]);
        check(json!([-1, null]), &[1, 3], &[4.0, 5.0, 6.0]);
        check(json!([{"class_name": "__ellipsis__"}, 0]), &[2], &[1.0, 4.0]);
        check(json!([all(), slice(json!(3), json!(null), json!(null))]), &[2, 0], &[]);
    }

    #[test]
    fn an_index_outside() {
        let error = run_op("GetItem", none(), vec![f(&[1.0], &[1]), c(1)]).unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::Malformed, "index 1 is outside an axis of length 1"));
    }
}
