//! Runs rearrangements.

use super::type_of;
use crate::run::{OrBug, Run, RunCx, one};
use crate::value::Value;
use candle_core::{Shape, Tensor};
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::Call;
use tfjs_topology::ops::params::subject;
use tfjs_topology::ops::shape::{Plan, Rearrange};

impl Run for Rearrange {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = subject(call, &[])?.tensor()?;
        let plan = self.plan(call, &type_of(x).shape).map_err(|e| Error::mismatch(e.message()))?;
        one(match plan {
            Plan::Dims(dims) => {
                let dims = dims.into_iter().collect::<Option<Vec<usize>>>();
                let dims = dims.ok_or_else(|| Error::bug("a running operation's shape is not known"))?;
                x.reshape(Shape::from(dims)).or_bug()?
            }
            Plan::Order(order) => x.permute(order).or_bug()?.contiguous().or_bug()?,
            Plan::Repeat(repeats) => repeated(x, &repeats)?,
        })
    }
}

fn repeated(x: &Tensor, repeats: &[usize]) -> Result<Tensor> {
    if repeats.contains(&0) || x.elem_count() == 0 {
        let dims: Vec<usize> = x.dims().iter().zip(repeats).map(|(d, n)| d * n).collect();
        return Tensor::zeros(dims, x.dtype(), x.device()).or_bug();
    }
    x.repeat(repeats).or_bug()
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, f, i};
    use serde_json::json;

    #[test]
    fn rearranged() {
        let x = || f(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]);
        check("Reshape", json!({"newshape": [-1, 2]}), vec![x()], &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        check("Transpose", json!({"axes": [1, 0]}), vec![x()], &[3, 2], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        check("ExpandDims", json!({"axis": -1}), vec![i(&[1, 2], &[2])], &[2, 1], &[1.0, 2.0]);
        check("Squeeze", json!({"axis": 0}), vec![f(&[1.0, 2.0], &[1, 2])], &[2], &[1.0, 2.0]);
        check("Tile", json!({"repeats": [1, 2]}), vec![f(&[1.0, 2.0], &[2, 1])], &[2, 2], &[1.0, 1.0, 2.0, 2.0]);
        check("Tile", json!({"repeats": [0, 2]}), vec![f(&[1.0, 2.0], &[2, 1])], &[0, 2], &[]);
    }
}
