//! Convolutions of any rank, stride, dilation and number of groups, as products of matrices.
//!
//! candle's own have one stride, dilation and padding for both axes, two axes at most, channels first, and treat the
//! channels of a depthwise convolution one by one.

use super::layout::surround;
use super::math::product;
use super::reduce::sum;
use super::taps::{Laid, Taps, meets_nothing};
use candle_core::{Result, Tensor};

/// A convolution, its windows laid along the axes of its input.
#[derive(Debug)]
pub(super) struct Convolution {
    pub(super) taps: Vec<Taps>,
    pub(super) batch: usize,
    pub(super) channels: usize,
    pub(super) filters: usize,
    pub(super) groups: usize,
}

impl Convolution {
    /// Whether some product is made at all: otherwise every result is 0.
    pub(super) fn meets(&self) -> bool {
        self.taps.iter().all(|t| !t.indices.is_empty()) && self.batch > 0 && self.channels > 0 && self.filters > 0
    }

    /// The windows of the whole batch.
    fn rows(&self) -> usize {
        self.batch * self.taps.iter().map(|t| t.outputs).product::<usize>()
    }

    /// The elements of a window that meet the input.
    fn elements(&self) -> usize {
        self.taps.iter().map(|t| t.indices.len()).product()
    }

    /// Whether each channel has filters of its own: then sums of products are less work than products of matrices.
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

    /// `[n, p.., filters]` of `x [n, s.., channels]`.
    pub(super) fn forward(&self, x: &Tensor, kernel: &Tensor) -> Result<Tensor> {
        let kernel = self.kernel(kernel)?;
        if self.is_depthwise() {
            return self.depthwise(x, &kernel);
        }
        let (rows, elements, inner) = (self.rows(), self.elements(), self.inner());
        let windows = self.windows(x)?;
        let out = if self.groups == 1 {
            let windows = windows.reshape((1, rows, elements * inner))?;
            product(&windows, &kernel.reshape((1, elements * inner, self.filters))?)?
        } else {
            // [groups, rows, elements * inner] times [groups, elements * inner, block]
            let windows = windows.reshape((rows, elements, self.groups, inner))?.permute((2, 0, 1, 3))?;
            let windows = windows.contiguous()?.reshape((self.groups, rows, elements * inner))?;
            let kernel = kernel.reshape((elements * inner, self.groups, self.block()))?.permute((1, 0, 2))?;
            product(&windows, &kernel.contiguous()?)?.permute((1, 0, 2))?
        };
        out.reshape(self.output_dims())
    }

