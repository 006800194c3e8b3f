//! Operations along axes: sums and extremes, positions of extremes, cumulative functions, sorting.

use super::infer::take;
use super::{primitive, words};
use crate::dim::Dim;
use crate::ty::{ElementType, Type};
use tfjs_manifest::Error;

words! {
    /// A reduction.
    ReduceOp {
        /// The sum; 0 if there are no elements.
        Sum = "sum",
        /// The mean, floating point only; NaN if there are no elements.
        Mean = "mean",
        /// The product; 1 if there are no elements.
        Prod = "prod",
        /// The largest; NaN if one is NaN. The lowest value of the type if there are no elements.
        Max = "max",
        /// The smallest; NaN if one is NaN. The largest value of the type if there are no elements.
        Min = "min",
        /// Whether any is true; truth values only.
        Any = "any",
        /// Whether all are true; truth values only.
        All = "all",
    }
}

primitive! {
    /// A reduction over some axes.
    Reduce {
        /// The reduction.
        op: ReduceOp,
        /// The axes, in ascending order.
        axes: Vec<usize>,
        /// Whether reduced axes keep length 1 instead of being removed.
        keep: bool,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        let fits = match self.op {
            ReduceOp::Any | ReduceOp::All => x.element == ElementType::Bool,
            ReduceOp::Mean => x.element.is_float(),
            _ => x.element.is_float() || x.element.is_integer(),
        };
        if !fits {
            return Err(Error::bug(format!("`{}` of `{}`", self.op.name(), x.element)));
        }
        for &axis in &self.axes {
            cx.axis(axis, x)?;
        }
        Ok(vec![x.with_dims(reduced(&x.dims, &self.axes, self.keep))])
    }
}

/// The dimensions after a reduction: `axes` are removed, or have length 1 if `keep`.
pub(crate) fn reduced(dims: &[Dim], axes: &[usize], keep: bool) -> Vec<Dim> {
    let kept = dims.iter().enumerate().filter_map(|(axis, &dim)| match axes.contains(&axis) {
        true => keep.then_some(Dim::ONE),
        false => Some(dim),
    });
    kept.collect()
}

primitive! {
    /// Sums over the axes along which broadcasting from `dims` repeats elements: the gradient of a broadcast.
    SumTo {
        /// The dimensions of the result, which broadcast to those of the operand.
        dims: Vec<Dim>,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        let spread = cx.broadcast_all(&self.dims, &x.dims)?;
        if spread.len() != x.rank() || spread.iter().zip(&x.dims).any(|(&a, &b)| cx.same(a, b).is_none()) {
            return Err(Error::bug("a sum to dimensions that do not broadcast to those of its operand"));
        }
        if !x.element.is_float() && !x.element.is_integer() {
            return Err(Error::bug(format!("a sum of `{}`", x.element)));
        }
        Ok(vec![x.with_dims(self.dims.clone())])
    }
}

words! {
    /// The element whose position is found.
    Extreme {
        /// The largest.
        Max = "max",
        /// The smallest.
        Min = "min",
    }
}

primitive! {
    /// The position of the largest or smallest element along an axis, which is removed. Of equal elements, the first.
    ArgReduce {
        /// The largest or the smallest.
        op: Extreme,
        /// The axis.
        axis: usize,
        /// The element type of positions.
        element: ElementType,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        cx.axis(self.axis, x)?;
        if !self.element.is_integer() {
            return Err(Error::bug("positions are integers"));
        }
        Ok(vec![Type::new(self.element, reduced(&x.dims, &[self.axis], false))])
    }
}

words! {
    /// A cumulative function.
    RunningOp {
        /// The sum.
        Sum = "sum",
        /// The product.
        Prod = "prod",
    }
}

primitive! {
    /// The sum or product of all elements up to each one along an axis.
    Cumulative {
        /// The function.
        op: RunningOp,
        /// The axis.
        axis: usize,
        /// Whether it starts from the end.
        reverse: bool,
        /// Whether each result excludes the element at its own position.
        exclusive: bool,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        cx.axis(self.axis, x)?;
        Ok(vec![x.clone()])
    }
}

primitive! {
    /// The elements sorted along an axis, and the position each had before. Equal ones keep their order; NaN comes
    /// last.
    Sort {
        /// The axis.
        axis: usize,
        /// Whether the largest comes first.
        descending: bool,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        cx.axis(self.axis, x)?;
        Ok(vec![x.clone(), x.with_element(ElementType::I64)])
    }
}
