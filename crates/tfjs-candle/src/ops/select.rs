//! Runs casts, constants in a tensor's shape, and choices.

use super::{meet, to_type, type_of};
use crate::run::{OrBug, Run, RunCx, one};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::ops::params::subject;
use tfjs_topology::ops::select::{Make, MakeKind, Where};

impl Run for Make {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = subject(call, &["value"])?.tensor()?;
        let dtype = self.dtype(call, type_of(x).dtype)?;
        one(match self.kind {
            MakeKind::Cast => to_type(x, dtype)?,
            MakeKind::Zeros => to_type(&x.zeros_like().or_bug()?, dtype)?,
            MakeKind::Ones => to_type(&x.ones_like().or_bug()?, dtype)?,
            MakeKind::Not => x.eq(0.0).or_bug()?,
        })
    }
}

impl Run for Where {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let (condition, values) = self.split(call)?;
        let ([a, b], dtype) = meet(&values)?;
        one(to_type(&choose(condition.tensor()?, &a, &b).or_bug()?, dtype)?)
    }
}

fn choose(condition: &Tensor, a: &Tensor, b: &Tensor) -> candle_core::Result<Tensor> {
    let shape = a.shape().broadcast_shape_binary_op(b.shape(), "where")?;
    let shape = shape.broadcast_shape_binary_op(condition.shape(), "where")?;
    let spread = |x: &Tensor| x.broadcast_as(&shape)?.contiguous();
    spread(&condition.ne(0.0)?)?.where_cond(&spread(a)?, &spread(b)?)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{b, c, check, f, i, none};
    use serde_json::json;

    #[test]
    fn made() {
        check("Cast", json!({"dtype": "int32"}), vec![f(&[-1.7, 2.2], &[2])], &[2], &[-1.0, 2.0]);
        check("Cast", json!({"dtype": "bool"}), vec![f(&[-1.7, 0.0], &[2])], &[2], &[1.0, 0.0]);
        check("Cast", json!({"dtype": "float32"}), vec![b(&[1, 0], &[2])], &[2], &[1.0, 0.0]);
        check("OnesLike", json!({"dtype": "bool"}), vec![f(&[-1.7, 0.0], &[2])], &[2], &[1.0, 1.0]);
        check("ZerosLike", none(), vec![i(&[4], &[1])], &[1], &[0.0]);
        check("LogicalNot", none(), vec![b(&[1, 0], &[2])], &[2], &[0.0, 1.0]);
    }

    #[test]
    fn chosen() {
        let x = || f(&[1.0, 2.0], &[1, 2]);
        check("Where", none(), vec![b(&[1, 0], &[2, 1]), x(), c(0)], &[2, 2], &[1.0, 2.0, 0.0, 0.0]);
        check("Where", none(), vec![b(&[1, 0], &[2]), i(&[5, 6], &[2]), c(-1)], &[2], &[5.0, -1.0]);
    }
}
