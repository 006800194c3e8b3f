//! Along axes: sums and extremes, positions of extremes, running sums, sorting.

use super::infer::take;
use super::{primitive, words};
use crate::dim::Dim;
use crate::ty::{ElementType, Type};
use tfjs_manifest::Error;

words! {
    /// A reduction.
    ReduceOp {
        /// The sum; of nothing, 0.
        Sum = "sum",
        /// The mean, of floating point; NaN if there are no elements.
        Mean = "mean",
        /// The product; of nothing, 1.
        Prod = "prod",
        /// The largest; NaN if one is NaN. Of nothing, the lowest value of the type.
        Max = "max",
        /// The smallest; NaN if one is NaN. Of nothing, the largest value of the type.
        Min = "min",
        /// Whether one is true, of truth values.
        Any = "any",
        /// Whether all are true, of truth values.
        All = "all",
    }
}

primitive! {
    /// A reduction over some axes.
    Reduce {
        /// Which.
        op: ReduceOp,
        /// The axes, in ascending order.
        axes: Vec<usize>,
        /// Whether they stay, with one element each.
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

/// The dimensions that are left of these without some axes, or with one element for each.
pub(crate) fn reduced(dims: &[Dim], axes: &[usize], keep: bool) -> Vec<Dim> {
    let kept = dims.iter().enumerate().filter_map(|(axis, &dim)| match axes.contains(&axis) {
        true => keep.then_some(Dim::ONE),
        false => Some(dim),
    });
    kept.collect()
}

primitive! {
    /// The sum over what broadcasting from `dims` to the operand's shape has repeated: the gradient of a broadcast.
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
    /// Which element a position is of.
    Extreme {
        /// The largest.
        Max = "max",
        /// The smallest.
        Min = "min",
    }
}

primitive! {
    /// The position of the largest or smallest element along an axis, which goes. The first of equal ones.
    ArgReduce {
        /// Which element.
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
    /// A running reduction.
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
        /// Which.
        op: RunningOp,
        /// The axis.
        axis: usize,
        /// Whether it runs from the end.
        reverse: bool,
        /// Whether the element itself does not count.
        exclusive: bool,
    }
    infer(self, cx, operands) {
        let [x] = take(operands)?;
        cx.axis(self.axis, x)?;
        Ok(vec![x.clone()])
    }
}

primitive! {
    /// The elements sorted along an axis, and where each stood. Equal ones keep their order; NaN comes last.
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
