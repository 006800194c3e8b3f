//! Functions of two tensors that are composed of others: angles, sums of exponentials, guarded quotients, bits.
//!
//! Reference: `keras.ops.numpy`, `tf.math`, `tf.bitwise`.

use super::FromOpConfig;
use super::args::{Args, is_integer, to_type};
use super::elementary::truncated;
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::types::ValueType;
use std::f64::consts::LN_2;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A function of two tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// The function.
    pub kind: PairKind,
    /// `equal_nan`.
    pub params: Params,
}

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairKind {
    /// The angle of the point `(b, a)`.
    Arctan2,
    /// `log(exp(a) + exp(b))`
    LogAddExp,
    /// `log2(2^a + 2^b)`
    LogAddExp2,
    /// `sqrt(a^2 + b^2)`
    Hypot,
    /// 0 if `a` is below 0, 1 if above, `b` if it is 0.
    Heaviside,
    /// The larger; if one is NaN, the other.
    FMax,
    /// The smaller; if one is NaN, the other.
    FMin,
    /// The remainder of a division that is truncated towards zero.
    FMod,
    /// `a / b`, or 0 if `b` is 0.
    DivideNoNan,
    /// `a * b`, or 0 if `b` is 0.
    MultiplyNoNan,
    /// `a * log(b)`, or 0 if `a` is 0.
    XLogY,
    /// `x log(1 + y)`, or 0 if `x` is 0.
    XLog1PY,
    /// The quotient; for integers, rounded down.
    OldDivide,
    /// The quotient, truncated towards 0.
    TruncateDivide,
    /// `a / b`, or 0 if `a` is 0.
    XDivY,
    /// `a * 2^b`
    LdExp,
    /// Whether they are equal within `atol + rtol |b|`.
    IsClose,
    /// Whether all pairs are close.
    AllClose,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// Shifts bits to the left.
    LeftShift,
    /// Shifts bits to the right; the sign is kept.
    RightShift,
    /// The cross entropy of labels and the sigmoid of logits.
    SigmoidCrossEntropy,
    /// The next number of single precision towards another.
    NextAfter,
    /// The next number of double precision towards another, which is the same number in single precision.
    NextAfterDouble,
}

impl FromOpConfig for Pair {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use PairKind as K;
        let kind = match class {
            "Arctan2" => K::Arctan2,
            "Logaddexp" => K::LogAddExp,
            "Logaddexp2" => K::LogAddExp2,
            "Hypot" => K::Hypot,
            "Heaviside" => K::Heaviside,
            "Fmax" => K::FMax,
            "Fmin" => K::FMin,
            "Fmod" => K::FMod,
            "DivideNoNan" => K::DivideNoNan,
            "MultiplyNoNan" => K::MultiplyNoNan,
            "Xlogy" => K::XLogY,
            "Xlog1py" => K::XLog1PY,
            "Div" => K::OldDivide,
            "TruncateDiv" => K::TruncateDivide,
            "Xdivy" => K::XDivY,
            "Ldexp" => K::LdExp,
            "Isclose" => K::IsClose,
            "AllClose" => K::AllClose,
            "BitwiseAnd" => K::And,
            "BitwiseOr" => K::Or,
            "BitwiseXor" => K::Xor,
            "BitwiseLeftShift" | "LeftShift" => K::LeftShift,
            "BitwiseRightShift" | "RightShift" => K::RightShift,
            "SigmoidCrossEntropy" => K::SigmoidCrossEntropy,
            "NextAfter" => K::NextAfter,
            "Nextafter" => K::NextAfterDouble,
            other => return Err(Error::bug(format!("`{other}` is listed as a function of two tensors"))),
        };
        Ok(Pair { kind, params: Params::read(config) })
    }
}

/// The value, or 0 if `other` is 0.
fn unless_zero(cx: &mut LowerCx<'_>, other: Value, value: Value) -> Result<Value> {
    let zero = cx.compare_scalar(CompareOp::Eq, other, 0.0)?;
    let nothing = cx.scalar_like(value, 0.0)?;
    cx.select(zero, nothing, value)
}

/// `a / b`, or a finite number if `b` is 0.
fn guarded_quotient(cx: &mut LowerCx<'_>, a: Value, b: Value) -> Result<Value> {
    let zero = cx.compare_scalar(CompareOp::Eq, b, 0.0)?;
    let one = cx.scalar_like(b, 1.0)?;
    let divisor = cx.select(zero, one, b)?;
    cx.div(a, divisor)
}

