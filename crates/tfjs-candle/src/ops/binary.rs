//! Runs arithmetic of two operands.

use super::{meet, to_type};
use crate::run::{OrBug, Run, RunCx, one};
use crate::value::Value;
use candle_core::{DType, Tensor};
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::ops::binary::{Binary, BinaryKind};
use tfjs_topology::types::ValueType;

impl Run for Binary {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let ([a, b], dtype) = meet(call)?;
        let dtype = if self.kind == BinaryKind::Divide { ValueType::Float } else { dtype };
        one(to_type(&compute(self.kind, &a, &b).or_bug()?, dtype)?)
    }
}

fn compute(kind: BinaryKind, a: &Tensor, b: &Tensor) -> candle_core::Result<Tensor> {
    match kind {
        BinaryKind::Add => a.broadcast_add(b),
        BinaryKind::Subtract => a.broadcast_sub(b),
        BinaryKind::Multiply => a.broadcast_mul(b),
        BinaryKind::Maximum => a.broadcast_maximum(b),
        BinaryKind::Minimum => a.broadcast_minimum(b),
        BinaryKind::SquaredDifference => a.broadcast_sub(b).and_then(|d| &d * &d),
        BinaryKind::Divide => floats(a)?.broadcast_div(&floats(b)?),
        BinaryKind::FloorDivide => floor_divide(a, b),
        BinaryKind::Mod => a.broadcast_sub(&floor_divide(a, b)?.broadcast_mul(b)?),
        BinaryKind::Power => power(a, b),
    }
}

/// Whole numbers as single precision; other values as they are.
fn floats(x: &Tensor) -> candle_core::Result<Tensor> {
    if x.dtype().is_float() { Ok(x.clone()) } else { x.to_dtype(DType::F32) }
}

fn floor_divide(a: &Tensor, b: &Tensor) -> candle_core::Result<Tensor> {
    if a.dtype().is_float() {
        return a.broadcast_div(b)?.floor();
    }
    // Whole numbers divide exactly in double precision, as far as it holds them.
    a.to_dtype(DType::F64)?.broadcast_div(&b.to_dtype(DType::F64)?)?.floor()?.to_dtype(a.dtype())
}

/// `|a| ** b` through the logarithm, with the sign and the special cases put right: candle's own power has
/// none for a negative base.
fn power(a: &Tensor, b: &Tensor) -> candle_core::Result<Tensor> {
    if !a.dtype().is_float() {
        let whole = power(&a.to_dtype(DType::F64)?, &b.to_dtype(DType::F64)?)?;
        return whole.round()?.to_dtype(a.dtype());
    }
    if let Some(exponent) = small_whole(b)? {
        return whole_power(a, b, exponent);
    }
    let shape = a.shape().broadcast_shape_binary_op(b.shape(), "power")?;
    let (a, b) = (a.broadcast_as(&shape)?.contiguous()?, b.broadcast_as(&shape)?.contiguous()?);
    let magnitude = (a.abs()?.log()? * &b)?.exp()?;
    let odd = {
        let half = (&b / 2.0)?;
        half.ne(&half.floor()?)?
    };
    let signed = odd.where_cond(&magnitude.neg()?, &magnitude)?;
    let whole = b.eq(&b.floor()?)?;
    // 0 / 0, which exists on every device.
    let nan = (magnitude.zeros_like()? / magnitude.zeros_like()?)?;
    let negative = whole.where_cond(&signed, &nan)?;
    let out = a.lt(0.0)?.where_cond(&negative, &magnitude)?;
    b.eq(0.0)?.where_cond(&out.ones_like()?, &out)
}

/// The exponent, if it is one small whole number: then multiplying is exact, and has a gradient at zero.
fn small_whole(b: &Tensor) -> candle_core::Result<Option<i32>> {
    if b.rank() > 0 {
        return Ok(None);
    }
    let exponent = b.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    Ok((exponent.fract() == 0.0 && (0.0..=8.0).contains(&exponent)).then_some(exponent as i32))
}

fn whole_power(a: &Tensor, b: &Tensor, exponent: i32) -> candle_core::Result<Tensor> {
    let mut out = a.ones_like()?.to_dtype(b.dtype())?;
    for _ in 0..exponent {
        out = (out * a)?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{b, c, check, f, i, none};
    use serde_json::json;

    #[test]
    fn arithmetic() {
        let x = || f(&[1.0, -2.0], &[2, 1]);
        check("Add", none(), vec![x(), f(&[10.0, 20.0], &[2])], &[2, 2], &[11.0, 21.0, 8.0, 18.0]);
        check("Subtract", none(), vec![c(2.0), x()], &[2, 1], &[1.0, 4.0]);
        check("Multiply", none(), vec![x(), c(json!([3, 4]))], &[2, 2], &[3.0, 4.0, -6.0, -8.0]);
        check("Maximum", none(), vec![x(), c(0)], &[2, 1], &[1.0, 0.0]);
        check("SquaredDifference", none(), vec![x(), c(3)], &[2, 1], &[4.0, 25.0]);
    }

    #[test]
    fn whole_numbers() {
        check("TrueDivide", none(), vec![i(&[1, 7], &[2]), c(2)], &[2], &[0.5, 3.5]);
        check("FloorDivide", none(), vec![i(&[-7, 7], &[2]), c(2)], &[2], &[-4.0, 3.0]);
        check("Mod", none(), vec![i(&[-7, 7], &[2]), c(3)], &[2], &[2.0, 1.0]);
        check("Power", none(), vec![i(&[-3, 4], &[2]), c(3)], &[2], &[-27.0, 64.0]);
        check("Add", none(), vec![b(&[1, 0], &[2]), c(1)], &[2], &[2.0, 1.0]);
        check("Add", none(), vec![i(&[1], &[1]), f(&[0.5], &[1])], &[1], &[1.5]);
    }

    #[test]
    fn powers_of_negative_numbers() {
        check("Power", none(), vec![f(&[-2.0, 3.0, 0.0], &[3]), c(2)], &[3], &[4.0, 9.0, 0.0]);
        let exponents = f(&[3.0, 0.5, -1.0, 2.0, 0.0, 0.5], &[6]);
        let bases = f(&[-2.0, -2.0, -4.0, -3.0, 0.0, 9.0], &[6]);
        check("Power", none(), vec![bases, exponents], &[6], &[-8.0, f64::NAN, -0.25, 9.0, 1.0, 3.0]);
    }
}
