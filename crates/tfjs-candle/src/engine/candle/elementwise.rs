//! Unary and binary functions, comparisons, selections and casts.

use super::error::Result;
use super::execute::Site;
use super::math::{self, in_single};
use super::typed::{Typed, dtype};
use super::{Results, Rule, reference, take, tensors};
use candle_core::{DType, Tensor};
use tfjs_ir::ElementType;
use tfjs_ir::prim::elementwise::{Binary, BinaryOp, Cast, Compare, CompareOp, Select, Unary, UnaryOp};

impl Rule for Unary {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = take(operands)?;
        if x.element().is_integer() {
            return reference::evaluate(site, operands);
        }
        let x = x.tensor()?;
        match self.op {
            UnaryOp::Not => site.one(x.eq(0u8)?),
            UnaryOp::IsNan => site.one(math::is_nan(x)?),
            UnaryOp::IsFinite => site.one(math::is_finite(x)?),
            op => match of_float(op) {
                Some(f) => site.one(in_single(x, f)?),
                None => reference::evaluate(site, operands),
            },
        }
    }
}

/// candle's function for a floating-point operation, if it has one.
fn of_float(op: UnaryOp) -> Option<fn(&Tensor) -> candle_core::Result<Tensor>> {
    Some(match op {
        UnaryOp::Neg => Tensor::neg,
        UnaryOp::Abs => Tensor::abs,
        UnaryOp::Sign => math::sign,
        UnaryOp::Floor => Tensor::floor,
        UnaryOp::Ceil => Tensor::ceil,
        UnaryOp::RoundEven => math::round_even,
        UnaryOp::Exp => Tensor::exp,
        UnaryOp::Expm1 => math::expm1,
        UnaryOp::Log => Tensor::log,
        UnaryOp::Log1p => math::log1p,
        UnaryOp::Sqrt => Tensor::sqrt,
        UnaryOp::Rsqrt => math::rsqrt,
        UnaryOp::Sin => Tensor::sin,
        UnaryOp::Cos => Tensor::cos,
        UnaryOp::Tan => |x| x.sin()? / x.cos()?,
        UnaryOp::Tanh => Tensor::tanh,
        UnaryOp::Erf => Tensor::erf,
        _ => return None,
    })
}

impl Rule for Binary {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [a, b] = take(operands)?;
        let (element, dims) = (a.element(), &site.expected(0)?.dims);
        // Integers must wrap, which candle does not guarantee.
        if element.is_integer() {
            return reference::evaluate(site, operands);
        }
        let (a, b) = (a.tensor()?, b.tensor()?);
        let both = || Ok::<_, candle_core::Error>((a.broadcast_as(&dims[..])?, b.broadcast_as(&dims[..])?));
        site.one(match self.op {
            BinaryOp::Add => a.broadcast_add(b)?,
            BinaryOp::Sub => a.broadcast_sub(b)?,
            BinaryOp::Mul => a.broadcast_mul(b)?,
            BinaryOp::Div => a.broadcast_div(b)?,
            BinaryOp::FloorDiv => a.broadcast_div(b)?.floor()?,
            BinaryOp::Max => {
                let (a, b) = both()?;
                math::larger(&a, &b)?
            }
            BinaryOp::Min => {
                let (a, b) = both()?;
                math::smaller(&a, &b)?
            }
            BinaryOp::Pow => match site.scalar(1) {
                Some(exponent) => power(a, exponent)?.broadcast_as(&dims[..])?,
                None => return reference::evaluate(site, operands),
            },
            // Truth values are 0 and 1.
            BinaryOp::And => a.broadcast_mul(b)?,
            BinaryOp::Or => a.broadcast_maximum(b)?,
            BinaryOp::Xor => a.broadcast_ne(b)?,
            BinaryOp::Mod | BinaryOp::Atan2 => return reference::evaluate(site, operands),
        })
    }
}

/// `x` to a constant power.
fn power(x: &Tensor, exponent: f64) -> candle_core::Result<Tensor> {
    match exponent {
        1.0 => Ok(x.clone()),
        2.0 => x.sqr(),
        -1.0 => x.recip(),
        _ => in_single(x, |x| x.powf(exponent)),
    }
}

impl Rule for Compare {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [a, b] = tensors(operands)?;
        site.one(match self.op {
            CompareOp::Eq => a.broadcast_eq(b)?,
            CompareOp::Ne => a.broadcast_ne(b)?,
            CompareOp::Lt => a.broadcast_lt(b)?,
            CompareOp::Le => a.broadcast_le(b)?,
            CompareOp::Gt => a.broadcast_gt(b)?,
            CompareOp::Ge => a.broadcast_ge(b)?,
        })
    }
}

impl Rule for Select {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [condition, a, b] = tensors(operands)?;
        let dims = &site.expected(0)?.dims[..];
        let spread = |x: &Tensor| x.broadcast_as(dims);
        site.one(math::select(&spread(condition)?, &spread(a)?, &spread(b)?)?)
    }
}

impl Rule for Cast {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = take(operands)?;
        let (from, to) = (x.element(), self.to);
        let to_dtype = dtype(to, site.device());
        // Devices hold 32-bit integers in 64 bits, where arithmetic does not wrap at 32.
        let wraps = from.is_integer() && to == ElementType::I32 && to_dtype != DType::I32 && from != to;
        if wraps && from != ElementType::U8 {
            return reference::evaluate(site, operands);
        }
        let tensor = x.tensor()?;
        site.one(match to {
            ElementType::Bool => tensor.ne(0.0)?,
            _ if from.is_float() && to.is_integer() && !site.device().is_cpu() => saturated(tensor, to, to_dtype)?,
            // On the CPU candle casts as Rust does: truncating, saturating, NaN to 0; between integers it wraps.
            _ => tensor.to_dtype(to_dtype)?,
        })
    }
}

/// Casts floating point to integers on a device, whose own casts of NaN and of large numbers differ.
fn saturated(x: &Tensor, to: ElementType, to_dtype: DType) -> candle_core::Result<Tensor> {
    // All bounds except the upper ones of 32 and 64 bits are floats; 2^63 - 2^39 is the largest float below 2^63.
    const LARGEST: f64 = 9_223_371_487_098_961_920.0;
    let x = x.to_dtype(DType::F32)?;
    let number = math::select(&math::is_nan(&x)?, &math::filled(&x, 0.0)?, &x)?;
    let (low, high) = to.integer_range();
    let whole = math::clip(&number, i64::MIN as f64, LARGEST)?.to_dtype(DType::I64)?;
    if to == ElementType::I64 {
        let largest = number.gt(LARGEST)?;
        return math::select(&largest, &Tensor::new(i64::MAX, x.device())?.broadcast_as(x.shape())?, &whole);
    }
    let border = |n: i64| Tensor::new(n, x.device())?.broadcast_as(x.shape());
    let whole = math::select(&whole.lt(&border(low)?)?, &border(low)?, &whole)?;
    math::select(&whole.gt(&border(high)?)?, &border(high)?, &whole)?.to_dtype(to_dtype)
}
