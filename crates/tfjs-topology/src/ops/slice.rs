//! `GetItem`: Python's subscripts, such as `x[:, 1:]` and `x[..., 0, None]`.
//!
//! Reference: NumPy's basic indexing; `SlicingOpLambda` in Keras 2.

use super::FromOpConfig;
use super::args::{Args, missing};
use super::params::{Numbers, Params};
use super::sizes;
use crate::call::{Arg, Call};
use crate::config::{Config, FromJson, expected};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use serde_json::Value as Json;
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::Range;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A part of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct GetItem {
    /// The form in which the part is written.
    pub kind: SliceKind,
    /// The subscripts, if they are in the configuration.
    pub params: Params,
}

/// The form in which a part of a tensor is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceKind {
    /// Subscripts.
    Brackets,
    /// Starts and lengths, one for each axis; a length of -1 is the rest of the axis.
    Lengths,
    /// Starts, ends and steps, with bit masks for absent ones.
    Strided,
}

impl FromOpConfig for GetItem {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "Slice" => SliceKind::Lengths,
            "StridedSlice" => SliceKind::Strided,
            _ => SliceKind::Brackets,
        };
        Ok(GetItem { kind, params: Params::read(config) })
    }
}

/// One subscript.
#[derive(Clone, Copy, Debug)]
enum Item {
    /// A new axis of length 1.
    New,
    /// All axes without a subscript.
    Ellipsis,
    /// One element.
    At(Dim),
    /// One element, whose position depends on data.
    Found(Value),
    /// Consecutive elements from a position that depends on data.
    From { start: Value, length: Dim },
    /// `start:stop:step`.
    Slice { start: Option<Dim>, stop: Option<Dim>, step: i64 },
}

/// The part of an axis that is taken.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// The elements, after the axis is reversed if necessary.
    range: Range,
    /// Whether the axis is reversed.
    turned: bool,
    /// Whether the axis is removed.
    removed: bool,
}

/// Reads the subscripts.
fn items(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Vec<Item>> {
    let arg = args.keyword(&["slice_spec", "key"]).or(args.at(1));
    match arg {
        Some(Arg::Const(value)) if value.is_array() => {
            value.as_array().into_iter().flatten().map(|item| json_item(cx, item)).collect()
        }
        Some(Arg::List(items)) => items.iter().map(|item| arg_item(cx, item)).collect(),
        Some(one) => Ok(vec![arg_item(cx, one)?]),
        // `x[None]` is one new axis.
        None if args.is_null("slice_spec") => Ok(vec![Item::New]),
        None => Err(Error::malformed("missing the brackets of a slice")),
    }
}

/// Where a slice of an axis starts.
#[derive(Clone, Copy, Debug)]
enum Start {
    Known(Dim),
    /// A scalar that depends on data.
    Found(Value),
}

/// Reads the starts of a slice, one for each axis.
fn starts(cx: &mut LowerCx<'_>, args: &Args<'_>, rank: usize) -> Result<Vec<Start>> {
    const NAMES: &[&str] = &["start_indices", "begin"];
    let of_data = |cx: &mut LowerCx<'_>, value: Value| {
        super::args::numeric(cx, value)?;
        let index = cx.cast(value, ElementType::I64)?;
        cx.reshape(index, &[Dim::ONE]).map(Start::Found)
    };
    let each = |cx: &mut LowerCx<'_>, item: &Arg<KerasTensor>| match (sizes::of_arg(cx, item)?.as_deref(), item) {
        (Some(&[start]), _) => Ok(Start::Known(start)),
        (_, Arg::Tensor(tensor)) => of_data(cx, tensor.value),
        _ => Err(Error::unsupported("the start of a slice is neither a number nor a tensor of one")),
    };
    let found = args.keyword(NAMES).or(args.at(1));
    match found {
        Some(Arg::List(items)) => items.iter().map(|item| each(cx, item)).collect(),
        Some(Arg::Tensor(tensor)) if tensor.sizes.is_none() => {
            let dims = cx.dims_of(tensor.value);
            if dims.len() != 1 || cx.known_dim(dims[0]) != Some(rank) {
                let shape = cx.shape(tensor.value);
                return Err(Error::malformed(format!("expected {rank} starts of a slice, found shape {shape}")));
            }
            let part = |cx: &mut LowerCx<'_>, axis: usize| {
                let start = cx.number(axis);
                let start = cx.slice_axis(tensor.value, 0, Range { start, len: Dim::ONE, step: 1 })?;
                of_data(cx, start)
            };
            (0..rank).map(|axis| part(cx, axis)).collect()
        }
        _ => {
            let starts = args.sizes(cx, NAMES, Some(1))?.ok_or_else(|| missing(&["begin"]))?;
            Ok(starts.into_iter().map(Start::Known).collect())
        }
    }
}

