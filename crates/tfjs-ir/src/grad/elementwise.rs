//! Gradients of elementwise functions. The adjoint of a broadcast operand is summed over the repeated axes.

use super::rule::{Cx, Rule, no_gradient};
use crate::build::Builder;
use crate::prim::elementwise::{Binary, BinaryOp, Cast, Compare, CompareOp, Select, Unary, UnaryOp};
use crate::program::Value;
use tfjs_manifest::{Error, Result};

no_gradient! {
    Compare: "truth values have no gradient";
}

impl Rule for Unary {
    fn passes(&self) -> bool {
        use UnaryOp::{Ceil, Floor, IsFinite, IsNan, Not, RoundEven, Sign};
        !matches!(self.op, Sign | Floor | Ceil | RoundEven | Not | IsNan | IsFinite)
    }

    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        let dx = match self.op {
            UnaryOp::Neg => cx.builder.unary(UnaryOp::Neg, dy)?,
            UnaryOp::Exp | UnaryOp::Expm1 | UnaryOp::Sqrt | UnaryOp::Rsqrt | UnaryOp::Tan | UnaryOp::Tanh => {
                let y = cx.result(0)?;
                from_result(cx.builder, self.op, y, dy)?
            }
            UnaryOp::Asinh | UnaryOp::Acosh => {
                let y = cx.result(0)?;
                let slope = if self.op == UnaryOp::Asinh { UnaryOp::Cosh } else { UnaryOp::Sinh };
                let slope = cx.builder.unary(slope, y)?;
                cx.builder.div(dy, slope)?
            }
            _ => {
                let x = cx.operand(0)?;
                from_operand(cx.builder, self.op, x, dy)?
            }
        };
        cx.give(0, dx)
    }
}

/// The adjoint of the operand of a function whose derivative is computed from its result.
fn from_result(b: &mut Builder, op: UnaryOp, y: Value, dy: Value) -> Result<Value> {
    match op {
        UnaryOp::Exp => b.mul(dy, y),
        UnaryOp::Expm1 => {
            let slope = b.binary_scalar(BinaryOp::Add, y, 1.0)?;
            b.mul(dy, slope)
        }
        UnaryOp::Sqrt => {
            // As in TensorFlow, an adjoint of 0 stays 0, even where the derivative is infinite.
            let half = b.binary_scalar(BinaryOp::Mul, dy, 0.5)?;
            let none = b.compare_scalar(CompareOp::Eq, dy, 0.0)?;
            let quotient = b.div(half, y)?;
            where_false(b, none, quotient)
        }
        UnaryOp::Rsqrt => {
            let square = b.mul(y, y)?;
            let cube = b.mul(square, y)?;
            let slope = b.binary_scalar(BinaryOp::Mul, cube, -0.5)?;
            b.mul(dy, slope)
        }
        UnaryOp::Tan => {
            let square = b.mul(y, y)?;
            let slope = b.binary_scalar(BinaryOp::Add, square, 1.0)?;
            b.mul(dy, slope)
        }
        UnaryOp::Tanh => {
            let slope = one_minus_square(b, y)?;
            b.mul(dy, slope)
        }
        _ => Err(no_rule(op)),
    }
}

/// The adjoint of the operand of a function whose derivative is computed from its operand.
fn from_operand(b: &mut Builder, op: UnaryOp, x: Value, dy: Value) -> Result<Value> {
    match op {
        UnaryOp::Abs => slope(b, UnaryOp::Sign, x, dy),
        UnaryOp::Sin => slope(b, UnaryOp::Cos, x, dy),
        UnaryOp::Sinh => slope(b, UnaryOp::Cosh, x, dy),
        UnaryOp::Cosh => slope(b, UnaryOp::Sinh, x, dy),
        UnaryOp::Cos => {
            let down = slope(b, UnaryOp::Sin, x, dy)?;
            b.unary(UnaryOp::Neg, down)
        }
        UnaryOp::Log => b.div(dy, x),
        UnaryOp::Log1p => {
            let more = b.binary_scalar(BinaryOp::Add, x, 1.0)?;
            b.div(dy, more)
        }
        UnaryOp::Asin | UnaryOp::Acos => {
            let square = one_minus_square(b, x)?;
            let root = b.unary(UnaryOp::Sqrt, square)?;
            let up = b.div(dy, root)?;
            if op == UnaryOp::Asin { Ok(up) } else { b.unary(UnaryOp::Neg, up) }
        }
        UnaryOp::Atan => {
            let square = b.mul(x, x)?;
            let more = b.binary_scalar(BinaryOp::Add, square, 1.0)?;
            b.div(dy, more)
        }
        UnaryOp::Atanh => {
            let less = one_minus_square(b, x)?;
            b.div(dy, less)
        }
        UnaryOp::Erf => {
            let square = b.mul(x, x)?;
            let negative = b.unary(UnaryOp::Neg, square)?;
            let bell = b.unary(UnaryOp::Exp, negative)?;
            let slope = b.binary_scalar(BinaryOp::Mul, bell, std::f64::consts::FRAC_2_SQRT_PI)?;
            b.mul(dy, slope)
        }
        _ => Err(no_rule(op)),
    }
}

/// `dy * f(x)`.
fn slope(b: &mut Builder, f: UnaryOp, x: Value, dy: Value) -> Result<Value> {
    let slope = b.unary(f, x)?;
    b.mul(dy, slope)
}

/// `1 - x`.
pub(super) fn one_minus(b: &mut Builder, x: Value) -> Result<Value> {
    let one = b.scalar(b.ty(x).element, 1.0)?;
    b.sub(one, x)
}

