//! Masks in lowering: the mask of a layer's output, and the shapes of masks. Whether a value has a mask is known
//! statically; without a mask, no node is added.

use crate::encode::Encoding;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// How the mask of a layer's outputs is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskRule {
    /// No mask.
    Stop,
    /// The mask of the first input.
    Pass,
    /// The AND of the existing masks: merge layers of Keras 1 and 2.
    And,
    /// The OR of all masks, or no mask if one is missing: merge layers of Keras 3.
    Or,
}

/// The mask of a layer's outputs, by its rule.
///
/// # Errors
/// Masks that do not broadcast.
pub(crate) fn combined(cx: &mut LowerCx<'_>, rule: MaskRule, inputs: &[KerasTensor]) -> Result<Option<Value>> {
    let masks: Vec<Value> = inputs.iter().filter_map(|input| input.mask).collect();
    match rule {
        MaskRule::Pass => Ok(inputs.first().and_then(|input| input.mask)),
        MaskRule::And => fold(cx, BinaryOp::And, &masks),
        MaskRule::Or if masks.len() == inputs.len() => fold(cx, BinaryOp::Or, &masks),
        MaskRule::Or | MaskRule::Stop => Ok(None),
    }
}

/// Combines all masks; `None` for an empty list.
///
/// # Errors
/// Masks that do not broadcast.
pub(crate) fn fold(cx: &mut LowerCx<'_>, op: BinaryOp, masks: &[Value]) -> Result<Option<Value>> {
    let Some((&first, rest)) = masks.split_first() else { return Ok(None) };
    rest.iter().try_fold(first, |all, &mask| cx.binary(op, all, mask)).map(Some)
}

/// A mask of the first axes of a value (usually `[batch, time]`), with length 1 for the other axes.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if it has more axes than the value.
pub(crate) fn over_first_axes(cx: &mut LowerCx<'_>, mask: Value, x: Value) -> Result<Value> {
    let mut dims = cx.dims_of(mask);
    let rank = cx.ty(x).rank();
    if dims.len() > rank {
        return Err(misfit(cx, mask, x));
    }
    dims.resize(rank, Dim::ONE);
    cx.reshape(mask, &dims)
}

/// Checks that a mask broadcasts to a value, aligned at the last axis: each dimension is 1 or the value's.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if it does not.
pub(crate) fn check_broadcasts(cx: &mut LowerCx<'_>, mask: Value, x: Value) -> Result<()> {
    let (from, to) = (cx.dims_of(mask), cx.dims_of(x));
    let mut fits = |a: Dim, b: Dim| match cx.dims().known(b) {
        _ if a == Dim::ONE => true,
        // An unknown dimension of the mask may be 1.
        Some(2..) => cx.broadcast_shapes(&[a], &[b]).is_ok(),
        _ => cx.same(a, b).is_some(),
    };
    if from.len() > to.len() || from.iter().rev().zip(to.iter().rev()).any(|(&a, &b)| !fits(a, b)) {
        return Err(misfit(cx, mask, x));
    }
    Ok(())
}

/// Warns about the mask that a layer creates.
pub(crate) fn warn_of_made(out: &Encoding<'_>) {
    out.warn("TensorFlow.js passes the mask of this layer to other layers than Keras does");
}

/// The error for a mask that does not broadcast to a value.
pub(crate) fn misfit(cx: &LowerCx<'_>, mask: Value, x: Value) -> Error {
    Error::malformed(format!("a mask of shape {} does not fit an input {}", cx.shape(mask), cx.shape(x)))
}
