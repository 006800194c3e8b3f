//! Indexing: slices for indices, one element for each index, one-hot rows.
//!
//! Reference: `keras.ops.take`, `keras.ops.take_along_axis`, `keras.ops.one_hot`; `tf.gather`, `tf.gather_nd`.

use super::FromOpConfig;
use super::args::{Args, flat, is_integer, missing, to_type};
use super::params::Params;
use super::sizes;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, element, value_type};
use crate::types::{SymShape, ValueType};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// Selects elements by index.
#[derive(Clone, Debug, PartialEq)]
pub struct Gather {
    /// The form of the indices.
    pub kind: GatherKind,
    /// `axis`, `batch_dims`, `num_classes`, `depth`, `dtype`.
    pub params: Params,
}

/// The form of the indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatherKind {
    /// Slices along an axis, for indices that may be negative.
    Take,
    /// An index for each element of the result, along an axis.
    TakeAlong,
    /// Slices along an axis, with separate indices for each entry of a batch.
    Gather,
    /// Elements or slices, for indices into several axes.
    GatherNd,
    /// A row for each index, with a 1 at the index and zeros elsewhere.
    OneHot,
    /// A row for the indices along axis 1, with ones at the indices and zeros elsewhere.
    MultiHot,
}

impl FromOpConfig for Gather {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use GatherKind as K;
        let kind = match class {
            "Take" => K::Take,
            "TakeAlongAxis" => K::TakeAlong,
            "Gather" => K::Gather,
            "GatherNd" => K::GatherNd,
            "OneHot" => K::OneHot,
            "MultiHot" => K::MultiHot,
            other => return Err(Error::bug(format!("`{other}` is listed as a gather"))),
        };
        Ok(Gather { kind, params: Params::read(config) })
    }
}

/// Casts indices to integers.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn integers(cx: &mut LowerCx<'_>, indices: Value) -> Result<Value> {
    let dtype = value_type(cx.ty(indices).element);
    if is_integer(dtype) { Ok(indices) } else { to_type(cx, indices, ValueType::Int32) }
}

/// Converts negative indices, which count from the end of an axis.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn wrapped(cx: &mut LowerCx<'_>, indices: Value, length: Dim) -> Result<Value> {
    let indices = cx.cast(indices, ElementType::I64)?;
    let length = cx.size(length, ElementType::I64)?;
    let below = cx.compare_scalar(CompareOp::Lt, indices, 0.0)?;
    let counted = cx.add(indices, length)?;
    cx.select(below, counted, indices)
}

/// Combines an index into each of several axes to one flat index; -1 if any is outside its axis.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn joined(cx: &mut LowerCx<'_>, indices: &[Value], lengths: &[Dim]) -> Result<Value> {
    let mut place = cx.scalar(ElementType::I64, 0.0)?;
    let mut outside: Option<Value> = None;
    for (&index, &length) in indices.iter().zip(lengths) {
        let length = cx.size(length, ElementType::I64)?;
        let below = cx.compare_scalar(CompareOp::Lt, index, 0.0)?;
        let above = cx.compare(CompareOp::Ge, index, length)?;
        let wrong = cx.binary(BinaryOp::Or, below, above)?;
        outside = Some(match outside {
            Some(others) => cx.binary(BinaryOp::Or, others, wrong)?,
            None => wrong,
        });
        let scaled = cx.mul(place, length)?;
        place = cx.add(scaled, index)?;
    }
    let Some(outside) = outside else { return Ok(place) };
    let nowhere = cx.scalar(ElementType::I64, -1.0)?;
    cx.select(outside, nowhere, place)
}

/// Merges the first axes.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn merged(cx: &mut LowerCx<'_>, x: Value, axes: usize) -> Result<Value> {
    let dims = cx.dims_of(x);
    let all = cx.dims().product(&dims[..axes])?;
    let dims: Vec<Dim> = [all].into_iter().chain(dims[axes..].iter().copied()).collect();
    cx.reshape(x, &dims)
}

