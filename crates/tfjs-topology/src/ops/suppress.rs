//! Non-maximum suppression whose results have fixed shapes: boxes in the order of their scores, without those that
//! overlap a better one too much.
//!
//! Each step of a loop takes the best box that is left and removes those it overlaps. Boxes of equal scores are taken in
//! their own order, which TensorFlow does not promise.
//!
//! Reference: `tf.image.combined_non_max_suppression`, `tf.image.non_max_suppression_padded`.

use super::FromOpConfig;
use super::args::{Args, missing};
use super::gather::{counter, joined, merged};
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::reduce::{Extreme, ReduceOp};
use tfjs_ir::{Builder, Dim, ElementType, Loop, Value};
use tfjs_manifest::{Error, Result};

/// A non-maximum suppression.
#[derive(Clone, Debug, PartialEq)]
pub struct Suppression {
    /// Which.
    pub kind: SuppressionKind,
    /// `max_output_size`, `iou_threshold`, `score_threshold` and their relatives.
    pub params: Params,
}

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuppressionKind {
    /// For each class on its own, then the best of all classes.
    Combined,
    /// The indices of the boxes that are left.
    Padded,
}

impl FromOpConfig for Suppression {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "CombinedNonMaxSuppression" => SuppressionKind::Combined,
            "NonMaxSuppressionPadded" => SuppressionKind::Padded,
            other => return Err(Error::bug(format!("`{other}` is listed as a suppression"))),
        };
        Ok(Suppression { kind, params: Params::read(config) })
    }
}

/// The edges of boxes, each in a value of its own: the lowest row and column, then the highest.
#[derive(Clone, Copy, Debug)]
struct Boxes {
    edges: [Value; 4],
}

impl Boxes {
    /// From boxes `[.., 4]`.
    fn of(cx: &mut LowerCx<'_>, boxes: Value) -> Result<Self> {
        let last = cx.axis(-1, boxes)?;
        let mut edges = [boxes; 4];
        for (place, edge) in edges.iter_mut().enumerate() {
            let start = cx.number(place);
            let one = cx.slice_axis(boxes, last, Range { start, len: Dim::ONE, step: 1 })?;
            *edge = cx.remove_axis(one, last)?;
        }
        Ok(Boxes { edges })
    }

    /// Edges in ascending order.
    fn ordered(self, cx: &mut LowerCx<'_>) -> Result<Self> {
        let [top, left, bottom, right] = self.edges;
        Ok(Boxes {
            edges: [
                cx.binary(BinaryOp::Min, top, bottom)?,
                cx.binary(BinaryOp::Min, left, right)?,
                cx.binary(BinaryOp::Max, top, bottom)?,
                cx.binary(BinaryOp::Max, left, right)?,
            ],
        })
    }

    fn area(self, b: &mut Builder) -> Result<Value> {
        let [top, left, bottom, right] = self.edges;
        let (high, wide) = (b.sub(bottom, top)?, b.sub(right, left)?);
        b.mul(high, wide)
    }

    /// All boxes in one row.
    fn in_row(self, cx: &mut LowerCx<'_>) -> Result<Self> {
        let mut edges = self.edges;
        for edge in &mut edges {
            let rank = cx.ty(*edge).rank();
            *edge = merged(cx, *edge, rank)?;
        }
        Ok(Boxes { edges })
    }

    /// The boxes of a row at these places.
    fn at(self, b: &mut Builder, places: Value) -> Result<Self> {
        let mut edges = self.edges;
        for edge in &mut edges {
            *edge = b.gather(*edge, places, 0, Bounds::Clamp)?;
        }
        Ok(Boxes { edges })
    }

    /// The areas that two boxes have in common, and that they cover together.
    fn overlap(self, b: &mut Builder, other: Boxes, areas: [Value; 2]) -> Result<(Value, Value)> {
        let mut sides = [areas[0]; 2];
        for (axis, side) in sides.iter_mut().enumerate() {
            let low = b.binary(BinaryOp::Max, self.edges[axis], other.edges[axis])?;
            let high = b.binary(BinaryOp::Min, self.edges[axis + 2], other.edges[axis + 2])?;
            let length = b.sub(high, low)?;
            *side = b.binary_scalar(BinaryOp::Max, length, 0.0)?;
        }
        let common = b.mul(sides[0], sides[1])?;
        let sum = b.add(areas[0], areas[1])?;
        Ok((common, b.sub(sum, common)?))
    }
}

