//! Functions that candle lacks, or whose results for NaN differ, built from operations that every device has.

use candle_core::{DType, Result, Tensor};
use std::time::Instant;
use tfjs_ir::check_deadline;

/// A number broadcast to the shape of `x`.
pub(super) fn filled(x: &Tensor, number: f64) -> Result<Tensor> {
    Tensor::new(number as f32, x.device())?.to_dtype(x.dtype())?.broadcast_as(x.shape())
}

/// `condition ? yes : no`, all of one shape.
pub(super) fn select(condition: &Tensor, yes: &Tensor, no: &Tensor) -> Result<Tensor> {
    condition.where_cond(yes, no)
}

/// Computes half precision in single precision, so that intermediate results are not rounded.
pub(super) fn in_single(x: &Tensor, f: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    match x.dtype() {
        DType::F16 | DType::BF16 => f(&x.to_dtype(DType::F32)?)?.to_dtype(x.dtype()),
        _ => f(x),
    }
}

/// Whether a tensor may contain NaN: candle's maxima then differ from the definition, and between devices. On the CPU
/// the values are checked; on other devices, where that would synchronize, the result is true.
pub(super) fn may_have_nan(x: &Tensor) -> Result<bool> {
    if !x.device().is_cpu() || !x.dtype().is_float() {
        return Ok(x.dtype().is_float());
    }
    // Infinities of both signs add up to NaN as well.
    Ok(x.to_dtype(DType::F32)?.sum_all()?.to_scalar::<f32>()?.is_nan())
}

/// The larger of two tensors of one shape; NaN if one is NaN.
pub(super) fn larger(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if !may_have_nan(a)? && !may_have_nan(b)? {
        return a.maximum(b);
    }
    // `b` if either is NaN, which is wrong only if `a` is the NaN.
    let larger = select(&a.ge(b)?, a, b)?;
    select(&is_nan(a)?, a, &larger)
}

/// The smaller of two tensors of one shape; NaN if one is NaN.
pub(super) fn smaller(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if !may_have_nan(a)? && !may_have_nan(b)? {
        return a.minimum(b);
    }
    let smaller = select(&a.le(b)?, a, b)?;
    select(&is_nan(a)?, a, &smaller)
}

/// Raises smaller numbers to `low`; NaN stays.
pub(super) fn at_least(x: &Tensor, low: f64) -> Result<Tensor> {
    let border = filled(x, low)?;
    if may_have_nan(x)? { select(&x.lt(&border)?, &border, x) } else { x.maximum(&border) }
}

/// Lowers larger numbers to `high`; NaN stays.
pub(super) fn at_most(x: &Tensor, high: f64) -> Result<Tensor> {
    let border = filled(x, high)?;
    if may_have_nan(x)? { select(&x.gt(&border)?, &border, x) } else { x.minimum(&border) }
}

/// Clamps to a range; NaN stays.
pub(super) fn clip(x: &Tensor, low: f64, high: f64) -> Result<Tensor> {
    at_most(&at_least(x, low)?, high)
}

pub(super) fn is_nan(x: &Tensor) -> Result<Tensor> {
    x.ne(x)
}

pub(super) fn is_finite(x: &Tensor) -> Result<Tensor> {
    x.abs()?.lt(f64::INFINITY)
}

/// -1 or 1; zeros and NaN are unchanged.
pub(super) fn sign(x: &Tensor) -> Result<Tensor> {
    let negative = select(&x.lt(0.0)?, &filled(x, -1.0)?, x)?;
    select(&x.gt(0.0)?, &filled(x, 1.0)?, &negative)
}

/// The nearest whole number, ties to even: candle rounds ties away from zero.
pub(super) fn round_even(x: &Tensor) -> Result<Tensor> {
    let floor = x.floor()?;
    let fraction = (x - &floor)?;
    let half = (&floor / 2.0)?;
    let odd = half.ne(&half.floor()?)?.to_dtype(x.dtype())?;
    let above = fraction.gt(0.5)?.to_dtype(x.dtype())?;
    let tie = (fraction.eq(0.5)?.to_dtype(x.dtype())? * odd)?;
    floor + (above + tie)?
}

/// `exp(x) - 1 = tanh(x / 2) (exp(x) + 1)`, exact near zero; where `exp` is large, `exp(x)` itself.
pub(super) fn expm1(x: &Tensor) -> Result<Tensor> {
    let exp = x.exp()?;
    let near = ((x / 2.0)?.tanh()? * (&exp + 1.0)?)?;
    select(&x.gt(20.0)?, &(exp - 1.0)?, &near)
}

