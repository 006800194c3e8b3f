//! `Cast`, `ConvertToTensor`, `ZerosLike`, `OnesLike`, `LogicalNot`, `Where`: conversions and selections.
//!
//! Reference: `keras.ops.cast` and its relatives.

use super::FromOpConfig;
use super::args::{self, Args, is_integer, to_type};
use super::narrow::Narrow;
use super::params::{Params, meeting, promote};
use super::sizes;
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, element, value_type};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// Makes values from those of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Make {
    /// How the values are made.
    pub kind: MakeKind,
    /// `dtype`.
    pub params: Params,
}

/// How values are made from those of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MakeKind {
    /// Casts to another type.
    Cast,
    /// Casts to another type after clipping to its range.
    Saturate,
    /// Zeros.
    Zeros,
    /// Ones.
    Ones,
    /// Whether each value is zero.
    Not,
    /// Reinterprets the bits as another type.
    View,
    /// The real part.
    Real,
    /// The complex conjugate.
    Conjugate,
}

impl FromOpConfig for Make {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "SaturateCast" => MakeKind::Saturate,
            "Cast" | "ConvertToTensor" | "Array" | "Identity" | "StopGradient" | "Copy" => MakeKind::Cast,
            "Real" => MakeKind::Real,
            "Conj" | "Conjugate" => MakeKind::Conjugate,
            // The content of an empty tensor is unspecified; TensorFlow uses zeros.
            "ZerosLike" | "EmptyLike" => MakeKind::Zeros,
            "View" => MakeKind::View,
            "OnesLike" => MakeKind::Ones,
            "LogicalNot" => MakeKind::Not,
            other => return Err(Error::bug(format!("`{other}` does not make values"))),
        };
        Ok(Make { kind, params: Params::read(config) })
    }
}

/// The integer type of up to 16 bits that `dtype` names.
fn narrow(args: &Args<'_>) -> Result<Option<Narrow>> {
    Ok(args.opt::<String>(&["dtype"], Some(1))?.as_deref().and_then(Narrow::of_name))
}

/// The least and the largest number of any integer type whose bounds numbers of other types can exceed.
fn range(args: &Args<'_>) -> Result<Option<(f64, f64)>> {
    Ok(match args.opt::<String>(&["dtype"], Some(1))?.as_deref() {
        // The largest number is rounded to one that single precision has, and 32 bits.
        Some("int32") => Some((-2_147_483_648.0, 2_147_483_520.0)),
        _ => narrow(args)?.map(Narrow::range),
    })
}

fn clipped(cx: &mut LowerCx<'_>, x: Value, least: f64, most: f64) -> Result<Value> {
    if cx.ty(x).element == ElementType::I32 && most > 65535.0 {
        return Ok(x);
    }
    let x = cx.binary_scalar(BinaryOp::Max, x, least)?;
    cx.binary_scalar(BinaryOp::Min, x, most)
}

impl LayerDef for Make {
    fn takes_complex(&self) -> bool {
        matches!(self.kind, MakeKind::Real | MakeKind::Conjugate)
    }

    fn takes_ragged(&self) -> bool {
        // The labels of `K.ctc_batch_cost` are cast.
        self.kind == MakeKind::Cast
    }

    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let input = args.numbers(cx, &["value", "variable"])?;
        if self.kind == MakeKind::Conjugate && input.imaginary.is_some() {
            return Ok(vec![super::complex::conjugate(cx, input)?]);
        }
        if self.kind == MakeKind::Cast && args.opt::<String>(&["dtype"], Some(1))?.as_deref() == Some("complex64") {
            return Ok(vec![super::complex::of_real(cx, input.value)?]);
        }
        // A type hint is optional, and tensors are never sparse or ragged.
        args.inert(&["dtype_hint", "sparse", "ragged", "optimize", "message", "summarize", "variable", "shape"]);
        let made = if self.kind == MakeKind::Not { None } else { sizes::dtype(&args, &["dtype"], Some(1))? };
        let dtype = made.unwrap_or(value_type(cx.ty(input.value).element));
        let dims = cx.dims_of(input.value);
        let value = match self.kind {
            MakeKind::Cast => {
                let value = to_type(cx, input.value, dtype)?;
                match narrow(&args)?.filter(|_| cx.ty(input.value).element != ElementType::Bool) {
                    Some(narrow) => narrow.wrap(cx, value)?,
                    None => value,
                }
            }
            MakeKind::Saturate => {
                let value = match range(&args)? {
                    Some((least, most)) if cx.ty(input.value).element != ElementType::Bool => {
                        clipped(cx, input.value, least, most)?
                    }
                    _ => input.value,
                };
                to_type(cx, value, dtype)?
            }
            MakeKind::Real | MakeKind::Conjugate => to_type(cx, input.value, dtype)?,
            MakeKind::Zeros => cx.full(element(dtype), &dims, 0.0)?,
            MakeKind::Ones => cx.full(element(dtype), &dims, 1.0)?,
            MakeKind::Not if dtype == ValueType::Bool => cx.unary(UnaryOp::Not, input.value)?,
            MakeKind::View if dtype == value_type(cx.ty(input.value).element) => input.value,
            MakeKind::View => {
                let (from, to) = (value_type(cx.ty(input.value).element).name(), dtype.name());
                let message = format!("the bits of `{from}` as `{to}` are not supported: use `cast` for the numbers");
                return Err(Error::unsupported(message));
            }
            MakeKind::Not => cx.compare_scalar(CompareOp::Eq, input.value, 0.0)?,
        };
        let sizes = input.sizes.clone().filter(|_| is_integer(dtype));
        let sizes = sizes.and_then(|sizes| match self.kind {
            MakeKind::Cast | MakeKind::Saturate | MakeKind::Real | MakeKind::Conjugate => Some(sizes),
            MakeKind::Ones => Some(vec![Dim::ONE; sizes.len()]),
            _ => None,
        });
        let narrow = match made {
            None if self.kind == MakeKind::Not => None,
            None => input.narrow,
            Some(_) => narrow(&args)?,
        };
        args.finish(cx);
        Ok(vec![KerasTensor { sizes, narrow, ..KerasTensor::from(value) }.with_rows_of(input)])
    }
}

