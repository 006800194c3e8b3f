//! Views bytes as numbers, without a copy if they are aligned.

use crate::memory;
use bytemuck::Pod;
use std::borrow::Cow;
use tfjs_manifest::{Error, Result};

/// Views little-endian bytes as numbers: without a copy if they are aligned for `T`, otherwise as a copy. Weights are
/// packed without padding, so a float32 after a uint8 is often not aligned.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if the bytes are not a whole number of `T`,
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if there is no memory for a copy.
pub fn view<T: Pod>(bytes: &[u8]) -> Result<Cow<'_, [T]>> {
    let size = size_of::<T>();
    if bytes.len().checked_rem(size) != Some(0) {
        return Err(Error::malformed(format!(
            "{} bytes are not a whole number of elements of {size} bytes",
            bytes.len()
        )));
    }
    if let Ok(values) = bytemuck::try_cast_slice(bytes) {
        return Ok(Cow::Borrowed(values));
    }
    let mut copy: Vec<T> = memory::zeroed(bytes.len() / size)?;
    bytemuck::cast_slice_mut(&mut copy).copy_from_slice(bytes);
    Ok(Cow::Owned(copy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn borrowed_when_aligned_and_copied_when_not() {
        let values = [1.5f32, -0.0, f32::MAX, f32::from_bits(0x7f80_0001)];
        let bytes: &[u8] = bytemuck::cast_slice(&values);
        assert!(matches!(view::<f32>(bytes).unwrap(), Cow::Borrowed(_)));

        let mut shifted = vec![0u32; 5];
        let shifted: &mut [u8] = bytemuck::cast_slice_mut(&mut shifted);
        for offset in 0..4 {
            shifted[offset..offset + 16].copy_from_slice(bytes);
            let seen = view::<f32>(&shifted[offset..offset + 16]).unwrap();
            assert_eq!(matches!(seen, Cow::Borrowed(_)), offset == 0, "offset {offset}");
            let bits: Vec<u32> = seen.iter().map(|v| v.to_bits()).collect();
            assert_eq!(bits, values.map(f32::to_bits));
        }
    }

    #[test]
    fn bytes_are_always_borrowed() {
        assert!(matches!(view::<u8>(&[1, 2, 3][1..]).unwrap(), Cow::Borrowed([2, 3])));
    }

    #[test]
    fn half_an_element() {
        let error = view::<f32>(&[0; 7]).unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
        assert!(error.message().contains("7 bytes"), "{error}");
        assert!(view::<f32>(&[]).unwrap().is_empty());
        assert!(view::<[f32; 0]>(&[]).is_err());
    }
}
