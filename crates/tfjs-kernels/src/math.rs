//! Transcendental functions on vectors, by polynomials, within a few units in the last place.
//!
//! The result for NaN is NaN, that for an infinity is the limit, and subnormal results have the precision of the
//! subnormal range. Coefficients are minimax fits (those of the Cephes library where the form is Cephes').

use crate::simd::Simd;

/// Adding and subtracting this constant rounds a small number to a whole one (ties to even).
const ROUNDER: f32 = 12_582_912.0; // 1.5 * 2^23

const LN_2_HIGH: f32 = 0.693_359_4; // 355 / 512: products with small whole numbers are exact
const LN_2_LOW: f32 = -2.121_944_4e-4;

macro_rules! polynomial {
    ($s:expr, $x:expr, $high:expr $(, $c:expr)*) => {{
        let p = $s.splat($high);
        $(let p = $s.mul_add(p, $x, $s.splat($c));)*
        p
    }};
}

#[inline(always)]
fn round<S: Simd>(s: S, x: S::V) -> S::V {
    s.sub(s.add(x, s.splat(ROUNDER)), s.splat(ROUNDER))
}

/// `(n, e^r - 1)` with `x = n ln 2 + r` and `|r| <= ln 2 / 2`.
#[inline(always)]
fn reduce_exp<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    let n = round(s, s.mul(x, s.splat(std::f32::consts::LOG2_E)));
    let r = s.mul_add(n, s.splat(-LN_2_HIGH), x);
    let r = s.mul_add(n, s.splat(-LN_2_LOW), r);
    let p = polynomial!(s, r, 1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5);
    (n, s.mul_add(s.mul(r, r), p, r))
}

/// e^x.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    // Outside these bounds the result is infinite or zero; `max` and `min` return a NaN in their second operand.
    let x = s.min(s.splat(89.0), s.max(s.splat(-104.0), x));
    let (n, p) = reduce_exp(s, x);
    // In two steps, because the result may be 2^128 or 2^-149, which are not possible as factors.
    let half = round(s, s.mul(n, s.splat(0.5)));
    let p = s.mul(s.add(p, s.splat(1.0)), s.pow2(half));
    s.mul(p, s.pow2(s.sub(n, half)))
}

/// e^x - 1 for `x <= 0`, accurate near zero; unspecified for positive `x`.
#[inline(always)]
pub(crate) fn exp_m1_negative<S: Simd>(s: S, x: S::V) -> S::V {
    let x = s.min(s.splat(0.0), s.max(s.splat(-80.0), x));
    let (n, p) = reduce_exp(s, x);
    let scale = s.pow2(n);
    s.mul_add(p, scale, s.sub(scale, s.splat(1.0)))
}

/// ln(1 + y) for `y` from 0 to 1.
#[inline(always)]
fn ln_1p_unit<S: Simd>(s: S, y: S::V) -> S::V {
    // 2 artanh(y / (2 + y)).
    let t = s.div(y, s.add(y, s.splat(2.0)));
    let z = s.mul(t, t);
    let p = polynomial!(s, z, 0.244_130_56, 0.213_932_54, 0.286_207_22, 0.399_986_9, 0.666_666_8, 2.0);
    s.mul(t, p)
}

/// ln(1 + e^x).
#[inline(always)]
pub(crate) fn softplus<S: Simd>(s: S, x: S::V) -> S::V {
    let e = exp(s, s.sub(s.splat(0.0), s.abs(x)));
    s.add(s.max(s.splat(0.0), x), ln_1p_unit(s, e))
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(s: S, x: S::V) -> S::V {
    let one = s.splat(1.0);
    let e = exp(s, s.sub(s.splat(0.0), s.abs(x)));
    // Small results are e / (1 + e), which keeps their precision.
    let numerator = s.select(s.less(x, s.splat(0.0)), e, one);
    s.div(numerator, s.add(one, e))
}

/// tanh x.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let one = s.splat(1.0);
    let a = s.abs(x);
    let e = exp(s, s.add(a, a));
    let large = s.sub(one, s.div(s.splat(2.0), s.add(e, one)));
    let z = s.mul(x, x);
    let p = polynomial!(s, z, -5.704_988_7e-3, 2.063_908_8e-2, -5.373_971_6e-2, 1.333_144_2e-1, -3.333_328e-1);
    let small = s.mul_add(s.mul(p, z), x, x);
    s.select(s.less(a, s.splat(0.625)), small, s.with_sign(large, x))
}

/// The error function.
#[inline(always)]
pub(crate) fn erf<S: Simd>(s: S, x: S::V) -> S::V {
    let one = s.splat(1.0);
    let z = s.mul(x, x);
    let p = polynomial!(
        s,
        z,
        7.853_855e-5,
        -8.010_192e-4,
        5.188_327_5e-3,
        -2.685_381_2e-2,
        1.128_358_5e-1,
        -3.761_262_6e-1,
        std::f32::consts::FRAC_2_SQRT_PI
    );
    let small = s.mul(x, p);
    let a = s.abs(x);
    let t = s.div(one, s.mul_add(a, s.splat(0.5), one));
    let q = polynomial!(
        s,
        t,
        0.050_668_663,
        -0.083_898_924,
        -0.117_866_94,
        0.215_640_59,
        0.108_063_49,
        0.266_124_92,
        0.279_190_44,
        0.282_277_85
    );
    let tail = s.mul(s.mul(q, t), exp(s, s.sub(s.splat(0.0), z)));
    s.select(s.less(a, s.splat(0.95)), small, s.with_sign(s.sub(one, tail), x))
}
