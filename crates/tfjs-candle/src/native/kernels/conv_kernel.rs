//! The gradient of a convolution with respect to its kernel: for each tap, a product of the operand and the adjoint.

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
struct ConvKernel {
    windows: Vec<Window>,
    groups: usize,
}

pub(super) fn claim(view: View<'_>, index: usize) -> Option<Claim> {
    let node = view.node(index);
    let (Prim::ConvKernel(conv), &[x, dy]) = (&node.prim, &node.operands[..]) else { return None };
    let kernel = ConvKernel { windows: conv.windows.clone(), groups: conv.groups };
    (view.is_f32(x) && conv.groups > 0).then(|| Claim::of(kernel, index, [x, dy], node.results.clone()))
}

impl Kernel for ConvKernel {
    fn describe(&self) -> String {
        "conv_kernel".to_string()
    }

    fn prepare(&self, shapes: &Shapes<'_>) -> Result<Prepared> {
        let misfit = || Error::bug("windows over values of another rank");
        let [x, dy] = &shapes.operands[..] else { return Err(misfit()) };
        let ([batch, lengths @ .., channels], [_, outputs @ .., filters]) = (&x[..], &dy[..]) else {
            return Err(misfit());
        };
        let seen = Taps::new(&self.windows, *batch, lengths, outputs);
        let sum = ConvSum {
            positions: batch * count(outputs),
            seen,
            groups: self.groups,
            channels: *channels,
            filters: *filters,
        };
        let scratch = sum.positions * (channels / self.groups) + padded(sum.positions, filters / self.groups);
        Ok(Prepared::new(move |io| sum.run(io)).with_scratch(scratch))
    }
}

/// The gradient for the shapes of a call.
#[derive(Debug)]
struct ConvSum {
    /// The number of windows of the whole batch.
    positions: usize,
    seen: Taps,
    groups: usize,
    channels: usize,
    filters: usize,
}

impl ConvSum {
    fn run(&self, io: &mut Io<'_>) -> Result<()> {
        let ConvSum { positions, groups, filters, .. } = *self;
        let (x, dy, cpu) = (io.ins.get::<f32>(0)?, io.ins.get::<f32>(1)?, io.cx.cpu);
        let out = io.outs.get::<f32>(0)?;
        if x.is_empty() || dy.is_empty() {
            // An empty sum is 0.
            out.fill(0.0);
            return Ok(());
        }
        let (inner, width) = (self.channels / groups, filters / groups);
        let mut packed = PackedMatrix::zeroed(cpu.isa(), positions, width).map_err(rejected)?;
        let mut seen = vec![0.0; inner * positions];
        for group in 0..groups {
            packed.fill(&dy[group * width..], filters, 1).map_err(rejected)?;
            for (tap, of_tap) in out.chunks_exact_mut((inner * filters).max(1)).enumerate() {
                io.cx.check_deadline()?;
                self.gather(x, tap, group * inner, &mut seen);
                let to = &mut of_tap[group * width..];
                gemm(cpu, inner, &seen, positions, &packed, to, filters, &Epilogue::default()).map_err(rejected)?;
            }
        }
        Ok(())
    }

    /// The pixels under a tap in each window, 0 for padding: a row for each channel of a group, starting at `first`.
    fn gather(&self, x: &[f32], tap: usize, first: usize, seen: &mut [f32]) {
        let mut position = 0;
        let mut put = |pixel: Option<usize>| {
            let channels = pixel.map(|pixel| &x[pixel * self.channels + first..]);
            for (channel, row) in seen.chunks_exact_mut(self.positions).enumerate() {
                row[position] = channels.map_or(0.0, |channels| channels[channel]);
            }
            position += 1;
        };
        self.seen.walk(tap, &mut put);
    }
}

#[cfg(test)]
mod tests {
    use crate::native::tests::{check, input, windows};
    use tfjs_ir::ElementType::F32;

    #[test]
    fn gradients_of_kernels() {
        for (window, groups) in
            [("3:same", 1), ("3/2:same", 1), ("2*2:valid", 1), ("3/2:1,0", 1), ("2:same", 2), ("3:same", 4)]
        {
            // The test starts from a convolution, and volumes in groups have no kernel.
            for axes in 1..=if groups == 1 { 3 } else { 2 } {
                let sizes = ["n", "h", "5", "4", "4"];
                let dims: Vec<&str> = sizes[..=axes].iter().chain(&sizes[4..]).copied().collect();
                let build = |b: &mut tfjs_ir::Builder| {
                    let x = input(b, F32, &dims);
                    let kernel: Vec<_> = std::iter::repeat_n(window[..1].parse().unwrap(), axes).collect();
                    let ones: Vec<_> = kernel.into_iter().chain([4 / groups, 4]).map(|n| b.number(n)).collect();
                    let ones = b.full(F32, &ones, 0.5)?;
                    let y = b.conv(x, ones, &windows(window, axes), groups)?;
                    b.conv_kernel(x, y, &windows(window, axes), groups)
                };
                check(build, &[&[2, 6], &[1, 3], &[0, 4]]);
            }
        }
    }
}
