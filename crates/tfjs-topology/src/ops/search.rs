//! Positions of values among others: in sorted sequences, in bins, among the largest; and counts for each bin.
//!
//! Reference: `keras.ops.searchsorted`, `keras.ops.digitize`, `keras.ops.histogram`, `keras.ops.in_top_k`,
//! `keras.ops.isin`; `tf.searchsorted`, `tf.math.bincount`, `tf.histogram_fixed_width`, `tf.math.confusion_matrix`.

use super::FromOpConfig;
use super::args::{Args, flat, is_integer, missing, to_type};
use super::gather::integers;
use super::params::{Params, meeting};
use super::sizes;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, element, value_type};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::layout::Range;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A search, or a count by position.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// The search.
    pub kind: SearchKind,
    /// `side`, `bins`, `range`, `k`, `invert`, `minlength`, `maxlength`, `dtype`.
    pub params: Params,
}

/// The searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchKind {
    /// The number of elements of a sorted sequence before each value.
    Sorted,
    /// The bin of each value.
    Bins,
    /// The number of occurrences of each integer from 0 on.
    Count,
    /// The number of values in each bin, and the bounds of the bins.
    Histogram,
    /// The number of values in each bin of equal width.
    FixedHistogram,
    /// The bin of each value, among bins of equal width.
    FixedBins,
    /// Whether the target of each row is among its largest predictions. Targets come first, as in Keras.
    InTopK,
    /// The same, with predictions first.
    InTopKOfPredictions,
    /// Whether each value is among others.
    Among,
    /// The confusion matrix: how often each class was predicted for each class.
    Confusion,
    /// The inverse of a permutation.
    Inverted,
    /// Flat positions as an index for each axis, each a separate result.
    Unraveled,
    /// The same as a single result.
    UnraveledTogether,
    /// Whether each element is at least the one before it.
    Ascending,
    /// Whether each element is above the one before it.
    StrictlyAscending,
}

impl FromOpConfig for Search {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use SearchKind as K;
        let kind = match class {
            "SearchSorted" => K::Sorted,
            "Digitize" => K::Bins,
            "Bincount" => K::Count,
            "Histogram" => K::Histogram,
            "HistogramFixedWidth" => K::FixedHistogram,
            "HistogramFixedWidthBins" => K::FixedBins,
            "InTopK" => K::InTopK,
            "InTopKOfPredictions" => K::InTopKOfPredictions,
            "IsIn" => K::Among,
            "ConfusionMatrix" => K::Confusion,
            "InvertPermutation" => K::Inverted,
            "UnravelIndex" => K::Unraveled,
            "UnravelIndexTogether" => K::UnraveledTogether,
            "IsNonDecreasing" => K::Ascending,
            "IsStrictlyIncreasing" => K::StrictlyAscending,
            other => return Err(Error::bug(format!("`{other}` is listed as a search"))),
        };
        Ok(Search { kind, params: Params::read(config) })
    }
}

/// Casts two values to their common type.
fn together(cx: &mut LowerCx<'_>, a: Value, b: Value, weak: [bool; 2]) -> Result<(Value, Value)> {
    let dtype = meeting((value_type(cx.ty(a).element), weak[0]), (value_type(cx.ty(b).element), weak[1]));
    Ok((to_type(cx, a, dtype)?, to_type(cx, b, dtype)?))
}

/// Whether each of the two arguments is a constant that takes the type of a tensor.
fn weak_pair(args: &Args<'_>, first: &[&'static str], second: &[&'static str]) -> Result<[bool; 2]> {
    let weak = [args.constant(first, Some(0))?, args.constant(second, Some(1))?];
    Ok(weak.map(|constant| constant.is_some_and(|constant| constant.weak)))
}

/// The number of elements of `sorted [.., n]` before each of `values [.., m]`, or also equal to it. A single sorted
/// sequence is used for all values.
fn before(cx: &mut LowerCx<'_>, sorted: Value, values: Value, or_equal: bool) -> Result<Value> {
    let (line, of) = (cx.ty(sorted).rank(), cx.ty(values).rank());
    let values = cx.insert_axis(values, of)?;
    let sorted = if line > 1 { cx.insert_axis(sorted, line - 1)? } else { sorted };
    let op = if or_equal { CompareOp::Ge } else { CompareOp::Gt };
    let passed = cx.compare(op, values, sorted)?;
    let passed = cx.cast(passed, ElementType::I32)?;
    cx.reduce(ReduceOp::Sum, passed, &[of], false)
}

