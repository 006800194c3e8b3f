//! Rearrangements: flipping, moving, swapping and rolling axes, repeating elements.
//!
//! Reference: `keras.ops.flip`, `keras.ops.roll`, `keras.ops.repeat` and their relatives; `tf.reverse`, `tf.roll`.

use super::FromOpConfig;
use super::args::{Args, flat, missing};
use super::params::{Numbers, Params};
use super::sizes;
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::Range;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A rearrangement of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrange {
    /// The rearrangement.
    pub kind: ArrangeKind,
    /// `axis`, `shift`, `repeats`, `source`, `destination`, `k`, `axes`.
    pub params: Params,
}

/// The rearrangements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrangeKind {
    /// Reverses some axes, or all.
    Flip,
    /// Reverses axis 1.
    FlipColumns,
    /// Reverses axis 0.
    FlipRows,
    /// Shifts the elements along axes; elements that leave at one end enter at the other.
    Roll,
    /// Repeats each element.
    Repeat,
    /// Swaps two axes.
    SwapAxes,
    /// Moves some axes to other positions.
    MoveAxis,
    /// Flattens all axes.
    Ravel,
    /// Flattens all axes except the batch.
    FlattenEntries,
    /// Rotates the plane of two axes.
    Rotate,
    /// As Keras 3 rotates on TensorFlow.
    RotateInKeras3,
}

impl FromOpConfig for Arrange {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use ArrangeKind as K;
        let kind = match class {
            "Flip" => K::Flip,
            "Fliplr" => K::FlipColumns,
            "Flipud" => K::FlipRows,
            "Roll" => K::Roll,
            "Repeat" => K::Repeat,
            "Swapaxes" => K::SwapAxes,
            "Moveaxis" => K::MoveAxis,
            "Ravel" => K::Ravel,
            "BatchFlatten" => K::FlattenEntries,
            "Rot90" if config.producer().is_keras3() => K::RotateInKeras3,
            "Rot90" => K::Rotate,
            other => return Err(Error::bug(format!("`{other}` is listed as an arrangement"))),
        };
        Ok(Arrange { kind, params: Params::read(config) })
    }
}

fn reversed(cx: &mut LowerCx<'_>, x: Value, axes: &[usize]) -> Result<Value> {
    if axes.is_empty() { Ok(x) } else { cx.reverse(x, axes) }
}

/// Shifts elements along an axis by a constant.
fn rolled(cx: &mut LowerCx<'_>, x: Value, axis: usize, shift: i64) -> Result<Value> {
    let length = cx.dims_of(x)[axis];
    if let Some(known) = cx.known_dim(length) {
        let Some(shift) = i64::try_from(known).ok().filter(|&n| n > 0).map(|n| shift.rem_euclid(n)) else {
            return Ok(x);
        };
        if shift == 0 {
            return Ok(x);
        }
        let split = cx.number(known.saturating_sub(shift as usize));
        let moved = cx.number(shift as usize);
        let back = cx.slice_axis(x, axis, Range { start: split, len: moved, step: 1 })?;
        let front = cx.slice_axis(x, axis, Range { start: Dim::ZERO, len: split, step: 1 })?;
        return cx.concat(&[back, front], axis);
    }
    let shift = cx.scalar(ElementType::I64, shift as f64)?;
    rolled_by(cx, x, axis, shift)
}

/// Repeats each element along an axis `count` times.
fn repeated(cx: &mut LowerCx<'_>, x: Value, axis: usize, count: Dim) -> Result<Value> {
    if !cx.at_least(count, Dim::ZERO) {
        let count = sizes::text(cx, &[count]);
        return Err(Error::malformed(format!("expected repeats of at least 0, found {count}")));
    }
    let mut dims = cx.dims_of(x);
    let length = dims[axis];
    let apart = cx.insert_axis(x, axis + 1)?;
    dims.insert(axis + 1, count);
    let spread = cx.broadcast_to(apart, &dims)?;
    dims.remove(axis + 1);
    dims[axis] = cx.dims().mul(length, count)?;
    cx.reshape(spread, &dims)
}

