//! Pools as strided slices that are combined, one axis after the other.
//!
//! The last axis is processed first, so that among equal maxima the first one in window order is found.

use super::{Expand, take};
use crate::build::Builder;
use crate::dim::Dim;
use crate::prim::elementwise::BinaryOp;
use crate::prim::index::Bounds;
use crate::prim::layout::{Padding, Range};
use crate::prim::reduce::ReduceOp;
use crate::prim::window::{Pool, PoolOp};
use crate::program::Value;
use crate::ty::ElementType;
use crate::window::Window;
use tfjs_manifest::{Error, Result};

/// The most slices of an axis. With more, the elements are gathered instead, and reduced in one node.
const MOST_SLICES: usize = 64;

impl Expand for Pool {
    fn expand(&self, b: &mut Builder, operands: &[Value]) -> Result<Vec<Value>> {
        let [mut x] = take(operands)?;
        for (i, window) in self.windows.iter().enumerate().rev() {
            let axis = i + 1;
            let taps = Taps::new(b, window, x, axis)?;
            x = match self.op {
                PoolOp::Max => taps.fold(b, x, BinaryOp::Max, ReduceOp::Max, f64::NEG_INFINITY)?,
                PoolOp::Sum => taps.sum(b, x)?,
                PoolOp::Mean => {
                    let counts = taps.counts(b, x)?;
                    let sum = taps.sum(b, x)?;
                    b.div(sum, counts)?
                }
            };
        }
        Ok(vec![x])
    }
}

/// How windows cover an axis: `outputs` windows of `size` elements of the padded axis, `stride` apart.
#[derive(Clone, Copy, Debug)]
struct Taps {
    axis: usize,
    size: usize,
    stride: usize,
    outputs: Dim,
    low: Dim,
    high: Dim,
}

impl Taps {
    fn new(b: &mut Builder, window: &Window, x: Value, axis: usize) -> Result<Self> {
        let length = *b.ty(x).dims.get(axis).ok_or_else(|| Error::bug("a pool along an axis that does not exist"))?;
        let Window { size, stride, .. } = *window;
        let (outputs, _) = window.output_dim(b.dims(), length)?;
        let number = |b: &mut Builder, dim| b.dims().known(dim).and_then(|n| usize::try_from(n).ok());
        let (Some(n), Some(count)) = (number(b, length), number(b, outputs)) else {
            let (low, high) = window.pads_dim(b.dims(), length)?;
            return Ok(Taps { axis, size, stride, outputs, low, high });
        };
        // If the window is larger than the axis, positions that are padding in every window are skipped.
        let before = window.pads(n).before;
        let last_start = count.saturating_sub(1).saturating_mul(stride);
        let first = before.saturating_sub(last_start);
        let end = (before + n).min(size).max(first + 1);
        let low = before - first;
        let reach = last_start.saturating_add(end - first);
        let high = reach.saturating_sub(low.saturating_add(n));
        let (low, high) = (b.number(low), b.number(high));
        Ok(Taps { axis, size: end - first, stride, outputs, low, high })
    }

    fn sum(&self, b: &mut Builder, x: Value) -> Result<Value> {
        self.fold(b, x, BinaryOp::Add, ReduceOp::Sum, 0.0)
    }

    /// The number of elements in each window, in dimensions that broadcast to those of the result.
    fn counts(&self, b: &mut Builder, x: Value) -> Result<Value> {
        let element = b.ty(x).element;
        if (self.low, self.high) == (Dim::ZERO, Dim::ZERO) {
            return b.scalar(element, self.size as f64);
        }
        let mut dims = vec![Dim::ONE; b.ty(x).rank()];
        dims[self.axis] = b.ty(x).dims[self.axis];
        // Small element types cannot hold large counts.
        let ones = b.full(ElementType::F32, &dims, 1.0)?;
        let counts = self.sum(b, ones)?;
        b.cast(counts, element)
    }

    /// Combines the elements of each window; `outside` is the value of the padding.
    fn fold(&self, b: &mut Builder, x: Value, op: BinaryOp, all: ReduceOp, outside: f64) -> Result<Value> {
        let Taps { axis, size, stride, outputs, low, high } = *self;
        let mut padding = vec![Padding::NONE; b.ty(x).rank()];
        padding[axis] = Padding { low, high, interior: 0 };
        let x = b.pad(x, &padding, outside)?;
        if size > MOST_SLICES {
            return self.gather(b, x, all);
        }
        let mut total = None;
        for k in 0..size {
            let range = Range { start: b.number(k), len: outputs, step: stride as u64 };
            let next = b.slice_axis(x, axis, range)?;
            total = Some(match total {
                Some(total) => b.binary(op, total, next)?,
                None => next,
            });
        }
        total.ok_or_else(|| Error::bug("a window without elements"))
    }

    /// Gathers the elements of each window into an axis of their own and reduces it.
    fn gather(&self, b: &mut Builder, padded: Value, op: ReduceOp) -> Result<Value> {
        let Taps { axis, size, stride, outputs, .. } = *self;
        let size = b.number(size);
        let dims = [outputs, size];
        let (starts, steps) = (b.iota(0, &dims, ElementType::I64)?, b.iota(1, &dims, ElementType::I64)?);
        let starts = b.binary_scalar(BinaryOp::Mul, starts, stride as f64)?;
        let indices = b.add(starts, steps)?;
        let elements = b.gather(padded, indices, axis, Bounds::Clamp)?;
        b.reduce(op, elements, &[axis + 1], false)
    }
}
