//! Shorthands of the builder: one method per arithmetic operation, reduction, product, rearrangement and composite.

use super::Builder;
use crate::dim::Dim;
use crate::prim::activate::{Activate, Activation};
use crate::prim::elementwise::{Binary, BinaryOp, Cast, Compare, CompareOp, Select, Unary, UnaryOp};
use crate::prim::index::{Bounds, Gather, OneHot, ScatterAdd};
use crate::prim::layout::{Broadcast, Concat, Pad, Padding, Range, Reshape, Reverse, Slice, Transpose};
use crate::prim::linear::{Conv, ConvInput, ConvKernel, Dot};
use crate::prim::normalize::{Moments, Softmax};
use crate::prim::reduce::{ArgReduce, Cumulative, Extreme, Reduce, ReduceOp, RunningOp, Sort, SumTo};
use crate::prim::source::{Iota, Sizes};
use crate::prim::window::{Pool, PoolOp};
use crate::program::Value;
use crate::ty::ElementType;
use crate::window::Window;
use tfjs_manifest::{Error, Result};

/// Every method fails as [`Builder::push`] does.
#[allow(clippy::missing_errors_doc)]
impl Builder {
    /// Applies a function to each element.
    pub fn unary(&mut self, op: UnaryOp, x: Value) -> Result<Value> {
        self.one(Unary { op }, &[x])
    }

    /// Applies a function to pairs of elements; shapes broadcast.
    pub fn binary(&mut self, op: BinaryOp, a: Value, b: Value) -> Result<Value> {
        self.one(Binary { op }, &[a, b])
    }

    /// Applies a function to each element and a number, which is converted to the element type.
    pub fn binary_scalar(&mut self, op: BinaryOp, a: Value, b: f64) -> Result<Value> {
        let b = self.scalar(self.ty(a).element, b)?;
        self.binary(op, a, b)
    }

    /// `a + b`.
    pub fn add(&mut self, a: Value, b: Value) -> Result<Value> {
        self.binary(BinaryOp::Add, a, b)
    }

    /// `a - b`.
    pub fn sub(&mut self, a: Value, b: Value) -> Result<Value> {
        self.binary(BinaryOp::Sub, a, b)
    }

    /// `a * b`.
    pub fn mul(&mut self, a: Value, b: Value) -> Result<Value> {
        self.binary(BinaryOp::Mul, a, b)
    }

    /// `a / b`.
    pub fn div(&mut self, a: Value, b: Value) -> Result<Value> {
        self.binary(BinaryOp::Div, a, b)
    }

    /// Compares pairs of elements.
    pub fn compare(&mut self, op: CompareOp, a: Value, b: Value) -> Result<Value> {
        self.one(Compare { op }, &[a, b])
    }

    /// Compares each element with a number.
    pub fn compare_scalar(&mut self, op: CompareOp, a: Value, b: f64) -> Result<Value> {
        let b = self.scalar(self.ty(a).element, b)?;
        self.compare(op, a, b)
    }

    /// `condition ? a : b`.
    pub fn select(&mut self, condition: Value, a: Value, b: Value) -> Result<Value> {
        self.one(Select {}, &[condition, a, b])
    }

    /// Converts the elements to another type.
    pub fn cast(&mut self, x: Value, to: ElementType) -> Result<Value> {
        if self.ty(x).element == to { Ok(x) } else { self.one(Cast { to }, &[x]) }
    }

    /// Reduces over axes, given in any order.
    pub fn reduce(&mut self, op: ReduceOp, x: Value, axes: &[usize], keep: bool) -> Result<Value> {
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        axes.dedup();
        if axes.is_empty() {
            return Ok(x);
        }
        self.one(Reduce { op, axes, keep }, &[x])
    }

    /// Sums over the axes along which broadcasting from `dims` repeated the elements.
    pub fn sum_to(&mut self, x: Value, dims: &[Dim]) -> Result<Value> {
        if self.ty(x).dims == dims { Ok(x) } else { self.one(SumTo { dims: dims.to_vec() }, &[x]) }
    }

    /// The position of the largest or smallest element along an axis.
    pub fn arg_reduce(&mut self, op: Extreme, x: Value, axis: usize, element: ElementType) -> Result<Value> {
        self.one(ArgReduce { op, axis, element }, &[x])
    }

