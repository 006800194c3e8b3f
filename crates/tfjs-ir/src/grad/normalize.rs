//! Gradients of softmax and of normalizations. Statistics are recomputed, not stored.

use super::elementwise::where_true;
use super::reduce::{mean, sum};
use super::rule::{Cx, Rule, count, sum_to};
use crate::build::Builder;
use crate::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use crate::prim::normalize::{BatchNorm, Moments, Norm, Normalize, Softmax};
use crate::program::Value;
use tfjs_manifest::Result;

impl Rule for Softmax {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let (dy, y) = (cx.dy()?, cx.result(0)?);
        let b = &mut *cx.builder;
        let dx = if self.log {
            // dy - softmax(x) sum(dy)
            let total = sum(b, dy, &self.axes)?;
            let softmax = b.unary(UnaryOp::Exp, y)?;
            let part = b.mul(softmax, total)?;
            b.sub(dy, part)?
        } else {
            // (dy - sum(dy y)) y
            let product = b.mul(dy, y)?;
            let total = sum(b, product, &self.axes)?;
            let rest = b.sub(dy, total)?;
            b.mul(rest, y)?
        };
        cx.give(0, dx)
    }
}

impl Rule for Normalize {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        let (gamma, beta) = (1, 1 + usize::from(self.scale));
        if self.center {
            cx.give_sum(beta, dy)?;
        }
        let needs_gamma = self.scale && cx.needs(gamma);
        if !cx.needs(0) && !needs_gamma {
            return Ok(());
        }
        let x = cx.operand(0)?;
        let parts = self.parts(cx.builder, x)?;
        if needs_gamma {
            let slope = cx.builder.mul(dy, parts.normal)?;
            cx.give_sum(gamma, slope)?;
        }
        if cx.needs(0) {
            let g = if self.scale {
                let gamma = cx.operand(gamma)?;
                cx.builder.mul(dy, gamma)?
            } else {
                dy
            };
            let dx = self.pull_x(cx.builder, x, &parts, g)?;
            cx.give(0, dx)?;
        }
        Ok(())
    }
}

/// The intermediate values of a normalization.
struct Parts {
    /// The value to be scaled: `x`, or `x - mean`.
    centered: Value,
    /// The reciprocal of the divisor.
    rate: Value,
    /// The result without gamma and beta.
    normal: Value,
    /// For L2, whether the sum is at least epsilon, so that the divisor depends on `x`.
    counts: Option<Value>,
}

impl Normalize {
    fn parts(&self, b: &mut Builder, x: Value) -> Result<Parts> {
        let centered = match self.norm {
            Norm::Layer | Norm::Deviation => {
                let mean = mean(b, x, &self.axes)?;
                b.sub(x, mean)?
            }
            Norm::Rms | Norm::L2 => x,
        };
        let square = b.mul(centered, centered)?;
        let (size, counts) = match self.norm {
            Norm::L2 => {
                let total = sum(b, square, &self.axes)?;
                let counts = b.compare_scalar(CompareOp::Ge, total, self.epsilon)?;
                (b.binary_scalar(BinaryOp::Max, total, self.epsilon)?, Some(counts))
            }
            _ => {
                let mean = mean(b, square, &self.axes)?;
                (b.binary_scalar(BinaryOp::Add, mean, self.epsilon)?, None)
            }
        };
        let rate = b.unary(UnaryOp::Rsqrt, size)?;
        let normal = b.mul(if self.norm == Norm::Layer { centered } else { x }, rate)?;
        Ok(Parts { centered, rate, normal, counts })
    }

