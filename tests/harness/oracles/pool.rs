//! A few bytes of an input, repeated to the needed length.

/// Bytes that repeat endlessly; a fixed pattern if there are none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pool<'a>(&'a [u8]);

impl<'a> Pool<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Pool(if bytes.is_empty() { b"\x20\xf0\x01\x40\xc8\x07\x9d\x33" } else { bytes })
    }

    pub(super) fn byte(&self, index: usize) -> u8 {
        self.0[index % self.0.len()]
    }

    /// The first `count` bytes.
    pub(super) fn bytes(&self, count: usize) -> Vec<u8> {
        self.0.iter().copied().cycle().take(count).collect()
    }

    /// Numbers between -2 and 2, the usual range of weights and inputs.
    pub(super) fn floats(&self, from: usize, count: usize) -> impl Iterator<Item = f32> {
        (from..from + count).map(|i| f32::from(self.byte(i) as i8) / 64.0)
    }
}