/// Whether the index along the last axis is `place`, whose last axis has length 1.
fn at_place(b: &mut Builder, place: Value, length: Dim) -> Result<Value> {
    let mut dims = vec![Dim::ONE; b.ty(place).rank()];
    let last = dims.len() - 1;
    dims[last] = length;
    let counter = b.iota(last, &dims, ElementType::I64)?;
    b.compare(CompareOp::Eq, counter, place)
}

/// The elements `[batch, m, ..]` at these places `[batch, n]` of the second axis.
fn pick(cx: &mut LowerCx<'_>, x: Value, places: Value) -> Result<Value> {
    let dims = cx.dims_of(x);
    let row = counter(cx, 0, 2, dims[0])?;
    let place = joined(cx, &[row, places], &dims[..2])?;
    let all = merged(cx, x, 2)?;
    cx.gather(all, place, 0, Bounds::Clamp)
}

/// The first `length` columns of `[batch, n]`, filled up with a number if there are fewer.
fn to_length(cx: &mut LowerCx<'_>, x: Value, length: Dim, fill: f64) -> Result<Value> {
    let found = cx.dims_of(x)[1];
    let more = cx.dims().sub(length, found)?;
    let high = cx.dims().max(more, Dim::ZERO)?;
    let x = cx.pad(x, &[Padding::NONE, Padding { low: Dim::ZERO, high, interior: 0 }], fill)?;
    cx.slice_axis(x, 1, Range { start: Dim::ZERO, len: length, step: 1 })
}

/// Whether each column is before a number of them `[batch]`.
fn before(cx: &mut LowerCx<'_>, count: Value, length: Dim) -> Result<Value> {
    let column = counter(cx, 1, 2, length)?;
    let count = cx.cast(count, ElementType::I64)?;
    let count = cx.insert_axis(count, 1)?;
    cx.compare(CompareOp::Lt, column, count)
}

/// A number of boxes that an argument gives.
fn size(cx: &mut LowerCx<'_>, args: &Args<'_>, name: &'static str, position: usize) -> Result<Dim> {
    let sizes = args.sizes(cx, &[name], Some(position))?.ok_or_else(|| missing(&[name]))?;
    match sizes[..] {
        [size] if cx.at_least(size, Dim::ONE) => Ok(size),
        _ => Err(Error::malformed("expected a number of at least 1").at_json(name)),
    }
}

/// Where the boxes of each class `[batch, class, 1]` start in a row of all boxes, of which there is one set or one for
/// each class.
fn starts(cx: &mut LowerCx<'_>, batch: Dim, classes: Dim, kinds: Dim, count: Dim) -> Result<Value> {
    let (row, class) = (counter(cx, 0, 3, batch)?, counter(cx, 1, 3, classes)?);
    let (kinds, count) = (cx.size(kinds, ElementType::I64)?, cx.size(count, ElementType::I64)?);
    let one = cx.scalar(ElementType::I64, 1.0)?;
    let last = cx.sub(kinds, one)?;
    let class = cx.binary(BinaryOp::Min, class, last)?;
    let place = cx.mul(row, kinds)?;
    let place = cx.add(place, class)?;
    cx.mul(place, count)
}

