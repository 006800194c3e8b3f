//! Depthwise 2D convolution over channels-last images: each channel has its own window, so there is no matrix product.

use std::ops::Range;

use crate::epilogue::{Epilogue, Finish};
use crate::error::{Result, check_len, check_rule, product};
use crate::isa::Work;
use crate::simd::Simd;
use crate::unroll::unroll4;
use crate::window::{taps_inside, window_start, windows_inside};
use crate::{Conv2dGeometry, Cpu, Isa, PackedWidth, activation, scratch, split, tile};

/// The kernel of a depthwise convolution, with each tap's channels padded to whole vectors.
#[derive(Clone, Debug)]
pub struct PackedDepthwise {
    isa: Isa,
    /// `[kernel_h, kernel_w, in_c, multiplier]`
    shape: [usize; 4],
    /// The distance from one tap to the next.
    stride: usize,
    taps: Vec<f32>,
}

impl PackedDepthwise {
    /// Packs `kernel`, laid out `[kernel_h, kernel_w, in_c, multiplier]`; output channel
    /// `c * multiplier + m` is input channel `c` through kernel channel `m`.
    ///
    /// # Errors
    /// If the length does not match.
    pub fn pack(isa: Isa, shape: [usize; 4], kernel: &[f32]) -> Result<Self> {
        check_len("kernel", product("kernel", &shape)?, kernel.len())?;
        let mut packed = Self::zeroed(isa, shape)?;
        let (taps, width) = packed.memory_mut();
        if let Some(PackedWidth { columns, stride }) = width {
            for (to, from) in taps.chunks_exact_mut(stride).zip(kernel.chunks_exact(columns)) {
                to[..columns].copy_from_slice(from);
            }
        }
        Ok(packed)
    }

    /// A kernel of zeros, to be filled through [`memory_mut`](Self::memory_mut).
    ///
    /// # Errors
    /// If it does not fit the address space or memory.
    pub fn zeroed(isa: Isa, shape: [usize; 4]) -> Result<Self> {
        let [kernel_h, kernel_w, in_c, multiplier] = shape;
        let channels = product("kernel", &[in_c, multiplier])?;
        let too_large = || crate::KernelError::TooLarge { what: "kernel" };
        let stride = channels.checked_next_multiple_of(tile::lanes(isa)).ok_or_else(too_large)?;
        let len = product("kernel", &[kernel_h, kernel_w, stride])?;
        let taps = bytemuck::try_zeroed_vec(len).map_err(|()| too_large())?;
        Ok(PackedDepthwise { isa, shape, stride, taps })
    }

    /// The packed floats, and the layout of a tap's channels; `None` if there are no channels.
    pub fn memory_mut(&mut self) -> (&mut [f32], Option<PackedWidth>) {
        let columns = self.shape[2] * self.shape[3];
        let width = (columns > 0).then_some(PackedWidth { columns, stride: self.stride });
        (&mut self.taps, width)
    }

    /// The instruction set that the kernel is packed for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The kernel as passed to [`pack`](Self::pack), bit for bit.
    pub fn unpack(&self) -> Vec<f32> {
        let channels = self.shape[2] * self.shape[3];
        self.taps.chunks_exact(self.stride.max(1)).flat_map(|tap| &tap[..channels]).copied().collect()
    }

    /// `[kernel_h, kernel_w, in_c, multiplier]`.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// Bytes of memory that the kernel takes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.taps.as_slice())
    }
}

/// Convolves each channel of `batch` images and applies the epilogue, whose residual has the layout of
/// `out`. The geometry's `groups` is ignored.
///
/// # Errors
/// If a length or the kernel does not match the geometry, or the geometry is invalid.
pub fn depthwise_conv2d(
    cpu: &Cpu,
    batch: usize,
    geometry: &Conv2dGeometry,
    input: &[f32],
    kernel: &PackedDepthwise,
    out: &mut [f32],
    epilogue: &Epilogue<'_>,
) -> Result<()> {
    let g = geometry;
    g.check()?;
    let [kernel_h, kernel_w, in_c, multiplier] = kernel.shape;
    check_len("kernel height", g.kernel_h, kernel_h)?;
    check_len("kernel width", g.kernel_w, kernel_w)?;
    check_len("kernel input channels", g.in_c, in_c)?;
    check_rule(
        g.in_c.checked_mul(multiplier) == Some(g.out_c),
        "out_c",
        g.out_c,
        "must be the input channels times the kernel's multiplier",
    )?;
    check_len("input", g.input_len(batch)?, input.len())?;
    check_len("out", g.out_len(batch)?, out.len())?;
    epilogue.check(g.out_c, out.len())?;
    if out.is_empty() {
        return Ok(());
    }
    if multiplier == 1 {
        convolve(cpu, g, input, kernel, out, epilogue);
        return Ok(());
    }
    // With each input channel repeated, the multiplier is 1.
    let repeated = product("input", &[input.len(), multiplier])?;
    scratch::with(repeated, |buffer| {
        for (copies, &x) in buffer.chunks_exact_mut(multiplier).zip(input) {
            copies.fill(x);
        }
        let g = Conv2dGeometry { in_c: g.out_c, ..*g };
        convolve(cpu, &g, buffer, kernel, out, epilogue);
    });
    Ok(())
}

