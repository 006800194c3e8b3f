//! The innermost kernel: a few rows times a packed panel, with the sums in registers. It is independent of what the
//! rows are, so matrix products and convolutions share it.

use crate::Isa;
use crate::epilogue::Finish;
use crate::isa::Level;
use crate::runs::Run;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Portable, Simd};
use crate::unroll::{unroll, unroll4};

/// Rows of the largest tile of any instruction set.
pub(crate) const MAX_ROWS: usize = 14;

/// Values of a cache line.
const LINE: usize = 16;

/// How far ahead of its use a panel is prefetched, in values: the latency of the third-level cache.
const AHEAD: usize = 512;

/// The operands of a tile kernel.
pub(crate) struct Tile<'a> {
    /// Pointers to the rows of the left side; as many as the kernel has rows.
    pub(crate) rows: &'a [*const f32],
    /// The values of a row to multiply, in order.
    pub(crate) runs: &'a [Run],
    /// The panel's rows that belong to the runs.
    pub(crate) panel: *const f32,
    pub(crate) out: *mut f32,
    /// The stride between rows of the output, and of the residual.
    pub(crate) out_stride: usize,
    /// The number of columns to write; the last is in the kernel's last vector.
    pub(crate) columns: usize,
    /// Whether to add to what `out` holds.
    pub(crate) accumulate: bool,
    /// The epilogue for complete sums; `None` if they are partial.
    pub(crate) finish: Option<Finish>,
}

/// A kernel for a number of rows and of vectors across.
///
/// # Safety
/// With `m` rows and panels `v` vectors wide: `rows` holds `m` pointers, each valid for reading all
/// `runs`; `panel` holds a row of `v` whole vectors for each value of the runs; `columns` is
/// more than `v - 1` and at most `v` vectors; `out`, and the residual if there is one, are valid for
/// `columns` values in each of `m` rows `out_stride` apart, and scale and shift for `columns` values; the
/// CPU has the kernel's instruction set.
pub(crate) type Kernel = unsafe fn(&Tile<'_>);

/// A kernel and its number of rows.
#[derive(Clone, Copy)]
pub(crate) struct Sized {
    pub(crate) rows: usize,
    pub(crate) kernel: Kernel,
}

/// Values in a vector.
pub(crate) fn lanes(isa: Isa) -> usize {
    match isa.level() {
        Level::Portable => Portable::LANES,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => Avx2::LANES,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => Avx512::LANES,
    }
}

/// The width in vectors of the panels for `n` columns: the width with the highest estimated speed, given padding.
pub(crate) fn vectors_for(isa: Isa, n: usize) -> usize {
    // Measured relative speed of tiles that are one, two, ... vectors wide.
    let speeds: &[f64] = match isa.level() {
        Level::Portable => &[0.8, 1.0],
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => &[0.85, 1.0, 0.97],
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => &[0.72, 1.0, 0.98, 0.97],
    };
    let vectors = n.div_ceil(lanes(isa)).max(1);
    let time = |wide: usize| {
        let (full, rest) = (vectors / wide, vectors % wide);
        let rest_time = if rest > 0 { rest as f64 / speeds[rest - 1] } else { 0.0 };
        (full * wide) as f64 / speeds[wide - 1] + rest_time
    };
    (1..=speeds.len()).min_by(|&a, &b| time(a).total_cmp(&time(b))).unwrap_or(1)
}

macro_rules! kernels {
    ($entry:ident: $($rows:literal x $vectors:literal),* $(,)?) => {
        &[$(Sized { rows: $rows, kernel: $entry::<$rows, $vectors, 1> }),*]
    };
}

/// The kernels for panels of this many vectors, in descending number of rows, the last with one row.
pub(crate) fn kernels(isa: Isa, vectors: usize) -> &'static [Sized] {
    match (isa.level(), vectors) {
        (Level::Portable, 1) => kernels!(portable: 8 x 1, 4 x 1, 2 x 1, 1 x 1),
        (Level::Portable, _) => kernels!(portable: 6 x 2, 4 x 2, 2 x 2, 1 x 2),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, 1) => kernels!(avx2: 12 x 1, 8 x 1, 6 x 1, 4 x 1, 2 x 1, 1 x 1),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, 2) => kernels!(avx2: 6 x 2, 5 x 2, 4 x 2, 3 x 2, 2 x 2, 1 x 2),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, _) => kernels!(avx2: 4 x 3, 3 x 3, 2 x 3, 1 x 3),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, 1) => kernels!(avx512: 14 x 1, 7 x 1, 4 x 1, 2 x 1, 1 x 1),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, 2) => kernels!(avx512: 14 x 2, 12 x 2, 8 x 2, 7 x 2, 4 x 2, 2 x 2, 1 x 2),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, 3) => kernels!(avx512: 8 x 3, 4 x 3, 2 x 3, 1 x 3),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, _) => kernels!(avx512: 6 x 4, 4 x 4, 2 x 4, 1 x 4),
    }
}