/// The best boxes of each class: their places and scores, `[batch, class, rank]`; a score of minus infinity where no
/// box is left. `boxes` has one entry or one for each class, and `live` are the scores `[batch, class, box]`.
fn best_of_classes(
    cx: &mut LowerCx<'_>,
    boxes: Boxes,
    live: Value,
    count: Dim,
    threshold: f64,
) -> Result<(Value, Value)> {
    let area = boxes.area(cx)?;
    let (dims, of) = (cx.dims_of(live), cx.dims_of(area));
    let starts = starts(cx, dims[0], dims[1], of[1], dims[2])?;
    let [top, left, bottom, right] = boxes.edges;
    let row = boxes.in_row(cx)?.edges;
    let over = Loop {
        carries: &[live],
        sequences: &[],
        invariants: &[top, left, bottom, right, area, starts, row[0], row[1], row[2], row[3]],
        length: count,
        axis: 2,
        reverse: false,
    };
    let (_, collected) = cx.scan(over, |b, carries, _, fixed| {
        let (live, area) = (carries[0], fixed[4]);
        let boxes = Boxes { edges: [fixed[0], fixed[1], fixed[2], fixed[3]] };
        let length = b.dims_of(live)[2];
        let best = b.reduce(ReduceOp::Max, live, &[2], false)?;
        let place = b.arg_reduce(Extreme::Max, live, 2, ElementType::I64)?;
        let column = b.insert_axis(place, 2)?;
        let chosen = at_place(b, column, length)?;
        let at = b.add(fixed[5], column)?;
        let one = Boxes { edges: [fixed[6], fixed[7], fixed[8], fixed[9]] }.at(b, at)?;
        let of_one = one.area(b)?;
        let (common, together) = one.overlap(b, boxes, [of_one, area])?;
        // A box without an area overlaps nothing: its share is 0 or NaN.
        let share = b.div(common, together)?;
        let close = b.compare_scalar(CompareOp::Gt, share, threshold)?;
        let removed = b.binary(BinaryOp::Or, close, chosen)?;
        let nothing = b.scalar(b.ty(live).element, f64::NEG_INFINITY)?;
        let left = b.select(removed, nothing, live)?;
        Ok((vec![left], vec![place, best]))
    })?;
    match collected[..] {
        [places, scores] => Ok((places, scores)),
        _ => Err(Error::bug("a loop with other results than it collects")),
    }
}

fn combined(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Vec<Value>> {
    let boxes = args.need_value(cx, &["boxes"], Some(0))?;
    let scores = args.need_value(cx, &["scores"], Some(1))?;
    let (boxes, scores) = (cx.to_float(boxes)?, cx.to_float(scores)?);
    let scores = cx.cast_like(scores, boxes)?;
    let per_class = size(cx, args, "max_output_size_per_class", 2)?;
    let total = size(cx, args, "max_total_size", 3)?;
    let threshold = args.or(&["iou_threshold"], Some(4), 0.5)?;
    if !(0.0..=1.0).contains(&threshold) {
        return Err(Error::malformed(format!("expected 0 to 1, found {threshold}")).at_json("iou_threshold"));
    }
    let least = args.or(&["score_threshold"], Some(5), f64::NEG_INFINITY)?;
    let (of, dims) = (cx.dims_of(boxes), cx.dims_of(scores));
    let misfit = |cx: &LowerCx<'_>| {
        let (a, b) = (cx.shape(boxes), cx.shape(scores));
        Error::malformed(format!("boxes of shape {a} do not fit scores of shape {b}"))
    };
    let (&[rows, places, kinds, four], &[batch, count, classes]) = (&of[..], &dims[..]) else {
        return Err(misfit(cx));
    };
    let wanted = cx.number(4);
    let fits = cx.same(rows, batch).is_some() && cx.same(places, count).is_some() && cx.same(four, wanted).is_some();
    let shared = cx.known_dim(kinds) == Some(1);
    if !fits || !(shared || cx.same(kinds, classes).is_some()) {
        return Err(misfit(cx));
    }
    let by_class = cx.transpose(boxes, &[0, 2, 1, 3])?;
    let ordered = Boxes::of(cx, by_class)?.ordered(cx)?;
    let by_score = cx.transpose(scores, &[0, 2, 1])?;
    let good = cx.compare_scalar(CompareOp::Gt, by_score, least)?;
    let live = super::elementary::where_or(cx, good, by_score, f64::NEG_INFINITY)?;
    let steps = cx.dims().min(per_class, count)?;
    let (places, best) = best_of_classes(cx, ordered, live, steps, threshold)?;
    let class = cx.iota(1, &[batch, classes, steps], ElementType::I64)?;
    let all = cx.dims().mul(classes, steps)?;
    let mut rows = [best, places, class];
    for row in &mut rows {
        *row = cx.reshape(*row, &[batch, all])?;
    }
    let [best, places, class] = rows;
    let length = if args.or(&["pad_per_class"], Some(6), false)? {
        let most = cx.dims().mul(per_class, classes)?;
        cx.dims().min(total, most)?
    } else {
        total
    };
    // TensorFlow sorts a place that no box takes as one with the score and the class -1, without counting it.
    let found = cx.compare_scalar(CompareOp::Gt, best, f64::NEG_INFINITY)?;
    let best = super::elementary::where_or(cx, found, best, -1.0)?;
    let class = super::elementary::where_or(cx, found, class, -1.0)?;
    let found = cx.cast(found, ElementType::I32)?;
    let found = cx.reduce(ReduceOp::Sum, found, &[1], false)?;
    let most = cx.size(length, ElementType::I32)?;
    let valid = cx.binary(BinaryOp::Min, found, most)?;
    let (best, order) = cx.sort(best, 1, true)?;
    let best = to_length(cx, best, length, 0.0)?;
    let order = to_length(cx, order, length, 0.0)?;
    let (place, class) = (pick(cx, places, order)?, pick(cx, class, order)?);
    let row = counter(cx, 0, 2, batch)?;
    let kind = if shared { cx.scalar(ElementType::I64, 0.0)? } else { class };
    let place = joined(cx, &[row, place, kind], &of[..3])?;
    let flat = merged(cx, boxes, 3)?;
    let mut selected = cx.gather(flat, place, 0, Bounds::Clamp)?;
    if args.or(&["clip_boxes"], Some(7), true)? {
        selected = cx.binary_scalar(BinaryOp::Min, selected, 1.0)?;
        selected = cx.binary_scalar(BinaryOp::Max, selected, 0.0)?;
    }
    let inside = before(cx, valid, length)?;
    let taken = cx.compare_scalar(CompareOp::Ge, class, 0.0)?;
    let wide = cx.binary(BinaryOp::And, inside, taken)?;
    let wide = cx.insert_axis(wide, 2)?;
    let selected = super::elementary::where_or(cx, wide, selected, 0.0)?;
    let best = super::elementary::where_or(cx, inside, best, 0.0)?;
    let class = cx.cast_like(class, best)?;
    let class = super::elementary::where_or(cx, inside, class, 0.0)?;
    Ok(vec![selected, best, class, valid])
}

