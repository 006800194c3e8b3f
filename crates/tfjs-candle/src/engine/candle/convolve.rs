//! Convolutions of any rank, stride, dilation and number of groups, as matrix products.
//!
//! candle's convolutions have one stride, dilation and padding for both axes, at most two axes, channels first, and
//! process the channels of a depthwise convolution one by one.

use super::error::Result;
use super::layout::surround;
use super::math::product_until;
use super::reduce::sum;
use super::taps::{Laid, Taps, no_overlap};
use candle_core::{Result as CandleResult, Tensor};
use std::ops::Range;
use std::time::Instant;
use tfjs_ir::check_deadline;

/// The most elements of windows that are gathered together. Beyond that, parts of the batch or of the positions are
/// computed one after the other, so that memory does not grow with the size of the kernel.
const AT_ONCE: usize = 1 << 24;

/// A convolution whose windows are laid along the axes of its input.
#[derive(Clone, Debug)]
pub(super) struct Convolution {
    pub(super) taps: Vec<Taps>,
    pub(super) batch: usize,
    pub(super) channels: usize,
    pub(super) filters: usize,
    pub(super) groups: usize,
    pub(super) deadline: Option<Instant>,
}

impl Convolution {
    /// Whether any product is computed; otherwise every result is 0.
    pub(super) fn overlaps(&self) -> bool {
        self.taps.iter().all(|t| !t.indices.is_empty()) && self.batch > 0 && self.channels > 0 && self.filters > 0
    }

    /// The number of windows of the whole batch.
    fn rows(&self) -> usize {
        self.batch * self.taps.iter().map(|t| t.outputs).product::<usize>()
    }

    /// The number of elements of a window that overlap the input.
    fn elements(&self) -> usize {
        self.taps.iter().map(|t| t.indices.len()).product()
    }

    /// Whether each channel has its own filters: sums of products are then cheaper than matrix products.
    fn is_depthwise(&self) -> bool {
        self.inner() == 1 && self.groups > 1
    }

    /// Channels of one group.
    fn inner(&self) -> usize {
        self.channels / self.groups
    }

    /// Filters of one group.
    fn block(&self) -> usize {
        self.filters / self.groups
    }

    /// The number of elements in the windows of one image.
    pub(super) fn image_elements(&self) -> usize {
        let positions = self.taps.iter().fold(1usize, |n, t| n.saturating_mul(t.outputs));
        positions.saturating_mul(self.elements()).saturating_mul(self.channels)
    }

    /// The number of elements in the windows at one position of the first axis.
    pub(super) fn line_elements(&self) -> usize {
        let outputs = self.taps.first().map_or(1, |t| t.outputs);
        self.image_elements() / outputs.max(1)
    }

    /// Calls `f` for groups of images whose windows are gathered together, and returns the results. `f` takes the
    /// convolution of these images and the index of the first one.
    fn by_images(&self, mut f: impl FnMut(&Convolution, usize) -> Result<Tensor>) -> Result<Vec<Tensor>> {
        let images = (AT_ONCE / self.image_elements().max(1)).max(1);
        let starts = (0..self.batch).step_by(images);
        starts.map(|first| f(&Convolution { batch: images.min(self.batch - first), ..self.clone() }, first)).collect()
    }

    /// `[n, p.., filters]` of `x [n, s.., channels]`.
    pub(super) fn forward(&self, x: &Tensor, kernel: &Tensor) -> Result<Tensor> {
        let kernel = self.kernel(kernel)?;
        if self.is_depthwise() {
            return self.depthwise(x, &kernel);
        }
        let outputs = self.taps.first().map_or(1, |t| t.outputs);
        let lines = (AT_ONCE / self.line_elements().max(1)).clamp(1, outputs);
        let images = self.by_images(|part, first| {
            let laid = Laid::new(&x.narrow(0, first, part.batch)?, &part.taps, 0.0)?;
            let starts = (0..outputs).step_by(lines);
            let blocks = starts.map(|from| part.lines(&laid, from..outputs.min(from + lines), &kernel));
            Ok(joined(blocks.collect::<Result<_>>()?, 1)?)
        });
        Ok(joined(images?, 0)?)
    }

