//! Convolutions of each channel by itself, over one or two spatial axes, with a kernel of weights.

use super::windows::{geometry, image_kernel};
use crate::native::fused::Fused;
use crate::native::io::rejected;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use crate::native::want::{Format, Want};
use tfjs_ir::Prim;
use tfjs_ir::window::Window;
use tfjs_kernels::depthwise_conv2d;
use tfjs_manifest::Result;

#[derive(Debug)]
struct Depthwise {
    windows: Vec<Window>,
    fused: Fused,
}

/// A convolution with as many groups as channels. Its kernel `[.., 1, channels * multiplier]` lies in memory as the
/// kernel `[.., channels, multiplier]` of the layer does.
pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::Conv(conv), &[x, kernel]) = (&node.prim, &node.operands[..]) else { return None };
    let (kernel, dims) = view.derived_f32(kernel)?;
    let [h, w, inner, filters] = image_kernel(dims)?;
    let channels = conv.groups;
    if inner != 1 || channels < 2 || filters.checked_rem(channels) != Some(0) {
        return None;
    }
    let shape = [h, w, channels, filters / channels];
    let want = Want::Packed(kernel, Format::Depthwise { shape });
    let kernel = Depthwise { windows: conv.windows.clone(), fused: Fused::new(filters) };
    Some(Claim::of(kernel, index, [x], node.results.clone()).with_wants([want]).with_benefit(3))
}

impl Kernel for Depthwise {
    fn describe(&self) -> String {
        self.fused.describe("depthwise_conv2d")
    }

    fn fused(&mut self) -> Option<&mut Fused> {
        Some(&mut self.fused)
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let fused = self.fused;
        let geometry = geometry(&self.windows, shapes.operand(), shapes.result(), 1)?;
        let batch = shapes.result().first().copied().unwrap_or(0);
        Ok(Prepared::new(move |io| {
            let (x, kernel, epilogue) = (io.ins.get::<f32>(0)?, io.depthwise(0)?, fused.epilogue(io)?);
            let cpu = io.cx.cpu;
            depthwise_conv2d(cpu, batch, &geometry, x, kernel, io.outs.get(0)?, &epilogue).map_err(rejected)?;
            fused.finish(io)
        }))
    }
}