/// Exchanges the edges of all boxes along an axis unless those of the first box are in ascending order, as TensorFlow
/// does.
fn turned(cx: &mut LowerCx<'_>, boxes: Boxes) -> Result<Boxes> {
    let mut edges = boxes.edges;
    cx.mixes_batch();
    for axis in [0, 1] {
        let (low, high) = (edges[axis], edges[axis + 2]);
        let mut first = [low, high];
        for value in &mut first {
            let one = Range { start: Dim::ZERO, len: Dim::ONE, step: 1 };
            *value = cx.slice(*value, &[one, one])?;
        }
        let ascending = cx.compare(CompareOp::Le, first[0], first[1])?;
        edges[axis] = cx.select(ascending, low, high)?;
        edges[axis + 2] = cx.select(ascending, high, low)?;
    }
    Ok(Boxes { edges })
}

/// Whether a box has a coordinate above 0. TensorFlow counts no others, but they remove boxes too.
fn counted(cx: &mut LowerCx<'_>, boxes: Boxes) -> Result<Value> {
    let mut counted: Option<Value> = None;
    for edge in boxes.edges {
        let above = cx.compare_scalar(CompareOp::Gt, edge, 0.0)?;
        counted = Some(match counted {
            Some(others) => cx.binary(BinaryOp::Or, others, above)?,
            None => above,
        });
    }
    counted.ok_or_else(|| Error::bug("a box without edges"))
}

