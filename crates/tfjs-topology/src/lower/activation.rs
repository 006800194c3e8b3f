//! Lowers activations to primitives.

use super::LowerCx;
use crate::activation::Activation;
use tfjs_ir::prim::activate::Activation as Function;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_ir::prim::normalize::Softmax;
use tfjs_ir::prim::reduce::{ReduceOp, RunningOp};
use tfjs_ir::{Builder, Dim, Value};
use tfjs_manifest::{Error, Result};

impl Activation {
    /// Applies the function to a value. Integers are kept if the function keeps them; otherwise the result is floating
    /// point.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if a function over the last axis is applied to a scalar, and
    /// if `glu` cannot halve the axis.
    pub fn lower(self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        if self == Activation::Linear {
            return Ok(x);
        }
        if self.keeps_integers() && cx.ty(x).element.is_integer() {
            let Activation::Elementwise(Function::Relu { max, threshold, .. }) = self else { return Ok(x) };
            let mut y = cx.binary_scalar(BinaryOp::Max, x, 0.0)?;
            if max != f64::INFINITY {
                y = cx.binary_scalar(BinaryOp::Min, y, max)?;
            }
            if threshold != 0.0 {
                let float = cx.to_float(x)?;
                let stays = cx.compare_scalar(CompareOp::Gt, float, threshold)?;
                let zero = cx.scalar_like(x, 0.0)?;
                y = cx.select(stays, y, zero)?;
            }
            return Ok(y);
        }
        let x = cx.to_float(x)?;
        if let Some(function) = self.function() {
            return cx.activate(function, x);
        }
        let Some(last) = cx.ty(x).rank().checked_sub(1) else {
            return Err(Error::malformed("the activation is over the last axis, and a number has none"));
        };
        match self {
            Activation::Softmax => cx.softmax(x, &[last]),
            Activation::LogSoftmax => cx.one(Softmax { axes: vec![last], log: true }, &[x]),
            Activation::Sparsemax => sparsemax(cx, x, last),
            _ => glu(cx, x, last),
        }
    }

    /// The function, if it is elementwise.
    pub fn function(self) -> Option<Function> {
        match self {
            Activation::Elementwise(function) => Some(function),
            _ => None,
        }
    }
}

/// `a * sigmoid(b)` for the two halves of an axis.
fn glu(cx: &mut LowerCx<'_>, x: Value, axis: usize) -> Result<Value> {
    let length = cx.dims_of(x)[axis];
    let two = cx.number(2);
    let odd = format!("`glu` halves the last axis, found shape {}", cx.shape(x));
    if !cx.divisible(length, two) || length == Dim::ZERO {
        return Err(Error::malformed(odd));
    }
    let half = cx.dims().div_floor(length, 2)?;
    let a = cx.columns(x, Dim::ZERO, half)?;
    let b = cx.columns(x, half, half)?;
    let gate = cx.activate(Function::Sigmoid {}, b)?;
    cx.mul(a, gate)
}

/// Martins and Astudillo, "From Softmax to Sparsemax", algorithm 1, over an axis, as Keras computes it.
///
/// Keras computes the threshold from the sum of the cumulative sums instead of the last one, so that the outputs sum to
/// one only if a single element stays above zero. Models are trained with this formula.
///
/// # Errors
/// As [`Builder::push`].
pub(crate) fn sparsemax(cx: &mut Builder, x: Value, axis: usize) -> Result<Value> {
    let (sorted, _) = cx.sort(x, axis, true)?;
    let (dims, element) = (cx.dims_of(x), cx.ty(x).element);
    let ranks = cx.iota(axis, &dims, element)?;
    let ranks = cx.binary_scalar(BinaryOp::Add, ranks, 1.0)?;
    let sums = cx.cumulative(RunningOp::Sum, sorted, axis, false, false)?;
    // The elements that stay above zero come first.
    let scaled = cx.mul(sorted, ranks)?;
    let scaled = cx.binary_scalar(BinaryOp::Add, scaled, 1.0)?;
    let stays = cx.compare(CompareOp::Gt, scaled, sums)?;
    let stays = cx.cast(stays, element)?;
    let count = cx.reduce(ReduceOp::Sum, stays, &[axis], true)?;
    let kept = cx.mul(stays, sums)?;
    let total = cx.reduce(ReduceOp::Sum, kept, &[axis], true)?;
    let total = cx.binary_scalar(BinaryOp::Sub, total, 1.0)?;
    let threshold = cx.div(total, count)?;
    let above = cx.sub(x, threshold)?;
    cx.activate(Function::RELU, above)
}
