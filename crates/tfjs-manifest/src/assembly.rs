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
        let places = self.places()?;
        let elements = self.shape.elements();
        let misfit = || Error::bug("the parts of a weight do not fill it");
        if parts.iter().any(|part| part.len() != places.len())
            || parts.len().checked_mul(places.len()) != Some(elements)
        {
            return Err(misfit());
        }
        if elements == 0 {
            return Ok(Vec::new());
        }
        let columns = self.shape.dims().last().copied().unwrap_or(1) / parts.len();
        if columns == 0 || columns * parts.len() != self.shape.dims().last().copied().unwrap_or(1) {
            return Err(misfit());
        }
        // SIZE: the elements of the parts, which are there.
        let mut out = Vec::with_capacity(elements);
        for row in places.chunks(columns) {
            for part in parts {
                for &place in row {
                    out.push(*part.get(place).ok_or_else(misfit)?);
                }
            }
        }
        Ok(out)
    }

    /// Where each element of the reordered tensor is in the stored one.
    fn places(&self) -> Result<Vec<usize>> {
        let stored = self.stored.dims();
        let mut seen = vec![false; stored.len()];
        for &axis in &self.order {
            match seen.get_mut(axis) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(Error::bug("the axes of a part of a weight are not reordered")),
            }
        }
        if self.order.len() != stored.len() {
            return Err(Error::bug("an axis of a part of a weight is lost"));
        }
        let mut strides = vec![1usize; stored.len()];
        for axis in (1..stored.len()).rev() {
            strides[axis - 1] = strides[axis].saturating_mul(stored[axis]);
        }
        let mut places = vec![0];
        for (at, &axis) in self.order.iter().enumerate() {
            let (length, stride) = (stored[axis], strides[axis]);
            let turned = self.reversed.contains(&at);
            let step = |i: usize| if turned { length - 1 - i } else { i } * stride;
            // SIZE: at last one for each element of a part, which is there.
            places = places.iter().flat_map(|place| (0..length).map(move |i| place + step(i))).collect();
        }
        Ok(places)
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
