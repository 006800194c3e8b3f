//! Indexing: gather and its transpose, one-hot rows.

use super::infer::{same_element, take};
use super::{primitive, words};
use crate::dim::Dim;
use crate::ty::{ElementType, Type};
use tfjs_manifest::{Error, Result};

words! {
    /// How an index outside its axis is treated.
    Bounds {
        /// The call fails, naming the index.
        Error = "error",
        /// The index is clamped to the axis.
        Clamp = "clamp",
    }
}

impl Bounds {
    /// The row that an index selects on an axis of `len` elements.
    ///
    /// # Errors
    /// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for an index outside the axis, unless it is clamped.
    pub fn row(self, index: i64, len: usize) -> Result<usize> {
        let found = usize::try_from(index).ok().filter(|&row| row < len);
        match (found, self, len.checked_sub(1)) {
            (Some(row), _, _) => Ok(row),
            (None, Bounds::Clamp, Some(last)) => Ok(if index < 0 { 0 } else { last }),
            (None, _, last) => {
                let last = last.unwrap_or(0);
                Err(Error::mismatch(format!("index `{index}` is not in a table of {len} rows; expected 0 to {last}")))
            }
        }
    }
}

primitive! {
    /// Slices of `x` along an axis, one for each index. Operands: x, indices. The axis is replaced by the dimensions
    /// of the indices.
    Gather {
        /// The axis.
        axis: usize,
        /// How an index outside it is treated.
        bounds: Bounds,
    }
    infer(self, cx, operands) {
        let [x, indices] = take(operands)?;
        cx.axis(self.axis, x)?;
        integers(indices)?;
        let mut dims = x.dims.clone();
        dims.splice(self.axis..=self.axis, indices.dims.iter().copied());
        Ok(vec![x.with_dims(dims)])
    }
}

primitive! {
    /// `base` with slices added along an axis: the transpose of [`Gather`]. Operands: base, indices, slices. Indices
    /// outside the axis are clamped to it.
    ScatterAdd {
        /// The axis of `base`; in `slices`, the dimensions of the indices replace it.
        axis: usize,
    }
    infer(self, cx, operands) {
        let [base, indices, slices] = take(operands)?;
        cx.axis(self.axis, base)?;
        integers(indices)?;
        same_element(base, slices)?;
        let mut dims = base.dims.clone();
        dims.splice(self.axis..=self.axis, indices.dims.iter().copied());
        if dims.len() != slices.rank() || dims.iter().zip(&slices.dims).any(|(&a, &b)| cx.same(a, b).is_none()) {
            return Err(Error::bug("slices of another shape than their base and indices"));
        }
        Ok(vec![base.clone()])
    }
}

primitive! {
    /// A row for each index: 1 at the index, 0 elsewhere; all 0 for an index outside the row. The row is a new last
    /// axis.
    OneHot {
        /// The length of a row.
        depth: Dim,
        /// The element type of the result.
        element: ElementType,
    }
    infer(self, _cx, operands) {
        let [indices] = take(operands)?;
        integers(indices)?;
        let mut dims = indices.dims.clone();
        dims.push(self.depth);
        Ok(vec![Type::new(self.element, dims)])
    }
}

fn integers(ty: &Type) -> Result<()> {
    if ty.element.is_integer() { Ok(()) } else { Err(Error::bug(format!("expected indices, found `{}`", ty.element))) }
}