/// The index along an axis, in a shape of rank `rank` that broadcasts.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn counter(cx: &mut LowerCx<'_>, axis: usize, rank: usize, length: Dim) -> Result<Value> {
    let mut dims = vec![Dim::ONE; rank];
    dims[axis] = length;
    cx.iota(axis, &dims, ElementType::I64)
}

/// Fails unless the first axes of two shapes are equal.
fn same_batch(cx: &mut LowerCx<'_>, x: Value, indices: Value, axes: usize) -> Result<()> {
    let (a, b) = (cx.dims_of(x), cx.dims_of(indices));
    let fits = a.len() >= axes && b.len() >= axes && (0..axes).all(|axis| cx.same(a[axis], b[axis]).is_some());
    if fits {
        return Ok(());
    }
    let (a, b) = (cx.shape(x), cx.shape(indices));
    Err(Error::malformed(format!("shapes {a} and {b} do not have {axes} axes of a batch in common")))
}

fn take(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    let indices = args.need_value(cx, &["indices"], Some(1))?;
    args.inert(&["mode"]);
    let (x, axis) = match args.axis(cx, &["axis"], Some(2), x)? {
        Some(axis) => (x, axis),
        None => (flat(cx, x)?, 0),
    };
    let indices = integers(cx, indices)?;
    let length = cx.dims_of(x)[axis];
    let indices = wrapped(cx, indices, length)?;
    // A tensor of indices may select other entries of the batch.
    cx.mixes_batch();
    cx.gather(x, indices, axis, Bounds::Error)
}

fn take_along(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    let indices = args.need_value(cx, &["indices"], Some(1))?;
    let indices = integers(cx, indices)?;
    let Some(axis) = args.axis(cx, &["axis"], Some(2), x)? else {
        let (x, indices) = (flat(cx, x)?, flat(cx, indices)?);
        let length = cx.dims_of(x)[0];
        let indices = wrapped(cx, indices, length)?;
        return cx.gather(x, indices, 0, Bounds::Error);
    };
    let (mut from, mut to) = (cx.dims_of(x), cx.dims_of(indices));
    if from.len() != to.len() {
        let (a, b) = (cx.shape(x), cx.shape(indices));
        return Err(Error::malformed(format!("shapes {a} and {b} have different numbers of axes")));
    }
    if axis == 0 {
        cx.mixes_batch();
    }
    let length = from[axis];
    let taken = to[axis];
    (from[axis], to[axis]) = (Dim::ONE, Dim::ONE);
    let mut dims = cx.broadcast_shapes(&from, &to)?;
    dims[axis] = taken;
    let indices = cx.broadcast_to(indices, &dims)?;
    let indices = wrapped(cx, indices, length)?;
    from = dims.clone();
    from[axis] = length;
    let x = cx.broadcast_to(x, &from)?;
    let rank = dims.len();
    let mut places = Vec::with_capacity(rank);
    for (place, &dim) in dims.iter().enumerate() {
        places.push(if place == axis { indices } else { counter(cx, place, rank, dim)? });
    }
    let place = joined(cx, &places, &from)?;
    let all = merged(cx, x, rank)?;
    cx.gather(all, place, 0, Bounds::Error)
}

