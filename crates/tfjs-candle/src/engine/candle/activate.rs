//! Activation functions in candle's operations.

use super::error::Result;
use super::execute::Site;
use super::math::{at_least, at_most, clip, expm1, filled, in_single, log1p, select};
use super::typed::Typed;
use super::{Results, Rule, tensors};
use candle_core::Tensor;
use candle_nn::ops::sigmoid;
use tfjs_ir::prim::activate::{Activate, Activation};
use tfjs_ir::prim::recurrent::Gate;

impl Rule for Activate {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = tensors(operands)?;
        site.one(activate(self.function, x)?)
    }
}

/// Applies the activation of a gate, if it has one.
pub(super) fn gate(gate: Gate, x: &Tensor) -> candle_core::Result<Tensor> {
    match gate.0 {
        Some(function) => activate(function, x),
        None => Ok(x.clone()),
    }
}

/// Applies a function to each element.
fn activate(function: Activation, x: &Tensor) -> candle_core::Result<Tensor> {
    in_single(x, |x| formula(function, x))
}

/// The formula of each function. NaN stays NaN: comparisons with it are false, so the selections return `x`.
fn formula(function: Activation, x: &Tensor) -> candle_core::Result<Tensor> {
    match function {
        Activation::Relu { max, negative_slope, threshold } => relu(x, max, negative_slope, threshold),
        Activation::Elu { alpha } => elu(x, alpha),
        Activation::Selu {} => elu(x, 1.673_263_242_354_377_2)? * 1.050_700_987_355_480_5,
        Activation::Sigmoid {} => sigmoid(x),
        Activation::HardSigmoid { slope, offset } => clip(&x.affine(slope, offset)?, 0.0, 1.0),
        Activation::Tanh {} => x.tanh(),
        Activation::Softplus {} => softplus(x),
        Activation::Softsign {} => x / (x.abs()? + 1.0)?,
        Activation::Silu {} => x.silu(),
        Activation::HardSilu {} => (x * clip(&(x + 3.0)?, 0.0, 6.0)?)? / 6.0,
        Activation::Gelu {} => x.gelu_erf(),
        Activation::GeluTanh {} => x.gelu(),
        Activation::Mish {} => x * softplus(x)?.tanh()?,
        Activation::Exponential {} => x.exp(),
        Activation::Celu { alpha } => select(&x.gt(0.0)?, x, &(expm1(&(x / alpha)?)? * alpha)?),
        Activation::HardShrink { lambda } => select(&x.abs()?.le(lambda)?, &filled(x, 0.0)?, x),
        Activation::SoftShrink { lambda } => {
            let inner = select(&x.lt(-lambda)?, &(x + lambda)?, &(x * 0.0)?)?;
            select(&x.gt(lambda)?, &(x - lambda)?, &inner)
        }
        Activation::Clip { low, high } => clip(x, low, high),
        Activation::LogSigmoid {} => softplus(&x.neg()?)?.neg(),
        Activation::TanhShrink {} => x - x.tanh()?,
        Activation::SparsePlus {} => {
            let middle = ((x + 1.0)?.sqr()? * 0.25)?;
            let above = select(&x.lt(1.0)?, &middle, x)?;
            select(&x.le(-1.0)?, &filled(x, 0.0)?, &above)
        }
        Activation::Squareplus { b } => (x + (x.sqr()? + b)?.sqrt()?)? * 0.5,
        Activation::Threshold { threshold, value } => select(&x.le(threshold)?, &filled(x, value)?, x),
    }
}

/// `x >= max -> max; x <= threshold -> slope * (x - threshold); else x`.
fn relu(x: &Tensor, max: f64, slope: f64, threshold: f64) -> candle_core::Result<Tensor> {
    let raised = match (slope, threshold) {
        (0.0, 0.0) => at_least(x, 0.0)?,
        (0.0, _) => select(&x.le(threshold)?, &filled(x, 0.0)?, x)?,
        _ => select(&x.le(threshold)?, &x.affine(slope, -slope * threshold)?, x)?,
    };
    // A value from below the threshold may now exceed the maximum.
    let is_plain = slope == 0.0 && threshold == 0.0 && max >= 0.0;
    match max {
        f64::INFINITY => Ok(raised),
        max if is_plain => at_most(&raised, max),
        max => select(&x.ge(max)?, &filled(x, max)?, &raised),
    }
}

fn elu(x: &Tensor, alpha: f64) -> candle_core::Result<Tensor> {
    select(&x.gt(0.0)?, x, &(expm1(x)? * alpha)?)
}

/// `max(x, 0) + log(1 + exp(-|x|))`, which does not overflow and keeps small values precise.
fn softplus(x: &Tensor) -> candle_core::Result<Tensor> {
    let positive = at_least(x, 0.0)?;
    positive + log1p(&x.abs()?.neg()?.exp()?)?
}
