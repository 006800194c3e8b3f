//! Reductions, positions of extremes, cumulative functions and sorting.

use super::error::Result;
use super::execute::Site;
use super::math::{self, in_single};
use super::typed::{Typed, dtype};
use super::{Results, Rule, reference, take, tensors};
use candle_core::{DType, Tensor};
use tfjs_ir::prim::reduce::{ArgReduce, Cumulative, Extreme, Reduce, ReduceOp, Sort, SumTo};
use tfjs_manifest::Error;

impl Rule for Reduce {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let Reduce { op, axes, .. } = self;
        let [given] = take(operands)?;
        // Sums of integers must wrap, which candle does not guarantee.
        if given.element().is_integer() {
            return reference::evaluate(site, operands);
        }
        let x = &wide(given.tensor()?)?;
        if x.elem_count() == 0 {
            return site.full(empty_reduction(*op));
        }
        let out = match op {
            ReduceOp::Sum => sum(x, axes)?,
            ReduceOp::Mean => mean(x, axes)?,
            ReduceOp::Prod => return reference::evaluate(site, operands),
            ReduceOp::Max => largest(&rows(x, axes)?)?,
            ReduceOp::Min => smallest(&rows(x, axes)?)?,
            ReduceOp::Any => rows(x, axes)?.max_keepdim(1)?,
            ReduceOp::All => rows(x, axes)?.min_keepdim(1)?,
        };
        site.one(out.to_dtype(given.tensor()?.dtype())?.reshape(&site.expected(0)?.dims[..])?)
    }
}

/// The result of an empty reduction.
fn empty_reduction(op: ReduceOp) -> f64 {
    match op {
        ReduceOp::Sum | ReduceOp::Any => 0.0,
        ReduceOp::Prod | ReduceOp::All => 1.0,
        ReduceOp::Mean => f64::NAN,
        ReduceOp::Max => f64::NEG_INFINITY,
        ReduceOp::Min => f64::INFINITY,
    }
}

/// The elements that are reduced together, as rows of a matrix `[groups, elements of each]`.
pub(super) fn rows(x: &Tensor, axes: &[usize]) -> candle_core::Result<Tensor> {
    let count: usize = axes.iter().map(|&axis| x.dims()[axis]).product();
    let groups = x.elem_count().checked_div(count).unwrap_or(0);
    x.permute(kept_first(x.rank(), axes))?.contiguous()?.reshape((groups, count))
}

/// The order of axes that puts `axes` last.
pub(super) fn kept_first(rank: usize, axes: &[usize]) -> Vec<usize> {
    (0..rank).filter(|axis| !axes.contains(axis)).chain(axes.iter().copied()).collect()
}

/// The sum over axes, which keep length 1. The tensor must not be empty.
pub(super) fn sum(x: &Tensor, axes: &[usize]) -> candle_core::Result<Tensor> {
    let mut dims = x.dims().to_vec();
    axes.iter().for_each(|&axis| dims[axis] = 1);
    let Some((&first, &last)) = axes.first().zip(axes.last()) else { return Ok(x.clone()) };
    let inner: usize = x.dims()[last + 1..].iter().product();
    if inner == 1 || last - first + 1 != axes.len() {
        return rows(x, axes)?.sum_keepdim(1)?.reshape(dims);
    }
    // Neighbouring axes that are not the last: a product with ones adds whole rows at a time.
    let count: usize = x.dims()[first..=last].iter().product();
    let outer = x.elem_count() / (count * inner);
    let ones = Tensor::ones((outer, 1, count), x.dtype(), x.device())?;
    math::product(&ones, &x.contiguous()?.reshape((outer, count, inner))?)?.reshape(dims)
}

/// The mean over axes, which keep length 1. The tensor must not be empty.
pub(super) fn mean(x: &Tensor, axes: &[usize]) -> candle_core::Result<Tensor> {
    let count: usize = axes.iter().map(|&axis| x.dims()[axis]).product();
    sum(x, axes)? / count as f64
}

/// The maximum of each row; NaN if an element is NaN. candle's result depends on the device and on the order.
fn largest(rows: &Tensor) -> candle_core::Result<Tensor> {
    or_nan(rows, rows.max_keepdim(1)?)
}

/// The minimum of each row; NaN if an element is NaN.
fn smallest(rows: &Tensor) -> candle_core::Result<Tensor> {
    or_nan(rows, rows.min_keepdim(1)?)
}

/// Replaces the result by NaN for each row that contains one.
fn or_nan(rows: &Tensor, found: Tensor) -> candle_core::Result<Tensor> {
    if !math::may_have_nan(rows)? {
        return Ok(found);
    }
    let any = math::is_nan(rows)?.max_keepdim(1)?;
    math::select(&any, &math::filled(&found, f64::NAN)?, &found)
}

impl Rule for SumTo {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = take(operands)?;
        if x.element().is_integer() {
            return reference::evaluate(site, operands);
        }
        let x = x.tensor()?;
        if x.elem_count() == 0 {
            return site.full(0.0);
        }
        let dims = &site.expected(0)?.dims;
        let new = x.rank().checked_sub(dims.len()).ok_or_else(|| Error::bug("a sum to a higher rank"))?;
        let repeated = |&axis: &usize| axis < new || (dims[axis - new] == 1 && x.dims()[axis] != 1);
        let axes: Vec<usize> = (0..x.rank()).filter(repeated).collect();
        site.one(in_single(x, |x| sum(x, &axes))?.reshape(&dims[..])?)
    }
}

impl Rule for ArgReduce {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = tensors(operands)?;
        if x.elem_count() == 0 {
            return site.full(0.0);
        }
        let rows = rows(x, &[self.axis])?;
        let best = match self.op {
            Extreme::Max => largest(&rows)?,
            Extreme::Min => smallest(&rows)?,
        };
        // Devices do not guarantee the first of equal elements. If the best is NaN, the first NaN.
        let count = rows.dim(1)? as u32;
        let hit = rows.broadcast_eq(&best)?.maximum(&math::is_nan(&rows)?)?;
        let positions = Tensor::arange(0, count, x.device())?.broadcast_as(rows.shape())?;
        let none = Tensor::new(count, x.device())?.broadcast_as(rows.shape())?;
        let first = math::select(&hit, &positions, &none)?.min_keepdim(1)?;
        let first = first.to_dtype(dtype(self.element, site.device()))?;
        site.one(first.reshape(&site.expected(0)?.dims[..])?)
    }
}

/// candle's cumulative sum is a product with a triangular matrix: quadratic, and NaN after every infinity.
impl Rule for Cumulative {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        reference::evaluate(site, operands)
    }
}

/// candle's sort is not stable on devices, and does not put NaN last.
impl Rule for Sort {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        reference::evaluate(site, operands)
    }
}

/// Inverts [`rows`]: from a matrix `[groups, n]` to a tensor of these dimensions.
pub(super) fn unrows(rows: &Tensor, dims: &[usize], axes: &[usize]) -> candle_core::Result<Tensor> {
    let order = kept_first(dims.len(), axes);
    let moved: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(i, &axis)| back[axis] = i);
    rows.reshape(moved)?.permute(back)
}

/// The tensor in the dtype in which its statistics are computed.
pub(super) fn wide(x: &Tensor) -> candle_core::Result<Tensor> {
    match x.dtype() {
        DType::F16 | DType::BF16 => x.to_dtype(DType::F32),
        _ => Ok(x.clone()),
    }
}
