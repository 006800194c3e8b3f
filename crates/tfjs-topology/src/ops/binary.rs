//! Arithmetic of two operands, either of which may be a constant: `x + y`, `2.0 - x`, `x ** 2`.
//!
//! Reference: `keras.ops.add` and its relatives; shapes broadcast as numpy's do. Operations carry no mask.

use super::FromOpConfig;
use super::args::{Args, Operands, is_integer, to_type};
use super::params::{Constant, Params, meeting, numeric};
use super::sizes;
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::types::{Dim, SymShape, TensorType, ValueType};
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_manifest::{Error, Result};

/// Which arithmetic.
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
    /// Which arithmetic.
    pub kind: BinaryKind,
    /// Nothing that is known.
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

/// The shape two operands broadcast to: aligned at the last axis, 1 stretches, unknown stays unknown.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if a pair of dimensions differs.
pub fn broadcast(a: &SymShape, b: &SymShape) -> Result<SymShape> {
    let rank = a.rank().max(b.rank());
    let dim =
        |shape: &SymShape, i: usize| -> Dim { (i + shape.rank()).checked_sub(rank).map_or(Some(1), |i| shape.0[i]) };
    (0..rank)
        .map(|i| match (dim(a, i), dim(b, i)) {
            (Some(1), d) | (d, Some(1)) => Ok(d),
            (None, d) | (d, None) => Ok(d),
            (Some(x), Some(y)) if x == y => Ok(Some(x)),
            _ => Err(Error::malformed(format!("shapes {a} and {b} do not broadcast"))),
        })
        .collect::<Result<Vec<Dim>>>()
        .map(SymShape)
}

/// The two operands of a call: positional, or by keyword.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if there are not two.
pub fn operands<T>(call: &Call<T>) -> Result<[&Arg<T>; 2]> {
    let mut found: Vec<&Arg<T>> = call.args.iter().collect();
    found.extend(["x1", "x", "a", "x2", "y", "b"].iter().filter_map(|k| call.kwarg(k)));
    found.try_into().map_err(|f: Vec<_>| Error::malformed(format!("expected two operands, found {}", f.len())))
}

/// The types of two operands, and the one they meet in. A constant takes the tensor's type where that holds it.
///
/// # Errors
/// Strings, and what is neither a tensor nor a constant.
pub fn operand_types(call: &Call<TensorType>) -> Result<([TensorType; 2], ValueType)> {
    let typed = |arg: &Arg<TensorType>| -> Result<(TensorType, bool)> {
        match arg {
            Arg::Tensor(ty) => numeric(ty).map(|ty| (ty.clone(), false)),
            Arg::Const(value) => Constant::read(value).map(|c| (c.ty(), c.weak)),
            _ => Err(Error::unsupported("an operand is neither a tensor nor a number")),
        }
    };
    let [a, b] = operands(call)?;
    if a.tensor().is_none() && b.tensor().is_none() {
        return Err(Error::malformed("an operation without a tensor"));
    }
    let ((a, a_weak), (b, b_weak)) = (typed(a)?, typed(b)?);
    let dtype = meeting((a.dtype, a_weak), (b.dtype, b_weak));
    Ok(([a, b], dtype))
}

impl Binary {
    /// The arithmetic of two values of this type.
    fn compute(&self, cx: &mut LowerCx<'_>, operands: &Operands) -> Result<tfjs_ir::Value> {
        let computed_in = match (self.kind, operands.dtype) {
            (BinaryKind::Divide, _) => ValueType::Float,
            // Truth values count as 0 and 1.
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
        let operands = args.operands(cx, 0)?;
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
