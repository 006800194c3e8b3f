//! Runs `Concatenate` and `Stack`.

use super::{to_type, type_of};
use crate::run::{OrBug, Run, RunCx, one};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::ops::join::Join;
use tfjs_topology::ops::params::promote;
use tfjs_topology::types::ValueType;

impl Run for Join {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let tensors = self.tensors(call)?.into_iter().map(Value::tensor).collect::<Result<Vec<&Tensor>>>()?;
        let first = tensors.first().ok_or_else(|| Error::bug("no tensors to join"))?;
        let axis = self.axis(call, &type_of(first).shape)?;
        let dtype = tensors.iter().map(|t| type_of(t).dtype).fold(ValueType::Bool, promote);
        let tensors = tensors.into_iter().map(|t| to_type(t, dtype)).collect::<Result<Vec<_>>>()?;
        one(if self.stack { Tensor::stack(&tensors, axis) } else { Tensor::cat(&tensors, axis) }.or_bug()?)
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{b, check, f, i};
    use serde_json::json;
    use tfjs_topology::call::Arg;

    #[test]
    fn joined() {
        let list = || Arg::List(vec![f(&[1.0, 2.0], &[2, 1]), i(&[3, 4], &[2, 1])]);
        check("Concatenate", json!({"axis": -1}), vec![list()], &[2, 2], &[1.0, 3.0, 2.0, 4.0]);
        check("Stack", json!({"axis": 1}), vec![list()], &[2, 2, 1], &[1.0, 3.0, 2.0, 4.0]);
        let truth = Arg::List(vec![b(&[1], &[1]), b(&[0], &[1])]);
        check("Concatenate", json!({"axis": 0}), vec![truth], &[2], &[1.0, 0.0]);
    }
}
