//! Depthwise convolutions over one or two spatial axes. A derived kernel is packed once, a computed one at each step.

use super::spread::count;
use super::windows::{geometry, image_kernel};
use crate::native::derived::known_dims;
use crate::native::fused::Fused;
use crate::native::io::rejected;
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use crate::native::want::{Format, Want, padded};
use tfjs_ir::Prim;
use tfjs_ir::window::Window;
use tfjs_kernels::{PackedDepthwise, depthwise_conv2d};
use tfjs_manifest::Result;

#[derive(Debug)]
struct Depthwise {
    windows: Vec<Window>,
    /// The shape of a computed kernel, which is the second operand.
    computed: Option<[usize; 4]>,
    multiplier: usize,
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
    let (windows, multiplier, fused) = (conv.windows.clone(), shape[3], Fused::new(filters));
    let claim = match view.derived_f32(kernel) {
        Some((id, _)) => {
            let format = Format::Depthwise { shape };
            let want = Want::Packed(id, format);
            if !view.spare(&want, format.padding()) {
                return None;
            }
            let conv = Depthwise { windows, computed: None, multiplier, fused };
            Claim::of(conv, index, [x], node.results.clone()).with_wants([want])
        }
        None => {
            let conv = Depthwise { windows, computed: Some(shape), multiplier, fused };
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
        let Depthwise { computed, multiplier, fused, .. } = *self;
        let geometry = geometry(&self.windows, shapes.operand(), shapes.result(), 1)?;
        let batch = shapes.result().first().copied().unwrap_or(0);
        // The channels of the input are repeated, and a computed kernel is packed.
        let repeated = if multiplier > 1 { count(shapes.operand()).saturating_mul(multiplier) } else { 0 };
        let packed = computed.map_or(0, |[h, w, channels, multiplier]| padded(h * w, channels * multiplier));
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
        .with_scratch(repeated.saturating_add(packed)))
    }
}

#[cfg(test)]
mod tests {
    use crate::native::tests::{Case, input, weight, windows};
    use tfjs_ir::ElementType::F32;
    use tfjs_manifest::Kind;

    #[test]
    fn repeated_channels_are_counted() {
        let case = Case::new(|b| {
            let x = input(b, F32, &["1", "n", "1", "2"]);
            let kernel = weight(b, &[1, 1, 1, 200]);
            Ok(vec![b.conv(x, kernel, &windows("1/1000:valid", 2), 2)?])
        });
        assert!(case.kernels()[0].contains("depthwise"), "{:?}", case.kernels());
        let inputs = case.inputs(&[1000], 1);
        // The output counts twice: in its buffer, and copied out of it.
        case.run_with(&inputs, &[], 2000 * 100 * 4 + 2 * 200 * 4, None).unwrap();
        let error = case.run_with(&inputs, &[], 2000 * 100 * 4 - 1, None).unwrap_err();
        assert_eq!(error.kind(), Kind::Limit, "{error}");
    }
}
