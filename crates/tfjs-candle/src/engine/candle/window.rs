//! Pools, one axis after the other.

use super::error::Result;
use super::execute::Site;
use super::math::{filled, is_nan, may_have_nan, select};
use super::reduce::wide;
use super::taps::{Laid, Taps, no_overlap};
use super::typed::Typed;
use super::{Results, Rule, tensors};
use candle_core::Tensor;
use std::time::Instant;
use tfjs_ir::check_deadline;
use tfjs_ir::prim::window::{Pool, PoolOp};
use tfjs_ir::window::Window;

impl Rule for Pool {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = tensors(operands)?;
        let taps = self.windows.iter().enumerate();
        let taps = taps.map(|(i, window)| Ok(Taps::new(window, i + 1, x.dims()[i + 1])?));
        let taps = taps.collect::<Result<Vec<Taps>>>()?;
        if taps.iter().any(|t| t.indices.is_empty()) {
            return site.full(match self.op {
                PoolOp::Max => f64::NEG_INFINITY,
                PoolOp::Sum => 0.0,
                PoolOp::Mean => f64::NAN,
            });
        }
        let deadline = site.deadline();
        taps.iter().try_for_each(|t| site.check_views(t.indices.len()))?;
        let out = match self.op {
            PoolOp::Max => largest(x, &taps, deadline)?,
            PoolOp::Sum => taps.iter().try_fold(wide(x)?, |x, t| sum(&x, t, deadline))?,
            PoolOp::Mean => {
                let mut taps = taps.iter().zip(&self.windows);
                taps.try_fold(wide(x)?, |x, (t, window)| mean(&x, t, window, deadline))?
            }
        };
        site.one(out.to_dtype(x.dtype())?)
    }
}

/// The maximum of each window; NaN if an element is NaN, which a second pool over truth values finds.
fn largest(x: &Tensor, taps: &[Taps], deadline: Option<Instant>) -> Result<Tensor> {
    let pool = |x: &Tensor, border: f64| {
        taps.iter().try_fold(x.clone(), |x, t| fold(&x, t, border, deadline, |a, b| a.maximum(&b)))
    };
    let largest = pool(x, f64::NEG_INFINITY)?;
    if !may_have_nan(x)? {
        return Ok(largest);
    }
    Ok(select(&pool(&is_nan(x)?, 0.0)?, &filled(&largest, f64::NAN)?, &largest)?)
}

fn sum(x: &Tensor, taps: &Taps, deadline: Option<Instant>) -> Result<Tensor> {
    fold(x, taps, 0.0, deadline, |a, b| a + b)
}

/// The mean of the elements in each window; NaN for an empty window.
fn mean(x: &Tensor, taps: &Taps, window: &Window, deadline: Option<Instant>) -> Result<Tensor> {
    let sum = sum(x, taps, deadline)?;
    let counts = counts(window, taps.length, taps.outputs);
    if counts.iter().all(|n| *n == counts[0]) {
        return Ok((sum / f64::from(counts[0]))?);
    }
    let mut shape = vec![1; x.rank()];
    shape[taps.axis] = counts.len();
    Ok(sum.broadcast_div(&Tensor::from_vec(counts, shape, x.device())?)?)
}

/// Combines the values under all elements of a window.
fn fold(
    x: &Tensor,
    taps: &Taps,
    border: f64,
    deadline: Option<Instant>,
    f: impl Fn(Tensor, Tensor) -> candle_core::Result<Tensor>,
) -> Result<Tensor> {
    let views = Laid::new(x, std::slice::from_ref(taps), border)?.views()?;
    let mut views = views.into_iter();
    let first = views.next().ok_or_else(no_overlap)?;
    views.try_fold(first, |all, view| {
        check_deadline(deadline)?;
        Ok(f(all, view)?)
    })
}

/// The number of elements of the axis in each window.
fn counts(window: &Window, length: usize, outputs: usize) -> Vec<f32> {
    let before = window.pads(length).before;
    let count = |i: usize| {
        let start = i * window.stride;
        let end = start.saturating_add(window.size).min(before + length);
        end.saturating_sub(start.max(before)) as f32
    };
    (0..outputs).map(count).collect()
}
