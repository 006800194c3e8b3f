//! Transposed convolutions that could not be rewritten as convolutions: one product for each tap, whose rows are added
//! to the pixels under the tap.

use super::spread::count;
use super::taps::Taps;
use crate::native::io::{Io, rejected};
use crate::native::kernel::{Claim, Kernel, Prepared, Shapes};
use crate::native::view::View;
use crate::native::want::padded;
use tfjs_ir::Prim;
use tfjs_ir::window::Window;
use tfjs_kernels::{Epilogue, PackedMatrix, gemm};
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
struct ConvInput {
    windows: Vec<Window>,
    groups: usize,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::ConvInput(conv), &[dy, kernel]) = (&node.prim, &node.operands[..]) else { return None };
    let of = ConvInput { windows: conv.windows.clone(), groups: conv.groups };
    (view.is_f32(dy) && conv.groups > 0).then(|| Claim::of(of, index, [dy, kernel], node.results.clone()))
}

impl Kernel for ConvInput {
    fn describe(&self) -> String {
        "conv_input".to_string()
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let misfit = || Error::bug("windows over values of another rank");
        let dy = shapes.operand();
        let ([batch, lengths @ .., channels], [_, outputs @ .., filters]) = (shapes.result(), dy) else {
            return Err(misfit());
        };
        let spread = Spread {
            positions: batch * count(outputs),
            seen: Taps::new(&self.windows, *batch, lengths, outputs),
            groups: self.groups,
            channels: *channels,
            filters: *filters,
        };
        let inner = channels / self.groups;
        let scratch = inner * spread.positions + padded(filters / self.groups, inner);
        Ok(Prepared::new(move |io| spread.run(io)).with_scratch(scratch))
    }
}

/// The transposed convolution for the shapes of a call.
#[derive(Debug)]
struct Spread {
    /// The number of windows of the whole batch.
    positions: usize,
    seen: Taps,
    groups: usize,
    channels: usize,
    filters: usize,
}

impl Spread {
    fn run(&self, io: &mut Io<'_>) -> Result<()> {
        let Spread { positions, groups, channels, filters, .. } = *self;
        let (dy, kernel, cpu) = (io.ins.get::<f32>(0)?, io.ins.get::<f32>(1)?, io.cx.cpu);
        let out = io.outs.get::<f32>(0)?;
        out.fill(0.0);
        if dy.is_empty() || kernel.is_empty() {
            // The result stays 0.
            return Ok(());
        }
        let (inner, width) = (channels / groups, filters / groups);
        let mut packed = PackedMatrix::zeroed(cpu.isa(), width, inner).map_err(rejected)?;
        let mut rows = vec![0.0; positions * inner];
        for group in 0..groups {
            for (tap, of_tap) in kernel.chunks_exact((inner * filters).max(1)).enumerate() {
                io.cx.check_deadline()?;
                // The transpose of the tap's `inner` rows.
                packed.fill(&of_tap[group * width..], 1, filters).map_err(rejected)?;
                let adjoint = &dy[group * width..];
                gemm(cpu, positions, adjoint, filters, &packed, &mut rows, inner, &Epilogue::default())
                    .map_err(rejected)?;
                let mut from = rows.chunks_exact(inner.max(1));
                self.seen.walk(tap, &mut |pixel| {
                    if let (Some(row), Some(pixel)) = (from.next(), pixel) {
                        let to = &mut out[pixel * channels + group * inner..];
                        to.iter_mut().zip(row).for_each(|(to, x)| *to += x);
                    }
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::native::tests::{check, input, weight, windows};
    use tfjs_ir::ElementType::F32;

    /// Windows with `same` padding over an axis of unknown length are not rewritten as convolutions.
    #[test]
    fn gradients_of_operands() {
        for (window, groups) in [("3/2:same", 1), ("4/3:same", 1), ("3/2:same", 2), ("2/2:same", 4), ("3*2:same", 1)] {
            for axes in 1..=2 {
                let sizes = ["n", "h", "5", "4"];
                let dims: Vec<&str> = sizes[..=axes].iter().chain(&sizes[3..]).copied().collect();
                let build = |b: &mut tfjs_ir::Builder| {
                    let x = input(b, F32, &dims);
                    let size: usize = window[..1].parse().unwrap();
                    let mut sizes = vec![size; axes];
                    sizes.extend([4 / groups, 8]);
                    let kernel = weight(b, &sizes);
                    let y = b.conv(x, kernel, &windows(window, axes), groups)?;
                    let spatial = b.dims_of(x)[1..=axes].to_vec();
                    b.conv_input(y, kernel, &windows(window, axes), groups, &spatial)
                };
                check(build, &[&[2, 6], &[1, 3], &[0, 4]]);
            }
        }
    }
}
