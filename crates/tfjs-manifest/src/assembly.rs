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
    pub fn assemble<T: Copy>(&self, parts: &[&[T]]) -> Result<Vec<T>> {
        let mut walk = Walk::new(self)?;
        let misfit = || Error::bug("the parts of a weight do not fill it");
        let (elements, of_a_part) = (self.shape.elements(), self.stored.elements());
        if parts.iter().any(|part| part.len() != of_a_part) || parts.len().checked_mul(of_a_part) != Some(elements) {
            return Err(misfit());
        }
        if elements == 0 {
            return Ok(Vec::new());
        }
        let all_columns = self.shape.dims().last().copied().unwrap_or(1);
        let columns = all_columns / parts.len();
        if columns == 0 || columns * parts.len() != all_columns {
            return Err(misfit());
        }
        // SIZE: the elements of the parts, which are in memory.
        let mut out = Vec::with_capacity(elements);
        let mut places = Vec::new();
        for _ in 0..of_a_part / columns {
            places.clear();
            places.extend(walk.by_ref().take(columns));
            for part in parts {
                for &place in &places {
                    out.push(*part.get(place).ok_or_else(misfit)?);
                }
            }
        }
        Ok(out)
    }
}

/// The places in a stored tensor, element by element of the reordered one.
struct Walk {
    /// The length of each axis, what a step along it adds to the place, and the position.
    axes: Vec<(usize, isize, usize)>,
    place: isize,
}

impl Walk {
    fn new(assembly: &Assembly) -> Result<Self> {
        let stored = assembly.stored.dims();
        let mut seen = vec![false; stored.len()];
        for &axis in &assembly.order {
            match seen.get_mut(axis) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(Error::bug("the axes of a part of a weight are not reordered")),
            }
        }
        if assembly.order.len() != stored.len() {
            return Err(Error::bug("an axis of a part of a weight is lost"));
        }
        let mut strides = vec![1isize; stored.len()];
        for axis in (1..stored.len()).rev() {
            // The element count of a shape fits; only empty tensors, of which no element is read, could overflow.
            strides[axis - 1] = strides[axis].saturating_mul(stored[axis] as isize);
        }
        let mut walk = Walk { axes: Vec::with_capacity(stored.len()), place: 0 };
        for (at, &axis) in assembly.order.iter().enumerate() {
            let (length, mut step) = (stored[axis], strides[axis]);
            if assembly.reversed.contains(&at) {
                walk.place = walk.place.saturating_add(step.saturating_mul(length as isize - 1));
                step = -step;
            }
            walk.axes.push((length, step, 0));
        }
        Ok(walk)
    }
}

/// Without end: after the last place comes the first.
impl Iterator for Walk {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let place = self.place as usize;
        for (length, step, position) in self.axes.iter_mut().rev() {
            *position += 1;
            if *position < *length {
                self.place += *step;
                break;
            }
            *position = 0;
            self.place -= *step * (*length as isize - 1);
        }
        Some(place)
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
    }
}
