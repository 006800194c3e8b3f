//! Sum, mean, maximum and minimum over an axis.

use crate::error::{Result, check_len, product};
use crate::isa::Work;
use crate::norm::{load, max_row, store, sum_row};
use crate::simd::Simd;
use crate::{Cpu, split};

/// How the values along an axis are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reduction {
    /// Their sum; 0 if there are none.
    Sum,
    /// Their mean; NaN if there are none.
    Mean,
    /// The greatest, NaN if a value is NaN; -inf if there are none.
    Max,
    /// The smallest, NaN if a value is NaN; +inf if there are none.
    Min,
}

/// Reduces the middle axis of `input`, a tensor `[outer, axis, inner]`, into `out`, a tensor `[outer, inner]`.
///
/// # Errors
/// If a length does not match.
pub fn reduce(
    cpu: &Cpu,
    reduction: Reduction,
    [outer, axis, inner]: [usize; 3],
    input: &[f32],
    out: &mut [f32],
) -> Result<()> {
    check_len("input", product("input", &[outer, axis, inner])?, input.len())?;
    check_len("out", product("out", &[outer, inner])?, out.len())?;
    split::rows(cpu, out, inner, axis.saturating_mul(inner), |first, part| {
        let rows = part.len().checked_div(inner).unwrap_or(0);
        let input = &input[first * axis * inner..(first + rows) * axis * inner];
        cpu.isa().run(Reduce { reduction, axis, inner, input, out: part });
    });
    Ok(())
}

struct Reduce<'a> {
    reduction: Reduction,
    axis: usize,
    inner: usize,
    input: &'a [f32],
    out: &'a mut [f32],
}

/// Values added before their sum is added to the total, which bounds rounding errors along a long axis.
const CHUNK: usize = 64;

impl Work for Reduce<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Reduce { reduction, axis, inner, input, out } = self;
        if inner == 0 {
            return;
        }
        for (i, row) in out.chunks_exact_mut(inner).enumerate() {
            let block = &input[i * axis * inner..(i + 1) * axis * inner];
            match (reduction, inner) {
                (Reduction::Sum, 1) => row[0] = sum_chunks(s, block),
                (Reduction::Mean, 1) => row[0] = sum_chunks(s, block) / axis as f32,
                (Reduction::Max, 1) => row[0] = max_row(s, block),
                (Reduction::Sum, _) => sum_columns(s, block, row),
                (Reduction::Mean, _) => {
                    sum_columns(s, block, row);
                    let mut at = 0;
                    while at < inner {
                        store(s, row, at, s.div(load(s, row, at, 0.0), s.splat(axis as f32)));
                        at += S::LANES;
                    }
                }
                (Reduction::Max, _) => fold_columns(s, block, row, true),
                (Reduction::Min, _) => fold_columns(s, block, row, false),
            }
        }
    }
}

#[inline(always)]
fn sum_chunks<S: Simd>(s: S, values: &[f32]) -> f32 {
    let mut sum = 0.0;
    for chunk in values.chunks(CHUNK * S::LANES) {
        sum += sum_row(s, chunk);
    }
    sum
}

#[inline(always)]
fn sum_columns<S: Simd>(s: S, block: &[f32], row: &mut [f32]) {
    let width = row.len();
    row.fill(0.0);
    for chunk in block.chunks(CHUNK * width) {
        let mut at = 0;
        while at < width {
            let mut sum = s.splat(0.0);
            for values in chunk.chunks_exact(width) {
                sum = s.add(sum, load(s, values, at, 0.0));
            }
            store(s, row, at, s.add(load(s, row, at, 0.0), sum));
            at += S::LANES;
        }
    }
}

#[inline(always)]
fn fold_columns<S: Simd>(s: S, block: &[f32], row: &mut [f32], greatest: bool) {
    let width = row.len();
    let mut at = 0;
    while at < width {
        let mut best = s.splat(if greatest { f32::NEG_INFINITY } else { f32::INFINITY });
        for values in block.chunks_exact(width) {
            let x = load(s, values, at, 0.0);
            best = if greatest { s.max_nan(best, x) } else { s.min_nan(best, x) };
        }
        store(s, row, at, best);
        at += S::LANES;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, cpus, values};
    use crate::{Isa, KernelError};

    #[test]
    fn reductions_agree_with_f64_over_any_axis() {
        for cpu in cpus() {
            for [outer, axis, inner] in
                [[1, 1, 1], [3, 7, 1], [2, 1000, 1], [4, 3, 5], [2, 100, 19], [1, 9, 64], [200, 40, 16]]
            {
                let input = values(outer * axis * inner, 1);
                for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min] {
                    let mut out = vec![7.0; outer * inner];
                    reduce(&cpu, reduction, [outer, axis, inner], &input, &mut out).unwrap();
                    for (i, &found) in out.iter().enumerate() {
                        let along = (0..axis).map(|a| f64::from(input[(i / inner * axis + a) * inner + i % inner]));
                        let expected = match reduction {
                            Reduction::Sum => along.sum(),
                            Reduction::Mean => along.sum::<f64>() / axis as f64,
                            Reduction::Max => along.fold(f64::NEG_INFINITY, f64::max),
                            Reduction::Min => along.fold(f64::INFINITY, f64::min),
                        };
                        let what = format!("{reduction:?} of {outer}x{axis}x{inner} on {cpu:?}");
                        assert_close(found, expected, (axis as f64).sqrt(), &what);
                    }
                }
            }
        }
    }

    #[test]
    fn a_nan_anywhere_is_the_result() {
        for cpu in cpus() {
            for inner in [1, 3] {
                for at in 0..20 {
                    for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min] {
                        let mut input = values(20 * inner, 1);
                        input[at * inner] = f32::NAN;
                        let mut out = vec![0.0; inner];
                        reduce(&cpu, reduction, [1, 20, inner], &input, &mut out).unwrap();
                        for (i, x) in out.iter().enumerate() {
                            assert_eq!(x.is_nan(), i == 0, "{reduction:?} {at} on {cpu:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn an_empty_axis() {
        for cpu in cpus() {
            for inner in [1, 2] {
                let all = |reduction| {
                    let mut out = vec![7.0; inner];
                    reduce(&cpu, reduction, [1, 0, inner], &[], &mut out).unwrap();
                    out
                };
                assert_eq!(all(Reduction::Sum), vec![0.0; inner]);
                assert!(all(Reduction::Mean).iter().all(|x| x.is_nan()));
                assert_eq!(all(Reduction::Max), vec![f32::NEG_INFINITY; inner]);
                assert_eq!(all(Reduction::Min), vec![f32::INFINITY; inner]);
            }
        }
    }

    #[test]
    fn wrong_lengths_are_errors() {
        let cpu = Cpu::with_isa(Isa::PORTABLE, 1);
        let e = reduce(&cpu, Reduction::Sum, [2, 3, 4], &[0.0; 23], &mut [0.0; 8]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "input", expected: 24, found: 23 });
        let e = reduce(&cpu, Reduction::Sum, [2, 3, 4], &[0.0; 24], &mut [0.0; 6]).unwrap_err();
        assert_eq!(e, KernelError::Length { what: "out", expected: 8, found: 6 });
    }
}
