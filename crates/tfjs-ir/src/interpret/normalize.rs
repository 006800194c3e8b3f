//! Rules of softmax and normalizations.

use super::elementwise::larger;
use super::offsets::{Offsets, broadcast_shapes, without_axes};
use super::{Evaluator, Rule, misfit, take, undefined};
use crate::array::{Array, Data};
use crate::prim::normalize::{BatchNorm, Moments, Norm, Normalize, Softmax};
use tfjs_manifest::Result;

impl Rule for Softmax {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x] = take(operands)?;
        let groups = Groups::new(cx, x, &self.axes, "softmax")?;
        let largest = groups.fold(cx, f64::NEG_INFINITY, |largest, x, _| larger(largest, x))?;
        let sums = groups.fold(cx, 0.0, |sum, x, group| sum + (x - largest[group]).exp())?;
        let values = groups.map(cx, |x, group| {
            let shifted = x - largest[group];
            if self.log { shifted - sums[group].ln() } else { shifted.exp() / sums[group] }
        })?;
        Ok(vec![Array::new(x.element(), x.dims(), Data::Float(values))?])
    }
}

impl Rule for Moments {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x] = take(operands)?;
        let groups = Groups::new(cx, x, &self.axes, "moments")?;
        let (mean, variance) = groups.moments(cx)?;
        let array = |values: Vec<f64>| Array::new(x.element(), groups.dims.clone(), Data::Float(values));
        Ok(vec![array(mean)?, array(variance)?])
    }
}

impl Rule for Normalize {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let Normalize { norm, axes, epsilon, scale, center } = self;
        let (&x, parameters) = operands.split_first().ok_or_else(|| misfit("normalize", operands))?;
        let groups = Groups::new(cx, x, axes, "normalize")?;
        let (mean, variance) = groups.moments(cx)?;
        let squares = groups.fold(cx, 0.0, |sum, x, _| sum + x * x)?;
        let mut values = groups.map(cx, |x, group| match norm {
            Norm::Layer => (x - mean[group]) / (variance[group] + epsilon).sqrt(),
            Norm::Rms => x / (squares[group] / groups.count() + epsilon).sqrt(),
            Norm::L2 => x / larger(squares[group], *epsilon).sqrt(),
            Norm::Deviation => x / (variance[group] + epsilon).sqrt(),
        })?;
        scale_and_shift(cx, x, &mut values, parameters, *scale, *center)?;
        Ok(vec![Array::new(x.element(), x.dims(), Data::Float(values))?])
    }
}

impl Rule for BatchNorm {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let BatchNorm { epsilon, scale, center } = self;
        let &[x, mean, variance, ref parameters @ ..] = operands else { return Err(misfit("batch_norm", operands)) };
        let mut values = cx.collect(x.dims(), x.to_floats()?.into_iter())?;
        apply(cx, x, &mut values, mean, |x, mean| x - mean)?;
        apply(cx, x, &mut values, variance, |x, variance| x / (variance + epsilon).sqrt())?;
        scale_and_shift(cx, x, &mut values, parameters, *scale, *center)?;
        Ok(vec![Array::new(x.element(), x.dims(), Data::Float(values))?])
    }
}

/// Multiplies by gamma and adds beta, where they exist.
fn scale_and_shift(
    cx: &Evaluator<'_>,
    x: &Array,
    values: &mut [f64],
    parameters: &[&Array],
    scale: bool,
    center: bool,
) -> Result<()> {
    let mut parameters = parameters.iter();
    let mut next = |wanted: bool| if wanted { parameters.next() } else { None };
    if let Some(gamma) = next(scale) {
        apply(cx, x, values, gamma, |x, gamma| x * gamma)?;
    }
    if let Some(beta) = next(center) {
        apply(cx, x, values, beta, |x, beta| x + beta)?;
    }
    Ok(())
}

/// Combines values of the shape of `x` with a parameter that broadcasts to it.
fn apply(
    cx: &Evaluator<'_>,
    x: &Array,
    values: &mut [f64],
    parameter: &Array,
    f: impl Fn(f64, f64) -> f64,
) -> Result<()> {
    if broadcast_shapes(x.dims(), parameter.dims()).as_deref() != Some(x.dims()) {
        return Err(misfit("a normalization", &[x, parameter]));
    }
    let from = parameter.to_floats()?;
    for (value, offset) in values.iter_mut().zip(Offsets::broadcast(parameter.dims(), x.dims())) {
        cx.look(1)?;
        *value = f(*value, from[offset]);
    }
    Ok(())
}

/// The elements of an array in groups: elements whose indices differ only along the reduced axes are one group.
struct Groups<'a> {
    values: &'a [f64],
    /// The group of each element.
    group: Vec<usize>,
    /// The shape of an array with one element for each group.
    dims: Vec<usize>,
    groups: usize,
}

impl<'a> Groups<'a> {
    fn new(cx: &Evaluator<'_>, x: &'a Array, axes: &[usize], prim: &str) -> Result<Self> {
        let Data::Float(values) = x.data() else { return Err(undefined(prim, x.element())) };
        let dims = without_axes(x.dims(), axes);
        let groups = cx.elements(&dims)?;
        let group = cx.collect(x.dims(), Offsets::reduced(x.dims(), axes))?;
        Ok(Groups { values, group, dims, groups })
    }

    /// The number of elements of each group.
    fn count(&self) -> f64 {
        self.values.len() as f64 / self.groups as f64
    }

    fn fold(&self, cx: &Evaluator<'_>, start: f64, f: impl Fn(f64, f64, usize) -> f64) -> Result<Vec<f64>> {
        let mut totals = vec![start; self.groups];
        for (&value, &group) in self.values.iter().zip(&self.group) {
            cx.look(1)?;
            totals[group] = f(totals[group], value, group);
        }
        Ok(totals)
    }

    fn map(&self, cx: &Evaluator<'_>, f: impl Fn(f64, usize) -> f64) -> Result<Vec<f64>> {
        cx.collect(&[self.values.len()], self.values.iter().zip(&self.group).map(|(&value, &group)| f(value, group)))
    }

    /// Mean and variance of each group; NaN for an empty group.
    fn moments(&self, cx: &Evaluator<'_>) -> Result<(Vec<f64>, Vec<f64>)> {
        let mut mean = self.fold(cx, 0.0, |sum, x, _| sum + x)?;
        mean.iter_mut().for_each(|sum| *sum /= self.count());
        let mut variance = self.fold(cx, 0.0, |sum, x, group| sum + (x - mean[group]) * (x - mean[group]))?;
        variance.iter_mut().for_each(|sum| *sum /= self.count());
        Ok((mean, variance))
    }
}
