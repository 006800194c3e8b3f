//! Concrete shapes with checked arithmetic.

use crate::{Error, Result};
use std::fmt;
use std::ops::Deref;

/// The dimensions of a tensor. The number of elements fits in an `isize`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape {
    dims: Vec<usize>,
}

impl Shape {
    /// A shape of these dimensions; `[]` is a scalar.
    ///
    /// # Errors
    /// [`Kind::Limit`](crate::Kind::Limit) if the number of elements overflows.
    pub fn new(dims: impl Into<Vec<usize>>) -> Result<Shape> {
        let dims = dims.into();
        // A zero dimension must not hide an overflow of the others, because strides are their products.
        let product = dims.iter().filter(|&&d| d != 0).try_fold(1usize, |n, &d| n.checked_mul(d));
        match product {
            Some(n) if n <= isize::MAX as usize => Ok(Shape { dims }),
            _ => Err(Error::limit(format!("shape {dims:?} has more elements than this machine can address"))),
        }
    }

    /// The dimensions.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The number of elements; 1 for a scalar.
    pub fn elements(&self) -> usize {
        self.dims.iter().product()
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.dims
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, d) in self.dims.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            write!(f, "{comma}{d}")?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn elements_are_checked_even_behind_a_zero() {
        assert_eq!(Shape::new([2, 3]).unwrap().elements(), 6);
        assert_eq!(Shape::new([]).unwrap().elements(), 1);
        assert_eq!(Shape::new([0, 3]).unwrap().elements(), 0);
        for huge in [vec![usize::MAX, 2], vec![0, usize::MAX, 2]] {
            assert_eq!(Shape::new(huge).unwrap_err().kind(), Kind::Limit);
        }
    }

    #[test]
    fn printed_without_spaces() {
        assert_eq!(Shape::new([2, 3]).unwrap().to_string(), "[2,3]");
    }
}
