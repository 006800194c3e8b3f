//! Activation functions as arithmetic.

use super::{Expand, take};
use crate::build::Builder;
use crate::prim::activate::{Activate, Activation};
use crate::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use crate::program::Value;
use tfjs_manifest::Result;

impl Expand for Activate {
    fn expand(&self, b: &mut Builder, operands: &[Value]) -> Result<Vec<Value>> {
        let [x] = take(operands)?;
        Ok(vec![of(self.function, &mut Formula { b }, x)?])
    }
}

fn of(function: Activation, f: &mut Formula<'_>, x: Value) -> Result<Value> {
    match function {
        Activation::Relu { max, negative_slope, threshold } => {
            let y = if negative_slope == 0.0 && threshold == 0.0 {
                f.max(x, 0.0)?
            } else {
                let below = f.below(CompareOp::Le, x, threshold)?;
                let shifted = f.add(x, -threshold)?;
                let slope = if negative_slope == 0.0 { f.like(x, 0.0)? } else { f.times(shifted, negative_slope)? };
                f.b.select(below, slope, x)?
            };
            if max == f64::INFINITY {
                return Ok(y);
            }
            let above = f.below(CompareOp::Ge, x, max)?;
            let ceiling = f.like(x, max)?;
            f.b.select(above, ceiling, y)
        }
        Activation::Elu { alpha } => f.elu(x, alpha, 1.0),
        Activation::Selu {} => {
            let y = f.elu(x, 1.673_263_242_354_377_2, 1.0)?;
            f.times(y, 1.050_700_987_355_480_5)
        }
        Activation::Celu { alpha } => f.elu(x, alpha, alpha),
        Activation::Sigmoid {} => {
            let denominator = f.sigmoid_denominator(x)?;
            let one = f.like(x, 1.0)?;
            f.b.div(one, denominator)
        }
        Activation::Silu {} => {
            let denominator = f.sigmoid_denominator(x)?;
            f.b.div(x, denominator)
        }
        Activation::HardSigmoid { slope, offset } => {
            let y = f.times(x, slope)?;
            let y = f.add(y, offset)?;
            f.clip(y, 0.0, 1.0)
        }
        Activation::HardSilu {} => {
            let y = f.add(x, 3.0)?;
            let y = f.clip(y, 0.0, 6.0)?;
            let y = f.b.mul(x, y)?;
            f.over(y, 6.0)
        }
        Activation::Tanh {} => f.b.unary(UnaryOp::Tanh, x),
        Activation::Exponential {} => f.b.unary(UnaryOp::Exp, x),
        Activation::Softplus {} => f.softplus(x),
        Activation::LogSigmoid {} => {
            let y = f.log_of_one_and_exp(x)?;
            let least = f.min(x, 0.0)?;
            f.b.sub(least, y)
        }
        Activation::Mish {} => {
            let y = f.softplus(x)?;
            let y = f.b.unary(UnaryOp::Tanh, y)?;
            f.b.mul(x, y)
        }
        Activation::Softsign {} => {
            let y = f.b.unary(UnaryOp::Abs, x)?;
            let y = f.add(y, 1.0)?;
            f.b.div(x, y)
        }
        Activation::Gelu {} => {
            let y = f.over(x, std::f64::consts::SQRT_2)?;
            let y = f.b.unary(UnaryOp::Erf, y)?;
            f.half_of_one_and(x, y)
        }
        Activation::GeluTanh {} => {
            let square = f.b.mul(x, x)?;
            let y = f.b.mul(square, x)?;
            let y = f.times(y, 0.044_715)?;
            let y = f.b.add(x, y)?;
            let y = f.times(y, (2.0 / std::f64::consts::PI).sqrt())?;
            let y = f.b.unary(UnaryOp::Tanh, y)?;
            f.half_of_one_and(x, y)
        }
        Activation::HardShrink { lambda } => {
            let y = f.b.unary(UnaryOp::Abs, x)?;
            let small = f.below(CompareOp::Le, y, lambda)?;
            let zero = f.like(x, 0.0)?;
            f.b.select(small, zero, x)
        }
        Activation::SoftShrink { lambda } => {
            let (above, below) = (f.below(CompareOp::Gt, x, lambda)?, f.below(CompareOp::Lt, x, -lambda)?);
            let (less, more) = (f.add(x, -lambda)?, f.add(x, lambda)?);
            let zero = f.times(x, 0.0)?; // NaN stays NaN
            let y = f.b.select(below, more, zero)?;
            f.b.select(above, less, y)
        }
        Activation::Clip { low, high } => f.clip(x, low, high),
        Activation::TanhShrink {} => {
            let y = f.b.unary(UnaryOp::Tanh, x)?;
            f.b.sub(x, y)
        }
        Activation::SparsePlus {} => {
            let (low, middle) = (f.below(CompareOp::Le, x, -1.0)?, f.below(CompareOp::Lt, x, 1.0)?);
            let y = f.add(x, 1.0)?;
            let y = f.b.mul(y, y)?;
            let y = f.over(y, 4.0)?;
            let y = f.b.select(middle, y, x)?;
            let zero = f.like(x, 0.0)?;
            f.b.select(low, zero, y)
        }
        Activation::Squareplus { b: curvature } => {
            let y = f.b.mul(x, x)?;
            let y = f.add(y, curvature)?;
            let y = f.b.unary(UnaryOp::Sqrt, y)?;
            let y = f.b.add(x, y)?;
            f.over(y, 2.0)
        }
        Activation::Threshold { threshold, value } => {
            let low = f.below(CompareOp::Le, x, threshold)?;
            let value = f.like(x, value)?;
            f.b.select(low, value, x)
        }
    }
}