    /// The outputs at a range of positions of the first axis.
    fn lines(&self, laid: &Laid<'_>, lines: Range<usize>, kernel: &Tensor) -> Result<Tensor> {
        check_deadline(self.deadline)?;
        let mut part = self.clone();
        if let Some(first) = part.taps.first_mut() {
            first.outputs = lines.len();
        }
        part.product(&self.windows(laid, lines)?, kernel)
    }

    /// Multiplies the windows by the kernel.
    fn product(&self, windows: &Tensor, kernel: &Tensor) -> Result<Tensor> {
        let (rows, elements, inner) = (self.rows(), self.elements(), self.inner());
        let out = if self.groups == 1 {
            let windows = windows.reshape((1, rows, elements * inner))?;
            product_until(&windows, &kernel.reshape((1, elements * inner, self.filters))?, self.deadline)?
        } else {
            // [groups, rows, elements * inner] times [groups, elements * inner, block]
            let windows = windows.reshape((rows, elements, self.groups, inner))?.permute((2, 0, 1, 3))?;
            let windows = windows.contiguous()?.reshape((self.groups, rows, elements * inner))?;
            let kernel = kernel.reshape((elements * inner, self.groups, self.block()))?.permute((1, 0, 2))?;
            product_until(&windows, &kernel.contiguous()?, self.deadline)?.permute((1, 0, 2))?
        };
        Ok(out.reshape(self.output_dims())?)
    }

    /// A sum of scaled copies, one for each element of the window, because channels are not mixed.
    fn depthwise(&self, x: &Tensor, kernel: &Tensor) -> Result<Tensor> {
        let (channels, block) = (self.channels, self.block());
        let kernel = kernel.reshape((self.elements(), channels, block))?;
        let mut total: Option<Tensor> = None;
        for (tap, view) in Laid::new(x, &self.taps, 0.0)?.views()?.into_iter().enumerate() {
            check_deadline(self.deadline)?;
            let factor = kernel.get(tap)?;
            let part = match block {
                1 => view.broadcast_mul(&factor.squeeze(1)?)?,
                _ => view.unsqueeze(view.rank())?.broadcast_mul(&factor)?,
            };
            total = Some(match total {
                Some(total) => (total + part)?,
                None => part,
            });
        }
        Ok(total.ok_or_else(no_overlap)?.reshape(self.output_dims())?)
    }

    /// The transpose with respect to the input: `[n, s.., channels]` of `dy [n, p.., filters]`.
    pub(super) fn input(&self, dy: &Tensor, kernel: &Tensor) -> Result<Tensor> {
        let kernel = self.kernel(kernel)?;
        Ok(joined(self.by_images(|part, first| part.input_at_once(&dy.narrow(0, first, part.batch)?, &kernel))?, 0)?)
    }

    fn input_at_once(&self, dy: &Tensor, kernel: &Tensor) -> Result<Tensor> {
        check_deadline(self.deadline)?;
        let (rows, elements, inner, block) = (self.rows(), self.elements(), self.inner(), self.block());
        // The contribution of every position to every element of its window: [rows, elements, channels].
        let spread = if self.is_depthwise() {
            let kernel = kernel.reshape((elements, self.channels, block))?;
            let spread = dy.reshape((rows, 1, self.channels, block))?.broadcast_mul(&kernel)?;
            if block == 1 { spread } else { spread.sum_keepdim(3)? }
        } else if self.groups == 1 {
            let kernel = kernel.reshape((1, elements * inner, self.filters))?.transpose(1, 2)?;
            product_until(&dy.contiguous()?.reshape((1, rows, self.filters))?, &kernel, self.deadline)?
        } else {
            // [groups, rows, block] times [groups, block, elements * inner]
            let kernel = kernel.reshape((elements * inner, self.groups, block))?.permute((1, 2, 0))?;
            let dy = dy.reshape((rows, self.groups, block))?.permute((1, 0, 2))?;
            let spread = product_until(&dy.contiguous()?, &kernel.contiguous()?, self.deadline)?;
            spread.reshape((self.groups, rows, elements, inner))?.permute((1, 2, 0, 3))?
        };
        let mut dims = vec![self.batch];
        dims.extend(self.taps.iter().map(|t| t.outputs));
        dims.extend(self.taps.iter().map(|t| t.indices.len()));
        dims.push(self.channels);
        // For each axis, positions and window elements side by side.
        let axes = self.taps.len();
        let mut order = vec![0];
        order.extend((0..axes).flat_map(|i| [1 + i, 1 + axes + i]));
        order.push(2 * axes + 1);
        let spread = spread.reshape(dims)?.permute(order)?;
        self.taps.iter().try_fold(spread, |x, t| t.scatter(&x, self.deadline))
    }

