//! Maximum and average over windows of channels-last images.

use crate::error::{Result, check_len, product};
use crate::isa::Work;
use crate::simd::Simd;
use crate::window::{taps_inside, window_start};
use crate::{Cpu, Pool2dGeometry, split};

/// How a pool combines a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "there are no others in Keras")]
pub enum Pooling {
    /// The maximum, NaN if a value is NaN; -inf if no value of the window is inside the image.
    Max,
    /// The mean of the values inside the image; NaN if there are none.
    Average,
}

/// Pools `batch` images.
///
/// # Errors
/// If a length does not match the geometry, or the geometry is invalid.
pub fn pool2d(
    cpu: &Cpu,
    pooling: Pooling,
    batch: usize,
    geometry: &Pool2dGeometry,
    input: &[f32],
    out: &mut [f32],
) -> Result<()> {
    let g = geometry;
    g.check()?;
    check_len("input", product("input", &[batch, g.in_h, g.in_w, g.channels])?, input.len())?;
    check_len("out", product("out", &[batch, g.out_h, g.out_w, g.channels])?, out.len())?;
    if out.is_empty() {
        return Ok(());
    }
    // The work is split over output pixels: a global pool has one for each image.
    let cost = g.channels.saturating_mul(g.window_h.min(g.in_h) * g.window_w.min(g.in_w));
    split::rows(cpu, out, g.channels, cost, |first, part| {
        cpu.isa().run(Pixels { pooling, g, input, first, out: part });
    });
    Ok(())
}

/// Pools all pixels of each image: `input` is `batch` images of `pixels` pixels, `out` has one pixel for each image.
///
/// # Errors
/// If a length does not match.
pub fn global_pool(
    cpu: &Cpu,
    pooling: Pooling,
    batch: usize,
    pixels: usize,
    channels: usize,
    input: &[f32],
    out: &mut [f32],
) -> Result<()> {
    let geometry = Pool2dGeometry {
        in_h: 1,
        in_w: pixels,
        channels,
        out_h: 1,
        out_w: 1,
        window_h: 1,
        window_w: pixels.max(1),
        stride_h: 1,
        stride_w: 1,
        pad_top: 0,
        pad_left: 0,
    };
    pool2d(cpu, pooling, batch, &geometry, input, out)
}

/// Output pixels from `first` on, numbered through all images.
struct Pixels<'a> {
    pooling: Pooling,
    g: &'a Pool2dGeometry,
    input: &'a [f32],
    first: usize,
    out: &'a mut [f32],
}

/// Values added before their sum is added to the total, which bounds rounding errors in large windows.
const CHUNK: usize = 32;

