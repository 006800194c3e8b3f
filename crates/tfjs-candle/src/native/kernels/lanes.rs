//! The elements along one axis of a row-major tensor, a lane for each choice of the other indices.

use super::spread::count;
use crate::native::io::Context;
use tfjs_manifest::{Error, Result};

/// Elements between two looks at the clock.
const BETWEEN_LOOKS: usize = 1 << 20;

/// A tensor as `[outer, len, inner]`: lanes run along the middle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes {
    outer: usize,
    pub(super) len: usize,
    inner: usize,
}

impl Lanes {
    pub(super) fn along(dims: &[usize], axis: usize) -> Result<Lanes> {
        match dims.get(axis..).and_then(<[usize]>::split_first) {
            Some((&len, rest)) => Ok(Lanes { outer: count(&dims[..axis]), len, inner: count(rest) }),
            None => Err(Error::bug("lanes along an axis that does not exist")),
        }
    }

    /// Calls a function with the number of each lane, in row-major order, and the offset of its first element. Looks at
    /// the clock between them.
    pub(super) fn for_each(self, cx: Context<'_>, mut f: impl FnMut(usize, usize) -> Result<()>) -> Result<()> {
        let between_looks = (BETWEEN_LOOKS / self.len.max(1)).max(1);
        for (lane, start) in self.starts().enumerate() {
            if lane.is_multiple_of(between_looks) {
                cx.check_deadline()?;
            }
            f(lane, start)?;
        }
        Ok(())
    }

    fn starts(self) -> impl Iterator<Item = usize> {
        (0..self.outer).flat_map(move |outer| (0..self.inner).map(move |inner| outer * self.len * self.inner + inner))
    }

    /// The offset of an element of a lane from the lane's first.
    pub(super) fn at(self, position: usize) -> usize {
        position * self.inner
    }

    /// Elements of all lanes.
    pub(super) fn elements(self) -> usize {
        self.outer * self.len * self.inner
    }
}
