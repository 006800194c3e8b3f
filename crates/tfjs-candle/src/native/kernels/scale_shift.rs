//! A scale and a shift for each channel that are not fused into a preceding kernel, then an activation, in place.

use crate::native::fused::Fused;
use crate::native::io::rejected;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use crate::native::want::Want;
use tfjs_ir::Prim;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_kernels::{activate, scale_shift};
use tfjs_manifest::Result;

#[derive(Debug)]
struct ScaleShift {
    fused: Fused,
    channels: usize,
}

/// Claims a product or a sum of a value and a vector of weights, with the nodes that follow it.
pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Binary(binary), &[a, b]) = (&node.prim, &node.operands[..]) else { return None };
    let (x, vector) = if view.is_computed(a) { (a, b) } else { (b, a) };
    let channels = view.trailing(x, 1)?;
    let id = view.vector(vector, x, channels)?;
    if channels == 0 || view.dims(node.results[0]) != view.dims(x) {
        return None;
    }
    let mut fused = Fused::without_residual(channels);
    match binary.op {
        BinaryOp::Mul => fused.scale = Some(0),
        BinaryOp::Add => fused.shift = Some(0),
        _ => return None,
    }
    let kernel = ScaleShift { fused, channels };
    let want = Want::Vector(id, channels);
    Some(Claim::of(kernel, index, [x], node.results.clone()).with_wants([want]).with_benefit(2))
}

impl Kernel for ScaleShift {
    fn describe(&self) -> String {
        self.fused.describe("scale_shift")
    }

    fn fused(&mut self) -> Option<&mut Fused> {
        Some(&mut self.fused)
    }

    fn overwrites(&self) -> &[usize] {
        &[0]
    }

    fn prepare(&self, _shapes: &Shapes<'_>) -> Result<Prepared> {
        let Self { fused, channels } = *self;
        Ok(Prepared::new(move |io| {
            let epilogue = fused.epilogue(io)?;
            let cpu = io.cx.cpu;
            let values = io.first_holding(0)?;
            scale_shift(cpu, channels, epilogue.scale, epilogue.shift, values).map_err(rejected)?;
            activate(cpu, fused.activation(), values);
            fused.finish(io)
        }))
    }
}