/// Arithmetic of values with numbers.
struct Formula<'a> {
    b: &'a mut Builder,
}

impl Formula<'_> {
    /// A constant of the element type of `x`.
    fn like(&mut self, x: Value, number: f64) -> Result<Value> {
        let element = self.b.ty(x).element;
        self.b.scalar(element, number)
    }

    fn add(&mut self, x: Value, number: f64) -> Result<Value> {
        if number == 0.0 { Ok(x) } else { self.b.binary_scalar(BinaryOp::Add, x, number) }
    }

    fn times(&mut self, x: Value, number: f64) -> Result<Value> {
        self.b.binary_scalar(BinaryOp::Mul, x, number)
    }

    fn over(&mut self, x: Value, number: f64) -> Result<Value> {
        self.b.binary_scalar(BinaryOp::Div, x, number)
    }

    fn max(&mut self, x: Value, number: f64) -> Result<Value> {
        self.b.binary_scalar(BinaryOp::Max, x, number)
    }

    fn min(&mut self, x: Value, number: f64) -> Result<Value> {
        self.b.binary_scalar(BinaryOp::Min, x, number)
    }

    fn clip(&mut self, x: Value, low: f64, high: f64) -> Result<Value> {
        let x = self.max(x, low)?;
        self.min(x, high)
    }

    fn below(&mut self, op: CompareOp, x: Value, number: f64) -> Result<Value> {
        self.b.compare_scalar(op, x, number)
    }

    /// `x > 0 -> x; else alpha (exp(x / scale) - 1)`.
    fn elu(&mut self, x: Value, alpha: f64, scale: f64) -> Result<Value> {
        let y = if scale == 1.0 { x } else { self.over(x, scale)? };
        let y = self.b.unary(UnaryOp::Expm1, y)?;
        let y = self.times(y, alpha)?;
        let positive = self.below(CompareOp::Gt, x, 0.0)?;
        self.b.select(positive, x, y)
    }

    /// `1 + exp(-x)`.
    fn sigmoid_denominator(&mut self, x: Value) -> Result<Value> {
        let y = self.b.unary(UnaryOp::Neg, x)?;
        let y = self.b.unary(UnaryOp::Exp, y)?;
        self.add(y, 1.0)
    }

    /// `log(1 + exp(-|x|))`.
    fn log_of_one_and_exp(&mut self, x: Value) -> Result<Value> {
        let y = self.b.unary(UnaryOp::Abs, x)?;
        let y = self.b.unary(UnaryOp::Neg, y)?;
        let y = self.b.unary(UnaryOp::Exp, y)?;
        self.b.unary(UnaryOp::Log1p, y)
    }

    /// `log(1 + exp(x))`, without overflow.
    fn softplus(&mut self, x: Value) -> Result<Value> {
        let y = self.log_of_one_and_exp(x)?;
        let positive = self.max(x, 0.0)?;
        self.b.add(positive, y)
    }

    /// `0.5 x (1 + y)`.
    fn half_of_one_and(&mut self, x: Value, y: Value) -> Result<Value> {
        let y = self.add(y, 1.0)?;
        let half = self.times(x, 0.5)?;
        self.b.mul(half, y)
    }
}
