//! Converts stored integers and half floats to values, with the same bits as TensorFlow.js.
//!
//! Reference: `decodeWeight` in tfjs-core `io/io_utils.ts`. Its arithmetic is JavaScript's: doubles, rounded once when
//! they are stored in a typed array.

use crate::memory;
use half::f16;
use half::slice::HalfFloatSliceExt;
use tfjs_manifest::Result;

/// `stored * scale + min` in double precision, rounded once to single.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if there is no memory for the values.
pub fn affine_f32<Q: Copy + Into<f64>>(stored: &[Q], scale: f64, min: f64) -> Result<Vec<f32>> {
    memory::collect(stored.iter().map(|&q| (q.into() * scale + min) as f32))
}

/// `stored * scale + min` in double precision, with halves rounded up, like JavaScript's `Math.round` into an
/// `Int32Array`: values out of range wrap around, and values that are not finite become zero.
///
/// DIFFERENCE: the Python tools round halves to even. TensorFlow.js is the reader of this format.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if there is no memory for the values.
pub fn affine_i32<Q: Copy + Into<f64>>(stored: &[Q], scale: f64, min: f64) -> Result<Vec<i32>> {
    memory::collect(stored.iter().map(|&q| to_int32(round_half_up(q.into() * scale + min))))
}

/// Converts the bits of half floats to single precision exactly, including subnormals, signed zeros, infinities and
/// NaN.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if there is no memory for the values.
pub fn float16(stored: &[u16]) -> Result<Vec<f32>> {
    let mut values = memory::zeroed(stored.len())?;
    bytemuck::cast_slice::<u16, f16>(stored).convert_to_f32_slice(&mut values);
    Ok(values)
}

/// `Math.round`. Not `(x + 0.5).floor()`, whose sum is rounded: it would give 1 for 0.49999999999999994.
fn round_half_up(x: f64) -> f64 {
    let below = x.floor();
    if x - below >= 0.5 { below + 1.0 } else { below }
}

/// ECMAScript's `ToInt32` of a whole number, an infinity or NaN.
fn to_int32(x: f64) -> i32 {
    const MODULUS: f64 = 4_294_967_296.0;
    if !x.is_finite() {
        return 0;
    }
    x.rem_euclid(MODULUS) as u32 as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    // Every expected value here was computed by TensorFlow.js 4.22.0 (`tf.io.decodeWeights`).

    #[track_caller]
    fn check_f32<Q: Copy + Into<f64>>(stored: &[Q], scale: f64, min: f64, bits: &[u32]) {
        let values = affine_f32(stored, scale, min).unwrap();
        let seen: Vec<u32> = values.iter().map(|v| v.to_bits()).collect();
        assert_eq!(seen, bits, "{seen:#010x?}");
    }

    #[test]
    fn uint8_to_float32() {
        check_f32(
            &[0u8, 1, 20, 127, 128, 254, 255],
            0.005098039215686275,
            -0.10196078431372549,
            &[0xbdd0d0d1, 0xbdc65ffa, 0, 0x3f0ba53f, 0x3f0cf35a, 0x3f98b24c, 0x3f995959],
        );
        // 33 * 0.1 - 3.3 is not zero in double precision, and rounding once to single keeps that.
        check_f32(
            &[0u8, 1, 3, 7, 33, 100, 255],
            0.1,
            -3.3,
            &[0xc0533333, 0xc04ccccd, 0xc0400000, 0xc0266666, 0x26000000, 0x40d66666, 0x41b1999a],
        );
    }

    #[test]
    fn uint16_to_float32() {
        check_f32(
            &[0u16, 1, 21845, 32767, 32768, 65534, 65535],
            1.5259021896696422e-05,
            -0.3333333333333333,
            &[0xbeaaaaab, 0xbeaaa8ab, 0, 0x3e2aa8ab, 0x3e2aacab, 0x3f2aa9ab, 0x3f2aaaab],
        );
    }

    #[test]
    fn beyond_float32_is_infinite() {
        check_f32(&[0u8, 1, 2, 5, 255], 1e38, -1e38, &[0xfe967699, 0, 0x7e967699, 0x7f800000, 0x7f800000]);
    }

    #[test]
    fn a_scale_of_zero_is_a_constant() {
        check_f32(&[0u8, 1, 255], 0.0, 1.5, &[0x3fc00000; 3]);
        check_f32(&[0u16, 65535], -0.0, 0.0, &[0; 2]);
    }

    #[track_caller]
    fn check_i32<Q: Copy + Into<f64>>(stored: &[Q], scale: f64, min: f64, expected: &[i32]) {
        assert_eq!(affine_i32(stored, scale, min).unwrap(), expected);
    }

    #[test]
    fn int32_rounds_halves_up() {
        check_i32(&[0u8, 1, 2, 3, 4, 5, 6], 0.5, -1.5, &[-1, -1, 0, 0, 1, 1, 2]);
        check_i32(&[0u8, 1, 2], 1.0, 0.49999999999999994, &[0, 2, 3]);
    }

    #[test]
    fn int32_wraps_as_a_typed_array_does() {
        check_i32(&[0u16, 1, 32768, 65535], 65536.0, -2147483648.5, &[-2147483648, -2147418112, 0, 2147418112]);
        check_i32(&[0u8, 1, 2, 255], 1e10, -5e9, &[-705032704, 705032704, 2115098112, -1915606528]);
    }

    #[test]
    fn int32_of_what_is_not_finite_is_zero() {
        check_i32(&[0u8, 1, 2], 1.7e308, 0.0, &[0, 0, 0]);
    }

    #[test]
    fn float16_is_exact() {
        let stored =
            [0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x0400, 0x3c00, 0xbc00, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x3555];
        let values = float16(&stored).unwrap();
        let bits: Vec<u32> = values.iter().map(|v| v.to_bits()).collect();
        assert_eq!(
            bits,
            [
                0x00000000, 0x80000000, 0x33800000, 0xb3800000, 0x387fc000, 0x38800000, 0x3f800000, 0xbf800000,
                0x477fe000, 0xc77fe000, 0x7f800000, 0xff800000, 0x3eaaa000,
            ]
        );
        let nans = float16(&[0x7e00, 0xfe01, 0x7c01]).unwrap();
        assert!(nans.iter().all(|v| v.is_nan()));
    }

    #[test]
    fn float16_every_value_against_its_definition() {
        let all: Vec<u16> = (0..=u16::MAX).collect();
        for (bits, value) in (0..=u16::MAX).zip(float16(&all).unwrap()) {
            let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
            let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3ff));
            let expected = match (exponent, fraction) {
                (31, 0.0) => sign * f64::INFINITY,
                (31, _) => f64::NAN,
                (0, _) => sign * fraction * 2f64.powi(-24),
                _ => sign * (1.0 + fraction / 1024.0) * 2f64.powi(exponent - 15),
            };
            let same = f64::from(value).to_bits() == expected.to_bits();
            assert!(same || value.is_nan() && expected.is_nan(), "{bits:#06x}: {value} {expected}");
        }
    }
}