/// The places `[batch, step]` of the boxes that are left, in the order of the boxes, and whether there is one that counts.
///
/// The boxes that do not count take steps as well. There are more steps than results for them; if those are used up, the
/// last steps, as many as results, take only boxes that count. After a step that finds none, no other finds one.
fn left(cx: &mut LowerCx<'_>, boxes: Boxes, most: Dim, threshold: f64) -> Result<(Value, Value)> {
    const MORE: usize = 64;
    let counted = counted(cx, boxes)?;
    let area = boxes.area(cx)?;
    let dims = cx.dims_of(area);
    let [top, left, bottom, right] = boxes.edges;
    // Any box that could remove another.
    let (high, wide) = (cx.compare(CompareOp::Gt, bottom, top)?, cx.compare(CompareOp::Gt, right, left)?);
    let real = cx.binary(BinaryOp::And, high, wide)?;
    let live = cx.binary(BinaryOp::Or, counted, real)?;
    let (live, counted) = (cx.cast_like(live, top)?, cx.cast_like(counted, top)?);
    let (twice, more) = (cx.dims().add(most, most)?, cx.number(MORE));
    let first = cx.dims().add(twice, more)?;
    let (first, last) = (cx.dims().min(first, dims[1])?, cx.dims().min(most, dims[1])?);
    let length = cx.dims().add(first, last)?;
    let step = cx.iota(0, &[length], ElementType::I64)?;
    let first = cx.size(first, ElementType::I64)?;
    let any = cx.compare(CompareOp::Lt, step, first)?;
    let any = cx.cast_like(any, top)?;
    // One axis of steps, as the results have it.
    let any = cx.insert_axis(any, 0)?;
    let starts = counter(cx, 0, 2, dims[0])?;
    let count = cx.size(dims[1], ElementType::I64)?;
    let starts = cx.mul(starts, count)?;
    let row = boxes.in_row(cx)?.edges;
    let over = Loop {
        carries: &[live],
        sequences: &[any],
        invariants: &[top, left, bottom, right, area, starts, row[0], row[1], row[2], row[3], counted],
        length,
        axis: 1,
        reverse: false,
    };
    let (_, collected) = cx.scan(over, |b, carries, elements, fixed| {
        let (live, area) = (carries[0], fixed[4]);
        let boxes = Boxes { edges: [fixed[0], fixed[1], fixed[2], fixed[3]] };
        let length = b.dims_of(live)[1];
        let taken = b.binary(BinaryOp::Max, fixed[10], elements[0])?;
        let taken = b.mul(live, taken)?;
        let place = b.arg_reduce(Extreme::Max, taken, 1, ElementType::I64)?;
        let column = b.insert_axis(place, 1)?;
        let chosen = at_place(b, column, length)?;
        let both = b.mul(taken, fixed[10])?;
        let nothing = b.scalar(b.ty(live).element, 0.0)?;
        let of_place = b.select(chosen, both, nothing)?;
        let found = b.reduce(ReduceOp::Max, of_place, &[1], false)?;
        let at = b.add(fixed[5], column)?;
        let one = Boxes { edges: [fixed[6], fixed[7], fixed[8], fixed[9]] }.at(b, at)?;
        let of_one = one.area(b)?;
        let (common, together) = one.overlap(b, boxes, [of_one, area])?;
        let together = b.binary_scalar(BinaryOp::Add, together, 1e-8)?;
        let share = b.div(common, together)?;
        let close = b.compare_scalar(CompareOp::Ge, share, threshold)?;
        let removed = b.binary(BinaryOp::Or, close, chosen)?;
        Ok((vec![b.select(removed, nothing, live)?], vec![place, found]))
    })?;
    match collected[..] {
        [places, found] => Ok((places, cx.compare_scalar(CompareOp::Gt, found, 0.0)?)),
        _ => Err(Error::bug("a loop with other results than it collects")),
    }
}

