//! Windows over tensors: for each element of a window, a view of the values under it at every position.
//!
//! Padding covers only what some element of the window reaches: a large dilation or pool size in a file does not
//! allocate memory by itself.

use super::layout::surround;
use candle_core::{Result, Tensor};
use std::ops::Range;
use std::time::Instant;
use tfjs_ir::check_deadline;
use tfjs_ir::window::Window;

/// A window laid along one axis of a tensor.
#[derive(Clone, Debug)]
pub(super) struct Taps {
    /// The axis.
    pub(super) axis: usize,
    /// Elements of the axis.
    pub(super) length: usize,
    /// The number of positions of the window.
    pub(super) outputs: usize,
    /// The window's elements that overlap the axis at some position.
    pub(super) indices: Range<usize>,
    stride: usize,
    dilation: usize,
    /// How far the first window extends before the axis.
    before: usize,
    /// The padding before and after the axis that makes its length a multiple of the stride.
    left: usize,
    right: usize,
}

impl Taps {
    /// Lays a window along an axis of `length` elements.
    ///
    /// # Errors
    /// A window that does not fit.
    pub(super) fn new(window: &Window, axis: usize, length: usize) -> tfjs_manifest::Result<Self> {
        let outputs = window.output(length)?;
        let before = window.pads(length).before;
        // With a single position the stride is not used, so any size in the file is valid.
        let stride = if outputs > 1 { window.stride } else { 1 };
        let dilation = window.dilation;
        let mut taps = Taps { axis, length, outputs, indices: 0..0, stride, dilation, before, left: 0, right: 0 };
        if length == 0 || outputs == 0 {
            return Ok(taps);
        }
        let last = (outputs - 1) * stride;
        let first = before.saturating_sub(last).div_ceil(dilation);
        let end = (before + length).div_ceil(dilation).min(window.size);
        if first < end {
            taps.indices = first..end;
            taps.left = before.saturating_sub(first * dilation);
            let needed = (taps.start(end - 1) / stride + outputs) * stride;
            taps.right = needed.max((taps.left + length).next_multiple_of(stride)) - taps.left - length;
        }
        Ok(taps)
    }

    /// The position of an element of the first window in the padded axis.
    fn start(&self, index: usize) -> usize {
        index * self.dilation + self.left - self.before
    }

    /// The position of an element of the first window relative to the axis.
    fn offset(&self, index: usize) -> isize {
        (index * self.dilation).cast_signed() - self.before.cast_signed()
    }

    /// The transpose of [`views`]: adds the values of each window element at every position to the element of the axis
    /// under it. Positions are along this axis of `x`, the elements of [`indices`](Taps::indices) along the next one.
    ///
    /// # Errors
    /// Also a deadline that has passed.
    pub(super) fn scatter(&self, x: &Tensor, deadline: Option<Instant>) -> super::error::Result<Tensor> {
        let axis = self.axis;
        let zero = Tensor::zeros((), x.dtype(), x.device())?;
        let mut total: Option<Tensor> = None;
        for (tap, index) in self.indices.clone().enumerate() {
            check_deadline(deadline)?;
            let part = x.narrow(axis + 1, tap, 1)?;
            let mut dims = part.squeeze(axis + 1)?.dims().to_vec();
            // Zeros between the positions.
            dims[axis] = self.outputs * self.stride;
            let part = surround(&part, axis + 1, 0, self.stride - 1, &zero)?.reshape(dims)?;
            // Positions outside the axis are dropped.
            let at = self.offset(index);
            let skipped = at.min(0).unsigned_abs();
            let at = at.max(0).unsigned_abs();
            let kept = part.dims()[axis].saturating_sub(skipped).min(self.length - at);
            let part = surround(&part.narrow(axis, skipped, kept)?, axis, at, self.length - at - kept, &zero)?;
            total = Some(match total {
                Some(total) => (total + part)?,
                None => part,
            });
        }
        Ok(total.ok_or_else(no_overlap)?)
    }
}

/// A tensor that is padded and reshaped for windows along some of its axes.
pub(super) struct Laid<'a> {
    /// Each axis of a window is split into two: steps of the stride, and offsets within a step.
    tensor: Tensor,
    taps: &'a [Taps],
}

impl<'a> Laid<'a> {
    /// Pads and reshapes for windows along axes in ascending order; `border` is the padding value.
    pub(super) fn new(x: &Tensor, taps: &'a [Taps], border: f64) -> Result<Self> {
        let border = Tensor::new(border as f32, x.device())?.to_dtype(x.dtype())?;
        let mut padded = x.clone();
        for t in taps {
            padded = surround(&padded, t.axis, t.left, t.right, &border)?;
        }
        let mut dims = Vec::with_capacity(x.rank() + taps.len());
        for (axis, &length) in padded.dims().iter().enumerate() {
            match taps.iter().find(|t| t.axis == axis) {
                Some(t) => dims.extend([length / t.stride, t.stride]),
                None => dims.push(length),
            }
        }
        Ok(Laid { tensor: padded.contiguous()?.reshape(dims)?, taps })
    }

    /// The values under one element of the windows, at every position. `indices` is its index along each axis.
    fn view(&self, indices: &[usize]) -> Result<Tensor> {
        let mut view = self.tensor.clone();
        for (i, (t, &index)) in self.taps.iter().zip(indices).enumerate() {
            let (axis, start) = (t.axis + i, t.start(index));
            view = view.narrow(axis, start / t.stride, t.outputs)?.narrow(axis + 1, start % t.stride, 1)?;
        }
        for (i, t) in self.taps.iter().enumerate().rev() {
            view = view.squeeze(t.axis + i + 1)?;
        }
        Ok(view)
    }

    /// The values under every element of the windows: one view for each, in row-major order.
    pub(super) fn views(&self) -> Result<Vec<Tensor>> {
        let mut all: Vec<Vec<usize>> = vec![Vec::new()];
        for t in self.taps {
            let longer =
                |indices: &Vec<usize>| t.indices.clone().map(|k| [&indices[..], &[k]].concat()).collect::<Vec<_>>();
            all = all.iter().flat_map(longer).collect();
        }
        all.iter().map(|indices| self.view(indices)).collect()
    }
}

/// An internal error: callers first check whether windows overlap their tensor.
pub(super) fn no_overlap() -> candle_core::Error {
    candle_core::Error::Msg("a window that does not overlap its tensor".into())
}