macro_rules! by_vectors {
    ($vectors:ident, $entry:ident, $rows:literal, $ways:literal, up to 3) => {
        match $vectors {
            1 => $entry::<$rows, 1, $ways>,
            2 => $entry::<$rows, 2, $ways>,
            _ => $entry::<$rows, 3, $ways>,
        }
    };
    ($vectors:ident, $entry:ident, $rows:literal, $ways:literal, up to 4) => {
        match $vectors {
            4 => $entry::<$rows, 4, $ways>,
            _ => by_vectors!($vectors, $entry, $rows, $ways, up to 3),
        }
    };
}

/// The kernel for a whole product of one or two rows, which uses several accumulators to hide the
/// latency of additions. Its sums differ in the last bits from those of [`kernels`].
pub(crate) fn few_rows(isa: Isa, rows: usize, vectors: usize) -> Kernel {
    match (isa.level(), rows) {
        (Level::Portable, 1) => by_vectors!(vectors, portable, 1, 4, up to 3),
        (Level::Portable, _) => by_vectors!(vectors, portable, 2, 2, up to 3),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, 1) => by_vectors!(vectors, avx2, 1, 4, up to 3),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, _) => by_vectors!(vectors, avx2, 2, 2, up to 3),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, 1) => by_vectors!(vectors, avx512, 1, 4, up to 4),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512, _) => by_vectors!(vectors, avx512, 2, 2, up to 4),
    }
}

/// # Safety
/// See [`Kernel`].
unsafe fn portable<const ROWS: usize, const VECTORS: usize, const WAYS: usize>(tile: &Tile<'_>) {
    // SAFETY: the caller guarantees the same.
    unsafe { run::<Portable, ROWS, VECTORS, WAYS>(Portable, tile) }
}

/// # Safety
/// See [`Kernel`]; the CPU has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<const ROWS: usize, const VECTORS: usize, const WAYS: usize>(tile: &Tile<'_>) {
    // SAFETY: the caller guarantees the same.
    unsafe { run::<Avx2, ROWS, VECTORS, WAYS>(Avx2::new(), tile) }
}

/// # Safety
/// See [`Kernel`]; the CPU has AVX-512 F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn avx512<const ROWS: usize, const VECTORS: usize, const WAYS: usize>(tile: &Tile<'_>) {
    // SAFETY: the caller guarantees the same.
    unsafe { run::<Avx512, ROWS, VECTORS, WAYS>(Avx512::new(), tile) }
}

