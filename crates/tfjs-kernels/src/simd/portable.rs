//! Four lanes in plain Rust, which the compiler turns into SSE2, NEON or wasm vectors. No intrinsics.

use super::Simd;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

const LANES: usize = 4;
type V = [f32; LANES];
type M = [bool; LANES];

macro_rules! lanes {
    ($i:ident => $e:expr) => {{
        [
            {
                let $i = 0;
                $e
            },
            {
                let $i = 1;
                $e
            },
            {
                let $i = 2;
                $e
            },
            {
                let $i = 3;
                $e
            },
        ]
    }};
}

impl Simd for Portable {
    const LANES: usize = LANES;
    type V = V;
    type M = M;

    #[inline(always)]
    fn splat(self, x: f32) -> V {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> V {
        // SAFETY: the caller's pointer is valid for `LANES` values.
        unsafe { p.cast::<V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: V) {
        // SAFETY: the caller's pointer is valid for `LANES` values.
        unsafe { p.cast::<V>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, n: usize) -> V {
        let mut v = [0.0; LANES];
        for (i, x) in v.iter_mut().enumerate().take(n) {
            // SAFETY: `i < n`, and the caller's pointer is valid for `n` values.
            *x = unsafe { *p.add(i) };
        }
        v
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize, v: V) {
        for (i, x) in v.into_iter().enumerate().take(n) {
            // SAFETY: `i < n`, and the caller's pointer is valid for `n` values.
            unsafe { *p.add(i) = x };
        }
    }
    #[inline(always)]
    fn prefetch(self, _: *const f32) {}
    #[inline(always)]
    fn add(self, a: V, b: V) -> V {
        lanes!(i => a[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        lanes!(i => a[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, a: V, b: V) -> V {
        lanes!(i => a[i] * b[i])
    }
    #[inline(always)]
    fn div(self, a: V, b: V) -> V {
        lanes!(i => a[i] / b[i])
    }
    #[inline(always)]
    fn mul_add(self, a: V, b: V, c: V) -> V {
        // `f32::mul_add` is a library call where the base instruction set has no such instruction.
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            lanes!(i => a[i].mul_add(b[i], c[i]))
        } else {
            lanes!(i => a[i] * b[i] + c[i])
        }
    }
    #[inline(always)]
    fn max(self, a: V, b: V) -> V {
        lanes!(i => if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn min(self, a: V, b: V) -> V {
        lanes!(i => if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    fn abs(self, a: V) -> V {
        lanes!(i => a[i].abs())
    }
    #[inline(always)]
    fn with_sign(self, a: V, sign: V) -> V {
        lanes!(i => a[i].copysign(sign[i]))
    }
    #[inline(always)]
    fn pow2(self, n: V) -> V {
        lanes!(i => f32::from_bits((((n[i] as i32).wrapping_add(127)) << 23) as u32))
    }
    #[inline(always)]
    fn less(self, a: V, b: V) -> M {
        lanes!(i => a[i] < b[i])
    }
    #[inline(always)]
    fn is_nan(self, a: V) -> M {
        lanes!(i => a[i].is_nan())
    }
    #[inline(always)]
    fn select(self, mask: M, a: V, b: V) -> V {
        lanes!(i => if mask[i] { a[i] } else { b[i] })
    }
}