    /// A sum of scaled copies, one for each element of the window: channels do not mix.
    fn depthwise(&self, x: &Tensor, kernel: &Tensor) -> Result<Tensor> {
        let (channels, block) = (self.channels, self.block());
        let kernel = kernel.reshape((self.elements(), channels, block))?;
        let mut total: Option<Tensor> = None;
        for (tap, view) in Laid::new(x, &self.taps, 0.0)?.views()?.into_iter().enumerate() {
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
        total.ok_or_else(meets_nothing)?.reshape(self.output_dims())
    }

    /// The transpose in the input: `[n, s.., channels]` of `dy [n, p.., filters]`.
    pub(super) fn input(&self, dy: &Tensor, kernel: &Tensor) -> Result<Tensor> {
        let kernel = self.kernel(kernel)?;
        let (rows, elements, inner, block) = (self.rows(), self.elements(), self.inner(), self.block());
        // What every position gives to every element of its window: [rows, elements, channels].
        let spread = if self.is_depthwise() {
            let kernel = kernel.reshape((elements, self.channels, block))?;
            let spread = dy.reshape((rows, 1, self.channels, block))?.broadcast_mul(&kernel)?;
            if block == 1 { spread } else { spread.sum_keepdim(3)? }
        } else if self.groups == 1 {
            let kernel = kernel.reshape((1, elements * inner, self.filters))?.transpose(1, 2)?;
            product(&dy.contiguous()?.reshape((1, rows, self.filters))?, &kernel)?
        } else {
            // [groups, rows, block] times [groups, block, elements * inner]
            let kernel = kernel.reshape((elements * inner, self.groups, block))?.permute((1, 2, 0))?;
            let dy = dy.reshape((rows, self.groups, block))?.permute((1, 0, 2))?;
            let spread = product(&dy.contiguous()?, &kernel.contiguous()?)?;
            spread.reshape((self.groups, rows, elements, inner))?.permute((1, 2, 0, 3))?
        };
        let mut dims = vec![self.batch];
        dims.extend(self.taps.iter().map(|t| t.outputs));
        dims.extend(self.taps.iter().map(|t| t.indices.len()));
        dims.push(self.channels);
        // Positions and elements of each axis side by side.
        let axes = self.taps.len();
        let mut order = vec![0];
        order.extend((0..axes).flat_map(|i| [1 + i, 1 + axes + i]));
        order.push(2 * axes + 1);
        let spread = spread.reshape(dims)?.permute(order)?;
        self.taps.iter().try_fold(spread, |x, t| t.scatter(&x))
    }

    /// The gradient in the kernel, of these sizes: `[k.., channels / groups, filters]`.
    pub(super) fn kernel_gradient(&self, x: &Tensor, dy: &Tensor, sizes: &[usize]) -> Result<Tensor> {
        let (rows, elements, inner, block) = (self.rows(), self.elements(), self.inner(), self.block());
        let out = if self.is_depthwise() {
            let dy = dy.reshape((rows, self.channels, block))?;
            let view = |view: Tensor| sum(&view.reshape((rows, self.channels, 1))?.broadcast_mul(&dy)?, &[0]);
            let views = Laid::new(x, &self.taps, 0.0)?.views()?;
            Tensor::stack(&views.into_iter().map(view).collect::<Result<Vec<Tensor>>>()?, 0)?
        } else if self.groups == 1 {
            let windows = self.windows(x)?.reshape((1, rows, elements * inner))?.transpose(1, 2)?;
            product(&windows, &dy.contiguous()?.reshape((1, rows, self.filters))?)?
        } else {
            // [groups, elements * inner, rows] times [groups, rows, block]
            let windows = self.windows(x)?.reshape((rows, elements, self.groups, inner))?.permute((2, 1, 3, 0))?;
            let windows = windows.contiguous()?.reshape((self.groups, elements * inner, rows))?;
            let dy = dy.reshape((rows, self.groups, block))?.permute((1, 0, 2))?.contiguous()?;
            product(&windows, &dy)?.permute((1, 0, 2))?
        };
        let mut dims: Vec<usize> = self.taps.iter().map(|t| t.indices.len()).collect();
        dims.extend([inner, self.filters]);
        let zero = Tensor::zeros((), out.dtype(), out.device())?;
        let mut out = out.reshape(dims)?;
        // Elements that meet nothing change nothing.
        for (axis, (t, size)) in self.taps.iter().zip(sizes).enumerate() {
            out = surround(&out, axis, t.indices.start, size - t.indices.end, &zero)?;
        }
        Ok(out)
    }

    /// Every window as a row: `[rows, elements * channels]`, in this order, with any axes.
    fn windows(&self, x: &Tensor) -> Result<Tensor> {
        let views = Laid::new(x, &self.taps, 0.0)?.views()?;
        match &views[..] {
            [one] => one.contiguous(),
            all => {
                let rank = self.taps.len() + 2;
                let order: Vec<usize> = (1..rank).chain([0, rank]).collect();
                Tensor::stack(all, 0)?.permute(order)?.contiguous()
            }
        }
    }

    /// The elements of the kernel that meet the input.
    fn kernel(&self, kernel: &Tensor) -> Result<Tensor> {
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