/// The convolution after all checks, with as many input channels as output channels.
fn convolve(
    cpu: &Cpu,
    g: &Conv2dGeometry,
    input: &[f32],
    kernel: &PackedDepthwise,
    out: &mut [f32],
    epilogue: &Epilogue<'_>,
) {
    let (finish, rest) = epilogue.split();
    let width = g.out_w * g.out_c;
    let cost = width.saturating_mul(g.kernel_h * g.kernel_w) / 4;
    split::rows(cpu, out, width, cost, |first, part| {
        kernel.isa.run(Rows { cpu, g, input, kernel, first, out: part, finish });
        activation::apply(kernel.isa, rest, part);
    });
}

/// Output rows from `first` on, numbered through all images.
struct Rows<'a> {
    cpu: &'a Cpu,
    g: &'a Conv2dGeometry,
    input: &'a [f32],
    kernel: &'a PackedDepthwise,
    first: usize,
    out: &'a mut [f32],
    finish: Finish,
}

/// Taps of groups of pixels after which the clock is looked at: some tens of milliseconds.
const BETWEEN_LOOKS: usize = 1 << 23;

/// Pixels of an output row computed together.
const PIXELS: usize = 4;

/// Neighbouring output pixels that use the same taps, for some channels.
struct Spot<'a> {
    g: &'a Conv2dGeometry,
    taps: &'a [f32],
    tap_stride: usize,
    /// The image's pixels.
    image: &'a [f32],
    start_y: isize,
    start_x: isize,
    rows: Range<usize>,
    columns: Range<usize>,
    channel: usize,
    /// Channels of the last vector.
    tail: usize,
    /// The first pixel's first channel: a pointer into this part of the output, and the index in the whole output.
    out: *mut f32,
    at: usize,
    finish: Finish,
}

impl Work for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Rows { cpu, g, input, kernel, first, out, finish } = self;
        let between_looks = (BETWEEN_LOOKS / (g.kernel_h * g.kernel_w).max(1)).max(1);
        let mut since = 0;
        let channels = g.out_c;
        let image_len = g.in_h * g.in_w * channels;
        let inside = windows_inside(g.out_w, g.stride_w, g.kernel_w, g.dilation_w, g.pad_left, g.in_w);
        for (i, row) in out.chunks_exact_mut(g.out_w * channels).enumerate() {
            let (image, y) = ((first + i) / g.out_h, (first + i) % g.out_h);
            let image = &input[image * image_len..(image + 1) * image_len];
            let start_y = window_start(y, g.stride_h, g.pad_top);
            let rows = taps_inside(start_y, g.kernel_h, g.dilation_h, g.in_h);
            let mut channel = 0;
            while channel < channels {
                let wide = channel + 2 * S::LANES <= channels;
                let tail = S::LANES.min(channels - channel);
                let mut x = 0;
                while x < g.out_w {
                    since += 1;
                    if since > between_looks {
                        since = 0;
                        if cpu.is_late() {
                            return;
                        }
                    }
                    let start_x = window_start(x, g.stride_w, g.pad_left);
                    let many = inside.start <= x && x + PIXELS <= inside.end;
                    let columns = match inside.contains(&x) {
                        true => 0..g.kernel_w,
                        false => taps_inside(start_x, g.kernel_w, g.dilation_w, g.in_w),
                    };
                    let spot = Spot {
                        g,
                        taps: &kernel.taps,
                        tap_stride: kernel.stride,
                        image,
                        start_y,
                        start_x,
                        rows: rows.clone(),
                        columns,
                        channel,
                        tail: if wide { S::LANES } else { tail },
                        // SAFETY: pixel `x` and its channels are in the row.
                        out: unsafe { row.as_mut_ptr().add(x * channels + channel) },
                        at: ((first + i) * g.out_w + x) * channels + channel,
                        finish,
                    };
                    // SAFETY: the taps of `spot` are inside the image: for `many` pixels, because their windows are all
                    // among the windows inside. From `channel` on there are two vectors of channels if `wide`, and
                    // `tail` channels otherwise.
                    unsafe {
                        match (many, wide) {
                            (true, true) => compute::<S, PIXELS, 2>(s, &spot),
                            (true, false) => compute::<S, PIXELS, 1>(s, &spot),
                            (false, true) => compute::<S, 1, 2>(s, &spot),
                            (false, false) => compute::<S, 1, 1>(s, &spot),
                        }
                    }
                    x += if many { PIXELS } else { 1 };
                }
                channel += if wide { 2 * S::LANES } else { tail };
            }
        }
    }
}

