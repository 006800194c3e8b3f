//! Matrix product with a packed right side, and the driver of tiles that convolutions share.

use std::ops::Range;

use crate::epilogue::Epilogue;
use crate::error::{Result, check_at_least, check_rule, product};
use crate::runs::Runs;
use crate::split::Shared;
use crate::tile::{self, MAX_ROWS, Tile};
use crate::{Cpu, PackedMatrix, activation};

/// `out = epilogue(a * b)` with `m` rows of `a` at `lda` values from each other, and of `out` at `ldc`.
///
/// `a` and `out` hold whole rows, of which the last may be shorter than the stride; what lies between the
/// rows of `out` is left alone. The residual, if there is one, is laid out like `out` and as long.
///
/// # Errors
/// If a slice is too short, a stride is shorter than a row, or the epilogue does not fit.
#[allow(clippy::too_many_arguments, reason = "the classic signature of a matrix product")]
pub fn gemm(
    cpu: &Cpu,
    m: usize,
    a: &[f32],
    lda: usize,
    b: &PackedMatrix,
    out: &mut [f32],
    ldc: usize,
    epilogue: &Epilogue<'_>,
) -> Result<()> {
    let (k, n) = (b.k(), b.n());
    check_rule(lda >= k || m <= 1, "lda", lda, "must be at least the inner dimension")?;
    check_rule(ldc >= n || m <= 1, "ldc", ldc, "must be at least the number of columns")?;
    if m > 0 {
        check_at_least("a", strided_len("a", m, lda, k)?, a.len())?;
        check_at_least("out", strided_len("out", m, ldc, n)?, out.len())?;
    }
    epilogue.check(n, out.len())?;
    if m == 0 || n == 0 {
        return Ok(());
    }

    let few = m <= 4;
    let runs = if few { Runs::unblocked(k) } else { Runs::whole(k) };
    let rows = |range: Range<usize>| -> Vec<*const f32> {
        // SAFETY: row `i < m` starts inside `a`, whose length was checked above.
        range.map(|i| unsafe { a.as_ptr().add(i * lda) }).collect()
    };
    let target = Product { matrix: b, runs: &runs, epilogue, out: Shared::new(out), out_stride: ldc, column: 0 };
    let (height, groups) = plan(cpu.pool().threads(), m, k, n, b.panel_count());
    let per_group = b.panel_count().div_ceil(groups);
    let heights = m.div_ceil(height);
    cpu.pool().parallel(heights * groups, |job| {
        let (block, group) = (job / groups, job % groups);
        let range = block * height..((block + 1) * height).min(m);
        let panels = group * per_group..((group + 1) * per_group).min(b.panel_count());
        let pointers = rows(range.clone());
        // SAFETY: each pointer is valid for the `k` values of the runs, `a` having been checked; rows
        // `range` of `out` exist, and no other job has the same rows and panels.
        unsafe { target.block(&pointers, range.start, panels, few.then_some(m)) };
    });
    Ok(())
}

fn strided_len(what: &'static str, rows: usize, stride: usize, width: usize) -> Result<usize> {
    let before = product(what, &[rows - 1, stride])?;
    product(what, &[before.checked_add(width).ok_or(crate::KernelError::TooLarge { what })?])
}

/// Floats of the left side worked on at a time: a share of the second-level cache.
pub(crate) const LEFT_FLOATS: usize = 48 << 10;

/// Multiplications below which one thread is faster than waking another.
pub(crate) const SERIAL_PRODUCTS: usize = 1 << 20;

/// Rows of a block, and the number of groups the panels are cut in.
fn plan(threads: usize, m: usize, k: usize, n: usize, panels: usize) -> (usize, usize) {
    // Blocks of the inner dimension keep to some hundreds.
    let rows = (LEFT_FLOATS / k.clamp(1, 512)).max(MAX_ROWS) / MAX_ROWS * MAX_ROWS;
    let products = m.saturating_mul(k).saturating_mul(n);
    // A product of few rows is bound by memory: it is worth two threads sooner.
    let serial = if m <= 4 { SERIAL_PRODUCTS / 8 } else { SERIAL_PRODUCTS };
    if threads == 1 || products < serial {
        return (rows.min(m), 1);
    }
    if m >= threads * 8 * MAX_ROWS {
        let even = m.div_ceil(threads * 2).next_multiple_of(MAX_ROWS);
        return (rows.min(even), 1);
    }
    (rows.min(m), panels.min(threads * 2))
}

/// A product on its way: everything but which rows and which panels.
pub(crate) struct Product<'a> {
    pub(crate) matrix: &'a PackedMatrix,
    pub(crate) runs: &'a Runs,
    pub(crate) epilogue: &'a Epilogue<'a>,
    pub(crate) out: Shared<'a, f32>,
    pub(crate) out_stride: usize,
    /// The output column of the matrix's first, and with it the first of scale and shift.
    pub(crate) column: usize,
}

