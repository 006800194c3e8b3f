//! The elements along one axis of a row-major tensor, a lane for each choice of the other indices.

use super::spread::count;
use tfjs_manifest::{Error, Result};

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

    /// The offset of the first element of each lane, in row-major order.
    pub(super) fn starts(self) -> impl Iterator<Item = usize> {
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

    /// How many elements the kernels handle between two looks at the clock.
    pub(super) const BETWEEN_LOOKS: usize = 1 << 20;
}
