//! Runs comparisons and logic.

use super::meet;
use crate::run::{OrBug, Run, RunCx, one};
use crate::value::Value;
use candle_core::Tensor;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::ops::compare::{Compare, CompareKind};

impl Run for Compare {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let ([a, b], _) = meet(call)?;
        one(compute(self.kind, &a, &b).or_bug()?)
    }
}

fn compute(kind: CompareKind, a: &Tensor, b: &Tensor) -> candle_core::Result<Tensor> {
    let truth = |x: &Tensor| x.ne(0.0);
    match kind {
        CompareKind::Equal => a.broadcast_eq(b),
        CompareKind::NotEqual => a.broadcast_ne(b),
        CompareKind::Greater => a.broadcast_gt(b),
        CompareKind::GreaterEqual => a.broadcast_ge(b),
        CompareKind::Less => a.broadcast_lt(b),
        CompareKind::LessEqual => a.broadcast_le(b),
        CompareKind::And => truth(a)?.broadcast_mul(&truth(b)?),
        CompareKind::Or => truth(a)?.broadcast_maximum(&truth(b)?),
        CompareKind::Xor => truth(a)?.broadcast_ne(&truth(b)?),
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{b, c, check, f, i, none};

    #[test]
    fn truth() {
        check("NotEqual", none(), vec![i(&[0, 3], &[2]), c(0)], &[2], &[0.0, 1.0]);
        check("Greater", none(), vec![f(&[0.5, -1.0], &[2]), c(0)], &[2], &[1.0, 0.0]);
        check("LessEqual", none(), vec![i(&[1, 2], &[2]), c(1.5)], &[2], &[1.0, 0.0]);
        check("LogicalOr", none(), vec![b(&[1, 0], &[2, 1]), b(&[0, 1], &[2])], &[2, 2], &[1.0, 1.0, 0.0, 1.0]);
        check("LogicalAnd", none(), vec![b(&[1, 0], &[2]), c(true)], &[2], &[1.0, 0.0]);
        check("LogicalXor", none(), vec![b(&[1, 0], &[2]), c(true)], &[2], &[0.0, 1.0]);
    }
}