impl Product<'_> {
    /// Computes rows of the output from `first` on, one for each pointer, in the columns of `panels`.
    ///
    /// `few` is set where these are all rows of the product and not more than a handful.
    ///
    /// # Safety
    /// Each pointer is valid for reading the runs, which are as long together as the matrix has rows; the
    /// rows and columns are inside the output; nobody else writes them meanwhile. Scale and shift cover
    /// the columns and the residual is as long as the output.
    pub(crate) unsafe fn block(&self, pointers: &[*const f32], first: usize, panels: Range<usize>, few: Option<usize>) {
        if panels.is_empty() {
            return;
        }
        let Product { matrix, runs, epilogue, out, out_stride, column } = *self;
        let isa = matrix.isa();
        let (finish, rest) = epilogue.split();
        let packed = matrix.as_slice();
        let last = runs.blocks().len() - 1;
        for (b, &block) in runs.blocks().iter().enumerate() {
            for panel in panels.clone().map(|p| matrix.panel(p)) {
                let kernels = tile::kernels(isa, panel.vectors);
                let mut kernels = kernels.iter();
                let mut size = kernels.next();
                let mut row = 0;
                while let (true, Some(sized)) = (row < pointers.len(), size) {
                    let (height, kernel) = match few {
                        Some(m @ 1..=2) => (m, tile::few_rows(isa, m, panel.vectors)),
                        _ => (sized.rows, sized.kernel),
                    };
                    if pointers.len() - row < height {
                        size = kernels.next();
                        continue;
                    }
                    let at = (first + row) * out_stride + column + panel.column;
                    // SAFETY: the first column of the panel is inside the channels, and `at` in the output.
                    let finish = (b == last).then(|| unsafe { finish.at(column + panel.column, at) });
                    let tile = Tile {
                        rows: &pointers[row..row + height],
                        runs: runs.of(block),
                        panel: packed[panel.start + block.first_k * panel.width..].as_ptr(),
                        // SAFETY: `at` is in the output.
                        out: unsafe { out.start().add(at) },
                        out_stride,
                        columns: panel.columns,
                        accumulate: b > 0,
                        finish,
                    };
                    // SAFETY: the matrix is packed for an instruction set this CPU has, and its panel has
                    // a row for each value of the runs; the rest is what the caller promised.
                    unsafe { kernel(&tile) };
                    row += height;
                }
            }
        }
        let columns = matrix.panel(panels.start).column
            ..matrix.panel(panels.end - 1).column + matrix.panel(panels.end - 1).columns;
        for row in 0..pointers.len() {
            let at = (first + row) * out_stride + column + columns.start;
            // SAFETY: these columns of this row were just written by this call alone.
            activation::apply(isa, rest, unsafe { out.part(at, columns.len()) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, cpus, values};
    use crate::{Activation, Isa, KernelError};

    fn reference(m: usize, k: usize, n: usize, a: &[f32], lda: usize, b: &[f32]) -> Vec<f64> {
        let mut out = vec![0.0; m * n];
        for i in 0..m {
            for p in 0..k {
                for j in 0..n {
                    out[i * n + j] += f64::from(a[i * lda + p]) * f64::from(b[p * n + j]);
                }
            }
        }
        out
    }

    #[track_caller]
    fn check(cpu: &Cpu, m: usize, k: usize, n: usize, extra: usize) {
        let (lda, ldc) = (k + extra, n + extra);
        let a = values(m * lda, 1);
        let b = values(k * n, 2);
        let (scale, shift) = (values(n, 3), values(n, 4));
        let residual = values(m * ldc, 5);
        let packed = PackedMatrix::pack(cpu.isa(), k, n, &b).unwrap();
        let sums = reference(m, k, n, &a, lda, &b);
        let epilogues = [
            Epilogue::default(),
            Epilogue { shift: Some(&shift), activation: Activation::RELU6, ..Epilogue::default() },
            Epilogue {
                scale: Some(&scale),
                shift: Some(&shift),
                residual: Some(&residual),
                activation: Activation::Silu,
            },
        ];
        for (which, epilogue) in epilogues.iter().enumerate() {
            let mut out = vec![7.0; m * ldc];
            gemm(cpu, m, &a, lda, &packed, &mut out, ldc, epilogue).unwrap();
            for i in 0..m {
                for j in 0..n {
                    let sum = sums[i * n + j];
                    let expected = match which {
                        0 => sum,
                        1 => (sum + f64::from(shift[j])).clamp(0.0, 6.0),
                        _ => {
                            let x = sum * f64::from(scale[j]) + f64::from(shift[j]) + f64::from(residual[i * ldc + j]);
                            x / (1.0 + (-x).exp())
                        }
                    };
                    let what = format!("{m}x{k}x{n}+{extra} epilogue {which} at {i},{j} on {cpu:?}");
                    assert_close(out[i * ldc + j], expected, (k as f64).sqrt() * 4.0, &what);
                }
                for (j, x) in out[i * ldc..(i + 1) * ldc].iter().enumerate().skip(n) {
                    assert_eq!(*x, 7.0, "between rows, {i},{j}");
                }
            }
        }
    }

    #[test]
    fn products_agree_with_f64_over_all_tails() {
        for cpu in cpus() {
            for m in [1, 2, 3, 4, 5, 6, 7, 11, 13, 14, 15, 29] {
                for n in [1, 7, 8, 16, 17, 24, 31, 40, 48, 64, 65, 80, 100] {
                    check(&cpu, m, 9, n, 0);
                }
            }
            for k in [0, 1, 2, 3, 4, 383, 385, 800] {
                check(&cpu, 1, k, 33, 3);
                check(&cpu, 2, k, 33, 0);
                check(&cpu, 15, k, 33, 3);
            }
        }
    }

    #[test]
    fn large_products_on_several_threads_agree_with_f64() {
        for cpu in cpus() {
            check(&cpu, 500, 70, 50, 1);
            check(&cpu, 40, 400, 200, 0);
            check(&cpu, 1, 700, 500, 0);
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        for isa in Isa::available() {
            for (m, k, n) in [(1, 900, 500), (3, 500, 300), (49, 600, 320), (700, 64, 48)] {
                let (a, b) = (values(m * k, 1), values(k * n, 2));
                let packed = PackedMatrix::pack(isa, k, n, &b).unwrap();
                let run = |threads| {
                    let mut out = vec![0.0; m * n];
                    let cpu = Cpu::with_isa(isa, threads);
                    gemm(&cpu, m, &a, k, &packed, &mut out, n, &Epilogue::default()).unwrap();
                    out
                };
                let one = run(1);
                assert_eq!(one, run(2));
                assert_eq!(one, run(3));
            }
        }
    }

    #[test]
    fn a_nan_in_the_input_reaches_its_row_through_relu() {
        for cpu in cpus() {
            let packed = PackedMatrix::pack(cpu.isa(), 2, 3, &[1.0; 6]).unwrap();
            let mut out = [0.0; 6];
            let relu = Epilogue { activation: Activation::RELU, ..Epilogue::default() };
            gemm(&cpu, 2, &[f32::NAN, 1.0, 1.0, 1.0], 2, &packed, &mut out, 3, &relu).unwrap();
            assert!(out[..3].iter().all(|x| x.is_nan()));
            assert_eq!(out[3..], [2.0; 3]);
        }
    }

    fn call(m: usize, a: usize, lda: usize, out: usize, ldc: usize, epilogue: &Epilogue<'_>) -> KernelError {
        let packed = PackedMatrix::pack(Isa::PORTABLE, 3, 5, &[1.0; 15]).unwrap();
        let cpu = Cpu::with_isa(Isa::PORTABLE, 1);
        gemm(&cpu, m, &vec![0.0; a], lda, &packed, &mut vec![0.0; out], ldc, epilogue).unwrap_err()
    }

    #[test]
    fn a_short_left_side_is_an_error() {
        let e = call(2, 5, 3, 10, 5, &Epilogue::default());
        assert_eq!(e, KernelError::Length { what: "a", expected: 6, found: 5 });
    }

    #[test]
    fn a_short_output_is_an_error() {
        let e = call(2, 6, 3, 9, 5, &Epilogue::default());
        assert_eq!(e, KernelError::Length { what: "out", expected: 10, found: 9 });
    }

    #[test]
    fn strides_shorter_than_rows_are_errors() {
        let e = call(2, 6, 2, 10, 5, &Epilogue::default());
        assert!(matches!(e, KernelError::Geometry { what: "lda", value: 2, .. }));
        let e = call(2, 6, 3, 10, 4, &Epilogue::default());
        assert!(matches!(e, KernelError::Geometry { what: "ldc", value: 4, .. }));
    }

    #[test]
    fn an_epilogue_of_another_size_is_an_error() {
        let four = [0.0; 4];
        let e = call(1, 3, 3, 5, 5, &Epilogue { scale: Some(&four), ..Epilogue::default() });
        assert_eq!(e, KernelError::Length { what: "scale", expected: 5, found: 4 });
        let e = call(1, 3, 3, 5, 5, &Epilogue { shift: Some(&four), ..Epilogue::default() });
        assert_eq!(e, KernelError::Length { what: "shift", expected: 5, found: 4 });
        let e = call(1, 3, 3, 5, 5, &Epilogue { residual: Some(&four), ..Epilogue::default() });
        assert_eq!(e, KernelError::Length { what: "residual", expected: 5, found: 4 });
    }

    #[test]
    fn a_size_beyond_the_address_space_is_an_error() {
        let e = call(usize::MAX, 3, 3, 5, 5, &Epilogue::default());
        assert_eq!(e, KernelError::TooLarge { what: "a" });
    }
}