/// `log(1 + x) = 2 atanh(x / (2 + x))`, as a series where `1 + x` would lose the digits of `x`.
pub(super) fn log1p(x: &Tensor) -> Result<Tensor> {
    let s = (x / (x + 2.0)?)?;
    let s2 = s.sqr()?;
    let series = (((((&s2 * (1.0 / 7.0))? + 1.0 / 5.0)? * &s2)? + 1.0 / 3.0)? * &s2)?;
    let near = ((series + 1.0)? * (&s * 2.0)?)?;
    select(&x.abs()?.lt(0.25)?, &near, &(x + 1.0)?.log()?)
}

/// One over the square root.
pub(super) fn rsqrt(x: &Tensor) -> Result<Tensor> {
    x.sqrt()?.recip()
}

/// A tensor in a dtype that candle multiplies: on the CPU, only single precision works in every build.
pub(super) fn multipliable(x: &Tensor) -> Result<Tensor> {
    let is_half = matches!(x.dtype(), DType::F16 | DType::BF16);
    if is_half && x.device().is_cpu() { x.to_dtype(DType::F32) } else { Ok(x.clone()) }
}

/// Multiplications between two looks at the clock: some tenths of a second.
const BETWEEN_LOOKS: usize = 1 << 33;

/// The [`product`] of matrices `[b, m, k]` and `[b, k, n]`. Before a deadline, a large one is computed in blocks.
///
/// # Errors
/// Also a deadline that has passed.
pub(super) fn product_until(a: &Tensor, b: &Tensor, deadline: Option<Instant>) -> super::error::Result<Tensor> {
    product_in_blocks(a, b, deadline, BETWEEN_LOOKS)
}

fn product_in_blocks(
    a: &Tensor,
    b: &Tensor,
    deadline: Option<Instant>,
    at_once: usize,
) -> super::error::Result<Tensor> {
    let ((batch, m, k), n) = (a.dims3()?, b.dim(2)?);
    let rows = (at_once / k.saturating_mul(n).max(1)).max(1);
    if deadline.is_none() || !a.device().is_cpu() || batch.saturating_mul(m) <= rows {
        return Ok(product(a, b)?);
    }
    // Several whole matrices together, or some rows of one.
    let matrices = (rows / m.max(1)).max(1);
    let mut parts = Vec::new();
    for first in (0..batch).step_by(matrices) {
        let matrices = matrices.min(batch - first);
        let (a, b) = (a.narrow(0, first, matrices)?, b.narrow(0, first, matrices)?);
        let mut blocks = Vec::new();
        for row in (0..m).step_by(rows) {
            check_deadline(deadline)?;
            blocks.push(product(&a.narrow(1, row, rows.min(m - row))?, &b)?);
        }
        parts.push(Tensor::cat(&blocks, 1)?);
    }
    Ok(Tensor::cat(&parts, 0)?)
}

/// The product of matrices `[b, m, k]` and `[b, k, n]`.
pub(super) fn product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    multipliable(a)?.matmul(&multipliable(b)?)?.to_dtype(a.dtype())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use std::time::Duration;

    #[test]
    fn products_in_blocks_are_the_products() {
        let numbers = |dims: (usize, usize, usize)| {
            let count = (dims.0 * dims.1 * dims.2) as f32;
            Tensor::arange(0.0, count, &Device::Cpu).unwrap().reshape(dims).unwrap()
        };
        let later = Some(Instant::now() + Duration::from_secs(3600));
        for (batch, m) in [(1, 7), (5, 1), (3, 4)] {
            let (a, b) = (numbers((batch, m, 3)), numbers((batch, 2, 3)).transpose(1, 2).unwrap());
            let whole = product(&a, &b).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for at_once in [1, 12, 30, 1000] {
                let found = product_in_blocks(&a, &b, later, at_once).unwrap();
                assert_eq!(found.dims(), [batch, m, 2]);
                assert_eq!(found.flatten_all().unwrap().to_vec1::<f32>().unwrap(), whole, "{at_once} at once");
            }
            let passed = product_in_blocks(&a, &b, Some(Instant::now()), 1).map_err(tfjs_manifest::Error::from);
            assert!(passed.unwrap_err().message().contains("deadline"));
        }
    }
}