    /// The adjoint of `x`, given the adjoint `g` of the result without gamma and beta.
    fn pull_x(&self, b: &mut Builder, x: Value, parts: &Parts, g: Value) -> Result<Value> {
        let Parts { centered, rate, normal, counts } = *parts;
        // The term of the divisor: centered * rate^3 * mean(g x), or the sum for L2.
        let product = b.mul(g, if self.norm == Norm::Layer { centered } else { x })?;
        let total = if self.norm == Norm::L2 { sum(b, product, &self.axes)? } else { mean(b, product, &self.axes)? };
        let square = b.mul(rate, rate)?;
        let mut strength = b.mul(total, square)?;
        if let Some(counts) = counts {
            strength = where_true(b, counts, strength)?;
        }
        let part = match self.norm {
            Norm::Deviation => {
                let scaled = b.mul(centered, rate)?;
                b.mul(scaled, strength)?
            }
            _ => b.mul(normal, strength)?,
        };
        let direct = match self.norm {
            Norm::Layer => {
                let mean = mean(b, g, &self.axes)?;
                b.sub(g, mean)?
            }
            _ => g,
        };
        let direct = b.mul(direct, rate)?;
        b.sub(direct, part)
    }
}

impl Rule for Moments {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let ty = cx.operand_type(0)?;
        let number = count(cx.builder, &ty.dims, &self.axes, &ty)?;
        if let Some(dmean) = cx.adjoint(0) {
            let share = cx.builder.div(dmean, number)?;
            let dx = cx.builder.broadcast_to(share, &ty.dims)?;
            cx.give(0, dx)?;
        }
        if let Some(dvariance) = cx.adjoint(1) {
            let (x, mean) = (cx.operand(0)?, cx.result(0)?);
            let b = &mut *cx.builder;
            let share = b.div(dvariance, number)?;
            let share = b.binary_scalar(BinaryOp::Mul, share, 2.0)?;
            let centered = b.sub(x, mean)?;
            let dx = b.mul(centered, share)?;
            cx.give(0, dx)?;
        }
        Ok(())
    }
}

impl Rule for BatchNorm {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        let (x, mean, variance, gamma, beta) = (0, 1, 2, 3, 3 + usize::from(self.scale));
        if self.center {
            cx.give_sum(beta, dy)?;
        }
        let needs_gamma = self.scale && cx.needs(gamma);
        if ![x, mean, variance].iter().any(|&i| cx.needs(i)) && !needs_gamma {
            return Ok(());
        }
        let spread = cx.operand(variance)?;
        let safe = cx.builder.binary_scalar(BinaryOp::Add, spread, self.epsilon)?;
        let rate = cx.builder.unary(UnaryOp::Rsqrt, safe)?;
        let centered = if needs_gamma || cx.needs(variance) {
            let (x, mean) = (cx.operand(x)?, cx.operand(mean)?);
            Some(cx.builder.sub(x, mean)?)
        } else {
            None
        };
        if let (true, Some(centered)) = (needs_gamma, centered) {
            let normal = cx.builder.mul(centered, rate)?;
            let slope = cx.builder.mul(dy, normal)?;
            cx.give_sum(gamma, slope)?;
        }
        let g = if self.scale {
            let gamma = cx.operand(gamma)?;
            cx.builder.mul(dy, gamma)?
        } else {
            dy
        };
        if cx.needs(x) || cx.needs(mean) {
            let dx = cx.builder.mul(g, rate)?;
            cx.give(x, dx)?;
            if cx.needs(mean) {
                let dims = cx.operand_type(mean)?.dims;
                let total = sum_to(cx.builder, dx, &dims)?;
                let down = cx.builder.unary(UnaryOp::Neg, total)?;
                cx.give(mean, down)?;
            }
        }
        if let (true, Some(centered)) = (cx.needs(variance), centered) {
            // -1/2 rate^3 sum(g (x - mean))
            let dims = cx.operand_type(variance)?.dims;
            let b = &mut *cx.builder;
            let product = b.mul(g, centered)?;
            let total = sum_to(b, product, &dims)?;
            let square = b.mul(rate, rate)?;
            let cube = b.mul(square, rate)?;
            let scaled = b.mul(total, cube)?;
            let adjoint = b.binary_scalar(BinaryOp::Mul, scaled, -0.5)?;
            cx.give(variance, adjoint)?;
        }
        Ok(())
    }
}
