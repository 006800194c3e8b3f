//! Quantizes float32 values, as the Python converter does.
//!
//! Reference: `quantize_weights` in the converter's `quantization.py`. It computes in double precision with NumPy 2, as
//! here; with NumPy 1 it rounded to single precision in between, which moves some values by one step.

use crate::memory;
use half::f16;
use half::slice::HalfFloatSliceExt;
use tfjs_manifest::{AffineStore, Error, Quantization, Result};

/// Quantizes values to integers. Returns their bytes and the quantization. If zero is between the smallest and the
/// largest value, it is represented exactly, because padding makes zeros.
///
/// # Errors
/// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for infinities and NaN, which integers cannot represent.
pub(crate) fn affine(values: &[f32], stored: AffineStore) -> Result<(Vec<u8>, Quantization)> {
    if let Some(value) = values.iter().find(|v| !v.is_finite()) {
        return Err(Error::misuse(format!(
            "a value is `{value}`, which integers cannot represent: store this weight as float16 or float32"
        )));
    }
    let least = values.iter().copied().reduce(f32::min).map_or(0.0, f64::from);
    let most = values.iter().copied().reduce(f32::max).map_or(0.0, f64::from);
    let (scale, min, max) = range(least, most, stored);

    let level = |&value: &f32| ((f64::from(value).clamp(min, max) - min) / scale).round_ties_even();
    // `as` saturates, so a rounding error cannot exceed the last level.
    let bytes = match stored {
        AffineStore::Uint8 => memory::collect(values.iter().map(|v| level(v) as u8))?,
        AffineStore::Uint16 => {
            let levels: Vec<u16> = memory::collect(values.iter().map(|v| level(v) as u16))?;
            bytemuck::cast_slice(&levels).to_vec()
        }
    };
    Ok((bytes, Quantization::Affine { stored, scale, min }))
}

/// The scale, and the smallest and the largest quantized value.
fn range(least: f64, most: f64, stored: AffineStore) -> (f64, f64, f64) {
    if least == most {
        return (1.0, least, least);
    }
    let levels = match stored {
        AffineStore::Uint8 => f64::from(u8::MAX),
        AffineStore::Uint16 => f64::from(u16::MAX),
    };
    let scale = (most - least) / levels;
    if !(least <= 0.0 && 0.0 <= most) {
        return (scale, least, most);
    }
    // The minimum is moved by less than a step, so that one level is exactly zero. `0.0 -` keeps a zero positive.
    let min = 0.0 - ((0.0 - least) / scale).round_ties_even() * scale;
    let max = levels * scale + min;
    let single = f64::from(f32::MIN)..=f64::from(f32::MAX);
    if single.contains(&min) && single.contains(&max) { (scale, min, max) } else { (scale, least, most) }
}

/// Converts values to half precision, rounded to nearest, ties to even.
///
/// # Errors
/// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for finite values that would become infinite, which the converter
/// accepts.
pub(crate) fn float16(values: &[f32]) -> Result<Vec<u8>> {
    let mut halves: Vec<f16> = memory::zeroed(values.len())?;
    halves.convert_from_f32_slice(values);
    let lost = values.iter().zip(&halves).find(|(value, half)| value.is_finite() && !half.is_finite());
    match lost {
        None => Ok(bytemuck::cast_slice(&halves).to_vec()),
        Some((value, _)) => Err(Error::misuse(format!(
            "value `{value}` is out of the range of float16, whose largest value is 65504: store this weight as float32"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    /// The expected levels, min and scale are those of tensorflowjs 4.22.0 (NumPy 1.26).
    #[track_caller]
    fn check(values: &[f32], stored: AffineStore, levels: &[u16], min: f64, scale: f64) {
        let (bytes, quantization) = affine(values, stored).unwrap();
        let seen: Vec<u16> = match stored {
            AffineStore::Uint8 => bytes.iter().map(|&b| b.into()).collect(),
            AffineStore::Uint16 => bytes.chunks(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect(),
        };
        assert_eq!(seen, levels);
        assert_eq!(quantization, Quantization::Affine { stored, scale, min });
    }

    #[test]
    fn as_the_converter_does_it() {
        use AffineStore::{Uint8, Uint16};
        let around = [0.0, -0.1, 1.2];
        check(&around, Uint8, &[20, 0, 255], -0.10196078817049663, 0.0050980394085248315);
        check(&around, Uint16, &[5041, 0, 65535], -0.09999695197810769, 1.9836729216049928e-05);
        let above = [0.5, 1.0, 2.0, 3.25];
        check(&above, Uint8, &[0, 46, 139, 255], 0.5, 0.010784313725490196);
        check(&above, Uint16, &[0, 11915, 35746, 65535], 0.5, 4.196231021591516e-05);
        let below = [-3.0, -1.0, -0.25];
        check(&below, Uint8, &[0, 185, 255], -3.0, 0.010784313725490196);
        check(&below, Uint16, &[0, 47662, 65535], -3.0, 4.196231021591516e-05);
        let mixed = [-1.7, -0.3, 0.0, 0.1, 0.9, 2.6, 1e-3];
        check(&mixed, Uint8, &[0, 83, 101, 107, 154, 255, 101], -1.7031372360154695, 0.016862744911044253);
        let fine = [0, 21337, 25909, 27433, 39626, 65535, 25924];
        check(&mixed, Uint16, &fine, -1.6999877739309164, 6.561379342818774e-05);
    }

    #[test]
    fn constants_and_nothing() {
        for stored in [AffineStore::Uint8, AffineStore::Uint16] {
            check(&[0.7, 0.7], stored, &[0, 0], 0.699999988079071, 1.0);
            check(&[0.0; 3], stored, &[0; 3], 0.0, 1.0);
            // The converter fails on these.
            check(&[], stored, &[], 0.0, 1.0);
        }
    }

    #[test]
    fn what_integers_cannot_stand_for() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = affine(&[1.0, value], AffineStore::Uint8).unwrap_err();
            assert_eq!(error.kind(), Kind::Misuse);
        }
        affine(&[f32::MIN, f32::MAX], AffineStore::Uint16).unwrap();
    }

    #[test]
    fn float16_rounds_to_even_and_does_not_overflow_silently() {
        let values = [1.0, 1.0 + 1.0 / 2048.0, 1.0 + 3.0 / 2048.0, 65504.0, -0.0, f32::INFINITY, 6e-8];
        let bytes = float16(&values).unwrap();
        let halves: Vec<u16> = bytes.chunks(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
        assert_eq!(halves, [0x3c00, 0x3c00, 0x3c02, 0x7bff, 0x8000, 0x7c00, 0x0001]);
        let error = float16(&[65520.0]).unwrap_err();
        assert_eq!(error.kind(), Kind::Misuse);
        assert!(error.message().contains("`65520`"), "{error}");
    }
}