/// # Safety
/// See [`Kernel`].
#[inline(always)]
unsafe fn run<S: Simd, const ROWS: usize, const VECTORS: usize, const WAYS: usize>(s: S, tile: &Tile<'_>) {
    let mut sums = [[[s.splat(0.0); VECTORS]; ROWS]; WAYS];
    let tail = tile.columns - (VECTORS - 1) * S::LANES;
    if tile.accumulate {
        unroll!(r < ROWS => unroll4!(v < VECTORS => {
            // SAFETY: `out` is readable where it is writable: `columns` values in each row.
            sums[0][r][v] = unsafe {
                let p = tile.out.add(r * tile.out_stride + v * S::LANES).cast_const();
                if v + 1 < VECTORS || tail == S::LANES { s.load(p) } else { s.load_first(p, tail) }
            }
        }));
    }

    let mut panel = tile.panel;
    for run in tile.runs {
        let mut rows = [std::ptr::null::<f32>(); ROWS];
        // SAFETY: there are `ROWS` pointers, each valid from the run's offset for its length.
        unroll!(r < ROWS => rows[r] = unsafe { tile.rows.get_unchecked(r).add(run.offset) });
        let mut k = 0;
        while k + 4 <= run.len {
            unroll4!(step < 4 => {
                // SAFETY: `k + step < run.len`.
                unsafe { multiply_step(s, &mut sums[step % WAYS], &rows, k + step, panel.add(step * VECTORS * S::LANES)) }
            });
            // SAFETY: the panel has a row for each value of the runs.
            panel = unsafe { panel.add(4 * VECTORS * S::LANES) };
            k += 4;
        }
        while k < run.len {
            // SAFETY: `k < run.len`, and the panel has a row for each value of the runs.
            unsafe {
                multiply_step(s, &mut sums[0], &rows, k, panel);
                panel = panel.add(VECTORS * S::LANES);
            }
            k += 1;
        }
    }
    unroll4!(w < WAYS => if w != 0 {
        unroll!(r < ROWS => unroll4!(v < VECTORS => {
            sums[0][r][v] = s.add(sums[0][r][v], sums[w][r][v])
        }));
    });

    if let Some(finish) = tile.finish {
        // SAFETY: the caller guarantees that scale, shift and residual are valid.
        unsafe { apply(s, &mut sums[0], tile, finish, tail) };
    }
    unroll!(r < ROWS => unroll4!(v < VECTORS => {
        // SAFETY: `out` is writable for `columns` values in each row.
        unsafe {
            let p = tile.out.add(r * tile.out_stride + v * S::LANES);
            if v + 1 < VECTORS || tail == S::LANES {
                s.store(p, sums[0][r][v]);
            } else {
                s.store_first(p, tail, sums[0][r][v]);
            }
        }
    }));
}

/// Adds the product of value `k` of each row and the panel's row at `panel`.
///
/// # Safety
/// Every row is readable at `k`, `panel` for `VECTORS` vectors.
#[inline(always)]
unsafe fn multiply_step<S: Simd, const ROWS: usize, const VECTORS: usize>(
    s: S,
    sums: &mut [[S::V; VECTORS]; ROWS],
    rows: &[*const f32; ROWS],
    k: usize,
    panel: *const f32,
) {
    let mut right = [s.splat(0.0); VECTORS];
    // Hardware prefetchers stop at page boundaries, and a panel spans many pages.
    unroll4!(v < VECTORS => if (v * S::LANES).is_multiple_of(LINE) {
        s.prefetch(panel.wrapping_add(AHEAD + v * S::LANES));
    });
    // SAFETY: the panel is readable for `VECTORS` vectors.
    unroll4!(v < VECTORS => right[v] = unsafe { s.load(panel.add(v * S::LANES)) });
    unroll!(r < ROWS => {
        // SAFETY: the row is readable at `k`.
        let left = s.splat(unsafe { *rows[r].add(k) });
        unroll4!(v < VECTORS => sums[r][v] = s.mul_add(left, right[v], sums[r][v]));
    });
}

/// # Safety
/// See [`Kernel`]; `tail` is the number of values in the last vector.
#[inline(always)]
unsafe fn apply<S: Simd, const ROWS: usize, const VECTORS: usize>(
    s: S,
    sums: &mut [[S::V; VECTORS]; ROWS],
    tile: &Tile<'_>,
    finish: Finish,
    tail: usize,
) {
    let Finish { scale, shift, residual, low, high } = finish;
    let (low, high) = (s.splat(low), s.splat(high));
    unroll4!(v < VECTORS => {
        let whole = v + 1 < VECTORS || tail == S::LANES;
        if let Some(scale) = scale {
            // SAFETY: scale is readable for `columns` values.
            let scale = unsafe { s.load_part(scale.add(v * S::LANES), whole, tail) };
            unroll!(r < ROWS => sums[r][v] = s.mul(sums[r][v], scale));
        }
        if let Some(shift) = shift {
            // SAFETY: shift is readable for `columns` values.
            let shift = unsafe { s.load_part(shift.add(v * S::LANES), whole, tail) };
            unroll!(r < ROWS => sums[r][v] = s.add(sums[r][v], shift));
        }
        if let Some(residual) = residual {
            unroll!(r < ROWS => {
                // SAFETY: the residual is readable for `columns` values at each row.
                let other = unsafe { s.load_part(residual.add(r * tile.out_stride + v * S::LANES), whole, tail) };
                sums[r][v] = s.add(sums[r][v], other);
            });
        }
        unroll!(r < ROWS => sums[r][v] = s.min(high, s.max(low, sums[r][v])));
    });
}
