//! Gradients of pools.

use super::elementwise::{where_false, where_true};
use super::layout::around;
use super::rule::{Cx, Rule};
use crate::build::Builder;
use crate::dim::Dim;
use crate::prim::elementwise::CompareOp;
use crate::prim::layout::{Padding, Range};
use crate::prim::window::{Pool, PoolOp};
use crate::program::Value;
use crate::ty::Type;
use crate::window::{self, Window};
use tfjs_manifest::{Error, Result};

/// The most elements of a window of a max pool that is differentiated element by element.
const MAX_ELEMENTS: usize = 4096;

impl Rule for Pool {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let ty = cx.operand_type(0)?;
        let dy = cx.dy()?;
        let dx = match self.op {
            PoolOp::Max => {
                let (x, y) = (cx.operand(0)?, cx.result(0)?);
                first_largest(cx.builder, &self.windows, x, y, dy)?
            }
            PoolOp::Sum => sum_back(cx.builder, &self.windows, &ty, dy)?,
            PoolOp::Mean => {
                let share = per_element(cx.builder, &self.windows, &ty, dy)?;
                sum_back(cx.builder, &self.windows, &ty, share)?
            }
        };
        cx.give(0, dx)
    }
}

/// `dy` divided by the number of elements in each window.
fn per_element(b: &mut Builder, windows: &[Window], ty: &Type, dy: Value) -> Result<Value> {
    let padded = windows.iter().any(|window| window.padding != window::Padding::Valid);
    let count = if padded {
        let mut dims = ty.dims.clone();
        let last = dims.len() - 1;
        (dims[0], dims[last]) = (Dim::ONE, Dim::ONE);
        let ones = b.full(ty.element, &dims, 1.0)?;
        b.pool(PoolOp::Sum, ones, windows)?
    } else {
        let elements = windows.iter().map(|window| window.size as f64).product();
        b.scalar(ty.element, elements)?
    };
    b.div(dy, count)
}

/// Adds `dy` to every element of its window: the transpose of a convolution of each channel with ones.
fn sum_back(b: &mut Builder, windows: &[Window], ty: &Type, dy: Value) -> Result<Value> {
    let [batch, spatial @ .., channels] = &ty.dims[..] else { return Err(Error::bug("a pool over a vector")) };
    let mut sizes: Vec<Dim> = windows.iter().map(|window| b.number(window.size)).collect();
    if let Some(groups) = b.dims().known(*channels).and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0) {
        sizes.extend([Dim::ONE, *channels]);
        let ones = b.full(ty.element, &sizes, 1.0)?;
        return b.conv_input(dy, ones, windows, groups, spatial);
    }
    // The number of channels is not known, so channels become entries of the batch.
    sizes.extend([Dim::ONE, Dim::ONE]);
    let ones = b.full(ty.element, &sizes, 1.0)?;
    let rank = ty.rank();
    let last_second: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
    let second_last: Vec<usize> = [0].into_iter().chain(2..rank).chain([1]).collect();
    let dy = b.transpose(dy, &last_second)?;
    let mut rows = b.dims_of(dy).split_off(2);
    rows.insert(0, b.dims().mul(*batch, *channels)?);
    rows.push(Dim::ONE);
    let dy = b.reshape(dy, &rows)?;
    let dx = b.conv_input(dy, ones, windows, 1, spatial)?;
    let dims: Vec<Dim> = [*batch, *channels].into_iter().chain(spatial.iter().copied()).collect();
    let dx = b.reshape(dx, &dims)?;
    b.transpose(dx, &second_last)
}

/// Passes `dy` to the first element of each window, in row-major order, that equals the maximum.
fn first_largest(b: &mut Builder, windows: &[Window], x: Value, y: Value, dy: Value) -> Result<Value> {
    let (dims, outputs) = (b.dims_of(x), b.dims_of(y));
    let elements = windows.iter().try_fold(1usize, |product, window| product.checked_mul(window.size));
    if elements.is_none_or(|elements| elements > MAX_ELEMENTS) {
        return Err(Error::unsupported(format!(
            "`pool` has no gradient rule for windows of over {MAX_ELEMENTS} elements"
        )));
    }
    let frame = Frame::new(b, windows, &dims)?;
    let padded = b.pad(x, &frame.padding, f64::NEG_INFINITY)?;
    let (mut left, mut sum) = (dy, None);
    let sizes: Vec<usize> = windows.iter().map(|window| window.size).collect();
    for offset in crate::array::indices(&sizes) {
        let ranges = frame.ranges(b, windows, &dims, &outputs, &offset);
        let element = b.slice(padded, &ranges)?;
        let hit = b.compare(CompareOp::Eq, element, y)?;
        let part = where_true(b, hit, left)?;
        left = where_false(b, hit, left)?;
        let mut back = Vec::with_capacity(ranges.len());
        for (range, &length) in ranges.iter().zip(&frame.lengths) {
            back.push(around(b, range, length)?);
        }
        let part = b.pad(part, &back, 0.0)?;
        sum = Some(match sum {
            Some(sum) => b.add(sum, part)?,
            None => part,
        });
    }
    let sum = sum.ok_or_else(|| Error::bug("a window without elements"))?;
    frame.inside(b, sum, &dims)
}

/// The padded axes of an operand of windows.
struct Frame {
    padding: Vec<Padding>,
    /// The length of each axis with its padding.
    lengths: Vec<Dim>,
}

impl Frame {
    fn new(b: &mut Builder, windows: &[Window], dims: &[Dim]) -> Result<Frame> {
        let mut frame = Frame { padding: vec![Padding::NONE; dims.len()], lengths: dims.to_vec() };
        for (axis, window) in windows.iter().enumerate().map(|(i, window)| (i + 1, window)) {
            let extent = b.number(window.extent());
            let table = b.dims();
            let (low, high) = window.pads_dim(table, dims[axis])?;
            let length = table.add(dims[axis], low)?;
            let length = table.add(length, high)?;
            // At least one window, so that its elements exist even if the output is empty.
            let length = table.max(length, extent)?;
            let end = table.add(low, dims[axis])?;
            frame.padding[axis] = Padding { low, high: table.sub(length, end)?, interior: 0 };
            frame.lengths[axis] = length;
        }
        Ok(frame)
    }

    /// The elements at `offset` in each window.
    fn ranges(
        &self,
        b: &mut Builder,
        windows: &[Window],
        dims: &[Dim],
        outputs: &[Dim],
        offset: &[usize],
    ) -> Vec<Range> {
        let mut ranges: Vec<Range> = dims.iter().map(|&len| Range { start: Dim::ZERO, len, step: 1 }).collect();
        for (axis, (window, &at)) in windows.iter().zip(offset).enumerate().map(|(i, pair)| (i + 1, pair)) {
            ranges[axis] = Range { start: b.number(at), len: outputs[axis], step: window.stride as u64 };
        }
        ranges
    }

    /// Removes the padding.
    fn inside(&self, b: &mut Builder, x: Value, dims: &[Dim]) -> Result<Value> {
        if self.lengths == dims {
            return Ok(x);
        }
        let range = |(padding, &len): (&Padding, &Dim)| Range { start: padding.low, len, step: 1 };
        let ranges: Vec<Range> = self.padding.iter().zip(dims).map(range).collect();
        b.slice(x, &ranges)
    }
}
