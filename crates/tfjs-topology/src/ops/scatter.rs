//! Scatters values by index: into zeros, into a copy of a tensor, by segment, as a block.
//!
//! Reference: `tf.scatter_nd`, `tf.tensor_scatter_nd_update`, `tf.math.unsorted_segment_sum` and their relatives;
//! `keras.ops.scatter`, `keras.ops.scatter_update`, `keras.ops.slice_update`, `keras.ops.segment_sum`.

use super::FromOpConfig;
use super::args::{Args, is_integer, missing, to_type};
use super::gather::{integers, joined, merged};
use super::params::Params;
use super::sizes;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, value_type};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::{Dim, ElementType, Loop, Value};
use tfjs_manifest::{Error, Result};

/// Scatters values by index.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter {
    /// The destination, and how values are combined.
    pub kind: ScatterKind,
    /// `shape`, `reduction`, `num_segments`.
    pub params: Params,
}

/// How several values at one index are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// The last one replaces the others.
    Replace,
    /// Their sum.
    Add,
    /// They are subtracted from the existing value.
    Subtract,
    /// Their product.
    Multiply,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// Their mean.
    Mean,
    /// Their sum divided by the square root of their number.
    MeanOfRoots,
}

/// The destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScatterKind {
    /// Zeros of a given shape.
    Zeros,
    /// A tensor; `reduction` selects the combination.
    Update,
    /// A tensor.
    Into(Combine),
    /// A block of a tensor, from one position on.
    Block,
    /// One row for each segment.
    Segments(Combine),
}

impl FromOpConfig for Scatter {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use ScatterKind as K;
        let kind = match class {
            "Scatter" => K::Zeros,
            "ScatterUpdate" => K::Update,
            "ScatterReplace" => K::Into(Combine::Replace),
            "ScatterAdd" => K::Into(Combine::Add),
            "ScatterSubtract" => K::Into(Combine::Subtract),
            "ScatterMax" => K::Into(Combine::Max),
            "ScatterMin" => K::Into(Combine::Min),
            "SliceUpdate" => K::Block,
            "SegmentSum" => K::Segments(Combine::Add),
            "SegmentProd" => K::Segments(Combine::Multiply),
            "SegmentMax" => K::Segments(Combine::Max),
            "SegmentMin" => K::Segments(Combine::Min),
            "SegmentMean" => K::Segments(Combine::Mean),
            "SegmentSqrtN" => K::Segments(Combine::MeanOfRoots),
            other => return Err(Error::bug(format!("`{other}` is listed as a scatter"))),
        };
        Ok(Scatter { kind, params: Params::read(config) })
    }
}

/// The same indices. An index that is not below `rows` is an error when the model runs.
fn checked(cx: &mut LowerCx<'_>, places: Value, rows: Dim) -> Result<Value> {
    let own = cx.iota(0, &[rows], ElementType::I64)?;
    cx.gather(own, places, 0, Bounds::Error)
}

/// A condition for each row, in a shape that broadcasts to rows of this rank.
fn for_rows(cx: &mut LowerCx<'_>, condition: Value, rank: usize) -> Result<Value> {
    let mut dims = cx.dims_of(condition);
    dims.resize(rank, Dim::ONE);
    cx.reshape(condition, &dims)
}

