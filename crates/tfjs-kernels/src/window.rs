//! The positions of windows of convolutions and pools. The geometry is computed by the caller, who knows the padding
//! mode, and checked here.

use crate::error::{KernelError, Result, check_rule, product};

/// The geometry of a 2D convolution over channels-last images.
///
/// Output `(y, x)` reads inputs `(y * stride_h + i * dilation_h - pad_top, x * stride_w + j * dilation_w - pad_left)`.
/// Positions outside the input are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
#[allow(clippy::exhaustive_structs, reason = "callers write all fields")]
pub struct Conv2dGeometry {
    pub in_h: usize,
    pub in_w: usize,
    pub in_c: usize,
    pub out_h: usize,
    pub out_w: usize,
    /// For a depthwise convolution, input channels times the multiplier.
    pub out_c: usize,
    pub kernel_h: usize,
    pub kernel_w: usize,
    pub stride_h: usize,
    pub stride_w: usize,
    pub dilation_h: usize,
    pub dilation_w: usize,
    pub pad_top: usize,
    pub pad_left: usize,
    /// The number of groups of channels that are convolved separately; 1 for an ordinary convolution. Ignored by a
    /// depthwise convolution.
    pub groups: usize,
}

impl Conv2dGeometry {
    /// Checks everything but `groups`.
    pub(crate) fn check(&self) -> Result<()> {
        let g = self;
        check_rule(g.stride_h > 0, "stride_h", g.stride_h, "must be at least 1")?;
        check_rule(g.stride_w > 0, "stride_w", g.stride_w, "must be at least 1")?;
        check_rule(g.dilation_h > 0, "dilation_h", g.dilation_h, "must be at least 1")?;
        check_rule(g.dilation_w > 0, "dilation_w", g.dilation_w, "must be at least 1")?;
        check_rule(g.kernel_h > 0, "kernel_h", g.kernel_h, "must be at least 1")?;
        check_rule(g.kernel_w > 0, "kernel_w", g.kernel_w, "must be at least 1")?;
        check_reach("kernel_h", g.out_h, g.stride_h, g.kernel_h, g.dilation_h, g.pad_top)?;
        check_reach("kernel_w", g.out_w, g.stride_w, g.kernel_w, g.dilation_w, g.pad_left)
    }

    pub(crate) fn input_len(&self, batch: usize) -> Result<usize> {
        product("input", &[batch, self.in_h, self.in_w, self.in_c])
    }

    pub(crate) fn out_len(&self, batch: usize) -> Result<usize> {
        product("out", &[batch, self.out_h, self.out_w, self.out_c])
    }

    /// The number of input columns from the first to the last that any output reads.
    pub(crate) fn reach_w(&self) -> usize {
        reach(self.out_w, self.stride_w, self.kernel_w, self.dilation_w)
    }

    /// The same for the rows that `out_rows` output rows read.
    pub(crate) fn reach_h(&self, out_rows: usize) -> usize {
        reach(out_rows, self.stride_h, self.kernel_h, self.dilation_h)
    }
}

/// The geometry of a 2D pool over channels-last images; see [`Conv2dGeometry`]. Positions outside the input are
/// excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
#[allow(clippy::exhaustive_structs, reason = "callers write all fields")]
pub struct Pool2dGeometry {
    pub in_h: usize,
    pub in_w: usize,
    pub channels: usize,
    pub out_h: usize,
    pub out_w: usize,
    pub window_h: usize,
    pub window_w: usize,
    pub stride_h: usize,
    pub stride_w: usize,
    pub pad_top: usize,
    pub pad_left: usize,
}

impl Pool2dGeometry {
    pub(crate) fn check(&self) -> Result<()> {
        let g = self;
        check_rule(g.stride_h > 0, "stride_h", g.stride_h, "must be at least 1")?;
        check_rule(g.stride_w > 0, "stride_w", g.stride_w, "must be at least 1")?;
        check_rule(g.window_h > 0, "window_h", g.window_h, "must be at least 1")?;
        check_rule(g.window_w > 0, "window_w", g.window_w, "must be at least 1")?;
        check_reach("window_h", g.out_h, g.stride_h, g.window_h, 1, g.pad_top)?;
        check_reach("window_w", g.out_w, g.stride_w, g.window_w, 1, g.pad_left)
    }
}

/// The distance from the first to past the last position that `out` windows read; it does not overflow once the
/// geometry is checked.
fn reach(out: usize, stride: usize, kernel: usize, dilation: usize) -> usize {
    out.saturating_sub(1) * stride + (kernel - 1) * dilation + 1
}

/// Checks that positions, which are computed as signed numbers, fit their type, padding included.
fn check_reach(
    what: &'static str,
    out: usize,
    stride: usize,
    kernel: usize,
    dilation: usize,
    pad: usize,
) -> Result<()> {
    let steps = out.saturating_sub(1).checked_mul(stride);
    let extent = (kernel - 1).checked_mul(dilation);
    let end = steps.zip(extent).and_then(|(a, b)| a.checked_add(b)?.checked_add(1)?.checked_add(pad));
    end.filter(|&end| end < isize::MAX as usize / 2).map(drop).ok_or(KernelError::TooLarge { what })
}

/// The taps of a window starting at `start` (input position of tap 0) that are inside `0..len`.
pub(crate) fn taps_inside(start: isize, kernel: usize, dilation: usize, len: usize) -> std::ops::Range<usize> {
    let first = if start < 0 { start.unsigned_abs().div_ceil(dilation) } else { 0 };
    let end = match len as isize - start {
        room @ 1.. => (room as usize).div_ceil(dilation).min(kernel),
        _ => 0,
    };
    first.min(end)..end
}

/// The input position of tap 0 of window `out`.
pub(crate) fn window_start(out: usize, stride: usize, pad: usize) -> isize {
    (out * stride) as isize - pad as isize
}

/// The windows, of `out`, whose taps are all inside `0..len`.
pub(crate) fn windows_inside(
    out: usize,
    stride: usize,
    kernel: usize,
    dilation: usize,
    pad: usize,
    len: usize,
) -> std::ops::Range<usize> {
    let first = pad.div_ceil(stride).min(out);
    // The last start with room for the whole window.
    let end = match len.saturating_add(pad).checked_sub((kernel - 1) * dilation + 1) {
        Some(last_start) => (last_start / stride + 1).min(out),
        None => 0,
    };
    first.min(end)..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_and_windows_inside_agree_with_trying() {
        for len in 0..6 {
            for kernel in 1..4 {
                for dilation in 1..4 {
                    for stride in 1..4 {
                        for pad in 0..5 {
                            let out = 6;
                            let mut whole = Vec::new();
                            for o in 0..out {
                                let start = window_start(o, stride, pad);
                                let inside: Vec<usize> = (0..kernel)
                                    .filter(|t| (0..len as isize).contains(&(start + (t * dilation) as isize)))
                                    .collect();
                                let range = taps_inside(start, kernel, dilation, len);
                                assert_eq!(range.collect::<Vec<_>>(), inside);
                                if inside.len() == kernel {
                                    whole.push(o);
                                }
                            }
                            let range = windows_inside(out, stride, kernel, dilation, pad, len);
                            assert_eq!(range.collect::<Vec<_>>(), whole);
                        }
                    }
                }
            }
        }
    }
}