/// Repeats each element along an axis by its own count.
fn repeated_each(cx: &mut LowerCx<'_>, x: Value, axis: usize, counts: &[Dim]) -> Result<Value> {
    let (found, length) = (cx.number(counts.len()), cx.dims_of(x)[axis]);
    if cx.same(found, length).is_none() {
        let (found, shape) = (counts.len(), cx.shape(x));
        return Err(Error::malformed(format!("{found} repeats for axis {axis} of shape {shape}")));
    }
    let mut parts = Vec::with_capacity(counts.len());
    for (place, &count) in counts.iter().enumerate() {
        let start = cx.number(place);
        let one = cx.slice_axis(x, axis, Range { start, len: Dim::ONE, step: 1 })?;
        parts.push(repeated(cx, one, axis, count)?);
    }
    cx.concat(&parts, axis)
}

fn repeat(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    let counts = args.sizes(cx, &["repeats"], Some(1))?.ok_or_else(|| missing(&["repeats"]))?;
    args.inert(&["total_repeat_length"]);
    let (x, axis) = match args.axis(cx, &["axis"], Some(2), x)? {
        Some(axis) => (x, axis),
        None => (flat(cx, x)?, 0),
    };
    match counts[..] {
        [count] => repeated(cx, x, axis, count),
        _ => repeated_each(cx, x, axis, &counts),
    }
}

/// Shifts elements along an axis by a number that depends on data.
fn rolled_by(cx: &mut LowerCx<'_>, x: Value, axis: usize, shift: Value) -> Result<Value> {
    let length = cx.dims_of(x)[axis];
    let places = cx.iota(0, &[length], ElementType::I64)?;
    let places = cx.sub(places, shift)?;
    let length = cx.size(length, ElementType::I64)?;
    let places = cx.binary(BinaryOp::Mod, places, length)?;
    cx.gather(x, places, axis, Bounds::Error)
}

fn roll(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    if let Some(Arg::Tensor(shift)) = args.keyword(&["shift"]).or(args.at(1)) {
        let (shift, axis) = (shift.value, args.axis(cx, &["axis"], Some(2), x)?);
        let Some(axis) = axis.filter(|_| cx.ty(shift).rank() == 0) else {
            return Err(Error::unsupported("`shift` is a tensor of several numbers or without an axis"));
        };
        cx.mixes_batch();
        let shift = cx.cast(shift, ElementType::I64)?;
        return rolled_by(cx, x, axis, shift);
    }
    let Numbers(shifts) = args.need(&["shift"], Some(1))?;
    let Some(Numbers(axes)) = args.opt(&["axis"], Some(2))? else {
        let dims = cx.dims_of(x);
        let all = flat(cx, x)?;
        let all = rolled(cx, all, 0, shifts.iter().fold(0i64, |sum, &shift| sum.wrapping_add(shift)))?;
        return cx.reshape(all, &dims);
    };
    if shifts.len() != axes.len() && shifts.len() != 1 {
        return Err(Error::malformed(format!("{} shifts for {} axes", shifts.len(), axes.len())));
    }
    let mut x = x;
    for (place, axis) in axes.into_iter().enumerate() {
        let axis = cx.axis(axis, x)?;
        x = rolled(cx, x, axis, shifts[if shifts.len() == 1 { 0 } else { place }])?;
    }
    Ok(x)
}

fn swap_axes(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    let first = args.axis(cx, &["axis1"], Some(1), x)?.ok_or_else(|| missing(&["axis1"]))?;
    let second = args.axis(cx, &["axis2"], Some(2), x)?.ok_or_else(|| missing(&["axis2"]))?;
    let mut order: Vec<usize> = (0..cx.ty(x).rank()).collect();
    order.swap(first, second);
    cx.transpose(x, &order)
}

