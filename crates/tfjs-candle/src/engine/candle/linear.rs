//! Contractions, and convolutions with their gradients.

use super::convolve::Convolution;
use super::error::Result;
use super::execute::Site;
use super::math::{multipliable, product_until};
use super::taps::Taps;
use super::typed::Typed;
use super::{Results, Rule, tensors};
use candle_core::Tensor;
use tfjs_ir::prim::linear::{Conv, ConvInput, ConvKernel, Dot};
use tfjs_ir::window::Window;
use tfjs_manifest::Error;

impl Rule for Dot {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [a, b] = tensors(operands)?;
        if a.elem_count() == 0 || b.elem_count() == 0 {
            return site.full(0.0);
        }
        let (batch_a, batch_b): (Vec<usize>, Vec<usize>) = self.batch.iter().copied().unzip();
        let (deep_a, deep_b): (Vec<usize>, Vec<usize>) = self.contract.iter().copied().unzip();
        let a = matrices(a, &batch_a, &deep_a)?;
        let b = matrices(b, &batch_b, &deep_b)?.transpose(1, 2)?;
        site.one(product_until(&a, &b, site.deadline())?.reshape(&site.expected(0)?.dims[..])?)
    }
}

/// The tensor as matrices `[batch, free, deep]`. It is copied only if the axes are ordered neither as in such matrices
/// nor as in their transposes.
fn matrices(x: &Tensor, batch: &[usize], deep: &[usize]) -> candle_core::Result<Tensor> {
    let free: Vec<usize> = (0..x.rank()).filter(|axis| !batch.contains(axis) && !deep.contains(axis)).collect();
    let size = |axes: &[usize]| axes.iter().map(|&axis| x.dims()[axis]).product::<usize>();
    let (b, m, k) = (size(batch), size(&free), size(deep));
    let rows = x.permute([batch, &free, deep].concat())?;
    if rows.is_contiguous() {
        return rows.reshape((b, m, k));
    }
    let columns = x.permute([batch, deep, &free].concat())?;
    if columns.is_contiguous() {
        return columns.reshape((b, k, m))?.transpose(1, 2);
    }
    rows.contiguous()?.reshape((b, m, k))
}

impl Rule for Conv {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x, kernel] = tensors(operands)?;
        let convolution = convolution(site, &self.windows, self.groups, x.dims(), kernel.dims().last())?;
        if !convolution.overlaps() {
            return site.full(0.0);
        }
        // The windows of one line of an image are gathered together.
        site.check_scratch(convolution.line_elements().saturating_mul(4) as u64)?;
        site.one(convolution.forward(&multipliable(x)?, &multipliable(kernel)?)?.to_dtype(x.dtype())?)
    }
}

impl Rule for ConvInput {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [dy, kernel] = tensors(operands)?;
        let convolution = convolution(site, &self.windows, self.groups, &site.expected(0)?.dims, dy.dims().last())?;
        if !convolution.overlaps() {
            return site.full(0.0);
        }
        // The contribution of each position to each element of its window.
        site.check_scratch(convolution.image_elements().saturating_mul(4) as u64)?;
        site.one(convolution.input(&multipliable(dy)?, &multipliable(kernel)?)?.to_dtype(dy.dtype())?)
    }
}

impl Rule for ConvKernel {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x, dy] = tensors(operands)?;
        let convolution = convolution(site, &self.windows, self.groups, x.dims(), dy.dims().last())?;
        if !convolution.overlaps() {
            return site.full(0.0);
        }
        let windows = convolution.image_elements().saturating_mul(convolution.batch);
        site.check_scratch(windows.saturating_mul(4) as u64)?;
        let sizes: Vec<usize> = self.windows.iter().map(|window| window.size).collect();
        site.one(convolution.kernel_gradient(&multipliable(x)?, &multipliable(dy)?, &sizes)?.to_dtype(x.dtype())?)
    }
}

/// Lays windows along the spatial axes of an input `[n, s.., c]`.
fn convolution(
    site: &Site<'_>,
    windows: &[Window],
    groups: usize,
    input: &[usize],
    filters: Option<&usize>,
) -> Result<Convolution> {
    let ([batch, spatial @ .., channels], Some(&filters)) = (input, filters) else {
        return Err(Error::bug("a convolution of a vector").into());
    };
    let taps = windows.iter().zip(spatial).enumerate();
    let taps = taps.map(|(i, (window, &length))| Ok(Taps::new(window, i + 1, length)?));
    let (taps, deadline) = (taps.collect::<Result<Vec<Taps>>>()?, site.deadline());
    site.check_views(taps.iter().map(|t| t.indices.len()).fold(1, usize::saturating_mul))?;
    Ok(Convolution { taps, batch: *batch, channels: *channels, filters, groups, deadline })
}
