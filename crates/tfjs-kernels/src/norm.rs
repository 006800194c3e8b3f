//! Softmax and layer normalization over the last axis.

use crate::error::{Result, check_len};
use crate::isa::Work;
use crate::simd::Simd;
use crate::{Cpu, KernelError, math, split};

/// Replaces each row of `width` values by its softmax.
///
/// A row that contains NaN or +inf, or only -inf, becomes NaN.
///
/// # Errors
/// If `values` is not a whole number of rows.
pub fn softmax(cpu: &Cpu, width: usize, values: &mut [f32]) -> Result<()> {
    check_rows("values", width, values.len())?;
    split::rows(cpu, values, width, width.saturating_mul(8), |_, part| {
        cpu.isa().run(Softmax { width, values: part });
    });
    Ok(())
}

/// `out = (x - mean) / sqrt(variance + epsilon) * gamma + beta` for each row of `width` values, with the population
/// variance. `gamma` and `beta`, if given, have length `width`.
///
/// # Errors
/// If a length does not match.
pub fn layer_norm(
    cpu: &Cpu,
    width: usize,
    epsilon: f32,
    gamma: Option<&[f32]>,
    beta: Option<&[f32]>,
    input: &[f32],
    out: &mut [f32],
) -> Result<()> {
    check_len("input", out.len(), input.len())?;
    check_rows("out", width, out.len())?;
    check_len("gamma", width, gamma.map_or(width, <[f32]>::len))?;
    check_len("beta", width, beta.map_or(width, <[f32]>::len))?;
    split::rows(cpu, out, width, width.saturating_mul(3), |first, part| {
        let input = &input[first * width..first * width + part.len()];
        cpu.isa().run(LayerNorm { width, epsilon, gamma, beta, input, out: part });
    });
    Ok(())
}

fn check_rows(what: &'static str, width: usize, len: usize) -> Result<()> {
    let whole = len.checked_div(width).unwrap_or(0) * width;
    if whole == len {
        return Ok(());
    }
    Err(KernelError::Length { what, expected: whole, found: len })
}

/// The lanes of a vector, in an array for the largest instruction set, and their number.
#[inline(always)]
pub(crate) fn lanes<S: Simd>(s: S, v: S::V) -> ([f32; 16], usize) {
    let mut all = [0.0; 16];
    // SAFETY: no vector is longer than the array.
    unsafe { s.store_first(all.as_mut_ptr(), S::LANES, v) };
    (all, S::LANES)
}

#[inline(always)]
pub(crate) fn sum_lanes<S: Simd>(s: S, v: S::V) -> f32 {
    let (all, n) = lanes(s, v);
    all[..n].iter().sum()
}

#[inline(always)]
pub(crate) fn max_lanes<S: Simd>(s: S, v: S::V) -> f32 {
    let (all, n) = lanes(s, v);
    // `b.is_nan()` keeps a NaN, which no comparison does.
    all[..n].iter().fold(f32::NEG_INFINITY, |a, &b| if b > a || b.is_nan() { b } else { a })
}

/// The values of `row` from `i` on: a vector, padded with `fill` at the end of the row.
#[inline(always)]
pub(crate) fn load<S: Simd>(s: S, row: &[f32], i: usize, fill: f32) -> S::V {
    let rest = &row[i..];
    if rest.len() >= S::LANES {
        // SAFETY: there are as many values.
        return unsafe { s.load(rest.as_ptr()) };
    }
    let mut padded = [fill; 16];
    padded[..rest.len()].copy_from_slice(rest);
    // SAFETY: no vector is longer than the array.
    unsafe { s.load(padded.as_ptr()) }
}

/// Writes to `row` from `i` on: a vector, or as many values as remain in the row.
#[inline(always)]
pub(crate) fn store<S: Simd>(s: S, row: &mut [f32], i: usize, v: S::V) {
    let rest = &mut row[i..];
    if rest.len() >= S::LANES {
        // SAFETY: there is room for a vector.
        unsafe { s.store(rest.as_mut_ptr(), v) };
    } else {
        // SAFETY: there is room for as many.
        unsafe { s.store_first(rest.as_mut_ptr(), rest.len(), v) };
    }
}

/// The sum of a row, with four accumulators.
#[inline(always)]
pub(crate) fn sum_row<S: Simd>(s: S, row: &[f32]) -> f32 {
    let mut sums = [s.splat(0.0); 4];
    let mut i = 0;
    while i + 4 * S::LANES <= row.len() {
        for (j, sum) in sums.iter_mut().enumerate() {
            *sum = s.add(*sum, load(s, row, i + j * S::LANES, 0.0));
        }
        i += 4 * S::LANES;
    }
    while i < row.len() {
        sums[0] = s.add(sums[0], load(s, row, i, 0.0));
        i += S::LANES;
    }
    sum_lanes(s, s.add(s.add(sums[0], sums[1]), s.add(sums[2], sums[3])))
}

/// The greatest value of a row, NaN if there is one.
#[inline(always)]
pub(crate) fn max_row<S: Simd>(s: S, row: &[f32]) -> f32 {
    let mut max = s.splat(f32::NEG_INFINITY);
    let mut i = 0;
    while i < row.len() {
        max = s.max_nan(max, load(s, row, i, f32::NEG_INFINITY));
        i += S::LANES;
    }
    max_lanes(s, max)
}

struct Softmax<'a> {
    width: usize,
    values: &'a mut [f32],
}

