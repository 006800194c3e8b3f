//! Functions of one tensor that are composed of others: other bases and roots, tests for NaN and infinities, bits.
//!
//! Reference: `keras.ops.numpy`, `tf.math`.

use super::FromOpConfig;
use super::args::{Args, to_type};
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, value_type};
use crate::types::ValueType;
use std::f64::consts::{LN_2, LN_10, PI};
use tfjs_ir::Value;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_manifest::{Error, Result};

/// A function of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Elementary {
    /// The function.
    pub kind: ElementaryKind,
    /// `nan`, `posinf`, `neginf`.
    pub params: Params,
}

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementaryKind {
    /// The logarithm to base 2.
    Log2,
    /// The logarithm to base 10.
    Log10,
    /// `2^x`
    Exp2,
    /// The cubic root.
    Cbrt,
    /// `sin(pi x) / (pi x)`
    Sinc,
    /// Rounds towards zero.
    Trunc,
    /// Converts degrees to radians.
    ToRadians,
    /// Converts radians to degrees.
    ToDegrees,
    /// `1 - erf(x)`
    Erfc,
    /// `1 / x`, or 0 for 0.
    ReciprocalNoNan,
    /// Whether each number is NaN.
    IsNan,
    /// Whether each number is infinite.
    IsInf,
    /// Whether each number is infinite and above 0.
    IsPosInf,
    /// Whether each number is infinite and below 0.
    IsNegInf,
    /// Whether each number is neither NaN nor infinite.
    IsFinite,
    /// Replaces NaN and infinities by numbers.
    NanToNum,
    /// Whether each number is below 0.
    SignBit,
    /// Inverts every bit of integers.
    InvertBits,
    /// The angle of a real number: 0, or pi below 0.
    Angle,
    /// The imaginary part of a real number: 0.
    Imaginary,
    /// Whether each number is real.
    IsReal,
    /// The positive parts, followed by the positive parts of the negated tensor, along an axis.
    Crelu,
}

impl FromOpConfig for Elementary {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use ElementaryKind as K;
        let kind = match class {
            "Log2" => K::Log2,
            "Log10" => K::Log10,
            "Exp2" => K::Exp2,
            "Cbrt" => K::Cbrt,
            "Sinc" => K::Sinc,
            "Trunc" => K::Trunc,
            "Deg2rad" => K::ToRadians,
            "Rad2deg" => K::ToDegrees,
            "Erfc" => K::Erfc,
            "ReciprocalNoNan" => K::ReciprocalNoNan,
            "Isnan" => K::IsNan,
            "Isinf" => K::IsInf,
            "Isposinf" => K::IsPosInf,
            "Isneginf" => K::IsNegInf,
            "Isfinite" => K::IsFinite,
            "NanToNum" => K::NanToNum,
            "Signbit" => K::SignBit,
            "BitwiseInvert" | "BitwiseNot" => K::InvertBits,
            "Angle" => K::Angle,
            "Imag" => K::Imaginary,
            "Isreal" => K::IsReal,
            "Crelu" => K::Crelu,
            other => return Err(Error::bug(format!("`{other}` is listed as an elementary function"))),
        };
        Ok(Elementary { kind, params: Params::read(config) })
    }
}

/// `x * factor`, for floating point.
fn scaled(cx: &mut LowerCx<'_>, x: Value, factor: f64) -> Result<Value> {
    cx.binary_scalar(BinaryOp::Mul, x, factor)
}

/// The values where the condition holds, otherwise a number.
pub(crate) fn where_or(cx: &mut LowerCx<'_>, condition: Value, x: Value, number: f64) -> Result<Value> {
    let number = cx.scalar_like(x, number)?;
    cx.select(condition, x, number)
}

/// Whether each number is infinite and compares to 0 as `side`.
fn infinite(cx: &mut LowerCx<'_>, x: Value, side: CompareOp) -> Result<Value> {
    let finite = cx.unary(UnaryOp::IsFinite, x)?;
    let infinite = cx.unary(UnaryOp::Not, finite)?;
    // NaN compares only as `!=`.
    let side = cx.compare_scalar(side, x, 0.0)?;
    cx.binary(BinaryOp::And, infinite, side)
}

/// Whether each number is infinite.
fn is_infinite(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let above = infinite(cx, x, CompareOp::Gt)?;
    let below = infinite(cx, x, CompareOp::Lt)?;
    cx.binary(BinaryOp::Or, above, below)
}

/// Rounds towards zero.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn truncated(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let below = cx.compare_scalar(CompareOp::Lt, x, 0.0)?;
    let up = cx.unary(UnaryOp::Ceil, x)?;
    let down = cx.unary(UnaryOp::Floor, x)?;
    cx.select(below, up, down)
}

impl Elementary {
    fn nan_to_num(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
        let nan = args.or(&["nan"], Some(1), 0.0)?;
        let above = args.or(&["posinf"], Some(2), f64::from(f32::MAX))?;
        let below = args.or(&["neginf"], Some(3), f64::from(f32::MIN))?;
        let mut y = x;
        for (side, number) in [(CompareOp::Gt, above), (CompareOp::Lt, below)] {
            let found = infinite(cx, x, side)?;
            let number = cx.scalar_like(x, number)?;
            y = cx.select(found, number, y)?;
        }
        let found = cx.unary(UnaryOp::IsNan, x)?;
        let number = cx.scalar_like(x, nan)?;
        cx.select(found, number, y)
    }