    /// The gradient with respect to the kernel, whose spatial sizes are `sizes`: `[k.., channels / groups, filters]`.
    pub(super) fn kernel_gradient(&self, x: &Tensor, dy: &Tensor, sizes: &[usize]) -> Result<Tensor> {
        let (rows, elements, inner, block) = (self.rows(), self.elements(), self.inner(), self.block());
        let out = if self.is_depthwise() {
            let dy = dy.reshape((rows, self.channels, block))?;
            let view = |view: Tensor| {
                check_deadline(self.deadline)?;
                Ok(sum(&view.reshape((rows, self.channels, 1))?.broadcast_mul(&dy)?, &[0])?)
            };
            let views = Laid::new(x, &self.taps, 0.0)?.views()?;
            Tensor::stack(&views.into_iter().map(view).collect::<Result<Vec<Tensor>>>()?, 0)?
        } else if self.groups == 1 {
            let windows = self.all_windows(x)?.reshape((1, rows, elements * inner))?.transpose(1, 2)?;
            product_until(&windows, &dy.contiguous()?.reshape((1, rows, self.filters))?, self.deadline)?
        } else {
            // [groups, elements * inner, rows] times [groups, rows, block]
            let windows = self.all_windows(x)?;
            let windows = windows.reshape((rows, elements, self.groups, inner))?.permute((2, 1, 3, 0))?;
            let windows = windows.contiguous()?.reshape((self.groups, elements * inner, rows))?;
            let dy = dy.reshape((rows, self.groups, block))?.permute((1, 0, 2))?.contiguous()?;
            product_until(&windows, &dy, self.deadline)?.permute((1, 0, 2))?
        };
        let mut dims: Vec<usize> = self.taps.iter().map(|t| t.indices.len()).collect();
        dims.extend([inner, self.filters]);
        let zero = Tensor::zeros((), out.dtype(), out.device())?;
        let mut out = out.reshape(dims)?;
        // Kernel elements that never overlap the input have gradient 0.
        for (axis, (t, size)) in self.taps.iter().zip(sizes).enumerate() {
            out = surround(&out, axis, t.indices.start, size - t.indices.end, &zero)?;
        }
        Ok(out)
    }

    fn all_windows(&self, x: &Tensor) -> CandleResult<Tensor> {
        let outputs = self.taps.first().map_or(1, |t| t.outputs);
        self.windows(&Laid::new(x, &self.taps, 0.0)?, 0..outputs)
    }

    /// Every window at a range of positions of the first axis, as a contiguous row: `[rows, elements * channels]` in
    /// memory, in any shape.
    fn windows(&self, laid: &Laid<'_>, lines: Range<usize>) -> CandleResult<Tensor> {
        let views = laid.views()?.into_iter().map(|view| view.narrow(1, lines.start, lines.len()));
        let views = views.collect::<CandleResult<Vec<Tensor>>>()?;
        match &views[..] {
            [one] => one.contiguous(),
            all => {
                let rank = self.taps.len() + 2;
                let order: Vec<usize> = (1..rank).chain([0, rank]).collect();
                Tensor::stack(all, 0)?.permute(order)?.contiguous()
            }
        }
    }

    /// The elements of the kernel that overlap the input.
    fn kernel(&self, kernel: &Tensor) -> CandleResult<Tensor> {
        let taps = self.taps.iter().enumerate();
        taps.clone()
            .try_fold(kernel.clone(), |kernel, (axis, t)| kernel.narrow(axis, t.indices.start, t.indices.len()))?
            .contiguous()
    }

    fn output_dims(&self) -> Vec<usize> {
        let mut dims = vec![self.batch];
        dims.extend(self.taps.iter().map(|t| t.outputs));
        dims.push(self.filters);
        dims
    }
}

/// Concatenates parts of a tensor along an axis.
fn joined(parts: Vec<Tensor>, axis: usize) -> CandleResult<Tensor> {
    match &parts[..] {
        [one] => Ok(one.clone()),
        several => Tensor::cat(several, axis),
    }
}
