//! Depthwise convolutions over one or two spatial axes. A derived kernel is packed once, a computed one at each step.

use super::windows::{geometry, image_kernel};
use crate::native::derived::known_dims;
use crate::native::fused::Fused;
use crate::native::io::rejected;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use crate::native::want::{Format, Want};
use tfjs_ir::Prim;
use tfjs_ir::window::Window;
use tfjs_kernels::{PackedDepthwise, depthwise_conv2d};
use tfjs_manifest::Result;

#[derive(Debug)]
struct Depthwise {
    windows: Vec<Window>,
    /// The shape of a computed kernel, which is the second operand.
    computed: Option<[usize; 4]>,
    fused: Fused,
}

/// Claims convolutions with as many groups as channels. Their kernel `[.., 1, channels * multiplier]` has the same
/// memory layout as the layer's `[.., channels, multiplier]`.
pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Conv(conv), &[x, kernel]) = (&node.prim, &node.operands[..]) else { return None };
    let [h, w, inner, filters] = image_kernel(&known_dims(&view.program.dims, view.dims(kernel))?)?;
    let channels = conv.groups;
    if inner != 1 || channels < 2 || filters.checked_rem(channels) != Some(0) {
        return None;
    }
    let shape = [h, w, channels, filters / channels];
    let (windows, fused) = (conv.windows.clone(), Fused::new(filters));
    let claim = match view.derived_f32(kernel) {
        Some((id, _)) => {
            let want = Want::Packed(id, Format::Depthwise { shape });
            let conv = Depthwise { windows, computed: None, fused };
            Claim::of(conv, index, [x], node.results.clone()).with_wants([want])
        }
        None => {
            let conv = Depthwise { windows, computed: Some(shape), fused };
            (view.is_f32(kernel) && !shape.contains(&0))
                .then(|| Claim::of(conv, index, [x, kernel], node.results.clone()))?
        }
    };
    Some(claim.with_benefit(3))
}

impl Kernel for Depthwise {
    fn describe(&self) -> String {
        self.fused.describe("depthwise_conv2d")
    }

    fn fused(&mut self) -> Option<&mut Fused> {
        Some(&mut self.fused)
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let Depthwise { computed, fused, .. } = *self;
        let geometry = geometry(&self.windows, shapes.operand(), shapes.result(), 1)?;
        let batch = shapes.result().first().copied().unwrap_or(0);
        Ok(Prepared::new(move |io| {
            let (x, epilogue) = (io.ins.get::<f32>(0)?, fused.epilogue(io)?);
            let cpu = io.cx.cpu;
            let packed;
            let kernel = match computed {
                None => io.depthwise(0)?,
                Some(shape) => {
                    packed = PackedDepthwise::pack(cpu.isa(), shape, io.ins.get(1)?).map_err(rejected)?;
                    &packed
                }
            };
            depthwise_conv2d(cpu, batch, &geometry, x, kernel, io.outs.get(0)?, &epilogue).map_err(rejected)?;
            fused.finish(io)
        })
        .with_scratch(computed.map_or(0, |shape| shape.iter().product())))
    }
}
