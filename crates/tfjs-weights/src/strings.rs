//! String tensors: each element is a four-byte little-endian length, followed by that many bytes.
//!
//! Lengths come from an untrusted file: nothing is allocated or skipped before the bytes are known to exist.

use crate::memory;
use tfjs_manifest::{Error, Result};

/// Size in bytes of each element's length.
const LENGTH: usize = 4;

/// Iterates over the elements of a string tensor.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    index: usize,
    count: usize,
}

impl<'a> Scan<'a> {
    /// A tensor of `count` elements at offset `at` of a group's bytes.
    pub(crate) fn new(bytes: &'a [u8], at: usize, count: usize) -> Scan<'a> {
        Scan { bytes, at, index: 0, count }
    }

    /// Calls `keep` with each element. Returns the offset after the last one.
    pub(crate) fn run(mut self, mut keep: impl FnMut(&'a [u8])) -> Result<usize> {
        while self.index < self.count {
            let length = self.take(LENGTH, "its length")?;
            let length = length.try_into().map(u32::from_le_bytes).expect("take returns the requested number of bytes");
            // Fails only on 16-bit machines, where such a length is invalid anyway.
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            keep(self.take(length, "its text")?);
            self.index += 1;
        }
        Ok(self.at)
    }

    /// The elements, and the offset after them.
    pub(crate) fn collect(self) -> Result<(Vec<Vec<u8>>, usize)> {
        let left = self.bytes.len().saturating_sub(self.at);
        if self.count > left / LENGTH {
            return Err(Error::malformed(format!(
                "{} strings need at least {} bytes from offset {}, {left} left",
                self.count,
                self.count as u128 * LENGTH as u128,
                self.at
            )));
        }
        let mut strings = memory::with_capacity(self.count)?;
        let end = self.run(|string| strings.push(string.to_vec()))?;
        Ok((strings, end))
    }

    fn take(&mut self, length: usize, what: &str) -> Result<&'a [u8]> {
        let taken = self.at.checked_add(length).and_then(|end| Some((self.bytes.get(self.at..end)?, end)));
        let Some((taken, end)) = taken else {
            return Err(Error::malformed(format!(
                "string {} of {}: {what} needs {length} bytes from offset {}, {} left",
                self.index + 1,
                self.count,
                self.at,
                self.bytes.len().saturating_sub(self.at)
            )));
        };
        self.at = end;
        Ok(taken)
    }
}

/// Appends a string tensor's bytes to `out`.
pub(crate) fn encode(strings: &[Vec<u8>], mut out: impl FnMut(&[u8])) -> Result<()> {
    for (i, string) in strings.iter().enumerate() {
        let Ok(length) = u32::try_from(string.len()) else {
            return Err(Error::unsupported(format!(
                "string {} of {} has {} bytes, the format allows {}",
                i + 1,
                strings.len(),
                string.len(),
                u32::MAX
            )));
        };
        out(&length.to_le_bytes());
        out(string);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    /// `["ab", "", "é"]` as written by `tf.io.encodeWeights` of TensorFlow.js 4.22.0.
    const WRITTEN: [u8; 16] = [2, 0, 0, 0, b'a', b'b', 0, 0, 0, 0, 2, 0, 0, 0, 0xc3, 0xa9];

    fn strings() -> Vec<Vec<u8>> {
        ["ab", "", "é"].map(|s| s.as_bytes().to_vec()).to_vec()
    }

    #[track_caller]
    fn check_lie(bytes: &[u8], count: usize, says: &str) {
        for error in
            [Scan::new(bytes, 0, count).collect().unwrap_err(), Scan::new(bytes, 0, count).run(drop).unwrap_err()]
        {
            assert_eq!(error.kind(), Kind::Malformed);
            assert!(error.message().contains(says), "{error}");
        }
    }

    #[test]
    fn there_and_back() {
        let mut written = Vec::new();
        encode(&strings(), |bytes| written.extend(bytes)).unwrap();
        assert_eq!(written, WRITTEN);
        assert_eq!(Scan::new(&written, 0, 3).collect().unwrap(), (strings(), 16));
    }

    #[test]
    fn amid_other_bytes() {
        let mut bytes = vec![9; 3];
        bytes.extend(WRITTEN);
        bytes.push(7);
        assert_eq!(Scan::new(&bytes, 3, 3).collect().unwrap(), (strings(), 19));
        assert_eq!(Scan::new(&bytes, 20, 0).collect().unwrap(), (vec![], 20));
    }

    #[test]
    fn lying_length() {
        check_lie(&[255, 255, 255, 255, 0], 1, "string 1 of 1: its text needs 4294967295 bytes from offset 4, 1 left");
        let mut bytes = WRITTEN;
        bytes[10] = 3;
        check_lie(&bytes, 3, "string 3 of 3: its text needs 3 bytes from offset 14, 2 left");
    }

    #[test]
    fn cut_inside_a_length() {
        check_lie(&[1, 0, 0, 0, b'a', 0, 0, 0], 2, "string 2 of 2: its length needs 4 bytes from offset 5, 3 left");
    }

    #[test]
    fn more_strings_than_bytes() {
        let error = Scan::new(&WRITTEN, 0, usize::MAX).collect().unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
        assert!(error.message().contains("16 left"), "{error}");
    }
}
