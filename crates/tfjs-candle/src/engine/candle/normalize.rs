//! Softmax and normalizations.

use super::error::Result;
use super::execute::Site;
use super::math::{filled, larger, rsqrt};
use super::reduce::{mean, rows, sum, unrows, wide};
use super::typed::Typed;
use super::{Results, Rule, tensors};
use candle_core::Tensor;
use candle_nn::ops::softmax_last_dim;
use tfjs_ir::prim::normalize::{BatchNorm, Moments, Norm, Normalize, Softmax};
use tfjs_manifest::Error;

impl Rule for Softmax {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = tensors(operands)?;
        let rows = rows(&wide(x)?, &self.axes)?;
        let out = if self.log { log_softmax(&rows)? } else { softmax_last_dim(&rows)? };
        site.one(unrows(&out, x.dims(), &self.axes)?.to_dtype(x.dtype())?)
    }
}

fn log_softmax(rows: &Tensor) -> candle_core::Result<Tensor> {
    let shifted = rows.broadcast_sub(&rows.max_keepdim(1)?)?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(1)?.log()?)
}

impl Rule for Moments {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = tensors(operands)?;
        if x.elem_count() == 0 {
            return site.full(f64::NAN);
        }
        let (mean, variance) = moments(&wide(x)?, &self.axes)?;
        site.all([mean.to_dtype(x.dtype())?, variance.to_dtype(x.dtype())?])
    }
}

/// Mean and population variance over axes, which keep length 1.
fn moments(x: &Tensor, axes: &[usize]) -> candle_core::Result<(Tensor, Tensor)> {
    let average = mean(x, axes)?;
    let variance = mean(&x.broadcast_sub(&average)?.sqr()?, axes)?;
    Ok((average, variance))
}

impl Rule for Normalize {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let (x, parameters) = split(operands)?;
        let out = normalized(self, &wide(x)?)?;
        site.one(scale_and_shift(out, &parameters, self.scale, self.center)?.to_dtype(x.dtype())?)
    }
}

fn normalized(normalize: &Normalize, x: &Tensor) -> candle_core::Result<Tensor> {
    let Normalize { norm, axes, epsilon, .. } = normalize;
    match norm {
        Norm::Layer => {
            let (mean, variance) = moments(x, axes)?;
            x.broadcast_sub(&mean)?.broadcast_mul(&rsqrt(&(variance + *epsilon)?)?)
        }
        Norm::Deviation => {
            let (_, variance) = moments(x, axes)?;
            x.broadcast_mul(&rsqrt(&(variance + *epsilon)?)?)
        }
        Norm::Rms => x.broadcast_mul(&rsqrt(&(mean(&x.sqr()?, axes)? + *epsilon)?)?),
        Norm::L2 => {
            let squares = sum(&x.sqr()?, axes)?;
            x.broadcast_mul(&rsqrt(&larger(&squares, &filled(&squares, *epsilon)?)?)?)
        }
    }
}

impl Rule for BatchNorm {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let BatchNorm { epsilon, scale, center } = self;
        let (x, parameters) = split(operands)?;
        let [mean, variance, parameters @ ..] = &parameters[..] else {
            return Err(Error::bug("a normalization without statistics").into());
        };
        // Combine the small tensors first, into one factor for each channel.
        let mut factor = rsqrt(&(variance + *epsilon)?)?;
        let (gamma, rest) = parameters.split_at(usize::from(*scale).min(parameters.len()));
        for gamma in gamma {
            factor = factor.broadcast_mul(gamma)?;
        }
        let out = wide(x)?.broadcast_sub(mean)?.broadcast_mul(&factor)?;
        site.one(scale_and_shift(out, rest, false, *center)?.to_dtype(x.dtype())?)
    }
}

/// The value to normalize, and the parameters in the dtype of the computation.
fn split(operands: &[Typed]) -> Result<(&Tensor, Vec<Tensor>)> {
    let (x, parameters) = operands.split_first().ok_or_else(|| Error::bug("a normalization without operands"))?;
    let parameters = parameters.iter().map(|parameter| Ok(wide(parameter.tensor()?)?));
    Ok((x.tensor()?, parameters.collect::<Result<Vec<Tensor>>>()?))
}

/// Multiplies by gamma and adds beta, where they exist.
fn scale_and_shift(x: Tensor, parameters: &[Tensor], scale: bool, center: bool) -> candle_core::Result<Tensor> {
    let mut parameters = parameters.iter();
    let mut next = |wanted: bool| if wanted { parameters.next() } else { None };
    let scaled = match next(scale) {
        Some(gamma) => x.broadcast_mul(gamma)?,
        None => x,
    };
    match next(center) {
        Some(beta) => scaled.broadcast_add(beta),
        None => Ok(scaled),
    }
}
