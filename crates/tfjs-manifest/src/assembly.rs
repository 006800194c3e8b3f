//! How a weight is put together of tensors of a file that keeps it in another layout, or in several parts.

use crate::{Error, Result, Shape};

/// A weight that is made of tensors of one shape. Each has its axes reordered and some of them turned around, and is
/// then, its elements in order, a block of columns of the weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assembly {
    /// The shape of each tensor, as the file has it.
    pub stored: Shape,
    /// For each axis of the reordered tensor, which of the stored one it is.
    pub order: Vec<usize>,
    /// The axes of the reordered tensor that run backwards.
    pub reversed: Vec<usize>,
    /// The shape of the weight.
    pub shape: Shape,
}

impl Assembly {
    /// The weight of these tensors.
    ///
    /// # Errors
    /// [`Kind::Bug`](crate::Kind::Bug) for tensors that do not fill the weight.
    pub fn assemble<T: Copy + Default>(&self, parts: &[&[T]]) -> Result<Vec<T>> {
        let axes = self.axes()?;
        let (elements, block) = (self.shape.elements(), self.stored.elements());
        let width = self.shape.dims().last().copied().unwrap_or(1);
        let fits = parts.iter().all(|part| part.len() == block) && parts.len().checked_mul(block) == Some(elements);
        if !fits || (elements > 0 && !width.is_multiple_of(parts.len())) {
            return Err(Error::bug("the parts of a weight do not fill it"));
        }
        // SIZE: the elements of the parts, which are there.
        let mut out = vec![T::default(); elements];
        if elements == 0 {
            return Ok(out);
        }
        let columns = width / parts.len();
        for (p, part) in parts.iter().enumerate() {
            let mut walk = Walk::new(&axes);
            for row in out.chunks_exact_mut(width) {
                for place in &mut row[p * columns..(p + 1) * columns] {
                    *place = part[walk.next_place()];
                }
            }
        }
        Ok(out)
    }

    /// The axes of the reordered tensor.
    fn axes(&self) -> Result<Vec<Axis>> {
        let stored = self.stored.dims();
        let mut strides = vec![1usize; stored.len()];
        for axis in (1..stored.len()).rev() {
            strides[axis - 1] = strides[axis].saturating_mul(stored[axis]);
        }
        let mut seen = self.order.clone();
        seen.sort_unstable();
        if !seen.into_iter().eq(0..stored.len()) {
            return Err(Error::bug("the axes of a part of a weight are not reordered"));
        }
        let axis = |(at, &axis): (usize, &usize)| Axis {
            length: stored[axis],
            stride: strides[axis],
            turned: self.reversed.contains(&at),
        };
        Ok(self.order.iter().enumerate().map(axis).collect())
    }
}

/// An axis of a reordered tensor: how long it is, and how far its elements are apart in the stored one.
struct Axis {
    length: usize,
    stride: usize,
    turned: bool,
}

/// The places of the elements of a reordered tensor, none of whose axes is empty, one after the other.
struct Walk<'a> {
    axes: &'a [Axis],
    index: Vec<usize>,
    place: usize,
}

impl<'a> Walk<'a> {
    fn new(axes: &'a [Axis]) -> Self {
        let first = |axis: &Axis| if axis.turned { (axis.length - 1) * axis.stride } else { 0 };
        Walk { axes, index: vec![0; axes.len()], place: axes.iter().map(first).sum() }
    }

    /// The place of the element, and on to the next; behind the last one is the first.
    fn next_place(&mut self) -> usize {
        let here = self.place;
        for (axis, index) in self.axes.iter().zip(&mut self.index).rev() {
            let last = (axis.length - 1) * axis.stride;
            let (forward, back) = if axis.turned { (false, last) } else { (true, 0) };
            *index += 1;
            if *index < axis.length {
                self.place = if forward { self.place + axis.stride } else { self.place - axis.stride };
                return here;
            }
            *index = 0;
            self.place = self.place - if forward { last } else { 0 } + back;
        }
        here
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dims: &[usize]) -> Shape {
        Shape::new(dims).unwrap()
    }

    #[test]
    fn columns_beside_each_other() {
        let assembly = Assembly { stored: shape(&[2, 1]), order: vec![0, 1], reversed: vec![], shape: shape(&[2, 3]) };
        assert_eq!(assembly.assemble(&[&[1, 2], &[3, 4], &[5, 6]]).unwrap(), [1, 3, 5, 2, 4, 6]);
    }

    #[test]
    fn filters_first_and_turned() {
        // [filters 2, in 1, k 3] as [k, in, filters], from the last position to the first.
        let assembly =
            Assembly { stored: shape(&[2, 1, 3]), order: vec![2, 1, 0], reversed: vec![0], shape: shape(&[3, 1, 2]) };
        assert_eq!(assembly.assemble(&[&[1, 2, 3, 4, 5, 6]]).unwrap(), [3, 6, 2, 5, 1, 4]);
    }

    #[test]
    fn what_does_not_fill() {
        let assembly = Assembly { stored: shape(&[2]), order: vec![0], reversed: vec![], shape: shape(&[3]) };
        assert!(assembly.assemble(&[&[1, 2]]).is_err());
        let assembly = Assembly { stored: shape(&[2, 2]), order: vec![1, 1], reversed: vec![], shape: shape(&[2, 2]) };
        assert!(assembly.assemble(&[&[1, 2, 3, 4]]).is_err());
        let assembly = Assembly { stored: shape(&[0, 2]), order: vec![1, 0], reversed: vec![0], shape: shape(&[2, 0]) };
        assert_eq!(assembly.assemble::<i32>(&[&[]]).unwrap(), [0i32; 0]);
        assert!(assembly.assemble::<i32>(&[&[1]]).is_err());
    }
}