/// Replaces some rows; of several for one index, the last is used.
fn replaced(cx: &mut LowerCx<'_>, base: Value, places: Value, rows: Value) -> Result<Value> {
    let count = cx.dims_of(places)[0];
    // After a stable sort, the last of equal indices is followed by a different one.
    let (places, order) = cx.sort(places, 0, false)?;
    let rows = cx.gather(rows, order, 0, Bounds::Clamp)?;
    let next = cx.pad(places, &[Padding { low: Dim::ZERO, high: Dim::ONE, interior: 0 }], -1.0)?;
    let next = cx.slice_axis(next, 0, Range { start: Dim::ONE, len: count, step: 1 })?;
    let last = cx.compare(CompareOp::Ne, places, next)?;
    let rank = cx.ty(rows).rank();
    let keeps = for_rows(cx, last, rank)?;
    let nothing = cx.scalar_like(rows, 0.0)?;
    let rows = cx.select(keeps, rows, nothing)?;
    let dims = cx.dims_of(base);
    let kind = cx.ty(base).element;
    let zeros = cx.full(kind, &dims, 0.0)?;
    let put = cx.scatter_add(zeros, places, rows, 0)?;
    let untouched = cx.full(ElementType::I32, &dims[..1], 0.0)?;
    let ones = cx.cast(last, ElementType::I32)?;
    let touched = cx.scatter_add(untouched, places, ones, 0)?;
    let touched = cx.compare_scalar(CompareOp::Ne, touched, 0.0)?;
    let touched = for_rows(cx, touched, rank)?;
    cx.select(touched, put, base)
}

/// Combines rows with those at their indices, one after the other.
fn one_by_one(cx: &mut LowerCx<'_>, op: BinaryOp, base: Value, places: Value, rows: Value) -> Result<Value> {
    let (length, dims) = (cx.dims_of(places)[0], cx.dims_of(base));
    let mut column = vec![Dim::ONE; dims.len()];
    column[0] = dims[0];
    let place_of = cx.iota(0, &column, ElementType::I64)?;
    let over =
        Loop { carries: &[base], sequences: &[places, rows], invariants: &[place_of], length, axis: 0, reverse: false };
    let (finals, _) = cx.scan(over, |b, carries, elements, fixed| {
        let here = b.compare(CompareOp::Eq, fixed[0], elements[0])?;
        let row = b.insert_axis(elements[1], 0)?;
        let combined = b.binary(op, carries[0], row)?;
        Ok((vec![b.select(here, combined, carries[0])?], Vec::new()))
    })?;
    Ok(finals[0])
}

/// Puts rows into others: `base [k, ..]`, `places [n]`, `rows [n, ..]`.
fn put(cx: &mut LowerCx<'_>, how: Combine, base: Value, places: Value, rows: Value) -> Result<Value> {
    match how {
        Combine::Replace => replaced(cx, base, places, rows),
        Combine::Add => cx.scatter_add(base, places, rows, 0),
        Combine::Subtract => {
            let rows = cx.unary(UnaryOp::Neg, rows)?;
            cx.scatter_add(base, places, rows, 0)
        }
        Combine::Multiply => one_by_one(cx, BinaryOp::Mul, base, places, rows),
        Combine::Max => one_by_one(cx, BinaryOp::Max, base, places, rows),
        Combine::Min => one_by_one(cx, BinaryOp::Min, base, places, rows),
        Combine::Mean | Combine::MeanOfRoots => {
            Err(Error::bug("scattered values cannot be averaged with existing ones"))
        }
    }
}

/// Puts values into a tensor, at `indices [.., k]` of its first `k` axes.
fn at_indices(cx: &mut LowerCx<'_>, how: Combine, base: Value, indices: Value, updates: Value) -> Result<Value> {
    let indices = integers(cx, indices)?;
    let indices = cx.cast(indices, ElementType::I64)?;
    let last = cx.axis(-1, indices)?;
    let depth = cx.known(cx.ty(indices).dims[last], "the last axis of indices", indices)?;
    let (dims, mut expected) = (cx.dims_of(base), cx.dims_of(indices));
    if depth > dims.len() || depth == 0 {
        let (shape, of) = (cx.shape(base), cx.shape(indices));
        return Err(Error::malformed(format!("indices of shape {of} do not fit values of shape {shape}")));
    }
    expected.truncate(last);
    let count = cx.dims().product(&expected)?;
    expected.extend(&dims[depth..]);
    let found = cx.dims_of(updates);
    let fits = found.len() == expected.len() && found.iter().zip(&expected).all(|(&a, &b)| cx.same(a, b).is_some());
    if !fits {
        let (of, to, shape) = (cx.shape(updates), cx.shape(indices), cx.shape(base));
        let message = format!("updates of shape {of} do not fit indices of shape {to} into values of shape {shape}");
        return Err(Error::malformed(message));
    }
    cx.mixes_batch();
    // SIZE: the rank.
    let mut parts = Vec::with_capacity(depth);
    for part in 0..depth {
        let start = cx.number(part);
        let one = cx.columns(indices, start, Dim::ONE)?;
        parts.push(cx.remove_axis(one, last)?);
    }
    let places = joined(cx, &parts, &dims[..depth])?;
    let places = cx.reshape(places, &[count])?;
    let flat = merged(cx, base, depth)?;
    let rows = cx.dims_of(flat)[0];
    let places = checked(cx, places, rows)?;
    let mut of_rows = vec![count];
    of_rows.extend(&dims[depth..]);
    let updates = cx.reshape(updates, &of_rows)?;
    let result = put(cx, how, flat, places, updates)?;
    cx.reshape(result, &dims)
}

