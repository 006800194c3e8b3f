//! Rules of reductions, positions of extremes, cumulative functions and sorting.

use super::elementwise::{larger, smaller};
use super::offsets::{Lanes, Offsets, broadcast_shapes, without_axes};
use super::{Evaluator, Rule, misfit, take, undefined};
use crate::array::{Array, Data};
use crate::prim::reduce::{ArgReduce, Cumulative, Extreme, Reduce, ReduceOp, RunningOp, Sort, SumTo};
use crate::sort::sort_by;
use crate::ty::ElementType;
use std::cmp::Ordering;
use tfjs_manifest::{Error, Result};

impl Rule for Reduce {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let Reduce { op, axes, keep } = self;
        let [x] = take(operands)?;
        let (element, dims) = (x.element(), x.dims());
        if axes.iter().any(|&axis| axis >= dims.len()) {
            return Err(misfit(op.name(), operands));
        }
        let ones = without_axes(dims, axes);
        let to = Offsets::reduced(dims, axes);
        cx.spend(x.elements())?;
        let data = match (x.data(), op) {
            (Data::Float(x), ReduceOp::Mean) => {
                let mut out = fold(cx, x, &ones, to, 0.0, |a, b| a + b)?;
                let count: f64 = axes.iter().map(|&axis| dims[axis] as f64).product();
                out.iter_mut().for_each(|sum| *sum /= count);
                Data::Float(out)
            }
            (Data::Float(x), _) => {
                let (start, f): (f64, fn(f64, f64) -> f64) = match op {
                    ReduceOp::Sum => (0.0, |a, b| a + b),
                    ReduceOp::Prod => (1.0, |a, b| a * b),
                    ReduceOp::Max => (f64::NEG_INFINITY, larger),
                    ReduceOp::Min => (f64::INFINITY, smaller),
                    _ => return Err(undefined(op.name(), element)),
                };
                Data::Float(fold(cx, x, &ones, to, start, f)?)
            }
            (Data::Int(x), _) => {
                let (lowest, highest) = element.integer_range();
                let (start, f): (i64, fn(i64, i64) -> i64) = match op {
                    ReduceOp::Sum => (0, i64::wrapping_add),
                    ReduceOp::Prod => (1, i64::wrapping_mul),
                    ReduceOp::Max => (lowest, i64::max),
                    ReduceOp::Min => (highest, i64::min),
                    _ => return Err(undefined(op.name(), element)),
                };
                Data::Int(fold(cx, x, &ones, to, start, f)?)
            }
            (Data::Bool(x), ReduceOp::Any) => Data::Bool(fold(cx, x, &ones, to, false, |a, b| a || b)?),
            (Data::Bool(x), ReduceOp::All) => Data::Bool(fold(cx, x, &ones, to, true, |a, b| a && b)?),
            _ => return Err(undefined(op.name(), element)),
        };
        let kept = dims.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, &dim)| dim);
        let dims = if *keep { ones } else { kept.collect() };
        Ok(vec![Array::new(element, dims, data)?])
    }
}

/// Folds each element into the result at the offset that `to` gives, in order.
fn fold<T: Copy>(
    cx: &Evaluator<'_>,
    values: &[T],
    dims: &[usize],
    to: Offsets,
    start: T,
    f: impl Fn(T, T) -> T,
) -> Result<Vec<T>> {
    let mut out = cx.filled(dims, start)?;
    for (&value, at) in values.iter().zip(to) {
        cx.look(1)?;
        let total = out.get_mut(at).ok_or_else(|| Error::bug("a reduction to another shape"))?;
        *total = f(*total, value);
    }
    Ok(out)
}

impl Rule for SumTo {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x] = take(operands)?;
        let dims = cx.dims(&self.dims)?;
        if broadcast_shapes(&dims, x.dims()).as_deref() != Some(x.dims()) {
            return Err(Error::mismatch(format!("a value of shape {:?} is not summed to {dims:?}", x.dims())));
        }
        let to = Offsets::broadcast(&dims, x.dims());
        cx.spend(x.elements())?;
        let data = match x.data() {
            Data::Float(x) => Data::Float(fold(cx, x, &dims, to, 0.0, |a, b| a + b)?),
            Data::Int(x) => Data::Int(fold(cx, x, &dims, to, 0, i64::wrapping_add)?),
            _ => return Err(undefined("sum_to", x.element())),
        };
        Ok(vec![Array::new(x.element(), dims, data)?])
    }
}

impl Rule for ArgReduce {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let ArgReduce { op, axis, element } = self;
        let [x] = take(operands)?;
        let lanes = Lanes::along(x.dims(), *axis).ok_or_else(|| misfit("arg_reduce", operands))?;
        let mut dims = x.dims().to_vec();
        dims.remove(*axis);
        cx.spend(x.elements())?;
        let positions = match x.data() {
            Data::Float(x) => {
                let better = |a: &f64, b: &f64| match op {
                    _ if b.is_nan() => false,
                    _ if a.is_nan() => true,
                    Extreme::Max => a > b,
                    Extreme::Min => a < b,
                };
                positions(cx, x, &dims, lanes, better)?
            }
            Data::Int(_) | Data::Bool(_) => {
                let better = |a: &i64, b: &i64| if *op == Extreme::Max { a > b } else { a < b };
                positions(cx, &x.to_ints()?, &dims, lanes, better)?
            }
            Data::Text(_) => return Err(undefined("arg_reduce", x.element())),
        };
        if !element.is_integer() {
            return Err(undefined("arg_reduce", *element));
        }
        Ok(vec![Array::new(*element, dims, Data::Int(positions))?])
    }
}

