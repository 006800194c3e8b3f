//! Arithmetic of two operands, either of which may be a constant: `x + y`, `2.0 - x`, `x ** 2`.
//!
//! Reference: `keras.ops.add` and its relatives; shapes broadcast by NumPy's rule. The results have no mask.

use super::FromOpConfig;
use super::args::{Args, Operands, is_integer, to_type};
use super::params::Params;
use super::sizes;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_manifest::{Error, Result};

/// The arithmetic operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryKind {
    /// `a + b`
    Add,
    /// `a - b`
    Subtract,
    /// `a * b`
    Multiply,
    /// `a / b`, floating point
    Divide,
    /// `floor(a / b)`
    FloorDivide,
    /// `a - b floor(a / b)`
    Mod,
    /// `a ** b`
    Power,
    /// `(a - b) ** 2`
    SquaredDifference,
    /// The larger of the two.
    Maximum,
    /// The smaller of the two.
    Minimum,
}

/// Arithmetic of two operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The operation.
    pub kind: BinaryKind,
    /// No known keys.
    pub params: Params,
}

impl FromOpConfig for Binary {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "Add" => BinaryKind::Add,
            "Subtract" => BinaryKind::Subtract,
            "Multiply" => BinaryKind::Multiply,
            "TrueDivide" | "Divide" => BinaryKind::Divide,
            "FloorDivide" => BinaryKind::FloorDivide,
            "Mod" => BinaryKind::Mod,
            "Power" => BinaryKind::Power,
            "SquaredDifference" => BinaryKind::SquaredDifference,
            "Maximum" => BinaryKind::Maximum,
            "Minimum" => BinaryKind::Minimum,
            other => return Err(Error::bug(format!("`{other}` is listed as a binary operation"))),
        };
        Ok(Binary { kind, params: Params::read(config) })
    }
}

impl Binary {
    /// Computes the operation for two values of their common type.
    fn compute(&self, cx: &mut LowerCx<'_>, operands: &Operands) -> Result<tfjs_ir::Value> {
        let computed_in = match (self.kind, operands.dtype) {
            (BinaryKind::Divide, _) => ValueType::Float,
            // Truth values are computed as 0 and 1.
            (_, ValueType::Bool) => ValueType::Int32,
            (_, dtype) => dtype,
        };
        let a = to_type(cx, operands.a.value, computed_in)?;
        let b = to_type(cx, operands.b.value, computed_in)?;
        let op = match self.kind {
            BinaryKind::Add => BinaryOp::Add,
            BinaryKind::Subtract => BinaryOp::Sub,
            BinaryKind::Multiply => BinaryOp::Mul,
            BinaryKind::Divide => BinaryOp::Div,
            BinaryKind::FloorDivide => BinaryOp::FloorDiv,
            BinaryKind::Mod => BinaryOp::Mod,
            BinaryKind::Power => BinaryOp::Pow,
            BinaryKind::Maximum => BinaryOp::Max,
            BinaryKind::Minimum => BinaryOp::Min,
            BinaryKind::SquaredDifference => {
                let difference = cx.sub(a, b)?;
                return cx.mul(difference, difference);
            }
        };
        cx.binary(op, a, b)
    }
}

impl LayerDef for Binary {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let operands = args.operands(cx, 0..usize::MAX)?;
        let dtype = if self.kind == BinaryKind::Divide { ValueType::Float } else { operands.dtype };
        let value = self.compute(cx, &operands)?;
        let value = to_type(cx, value, dtype)?;
        let sizes = operands.a.sizes.as_ref().zip(operands.b.sizes.as_ref()).filter(|_| is_integer(dtype));
        let sizes = sizes.and_then(|(a, b)| sizes::binary(cx, self.kind, a, b));
        args.finish(cx);
        Ok(vec![KerasTensor { sizes, ..KerasTensor::from(value) }])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::json;

    #[test]
    fn operands_broadcast_and_meet_in_a_type() {
        check("Add", json!({}), json!(["f:?,3", "f:3"]), json!({}), "float32[?,3]");
        check("Multiply", json!({}), json!(["f:?,3", 2]), json!({}), "float32[?,3]");
        check("Subtract", json!({}), json!([2.0, "i:?,1,4"]), json!({}), "float32[?,1,4]");
        check("Add", json!({}), json!(["l:?,3", [1, 2, 3]]), json!({}), "int64[?,3]");
        check("TrueDivide", json!({}), json!(["i:?"]), json!({"y": "l:?"}), "float32[?]");
        check("Maximum", json!({}), json!(["b:?"]), json!({"y": 3, "name": null}), "int32[?]");
    }

    #[test]
    fn refuses() {
        refused("Add", json!(["f:?,3", "f:4"]), "shapes [?,3] and [4] do not broadcast");
        refused("Add", json!(["f:?,3"]), "expected two operands, found 1");
        refused("Add", json!(["s:?", 1]), "expected numbers, found strings");
    }
}