/// Truth values are scattered as integers.
fn as_numbers(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    if cx.ty(x).element == ElementType::Bool { cx.cast(x, ElementType::I32) } else { Ok(x) }
}

fn into_zeros(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let indices = args.first_value(cx, &["indices"], &["updates"])?;
    let updates = args.need_value(cx, &["updates", "values"], Some(1))?;
    let shape = args.sizes(cx, &["shape"], Some(2))?.ok_or_else(|| missing(&["shape"]))?;
    for &dim in &shape {
        if !cx.at_least(dim, Dim::ZERO) {
            let found = sizes::text(cx, &shape);
            return Err(Error::malformed(format!("expected dimensions of at least 0, found {found}")));
        }
    }
    let dtype = value_type(cx.ty(updates).element);
    let updates = as_numbers(cx, updates)?;
    let kind = cx.ty(updates).element;
    let zeros = cx.full(kind, &shape, 0.0)?;
    let value = at_indices(cx, Combine::Add, zeros, indices, updates)?;
    to_type(cx, value, dtype)
}

fn into_tensor(cx: &mut LowerCx<'_>, args: &Args<'_>, how: Combine) -> Result<Value> {
    let base = args.need_value(cx, &["tensor", "inputs"], Some(0))?;
    let indices = args.need_value(cx, &["indices"], Some(1))?;
    let updates = args.need_value(cx, &["updates"], Some(2))?;
    let dtype = value_type(cx.ty(base).element);
    let base = as_numbers(cx, base)?;
    let updates = cx.cast_like(updates, base)?;
    let value = at_indices(cx, how, base, indices, updates)?;
    to_type(cx, value, dtype)
}

/// The combination that `reduction` selects.
fn reduction(args: &Args<'_>) -> Result<Combine> {
    match args.opt::<String>(&["reduction"], Some(3))?.as_deref() {
        None => Ok(Combine::Replace),
        Some("add") => Ok(Combine::Add),
        Some("mul") => Ok(Combine::Multiply),
        Some("max") => Ok(Combine::Max),
        Some("min") => Ok(Combine::Min),
        Some(other) => Err(Error::malformed(format!("unknown `reduction` `{other}`"))),
    }
}