/// Converts starts and lengths to subscripts.
fn of_lengths(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Vec<Item>> {
    let starts = starts(cx, args, cx.ty(x).rank())?;
    let lengths = args.sizes(cx, &["shape", "size"], Some(2))?.ok_or_else(|| missing(&["size"]))?;
    let dims = cx.dims_of(x);
    let rest = sizes::number(cx, -1)?;
    if starts.len() != dims.len() || lengths.len() != dims.len() {
        let (rank, shape) = (dims.len(), cx.shape(x));
        return Err(Error::malformed(format!("expected {rank} starts and lengths for shape {shape}")));
    }
    let mut items = Vec::with_capacity(dims.len());
    for ((start, length), dim) in starts.into_iter().zip(lengths).zip(dims) {
        let start = match start {
            Start::Known(start) => start,
            Start::Found(_) if length == rest => {
                return Err(Error::unsupported("the length of a slice depends on data"));
            }
            Start::Found(_) if !cx.at_least(length, Dim::ZERO) || !cx.at_least(dim, length) => {
                let (length, shape) = (sizes::text(cx, &[length]), cx.shape(x));
                return Err(Error::malformed(format!("a slice of length {length} is outside of shape {shape}")));
            }
            Start::Found(start) => {
                items.push(Item::From { start, length });
                continue;
            }
        };
        let stop = if length == rest { dim } else { cx.dims().add(start, length)? };
        if !cx.at_least(start, Dim::ZERO) || !cx.at_least(dim, stop) {
            let (start, length) = (sizes::text(cx, &[start]), sizes::text(cx, &[length]));
            let shape = cx.shape(x);
            return Err(Error::malformed(format!(
                "a slice from {start} of length {length} is outside of shape {shape}"
            )));
        }
        items.push(Item::Slice { start: Some(start), stop: Some(stop), step: 1 });
    }
    Ok(items)
}

/// Converts starts, ends and steps, with bit masks for absent ones, to subscripts.
fn of_strides(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Vec<Item>> {
    let starts = args.sizes(cx, &["begin"], Some(1))?.ok_or_else(|| missing(&["begin"]))?;
    let stops = args.sizes(cx, &["end"], Some(2))?.ok_or_else(|| missing(&["end"]))?;
    let steps = args.opt::<Numbers>(&["strides"], Some(3))?.map_or_else(|| vec![1; starts.len()], |Numbers(n)| n);
    if stops.len() != starts.len() || steps.len() != starts.len() {
        return Err(Error::malformed("a slice needs as many ends and steps as starts"));
    }
    let mask = |name| args.or::<i64>(&[name], None, 0);
    let (no_start, no_stop) = (mask("begin_mask")?, mask("end_mask")?);
    let (ellipsis, new, shrink) = (mask("ellipsis_mask")?, mask("new_axis_mask")?, mask("shrink_axis_mask")?);
    let mut items = Vec::with_capacity(starts.len());
    for (place, ((&start, &stop), &step)) in starts.iter().zip(&stops).zip(&steps).enumerate() {
        let has = |mask: i64| place < 63 && mask >> place & 1 == 1;
        items.push(match step {
            _ if has(ellipsis) => Item::Ellipsis,
            _ if has(new) => Item::New,
            _ if has(shrink) => Item::At(start),
            0 => return Err(Error::malformed("a slice with step 0")),
            step => Item::Slice {
                start: Some(start).filter(|_| !has(no_start)),
                stop: Some(stop).filter(|_| !has(no_stop)),
                step,
            },
        });
    }
    Ok(items)
}

fn arg_item(cx: &mut LowerCx<'_>, arg: &Arg<KerasTensor>) -> Result<Item> {
    let index = |sizes: Option<Vec<Dim>>| match sizes.as_deref() {
        Some(&[size]) => Ok(size),
        _ => Err(Error::unsupported("a tensor as an index is not supported")),
    };
    match arg {
        Arg::Const(value) => json_item(cx, value),
        Arg::Tensor(tensor) => match tensor.sizes.as_deref() {
            Some(&[size]) => Ok(Item::At(size)),
            _ if cx.ty(tensor.value).rank() == 0 && cx.ty(tensor.value).element.is_integer() => {
                Ok(Item::Found(tensor.value))
            }
            _ => Err(Error::unsupported("a tensor of several indices is not supported: use `take` or `gather`")),
        },
        Arg::List(_) => Err(Error::unsupported("a tensor as an index is not supported")),
        Arg::Dict(parts) => {
            let part = |key: &str| parts.iter().find(|(name, _)| name == key).map(|(_, arg)| arg);
            let mut bound = |key: &str| match part(key) {
                None => Ok(None),
                Some(Arg::Const(value)) if value.is_null() => Ok(None),
                Some(Arg::Const(value)) => number_at(cx, value, key).map(Some),
                Some(arg) => index(sizes::of_arg(cx, arg)?).map(Some),
            };
            let (start, stop) = (bound("start")?, bound("stop")?);
            let step = match part("step") {
                None => 1,
                Some(Arg::Const(value)) => step(value)?,
                Some(_) => return Err(Error::unsupported("a tensor as the step of a slice is not supported")),
            };
            Ok(Item::Slice { start, stop, step })
        }
    }
}

fn json_item(cx: &mut LowerCx<'_>, item: &Json) -> Result<Item> {
    match item {
        Json::Null => Ok(Item::New),
        Json::Object(_) if item.get("class_name").and_then(Json::as_str) == Some("__ellipsis__") => Ok(Item::Ellipsis),
        Json::Object(map) => {
            let slice = map.get("config").and_then(Json::as_object).unwrap_or(map);
            let mut bound = |key: &str| match slice.get(key) {
                None | Some(Json::Null) => Ok(None),
                Some(value) => number_at(cx, value, key).map(Some),
            };
            let (start, stop) = (bound("start")?, bound("stop")?);
            Ok(Item::Slice { start, stop, step: slice.get("step").map_or(Ok(1), step)? })
        }
        Json::Number(_) => sizes::number(cx, i64::from_json(item)?).map(Item::At),
        other => Err(Error::unsupported(expected("a number or a slice as an index", other).message())),
    }
}

fn number_at(cx: &mut LowerCx<'_>, value: &Json, key: &str) -> Result<Dim> {
    sizes::number(cx, i64::from_json(value).map_err(|e| e.at_json(key))?)
}

fn step(value: &Json) -> Result<i64> {
    match Option::from_json(value).map_err(|e| e.at_json("step"))?.unwrap_or(1) {
        0 => Err(Error::malformed("a slice with step 0")),
        step => Ok(step),
    }
}

/// Converts an index that may count from the end: to `index + length` if it is negative.
///
/// Whether a size is negative may be unknown. The length is then multiplied by an expression that is 1 for a negative
/// size and 0 otherwise.
fn from_start(cx: &mut LowerCx<'_>, index: Dim, length: Dim) -> Result<Dim> {
    let dims = cx.dims();
    let below = dims.sub(Dim::ZERO, index)?;
    let below = dims.max(below, Dim::ZERO)?;
    let is_negative = dims.min(below, Dim::ONE)?;
    let shift = dims.mul(is_negative, length)?;
    dims.add(index, shift)
}

/// Converts an index that may count from the end, and clamps it to the axis.
///
/// # Errors
/// As [`Dims`](tfjs_ir::Dims).
pub(crate) fn place(cx: &mut LowerCx<'_>, index: Dim, length: Dim) -> Result<Dim> {
    let index = from_start(cx, index, length)?;
    let index = cx.dims().max(index, Dim::ZERO)?;
    cx.dims().min(index, length)
}

impl Part {
    fn whole(length: Dim) -> Self {
        Part { range: Range { start: Dim::ZERO, len: length, step: 1 }, turned: false, removed: false }
    }

    /// Takes one element.
    fn at(cx: &mut LowerCx<'_>, index: Dim, length: Dim) -> Result<Self> {
        let start = from_start(cx, index, length)?;
        let last = cx.dims().sub(length, Dim::ONE)?;
        if !cx.at_least(start, Dim::ZERO) || !cx.at_least(last, start) {
            let dims = &cx.program().dims;
            let (index, length) = (dims.display(index), dims.display(length));
            return Err(Error::malformed(format!("index {index} is outside an axis of length {length}")));
        }
        Ok(Part { range: Range { start, len: Dim::ONE, step: 1 }, turned: false, removed: true })
    }

    /// `start:stop:step` with Python's rules. A slice with a negative step is a slice of the reversed axis.
    fn slice(cx: &mut LowerCx<'_>, [start, stop]: [Option<Dim>; 2], step: i64, length: Dim) -> Result<Self> {
        let turned = step < 0;
        let mut place = |index: Option<Dim>, default: Dim| -> Result<Dim> {
            let Some(index) = index else { return Ok(default) };
            let index = from_start(cx, index, length)?;
            if !turned {
                return Ok(index);
            }
            let last = cx.dims().sub(length, Dim::ONE)?;
            cx.dims().sub(last, index)
        };
        let (start, stop) = (place(start, Dim::ZERO)?, place(stop, length)?);
        let dims = cx.dims();
        let stop = dims.min(stop, length)?;
        // At most `stop`, because a start before the first element is clamped to it. A start past the end makes it
        // negative.
        let distance = dims.sub(stop, start)?;
        let distance = dims.min(distance, stop)?;
        let distance = dims.max(distance, Dim::ZERO)?;
        let step = step.unsigned_abs();
        let len = dims.div_ceil(distance, step)?;
        let start = dims.max(start, Dim::ZERO)?;
        let start = dims.min(start, length)?;
        Ok(Part { range: Range { start, len, step }, turned, removed: false })
    }
}

/// Takes the elements whose positions depend on data, and replaces these subscripts by constant ones.
fn take_found(cx: &mut LowerCx<'_>, items: &mut [Item], mut x: Value) -> Result<Value> {
    let is_named = |item: &Item| !matches!(item, Item::New | Item::Ellipsis);
    let (rank, named) = (cx.ty(x).rank(), items.iter().filter(|item| is_named(item)).count());
    if named > rank {
        return Err(too_many(named, rank));
    }
    let mut axis = 0;
    for item in items {
        match *item {
            Item::Found(index) => {
                let index = cx.reshape(index, &[Dim::ONE])?;
                let length = cx.dims_of(x)[axis];
                let index = super::gather::wrapped(cx, index, length)?;
                x = cx.gather(x, index, axis, Bounds::Error)?;
                *item = Item::At(Dim::ZERO);
            }
            Item::From { start, length } => {
                let places = cx.iota(0, &[length], ElementType::I64)?;
                let places = cx.add(places, start)?;
                x = cx.gather(x, places, axis, Bounds::Error)?;
                *item = Item::Slice { start: None, stop: None, step: 1 };
            }
            Item::Ellipsis => axis += rank.saturating_sub(named),
            _ => {}
        }
        axis += usize::from(is_named(item));
    }
    Ok(x)
}

fn too_many(named: usize, rank: usize) -> Error {
    Error::malformed(format!("{named} indices for a tensor of rank {rank}"))
}

/// The part of each axis, and the positions of new axes among those that are kept.
struct Brackets {
    parts: Vec<Part>,
    new: Vec<usize>,
}

impl Brackets {
    fn of(cx: &mut LowerCx<'_>, items: &[Item], lengths: &[Dim]) -> Result<Self> {
        let named = items.iter().filter(|item| matches!(item, Item::At(_) | Item::Slice { .. })).count();
        let Some(rest) = lengths.len().checked_sub(named) else {
            return Err(too_many(named, lengths.len()));
        };
        let (mut brackets, mut axes, mut place) = (Brackets { parts: Vec::new(), new: Vec::new() }, lengths.iter(), 0);
        let mut filled = false;
        for item in items {
            let length = match item {
                Item::At(_) | Item::Slice { .. } => axes.next().copied().unwrap_or(Dim::ZERO),
                _ => Dim::ZERO,
            };
            match *item {
                Item::Found(_) | Item::From { .. } => return Err(Error::bug("a position that is data is still there")),
                Item::New => brackets.new.push(place),
                Item::Ellipsis if filled => return Err(Error::malformed("two ellipses in one slice")),
                Item::Ellipsis => {
                    filled = true;
                    brackets.parts.extend(axes.by_ref().take(rest).map(|&length| Part::whole(length)));
                    place += rest;
                    continue;
                }
                Item::At(index) => {
                    brackets.parts.push(Part::at(cx, index, length)?);
                    continue;
                }
                Item::Slice { start, stop, step } => brackets.parts.push(Part::slice(cx, [start, stop], step, length)?),
            }
            place += 1;
        }
        brackets.parts.extend(axes.map(|&length| Part::whole(length)));
        Ok(brackets)
    }

    /// Whether the first axis is no longer the batch, or only a part of it.
    fn mix_batch(&self, lengths: &[Dim]) -> bool {
        let whole =
            |(part, &length): (&Part, &Dim)| !part.removed && !part.turned && part.range == Part::whole(length).range;
        self.new.contains(&0) || !self.parts.iter().zip(lengths).next().is_some_and(whole)
    }

    fn apply(&self, cx: &mut LowerCx<'_>, mut x: Value) -> Result<Value> {
        let turned: Vec<usize> = (0..self.parts.len()).filter(|&axis| self.parts[axis].turned).collect();
        if !turned.is_empty() {
            x = cx.reverse(x, &turned)?;
        }
        let ranges: Vec<Range> = self.parts.iter().map(|part| part.range).collect();
        if ranges != cx.whole(x) {
            x = cx.slice(x, &ranges)?;
        }
        let kept = self.parts.iter().filter(|part| !part.removed);
        let mut dims: Vec<Dim> = kept.map(|part| part.range.len).collect();
        self.new.iter().for_each(|&place| dims.insert(place, Dim::ONE));
        cx.reshape(x, &dims)
    }

    /// Applies the subscripts to a vector of sizes.
    fn sizes(&self, cx: &LowerCx<'_>, sizes: &[Dim]) -> Option<Vec<Dim>> {
        let [Part { range, turned, .. }] = self.parts[..] else { return None };
        let (start, len) = (cx.known_dim(range.start)?, cx.known_dim(range.len)?);
        let mut all = sizes.to_vec();
        if turned {
            all.reverse();
        }
        let step = usize::try_from(range.step).unwrap_or(usize::MAX);
        Some(all.into_iter().skip(start).step_by(step).take(len).collect())
    }
}

impl LayerDef for GetItem {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let input = args.subject(&["input_", "inputs"])?;
        args.inert(&["var"]);
        let mut items = match self.kind {
            SliceKind::Brackets => items(cx, &args)?,
            SliceKind::Lengths => of_lengths(cx, &args, input.value)?,
            SliceKind::Strided => of_strides(cx, &args)?,
        };
        if items.iter().any(|item| matches!(item, Item::Found(_) | Item::From { .. })) {
            cx.mixes_batch();
        }
        let x = take_found(cx, &mut items, input.value)?;
        let lengths = cx.dims_of(x);
        let brackets = Brackets::of(cx, &items, &lengths)?;
        if brackets.mix_batch(&lengths) {
            cx.mixes_batch();
        }
        let value = brackets.apply(cx, x)?;
        let sizes = input.sizes.as_ref().and_then(|sizes| brackets.sizes(cx, sizes));
        let sizes = sizes.filter(|_| cx.ty(value).rank() <= 1);
        args.finish(cx);
        Ok(vec![KerasTensor { sizes, ..KerasTensor::from(value) }])
    }
}

#[cfg(test)]
mod tests {
    use crate::lower::testing::check_type;
    use crate::ops::testing::{check, refused};
    use serde_json::{Value, json};

    fn slice(start: Value, stop: Value, step: Value) -> Value {
        json!({"class_name": "__slice__", "config": {"start": start, "stop": stop, "step": step}})
    }

    fn all() -> Value {
        slice(Value::Null, Value::Null, Value::Null)
    }

    #[test]
    fn brackets() {
        let check =
            |spec: Value, expect: &str| check("GetItem", json!({}), json!(["f:?,5,4", spec]), json!({}), expect);
        check(json!([all(), slice(json!(1), json!(null), json!(null))]), "float32[?,4,4]");
        check(json!([all(), slice(json!(-2), json!(null), json!(null)), -1]), "float32[?,2]");
        check(json!([all(), slice(json!(null), json!(null), json!(2))]), "float32[?,3,4]");
        check(json!([all(), slice(json!(null), json!(null), json!(-2))]), "float32[?,3,4]");
        check(json!([all(), slice(json!(9), json!(null), json!(null))]), "float32[?,0,4]");
        check(json!([{"class_name": "__ellipsis__", "config": {}}, 0, null]), "float32[?,5,1]");
        check(json!(0), "float32[5,4]");
        check(slice(json!(0), json!(2), json!(null)), "float32[?,5,4]");
    }

    #[test]
    fn unknown_axes() {
        let check = |spec: Value, ty: &str| {
            let spec = json!([{"start": null, "stop": null, "step": null}, spec]);
            let node = json!([["x", 0, 0, {"slice_spec": spec}]]);
            let layer = ("y", "SlicingOpLambda", json!({"function": "__operators__.getitem"}), node);
            check_type(&[("x", json!([null, null]))], &[layer], ty);
        };
        let part = |start: Value, stop: Value, step: Value| json!({"start": start, "stop": stop, "step": step});
        let none = Value::Null;
        check(part(json!(1), none.clone(), none.clone()), "f32[batch,max(0,x.1-1)]");
        check(part(none.clone(), json!(-1), none.clone()), "f32[batch,max(0,x.1-1)]");
        check(part(json!(-2), none.clone(), none.clone()), "f32[batch,min(2,x.1)]");
        check(part(none.clone(), none.clone(), json!(2)), "f32[batch,floor((x.1+1)/2)]");
        check(part(none.clone(), none.clone(), json!(-1)), "f32[batch,x.1]");
        check(part(json!(-1), json!(0), json!(-1)), "f32[batch,max(0,x.1-1)]");
        check(json!(3), "f32[batch]");
        check(json!(-1), "f32[batch]");
    }

    #[test]
    fn keras_2() {
        let spec = json!({"slice_spec": [{"start": null, "stop": null, "step": null}, 0]});
        check("GetItem", json!({}), json!(["f:?,5,4"]), spec, "float32[?,4]");
        check("GetItem", json!({}), json!(["f:?,5"]), json!({"slice_spec": null}), "float32[1,?,5]");
        let spec = json!({"slice_spec": [{"class_name": "__ellipsis__", "config": {}}, "i:", {"start": 1}]});
        check("GetItem", json!({}), json!(["f:?,5,4"]), spec, "float32[?,3]");
        check("Slice", json!({}), json!(["f:?,5,4", [0, "i:", 0], [-1, 2, -1]]), json!({}), "float32[?,2,4]");
    }

    #[test]
    fn refuses() {
        refused("GetItem", json!(["f:?,5", [all(), 5]]), "index 5 is outside an axis of length 5");
        refused("GetItem", json!(["f:?,5", [0, 0, 0]]), "3 indices for a tensor of rank 2");
        refused("GetItem", json!(["f:?,5", slice(json!(null), json!(null), json!(0))]), "a slice with step 0");
        let message = "a tensor of several indices is not supported: use `take` or `gather`";
        refused("GetItem", json!(["f:?,5", ["f:?", 0]]), message);
    }
}
