//! Activation functions in differentiable candle operations.

use crate::extremes::largest;
use crate::run::OrBug;
use candle_core::{D, DType, Tensor};
use tfjs_manifest::{Error, Result};
use tfjs_topology::activation::Activation;

/// Applies an activation to floating-point values.
///
/// # Errors
/// [`Kind::Bug`](tfjs_manifest::Kind::Bug) if candle refuses.
pub fn activate(activation: Activation, x: &Tensor) -> Result<Tensor> {
    // Of nothing there is nothing to compute, and candle refuses some of it. Only GLU changes the shape.
    if x.elem_count() == 0 && activation != Activation::Glu {
        return Ok(x.clone());
    }
    apply(activation, x).or_bug()?.ok_or_else(|| Error::bug(format!("no running half for {activation:?}")))
}

/// The same of any numbers: integers stay such only if the function keeps them.
///
/// # Errors
/// As [`activate`].
pub fn activate_any(activation: Activation, x: &Tensor) -> Result<Tensor> {
    if activation.keeps_integers() { activate(activation, x) } else { activate(activation, &to_float(x)?) }
}

fn apply(activation: Activation, x: &Tensor) -> candle_core::Result<Option<Tensor>> {
    Ok(Some(match activation {
        Activation::Linear => x.clone(),
        Activation::Relu { max, negative_slope, threshold } => relu(x, max, negative_slope.into(), threshold.into())?,
        Activation::Elu { alpha } => elu(x, alpha.into())?,
        Activation::Selu => (elu(x, 1.673_263_242_354_377_2)? * 1.050_700_987_355_480_5)?,
        Activation::Sigmoid => sigmoid(x)?,
        Activation::HardSigmoidClip => ((x * 0.2)? + 0.5)?.clamp(0.0, 1.0)?,
        Activation::HardSigmoidRelu6 => hard_sigmoid_relu6(x)?,
        Activation::Tanh => x.tanh()?,
        Activation::Softplus => softplus(x)?,
        Activation::Softsign => (x / (x.abs()? + 1.0)?)?,
        Activation::Softmax => softmax(x, x.rank().saturating_sub(1))?,
        Activation::LogSoftmax => log_softmax(x)?,
        Activation::Silu => (x * sigmoid(x)?)?,
        Activation::HardSilu => (x * hard_sigmoid_relu6(x)?)?,
        Activation::Gelu => x.gelu_erf()?,
        Activation::GeluTanh => {
            let inner = ((x + (x.powf(3.0)? * 0.044_715)?)? * (2.0 / std::f64::consts::PI).sqrt())?;
            ((x * 0.5)? * (inner.tanh()? + 1.0)?)?
        }
        Activation::Mish => (x * softplus(x)?.tanh()?)?,
        Activation::Exponential => x.exp()?,
        Activation::Celu { alpha } => {
            let a = f64::from(alpha);
            (x.relu()? + (expm1(&(x.minimum(&x.zeros_like()?)? / a)?)? * a)?)?
        }
        Activation::HardShrink { lambda } => select(&x.abs()?.gt(lambda)?, x, &x.zeros_like()?)?,
        Activation::SoftShrink { lambda } => {
            let above = (x - f64::from(lambda))?.relu()?;
            let below = (x + f64::from(lambda))?.minimum(&x.zeros_like()?)?;
            (above + below)?
        }
        Activation::HardTanh => x.clamp(-1.0, 1.0)?,
        Activation::LogSigmoid => softplus(&x.neg()?)?.neg()?,
        Activation::TanhShrink => (x - x.tanh()?)?,
        Activation::SparsePlus => {
            let middle = ((x + 1.0)?.sqr()? * 0.25)?;
            let inner = select(&x.le(-1.0)?, &x.zeros_like()?, &middle)?;
            select(&x.lt(1.0)?, &inner, x)?
        }
        Activation::SparseSigmoid => ((x + 1.0)? * 0.5)?.clamp(0.0, 1.0)?,
        Activation::Squareplus { b } => ((x + (x.sqr()? + f64::from(b))?.sqrt()?)? * 0.5)?,
        Activation::Sparsemax => sparsemax(x)?,
        Activation::Glu => {
            let halves = x.chunk(2, D::Minus1)?;
            match &halves[..] {
                [a, b] => (a * sigmoid(b)?)?,
                _ => x.clone(),
            }
        }
        Activation::Threshold { threshold, value } => {
            select(&x.gt(threshold)?, x, &(x.zeros_like()? + f64::from(value))?)?
        }
        _ => return Ok(None),
    }))
}

