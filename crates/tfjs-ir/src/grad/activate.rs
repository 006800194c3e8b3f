//! Gradients of activation functions: computed from the result if possible, else from the operand.
//!
//! At the kinks they are those of TensorFlow's functions that Keras calls: relu and relu6 are 0 at the kinks, clip passes
//! at its bounds.

use super::elementwise::{one_minus, one_minus_square, where_false, where_true};
use super::rule::{Cx, Rule};
use crate::build::Builder;
use crate::prim::activate::{Activate, Activation};
use crate::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use crate::program::Value;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI, FRAC_2_SQRT_PI, SQRT_2};
use tfjs_manifest::Result;

impl Rule for Activate {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        let dx = if is_known_by_result(self.function) {
            let y = cx.result(0)?;
            Slope { b: cx.builder, dy }.by_result(self.function, y)?
        } else {
            let x = cx.operand(0)?;
            Slope { b: cx.builder, dy }.by_operand(self.function, x)?
        };
        cx.give(0, dx)
    }
}

fn is_known_by_result(function: Activation) -> bool {
    match function {
        Activation::Relu { max, negative_slope, threshold } => {
            threshold == 0.0 && negative_slope >= 0.0 && (max == f64::INFINITY || Activation::RELU6 == function)
        }
        Activation::Elu { alpha } | Activation::Celu { alpha } => alpha > 0.0,
        Activation::Selu {} | Activation::Sigmoid {} | Activation::Tanh {} | Activation::Exponential {} => true,
        _ => false,
    }
}

/// Builds the adjoint of an activation's operand.
struct Slope<'a> {
    b: &'a mut Builder,
    /// The adjoint of the result.
    dy: Value,
}