    /// The function for floating point.
    fn of_float(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
        use ElementaryKind as K;
        match self.kind {
            K::Log2 | K::Log10 => {
                let natural = cx.unary(UnaryOp::Log, x)?;
                scaled(cx, natural, 1.0 / if self.kind == K::Log2 { LN_2 } else { LN_10 })
            }
            K::Exp2 => {
                let two = cx.scalar_like(x, 2.0)?;
                cx.binary(BinaryOp::Pow, two, x)
            }
            K::Cbrt => {
                let size = cx.unary(UnaryOp::Abs, x)?;
                let root = cx.binary_scalar(BinaryOp::Pow, size, 1.0 / 3.0)?;
                let sign = cx.unary(UnaryOp::Sign, x)?;
                cx.mul(sign, root)
            }
            K::Sinc => {
                let zero = cx.compare_scalar(CompareOp::Eq, x, 0.0)?;
                let one = cx.scalar_like(x, 1.0)?;
                let angle = scaled(cx, x, PI)?;
                let sine = cx.unary(UnaryOp::Sin, angle)?;
                let divisor = cx.select(zero, one, angle)?;
                let ratio = cx.div(sine, divisor)?;
                cx.select(zero, one, ratio)
            }
            K::Trunc => truncated(cx, x),
            K::ToRadians => scaled(cx, x, PI / 180.0),
            K::ToDegrees => scaled(cx, x, 180.0 / PI),
            K::Erfc => {
                let erf = cx.unary(UnaryOp::Erf, x)?;
                let one = cx.scalar_like(x, 1.0)?;
                cx.sub(one, erf)
            }
            K::ReciprocalNoNan => {
                let zero = cx.compare_scalar(CompareOp::Eq, x, 0.0)?;
                let one = cx.scalar_like(x, 1.0)?;
                let divisor = cx.select(zero, one, x)?;
                let ratio = cx.div(one, divisor)?;
                let nothing = cx.scalar_like(x, 0.0)?;
                cx.select(zero, nothing, ratio)
            }
            K::IsNan => cx.unary(UnaryOp::IsNan, x),
            K::IsInf => is_infinite(cx, x),
            K::IsPosInf => infinite(cx, x, CompareOp::Gt),
            K::IsNegInf => infinite(cx, x, CompareOp::Lt),
            K::IsFinite => cx.unary(UnaryOp::IsFinite, x),
            K::NanToNum => Self::nan_to_num(cx, args, x),
            K::Angle => {
                let below = cx.compare_scalar(CompareOp::Lt, x, 0.0)?;
                let half = cx.scalar_like(x, PI)?;
                where_or(cx, below, half, 0.0)
            }
            K::Imaginary => scaled(cx, x, 0.0),
            K::Crelu => {
                let axis = cx.axis(args.or(&["axis"], Some(1), -1)?, x)?;
                let negated = cx.unary(UnaryOp::Neg, x)?;
                let both = cx.concat(&[x, negated], axis)?;
                if axis == 0 {
                    cx.mixes_batch();
                }
                cx.binary_scalar(BinaryOp::Max, both, 0.0)
            }
            K::SignBit | K::InvertBits | K::IsReal => Err(Error::bug(format!("{:?} is of any number", self.kind))),
        }
    }

    fn compute(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
        use ElementaryKind as K;
        let dims = cx.dims_of(x);
        match (self.kind, value_type(cx.ty(x).element)) {
            (K::SignBit, ValueType::Bool) => cx.full(tfjs_ir::ElementType::Bool, &dims, 0.0),
            (K::SignBit, _) => cx.compare_scalar(CompareOp::Lt, x, 0.0),
            (K::IsReal, _) => cx.full(tfjs_ir::ElementType::Bool, &dims, 1.0),
            (K::InvertBits, ValueType::Bool) => cx.unary(UnaryOp::Not, x),
            // In two's complement, `~x` is `-1 - x`.
            (K::InvertBits, ValueType::Int32 | ValueType::Int64) => {
                let all = cx.scalar_like(x, -1.0)?;
                cx.sub(all, x)
            }
            (K::InvertBits, _) => Err(Error::malformed("expected integers, found floating point")),
            (K::Imaginary, dtype @ (ValueType::Int32 | ValueType::Int64)) => {
                cx.full(crate::lower::element(dtype), &dims, 0.0)
            }
            (K::Trunc | K::NanToNum, ValueType::Int32 | ValueType::Int64) => {
                args.inert(&["nan", "posinf", "neginf"]);
                Ok(x)
            }
            _ => {
                let x = to_type(cx, x, ValueType::Float)?;
                self.of_float(cx, args, x)
            }
        }
    }
}

impl LayerDef for Elementary {
    fn takes_complex(&self) -> bool {
        matches!(self.kind, ElementaryKind::Angle | ElementaryKind::Imaginary)
    }

    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let input = args.numbers(cx, &["features"])?;
        let value = match (self.kind, input.imaginary) {
            (ElementaryKind::Imaginary, Some(imaginary)) => imaginary,
            (ElementaryKind::Angle, Some(imaginary)) => cx.binary(BinaryOp::Atan2, imaginary, input.value)?,
            _ => self.compute(cx, &args, input.value)?,
        };
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::json;

    #[test]
    fn types() {
        check("Log2", json!({}), json!(["i:?,3"]), json!({}), "float32[?,3]");
        check("Isnan", json!({}), json!(["f:?,3"]), json!({}), "bool[?,3]");
        check("BitwiseNot", json!({}), json!(["i:?,3"]), json!({}), "int32[?,3]");
        check("Crelu", json!({}), json!(["f:?,3"]), json!({"axis": -1}), "float32[?,6]");
        refused("BitwiseNot", json!(["f:?,3"]), "expected integers, found floating point");
    }
}