fn search_sorted(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let sorted = args.first_value(cx, &["sorted_sequence"], &["values"])?;
    let values = args.need_value(cx, &["values"], Some(1))?;
    let side: String = args.or(&["side"], None, "left".to_string())?;
    let or_equal = match side.as_str() {
        "left" => false,
        "right" => true,
        other => return Err(Error::malformed(format!("expected `left` or `right`, found `{other}`")).at_json("side")),
    };
    let weak = weak_pair(args, &["sorted_sequence"], &["values"])?;
    let (sorted, values) = together(cx, sorted, values, weak)?;
    let (line, of) = (cx.dims_of(sorted), cx.dims_of(values));
    let batch = line.len().saturating_sub(1);
    let same = batch == 0 || (of.len() == line.len() && (0..batch).all(|axis| cx.same(line[axis], of[axis]).is_some()));
    if line.is_empty() || !same {
        let (sorted, values) = (cx.shape(sorted), cx.shape(values));
        let message = format!("values of shape {values} are not to be found in sequences of shape {sorted}");
        return Err(Error::malformed(message));
    }
    if batch == 0 {
        cx.mixes_batch();
    }
    let dtype = sizes::dtype(args, &["out_type"], None)?.unwrap_or(ValueType::Int32);
    let places = before(cx, sorted, values, or_equal)?;
    to_type(cx, places, dtype)
}

fn digitized(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let x = args.numbers(cx, &[])?.value;
    let bins = args.need_value(cx, &["bins", "boundaries"], Some(1))?;
    if cx.ty(bins).rank() != 1 {
        return Err(Error::malformed("expected a list of boundaries").at_json("bins"));
    }
    let (x, bins) = (cx.to_float(x)?, cx.to_float(bins)?);
    before(cx, bins, x, true)
}

/// The value of an argument that is a count.
fn count(cx: &mut LowerCx<'_>, args: &Args<'_>, name: &'static str, position: Option<usize>) -> Result<Option<Dim>> {
    match args.sizes(cx, &[name], position)?.as_deref() {
        None => Ok(None),
        Some(&[count]) if cx.at_least(count, Dim::ZERO) => Ok(Some(count)),
        Some(_) => Err(Error::malformed("expected a number of at least 0").at_json(name)),
    }
}

/// The number of occurrences of each integer up to a length; larger and negative ones are ignored.
fn counted(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let x = args.need_value(cx, &["arr", "x"], Some(0))?;
    let weights = args.value(cx, &["weights"], Some(1))?;
    let (least, most) = (count(cx, args, "minlength", Some(2))?, count(cx, args, "maxlength", Some(3))?);
    let length = match (least, most) {
        (Some(least), Some(most)) if least == most => most,
        _ => {
            let message = "the number of bins depends on data, which is not supported: give `minlength` and \
                           `maxlength` of the same number, or sum the rows of `one_hot`";
            return Err(Error::unsupported(message));
        }
    };
    let axis: Option<i64> = args.opt(&["axis"], None)?;
    let binary = args.or(&["binary_output"], None, false)?;
    let dtype = sizes::dtype(args, &["dtype"], None)?.unwrap_or(ValueType::Int32);
    let (x, weights) = match axis {
        None | Some(0) => {
            let weights = weights.map(|weights| flat(cx, weights)).transpose()?;
            (flat(cx, x)?, weights)
        }
        Some(-1) => (x, weights),
        Some(_) => return Err(Error::malformed("expected 0 or -1").at_json("axis")),
    };
    let x = integers(cx, x)?;
    let last = cx.axis(-1, x)?;
    let kind = match weights {
        Some(weights) => cx.ty(weights).element,
        None => element(dtype),
    };
    let mut rows = cx.one_hot(x, length, kind)?;
    if let Some(weights) = weights {
        let weights = cx.insert_axis(weights, last + 1)?;
        rows = cx.mul(rows, weights)?;
    }
    cx.reduce(if binary { ReduceOp::Max } else { ReduceOp::Sum }, rows, &[last], false)
}

/// The two ends of a histogram.
fn ends(cx: &mut LowerCx<'_>, args: &Args<'_>, name: &'static str, x: Value) -> Result<Option<(Value, Value)>> {
    let Some(range) = args.value(cx, &[name], Some(1))? else { return Ok(None) };
    if cx.ty(range).rank() != 1 || cx.known_dim(cx.ty(range).dims[0]) != Some(2) {
        return Err(Error::malformed("expected two numbers").at_json(name));
    }
    let range = cx.cast_like(range, x)?;
    let mut end = |start| {
        let end = cx.slice_axis(range, 0, Range { start, len: Dim::ONE, step: 1 })?;
        cx.reshape(end, &[])
    };
    Ok(Some((end(Dim::ZERO)?, end(Dim::ONE)?)))
}