fn padded(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Vec<Value>> {
    args.inert(&["tile_size"]);
    if !args.or(&["pad_to_max_output_size"], Some(5), false)? {
        let message = "which boxes are left depends on data; let it fill up with `pad_to_max_output_size`, or let the model \
                       output all boxes and scores, and select after it";
        return Err(Error::unsupported(message));
    }
    let boxes = args.need_value(cx, &["boxes"], Some(0))?;
    let scores = args.need_value(cx, &["scores"], Some(1))?;
    let (boxes, scores) = (cx.cast(boxes, ElementType::F32)?, cx.cast(scores, ElementType::F32)?);
    let most = size(cx, args, "max_output_size", 2)?;
    let threshold = args.or(&["iou_threshold"], Some(3), 0.5)?;
    if threshold <= 0.0 {
        return Err(Error::unsupported("an `iou_threshold` of 0 or less is not supported"));
    }
    let least = args.or(&["score_threshold"], Some(4), f64::NEG_INFINITY)?;
    let (of, outer) = (cx.dims_of(boxes), cx.dims_of(scores));
    let wanted = cx.number(4);
    let fits = of.len() == outer.len() + 1
        && outer.iter().zip(&of).all(|(&a, &b)| cx.same(a, b).is_some())
        && of.last().is_some_and(|&four| cx.same(four, wanted).is_some());
    let (true, Some((&count, outer))) = (fits, outer.split_last()) else {
        let (a, b) = (cx.shape(boxes), cx.shape(scores));
        return Err(Error::malformed(format!("boxes of shape {a} do not fit scores of shape {b}")));
    };
    if outer.len() != 1 {
        cx.mixes_batch();
    }
    let batch = cx.dims().product(outer)?;
    let boxes = cx.reshape(boxes, &[batch, count, wanted])?;
    let mut scores = cx.reshape(scores, &[batch, count])?;
    let mut boxes = Boxes::of(cx, boxes)?;
    if least > f64::NEG_INFINITY {
        let good = cx.compare_scalar(CompareOp::Gt, scores, least)?;
        scores = super::elementary::where_or(cx, good, scores, 0.0)?;
        for edge in &mut boxes.edges {
            *edge = super::elementary::where_or(cx, good, *edge, 0.0)?;
        }
    }
    if !args.or(&["canonicalized_coordinates"], Some(8), false)? {
        boxes = turned(cx, boxes)?;
    }
    let order = if args.or(&["sorted_input"], Some(7), false)? {
        None
    } else {
        let (_, order) = cx.sort(scores, 1, true)?;
        for edge in &mut boxes.edges {
            *edge = pick(cx, *edge, order)?;
        }
        Some(order)
    };
    let (places, found) = left(cx, boxes, most, threshold)?;
    // Equal keys keep their order, so the steps that found a box come first.
    let missed = cx.unary(UnaryOp::Not, found)?;
    let missed = cx.cast(missed, ElementType::I32)?;
    let (_, steps) = cx.sort(missed, 1, false)?;
    let mut places = pick(cx, places, steps)?;
    if let Some(order) = order {
        places = pick(cx, order, places)?;
    }
    let places = cx.cast(places, ElementType::I32)?;
    let places = to_length(cx, places, most, 0.0)?;
    let found = cx.cast(found, ElementType::I32)?;
    let found = cx.reduce(ReduceOp::Sum, found, &[1], false)?;
    let limit = cx.size(most, ElementType::I32)?;
    let valid = cx.binary(BinaryOp::Min, found, limit)?;
    let inside = before(cx, valid, most)?;
    let places = super::elementary::where_or(cx, inside, places, 0.0)?;
    let dims: Vec<Dim> = outer.iter().copied().chain([most]).collect();
    Ok(vec![cx.reshape(places, &dims)?, cx.reshape(valid, outer)?])
}

impl LayerDef for Suppression {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let results = match self.kind {
            SuppressionKind::Combined => combined(cx, &args)?,
            SuppressionKind::Padded => padded(cx, &args)?,
        };
        args.finish(cx);
        Ok(results.into_iter().map(KerasTensor::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check_all, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        let kwargs = json!({"scores": "f:?,9,3", "max_output_size_per_class": 4, "max_total_size": 20});
        let types = ["float32[?,20,4]", "float32[?,20]", "float32[?,20]", "int32[?]"];
        check_all("CombinedNonMaxSuppression", json!({}), json!(["f:?,9,1,4"]), kwargs, &types);
        let kwargs = json!({"scores": "f:?,?,3", "max_output_size_per_class": 4, "max_total_size": 20,
                            "pad_per_class": true});
        let types = ["float32[?,12,4]", "float32[?,12]", "float32[?,12]", "int32[?]"];
        check_all("CombinedNonMaxSuppression", json!({}), json!(["f:?,?,3,4"]), kwargs, &types);
        let kwargs = json!({"scores": "f:?,9", "max_output_size": 5, "pad_to_max_output_size": true});
        let types = ["int32[?,5]", "int32[?]"];
        check_all("NonMaxSuppressionPadded", json!({}), json!(["f:?,9,4"]), kwargs, &types);
        let kwargs = json!({"scores": "f:?", "max_output_size": 5, "pad_to_max_output_size": true});
        check_all("NonMaxSuppressionPadded", json!({}), json!(["f:?,4"]), kwargs, &["int32[5]", "int32[]"]);
    }

    #[test]
    fn refuses() {
        let message = "which boxes are left depends on data; let it fill up with `pad_to_max_output_size`, or let the model \
                       output all boxes and scores, and select after it";
        refused_with("NonMaxSuppressionPadded", json!({}), json!(["f:?,9,4", "f:?,9", 5]), message);
        let message = "boxes of shape [?,9,2,4] do not fit scores of shape [?,9,3]";
        refused_with("CombinedNonMaxSuppression", json!({}), json!(["f:?,9,2,4", "f:?,9,3", 5, 5]), message);
        let message = "`max_total_size`: expected a number of at least 1";
        refused_with("CombinedNonMaxSuppression", json!({}), json!(["f:?,9,1,4", "f:?,9,3", 5, 0]), message);
    }
}
