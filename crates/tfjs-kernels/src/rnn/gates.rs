//! The elementwise arithmetic of a step: gates applied to states.

use crate::elementwise::read_vector;
use crate::isa::Work;
use crate::simd::Simd;

/// `cell = forget * cell + input * candidate`, for equally long slices.
pub(super) struct NextCell<'a> {
    pub(super) input: &'a [f32],
    pub(super) forget: &'a [f32],
    pub(super) candidate: &'a [f32],
    pub(super) cell: &'a mut [f32],
}

impl Work for NextCell<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let NextCell { input, forget, candidate, cell } = self;
        let len = cell.len();
        assert!(input.len() == len && forget.len() == len && candidate.len() == len);
        let mut i = 0;
        while i < len {
            let n = S::LANES.min(len - i);
            // SAFETY: all slices have `n` values from `i` on.
            unsafe {
                let kept = s.mul(read_vector(s, forget, i, n), read_vector(s, cell, i, n));
                let next = s.mul_add(read_vector(s, input, i, n), read_vector(s, candidate, i, n), kept);
                s.store_first(cell.as_mut_ptr().add(i), n, next);
            }
            i += n;
        }
    }
}

/// `hidden = z * hidden + (1 - z) * candidate`, for equally long slices.
pub(super) struct NextHidden<'a> {
    pub(super) z: &'a [f32],
    pub(super) candidate: &'a [f32],
    pub(super) hidden: &'a mut [f32],
}

impl Work for NextHidden<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let NextHidden { z, candidate, hidden } = self;
        let len = hidden.len();
        assert!(z.len() == len && candidate.len() == len);
        let one = s.splat(1.0);
        let mut i = 0;
        while i < len {
            let n = S::LANES.min(len - i);
            // SAFETY: all slices have `n` values from `i` on.
            unsafe {
                let z = read_vector(s, z, i, n);
                let kept = s.mul(z, read_vector(s, hidden, i, n));
                let new = s.mul(s.sub(one, z), read_vector(s, candidate, i, n));
                s.store_first(hidden.as_mut_ptr().add(i), n, s.add(kept, new));
            }
            i += n;
        }
    }
}
