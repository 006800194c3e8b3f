//! `Cast`, `ConvertToTensor`, `ZerosLike`, `OnesLike`, `LogicalNot`, `Where`: values made or chosen.
//!
//! Reference: `keras.ops.cast` and its relatives.

use super::FromOpConfig;
use super::args::{self, Args, is_integer, to_type};
use super::params::Params;
use super::sizes;
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, element, value_type};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::{CompareOp, UnaryOp};
use tfjs_manifest::{Error, Result};

/// Values of a tensor made anew.
#[derive(Clone, Debug, PartialEq)]
pub struct Make {
    /// How.
    pub kind: MakeKind,
    /// `dtype`.
    pub params: Params,
}

/// How values are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MakeKind {
    /// The same values in another type.
    Cast,
    /// Zeros.
    Zeros,
    /// Ones.
    Ones,
    /// Whether each value is zero.
    Not,
}

impl FromOpConfig for Make {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "Cast" | "SaturateCast" | "ConvertToTensor" | "Identity" | "StopGradient" | "Copy" | "Real" | "Conj"
            | "Conjugate" => MakeKind::Cast,
            "ZerosLike" => MakeKind::Zeros,
            "OnesLike" => MakeKind::Ones,
            "LogicalNot" => MakeKind::Not,
            other => return Err(Error::bug(format!("`{other}` does not make values"))),
        };
        Ok(Make { kind, params: Params::read(config) })
    }
}

impl LayerDef for Make {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let input = args.numbers(cx, &["value", "variable"])?;
        // A hint is no order, and nothing is sparse or unequal in the batch.
        args.inert(&["dtype_hint", "sparse", "ragged", "optimize", "message", "variable", "shape"]);
        let made = if self.kind == MakeKind::Not { None } else { sizes::dtype(&args, &["dtype"], Some(1))? };
        let dtype = made.unwrap_or(value_type(cx.ty(input.value).element));
        let dims = cx.dims_of(input.value);
        let value = match self.kind {
            MakeKind::Cast => to_type(cx, input.value, dtype)?,
            MakeKind::Zeros => cx.full(element(dtype), &dims, 0.0)?,
            MakeKind::Ones => cx.full(element(dtype), &dims, 1.0)?,
            MakeKind::Not if dtype == ValueType::Bool => cx.unary(UnaryOp::Not, input.value)?,
            MakeKind::Not => cx.compare_scalar(CompareOp::Eq, input.value, 0.0)?,
        };
        let sizes = input.sizes.clone().filter(|_| self.kind == MakeKind::Cast && is_integer(dtype));
        args.finish(cx);
        Ok(vec![KerasTensor { sizes, ..KerasTensor::from(value) }])
    }
}

/// `condition ? a : b`.
#[derive(Clone, Debug, PartialEq)]
pub struct Where {
    /// Nothing that is known.
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
        let condition = args.positional().first().or(keyword).and_then(Arg::tensor);
        let condition = condition.ok_or_else(|| Error::malformed("expected a tensor as the condition"))?.value;
        let operands = args.operands(cx, 1)?;
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
        check("Where", json!({}), json!(["b:?,1", "f:?,3", 0.0]), json!({}), "float32[?,3]");
        check("Where", json!({}), json!(["b:?,3"]), json!({"x": "f:?,3", "y": 0}), "float32[?,3]");
        refused_with("Cast", json!({"dtype": "complex64"}), json!(["f:?"]), "unknown `dtype` `complex64`");
    }
}