fn move_axes(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    let axes = |name: &'static str, position| -> Result<Vec<usize>> {
        let Numbers(axes) = args.need(&[name], Some(position))?;
        axes.into_iter().map(|axis| cx.axis(axis, x)).collect()
    };
    let (from, to) = (axes("source", 1)?, axes("destination", 2)?);
    let rank = cx.ty(x).rank();
    let mut order: Vec<usize> = (0..rank).filter(|axis| !from.contains(axis)).collect();
    let mut moves: Vec<(usize, usize)> = to.iter().copied().zip(from.iter().copied()).collect();
    moves.sort_unstable();
    for (to, from) in moves {
        order.insert(to.min(order.len()), from);
    }
    if from.len() != to.len() || order.len() != rank {
        return Err(Error::malformed(format!("axes {from:?} of shape {} cannot be moved to {to:?}", cx.shape(x))));
    }
    cx.transpose(x, &order)
}

/// QUIRK(keras): half a turn as Keras 3 computes it on TensorFlow: between the two quarter turns, the plane is taken to have its
/// first shape again.
fn half_turn(cx: &mut LowerCx<'_>, x: Value, first: usize, second: usize) -> Result<Value> {
    let rank = cx.ty(x).rank();
    let mut order: Vec<usize> = (0..rank).filter(|&axis| axis != first && axis != second).collect();
    order.extend([first, second]);
    let mut x = cx.transpose(x, &order)?;
    let dims = cx.dims_of(x);
    let mut turned: Vec<usize> = (0..rank).collect();
    turned.swap(rank - 2, rank - 1);
    for _ in 0..2 {
        x = cx.reverse(x, &[rank - 1])?;
        x = cx.transpose(x, &turned)?;
        x = cx.reshape(x, &dims)?;
    }
    let mut back = vec![0; rank];
    order.iter().enumerate().for_each(|(place, &axis)| back[axis] = place);
    cx.transpose(x, &back)
}

/// Rotates by quarter turns. One turn moves the first axis towards the second one.
fn rotate(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value, in_keras_3: bool) -> Result<Value> {
    let turns = args.or::<i64>(&["k"], Some(1), 1)?.rem_euclid(4);
    let Numbers(axes) = args.or(&["axes"], Some(2), Numbers(vec![0, 1]))?;
    let axes = axes.into_iter().map(|axis| cx.axis(axis, x)).collect::<Result<Vec<usize>>>()?;
    let [first, second] = axes[..] else { return Err(Error::malformed("a rotation is in a plane of two axes")) };
    if first == second {
        return Err(Error::malformed("an axis is given twice"));
    }
    let dims = cx.dims_of(x);
    let mut order: Vec<usize> = (0..dims.len()).collect();
    order.swap(first, second);
    match turns {
        0 => Ok(x),
        1 => {
            let x = cx.reverse(x, &[second])?;
            cx.transpose(x, &order)
        }
        2 if in_keras_3 && dims[first] != dims[second] => half_turn(cx, x, first, second),
        2 => cx.reverse(x, &[first, second]),
        _ => {
            let x = cx.transpose(x, &order)?;
            cx.reverse(x, &[second])
        }
    }
}

impl Arrange {
    fn arranged(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
        match self.kind {
            ArrangeKind::Flip => {
                let axes = args.axes(cx, &["axis"], Some(1), x)?;
                let axes = axes.unwrap_or_else(|| (0..cx.ty(x).rank()).collect());
                reversed(cx, x, &axes)
            }
            ArrangeKind::FlipColumns => {
                let axis = cx.axis(1, x)?;
                cx.reverse(x, &[axis])
            }
            ArrangeKind::FlipRows => {
                let axis = cx.axis(0, x)?;
                cx.reverse(x, &[axis])
            }
            ArrangeKind::Roll => roll(cx, args, x),
            ArrangeKind::Repeat => repeat(cx, args, x),
            ArrangeKind::SwapAxes => swap_axes(cx, args, x),
            ArrangeKind::MoveAxis => move_axes(cx, args, x),
            ArrangeKind::Ravel => flat(cx, x),
            ArrangeKind::FlattenEntries => {
                let dims = cx.dims_of(x);
                let Some((&batch, rest)) = dims.split_first() else {
                    return Err(Error::malformed("expected a batch, found a number"));
                };
                let rest = cx.dims().product(rest)?;
                cx.reshape(x, &[batch, rest])
            }
            ArrangeKind::Rotate => rotate(cx, args, x, false),
            ArrangeKind::RotateInKeras3 => rotate(cx, args, x, true),
        }
    }

