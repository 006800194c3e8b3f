//! Rearrangements: reshape, transpose, broadcast, slice, pad, concat, reverse. They are views where candle has them.

use super::error::Result;
use super::execute::Site;
use super::typed::Typed;
use super::{Results, Rule, take, tensors};
use candle_core::Tensor;
use tfjs_ir::prim::layout::{Broadcast, Concat, Pad, Reshape, Reverse, Slice, Transpose};
use tfjs_manifest::Error;

impl Rule for Reshape {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = tensors(operands)?;
        site.one(x.reshape(&site.expected(0)?.dims[..])?)
    }
}

impl Rule for Transpose {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = tensors(operands)?;
        site.one(x.permute(self.order.clone())?)
    }
}

impl Rule for Broadcast {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = tensors(operands)?;
        let dims = &site.expected(0)?.dims;
        let mut placed = vec![1; dims.len()];
        for (&axis, &dim) in self.axes.iter().zip(x.dims()) {
            *placed.get_mut(axis).ok_or_else(|| Error::bug("a broadcast to an axis that does not exist"))? = dim;
        }
        site.one(x.reshape(placed)?.broadcast_as(&dims[..])?)
    }
}

impl Rule for Slice {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = tensors(operands)?;
        let mut out = x.clone();
        for (axis, range) in self.ranges.iter().enumerate() {
            let (start, len) = (site.dim(range.start)?, site.dim(range.len)?);
            // With a single element the step is not used, so any size is valid.
            let step = if len > 1 { usize::try_from(range.step).unwrap_or(usize::MAX) } else { 1 };
            let last = len.saturating_sub(1).checked_mul(step).and_then(|span| span.checked_add(start));
            if len > 0 && last.is_none_or(|last| last >= x.dims()[axis]) {
                return Err(Error::mismatch(format!("a slice outside of shape {:?}", x.dims())).into());
            }
            out = match step {
                1 => out.narrow(axis, start, len)?,
                _ => pick(&out, axis, (0..len).map(|i| start + i * step))?,
            };
        }
        site.one(out)
    }
}

/// The elements of an axis at these positions, which must exist.
fn pick(x: &Tensor, axis: usize, positions: impl Iterator<Item = usize>) -> Result<Tensor> {
    let positions = positions.map(u32::try_from).collect::<std::result::Result<Vec<u32>, _>>();
    let positions = positions.map_err(|_| Error::limit("an axis of more than 2^32 elements"))?;
    let count = positions.len();
    Ok(x.contiguous()?.index_select(&Tensor::from_vec(positions, count, x.device())?, axis)?)
}

impl Rule for Reverse {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = tensors(operands)?;
        let mut out = x.clone();
        for &axis in &self.axes {
            out = reversed(&out, axis)?;
        }
        site.one(out)
    }
}

/// Reverses an axis.
pub(super) fn reversed(x: &Tensor, axis: usize) -> Result<Tensor> {
    match x.dims()[axis] {
        0 | 1 => Ok(x.clone()),
        count => pick(x, axis, (0..count).rev()),
    }
}

impl Rule for Pad {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let [x] = take(operands)?;
        let (element, tensor) = (x.element(), x.tensor()?);
        if tensor.elem_count() == 0 {
            return site.full(self.value);
        }
        let value = Typed::full(element, self.value, &[], site.device())?;
        let value = value.tensor()?;
        let mut out = tensor.clone();
        for (axis, padding) in self.padding.iter().enumerate() {
            // An axis of one element has no interior padding, whatever its size.
            if padding.interior > 0 && out.dims()[axis] > 1 {
                let interior =
                    usize::try_from(padding.interior).map_err(|_| Error::limit("padding that is too large"))?;
                out = spread(&out, axis, interior, value)?;
            }
            out = surround(&out, axis, site.dim(padding.low)?, site.dim(padding.high)?, value)?;
        }
        site.one(out)
    }
}

/// Pads an axis with a value.
pub(super) fn surround(
    x: &Tensor,
    axis: usize,
    low: usize,
    high: usize,
    value: &Tensor,
) -> candle_core::Result<Tensor> {
    let block = |length: usize| {
        let mut dims = x.dims().to_vec();
        dims[axis] = length;
        value.broadcast_as(dims)?.contiguous()
    };
    let mut parts = Vec::with_capacity(3);
    if low > 0 {
        parts.push(block(low)?);
    }
    parts.push(x.contiguous()?);
    if high > 0 {
        parts.push(block(high)?);
    }
    Tensor::cat(&parts, axis)
}

/// Inserts `interior` copies of a value between the elements of an axis.
fn spread(x: &Tensor, axis: usize, interior: usize, value: &Tensor) -> candle_core::Result<Tensor> {
    let mut dims = x.dims().to_vec();
    let count = dims[axis];
    let spread = surround(&x.contiguous()?.unsqueeze(axis + 1)?, axis + 1, 0, interior, value)?;
    dims[axis] = count * (interior + 1);
    // Remove the padding after the last element.
    spread.reshape(dims)?.narrow(axis, 0, (count - 1) * (interior + 1) + 1)
}

impl Rule for Concat {
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
        let parts = operands.iter().map(Typed::tensor).collect::<Result<Vec<&Tensor>>>()?;
        let parts = parts.into_iter().filter(|part| part.elem_count() > 0).map(Tensor::contiguous);
        let parts = parts.collect::<candle_core::Result<Vec<Tensor>>>()?;
        site.one(Tensor::cat(&parts, self.axis)?)
    }
}
