//! Gradients of products. A product is linear in each operand, so each gradient is another product.

use super::layout::inverse;
use super::rule::{Cx, Rule};
use crate::build::Builder;
use crate::prim::linear::{Conv, ConvInput, ConvKernel, Dot};
use crate::program::Value;
use tfjs_manifest::Result;

impl Rule for Dot {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        let ranks = [cx.operand_type(0)?.rank(), cx.operand_type(1)?.rank()];
        for side in [0, 1] {
            if !cx.needs(side) || super::control::defer(cx, self, ranks, side, dy)? {
                continue;
            }
            let other = cx.operand(1 - side)?;
            let adjoint = adjoint(cx.builder, self, ranks, side, other, dy, None)?;
            cx.give(side, adjoint)?;
        }
        Ok(())
    }
}

/// The adjoint of one operand of a product (0: a, 1: b), given the other operand and the adjoint of the result.
///
/// With `stacked`, the other operand and the adjoint of the result have one more axis at that position, which is summed
/// over: one product then replaces those of all steps of a loop.
pub(super) fn adjoint(
    b: &mut Builder,
    dot: &Dot,
    ranks: [usize; 2],
    side: usize,
    other: Value,
    dy: Value,
    stacked: Option<usize>,
) -> Result<Value> {
    let pick = |pair: &(usize, usize), side: usize| if side == 0 { pair.0 } else { pair.1 };
    let free = |side: usize| -> Vec<usize> {
        let bound: Vec<usize> = dot.batch.iter().chain(&dot.contract).map(|pair| pick(pair, side)).collect();
        (0..ranks[side]).filter(|axis| !bound.contains(axis)).collect()
    };
    let shift = |axis: usize| axis + usize::from(stacked.is_some_and(|stacked| axis >= stacked));
    let (free_here, free_other) = (free(side), free(1 - side));
    // The axes of the result are the batch axes, the free axes of a, the free axes of b.
    let other_in_dy = dot.batch.len() + if side == 0 { free_here.len() } else { 0 };
    let order_pair = |other: usize, dy: usize| if side == 0 { (dy, other) } else { (other, dy) };
    let batch: Vec<_> =
        (dot.batch.iter().enumerate()).map(|(i, pair)| order_pair(shift(pick(pair, 1 - side)), shift(i))).collect();
    let mut contract: Vec<_> =
        (free_other.iter().enumerate()).map(|(i, &axis)| order_pair(shift(axis), shift(other_in_dy + i))).collect();
    contract.extend(stacked.map(|axis| (axis, axis)));
    // For side 0: the adjoint of the result times b. For side 1: a times the adjoint of the result.
    let product = match side {
        0 => b.dot(dy, other, &batch, &contract)?,
        _ => b.dot(other, dy, &batch, &contract)?,
    };
    // For each axis of the product, the axis of the operand that it belongs to.
    let mut summed = dot.contract.clone();
    summed.sort_unstable_by_key(|pair| pick(pair, 1 - side));
    let summed = summed.iter().map(|pair| pick(pair, side));
    let batch = dot.batch.iter().map(|pair| pick(pair, side));
    let axes: Vec<usize> = match side {
        0 => batch.chain(free_here.iter().copied()).chain(summed).collect(),
        _ => batch.chain(summed).chain(free_here.iter().copied()).collect(),
    };
    b.transpose(product, &inverse(&axes))
}

impl Rule for Conv {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dy = cx.dy()?;
        if cx.needs(0) {
            let dims = cx.operand_type(0)?.dims;
            let kernel = cx.operand(1)?;
            let spatial = &dims[1..dims.len() - 1];
            let dx = cx.builder.conv_input(dy, kernel, &self.windows, self.groups, spatial)?;
            cx.give(0, dx)?;
        }
        if cx.needs(1) {
            let x = cx.operand(0)?;
            let dk = cx.builder.conv_kernel(x, dy, &self.windows, self.groups)?;
            cx.give(1, dk)?;
        }
        Ok(())
    }
}

impl Rule for ConvInput {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dx = cx.dy()?;
        if cx.needs(0) {
            let kernel = cx.operand(1)?;
            let adjoint = cx.builder.conv(dx, kernel, &self.windows, self.groups)?;
            cx.give(0, adjoint)?;
        }
        if cx.needs(1) {
            let dy = cx.operand(0)?;
            let adjoint = cx.builder.conv_kernel(dx, dy, &self.windows, self.groups)?;
            cx.give(1, adjoint)?;
        }
        Ok(())
    }
}

impl Rule for ConvKernel {
    fn pull(&self, cx: &mut Cx<'_>) -> Result<()> {
        let dk = cx.dy()?;
        if cx.needs(0) {
            let dims = cx.operand_type(0)?.dims;
            let dy = cx.operand(1)?;
            let spatial = &dims[1..dims.len() - 1];
            let adjoint = cx.builder.conv_input(dy, dk, &self.windows, self.groups, spatial)?;
            cx.give(0, adjoint)?;
        }
        if cx.needs(1) {
            let x = cx.operand(0)?;
            let adjoint = cx.builder.conv(x, dk, &self.windows, self.groups)?;
            cx.give(1, adjoint)?;
        }
        Ok(())
    }
}