/// `condition ? a : b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Where {
    /// No known keys.
    pub params: Params,
}

impl FromOpConfig for Where {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Where { params: Params::read(config) })
    }
}

impl LayerDef for Where {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let keyword = args.keyword(&["condition"]);
        let condition = match args.at(0).or(keyword) {
            Some(Arg::Tensor(tensor)) => tensor.clone(),
            // Truth values in place of a tensor.
            _ => KerasTensor::from(args.first_value(cx, &["condition"], &["x"])?),
        };
        // Keras 2 writes each item of a list of truth values as an argument, and the operands by name.
        let before = if call.kwarg("x").is_some() { args.positional().len() } else { 1 };
        let has_values = args.positional().len() > 1 || ["x", "x1"].iter().any(|name| call.kwarg(name).is_some());
        if !has_values || args.is_null("x") {
            let message = "`where` without values returns as many positions as its condition has; their number depends \
                           on data, which is not supported: multiply by the condition instead";
            return Err(Error::unsupported(message));
        }
        let operands = args.operands(cx, before..usize::MAX)?;
        let sizes = match (&condition.sizes, &operands.a.sizes, &operands.b.sizes) {
            (Some(conditions), Some(a), Some(b)) if is_integer(operands.dtype) => sizes::chosen(conditions, a, b),
            _ => None,
        };
        let condition = condition.value;
        args::numeric(cx, condition)?;
        let (a, b) = (operands.a.value, operands.b.value);
        let (dims, of_values) = (cx.dims_of(condition), [cx.dims_of(a), cx.dims_of(b)]);
        let values = cx.broadcast_shapes(&of_values[0], &of_values[1])?;
        cx.broadcast_shapes(&dims, &values)?;
        if dims.len() != values.len() {
            cx.mixes_batch();
        }
        let condition = to_type(cx, condition, ValueType::Bool)?;
        let value = cx.select(condition, a, b)?;
        args.finish(cx);
        Ok(vec![KerasTensor { sizes, ..KerasTensor::from(value) }])
    }
}

/// Selects the first of several values whose condition holds, or a default.
#[derive(Clone, Debug, PartialEq)]
pub struct Choose {
    /// No known keys.
    pub params: Params,
}

impl FromOpConfig for Choose {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Choose { params: Params::read(config) })
    }
}

impl LayerDef for Choose {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let conditions = args.values(cx, &["condlist"], 0)?;
        let choices = args.values(cx, &["choicelist"], 1)?;
        if conditions.len() != choices.len() || choices.is_empty() {
            let (conditions, choices) = (conditions.len(), choices.len());
            let message = format!("expected as many conditions as choices, found {conditions} and {choices}");
            return Err(Error::malformed(message));
        }
        let default = match args.value(cx, &["default"], Some(2))? {
            Some(default) => default,
            None => cx.scalar(ElementType::I32, 0.0)?,
        };
        let own = |cx: &LowerCx<'_>, value| value_type(cx.ty(value).element);
        let of_choices = choices.iter().fold(ValueType::Bool, |all, &choice| promote(all, own(cx, choice)));
        let weak = args.constant(&["default"], Some(2))?.is_none_or(|constant| constant.weak);
        let dtype = meeting((of_choices, false), (own(cx, default), weak));
        let mut value = to_type(cx, default, dtype)?;
        for (condition, choice) in conditions.into_iter().zip(choices).rev() {
            let condition = to_type(cx, condition, ValueType::Bool)?;
            let choice = to_type(cx, choice, dtype)?;
            value = cx.select(condition, choice, value)?;
        }
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

/// One of two tensors by a condition: a number, or one for each entry of their first axis. Other conditions are those of
/// [`Where`].
#[derive(Clone, Debug, PartialEq)]
pub struct Switch {
    /// No known keys.
    pub params: Params,
}

impl FromOpConfig for Switch {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Switch { params: Params::read(config) })
    }
}