    /// A running sum or product.
    pub fn cumulative(
        &mut self,
        op: RunningOp,
        x: Value,
        axis: usize,
        reverse: bool,
        exclusive: bool,
    ) -> Result<Value> {
        self.one(Cumulative { op, axis, reverse, exclusive }, &[x])
    }

    /// The elements sorted along an axis, and the position each had before.
    pub fn sort(&mut self, x: Value, axis: usize, descending: bool) -> Result<(Value, Value)> {
        let results = self.push(Sort { axis, descending }, &[x])?;
        Ok((results[0], results[1]))
    }

    /// Products summed over pairs of axes; see [`Dot`].
    pub fn dot(&mut self, a: Value, b: Value, batch: &[(usize, usize)], contract: &[(usize, usize)]) -> Result<Value> {
        self.one(Dot { batch: batch.to_vec(), contract: contract.to_vec() }, &[a, b])
    }

    /// The product of the last axis of `x` with a matrix.
    pub fn matmul(&mut self, x: Value, matrix: Value) -> Result<Value> {
        let last = self.ty(x).rank().checked_sub(1).ok_or_else(|| Error::bug("a product of a number"))?;
        self.dot(x, matrix, &[], &[(last, 0)])
    }

    /// A convolution; see [`Conv`].
    pub fn conv(&mut self, x: Value, kernel: Value, windows: &[Window], groups: usize) -> Result<Value> {
        self.one(Conv { windows: windows.to_vec(), groups }, &[x, kernel])
    }

    /// A transposed convolution; see [`ConvInput`].
    pub fn conv_input(
        &mut self,
        dy: Value,
        kernel: Value,
        windows: &[Window],
        groups: usize,
        dims: &[Dim],
    ) -> Result<Value> {
        self.one(ConvInput { windows: windows.to_vec(), groups, dims: dims.to_vec() }, &[dy, kernel])
    }

    /// The gradient of a convolution in its kernel; see [`ConvKernel`].
    pub fn conv_kernel(&mut self, x: Value, dy: Value, windows: &[Window], groups: usize) -> Result<Value> {
        self.one(ConvKernel { windows: windows.to_vec(), groups }, &[x, dy])
    }

    /// A pool; see [`Pool`].
    pub fn pool(&mut self, op: PoolOp, x: Value, windows: &[Window]) -> Result<Value> {
        self.one(Pool { op, windows: windows.to_vec() }, &[x])
    }

    /// The elements in other dimensions.
    pub fn reshape(&mut self, x: Value, dims: &[Dim]) -> Result<Value> {
        if self.ty(x).dims == dims { Ok(x) } else { self.one(Reshape { dims: dims.to_vec() }, &[x]) }
    }

    /// Inserts an axis of length 1.
    pub fn insert_axis(&mut self, x: Value, axis: usize) -> Result<Value> {
        let mut dims = self.dims_of(x);
        if axis > dims.len() {
            return Err(Error::bug("a new axis past the end"));
        }
        dims.insert(axis, Dim::ONE);
        self.reshape(x, &dims)
    }

    /// Removes an axis of length 1.
    pub fn remove_axis(&mut self, x: Value, axis: usize) -> Result<Value> {
        let mut dims = self.dims_of(x);
        if axis >= dims.len() {
            return Err(Error::bug("an axis that does not exist is removed"));
        }
        dims.remove(axis);
        self.reshape(x, &dims)
    }

    /// The axes in another order.
    pub fn transpose(&mut self, x: Value, order: &[usize]) -> Result<Value> {
        let same = order.len() == self.ty(x).rank() && order.iter().enumerate().all(|(i, &axis)| i == axis);
        if same { Ok(x) } else { self.one(Transpose { order: order.to_vec() }, &[x]) }
    }

    /// Repeats the elements along new axes and axes of length 1; see [`Broadcast`].
    pub fn broadcast(&mut self, x: Value, dims: &[Dim], axes: &[usize]) -> Result<Value> {
        if self.ty(x).dims == dims {
            return Ok(x);
        }
        self.one(Broadcast { dims: dims.to_vec(), axes: axes.to_vec() }, &[x])
    }

    /// Broadcasts by NumPy's rule: shapes are aligned at the last axis.
    pub fn broadcast_to(&mut self, x: Value, dims: &[Dim]) -> Result<Value> {
        let rank = self.ty(x).rank();
        let first = dims.len().checked_sub(rank).ok_or_else(|| Error::bug("a broadcast to a lower rank"))?;
        let axes: Vec<usize> = (first..dims.len()).collect();
        self.broadcast(x, dims, &axes)
    }

