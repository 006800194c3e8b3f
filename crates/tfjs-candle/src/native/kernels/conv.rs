//! Convolutions over one or two spatial axes. A derived kernel is packed once, a computed one at each step.

use super::windows::{geometry, image_kernel};
use crate::native::derived::known_dims;
use crate::native::fused::Fused;
use crate::native::io::rejected;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use crate::native::want::{Format, Want, packed_floats};
use tfjs_ir::Prim;
use tfjs_ir::window::Window;
use tfjs_kernels::{PackedConv2d, conv2d};
use tfjs_manifest::Result;

#[derive(Debug)]
struct Conv {
    windows: Vec<Window>,
    groups: usize,
    /// The shape of a computed kernel, which is the second operand.
    computed: Option<[usize; 4]>,
    fused: Fused,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Conv(conv), &[x, kernel]) = (&node.prim, &node.operands[..]) else { return None };
    let shape = image_kernel(&known_dims(&view.program.dims, view.dims(kernel))?)?;
    let (windows, groups, fused) = (conv.windows.clone(), conv.groups, Fused::new(shape[3]));
    let claim = match view.derived_f32(kernel) {
        Some((id, _)) => {
            let format = Format::Conv { shape, groups };
            let want = Want::Packed(id, format);
            if !view.spare(&want, format.padding()) {
                return None;
            }
            let conv = Conv { windows, groups, computed: None, fused };
            Claim::of(conv, index, [x], node.results.clone()).with_wants([want])
        }
        None => {
            let conv = Conv { windows, groups, computed: Some(shape), fused };
            (view.is_f32(kernel) && !shape.contains(&0))
                .then(|| Claim::of(conv, index, [x, kernel], node.results.clone()))?
        }
    };
    Some(claim.with_benefit(2))
}

impl Kernel for Conv {
    fn describe(&self) -> String {
        self.fused.describe("conv2d")
    }

    fn fused(&mut self) -> Option<&mut Fused> {
        Some(&mut self.fused)
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let Conv { computed, groups, fused, .. } = *self;
        let geometry = geometry(&self.windows, shapes.operand(), shapes.result(), self.groups)?;
        let batch = shapes.result().first().copied().unwrap_or(0);
        Ok(Prepared::new(move |io| {
            let (x, epilogue) = (io.ins.get::<f32>(0)?, fused.epilogue(io)?);
            let cpu = io.cx.cpu;
            let packed;
            let kernel = match computed {
                None => io.conv(0)?,
                Some(shape) => {
                    packed = PackedConv2d::pack(cpu.isa(), shape, groups, io.ins.get(1)?).map_err(rejected)?;
                    &packed
                }
            };
            conv2d(cpu, batch, &geometry, x, kernel, io.outs.get(0)?, &epilogue).map_err(rejected)?;
            fused.finish(io)
        })
        .with_scratch(computed.map_or(0, |shape| packed_floats(shape, groups))))
    }
}
