//! Windows over tensors: what each element of a window meets at every position, as a view.
//!
//! Padding is done as far as some element of the window reaches and no further: a file's dilation or pool size alone
//! allocates nothing.

use super::layout::surround;
use candle_core::{Result, Tensor};
use std::ops::Range;
use tfjs_ir::window::Window;

/// A window laid along one axis of a tensor.
#[derive(Clone, Debug)]
pub(super) struct Taps {
    /// The axis.
    pub(super) axis: usize,
    /// Elements of the axis.
    pub(super) length: usize,
    /// Positions of the window.
    pub(super) outputs: usize,
    /// The window's elements that meet the axis somewhere.
    pub(super) indices: Range<usize>,
    stride: usize,
    dilation: usize,
    /// How far the first window stands out before the axis.
    before: usize,
    /// What is to be put before and after the axis, so that its length is a multiple of the stride.
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
        // The step from the only position is never made, however large the file says it is.
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

    /// Where an element of the window stands in the padded axis at the first position.
    fn start(&self, index: usize) -> usize {
        index * self.dilation + self.left - self.before
    }

    /// Where an element of the window stands relative to the axis at the first position.
    fn offset(&self, index: usize) -> isize {
        (index * self.dilation).cast_signed() - self.before.cast_signed()
    }

    /// Adds up what each element of the window has at every position, at the places of the axis it meets: the transpose
    /// of [`views`]. Positions are along this axis of `x`, the elements of [`indices`](Taps::indices) along the next one.
    pub(super) fn scatter(&self, x: &Tensor) -> Result<Tensor> {
        let axis = self.axis;
        let zero = Tensor::zeros((), x.dtype(), x.device())?;
        let mut total: Option<Tensor> = None;
        for (tap, index) in self.indices.clone().enumerate() {
            let part = x.narrow(axis + 1, tap, 1)?;
            let mut dims = part.squeeze(axis + 1)?.dims().to_vec();
            // Zeros between the positions.
            dims[axis] = self.outputs * self.stride;
            let part = surround(&part, axis + 1, 0, self.stride - 1, &zero)?.reshape(dims)?;
            // Positions past the borders meet nothing.
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
        total.ok_or_else(meets_nothing)
    }
}

/// A tensor with room for windows along some of its axes.
pub(super) struct Laid<'a> {
    /// Each axis of a window is two: steps of the stride, and what is within a step.
    tensor: Tensor,
    taps: &'a [Taps],
}

impl<'a> Laid<'a> {
    /// Makes room for windows along axes in ascending order; `border` stands outside of the tensor.
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

    /// What one element of the windows meets, at every position. `indices` has its index along each axis.
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

    /// What every element of the windows meets: one view for each, in row-major order.
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

/// For what must not happen: callers look first whether windows meet their tensor.
pub(super) fn meets_nothing() -> candle_core::Error {
    candle_core::Error::Msg("a window that meets nothing".into())
}