impl Work for Pixels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Pixels { pooling, g, input, first, out } = self;
        let image_len = g.in_h * g.in_w * g.channels;
        for (i, pixel) in out.chunks_exact_mut(g.channels.max(1)).enumerate() {
            let at = first + i;
            let (image, y, x) = (at / (g.out_w * g.out_h), at / g.out_w % g.out_h, at % g.out_w);
            let image = &input[image * image_len..(image + 1) * image_len];
            let start_y = window_start(y, g.stride_h, g.pad_top);
            let start_x = window_start(x, g.stride_w, g.pad_left);
            let rows = taps_inside(start_y, g.window_h, 1, g.in_h);
            let columns = taps_inside(start_x, g.window_w, 1, g.in_w);
            let count = rows.len() * columns.len();
            let first_y = (start_y + rows.start as isize).max(0) as usize;
            let first_x = (start_x + columns.start as isize).max(0) as usize;
            let mut channel = 0;
            while channel < g.channels {
                let n = S::LANES.min(g.channels - channel);
                let mut result = match pooling {
                    Pooling::Max => s.splat(f32::NEG_INFINITY),
                    Pooling::Average => s.splat(0.0),
                };
                for row in first_y..first_y + rows.len() {
                    let mut x = first_x;
                    let end = first_x + columns.len();
                    while x < end {
                        let chunk_end = end.min(x + CHUNK);
                        let mut sum = s.splat(0.0);
                        while x < chunk_end {
                            let from = (row * g.in_w + x) * g.channels + channel;
                            // SAFETY: the pixel is inside the image, and has `n` channels from this one on.
                            let value = unsafe {
                                let p = image.as_ptr().add(from);
                                if n == S::LANES { s.load(p) } else { s.load_first(p, n) }
                            };
                            match pooling {
                                Pooling::Max => result = s.max_nan(result, value),
                                Pooling::Average => sum = s.add(sum, value),
                            }
                            x += 1;
                        }
                        if pooling == Pooling::Average {
                            result = s.add(result, sum);
                        }
                    }
                }
                if pooling == Pooling::Average {
                    result = s.div(result, s.splat(count as f32));
                }
                // SAFETY: the output pixel has `n` channels from this one on.
                unsafe {
                    let to = pixel.as_mut_ptr().add(channel);
                    if n == S::LANES { s.store(to, result) } else { s.store_first(to, n, result) }
                }
                channel += n;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, cpus, values};
    use crate::{Isa, KernelError};

    #[track_caller]
    fn check(cpu: &Cpu, batch: usize, g: Pool2dGeometry) {
        let input = values(batch * g.in_h * g.in_w * g.channels, 1);
        for pooling in [Pooling::Max, Pooling::Average] {
            let mut out = vec![7.0; batch * g.out_h * g.out_w * g.channels];
            pool2d(cpu, pooling, batch, &g, &input, &mut out).unwrap();
            for (i, &found) in out.iter().enumerate() {
                let (c, p) = (i % g.channels, i / g.channels);
                let (x, y, b) = (p % g.out_w, p / g.out_w % g.out_h, p / g.out_w / g.out_h);
                let (mut max, mut sum, mut count) = (f64::NEG_INFINITY, 0.0, 0.0);
                for i in 0..g.window_h {
                    for j in 0..g.window_w {
                        let iy = (y * g.stride_h + i) as isize - g.pad_top as isize;
                        let ix = (x * g.stride_w + j) as isize - g.pad_left as isize;
                        if iy >= 0 && ix >= 0 && iy < g.in_h as isize && ix < g.in_w as isize {
                            let at = ((b * g.in_h + iy as usize) * g.in_w + ix as usize) * g.channels + c;
                            max = max.max(f64::from(input[at]));
                            sum += f64::from(input[at]);
                            count += 1.0;
                        }
                    }
                }
                match pooling {
                    Pooling::Max => assert_eq!(f64::from(found), max, "{g:?} on {cpu:?}"),
                    Pooling::Average if count == 0.0 => assert!(found.is_nan()),
                    Pooling::Average => assert_close(found, sum / count, 0.5, &format!("{g:?} on {cpu:?}")),
                }
            }
        }
    }

    #[test]
    fn windows_with_any_stride_and_padding() {
        for cpu in cpus() {
            for channels in [1, 3, 8, 16, 21] {
                for (window, stride, pad) in [(2, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 0), (1, 1, 0), (9, 2, 5)] {
                    let g = Pool2dGeometry {
                        in_h: 7,
                        in_w: 6,
                        channels,
                        out_h: 4,
                        out_w: 4,
                        window_h: window,
                        window_w: window + 1,
                        stride_h: stride,
                        stride_w: stride,
                        pad_top: pad,
                        pad_left: pad,
                    };
                    check(&cpu, 2, g);
                }
            }
        }
    }

    #[test]
    fn global_average_of_many_pixels_keeps_precision() {
        for cpu in cpus() {
            let (pixels, channels) = (10_007, 5);
            let input: Vec<f32> = values(pixels * channels, 1).iter().map(|x| x + 10.0).collect();
            let mut out = vec![0.0; channels];
            global_pool(&cpu, Pooling::Average, 1, pixels, channels, &input, &mut out).unwrap();
            for (c, &found) in out.iter().enumerate() {
                let sum: f64 = input.iter().skip(c).step_by(channels).map(|&x| f64::from(x)).sum();
                assert_close(found, sum / pixels as f64, 0.0, &format!("{cpu:?}"));
            }
        }
    }

    #[test]
    fn nan_wins_every_maximum_wherever_it_stands() {
        for cpu in cpus() {
            for at in 0..4 {
                let mut input = [1.0, 2.0, 3.0, 4.0];
                input[at] = f32::NAN;
                let mut out = [0.0];
                global_pool(&cpu, Pooling::Max, 1, 4, 1, &input, &mut out).unwrap();
                assert!(out[0].is_nan(), "{at} on {cpu:?}");
            }
        }
    }

    #[test]
    fn wrong_lengths_and_a_stride_of_zero_are_errors() {
        let cpu = Cpu::with_isa(Isa::PORTABLE, 1);
        let e = global_pool(&cpu, Pooling::Max, 2, 3, 4, &[0.0; 23], &mut [0.0; 8]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "input", expected: 24, found: 23 });
        let e = global_pool(&cpu, Pooling::Max, 2, 3, 4, &[0.0; 24], &mut [0.0; 9]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "out", expected: 8, found: 9 });
        let g = Pool2dGeometry {
            in_h: 2,
            in_w: 2,
            channels: 1,
            out_h: 1,
            out_w: 1,
            window_h: 2,
            window_w: 2,
            stride_h: 0,
            stride_w: 1,
            pad_top: 0,
            pad_left: 0,
        };
        let e = pool2d(&cpu, Pooling::Max, 1, &g, &[0.0; 4], &mut [0.0]).unwrap_err();
        assert!(matches!(e, KernelError::Geometry { what: "stride_h", value: 0, .. }));
    }

    #[test]
    fn empty_images_of_absurd_size_are_no_panic() {
        let cpu = Cpu::with_isa(Isa::PORTABLE, 1);
        let g = Pool2dGeometry {
            in_h: usize::MAX,
            in_w: usize::MAX,
            channels: 0,
            out_h: 1,
            out_w: 1,
            window_h: 3,
            window_w: 3,
            stride_h: 1,
            stride_w: 1,
            pad_top: 1,
            pad_left: 1,
        };
        pool2d(&cpu, Pooling::Max, 1, &g, &[], &mut []).unwrap();
        let mut out = [0.0];
        let g = Pool2dGeometry { in_h: 0, channels: 1, ..g };
        pool2d(&cpu, Pooling::Max, 1, &g, &[], &mut out).unwrap();
        assert_eq!(out, [f32::NEG_INFINITY]);
    }
}