fn histogram(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Vec<Value>> {
    let input = args.numbers(cx, &[])?.value;
    let dtype = value_type(cx.ty(input).element);
    let x = flat(cx, input)?;
    let bins = count(cx, args, "bins", None)?;
    let bins = match bins {
        Some(bins) if cx.at_least(bins, Dim::ONE) => bins,
        None => cx.number(10),
        Some(_) => return Err(Error::malformed("expected at least one bin").at_json("bins")),
    };
    let x = cx.to_float(x)?;
    let (low, high) = match ends(cx, args, "range", x)? {
        Some(ends) => ends,
        None => (cx.reduce(ReduceOp::Min, x, &[0], false)?, cx.reduce(ReduceOp::Max, x, &[0], false)?),
    };
    let more = cx.dims().add(bins, Dim::ONE)?;
    let place = cx.iota(0, &[more], ElementType::F32)?;
    let place = cx.cast_like(place, x)?;
    let count = cx.size(bins, ElementType::I64)?;
    let count = cx.cast_like(count, x)?;
    let way = cx.sub(high, low)?;
    let step = cx.div(way, count)?;
    let steps = cx.mul(place, step)?;
    let edges = cx.add(steps, low)?;
    let last = cx.compare(CompareOp::Eq, place, count)?;
    let edges = cx.select(last, high, edges)?;
    let edges = to_type(cx, edges, dtype)?;
    let inner = cx.dims().sub(bins, Dim::ONE)?;
    let bounds = cx.slice_axis(edges, 0, Range { start: Dim::ONE, len: inner, step: 1 })?;
    let bounds = cx.to_float(bounds)?;
    let places = before(cx, bounds, x, true)?;
    let above = cx.compare(CompareOp::Ge, x, low)?;
    let below = cx.compare(CompareOp::Le, x, high)?;
    let inside = cx.binary(BinaryOp::And, above, below)?;
    let kind = if dtype == ValueType::Bool { ElementType::I32 } else { element(dtype) };
    let rows = cx.one_hot(places, bins, kind)?;
    let inside = cx.cast(inside, kind)?;
    let inside = cx.insert_axis(inside, 1)?;
    let rows = cx.mul(rows, inside)?;
    Ok(vec![cx.reduce(ReduceOp::Sum, rows, &[0], false)?, edges])
}

/// Bins of equal width; values outside belong to the first or the last one.
fn fixed_bins(cx: &mut LowerCx<'_>, args: &Args<'_>, counts: bool) -> Result<Value> {
    let x = args.numbers(cx, &["values"])?.value;
    let x = cx.to_float(x)?;
    let (low, high) = ends(cx, args, "value_range", x)?.ok_or_else(|| missing(&["value_range"]))?;
    let bins = match count(cx, args, "nbins", Some(2))? {
        Some(bins) => bins,
        None => cx.number(100),
    };
    let dtype = sizes::dtype(args, &["dtype"], Some(3))?.unwrap_or(ValueType::Int32);
    let last = cx.size(bins, ElementType::I64)?;
    let many = cx.cast_like(last, x)?;
    let most = cx.binary_scalar(BinaryOp::Sub, last, 1.0)?;
    let (from, way) = (cx.sub(x, low)?, cx.sub(high, low)?);
    let share = cx.div(from, way)?;
    let place = cx.mul(share, many)?;
    let place = cx.unary(UnaryOp::Floor, place)?;
    let place = cx.cast(place, ElementType::I64)?;
    let place = cx.binary(BinaryOp::Min, place, most)?;
    let place = cx.binary_scalar(BinaryOp::Max, place, 0.0)?;
    if !counts {
        return to_type(cx, place, dtype);
    }
    let place = flat(cx, place)?;
    let rows = cx.one_hot(place, bins, element(dtype))?;
    cx.reduce(ReduceOp::Sum, rows, &[0], false)
}

/// Whether fewer than `k` classes score higher than the target, the target is a valid class, and all predictions are
/// finite.
fn in_top_k(cx: &mut LowerCx<'_>, args: &Args<'_>, predictions_first: bool) -> Result<Value> {
    let positions = if predictions_first { (1, 0) } else { (0, 1) };
    let targets = args.need_value(cx, &["targets"], Some(positions.0))?;
    let predictions = args.need_value(cx, &["predictions"], Some(positions.1))?;
    let most = args.need_value(cx, &["k"], Some(2))?;
    let targets = integers(cx, targets)?;
    let predictions = cx.to_float(predictions)?;
    let last = cx.axis(-1, predictions)?;
    let (rows, of) = (cx.dims_of(targets), cx.dims_of(predictions));
    if rows.len() != last || !rows.iter().zip(&of).all(|(&a, &b)| cx.same(a, b).is_some()) {
        let (targets, predictions) = (cx.shape(targets), cx.shape(predictions));
        let message = format!("targets of shape {targets} do not fit predictions of shape {predictions}");
        return Err(Error::malformed(message));
    }
    let hot = cx.one_hot(targets, of[last], ElementType::Bool)?;
    let nothing = cx.scalar_like(predictions, 0.0)?;
    let own = cx.select(hot, predictions, nothing)?;
    let own = cx.reduce(ReduceOp::Sum, own, &[last], true)?;
    let above = cx.compare(CompareOp::Gt, predictions, own)?;
    let above = cx.cast(above, ElementType::I64)?;
    let above = cx.reduce(ReduceOp::Sum, above, &[last], false)?;
    let most = cx.cast(most, ElementType::I64)?;
    let few = cx.compare(CompareOp::Lt, above, most)?;
    let is_class = cx.reduce(ReduceOp::Any, hot, &[last], false)?;
    let finite = cx.unary(UnaryOp::IsFinite, predictions)?;
    let finite = cx.reduce(ReduceOp::All, finite, &[last], false)?;
    let sound = cx.binary(BinaryOp::And, is_class, finite)?;
    cx.binary(BinaryOp::And, few, sound)
}

fn among(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    args.inert(&["assume_unique"]);
    let x = args.need_value(cx, &["x1"], Some(0))?;
    let others = args.need_value(cx, &["x2"], Some(1))?;
    let weak = weak_pair(args, &["x1"], &["x2"])?;
    let (x, others) = together(cx, x, others, weak)?;
    let others = flat(cx, others)?;
    let rank = cx.ty(x).rank();
    let x = cx.insert_axis(x, rank)?;
    let equal = cx.compare(CompareOp::Eq, x, others)?;
    let found = cx.reduce(ReduceOp::Any, equal, &[rank], false)?;
    if args.or(&["invert"], None, false)? { cx.unary(UnaryOp::Not, found) } else { Ok(found) }
}

fn confusion(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let labels = args.need_value(cx, &["labels"], Some(0))?;
    let predictions = args.need_value(cx, &["predictions"], Some(1))?;
    let Some(classes) = count(cx, args, "num_classes", Some(2))? else {
        let message = "the number of classes depends on data, which is not supported: give `num_classes`";
        return Err(Error::unsupported(message));
    };
    let weights = args.value(cx, &["weights"], Some(3))?;
    let dtype = sizes::dtype(args, &["dtype"], Some(4))?.unwrap_or(ValueType::Int32);
    let (labels, predictions) = (flat(cx, labels)?, flat(cx, predictions)?);
    let (labels, predictions) = (integers(cx, labels)?, integers(cx, predictions)?);
    let (a, b) = (cx.dims_of(labels)[0], cx.dims_of(predictions)[0]);
    if cx.same(a, b).is_none() {
        return Err(Error::malformed("expected as many labels as predictions"));
    }
    let mut rows = cx.one_hot(labels, classes, ElementType::F32)?;
    if let Some(weights) = weights {
        let weights = flat(cx, weights)?;
        let weights = cx.cast_like(weights, rows)?;
        let weights = cx.insert_axis(weights, 1)?;
        rows = cx.mul(rows, weights)?;
    }
    let columns = cx.one_hot(predictions, classes, ElementType::F32)?;
    let value = cx.dot(rows, columns, &[], &[(0, 0)])?;
    to_type(cx, value, dtype)
}

/// Converts flat row-major positions to an index for each axis of a shape.
fn unraveled(cx: &mut LowerCx<'_>, args: &Args<'_>, together: bool) -> Result<Vec<Value>> {
    let indices = args.need_value(cx, &["indices"], Some(0))?;
    let shape = args.sizes(cx, &["shape", "dims"], Some(1))?.ok_or_else(|| missing(&["shape"]))?;
    if shape.is_empty() {
        return Err(Error::malformed("expected at least one dimension").at_json("shape"));
    }
    let mut rest = integers(cx, indices)?;
    let kind = cx.ty(rest).element;
    let mut parts = Vec::with_capacity(shape.len());
    for &dim in shape.iter().rev() {
        if !cx.at_least(dim, Dim::ONE) {
            return Err(Error::malformed("expected dimensions of at least 1").at_json("shape"));
        }
        let length = cx.size(dim, kind)?;
        parts.push(cx.binary(BinaryOp::Mod, rest, length)?);
        rest = cx.binary(BinaryOp::FloorDiv, rest, length)?;
    }
    parts.reverse();
    if !together {
        return Ok(parts);
    }
    cx.mixes_batch();
    for part in &mut parts {
        *part = cx.insert_axis(*part, 0)?;
    }
    Ok(vec![cx.concat(&parts, 0)?])
}

fn ascending(cx: &mut LowerCx<'_>, args: &Args<'_>, strictly: bool) -> Result<Value> {
    let x = args.numbers(cx, &[])?.value;
    let x = flat(cx, x)?;
    let length = cx.dims_of(x)[0];
    let less = cx.dims().sub(length, Dim::ONE)?;
    let len = cx.dims().max(less, Dim::ZERO)?;
    let start = cx.dims().min(Dim::ONE, length)?;
    let after = cx.slice_axis(x, 0, Range { start, len, step: 1 })?;
    let before = cx.slice_axis(x, 0, Range { start: Dim::ZERO, len, step: 1 })?;
    let risen = cx.compare(if strictly { CompareOp::Gt } else { CompareOp::Ge }, after, before)?;
    cx.reduce(ReduceOp::All, risen, &[0], false)
}

impl LayerDef for Search {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use SearchKind as K;
        let args = Args::new(&self.params, call);
        args.inert(&["sparse", "validate_indices"]);
        let results = match self.kind {
            K::Sorted => vec![search_sorted(cx, &args)?],
            K::Bins => vec![digitized(cx, &args)?],
            K::Count => vec![counted(cx, &args)?],
            K::Histogram => histogram(cx, &args)?,
            K::FixedHistogram => vec![fixed_bins(cx, &args, true)?],
            K::FixedBins => vec![fixed_bins(cx, &args, false)?],
            K::InTopK => vec![in_top_k(cx, &args, false)?],
            K::InTopKOfPredictions => vec![in_top_k(cx, &args, true)?],
            K::Among => vec![among(cx, &args)?],
            K::Confusion => vec![confusion(cx, &args)?],
            K::Inverted => {
                let x = args.numbers(cx, &[])?.value;
                let kind = cx.ty(x).element;
                if cx.ty(x).rank() != 1 || !is_integer(value_type(kind)) {
                    let shape = cx.shape(x);
                    return Err(Error::malformed(format!("expected a vector of positions, found shape {shape}")));
                }
                cx.mixes_batch();
                let (_, places) = cx.sort(x, 0, false)?;
                vec![cx.cast(places, kind)?]
            }
            K::Unraveled => unraveled(cx, &args, false)?,
            K::UnraveledTogether => unraveled(cx, &args, true)?,
            K::Ascending => vec![ascending(cx, &args, false)?],
            K::StrictlyAscending => vec![ascending(cx, &args, true)?],
        };
        args.finish(cx);
        Ok(results.into_iter().map(KerasTensor::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, check_all, refused};
    use serde_json::json;

    #[test]
    fn types() {
        check("SearchSorted", json!({"side": "right"}), json!([[0, 1, 2], "i:?,3"]), json!({}), "int32[?,3]");
        check("SearchSorted", json!({}), json!(["f:?,3", "f:?,5"]), json!({"out_type": "int64"}), "int64[?,5]");
        check("Digitize", json!({}), json!(["f:?,3", [0.5, 1.5]]), json!({}), "int32[?,3]");
        let args = json!(["i:?,3"]);
        check("Bincount", json!({}), args, json!({"minlength": 4, "maxlength": 4, "axis": -1}), "int32[?,4]");
        check_all("Histogram", json!({"bins": 4}), json!(["f:?"]), json!({}), &["float32[4]", "float32[5]"]);
        check("InTopK", json!({"k": 2}), json!(["i:?", "f:?,5"]), json!({}), "bool[?]");
        check("IsIn", json!({"invert": true}), json!(["i:?,3", [1, 2]]), json!({}), "bool[?,3]");
        check_all("UnravelIndex", json!({"shape": [2, 3]}), json!(["i:?,4"]), json!({}), &["int32[?,4]"; 2]);
        check("ConfusionMatrix", json!({}), json!(["i:?", "i:?", 4]), json!({}), "int32[4,4]");
    }

    #[test]
    fn refuses() {
        let message = "the number of bins depends on data, which is not supported: give `minlength` and `maxlength` of \
                       the same number, or sum the rows of `one_hot`";
        refused("Bincount", json!(["i:?"]), message);
        let message = "values of shape [3] are not to be found in sequences of shape [?,3]";
        refused("SearchSorted", json!(["f:?,3", "f:3"]), message);
        let message = "targets of shape [?] do not fit predictions of shape [?]";
        refused("InTopK", json!(["i:?", "f:?", 2]), message);
    }
}