/// `1 - x^2`.
pub(super) fn one_minus_square(b: &mut Builder, x: Value) -> Result<Value> {
    let square = b.mul(x, x)?;
    one_minus(b, square)
}

fn no_rule(op: UnaryOp) -> Error {
    Error::bug(format!("`{}` has no gradient rule", op.name()))
}

/// `condition ? dy : 0`.
pub(super) fn where_true(b: &mut Builder, condition: Value, dy: Value) -> Result<Value> {
    let zero = b.scalar(b.ty(dy).element, 0.0)?;
    b.select(condition, dy, zero)
}

/// `condition ? 0 : dy`.
pub(super) fn where_false(b: &mut Builder, condition: Value, dy: Value) -> Result<Value> {
    let zero = b.scalar(b.ty(dy).element, 0.0)?;
    b.select(condition, zero, dy)
}

impl Rule for Binary {
    fn passes(&self) -> bool {
        !matches!(self.op, BinaryOp::FloorDiv | BinaryOp::And | BinaryOp::Or | BinaryOp::Xor)
    }

    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        for side in [0, 1] {
            if cx.needs(side) {
                let adjoint = self.adjoint(cx, side)?;
                cx.give_sum(side, adjoint)?;
            }
        }
        Ok(())
    }
}

impl Binary {
    /// The adjoint of one operand, in the shape of the result.
    fn adjoint(&self, cx: &mut Cx<'_>, side: usize) -> Result<Value> {
        let dy = cx.dy()?;
        match (self.op, side) {
            (BinaryOp::Add, _) | (BinaryOp::Sub | BinaryOp::Mod, 0) => Ok(dy),
            (BinaryOp::Sub, _) => cx.builder.unary(UnaryOp::Neg, dy),
            (BinaryOp::Mul, _) => {
                let other = cx.operand(1 - side)?;
                cx.builder.mul(dy, other)
            }
            (BinaryOp::Div, 0) => {
                let divisor = cx.operand(1)?;
                cx.builder.div(dy, divisor)
            }
            (BinaryOp::Div, _) => {
                let (y, divisor) = (cx.result(0)?, cx.operand(1)?);
                let quotient = cx.builder.div(y, divisor)?;
                let down = cx.builder.mul(dy, quotient)?;
                cx.builder.unary(UnaryOp::Neg, down)
            }
            (BinaryOp::Mod, _) => {
                let (a, b) = (cx.operand(0)?, cx.operand(1)?);
                let whole = cx.builder.binary(BinaryOp::FloorDiv, a, b)?;
                let down = cx.builder.mul(dy, whole)?;
                cx.builder.unary(UnaryOp::Neg, down)
            }
            (BinaryOp::Pow, 0) => {
                let (a, b) = (cx.operand(0)?, cx.operand(1)?);
                let less = cx.builder.binary_scalar(BinaryOp::Sub, b, 1.0)?;
                let power = cx.builder.binary(BinaryOp::Pow, a, less)?;
                let scaled = cx.builder.mul(dy, b)?;
                cx.builder.mul(scaled, power)
            }
            (BinaryOp::Pow, _) => {
                let (a, y) = (cx.operand(0)?, cx.result(0)?);
                let log = safe_log(cx.builder, a)?;
                let scaled = cx.builder.mul(dy, y)?;
                cx.builder.mul(scaled, log)
            }
            (BinaryOp::Max | BinaryOp::Min, _) => {
                let (a, b) = (cx.operand(0)?, cx.operand(1)?);
                let op = if self.op == BinaryOp::Max { CompareOp::Ge } else { CompareOp::Le };
                let first = cx.builder.compare(op, a, b)?;
                if side == 0 { where_true(cx.builder, first, dy) } else { where_false(cx.builder, first, dy) }
            }
            (BinaryOp::Atan2, _) => {
                let (a, b) = (cx.operand(0)?, cx.operand(1)?);
                let (aa, bb) = (cx.builder.mul(a, a)?, cx.builder.mul(b, b)?);
                let square = cx.builder.add(aa, bb)?;
                let scaled = cx.builder.div(dy, square)?;
                let adjoint = cx.builder.mul(scaled, if side == 0 { b } else { a })?;
                if side == 0 { Ok(adjoint) } else { cx.builder.unary(UnaryOp::Neg, adjoint) }
            }
            (BinaryOp::FloorDiv | BinaryOp::And | BinaryOp::Or | BinaryOp::Xor, _) => {
                Err(Error::bug(format!("`{}` has no gradient rule", self.op.name())))
            }
        }
    }
}

/// `x > 0 ? log(x) : 0`.
fn safe_log(b: &mut Builder, x: Value) -> Result<Value> {
    let positive = b.compare_scalar(CompareOp::Gt, x, 0.0)?;
    let one = b.scalar(b.ty(x).element, 1.0)?;
    let safe = b.select(positive, x, one)?;
    b.unary(UnaryOp::Log, safe)
}

impl Rule for Select {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        let condition = cx.operand(0)?;
        if cx.needs(1) {
            let adjoint = where_true(cx.builder, condition, dy)?;
            cx.give_sum(1, adjoint)?;
        }
        if cx.needs(2) {
            let adjoint = where_false(cx.builder, condition, dy)?;
            cx.give_sum(2, adjoint)?;
        }
        Ok(())
    }
}

impl Rule for Cast {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        let element = cx.operand_type(0)?.element;
        let dx = cx.builder.cast(dy, element)?;
        cx.give(0, dx)
    }
}