/// Replaces a block of a tensor. Its position is clamped so that the block is inside.
fn block(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let base = args.need_value(cx, &["inputs", "operand"], Some(0))?;
    let starts = args.need_value(cx, &["start_indices"], Some(1))?;
    let updates = args.need_value(cx, &["updates", "update"], Some(2))?;
    let mut updates = cx.cast_like(updates, base)?;
    let starts = integers(cx, starts)?;
    let starts = cx.cast(starts, ElementType::I64)?;
    let (dims, of) = (cx.dims_of(base), cx.dims_of(updates));
    let vector = cx.ty(starts).rank() == 1 && cx.known_dim(cx.ty(starts).dims[0]) == Some(dims.len());
    if !vector || of.len() != dims.len() || !dims.iter().zip(&of).all(|(&whole, &part)| cx.at_least(whole, part)) {
        let (base, of, from) = (cx.shape(base), cx.shape(updates), cx.shape(starts));
        let message = format!("updates of shape {of} from positions of shape {from} do not fit values of shape {base}");
        return Err(Error::malformed(message));
    }
    cx.mixes_batch();
    let mut inside: Option<Value> = None;
    for (axis, (&whole, &part)) in dims.iter().zip(&of).enumerate() {
        if whole == part {
            continue;
        }
        if !cx.at_least(part, Dim::ONE) {
            return Ok(base);
        }
        let place = cx.number(axis);
        let start = cx.slice_axis(starts, 0, Range { start: place, len: Dim::ONE, step: 1 })?;
        let most = cx.dims().sub(whole, part)?;
        let most = cx.size(most, ElementType::I64)?;
        let start = cx.binary(BinaryOp::Min, start, most)?;
        let start = cx.binary_scalar(BinaryOp::Max, start, 0.0)?;
        let from = cx.iota(0, &[whole], ElementType::I64)?;
        let from = cx.sub(from, start)?;
        updates = cx.gather(updates, from, axis, Bounds::Clamp)?;
        let length = cx.size(part, ElementType::I64)?;
        let (after, before) = (cx.compare_scalar(CompareOp::Ge, from, 0.0)?, cx.compare(CompareOp::Lt, from, length)?);
        let within = cx.binary(BinaryOp::And, after, before)?;
        let within = for_rows(cx, within, dims.len() - axis)?;
        inside = Some(match inside {
            Some(others) => cx.binary(BinaryOp::And, others, within)?,
            None => within,
        });
    }
    match inside {
        Some(inside) => cx.select(inside, updates, base),
        None => Ok(updates),
    }
}

/// The value of an empty segment.
fn empty_segment(how: Combine, element: ElementType) -> f64 {
    match (how, element) {
        (Combine::Multiply, _) => 1.0,
        (Combine::Max, ElementType::I32) => f64::from(i32::MIN),
        (Combine::Min, ElementType::I32) => f64::from(i32::MAX),
        (Combine::Max, ElementType::I64) => i64::MIN as f64,
        (Combine::Min, ElementType::I64) => i64::MAX as f64,
        (Combine::Max, _) => f64::from(f32::MIN),
        (Combine::Min, _) => f64::from(f32::MAX),
        _ => 0.0,
    }
}