/// Slices along an axis; the first axes of both operands are a batch.
fn gather(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    args.inert(&["validate_indices", "max_norm", "partition_strategy"]);
    let indices = args.need_value(cx, &["indices", "ids"], Some(1))?;
    let indices = integers(cx, indices)?;
    let rank = cx.ty(indices).rank();
    let written: i64 = args.or(&["batch_dims"], None, 0)?;
    let batch = written;
    let batch = if batch < 0 { batch.saturating_add(rank as i64) } else { batch };
    let batch = usize::try_from(batch).ok().filter(|&batch| batch <= rank);
    let batch = batch.ok_or_else(|| Error::malformed("`batch_dims` is outside of the axes of the indices"))?;
    let axis = match args.axis(cx, &["axis"], Some(2), x)? {
        Some(axis) => axis,
        // TensorFlow takes the number as it is for the axis too; only `batch_gather` has converted it before.
        None if written < 0 && args.keyword(&["batch_dims"]).is_some() => cx.axis(written, x)?,
        None => batch,
    };
    if batch == 0 {
        cx.mixes_batch();
        return cx.gather(x, indices, axis, Bounds::Error);
    }
    same_batch(cx, x, indices, batch)?;
    if axis < batch {
        return Err(Error::malformed(format!("`axis` {axis} is one of the {batch} axes of the batch")));
    }
    // Move the axis to directly after the batch; the other axes keep their order.
    let order: Vec<usize> = (0..batch).chain([axis]).chain((batch..cx.ty(x).rank()).filter(|&a| a != axis)).collect();
    let between = axis - batch;
    let x = cx.transpose(x, &order)?;
    let dims = cx.dims_of(x);
    let wide = cx.cast(indices, ElementType::I64)?;
    // SIZE: the rank.
    let mut places = Vec::with_capacity(batch + 1);
    for (place, &dim) in dims.iter().take(batch).enumerate() {
        places.push(counter(cx, place, rank, dim)?);
    }
    places.push(wide);
    let place = joined(cx, &places, &dims[..=batch])?;
    let all = merged(cx, x, batch + 1)?;
    let found = cx.gather(all, place, 0, Bounds::Error)?;
    let total = cx.ty(found).rank();
    let order: Vec<usize> =
        (0..batch).chain(rank..rank + between).chain(batch..rank).chain(rank + between..total).collect();
    cx.transpose(found, &order)
}

fn gather_nd(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    args.inert(&["bad_indices_policy"]);
    let indices = args.need_value(cx, &["indices"], Some(1))?;
    let indices = integers(cx, indices)?;
    let indices = cx.cast(indices, ElementType::I64)?;
    let batch: usize = args.or(&["batch_dims"], None, 0)?;
    same_batch(cx, x, indices, batch)?;
    let last = cx.axis(-1, indices)?;
    let depth = cx.known(cx.ty(indices).dims[last], "the last axis of indices", indices)?;
    let dims = cx.dims_of(x);
    let axes = batch.saturating_add(depth);
    if axes > dims.len() {
        let (shape, of) = (cx.shape(x), cx.shape(indices));
        return Err(Error::malformed(format!("indices of shape {of} have too many parts for shape {shape}")));
    }
    if batch == 0 {
        cx.mixes_batch();
    }
    // SIZE: the rank.
    let mut places = Vec::with_capacity(axes);
    for (place, &dim) in dims.iter().take(batch).enumerate() {
        places.push(counter(cx, place, last, dim)?);
    }
    for part in 0..depth {
        let start = cx.number(part);
        let one = cx.columns(indices, start, Dim::ONE)?;
        places.push(cx.remove_axis(one, last)?);
    }
    let place = joined(cx, &places, &dims[..axes])?;
    let all = merged(cx, x, axes)?;
    cx.gather(all, place, 0, Bounds::Error)
}

/// One-hot or multi-hot rows, along a new axis.
fn one_hot(cx: &mut LowerCx<'_>, args: &Args<'_>, indices: Value, many: bool) -> Result<Value> {
    args.inert(&["sparse"]);
    let indices = integers(cx, indices)?;
    let depth = match args.sizes(cx, &["num_classes", "depth", "num_tokens"], Some(1))?.as_deref() {
        Some(&[depth]) if cx.at_least(depth, Dim::ZERO) => depth,
        None => return Err(missing(&["num_classes"])),
        _ => return Err(Error::malformed("expected a number of classes of at least 0")),
    };
    let (on, off) = (args.value(cx, &["on_value"], Some(2))?, args.value(cx, &["off_value"], Some(3))?);
    let of_values = on.or(off).map(|value| value_type(cx.ty(value).element));
    let dtype = sizes::dtype(args, &["dtype"], None)?.or(of_values).unwrap_or(ValueType::Float);
    let rank = cx.ty(indices).rank();
    let axis = SymShape(vec![None; rank + 1]).axis(args.or(&["axis"], Some(4), -1)?)?;
    let counted_in = if dtype == ValueType::Bool { ElementType::I32 } else { element(dtype) };
    let rows = cx.one_hot(indices, depth, counted_in)?;
    let order: Vec<usize> = (0..axis).chain([rank]).chain(axis..rank).collect();
    let mut rows = cx.transpose(rows, &order)?;
    if axis == 0 {
        cx.mixes_batch();
    }
    if many {
        let axis = usize::from(rank > 1);
        if axis == 0 {
            cx.mixes_batch();
        }
        rows = cx.reduce(ReduceOp::Max, rows, &[axis], false)?;
    }
    if on.is_none() && off.is_none() {
        return to_type(cx, rows, dtype);
    }
    let hot = cx.compare_scalar(CompareOp::Ne, rows, 0.0)?;
    let mut number = |value: Option<Value>, default: f64| match value {
        Some(value) => to_type(cx, value, dtype),
        None => cx.scalar(element(dtype), default),
    };
    let (on, off) = (number(on, 1.0)?, number(off, 0.0)?);
    cx.select(hot, on, off)
}

