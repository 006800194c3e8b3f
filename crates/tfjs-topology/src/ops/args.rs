//! The arguments of one call of an operation in lowering; records which of them were read.
//!
//! Keras 3 writes parameters into the configuration, Keras 2 into every call. A constant may replace a tensor.

use super::params::{Constant, Numbers, Params, meeting, promote};
use super::sizes;
use crate::call::{Arg, Call};
use crate::config::{FromJson, is_inert};
use crate::lower::{KerasTensor, LowerCx, element, value_type};
use crate::types::ValueType;
use serde_json::Value as Json;
use std::cell::RefCell;
use std::ops::Range;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// The arguments of a call: by keyword, by position, or in the configuration. Null counts as absent.
#[derive(Debug)]
pub(crate) struct Args<'a> {
    params: &'a Params,
    call: &'a Call<KerasTensor>,
    /// The names that were read.
    known: RefCell<Vec<&'static str>>,
    /// For each positional argument, whether it was read.
    read: RefCell<Vec<bool>>,
}

/// Most arguments in a warning.
const SHOWN: usize = 8;

/// The source of an argument.
#[derive(Clone, Copy, Debug)]
enum Found<'a> {
    InCall(&'a Arg<KerasTensor>),
    Configured(&'a Json),
}

/// Two operands with their common type.
#[derive(Clone, Debug)]
pub(crate) struct Operands {
    /// The first.
    pub a: KerasTensor,
    /// The second.
    pub b: KerasTensor,
    /// Their common type.
    pub dtype: ValueType,
}

impl<'a> Args<'a> {
    /// The arguments of a call of an operation with this configuration.
    pub(crate) fn new(params: &'a Params, call: &'a Call<KerasTensor>) -> Self {
        let read = RefCell::new(call.args.iter().map(|_| false).collect());
        Args { params, call, known: RefCell::default(), read }
    }

    /// All positional arguments.
    pub(crate) fn positional(&self) -> &'a [Arg<KerasTensor>] {
        self.read.borrow_mut().fill(true);
        &self.call.args
    }

    /// The argument at a position.
    pub(crate) fn at(&self, position: usize) -> Option<&'a Arg<KerasTensor>> {
        let arg = self.call.args.get(position)?;
        self.read.borrow_mut()[position] = true;
        Some(arg)
    }

    /// A keyword argument with one of these names.
    pub(crate) fn keyword(&self, names: &[&'static str]) -> Option<&'a Arg<KerasTensor>> {
        self.inert(names);
        names.iter().filter_map(|name| self.call.kwarg(name)).find(|arg| !is_null(arg))
    }

    /// Whether the call has a keyword whose value is null.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.call.kwarg(name).is_some_and(is_null)
    }

    /// Marks names that are known but have no effect.
    pub(crate) fn inert(&self, names: &[&'static str]) {
        self.known.borrow_mut().extend(names);
    }

    fn find(&self, names: &[&'static str], position: Option<usize>) -> Option<Found<'a>> {
        let positional = || position.and_then(|i| self.at(i)).filter(|arg| !is_null(arg));
        let in_call = self.keyword(names).or_else(positional).map(Found::InCall);
        in_call.or_else(|| names.iter().find_map(|name| self.params.configured(name)).map(Found::Configured))
    }

    /// A parameter with any of its names: a keyword, a position of the call, or a key of the configuration.
    ///
    /// # Errors
    /// A value of the wrong kind, at its name; [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a tensor.
    pub(crate) fn opt<V: FromJson>(&self, names: &[&'static str], position: Option<usize>) -> Result<Option<V>> {
        let value = self.json(names, position)?;
        value.map(V::from_json).transpose().map_err(|e| e.at_json(first(names)))
    }

    /// As [`opt`](Args::opt), as it is written, without a copy.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a tensor.
    pub(crate) fn json(&self, names: &[&'static str], position: Option<usize>) -> Result<Option<&'a Json>> {
        match self.find(names, position) {
            Some(Found::InCall(Arg::Const(value))) => Ok(Some(value)),
            Some(Found::Configured(value)) => Ok(Some(value)),
            Some(Found::InCall(_)) => Err(is_a_tensor(first(names))),
            None => Ok(None),
        }
    }

    /// As [`opt`](Args::opt), with a default.
    ///
    /// # Errors
    /// As [`opt`](Args::opt).
    pub(crate) fn or<V: FromJson>(&self, names: &[&'static str], position: Option<usize>, default: V) -> Result<V> {
        Ok(self.opt(names, position)?.unwrap_or(default))
    }

    /// Sizes: numbers, or tensors that were computed from shapes. They may be negative, such as the -1 of a reshape.
    ///
    /// # Errors
    /// A value of the wrong kind, at its name; [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a tensor
    /// whose numbers depend on data.
    pub(crate) fn sizes(
        &self,
        cx: &mut LowerCx<'_>,
        names: &[&'static str],
        position: Option<usize>,
    ) -> Result<Option<Vec<Dim>>> {
        let name = first(names);
        let sizes = match self.find(names, position) {
            Some(Found::Configured(value)) => sizes::of_json(cx, value),
            Some(Found::InCall(arg)) => sizes::of_arg(cx, arg).and_then(|sizes| sizes.ok_or_else(|| is_a_tensor(name))),
            None => return Ok(None),
        };
        sizes.map(Some).map_err(|e| if e.kind() == tfjs_manifest::Kind::Malformed { e.at_json(name) } else { e })
    }

    /// Axes, from one number or a list, in ascending order; `None` for all.
    ///
    /// # Errors
    /// An axis that does not exist or is repeated.
    pub(crate) fn axes(
        &self,
        cx: &LowerCx<'_>,
        names: &[&'static str],
        position: Option<usize>,
        of: Value,
    ) -> Result<Option<Vec<usize>>> {
        let Some(Numbers(axes)) = self.opt(names, position)? else { return Ok(None) };
        let mut axes = axes.into_iter().map(|axis| cx.axis(axis, of)).collect::<Result<Vec<usize>>>()?;
        let given = axes.len();
        axes.sort_unstable();
        axes.dedup();
        if axes.len() < given {
            return Err(Error::malformed("an axis is given twice"));
        }
        Ok(Some(axes))
    }

    /// A tensor, or numbers converted to one, with any of these names or at a position of the call.
    ///
    /// # Errors
    /// Strings, and anything else that is neither a tensor nor numbers.
    pub(crate) fn value(
        &self,
        cx: &mut LowerCx<'_>,
        names: &[&'static str],
        position: Option<usize>,
    ) -> Result<Option<Value>> {
        let constant = match self.find(names, position) {
            None => return Ok(None),
            Some(Found::InCall(Arg::Const(value))) => Constant::read(value),
            Some(Found::Configured(value)) => Constant::read(value),
            Some(Found::InCall(arg)) => return tensor_value(cx, arg).map(Some),
        };
        let constant = constant.map_err(|e| e.at_json(first(names)))?;
        constant.lower(cx, constant.dtype).map(Some)
    }

    /// The numbers of an argument; `None` if it is a tensor or absent.
    ///
    /// # Errors
    /// Anything that is not a number, at its name.
    pub(crate) fn constant(&self, names: &[&'static str], position: Option<usize>) -> Result<Option<Constant>> {
        let constant = match self.find(names, position) {
            Some(Found::InCall(Arg::Const(value))) => Constant::read(value),
            Some(Found::Configured(value)) => Constant::read(value),
            _ => return Ok(None),
        };
        constant.map(Some).map_err(|e| e.at_json(first(names)))
    }

    /// As [`value`](Args::value), for a required argument.
    ///
    /// # Errors
    /// As [`value`](Args::value); [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if it is absent.
    pub(crate) fn need_value(
        &self,
        cx: &mut LowerCx<'_>,
        names: &[&'static str],
        position: Option<usize>,
    ) -> Result<Value> {
        self.value(cx, names, position)?.ok_or_else(|| missing(names))
    }

    /// As [`need_value`](Args::need_value), for the first argument. Keras 2 writes a list there as one argument for
    /// each of its items, and the following arguments by name.
    ///
    /// # Errors
    /// As [`need_value`](Args::need_value).
    pub(crate) fn first_value(
        &self,
        cx: &mut LowerCx<'_>,
        names: &[&'static str],
        next: &[&'static str],
    ) -> Result<Value> {
        match self.positional() {
            items @ [_, _, ..] if self.keyword(next).is_some() => tensor_value(cx, &Arg::List(items.to_vec())),
            _ => self.need_value(cx, names, Some(0)),
        }
    }

    /// A required parameter; see [`opt`](Args::opt).
    ///
    /// # Errors
    /// As [`opt`](Args::opt); [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if it is absent.
    pub(crate) fn need<V: FromJson>(&self, names: &[&'static str], position: Option<usize>) -> Result<V> {
        self.opt(names, position)?.ok_or_else(|| missing(names))
    }

    /// One axis, which may count from the end.
    ///
    /// # Errors
    /// An axis that does not exist.
    pub(crate) fn axis(
        &self,
        cx: &LowerCx<'_>,
        names: &[&'static str],
        position: Option<usize>,
        of: Value,
    ) -> Result<Option<usize>> {
        self.opt(names, position)?.map(|axis| cx.axis(axis, of)).transpose()
    }

    /// Several tensors: the items of a list in the first argument, or all positional arguments. Numbers among them are
    /// converted to tensors.
    ///
    /// # Errors
    /// As [`value`](Args::value).
    pub(crate) fn list(&self, cx: &mut LowerCx<'_>, names: &[&'static str]) -> Result<Vec<Value>> {
        let items = match (self.positional(), self.keyword(names)) {
            ([Arg::List(items), ..], _) | ([], Some(Arg::List(items))) => items,
            ([], Some(one)) => std::slice::from_ref(one),
            (items, _) => items,
        };
        self.all(cx, items)
    }

    /// The items of a list of tensors or numbers, with one of these names or at a position of the call.
    ///
    /// # Errors
    /// As [`value`](Args::value); [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if there is no such list.
    pub(crate) fn values(&self, cx: &mut LowerCx<'_>, names: &[&'static str], position: usize) -> Result<Vec<Value>> {
        match self.find(names, Some(position)) {
            Some(Found::InCall(Arg::List(items))) => self.all(cx, items),
            Some(_) => Err(Error::malformed(format!("expected a list of tensors as `{}`", first(names)))),
            None => Err(missing(names)),
        }
    }

    /// Converts arguments to values, including numbers.
    ///
    /// # Errors
    /// As [`value`](Args::value).
    pub(crate) fn all(&self, cx: &mut LowerCx<'_>, items: &[Arg<KerasTensor>]) -> Result<Vec<Value>> {
        items.iter().map(|item| arg_value(cx, item)).collect()
    }

    /// The tensor that the operation is applied to: its first argument, or one of these keywords.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if there is none.
    pub(crate) fn subject(&self, names: &[&'static str]) -> Result<&'a KerasTensor> {
        self.inert(names);
        self.inert(&["x", "input", "tensor"]);
        let keyword = || names.iter().chain(&["x", "input", "tensor"]).find_map(|name| self.call.kwarg(name));
        let positional = || self.at(0).filter(|arg| !is_null(arg));
        let found = positional().or_else(keyword).and_then(Arg::tensor);
        found.ok_or_else(|| Error::malformed("expected a tensor as the first argument"))
    }

    /// [`subject`](Args::subject), which must be numeric.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if there is none, and for strings.
    pub(crate) fn numbers(&self, cx: &LowerCx<'_>, names: &[&'static str]) -> Result<&'a KerasTensor> {
        let subject = self.subject(names)?;
        numeric(cx, subject.value)?;
        Ok(subject)
    }

    /// The two operands of the call as written: the positional arguments at `positions`, or keywords.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if there are not two.
    fn pair(&self, positions: Range<usize>) -> Result<[&'a Arg<KerasTensor>; 2]> {
        const NAMES: [&str; 9] = ["x1", "value", "labels", "x", "a", "x2", "y", "b", "logits"];
        self.inert(&NAMES);
        let end = positions.end.min(self.call.args.len());
        let mut found: Vec<&Arg<KerasTensor>> = (positions.start..end).filter_map(|i| self.at(i)).collect();
        found.extend(NAMES.iter().filter_map(|name| self.call.kwarg(name)));
        found.try_into().map_err(|f: Vec<_>| Error::malformed(format!("expected two operands, found {}", f.len())))
    }

    /// The two operands of the call, at these positions or by keyword, in their common type. A constant takes the
    /// tensor's type if that can represent it.
    ///
    /// # Errors
    /// Strings, and anything else that is neither a tensor nor a constant.
    pub(crate) fn operands(&self, cx: &mut LowerCx<'_>, positions: Range<usize>) -> Result<Operands> {
        let first = positions.start == 0;
        let pair = self.pair(positions)?;
        // An operation on two numbers is invalid, unless a tensor precedes them.
        if first && pair.iter().all(|arg| arg.tensor().is_none()) {
            return Err(Error::malformed("an operation without a tensor"));
        }
        let [a, b] = pair;
        let (a, b) = (Operand::read(cx, a)?, Operand::read(cx, b)?);
        let dtype = meeting(a.ty(cx), b.ty(cx));
        let (a, b) = (a.lower(cx, dtype)?, b.lower(cx, dtype)?);
        // Operands of different ranks are aligned at the last axis, so the batch axis of one may be aligned with
        // another axis of the other.
        let ranks = (cx.ty(a.value).rank(), cx.ty(b.value).rank());
        if ranks.0 != ranks.1 && ranks.0 > 0 && ranks.1 > 0 && pair.iter().all(|arg| arg.tensor().is_some()) {
            cx.mixes_batch();
        }
        Ok(Operands { a, b, dtype })
    }

    /// Warns of arguments that were not read, or of the first [`SHOWN`] of them: an operation may be called many times.
    pub(crate) fn finish(self, cx: &mut LowerCx<'_>) {
        let keywords = self.call.kwargs.iter().filter(|(_, arg)| !is_null(arg)).map(|(name, _)| name.as_str());
        let known = self.known.borrow();
        let unknown = keywords.chain(self.params.keys()).filter(|name| !known.contains(name) && !is_inert(name));
        let unknown = unknown.map(|name| format!("`{name}`"));
        let read = self.read.borrow();
        let positional = self.call.args.iter().zip(read.iter()).enumerate();
        let positional = positional.filter(|(_, (arg, read))| !**read && !is_null(arg));
        let unknown = unknown.chain(positional.map(|(i, _)| format!("the one at position {}", i + 1)));
        let unknown: Vec<String> = unknown.take(SHOWN).collect();
        if unknown.is_empty() {
            return;
        }
        let (name, class) = cx.current_layer().map_or(("", ""), |layer| (&layer.name, &layer.class_name));
        let warning = format!("operation `{name}` ({class}): argument without a known meaning: {}", unknown.join(", "));
        cx.warn(warning);
    }
}

/// One operand, with its own type.
pub(super) enum Operand<'a> {
    Tensor(&'a KerasTensor),
    Constant(Constant),
}

impl<'a> Operand<'a> {
    pub(super) fn read(cx: &LowerCx<'_>, arg: &'a Arg<KerasTensor>) -> Result<Self> {
        match arg {
            Arg::Tensor(tensor) => numeric(cx, tensor.value).map(|()| Operand::Tensor(tensor)),
            Arg::Const(value) => Constant::read(value).map(Operand::Constant),
            _ => Err(Error::unsupported("an operand is neither a tensor nor a constant")),
        }
    }

    /// The type, and whether it is weak, as that of a constant.
    pub(super) fn ty(&self, cx: &LowerCx<'_>) -> (ValueType, bool) {
        match self {
            Operand::Tensor(tensor) => (value_type(cx.ty(tensor.value).element), false),
            Operand::Constant(constant) => (constant.dtype, constant.weak),
        }
    }

    /// The operand as a value of this type.
    pub(super) fn value(&self, cx: &mut LowerCx<'_>, dtype: ValueType) -> Result<Value> {
        match self {
            Operand::Tensor(tensor) => to_type(cx, tensor.value, dtype),
            Operand::Constant(constant) => constant.lower(cx, dtype),
        }
    }

    /// [`value`](Operand::value), with the numbers of integers that are known.
    fn lower(self, cx: &mut LowerCx<'_>, dtype: ValueType) -> Result<KerasTensor> {
        let value = self.value(cx, dtype)?;
        let sizes = match &self {
            _ if !is_integer(dtype) => None,
            Operand::Tensor(tensor) => tensor.sizes.clone(),
            Operand::Constant(constant) => sizes::of_constant(cx, constant),
        };
        Ok(KerasTensor { sizes, ..KerasTensor::from(value) })
    }
}

/// Converts a tensor or numbers to a value.
fn arg_value(cx: &mut LowerCx<'_>, arg: &Arg<KerasTensor>) -> Result<Value> {
    match arg {
        Arg::Const(json) => {
            let constant = Constant::read(json)?;
            constant.lower(cx, constant.dtype)
        }
        other => tensor_value(cx, other),
    }
}

/// A tensor, or a list of tensors of one shape stacked along a new first axis.
fn tensor_value(cx: &mut LowerCx<'_>, arg: &Arg<KerasTensor>) -> Result<Value> {
    match arg {
        Arg::Tensor(tensor) => numeric(cx, tensor.value).map(|()| tensor.value),
        Arg::List(items) => {
            let mut rows = Vec::with_capacity(items.len());
            let mut dtype = ValueType::Bool;
            for item in items {
                let value = arg_value(cx, item)?;
                dtype = promote(dtype, value_type(cx.ty(value).element));
                rows.push(value);
            }
            for row in &mut rows {
                *row = to_type(cx, *row, dtype)?;
                *row = cx.insert_axis(*row, 0)?;
            }
            cx.concat(&rows, 0)
        }
        _ => Err(Error::unsupported("an argument is neither a tensor nor numbers")),
    }
}

/// The error for a missing argument.
pub(crate) fn missing(names: &[&'static str]) -> Error {
    Error::malformed(format!("missing `{}`", first(names)))
}

/// Removes some axes, which a reduction has left with length 1, unless `keep`.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn without_axes(cx: &mut LowerCx<'_>, x: Value, axes: &[usize], keep: bool) -> Result<Value> {
    if keep {
        return Ok(x);
    }
    let dims = cx.dims_of(x).into_iter().enumerate();
    let dims: Vec<Dim> = dims.filter(|(axis, _)| !axes.contains(axis)).map(|(_, dim)| dim).collect();
    cx.reshape(x, &dims)
}

/// Flattens all axes.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn flat(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let dims = cx.dims_of(x);
    let elements = cx.dims().product(&dims)?;
    cx.mixes_batch();
    cx.reshape(x, &[elements])
}

/// Applies a function of the last axis to another axis.
///
/// # Errors
/// Those of the function.
pub(crate) fn over_axis(
    cx: &mut LowerCx<'_>,
    x: Value,
    axis: usize,
    function: impl FnOnce(&mut LowerCx<'_>, Value) -> Result<Value>,
) -> Result<Value> {
    let last = cx.ty(x).rank().saturating_sub(1);
    if axis == 0 {
        cx.mixes_batch();
    }
    let mut order: Vec<usize> = (0..=last).collect();
    order.swap(axis, last);
    let x = cx.transpose(x, &order)?;
    let y = function(cx, x)?;
    cx.transpose(y, &order)
}

/// Casts a value to a Keras type. Floating point keeps its precision.
///
/// # Errors
/// As [`Builder::push`](tfjs_ir::Builder::push).
pub(crate) fn to_type(cx: &mut LowerCx<'_>, value: Value, dtype: ValueType) -> Result<Value> {
    match dtype {
        ValueType::Float => cx.to_float(value),
        _ if value_type(cx.ty(value).element) == dtype => Ok(value),
        _ => cx.cast(value, element(dtype)),
    }
}

/// Whether a type is an integer type; truth values are not.
pub(crate) fn is_integer(dtype: ValueType) -> bool {
    matches!(dtype, ValueType::Int32 | ValueType::Int64)
}

/// Fails for strings.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed).
pub(crate) fn numeric(cx: &LowerCx<'_>, value: Value) -> Result<()> {
    match cx.ty(value).element {
        ElementType::String => Err(Error::malformed("expected numbers, found strings")),
        _ => Ok(()),
    }
}

fn is_null(arg: &Arg<KerasTensor>) -> bool {
    matches!(arg, Arg::Const(value) if value.is_null())
}

fn first(names: &[&'static str]) -> &'static str {
    names.first().copied().unwrap_or_default()
}

fn is_a_tensor(name: &str) -> Error {
    Error::unsupported(format!("`{name}` is a tensor, which is not supported"))
}