fn select(condition: &Tensor, yes: &Tensor, no: &Tensor) -> candle_core::Result<Tensor> {
    condition.where_cond(yes, no)
}

/// `x >= max -> max; threshold <= x < max -> x; else slope * (x - threshold)`.
fn relu(x: &Tensor, max: Option<f32>, slope: f64, threshold: f64) -> candle_core::Result<Tensor> {
    let below = if slope == 0.0 { x.zeros_like()? } else { ((x - threshold)? * slope)? };
    // Strictly below, so that a NaN stays one.
    let out = select(&x.lt(threshold)?, &below, x)?;
    match max {
        Some(max) => select(&x.ge(max)?, &(x.zeros_like()? + f64::from(max))?, &out),
        None => Ok(out),
    }
}

fn sigmoid(x: &Tensor) -> candle_core::Result<Tensor> {
    ((x.neg()?.exp()? + 1.0)?).recip()
}

fn hard_sigmoid_relu6(x: &Tensor) -> candle_core::Result<Tensor> {
    (x + 3.0)?.clamp(0.0, 6.0)? / 6.0
}

/// `max(x, 0) + log(1 + exp(-|x|))`, which neither overflows nor loses small values.
fn softplus(x: &Tensor) -> candle_core::Result<Tensor> {
    x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?
}

/// `exp(x) - 1 = tanh(x / 2) (exp(x) + 1)`, exact near zero.
fn expm1(x: &Tensor) -> candle_core::Result<Tensor> {
    (x / 2.0)?.tanh()? * (x.exp()? + 1.0)?
}

fn elu(x: &Tensor, alpha: f64) -> candle_core::Result<Tensor> {
    let negative = (expm1(&x.minimum(&x.zeros_like()?)?)? * alpha)?;
    select(&x.gt(0.0)?, x, &negative)
}

/// Softmax over an axis.
///
/// # Errors
/// What candle refuses.
pub fn softmax(x: &Tensor, axis: usize) -> candle_core::Result<Tensor> {
    let exp = x.broadcast_sub(&largest(x, axis)?)?.exp()?;
    exp.broadcast_div(&exp.sum_keepdim(axis)?)
}

fn log_softmax(x: &Tensor) -> candle_core::Result<Tensor> {
    let shifted = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

/// Martins and Astudillo, "From Softmax to Sparsemax", algorithm 1, over the last axis, as Keras computes it.
///
/// Its threshold takes the sum of the running sums where the paper has the last of them, so that the outputs
/// add up to one only where a single element stays above zero. A model was trained with that.
fn sparsemax(x: &Tensor) -> candle_core::Result<Tensor> {
    let (sorted, _) = x.contiguous()?.sort_last_dim(false)?;
    let size = x.dim(D::Minus1)? as u32;
    let ranks = Tensor::arange(1, size + 1, x.device())?.to_dtype(x.dtype())?;
    let sums = sorted.cumsum(D::Minus1)?;
    // The elements that stay above zero come first.
    let stays = (sorted.broadcast_mul(&ranks)? + 1.0)?.gt(&sums)?.to_dtype(x.dtype())?;
    let count = stays.sum_keepdim(D::Minus1)?;
    let total = (stays * sums)?.sum_keepdim(D::Minus1)?;
    x.broadcast_sub(&((total - 1.0)? / count)?)?.relu()
}

/// Integers and truth values as floating point, where a layer computes with them.
///
/// # Errors
/// What candle refuses.
pub fn to_float(x: &Tensor) -> Result<Tensor> {
    if x.dtype().is_float() { Ok(x.clone()) } else { x.to_dtype(DType::F32).or_bug() }
}