/// The position in each lane of the first element that no other is better than; 0 in an empty lane.
fn positions<T>(
    cx: &Evaluator<'_>,
    values: &[T],
    dims: &[usize],
    lanes: Lanes,
    better: impl Fn(&T, &T) -> bool,
) -> Result<Vec<i64>> {
    let best = lanes.starts().map(|start| {
        let mut best = (0i64, None::<&T>);
        for (position, value) in (0..).zip(lanes.of(start).filter_map(|offset| values.get(offset))) {
            if best.1.is_none_or(|known| better(value, known)) {
                best = (position, Some(value));
            }
        }
        best.0
    });
    cx.collect(dims, best)
}

impl Rule for Cumulative {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x] = take(operands)?;
        let lanes = Lanes::along(x.dims(), self.axis).ok_or_else(|| misfit("cumulative", operands))?;
        let data = match (x.data(), self.op) {
            (Data::Float(x), RunningOp::Sum) => Data::Float(self.run(cx, x, lanes, 0.0, |a, b| a + b)?),
            (Data::Float(x), RunningOp::Prod) => Data::Float(self.run(cx, x, lanes, 1.0, |a, b| a * b)?),
            (Data::Int(x), RunningOp::Sum) => Data::Int(self.run(cx, x, lanes, 0, i64::wrapping_add)?),
            (Data::Int(x), RunningOp::Prod) => Data::Int(self.run(cx, x, lanes, 1, i64::wrapping_mul)?),
            _ => return Err(undefined("cumulative", x.element())),
        };
        Ok(vec![Array::new(x.element(), x.dims(), data)?])
    }
}

impl Cumulative {
    fn run<T: Copy>(
        &self,
        cx: &Evaluator<'_>,
        values: &[T],
        lanes: Lanes,
        start: T,
        f: impl Fn(T, T) -> T,
    ) -> Result<Vec<T>> {
        let mut out = cx.collect(&[values.len()], values.iter().copied())?;
        for first in lanes.starts() {
            cx.look(lanes.len)?;
            let mut total = start;
            let mut step = |offset: usize| {
                let with = f(total, out[offset]);
                out[offset] = if self.exclusive { total } else { with };
                total = with;
            };
            if self.reverse {
                lanes.of(first).rev().for_each(&mut step);
            } else {
                lanes.of(first).for_each(&mut step);
            }
        }
        Ok(out)
    }
}

impl Rule for Sort {
    fn evaluate(&self, cx: &Evaluator<'_>, operands: &[&Array]) -> Result<Vec<Array>> {
        let [x] = take(operands)?;
        let lanes = Lanes::along(x.dims(), self.axis).ok_or_else(|| misfit("sort", operands))?;
        let log = usize::BITS - lanes.len.leading_zeros();
        cx.spend(x.elements().saturating_mul(log as usize))?;
        let from = match x.data() {
            Data::Float(x) => {
                self.order(cx, x, lanes, 1, |a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal), |x| x.is_nan())?
            }
            Data::Int(x) => self.order(cx, x, lanes, 1, Ord::cmp, |_| false)?,
            Data::Bool(x) => self.order(cx, x, lanes, 1, Ord::cmp, |_| false)?,
            Data::Text(x) => {
                let longest = x.iter().map(|text| text.len()).max().unwrap_or(0);
                self.order(cx, x, lanes, 1 + longest / 16, Ord::cmp, |_| false)?
            }
        };
        let position = |&offset: &usize| (offset / lanes.inner.max(1) % lanes.len.max(1)) as i64;
        let positions = cx.collect(x.dims(), from.iter().map(position))?;
        let sorted = cx.pick(x, x.dims(), from.iter().copied())?;
        Ok(vec![sorted, Array::new(ElementType::I64, x.dims(), Data::Int(positions))?])
    }
}

impl Sort {
    /// For each element of the result, the offset of the operand's element that it takes. `cost` is the number of
    /// operations of a comparison.
    fn order<T>(
        &self,
        cx: &Evaluator<'_>,
        values: &[T],
        lanes: Lanes,
        cost: usize,
        compare: impl Fn(&T, &T) -> Ordering,
        last: impl Fn(&T) -> bool,
    ) -> Result<Vec<usize>> {
        let mut from = cx.filled(&[values.len()], 0)?;
        for start in lanes.starts() {
            let mut lane: Vec<usize> = lanes.of(start).collect();
            sort_by(&mut lane, cost, cx.clock(), |&i, &j| {
                let (a, b) = (&values[i], &values[j]);
                let order = if self.descending { compare(b, a) } else { compare(a, b) };
                last(a).cmp(&last(b)).then(order)
            })?;
            for (to, offset) in lanes.of(start).zip(lane) {
                from[to] = offset;
            }
        }
        Ok(from)
    }
}
