//! Gradients of reductions, cumulative functions and sorting.

use super::elementwise::{where_false, where_true};
use super::layout::{inverse, repeat};
use super::rule::{Cx, Rule, count, no_gradient, spread};
use crate::build::Builder;
use crate::prim::elementwise::CompareOp;
use crate::prim::reduce::{ArgReduce, Cumulative, Reduce, ReduceOp, RunningOp, Sort, SumTo};
use crate::program::Value;
use crate::ty::ElementType;
use tfjs_manifest::{Error, Result};

no_gradient! {
    ArgReduce: "positions are integers";
}

impl Rule for Reduce {
    fn passes(&self) -> bool {
        !matches!(self.op, ReduceOp::Any | ReduceOp::All)
    }

    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let ty = cx.operand_type(0)?;
        let dy = cx.dy()?;
        let dx = match self.op {
            ReduceOp::Sum => repeat(cx.builder, dy, &ty.dims, &self.axes, self.keep)?,
            ReduceOp::Mean => {
                let count = count(cx.builder, &ty.dims, &self.axes, &ty)?;
                let share = cx.builder.div(dy, count)?;
                repeat(cx.builder, share, &ty.dims, &self.axes, self.keep)?
            }
            ReduceOp::Prod => {
                let x = cx.operand(0)?;
                let others = product_of_others(cx.builder, x, &self.axes)?;
                let dy = repeat(cx.builder, dy, &ty.dims, &self.axes, self.keep)?;
                cx.builder.mul(dy, others)?
            }
            ReduceOp::Max | ReduceOp::Min => {
                let (x, y) = (cx.operand(0)?, cx.result(0)?);
                // Equal extremes share the adjoint evenly.
                let b = &mut *cx.builder;
                let y = repeat(b, y, &ty.dims, &self.axes, self.keep)?;
                let extreme = b.compare(CompareOp::Eq, x, y)?;
                let ones = b.cast(extreme, ty.element)?;
                let number = b.reduce(ReduceOp::Sum, ones, &self.axes, self.keep)?;
                let share = b.div(dy, number)?;
                let share = repeat(b, share, &ty.dims, &self.axes, self.keep)?;
                where_true(b, extreme, share)?
            }
            ReduceOp::Any | ReduceOp::All => return Err(Error::bug("truth values have no gradient")),
        };
        cx.give(0, dx)
    }
}

/// For each element, the product of the others along some axes: the product of those before it times the product of
/// those after it, so that zeros need no division.
fn product_of_others(b: &mut Builder, x: Value, axes: &[usize]) -> Result<Value> {
    let dims = b.dims_of(x);
    let mut order: Vec<usize> = (0..dims.len()).filter(|axis| !axes.contains(axis)).collect();
    let kept = order.len();
    order.extend(axes);
    let ordered = b.transpose(x, &order)?;
    let ordered_dims = b.dims_of(ordered);
    let mut rows = ordered_dims[..kept].to_vec();
    rows.push(b.dims().product(&ordered_dims[kept..])?);
    let rows = b.reshape(ordered, &rows)?;
    let before = b.cumulative(RunningOp::Prod, rows, kept, false, true)?;
    let behind = b.cumulative(RunningOp::Prod, rows, kept, true, true)?;
    let others = b.mul(before, behind)?;
    let others = b.reshape(others, &ordered_dims)?;
    b.transpose(others, &inverse(&order))
}

impl Rule for SumTo {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dims = cx.operand_type(0)?.dims;
        let dy = cx.dy()?;
        let dx = spread(cx.builder, dy, &dims)?;
        cx.give(0, dx)
    }
}

impl Rule for Cumulative {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        let dx = match self.op {
            RunningOp::Sum => cx.builder.cumulative(self.op, dy, self.axis, !self.reverse, self.exclusive)?,
            RunningOp::Prod => {
                let (x, y) = (cx.operand(0)?, cx.result(0)?);
                let b = &mut *cx.builder;
                let parts = b.mul(y, dy)?;
                let sum = b.cumulative(RunningOp::Sum, parts, self.axis, !self.reverse, self.exclusive)?;
                // As in TensorFlow, an element that is 0 gets no gradient.
                let zero = b.compare_scalar(CompareOp::Eq, x, 0.0)?;
                let one = b.scalar(b.ty(x).element, 1.0)?;
                let safe = b.select(zero, one, x)?;
                let quotient = b.div(sum, safe)?;
                where_false(b, zero, quotient)?
            }
        };
        cx.give(0, dx)
    }
}

impl Rule for Sort {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        // Only the first result can have an adjoint: the positions are integers.
        let dy = cx.dy()?;
        let ids = cx.result(1)?;
        let b = &mut *cx.builder;
        let ty = b.ty(dy).clone();
        let mut order: Vec<usize> = (0..ty.rank()).filter(|&axis| axis != self.axis).collect();
        order.push(self.axis);
        let (dy, ids) = (b.transpose(dy, &order)?, b.transpose(ids, &order)?);
        let ordered = b.dims_of(dy);
        let length = ty.dims[self.axis];
        let total = b.dims().product(&ordered)?;
        let rows = b.dims().product(&ordered[..ordered.len() - 1])?;
        // The flat index of each element.
        let ids = b.reshape(ids, &[rows, length])?;
        let row = b.iota(0, &[rows, length], ElementType::I64)?;
        let row_length = b.size(length, ElementType::I64)?;
        let first = b.mul(row, row_length)?;
        let position = b.add(first, ids)?;
        let (position, dy) = (b.reshape(position, &[total])?, b.reshape(dy, &[total])?);
        let zeros = b.full(ty.element, &[total], 0.0)?;
        let dx = b.scatter_add(zeros, position, dy, 0)?;
        let dx = b.reshape(dx, &ordered)?;
        let dx = b.transpose(dx, &inverse(&order))?;
        cx.give(0, dx)
    }
}

/// The mean over axes, which keep length 1.
pub(super) fn mean(b: &mut Builder, x: Value, axes: &[usize]) -> Result<Value> {
    b.reduce(ReduceOp::Mean, x, axes, true)
}

/// The sum over axes, which keep length 1.
pub(super) fn sum(b: &mut Builder, x: Value, axes: &[usize]) -> Result<Value> {
    b.reduce(ReduceOp::Sum, x, axes, true)
}