    /// A value of these dimensions whose elements are all one number.
    pub fn full(&mut self, element: ElementType, dims: &[Dim], number: f64) -> Result<Value> {
        let number = self.scalar(element, number)?;
        self.broadcast(number, dims, &[])
    }

    /// A range of each axis.
    pub fn slice(&mut self, x: Value, ranges: &[Range]) -> Result<Value> {
        self.one(Slice { ranges: ranges.to_vec() }, &[x])
    }

    /// A range of one axis, and all of the others.
    pub fn slice_axis(&mut self, x: Value, axis: usize, range: Range) -> Result<Value> {
        let mut ranges = self.whole(x);
        *ranges.get_mut(axis).ok_or_else(|| Error::bug("a slice along an axis that does not exist"))? = range;
        self.slice(x, &ranges)
    }

    /// The ranges that select all of each axis.
    pub fn whole(&self, x: Value) -> Vec<Range> {
        self.ty(x).dims.iter().map(|&len| Range { start: Dim::ZERO, len, step: 1 }).collect()
    }

    /// Elements `start .. start + len` of the last axis, such as one of several blocks of columns.
    pub fn columns(&mut self, x: Value, start: Dim, len: Dim) -> Result<Value> {
        let last = self.ty(x).rank().checked_sub(1).ok_or_else(|| Error::bug("columns of a number"))?;
        self.slice_axis(x, last, Range { start, len, step: 1 })
    }

    /// Pads each axis with a constant.
    pub fn pad(&mut self, x: Value, padding: &[Padding], value: f64) -> Result<Value> {
        if padding.iter().all(|p| *p == Padding::NONE) {
            return Ok(x);
        }
        self.one(Pad { padding: padding.to_vec(), value }, &[x])
    }

    /// Concatenates values along an axis.
    pub fn concat(&mut self, values: &[Value], axis: usize) -> Result<Value> {
        match values {
            [one] => Ok(*one),
            _ => self.one(Concat { axis }, values),
        }
    }

    /// Reverses axes.
    pub fn reverse(&mut self, x: Value, axes: &[usize]) -> Result<Value> {
        self.one(Reverse { axes: axes.to_vec() }, &[x])
    }

    /// Gathers slices along an axis, one for each index.
    pub fn gather(&mut self, x: Value, indices: Value, axis: usize, bounds: Bounds) -> Result<Value> {
        self.one(Gather { axis, bounds }, &[x, indices])
    }

    /// `base` with slices added along an axis.
    pub fn scatter_add(&mut self, base: Value, indices: Value, slices: Value, axis: usize) -> Result<Value> {
        self.one(ScatterAdd { axis }, &[base, indices, slices])
    }

    /// A row for each index, 1 at the index and 0 elsewhere.
    pub fn one_hot(&mut self, indices: Value, depth: Dim, element: ElementType) -> Result<Value> {
        self.one(OneHot { depth, element }, &[indices])
    }

    /// `0, 1, 2, ...` along an axis.
    pub fn iota(&mut self, axis: usize, dims: &[Dim], element: ElementType) -> Result<Value> {
        self.one(Iota { axis, dims: dims.to_vec(), element }, &[])
    }

    /// Dimensions as a vector of integers.
    pub fn sizes(&mut self, sizes: &[Dim], element: ElementType) -> Result<Value> {
        self.one(Sizes { sizes: sizes.to_vec(), scalar: false, element }, &[])
    }

    /// A dimension as an integer.
    pub fn size(&mut self, size: Dim, element: ElementType) -> Result<Value> {
        self.one(Sizes { sizes: vec![size], scalar: true, element }, &[])
    }

    /// An activation function of each element.
    pub fn activate(&mut self, function: Activation, x: Value) -> Result<Value> {
        self.one(Activate { function }, &[x])
    }

    /// A softmax over axes, given in any order.
    pub fn softmax(&mut self, x: Value, axes: &[usize]) -> Result<Value> {
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        self.one(Softmax { axes, log: false }, &[x])
    }

    /// Mean and variance over axes, given in any order; reduced axes keep length 1.
    pub fn moments(&mut self, x: Value, axes: &[usize]) -> Result<(Value, Value)> {
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        let results = self.push(Moments { axes }, &[x])?;
        Ok((results[0], results[1]))
    }
}