impl Slope<'_> {
    fn by_result(mut self, function: Activation, y: Value) -> Result<Value> {
        match function {
            Activation::Relu { max, negative_slope, .. } => {
                let above = self.is(CompareOp::Gt, y, 0.0)?;
                let inside = match max {
                    f64::INFINITY => above,
                    _ => {
                        let below = self.is(CompareOp::Lt, y, max)?;
                        self.b.binary(BinaryOp::And, above, below)?
                    }
                };
                if negative_slope == 0.0 {
                    return where_true(self.b, inside, self.dy);
                }
                let leak = self.plain(BinaryOp::Mul, self.dy, negative_slope)?;
                self.b.select(above, self.dy, leak)
            }
            Activation::Elu { alpha } => self.exponential_below(y, CompareOp::Gt, (1.0, 1.0), alpha),
            Activation::Selu {} => {
                let scale = 1.050_700_987_355_480_5;
                self.exponential_below(y, CompareOp::Ge, (scale, 1.0), scale * 1.673_263_242_354_377_2)
            }
            Activation::Celu { alpha } => self.exponential_below(y, CompareOp::Gt, (1.0, 1.0 / alpha), 1.0),
            Activation::Sigmoid {} => {
                let rest = one_minus(self.b, y)?;
                let slope = self.b.mul(y, rest)?;
                self.times(slope)
            }
            Activation::Tanh {} => {
                let slope = one_minus_square(self.b, y)?;
                self.times(slope)
            }
            // Only the exponential function remains; no other gradient is known from its result.
            _ => self.times(y),
        }
    }

    /// `dy * up` where `y` compares to 0 as `above`; else `dy * (y * factor + offset)`.
    fn exponential_below(mut self, y: Value, above: CompareOp, (up, factor): (f64, f64), offset: f64) -> Result<Value> {
        let above = self.is(above, y, 0.0)?;
        let scaled = self.plain(BinaryOp::Mul, y, factor)?;
        let slope = self.plain(BinaryOp::Add, scaled, offset)?;
        let below = self.times(slope)?;
        let up = self.plain(BinaryOp::Mul, self.dy, up)?;
        self.b.select(above, up, below)
    }

    fn by_operand(mut self, function: Activation, x: Value) -> Result<Value> {
        match function {
            Activation::Relu { max, negative_slope, threshold } => {
                // The maximum is a clip, which passes gradients at its bound; only relu6 does not. The part below the
                // threshold is a relu of `-x`, whose gradient at the threshold is 0.
                let within = if max == 6.0 && threshold == 0.0 { CompareOp::Lt } else { CompareOp::Le };
                let within = self.is(within, x, max)?;
                let above = self.is(CompareOp::Gt, x, threshold)?;
                let inside = self.b.binary(BinaryOp::And, above, within)?;
                let up = where_true(self.b, inside, self.dy)?;
                if negative_slope == 0.0 {
                    return Ok(up);
                }
                let below = self.is(CompareOp::Lt, x, threshold)?;
                let leak = self.plain(BinaryOp::Mul, self.dy, negative_slope)?;
                self.b.select(below, leak, up)
            }
            Activation::Elu { alpha } => {
                let exp = self.b.unary(UnaryOp::Exp, x)?;
                self.exponential_of(x, exp, alpha)
            }
            Activation::Celu { alpha } => {
                let scaled = self.plain(BinaryOp::Div, x, alpha)?;
                let exp = self.b.unary(UnaryOp::Exp, scaled)?;
                self.exponential_of(x, exp, 1.0)
            }
            Activation::HardSigmoid { slope, offset } => {
                let scaled = self.plain(BinaryOp::Mul, x, slope)?;
                let line = self.plain(BinaryOp::Add, scaled, offset)?;
                // Keras 2 clips, which passes gradients at the bounds; Keras 3 calls relu6, or compares.
                let inside = if slope == 0.2 { self.between(line, 0.0, 1.0)? } else { self.inside(line, 0.0, 1.0)? };
                let up = self.plain(BinaryOp::Mul, self.dy, slope)?;
                where_true(self.b, inside, up)
            }
            Activation::Softplus {} => {
                let slope = self.sigmoid(x)?;
                self.times(slope)
            }
            Activation::LogSigmoid {} => {
                let negative = self.b.unary(UnaryOp::Neg, x)?;
                let slope = self.sigmoid(negative)?;
                self.times(slope)
            }
            Activation::Softsign {} => {
                let size = self.b.unary(UnaryOp::Abs, x)?;
                let more = self.plain(BinaryOp::Add, size, 1.0)?;
                let square = self.b.mul(more, more)?;
                self.b.div(self.dy, square)
            }
            Activation::Silu {} => {
                // s + x s (1 - s)
                let s = self.sigmoid(x)?;
                let rest = one_minus(self.b, s)?;
                let part = self.b.mul(x, rest)?;
                let part = self.plain(BinaryOp::Add, part, 1.0)?;
                let slope = self.b.mul(s, part)?;
                self.times(slope)
            }
            Activation::HardSilu {} => {
                // relu6(x + 3) / 6 + x relu6'(x + 3) / 6
                let more = self.plain(BinaryOp::Add, x, 3.0)?;
                let clipped = self.b.activate(Activation::Clip { low: 0.0, high: 6.0 }, more)?;
                let inside = self.inside(more, 0.0, 6.0)?;
                let product = where_true(self.b, inside, x)?;
                let sum = self.b.add(clipped, product)?;
                let slope = self.plain(BinaryOp::Div, sum, 6.0)?;
                self.times(slope)
            }
            Activation::Gelu {} => {
                // The normal distribution, and x times its density.
                let scaled = self.plain(BinaryOp::Mul, x, FRAC_1_SQRT_2)?;
                let erf = self.b.unary(UnaryOp::Erf, scaled)?;
                let more = self.plain(BinaryOp::Add, erf, 1.0)?;
                let share = self.plain(BinaryOp::Mul, more, 0.5)?;
                let square = self.b.mul(x, x)?;
                let exponent = self.plain(BinaryOp::Mul, square, -0.5)?;
                let bell = self.b.unary(UnaryOp::Exp, exponent)?;
                let density = self.plain(BinaryOp::Mul, bell, 0.5 * FRAC_2_SQRT_PI / SQRT_2)?;
                let part = self.b.mul(x, density)?;
                let slope = self.b.add(share, part)?;
                self.times(slope)
            }
            Activation::GeluTanh {} => self.gelu_tanh(x),
            Activation::Mish {} => {
                // t + x (1 - t^2) sigmoid(x) with t = tanh(softplus(x))
                let softplus = self.b.activate(Activation::Softplus {}, x)?;
                let t = self.b.unary(UnaryOp::Tanh, softplus)?;
                let rest = one_minus_square(self.b, t)?;
                let s = self.sigmoid(x)?;
                let part = self.b.mul(x, rest)?;
                let part = self.b.mul(part, s)?;
                let slope = self.b.add(t, part)?;
                self.times(slope)
            }
            Activation::HardShrink { lambda } => {
                let size = self.b.unary(UnaryOp::Abs, x)?;
                let inside = self.is(CompareOp::Le, size, lambda)?;
                where_false(self.b, inside, self.dy)
            }
            Activation::SoftShrink { lambda } => {
                let inside = self.between(x, -lambda, lambda)?;
                where_false(self.b, inside, self.dy)
            }
            Activation::Clip { low, high } => {
                let inside = self.between(x, low, high)?;
                where_true(self.b, inside, self.dy)
            }
            Activation::TanhShrink {} => {
                let t = self.b.unary(UnaryOp::Tanh, x)?;
                let slope = self.b.mul(t, t)?;
                self.times(slope)
            }
            Activation::SparsePlus {} => {
                let more = self.plain(BinaryOp::Add, x, 1.0)?;
                let half = self.plain(BinaryOp::Mul, more, 0.5)?;
                let slope = self.b.activate(Activation::Clip { low: 0.0, high: 1.0 }, half)?;
                self.times(slope)
            }
            Activation::Squareplus { b } => {
                // (1 + x / sqrt(x^2 + b)) / 2
                let square = self.b.mul(x, x)?;
                let more = self.plain(BinaryOp::Add, square, b)?;
                let root = self.b.unary(UnaryOp::Sqrt, more)?;
                let part = self.b.div(x, root)?;
                let part = self.plain(BinaryOp::Add, part, 1.0)?;
                let slope = self.plain(BinaryOp::Mul, part, 0.5)?;
                self.times(slope)
            }
            Activation::Threshold { threshold, .. } => {
                let above = self.is(CompareOp::Gt, x, threshold)?;
                where_true(self.b, above, self.dy)
            }
            Activation::Selu {} | Activation::Sigmoid {} | Activation::Tanh {} | Activation::Exponential {} => {
                let y = self.b.activate(function, x)?;
                self.by_result(function, y)
            }
        }
    }

    /// `x > 0 ? dy : dy * exp * scale`.
    fn exponential_of(mut self, x: Value, exp: Value, scale: f64) -> Result<Value> {
        let above = self.is(CompareOp::Gt, x, 0.0)?;
        let slope = self.plain(BinaryOp::Mul, exp, scale)?;
        let below = self.times(slope)?;
        self.b.select(above, self.dy, below)
    }

    /// With `u = sqrt(2 / pi) (x + 0.044715 x^3)` and `t = tanh(u)`: `(1 + t) / 2 + x (1 - t^2) u' / 2`.
    fn gelu_tanh(mut self, x: Value) -> Result<Value> {
        let (outer, inner) = (FRAC_2_PI.sqrt(), 0.044_715);
        let square = self.b.mul(x, x)?;
        let cubic = self.plain(BinaryOp::Mul, square, inner)?;
        let cubic = self.plain(BinaryOp::Add, cubic, 1.0)?;
        let u = self.b.mul(x, cubic)?;
        let u = self.plain(BinaryOp::Mul, u, outer)?;
        let t = self.b.unary(UnaryOp::Tanh, u)?;
        let du = self.plain(BinaryOp::Mul, square, 3.0 * inner)?;
        let du = self.plain(BinaryOp::Add, du, 1.0)?;
        let du = self.plain(BinaryOp::Mul, du, outer)?;
        let rest = one_minus_square(self.b, t)?;
        let part = self.b.mul(x, rest)?;
        let part = self.b.mul(part, du)?;
        let more = self.plain(BinaryOp::Add, t, 1.0)?;
        let sum = self.b.add(more, part)?;
        let slope = self.plain(BinaryOp::Mul, sum, 0.5)?;
        self.times(slope)
    }

    fn sigmoid(&mut self, x: Value) -> Result<Value> {
        self.b.activate(Activation::Sigmoid {}, x)
    }

    /// `dy * slope`.
    fn times(&mut self, slope: Value) -> Result<Value> {
        self.b.mul(self.dy, slope)
    }

    /// Applies an operation to a value and a number.
    fn plain(&mut self, op: BinaryOp, x: Value, number: f64) -> Result<Value> {
        self.b.binary_scalar(op, x, number)
    }

    fn is(&mut self, op: CompareOp, x: Value, number: f64) -> Result<Value> {
        self.b.compare_scalar(op, x, number)
    }

    /// Whether `low < x < high`.
    fn inside(&mut self, x: Value, low: f64, high: f64) -> Result<Value> {
        let (above, below) = (self.is(CompareOp::Gt, x, low)?, self.is(CompareOp::Lt, x, high)?);
        self.b.binary(BinaryOp::And, above, below)
    }

    /// Whether `low <= x <= high`.
    fn between(&mut self, x: Value, low: f64, high: f64) -> Result<Value> {
        let (above, below) = (self.is(CompareOp::Ge, x, low)?, self.is(CompareOp::Le, x, high)?);
        self.b.binary(BinaryOp::And, above, below)
    }
}