impl Work for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for row in self.values.chunks_exact_mut(self.width.max(1)) {
            let max = s.splat(max_row(s, row));
            let mut sum = s.splat(0.0);
            let mut i = 0;
            while i < row.len() {
                // The padding of the last vector adds e^-inf = 0 to the sum.
                let e = math::exp(s, s.sub(load(s, row, i, f32::NEG_INFINITY), max));
                sum = s.add(sum, e);
                store(s, row, i, e);
                i += S::LANES;
            }
            let sum = s.splat(sum_lanes(s, sum));
            let mut i = 0;
            while i < row.len() {
                store(s, row, i, s.div(load(s, row, i, 0.0), sum));
                i += S::LANES;
            }
        }
    }
}

struct LayerNorm<'a> {
    width: usize,
    epsilon: f32,
    gamma: Option<&'a [f32]>,
    beta: Option<&'a [f32]>,
    input: &'a [f32],
    out: &'a mut [f32],
}

impl Work for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.width.max(1);
        for (row, out) in self.input.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let mean = s.splat(sum_row(s, row) / width as f32);
            let mut squares = s.splat(0.0);
            let mut i = 0;
            while i < row.len() {
                // The padding of the last vector is not a deviation: it is set to zero again.
                let mut deviation = s.sub(load(s, row, i, 0.0), mean);
                if i + S::LANES > row.len() {
                    store(s, out, i, deviation);
                    deviation = load(s, out, i, 0.0);
                }
                squares = s.mul_add(deviation, deviation, squares);
                i += S::LANES;
            }
            let variance = sum_lanes(s, squares) / width as f32;
            let factor = s.splat(1.0 / (variance + self.epsilon).sqrt());
            let mut i = 0;
            while i < row.len() {
                let mut x = s.mul(s.sub(load(s, row, i, 0.0), mean), factor);
                if let Some(gamma) = self.gamma {
                    x = s.mul(x, load(s, gamma, i, 0.0));
                }
                if let Some(beta) = self.beta {
                    x = s.add(x, load(s, beta, i, 0.0));
                }
                store(s, out, i, x);
                i += S::LANES;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::testing::{assert_close, cpus, values};

    #[test]
    fn softmax_agrees_with_f64() {
        for cpu in cpus() {
            for (rows, width) in [(1, 1), (3, 5), (2, 8), (4, 16), (3, 37), (700, 100)] {
                for scale in [1.0, 30.0, 1000.0] {
                    let given: Vec<f32> = values(rows * width, 1).iter().map(|x| x * scale).collect();
                    let mut out = given.clone();
                    softmax(&cpu, width, &mut out).unwrap();
                    for (row, found) in given.chunks(width).zip(out.chunks(width)) {
                        let max = row.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
                        // The difference is rounded to f32, as in every f32 implementation.
                        let e: Vec<f64> = row.iter().map(|&x| f64::from(x - max).exp()).collect();
                        let sum: f64 = e.iter().sum();
                        for (&found, e) in found.iter().zip(e) {
                            assert_close(found, e / sum, 0.0, &format!("{rows}x{width} on {cpu:?}"));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn softmax_of_infinities_and_nan() {
        for cpu in cpus() {
            let inf = f32::INFINITY;
            let mut out = [-inf, 0.0, 0.0, f32::NAN, 0.0, 1.0, -inf, -inf, -inf];
            softmax(&cpu, 3, &mut out).unwrap();
            assert_eq!(out[..3], [0.0, 0.5, 0.5]);
            assert!(out[3..].iter().all(|x| x.is_nan()));
        }
    }

    #[test]
    fn layer_norm_agrees_with_f64() {
        for cpu in cpus() {
            for (rows, width) in [(2, 1), (3, 5), (4, 16), (3, 37), (300, 200)] {
                let input: Vec<f32> = values(rows * width, 1).iter().map(|x| x * 3.0 + 5.0).collect();
                let (gamma, beta) = (values(width, 2), values(width, 3));
                for affine in [true, false] {
                    let mut out = vec![0.0; rows * width];
                    let (g, b) = (affine.then_some(&gamma[..]), affine.then_some(&beta[..]));
                    layer_norm(&cpu, width, 1e-3, g, b, &input, &mut out).unwrap();
                    for (row, found) in input.chunks(width).zip(out.chunks(width)) {
                        let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / width as f64;
                        let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / width as f64;
                        for i in 0..width {
                            let x = (f64::from(row[i]) - mean) / (variance + f64::from(1e-3f32)).sqrt();
                            let expected = if affine { x * f64::from(gamma[i]) + f64::from(beta[i]) } else { x };
                            assert_close(found[i], expected, 8.0, &format!("{rows}x{width} on {cpu:?}"));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn rows_that_are_not_whole_are_errors() {
        let cpu = Cpu::with_isa(Isa::PORTABLE, 1);
        let e = softmax(&cpu, 3, &mut [0.0; 7]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "values", expected: 6, found: 7 });
        let e = softmax(&cpu, 0, &mut [0.0; 7]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "values", expected: 0, found: 7 });
        let e = layer_norm(&cpu, 3, 0.0, Some(&[1.0; 2]), None, &[0.0; 6], &mut [0.0; 6]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "gamma", expected: 3, found: 2 });
        let e = layer_norm(&cpu, 3, 0.0, None, None, &[0.0; 5], &mut [0.0; 6]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "input", expected: 6, found: 5 });
    }
}