/// `max(a, b) + log(1 + exp(-|a - b|))`
fn log_add_exp(cx: &mut LowerCx<'_>, a: Value, b: Value) -> Result<Value> {
    let largest = cx.binary(BinaryOp::Max, a, b)?;
    let difference = cx.sub(a, b)?;
    let distance = cx.unary(UnaryOp::Abs, difference)?;
    let below = cx.unary(UnaryOp::Neg, distance)?;
    let ratio = cx.unary(UnaryOp::Exp, below)?;
    let more = cx.unary(UnaryOp::Log1p, ratio)?;
    cx.add(largest, more)
}

/// If one is NaN, the other; otherwise the larger or the smaller.
fn without_nan(cx: &mut LowerCx<'_>, op: BinaryOp, a: Value, b: Value) -> Result<Value> {
    if !cx.ty(a).element.is_float() {
        return cx.binary(op, a, b);
    }
    let chosen = cx.binary(op, a, b)?;
    let (a_nan, b_nan) = (cx.unary(UnaryOp::IsNan, a)?, cx.unary(UnaryOp::IsNan, b)?);
    let chosen = cx.select(b_nan, a, chosen)?;
    cx.select(a_nan, b, chosen)
}

/// `max(x, 0) - x * label + log(1 + exp(-|x|))`
pub(crate) fn sigmoid_cross_entropy(cx: &mut LowerCx<'_>, label: Value, x: Value) -> Result<Value> {
    let above = cx.binary_scalar(BinaryOp::Max, x, 0.0)?;
    let hit = cx.mul(x, label)?;
    let size = cx.unary(UnaryOp::Abs, x)?;
    let below = cx.unary(UnaryOp::Neg, size)?;
    let ratio = cx.unary(UnaryOp::Exp, below)?;
    let more = cx.unary(UnaryOp::Log1p, ratio)?;
    let missed = cx.sub(above, hit)?;
    cx.add(missed, more)
}

/// The next number of single precision after `a` towards `b`.
///
/// A little more than half of the distance to it is added, and the sum is rounded (Rump, Zimmermann, Boldo and Melquiond,
/// *Computing predecessor and successor in rounding to nearest*). Small numbers are scaled first.
fn next_after(cx: &mut LowerCx<'_>, a: Value, b: Value) -> Result<Value> {
    // Half of the distance from 1 to the next number, and the smallest number.
    let half = f64::from(f32::EPSILON) / 2.0;
    let least = f64::from(f32::from_bits(1));
    let (a, b) = (cx.cast(a, ElementType::F32)?, cx.cast(b, ElementType::F32)?);
    let (up, same) = (cx.compare(CompareOp::Gt, b, a)?, cx.compare(CompareOp::Eq, b, a)?);
    let moved = |cx: &mut LowerCx<'_>, x: Value| {
        let size = cx.unary(UnaryOp::Abs, x)?;
        let more = cx.binary_scalar(BinaryOp::Mul, size, half * (1.0 + 2.0 * half))?;
        let (above, below) = (cx.add(x, more)?, cx.sub(x, more)?);
        cx.select(up, above, below)
    };
    let large = moved(cx, a)?;
    let scaled = cx.binary_scalar(BinaryOp::Mul, a, 1.0 / half)?;
    let medium = moved(cx, scaled)?;
    let medium = cx.binary_scalar(BinaryOp::Mul, medium, half)?;
    let small = {
        let (above, below) = (cx.binary_scalar(BinaryOp::Add, a, least)?, cx.binary_scalar(BinaryOp::Sub, a, least)?);
        cx.select(up, above, below)?
    };
    let size = cx.unary(UnaryOp::Abs, a)?;
    let is_small = cx.compare_scalar(CompareOp::Lt, size, least / half)?;
    let is_medium = cx.compare_scalar(CompareOp::Lt, size, least / half / half)?;
    let value = cx.select(is_medium, medium, large)?;
    let value = cx.select(is_small, small, value)?;
    // From an infinity, the next number is the largest one.
    let infinite = cx.compare_scalar(CompareOp::Eq, size, f64::INFINITY)?;
    let sign = cx.unary(UnaryOp::Sign, a)?;
    let most = cx.binary_scalar(BinaryOp::Mul, sign, f64::from(f32::MAX))?;
    let value = cx.select(infinite, most, value)?;
    let value = cx.select(same, a, value)?;
    let lost = cx.unary(UnaryOp::IsNan, b)?;
    cx.select(lost, b, value)
}

