//! SHA-256 of bytes and of files, and its text. Weight files in the cache are named by it.

use super::disk::read_at;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest;
use std::fmt;
use std::fs::File;
use std::io;

/// Bytes hashed at a time.
const CHUNK: usize = 1 << 20;

/// A SHA-256 sum. Only 64 hexadecimal digits are parsed as one, so that it is always a safe file name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sha256([u8; 32]);

impl Sha256 {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Sha256(sha2::Sha256::digest(bytes).into())
    }

    /// The sum of a whole file.
    pub(super) fn of_file(file: &File) -> io::Result<Self> {
        let mut hasher = sha2::Sha256::new();
        let mut buffer = vec![0; CHUNK];
        let mut at = 0;
        loop {
            let n = read_at(file, &mut buffer, at)?;
            if n == 0 {
                return Ok(Sha256(hasher.finalize().into()));
            }
            hasher.update(&buffer[..n]);
            at += n as u64;
        }
    }

    pub(super) fn parse(hex: &str) -> Option<Self> {
        let mut out = [0; 32];
        let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
        if pairs.len() != out.len() || !rest.is_empty() {
            return None;
        }
        for (byte, pair) in out.iter_mut().zip(pairs) {
            // Upper case is rejected: it would be a second name for the same file.
            let lower = pair.iter().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
            let digits = std::str::from_utf8(pair).ok().filter(|_| lower)?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(Sha256(out))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Sha256::parse(&text).ok_or_else(|| D::Error::custom("expected 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // FIPS 180-4, the one-block example `abc`.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_example_of_the_standard() {
        assert_eq!(Sha256::of(b"abc").to_string(), ABC);
        assert_eq!(Sha256::parse(ABC), Some(Sha256::of(b"abc")));
    }

    #[test]
    fn nothing_else_is_a_name() {
        for text in
            ["", "../../etc/passwd", &ABC[1..], &ABC.to_uppercase(), &ABC.replace('b', "é"), &ABC.replace("ba", "+a")]
        {
            assert_eq!(Sha256::parse(text), None, "{text}");
        }
    }
}