impl LayerDef for Switch {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let (first, second) = (&["then_expression", "x", "t"], &["else_expression", "y", "e"]);
        let by_name = first.iter().any(|name| call.kwarg(name).is_some());
        let condition = match args.at(0).or(args.keyword(&["condition"])) {
            Some(Arg::Tensor(tensor)) if by_name || args.positional().len() > 2 => tensor.value,
            _ => return Where { params: self.params.clone() }.lower(cx, call),
        };
        let of_rows = cx.ty(condition).rank() == 1;
        if !of_rows && (call.kwarg("then_expression").is_none() || cx.ty(condition).rank() > 0) {
            return Where { params: self.params.clone() }.lower(cx, call);
        }
        let (a, b) = (args.need_value(cx, first, Some(1))?, args.need_value(cx, second, Some(2))?);
        let (dims, others) = (cx.dims_of(a), cx.dims_of(b));
        let fits = dims.len() == others.len() && dims.iter().zip(&others).all(|(&a, &b)| cx.same(a, b).is_some());
        if !fits || cx.ty(a).element != cx.ty(b).element {
            let (a, b) = (cx.shape(a), cx.shape(b));
            return Err(Error::malformed(format!(
                "expected two tensors of one shape and type, found shapes {a} and {b}"
            )));
        }
        let mut condition = to_type(cx, condition, ValueType::Bool)?;
        if of_rows {
            let rows = cx.dims_of(condition)[0];
            if dims.first().is_none_or(|&first| cx.same(first, rows).is_none()) {
                let (condition, shape) = (cx.shape(condition), cx.shape(a));
                return Err(Error::malformed(format!("a condition of shape {condition} does not fit rows of {shape}")));
            }
            // SIZE: the rank.
            let mut spread = vec![Dim::ONE; dims.len()];
            spread[0] = rows;
            condition = cx.reshape(condition, &spread)?;
        } else {
            cx.mixes_batch();
        }
        let value = cx.select(condition, a, b)?;
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn types() {
        check("Cast", json!({"dtype": "int32"}), json!(["f:?,3"]), json!({}), "int32[?,3]");
        check("Cast", json!({}), json!(["f:?,3"]), json!({"dtype": "bool"}), "bool[?,3]");
        check("ConvertToTensor", json!({"dtype": null, "sparse": null}), json!(["b:?"]), json!({}), "bool[?]");
        check("ZerosLike", json!({"dtype": "bool"}), json!(["f:?,3"]), json!({}), "bool[?,3]");
        check("LogicalNot", json!({}), json!(["i:?"]), json!({}), "bool[?]");
        let kwargs = json!({"then_expression": "f:?,3", "else_expression": "f:?,3"});
        check("SwitchTensors", json!({}), json!(["b:"]), kwargs, "float32[?,3]");
        check("OldWhere", json!({}), json!(["b:?"]), json!({"x": "f:?,3", "y": "f:?,3"}), "float32[?,3]");
        let wrong = json!(["b:?", "f:?,3", "f:?,4"]);
        refused_with(
            "OldWhere",
            json!({}),
            wrong,
            "expected two tensors of one shape and type, found shapes [?,3] and [?,4]",
        );
        check("Where", json!({}), json!(["b:?,1", "f:?,3", 0.0]), json!({}), "float32[?,3]");
        check("Where", json!({}), json!(["b:?,3"]), json!({"x": "f:?,3", "y": 0}), "float32[?,3]");
        let args = json!([["b:?,3", "b:?,1"], ["f:?,3", "f:?,3"], 0.5]);
        check("Select", json!({}), args, json!({}), "float32[?,3]");
        let message = "the bits of `float32` as `int32` are not supported: use `cast` for the numbers";
        refused_with("View", json!({"dtype": "int32"}), json!(["f:?"]), message);
        refused_with("Cast", json!({"dtype": "complex128"}), json!(["f:?"]), "unknown `dtype` `complex128`");
    }
}
