//! Vectors of `f32` with one interface for all instruction sets. Each method is about one instruction.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use portable::Portable;

/// An instruction set as a token. A token exists only if the CPU has the instruction set, so arithmetic is safe and
/// only memory access is unsafe.
pub(crate) trait Simd: Copy {
    /// Values in a vector.
    const LANES: usize;
    /// A vector.
    type V: Copy;
    /// One boolean per lane.
    type M: Copy;

    fn splat(self, x: f32) -> Self::V;

    /// # Safety
    /// `p` is valid for reading `LANES` values; it needs no alignment.
    unsafe fn load(self, p: *const f32) -> Self::V;
    /// # Safety
    /// `p` is valid for writing `LANES` values.
    unsafe fn store(self, p: *mut f32, v: Self::V);
    /// The first `n <= LANES` values, the rest zero.
    ///
    /// # Safety
    /// `p` is valid for reading `n` values.
    unsafe fn load_first(self, p: *const f32, n: usize) -> Self::V;
    /// A whole vector, or the first `tail` values of one.
    ///
    /// # Safety
    /// `p` is valid for reading a vector, or `tail` values if not `whole`.
    #[inline(always)]
    unsafe fn load_part(self, p: *const f32, whole: bool, tail: usize) -> Self::V {
        // SAFETY: guaranteed by the caller.
        unsafe { if whole { self.load(p) } else { self.load_first(p, tail) } }
    }
    /// # Safety
    /// `p` is valid for writing `n <= LANES` values.
    unsafe fn store_first(self, p: *mut f32, n: usize, v: Self::V);

    /// Prefetches the cache line at `p`, which may be any address.
    fn prefetch(self, p: *const f32);

    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once if the CPU has fused multiply-add.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The greater of both; `b` if either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller of both; `b` if either is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    fn abs(self, a: Self::V) -> Self::V;
    /// The magnitude of `a` with the sign of `sign`; `a` must not be negative.
    fn with_sign(self, a: Self::V, sign: Self::V) -> Self::V;
    /// 2^n for whole `n` from -126 to 127; unspecified for other `n`.
    fn pow2(self, n: Self::V) -> Self::V;

    /// `a < b`, false if either is NaN.
    fn less(self, a: Self::V, b: Self::V) -> Self::M;
    fn is_nan(self, a: Self::V) -> Self::M;
    /// `a` where the mask is set, else `b`.
    fn select(self, mask: Self::M, a: Self::V, b: Self::V) -> Self::V;

    /// The greater of both, NaN if either is NaN.
    #[inline(always)]
    fn max_nan(self, a: Self::V, b: Self::V) -> Self::V {
        // `max` returns a NaN in `b`; one in `a` is selected.
        self.select(self.is_nan(a), a, self.max(a, b))
    }

    /// The smaller of both, NaN if either is NaN.
    #[inline(always)]
    fn min_nan(self, a: Self::V, b: Self::V) -> Self::V {
        self.select(self.is_nan(a), a, self.min(a, b))
    }
}