/// Combines rows by segment. Rows with a negative segment are ignored.
fn segments(cx: &mut LowerCx<'_>, args: &Args<'_>, how: Combine) -> Result<Value> {
    let data = args.need_value(cx, &["data"], Some(0))?;
    let ids = args.need_value(cx, &["segment_ids"], Some(1))?;
    let sorted = args.or(&["sorted"], None, false)?;
    let count = match args.sizes(cx, &["num_segments"], Some(2))?.as_deref() {
        Some(&[count]) if !sorted && cx.at_least(count, Dim::ZERO) => count,
        None => {
            let message = "the number of segments depends on data, which is not supported: give `num_segments`";
            return Err(Error::unsupported(message));
        }
        _ => return Err(Error::malformed("expected a number of segments of at least 0").at_json("num_segments")),
    };
    let ids = integers(cx, ids)?;
    let ids = cx.cast(ids, ElementType::I64)?;
    let (dims, of_ids) = (cx.dims_of(data), cx.dims_of(ids));
    if of_ids.len() > dims.len() || !of_ids.iter().zip(&dims).all(|(&a, &b)| cx.same(a, b).is_some()) {
        let (data, ids) = (cx.shape(data), cx.shape(ids));
        return Err(Error::malformed(format!("segments of shape {ids} do not fit values of shape {data}")));
    }
    cx.mixes_batch();
    let data = as_numbers(cx, data)?;
    let rows = merged(cx, data, of_ids.len())?;
    let total = cx.dims_of(rows)[0];
    let ids = cx.reshape(ids, &[total])?;
    // Ignored rows are added to an extra last row.
    let nowhere = cx.size(count, ElementType::I64)?;
    let without = cx.compare_scalar(CompareOp::Lt, ids, 0.0)?;
    let ids = cx.select(without, nowhere, ids)?;
    let more = cx.dims().add(count, Dim::ONE)?;
    let ids = checked(cx, ids, more)?;
    let element = cx.ty(rows).element;
    let mut into = cx.dims_of(rows);
    into[0] = more;
    let base = cx.full(element, &into, empty_segment(how, element))?;
    let averages = matches!(how, Combine::Mean | Combine::MeanOfRoots);
    let value = put(cx, if averages { Combine::Add } else { how }, base, ids, rows)?;
    let value = cx.slice_axis(value, 0, Range { start: Dim::ZERO, len: count, step: 1 })?;
    if !averages {
        return Ok(value);
    }
    let none = cx.full(ElementType::F32, &[more], 0.0)?;
    let ones = cx.full(ElementType::F32, &[total], 1.0)?;
    let members = cx.scatter_add(none, ids, ones, 0)?;
    let members = cx.slice_axis(members, 0, Range { start: Dim::ZERO, len: count, step: 1 })?;
    let mut members = cx.binary_scalar(BinaryOp::Max, members, 1.0)?;
    if how == Combine::MeanOfRoots {
        members = cx.unary(UnaryOp::Sqrt, members)?;
    }
    let dtype = value_type(element);
    let rank = cx.ty(value).rank();
    let members = for_rows(cx, members, rank)?;
    let value = cx.to_float(value)?;
    let members = cx.cast_like(members, value)?;
    let mean = cx.div(value, members)?;
    if is_integer(dtype) { cx.cast(mean, element) } else { Ok(mean) }
}

impl LayerDef for Scatter {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use ScatterKind as K;
        let args = Args::new(&self.params, call);
        args.inert(&["bad_indices_policy", "Tindices", "Tnumsegments"]);
        let value = match self.kind {
            K::Zeros => into_zeros(cx, &args)?,
            K::Update => {
                let how = reduction(&args)?;
                into_tensor(cx, &args, how)?
            }
            K::Into(how) => into_tensor(cx, &args, how)?,
            K::Block => block(cx, &args)?,
            K::Segments(how) => segments(cx, &args, how)?,
        };
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        check("Scatter", json!({"shape": [5, 3]}), json!([[[1], [3]], "f:2,3"]), json!({}), "float32[5,3]");
        check("ScatterUpdate", json!({}), json!(["f:?,3", "i:4,1", "f:4,3"]), json!({}), "float32[?,3]");
        let max = json!({"reduction": "max"});
        check("ScatterUpdate", max, json!(["i:?,3", "i:4,2", "i:4"]), json!({}), "int32[?,3]");
        check("SliceUpdate", json!({}), json!(["f:?,6,4", [0, 2, 0], "f:?,2,4"]), json!({}), "float32[?,6,4]");
        check("SegmentSum", json!({"num_segments": 4}), json!(["f:?,3", "i:?"]), json!({}), "float32[4,3]");
        check("SegmentMean", json!({}), json!(["f:?,3,2", "i:?,3", 4]), json!({}), "float32[4,2]");
    }

    #[test]
    fn refuses() {
        let message = "the number of segments depends on data, which is not supported: give `num_segments`";
        refused("SegmentSum", json!(["f:?,3", "i:?"]), message);
        let message = "segments of shape [?,3] do not fit values of shape [?,2]";
        refused_with("SegmentSum", json!({"num_segments": 4}), json!(["f:?,2", "i:?,3"]), message);
        let message = "updates of shape [4,2] do not fit indices of shape [4,1] into values of shape [?,3]";
        refused("ScatterUpdate", json!(["f:?,3", "i:4,1", "f:4,2"]), message);
        let message = "updates of shape [?,7,4] from positions of shape [3] do not fit values of shape [?,6,4]";
        refused("SliceUpdate", json!(["f:?,6,4", [0, 0, 0], "f:?,7,4"]), message);
    }
}