    /// Whether the arrangement moves elements along the batch axis, or may do so.
    fn moves_batch(&self, cx: &LowerCx<'_>, args: &Args<'_>, x: Value) -> bool {
        let named: &[&'static str] = match self.kind {
            ArrangeKind::FlattenEntries | ArrangeKind::FlipColumns => return false,
            ArrangeKind::Ravel | ArrangeKind::FlipRows => return true,
            ArrangeKind::SwapAxes => &["axis1", "axis2"],
            ArrangeKind::MoveAxis => &["source", "destination"],
            ArrangeKind::Rotate | ArrangeKind::RotateInKeras3 => &["axes"],
            _ => &["axis"],
        };
        let is_batch = |axis: i64| cx.axis(axis, x).is_ok_and(|axis| axis == 0);
        named.iter().any(|&name| match args.opt::<Numbers>(&[name], None) {
            Ok(Some(Numbers(axes))) => axes.into_iter().any(is_batch),
            _ => true,
        })
    }
}

impl LayerDef for Arrange {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let x = args.subject(&["array"])?.value;
        if self.moves_batch(cx, &args, x) {
            cx.mixes_batch();
        }
        let value = self.arranged(cx, &args, x)?;
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::lower::testing::check_type;
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        check("Flip", json!({"axis": [1, -1]}), json!(["f:?,3,4"]), json!({}), "float32[?,3,4]");
        check("Roll", json!({"shift": [1, -5], "axis": [1, 2]}), json!(["i:?,3,4"]), json!({}), "int32[?,3,4]");
        check("Repeat", json!({"repeats": 3, "axis": 1}), json!(["f:?,3,4"]), json!({}), "float32[?,9,4]");
        check("Repeat", json!({"repeats": [1, 0, 4], "axis": 1}), json!(["f:?,3,4"]), json!({}), "float32[?,5,4]");
        check("Swapaxes", json!({"axis1": -1, "axis2": 1}), json!(["f:?,3,4"]), json!({}), "float32[?,4,3]");
        check(
            "Moveaxis",
            json!({"source": [1, 0], "destination": [-1, 1]}),
            json!(["f:2,3,4"]),
            json!({}),
            "float32[4,2,3]",
        );
        check("Rot90", json!({"k": 3, "axes": [1, 2]}), json!(["f:?,3,4"]), json!({}), "float32[?,4,3]");
        check("BatchFlatten", json!({}), json!(["f:?,3,4"]), json!({}), "float32[?,12]");
        check("Ravel", json!({}), json!(["f:2,3"]), json!({}), "float32[6]");
    }

    #[test]
    fn unknown_axes() {
        let call = |function: &str, kwargs: serde_json::Value, ty: &str| {
            let layer = ("y", "TFOpLambda", json!({"function": function}), json!([["x", 0, 0, kwargs]]));
            check_type(&[("x", json!([null, null, 4]))], &[layer], ty);
        };
        call("roll", json!({"shift": 2, "axis": 1}), "f32[batch,x.1,4]");
        call("repeat", json!({"repeats": 2, "axis": 1}), "f32[batch,2*x.1,4]");
        call("reverse", json!({"axis": [1]}), "f32[batch,x.1,4]");
    }

    #[test]
    fn refuses() {
        let message = "2 repeats for axis 1 of shape [?,3]";
        refused_with("Repeat", json!({"repeats": [1, 2], "axis": 1}), json!(["f:?,3"]), message);
        refused_with("Roll", json!({"shift": [1, 2], "axis": 1}), json!(["f:?,3"]), "2 shifts for 1 axes");
        let message = "expected repeats of at least 0, found [-1]";
        refused_with("Repeat", json!({"repeats": -1, "axis": 1}), json!(["f:?,3"]), message);
    }
}
