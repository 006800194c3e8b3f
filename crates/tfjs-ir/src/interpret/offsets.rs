//! Positions in row-major arrays: how a shape's indices map to offsets of elements.

use crate::array::strides;

/// The offsets `start + sum of index * stride` for every index of a shape, in row-major order.
///
/// Strides may be negative or 0. The caller must ensure that all offsets are at least 0.
#[derive(Clone, Debug)]
pub(super) struct Offsets {
    dims: Vec<usize>,
    strides: Vec<isize>,
    index: Vec<usize>,
    offset: isize,
    left: usize,
}

impl Offsets {
    pub(super) fn new(dims: &[usize], strides: Vec<isize>, start: isize) -> Self {
        // The elements are checked against the budget later, so the shape may be larger than any array.
        let left = if dims.contains(&0) { 0 } else { dims.iter().fold(1usize, |n, &dim| n.saturating_mul(dim)) };
        Offsets { dims: dims.to_vec(), strides, index: vec![0; dims.len()], offset: start, left }
    }

    /// For each index of `to`, the offset in an array of shape `from`, which broadcasts to `to`.
    pub(super) fn broadcast(from: &[usize], to: &[usize]) -> Self {
        Offsets::new(to, broadcast_strides(from, to), 0)
    }

    /// For each index of an array, the offset in an array whose `axes` are reduced.
    pub(super) fn reduced(dims: &[usize], axes: &[usize]) -> Self {
        let kept = without_axes(dims, axes);
        Offsets::broadcast(&kept, dims)
    }
}

impl Iterator for Offsets {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        let found = self.offset;
        for axis in (0..self.dims.len()).rev() {
            self.index[axis] += 1;
            // Wrapping: after the last index the offset is not used.
            self.offset = self.offset.wrapping_add(self.strides[axis]);
            if self.index[axis] < self.dims[axis] {
                break;
            }
            let back = self.strides[axis].wrapping_mul(self.dims[axis].cast_signed());
            self.offset = self.offset.wrapping_sub(back);
            self.index[axis] = 0;
        }
        // A negative offset is a bug of the caller; the lookup then finds no element.
        Some(usize::try_from(found).unwrap_or(usize::MAX))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Offsets {}

/// The row-major strides, signed. No stride of an array exceeds `isize::MAX`.
pub(super) fn signed_strides(dims: &[usize]) -> Vec<isize> {
    strides(dims).into_iter().map(usize::cast_signed).collect()
}

/// Strides that broadcast an array of shape `from` to `to`, aligned at the last axis.
pub(super) fn broadcast_strides(from: &[usize], to: &[usize]) -> Vec<isize> {
    let new = to.len().saturating_sub(from.len());
    let own = from.iter().zip(signed_strides(from)).map(|(&dim, stride)| if dim == 1 { 0 } else { stride });
    // SIZE: a difference of ranks.
    std::iter::repeat_n(0, new).chain(own).collect()
}

/// The dimensions, with length 1 for some axes.
pub(super) fn without_axes(dims: &[usize], axes: &[usize]) -> Vec<usize> {
    dims.iter().enumerate().map(|(axis, &dim)| if axes.contains(&axis) { 1 } else { dim }).collect()
}

/// The shape that two shapes broadcast to by NumPy's rule.
pub(super) fn broadcast_shapes(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |dims: &[usize], i: usize| (i + dims.len()).checked_sub(rank).map_or(1, |i| dims[i]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (1, n) | (n, 1) => Some(n),
            (a, b) => (a == b).then_some(a),
        })
        .collect()
}

/// An array viewed along one axis: `outer * inner` lanes of `len` elements, whose elements are `inner` apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes {
    pub(super) outer: usize,
    pub(super) len: usize,
    pub(super) inner: usize,
}

impl Lanes {
    /// `None` if the axis does not exist.
    pub(super) fn along(dims: &[usize], axis: usize) -> Option<Self> {
        let len = *dims.get(axis)?;
        Some(Lanes { outer: dims[..axis].iter().product(), len, inner: dims[axis + 1..].iter().product() })
    }

    /// The offset of the first element of each lane.
    pub(super) fn starts(self) -> impl Iterator<Item = usize> {
        (0..self.outer).flat_map(move |o| (0..self.inner).map(move |i| o * self.len * self.inner + i))
    }

    /// The offsets of the elements of the lane that starts here.
    pub(super) fn of(self, start: usize) -> impl DoubleEndedIterator<Item = usize> {
        (0..self.len).map(move |k| start + k * self.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_follow_strides() {
        let transposed: Vec<_> = Offsets::new(&[3, 2], vec![1, 3], 0).collect();
        assert_eq!(transposed, [0, 3, 1, 4, 2, 5]);
        let reversed: Vec<_> = Offsets::new(&[3], vec![-1], 2).collect();
        assert_eq!(reversed, [2, 1, 0]);
        assert_eq!(Offsets::broadcast(&[2, 1], &[2, 2, 3]).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]);
        assert_eq!(Offsets::reduced(&[2, 3], &[0]).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2]);
        assert_eq!(Offsets::new(&[], vec![], 0).count(), 1);
        assert_eq!(Offsets::new(&[4, 0], vec![1, 1], 0).count(), 0);
    }

    #[test]
    fn shapes_broadcast_like_those_of_numpy() {
        assert_eq!(broadcast_shapes(&[2, 1], &[3]), Some(vec![2, 3]));
        assert_eq!(broadcast_shapes(&[0], &[1]), Some(vec![0]));
        assert_eq!(broadcast_shapes(&[2], &[3]), None);
    }
}