impl LayerDef for Gather {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use GatherKind as K;
        let args = Args::new(&self.params, call);
        let x = match self.kind {
            K::OneHot | K::MultiHot => args.need_value(cx, &["indices", "inputs", "x"], Some(0))?,
            _ => args.need_value(cx, &["x", "params", "arr", "input"], Some(0))?,
        };
        let value = match self.kind {
            K::Take => take(cx, &args, x)?,
            K::TakeAlong => take_along(cx, &args, x)?,
            K::Gather => gather(cx, &args, x)?,
            K::GatherNd => gather_nd(cx, &args, x)?,
            K::OneHot => one_hot(cx, &args, x, false)?,
            K::MultiHot => one_hot(cx, &args, x, true)?,
        };
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        check("Take", json!({"axis": 1}), json!(["f:?,3,4", [2, 0]]), json!({}), "float32[?,2,4]");
        check("Take", json!({"axis": -1}), json!(["f:?,3,4", 1]), json!({}), "float32[?,3]");
        check("Take", json!({"axis": null}), json!(["f:2,3", "i:?,5"]), json!({}), "float32[?,5]");
        check("TakeAlongAxis", json!({"axis": 1}), json!(["f:?,3,4", "i:?,2,4"]), json!({}), "float32[?,2,4]");
        let kwargs = json!({"indices": "i:?,5", "axis": 2, "batch_dims": 1});
        check("Gather", json!({}), json!(["f:?,3,4"]), kwargs, "float32[?,3,5]");
        check(
            "GatherNd",
            json!({}),
            json!(["f:?,3,4"]),
            json!({"indices": "i:?,5,1", "batch_dims": 1}),
            "float32[?,5,4]",
        );
        check("GatherNd", json!({}), json!(["f:2,3,4"]), json!({"indices": [[0, 1], [1, 2]]}), "float32[2,4]");
        check("OneHot", json!({"num_classes": 5, "axis": 1}), json!(["i:?,3"]), json!({}), "float32[?,5,3]");
        check("OneHot", json!({}), json!(["i:?"]), json!({"depth": 4, "on_value": 2, "off_value": 1}), "int32[?,4]");
        check("MultiHot", json!({"num_classes": 5}), json!(["i:?,3"]), json!({}), "float32[?,5]");
    }

    #[test]
    fn refuses() {
        let message = "shapes [?,3] and [?,3,1] have different numbers of axes";
        refused_with("TakeAlongAxis", json!({"axis": 1}), json!(["f:?,3", "i:?,3,1"]), message);
        refused_with("OneHot", json!({}), json!(["i:?,3"]), "missing `num_classes`");
        let message = "indices of shape [?,3] have too many parts for shape [?,3]";
        refused_with("GatherNd", json!({}), json!(["f:?,3", "i:?,3"]), message);
        refused_with("Take", json!({"axis": 2}), json!(["f:?,3", 0]), "`axis` 2 does not exist in shape [?,3]");
    }
}