/// # Safety
/// For each of `PIX` pixels, a stride apart, the taps `rows` and `columns` are inside the image. From
/// `channel` on there are `VECTORS - 1` whole vectors of channels and `tail` more. For these, `out` is writable and
/// the epilogue readable.
#[inline(always)]
unsafe fn compute<S: Simd, const PIX: usize, const VECTORS: usize>(s: S, spot: &Spot<'_>) {
    let g = spot.g;
    let whole = spot.tail == S::LANES;
    let mut sums = [[s.splat(0.0); VECTORS]; PIX];
    let step = g.stride_w * g.out_c;
    // The steps, and the position of tap (0, 0), which may lie before the image, may overflow if no tap inside the
    // image uses them. Sums for taps inside do not overflow, so wrapping arithmetic computes them correctly.
    let pixel = g.out_c as isize;
    let line = (g.in_w as isize).wrapping_mul(pixel);
    let origin = spot.start_y.wrapping_mul(line).wrapping_add(spot.start_x.wrapping_mul(pixel));
    for i in spot.rows.clone() {
        let row = origin.wrapping_add(((i * g.dilation_h) as isize).wrapping_mul(line));
        let tap_row = i * g.kernel_w * spot.tap_stride + spot.channel;
        for j in spot.columns.clone() {
            let at = row.wrapping_add(((j * g.dilation_w) as isize).wrapping_mul(pixel));
            // SAFETY: the tap is inside the kernel, whose taps are whole vectors.
            let taps = unsafe { spot.taps.as_ptr().add(tap_row + j * spot.tap_stride) };
            // SAFETY: the pixel is inside the image.
            let from = unsafe { spot.image.as_ptr().offset(at + spot.channel as isize) };
            unroll4!(v < VECTORS => {
                // SAFETY: as above.
                let weight = unsafe { s.load(taps.add(v * S::LANES)) };
                unroll4!(p < PIX => {
                    // SAFETY: the pixel is inside the image, and has these channels.
                    let x = unsafe { s.load_part(from.add(p * step + v * S::LANES), v + 1 < VECTORS || whole, spot.tail) };
                    sums[p][v] = s.mul_add(x, weight, sums[p][v]);
                });
            });
        }
    }
    let Finish { scale, shift, residual, low, high } = spot.finish;
    let (low, high) = (s.splat(low), s.splat(high));
    unroll4!(v < VECTORS => {
        let whole = v + 1 < VECTORS || whole;
        let at = spot.channel + v * S::LANES;
        if let Some(scale) = scale {
            // SAFETY: there is a scale for each channel.
            let scale = unsafe { s.load_part(scale.add(at), whole, spot.tail) };
            unroll4!(p < PIX => sums[p][v] = s.mul(sums[p][v], scale));
        }
        if let Some(shift) = shift {
            // SAFETY: there is a shift for each channel.
            let shift = unsafe { s.load_part(shift.add(at), whole, spot.tail) };
            unroll4!(p < PIX => sums[p][v] = s.add(sums[p][v], shift));
        }
        unroll4!(p < PIX => {
            if let Some(residual) = residual {
                // SAFETY: the residual has a value for each output.
                let other = unsafe { s.load_part(residual.add(spot.at + p * g.out_c + v * S::LANES), whole, spot.tail) };
                sums[p][v] = s.add(sums[p][v], other);
            }
            let value = s.min(high, s.max(low, sums[p][v]));
            // SAFETY: the output has these channels of these pixels.
            unsafe {
                let to = spot.out.add(p * g.out_c + v * S::LANES);
                if whole { s.store(to, value) } else { s.store_first(to, spot.tail, value) }
            }
        });
    });
}

#[cfg(test)]
mod tests;