impl Pair {
    /// The type in which the function is computed.
    fn computed_in(&self, dtype: ValueType) -> Result<ValueType> {
        use PairKind as K;
        let bits = matches!(self.kind, K::And | K::Or | K::Xor | K::LeftShift | K::RightShift);
        match (self.kind, dtype) {
            (K::And | K::Or | K::Xor, ValueType::Bool) => Ok(dtype),
            _ if bits && !is_integer(dtype) => Err(Error::malformed("expected integers, found other numbers")),
            _ if bits => Ok(dtype),
            (K::FMax | K::FMin | K::FMod | K::MultiplyNoNan | K::OldDivide | K::TruncateDivide, _)
                if is_integer(dtype) =>
            {
                Ok(dtype)
            }
            _ => Ok(ValueType::Float),
        }
    }

    fn is_close(cx: &mut LowerCx<'_>, args: &Args<'_>, a: Value, b: Value) -> Result<Value> {
        let (relative, absolute) = (args.or(&["rtol"], Some(2), 1e-5)?, args.or(&["atol"], Some(3), 1e-8)?);
        let difference = cx.sub(a, b)?;
        let distance = cx.unary(UnaryOp::Abs, difference)?;
        let size = cx.unary(UnaryOp::Abs, b)?;
        let size = cx.binary_scalar(BinaryOp::Mul, size, relative)?;
        let allowed = cx.binary_scalar(BinaryOp::Add, size, absolute)?;
        let near = cx.compare(CompareOp::Le, distance, allowed)?;
        let same = cx.compare(CompareOp::Eq, a, b)?;
        // With an infinite tolerance, everything would be close.
        let finite = cx.unary(UnaryOp::IsFinite, allowed)?;
        let near = cx.binary(BinaryOp::And, near, finite)?;
        let close = cx.binary(BinaryOp::Or, near, same)?;
        if !args.or(&["equal_nan"], None, false)? {
            return Ok(close);
        }
        let (a, b) = (cx.unary(UnaryOp::IsNan, a)?, cx.unary(UnaryOp::IsNan, b)?);
        let both = cx.binary(BinaryOp::And, a, b)?;
        cx.binary(BinaryOp::Or, close, both)
    }

