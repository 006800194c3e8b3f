//! The masks of attention layers, as truth values `[batch, .., query, key]`: which positions may attend to which.

use crate::layers::masks;
use crate::lower::LowerCx;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::Result;

/// The mask in which a position attends to itself and those before it: `[1, queries, keys]`.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn causal(cx: &mut LowerCx<'_>, queries: Dim, keys: Dim) -> Result<Value> {
    let (row, column) = positions(cx, queries, keys)?;
    cx.compare(CompareOp::Ge, row, column)
}

/// The mask in which a position attends to those closer than `window`: `[1, queries, keys]`.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn window(cx: &mut LowerCx<'_>, queries: Dim, keys: Dim, window: usize) -> Result<Value> {
    let (row, column) = positions(cx, queries, keys)?;
    let distance = cx.sub(row, column)?;
    let distance = cx.unary(UnaryOp::Abs, distance)?;
    let window = i32::try_from(window).unwrap_or(i32::MAX);
    cx.compare_scalar(CompareOp::Lt, distance, f64::from(window))
}

fn positions(cx: &mut LowerCx<'_>, queries: Dim, keys: Dim) -> Result<(Value, Value)> {
    let row = cx.iota(1, &[Dim::ONE, queries, Dim::ONE], ElementType::I32)?;
    let column = cx.iota(2, &[Dim::ONE, Dim::ONE, keys], ElementType::I32)?;
    Ok((row, column))
}

/// The conjunction of all masks; `None` for an empty list.
///
/// # Errors
/// Masks that do not broadcast.
pub(crate) fn all(cx: &mut LowerCx<'_>, masks: &[Value]) -> Result<Option<Value>> {
    masks::fold(cx, BinaryOp::And, masks)
}

/// A mask in the rank of the scores: axes of length 1 are inserted before its last `axes`.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for a mask that does not broadcast to the scores.
pub(crate) fn over(cx: &mut LowerCx<'_>, mask: Value, scores: Value, axes: usize) -> Result<Value> {
    let (mut dims, rank) = (cx.dims_of(mask), cx.ty(scores).rank());
    let (Some(first), Some(missing)) = (dims.len().checked_sub(axes), rank.checked_sub(dims.len())) else {
        return Err(masks::misfit(cx, mask, scores));
    };
    // SIZE: the rank of the scores.
    dims.splice(first..first, std::iter::repeat_n(Dim::ONE, missing));
    let mask = cx.reshape(mask, &dims)?;
    masks::check_broadcasts(cx, mask, scores)?;
    Ok(mask)
}
