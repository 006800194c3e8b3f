//! Matrix product with a packed right side, and the loop over tiles that convolutions share.

use std::ops::Range;

use crate::epilogue::Epilogue;
use crate::error::{Result, check_at_least, check_rule, product};
use crate::runs::Runs;
use crate::split::Shared;
use crate::tile::{self, MAX_ROWS, Tile};
use crate::{Activation, Cpu, PackedMatrix, activation};

/// `out = epilogue(a * b)` with `m` rows; rows of `a` are `lda` values apart, rows of `out` `ldc`.
///
/// `a` and `out` hold whole rows; the last may be shorter than the stride. Values between the rows of `out` are not
/// changed. The residual, if there is one, has the layout and length of `out`.
///
/// # Errors
/// If a slice is too short, a stride is shorter than a row, or the epilogue does not match.
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
    let target = Product { cpu, matrix: b, runs: &runs, epilogue, out: Shared::new(out), out_stride: ldc, column: 0 };
    let (height, groups) = plan(cpu.pool().threads(), m, k, n, b.panel_count());
    let per_group = b.panel_count().div_ceil(groups);
    let heights = m.div_ceil(height);
    cpu.parallel(heights * groups, |job| {
        let (block, group) = (job / groups, job % groups);
        let range = block * height..((block + 1) * height).min(m);
        let panels = group * per_group..((group + 1) * per_group).min(b.panel_count());
        let pointers = rows(range.clone());
        // SAFETY: each pointer is valid for the `k` values of the runs, because `a` was checked; rows
        // `range` of `out` exist, and no other job has the same rows and panels.
        unsafe { target.block(&pointers, range.start, panels, few.then_some(m)) };
    });
    Ok(())
}

fn strided_len(what: &'static str, rows: usize, stride: usize, width: usize) -> Result<usize> {
    let before = product(what, &[rows - 1, stride])?;
    product(what, &[before.checked_add(width).ok_or(crate::KernelError::TooLarge { what })?])
}

/// Floats of the left side that are processed together: a share of the second-level cache.
pub(crate) const LEFT_FLOATS: usize = 48 << 10;

/// The size of the left side, in floats, up to which it stays in the cache while it is read once for each panel.
const NEAR_FLOATS: usize = 64 << 10;

/// Floats of a packed matrix that fit the first-level cache with room to spare.
const SMALL_FLOATS: usize = 4 << 10;

/// Multiplications of a row after which a block of rows of tiles looks at the clock: some tenths of a second.
const BETWEEN_LOOKS: usize = 1 << 29;

/// Multiplications below which one thread is faster than waking another.
pub(crate) const SERIAL_PRODUCTS: usize = 1 << 20;

/// The rows of a block, and the number of groups that the panels are split into.
fn plan(threads: usize, m: usize, k: usize, n: usize, panels: usize) -> (usize, usize) {
    // A block of the inner dimension is a few hundred values. The output counts too while it is small.
    let floats = k.clamp(1, 512) + n.min(128);
    let rows = (LEFT_FLOATS / floats).max(MAX_ROWS) / MAX_ROWS * MAX_ROWS;
    let products = m.saturating_mul(k).saturating_mul(n);
    // A product of few rows is limited by memory bandwidth, so a second thread pays off earlier.
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

/// The operands of a product, without the choice of rows and panels.
pub(crate) struct Product<'a> {
    /// Its deadline ends a block.
    pub(crate) cpu: &'a Cpu,
    pub(crate) matrix: &'a PackedMatrix,
    pub(crate) runs: &'a Runs,
    pub(crate) epilogue: &'a Epilogue<'a>,
    pub(crate) out: Shared<'a, f32>,
    pub(crate) out_stride: usize,
    /// The output column of the matrix's first column, which is also the index of its first scale and shift.
    pub(crate) column: usize,
}

impl Product<'_> {
    /// Computes rows of the output from `first` on, one for each pointer, in the columns of `panels`.
    ///
    /// `few` is set if these are all rows of the product and there are few of them.
    ///
    /// # Safety
    /// Each pointer is valid for reading the runs, whose total length is the number of rows of the matrix; the
    /// rows and columns are inside the output, and no other thread writes them meanwhile. Scale and shift cover
    /// the columns, and the residual is as long as the output.
    pub(crate) unsafe fn block(&self, pointers: &[*const f32], first: usize, panels: Range<usize>, few: Option<usize>) {
        if panels.is_empty() {
            return;
        }
        // A small matrix stays in the first-level cache, so the output is written in order.
        let floats = self.matrix.k().saturating_mul(self.matrix.n());
        // Larger blocks are split only to look at the clock.
        let padded = self.matrix.as_slice().len();
        let between_looks = (BETWEEN_LOOKS / padded.max(1)).max(1).saturating_mul(MAX_ROWS);
        let height = if floats <= SMALL_FLOATS { 4 * MAX_ROWS } else { pointers.len().min(between_looks) };
        for (i, pointers) in pointers.chunks(height.max(1)).enumerate() {
            if i > 0 && self.cpu.is_late() {
                return;
            }
            // SAFETY: these are some of the rows the caller promised.
            unsafe { self.rows(pointers, first + i * height, panels.clone(), few) };
        }
    }

    /// [`block`](Self::block) for rows that are processed together; `panels` is not empty.
    ///
    /// # Safety
    /// As for `block`.
    unsafe fn rows(&self, pointers: &[*const f32], first: usize, panels: Range<usize>, few: Option<usize>) {
        let Product { cpu: _, matrix, runs, epilogue, out, out_stride, column } = *self;
        let isa = matrix.isa();
        let (finish, rest) = epilogue.split();
        let packed = matrix.as_slice();
        let blocks = runs.blocks();
        // If all of the left side stays in the cache, each panel is read to its end while its sums stay in the cache.
        // Otherwise the left side is processed block by block.
        let near = pointers.len().saturating_mul(matrix.k()) <= NEAR_FLOATS;
        let tiles = blocks.len() * panels.len();
        for i in 0..tiles {
            let (panel, b) = match near {
                true => (panels.start + i / blocks.len(), i % blocks.len()),
                false => (panels.start + i % panels.len(), i / panels.len()),
            };
            let (panel, block) = (matrix.panel(panel), blocks[b]);
            let mut kernels = tile::kernels(isa, panel.vectors).iter();
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
                let last = b + 1 == blocks.len();
                // SAFETY: the first column of the panel is inside the channels, and `at` in the output.
                let finish = last.then(|| unsafe { finish.at(column + panel.column, at) });
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
        if rest == Activation::Linear {
            return;
        }
        let last = matrix.panel(panels.end - 1);
        let columns = matrix.panel(panels.start).column..last.column + last.columns;
        for row in 0..pointers.len() {
            let at = (first + row) * out_stride + column + columns.start;
            // SAFETY: these columns of this row were just written by this call and by no other job.
            activation::apply(isa, rest, unsafe { out.part(at, columns.len()) });
        }
    }
}

#[cfg(test)]
mod tests;