    fn compute(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, a: Value, b: Value) -> Result<Value> {
        use PairKind as K;
        match self.kind {
            K::Arctan2 => cx.binary(BinaryOp::Atan2, a, b),
            K::LogAddExp => log_add_exp(cx, a, b),
            K::LogAddExp2 => {
                let a = cx.binary_scalar(BinaryOp::Mul, a, LN_2)?;
                let b = cx.binary_scalar(BinaryOp::Mul, b, LN_2)?;
                let natural = log_add_exp(cx, a, b)?;
                cx.binary_scalar(BinaryOp::Mul, natural, 1.0 / LN_2)
            }
            K::Hypot => {
                let (a, b) = (cx.mul(a, a)?, cx.mul(b, b)?);
                let sum = cx.add(a, b)?;
                cx.unary(UnaryOp::Sqrt, sum)
            }
            K::Heaviside => {
                let (below, above) =
                    (cx.compare_scalar(CompareOp::Lt, a, 0.0)?, cx.compare_scalar(CompareOp::Gt, a, 0.0)?);
                let (zero, one) = (cx.scalar_like(b, 0.0)?, cx.scalar_like(b, 1.0)?);
                let upper = cx.select(above, one, b)?;
                cx.select(below, zero, upper)
            }
            K::FMax => without_nan(cx, BinaryOp::Max, a, b),
            K::FMin => without_nan(cx, BinaryOp::Min, a, b),
            K::FMod => {
                let (size, by) = (cx.unary(UnaryOp::Abs, a)?, cx.unary(UnaryOp::Abs, b)?);
                let rest = cx.binary(BinaryOp::Mod, size, by)?;
                let sign = cx.unary(UnaryOp::Sign, a)?;
                cx.mul(sign, rest)
            }
            K::DivideNoNan => {
                let quotient = guarded_quotient(cx, a, b)?;
                unless_zero(cx, b, quotient)
            }
            K::MultiplyNoNan => {
                let product = cx.mul(a, b)?;
                unless_zero(cx, b, product)
            }
            K::OldDivide if cx.ty(a).element.is_float() => cx.div(a, b),
            K::OldDivide => cx.binary(BinaryOp::FloorDiv, a, b),
            K::TruncateDivide if cx.ty(a).element.is_float() => {
                let quotient = cx.div(a, b)?;
                truncated(cx, quotient)
            }
            K::TruncateDivide => {
                let (size, by) = (cx.unary(UnaryOp::Abs, a)?, cx.unary(UnaryOp::Abs, b)?);
                let quotient = cx.binary(BinaryOp::FloorDiv, size, by)?;
                let (sign, of) = (cx.unary(UnaryOp::Sign, a)?, cx.unary(UnaryOp::Sign, b)?);
                let sign = cx.mul(sign, of)?;
                cx.mul(sign, quotient)
            }
            K::XLog1PY => {
                let log = cx.unary(UnaryOp::Log1p, b)?;
                let product = cx.mul(a, log)?;
                unless_zero(cx, a, product)
            }
            K::XLogY => {
                let log = cx.unary(UnaryOp::Log, b)?;
                let product = cx.mul(a, log)?;
                unless_zero(cx, a, product)
            }
            K::XDivY => {
                let quotient = cx.div(a, b)?;
                unless_zero(cx, a, quotient)
            }
            K::LdExp => {
                let two = cx.scalar_like(a, 2.0)?;
                let whole = truncated(cx, b)?;
                let factor = cx.binary(BinaryOp::Pow, two, whole)?;
                cx.mul(a, factor)
            }
            K::IsClose => Self::is_close(cx, args, a, b),
            K::AllClose => {
                let close = Self::is_close(cx, args, a, b)?;
                let close = super::args::flat(cx, close)?;
                cx.reduce(ReduceOp::All, close, &[0], false)
            }
            K::And => cx.binary(BinaryOp::And, a, b),
            K::Or => cx.binary(BinaryOp::Or, a, b),
            K::Xor => cx.binary(BinaryOp::Xor, a, b),
            K::LeftShift | K::RightShift => {
                let two = cx.scalar_like(b, 2.0)?;
                let factor = cx.binary(BinaryOp::Pow, two, b)?;
                cx.binary(if self.kind == K::LeftShift { BinaryOp::Mul } else { BinaryOp::FloorDiv }, a, factor)
            }
            K::SigmoidCrossEntropy => sigmoid_cross_entropy(cx, a, b),
            K::NextAfter => next_after(cx, a, b),
            // Keras 3 converts both to double precision, and the result back.
            K::NextAfterDouble => {
                let lost = cx.unary(UnaryOp::IsNan, b)?;
                cx.select(lost, b, a)
            }
        }
    }
}

impl LayerDef for Pair {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let operands = match self.kind {
            // The arguments after the first two are numbers.
            PairKind::IsClose | PairKind::AllClose => args.operands(cx, 0..2)?,
            _ => args.operands(cx, 0..usize::MAX)?,
        };
        let dtype = self.computed_in(operands.dtype)?;
        let a = to_type(cx, operands.a.value, dtype)?;
        let b = to_type(cx, operands.b.value, dtype)?;
        let value = self.compute(cx, &args, a, b)?;
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
        check("Arctan2", json!({}), json!(["f:?,3", "f:3"]), json!({}), "float32[?,3]");
        check("Arctan2", json!({}), json!(["f:?,3"]), json!({"x": "f:?,3"}), "float32[?,3]");
        check("BitwiseLeftShift", json!({}), json!(["i:?,3", 2]), json!({}), "int32[?,3]");
        check("Isclose", json!({"equal_nan": false}), json!(["f:?,3", "f:?,3", 1e-5, 1e-8]), json!({}), "bool[?,3]");
        check("Hypot", json!({}), json!(["i:?,3", 1]), json!({}), "float32[?,3]");
    }

    #[test]
    fn refuses() {
        refused("BitwiseAnd", json!(["f:?,3", 1]), "expected integers, found other numbers");
        refused("Hypot", json!(["f:?,3"]), "expected two operands, found 1");
    }
}
