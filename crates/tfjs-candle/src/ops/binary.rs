//! Runs arithmetic of two operands.

use crate::run::{OrBug, Run, RunCx, one};
use crate::value::Value;
use candle_core::{DType, Device, Tensor};
use tfjs_manifest::{Error, Result};
use tfjs_topology::call::{Arg, Call};
use tfjs_topology::ops::binary::{Binary, BinaryKind, operands};

impl Run for Binary {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let [a, b] = operands(call)?;
        let like =
            [a, b].into_iter().find_map(Arg::tensor).ok_or_else(|| Error::bug("an operation without a tensor"))?;
        let like = like.tensor()?;
        let (a, b) = (operand(a, like.dtype(), like.device())?, operand(b, like.dtype(), like.device())?);
        let (a, b) = if a.dtype() == b.dtype() {
            (a, b)
        } else {
            (a.to_dtype(DType::F32).or_bug()?, b.to_dtype(DType::F32).or_bug()?)
        };
        one(match self.kind {
            BinaryKind::Add => a.broadcast_add(&b),
            BinaryKind::Subtract => a.broadcast_sub(&b),
            BinaryKind::Multiply => a.broadcast_mul(&b),
            BinaryKind::Divide => a.broadcast_div(&b),
            BinaryKind::Power => a.broadcast_pow(&b),
            BinaryKind::Maximum => a.broadcast_maximum(&b),
            BinaryKind::Minimum => a.broadcast_minimum(&b),
        }
        .or_bug()?)
    }
}

fn operand(arg: &Arg<Value>, dtype: DType, device: &Device) -> Result<Tensor> {
    match arg {
        Arg::Tensor(value) => value.tensor().cloned(),
        Arg::Const(constant) => {
            let number = constant
                .as_f64()
                .or_else(|| constant.as_bool().map(f64::from))
                .ok_or_else(|| Error::bug("an operand is no number"))?;
            Tensor::new(number, device).or_bug()?.to_dtype(dtype).or_bug()
        }
        _ => Err(Error::bug("an operand is a list")),
    }
}
