//! Floats that start at a cache line, zeroed lazily by the operating system.
//!
//! An allocation with a larger alignment than `f32` would be zeroed explicitly, which touches every page before it is
//! filled: a quarter of the time of a load. This is therefore an ordinary allocation, slightly longer, whose first
//! floats may be unused.

use crate::error::{KernelError, Result};

/// Bytes of a cache line.
const LINE: usize = 64;

/// The most unused floats before the first cache line.
const SLACK: usize = LINE / size_of::<f32>();

/// A fixed number of floats, aligned to a cache line.
pub(crate) struct Aligned {
    floats: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// `len` zeros.
    pub(crate) fn zeroed(len: usize) -> Result<Self> {
        let too_large = || KernelError::TooLarge { what: "kernel" };
        let floats = bytemuck::try_zeroed_vec(len.checked_add(SLACK).ok_or_else(too_large)?);
        Ok(Self::within(floats.map_err(|()| too_large())?, len))
    }

    fn within(floats: Vec<f32>, len: usize) -> Self {
        let start = floats.as_ptr().align_offset(LINE);
        // `align_offset` may fail to give an offset; unaligned floats are slower but correct.
        Aligned { floats, start: if start < SLACK { start } else { 0 }, len }
    }

    pub(crate) fn as_slice(&self) -> &[f32] {
        &self.floats[self.start..self.start + self.len]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        &mut self.floats[self.start..self.start + self.len]
    }
}

/// A clone is aligned to a cache line too.
impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Self::within(vec![0.0; self.floats.len()], self.len);
        copy.as_mut_slice().copy_from_slice(self.as_slice());
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_a_line_and_is_zero() {
        for len in [0, 1, 16, 1000, 1 << 20] {
            let mut aligned = Aligned::zeroed(len).unwrap();
            assert_eq!(aligned.as_slice().as_ptr().addr() % LINE, 0);
            assert!(aligned.as_slice().iter().all(|&x| x == 0.0) && aligned.as_mut_slice().len() == len);
            aligned.as_mut_slice().iter_mut().enumerate().for_each(|(i, x)| *x = i as f32);
            let copy = aligned.clone();
            assert_eq!(copy.as_slice().as_ptr().addr() % LINE, 0);
            assert_eq!(copy.as_slice(), aligned.as_slice());
        }
    }

    #[test]
    fn absurd_lengths_are_errors() {
        assert!(Aligned::zeroed(usize::MAX).is_err() && Aligned::zeroed(usize::MAX / 4).is_err());
    }
}
