//! Gradients of rearrangements: the inverse rearrangements.

use super::rule::{Cx, Rule};
use crate::build::Builder;
use crate::dim::Dim;
use crate::prim::layout::{Broadcast, Concat, Pad, Padding, Range, Reshape, Reverse, Slice, Transpose};
use crate::prim::reduce::ReduceOp;
use crate::program::Value;
use tfjs_manifest::Result;

impl Rule for Reshape {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dims = cx.operand_type(0)?.dims;
        let dy = cx.dy()?;
        let dx = cx.builder.reshape(dy, &dims)?;
        cx.give(0, dx)
    }
}

impl Rule for Transpose {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        let dx = cx.builder.transpose(dy, &inverse(&self.order))?;
        cx.give(0, dx)
    }
}

/// The inverse of a permutation of axes.
pub(super) fn inverse(order: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; order.len()];
    for (i, &axis) in order.iter().enumerate() {
        inverse[axis] = i;
    }
    inverse
}

impl Rule for Broadcast {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        let new: Vec<usize> = (0..self.dims.len()).filter(|axis| !self.axes.contains(axis)).collect();
        let sum = cx.builder.reduce(ReduceOp::Sum, dy, &new, false)?;
        cx.give_sum(0, sum)
    }
}

impl Rule for Slice {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dims = cx.operand_type(0)?.dims;
        let dy = cx.dy()?;
        let mut padding = Vec::with_capacity(dims.len());
        for (range, &dim) in self.ranges.iter().zip(&dims) {
            padding.push(around(cx.builder, range, dim)?);
        }
        let dx = cx.builder.pad(dy, &padding, 0.0)?;
        cx.give(0, dx)
    }
}

/// The padding that places the elements of a range at their positions in an axis of length `dim`.
pub(super) fn around(builder: &mut Builder, range: &Range, dim: Dim) -> Result<Padding> {
    let dims = builder.dims();
    let interior = range.step.saturating_sub(1);
    // Built from the same terms as the length of a padded axis, so that the length is again the expression `dim`.
    let mut span = range.len;
    if interior > 0 {
        let gaps = dims.sub(range.len, Dim::ONE)?;
        let gaps = dims.max(gaps, Dim::ZERO)?;
        let step = dims.number(interior);
        let between = dims.mul(gaps, step)?;
        span = dims.add(span, between)?;
    }
    let rest = dims.sub(dim, span)?;
    // An empty range may start past the end of the axis.
    let low = if dims.at_least(range.len) == 0 { dims.min(range.start, rest)? } else { range.start };
    Ok(Padding { low, high: dims.sub(rest, low)?, interior })
}

impl Rule for Pad {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dims = cx.operand_type(0)?.dims;
        let dy = cx.dy()?;
        let range = |(padding, &len): (&Padding, &Dim)| Range { start: padding.low, len, step: padding.interior + 1 };
        let ranges: Vec<Range> = self.padding.iter().zip(&dims).map(range).collect();
        let dx = cx.builder.slice(dy, &ranges)?;
        cx.give(0, dx)
    }
}

impl Rule for Concat {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        let mut start = Dim::ZERO;
        for i in 0..cx.node.operands.len() {
            let len = cx.operand_type(i)?.dims[self.axis];
            if cx.needs(i) {
                let part = cx.builder.slice_axis(dy, self.axis, Range { start, len, step: 1 })?;
                cx.give(i, part)?;
            }
            start = cx.builder.dims().add(start, len)?;
        }
        Ok(())
    }
}

impl Rule for Reverse {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        let dx = cx.builder.reverse(dy, &self.axes)?;
        cx.give(0, dx)
    }
}

/// A reduced value, repeated along the axes that were reduced.
pub(super) fn repeat(builder: &mut Builder, x: Value, dims: &[Dim], axes: &[usize], keep: bool) -> Result<Value> {
    let kept: Vec<usize> = (0..dims.len()).filter(|axis| keep || !axes.contains(axis)).collect();
    builder.broadcast(x, dims, &kept)
}
