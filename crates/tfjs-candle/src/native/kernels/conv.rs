//! Convolutions over one or two spatial axes with a kernel of weights.

use super::windows::{geometry, image_kernel};
use crate::native::fused::Fused;
use crate::native::io::rejected;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use crate::native::want::{Format, Want};
use tfjs_ir::Prim;
use tfjs_ir::window::Window;
use tfjs_kernels::conv2d;
use tfjs_manifest::Result;

#[derive(Debug)]
struct Conv {
    windows: Vec<Window>,
    groups: usize,
    fused: Fused,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Conv(conv), &[x, kernel]) = (&node.prim, &node.operands[..]) else { return None };
    let (kernel, dims) = view.derived_f32(kernel)?;
    let shape = image_kernel(dims)?;
    let groups = conv.groups;
    let want = Want::Packed(kernel, Format::Conv { shape, groups });
    let kernel = Conv { windows: conv.windows.clone(), groups, fused: Fused::new(shape[3]) };
    Some(Claim::of(kernel, index, [x], node.results.clone()).with_wants([want]).with_benefit(2))
}

impl Kernel for Conv {
    fn describe(&self) -> String {
        self.fused.describe("conv2d")
    }

    fn fused(&mut self) -> Option<&mut Fused> {
        Some(&mut self.fused)
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let fused = self.fused;
        let geometry = geometry(&self.windows, shapes.operand(), shapes.result(), self.groups)?;
        let batch = shapes.result().first().copied().unwrap_or(0);
        Ok(Prepared::new(move |io| {
            let (x, kernel, epilogue) = (io.ins.get::<f32>(0)?, io.conv(0)?, fused.epilogue(io)?);
            let cpu = io.cx.cpu;
            conv2d(cpu, batch, &geometry, x, kernel, io.outs.get(0)?, &epilogue).map_err(rejected)?;
            fused.finish(io)
        }))
    }
}
