//! Comparisons and logic of two operands: `x > 0`, `mask_a & mask_b`. The result is truth values.
//!
//! Reference: `keras.ops.greater` and its relatives.

use super::FromOpConfig;
use super::args::{Args, to_type};
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp};
use tfjs_manifest::{Error, Result};

/// A comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Compare {
    /// The comparison.
    pub kind: CompareKind,
    /// No known keys.
    pub params: Params,
}

/// The comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareKind {
    /// `a == b`
    Equal,
    /// `a != b`
    NotEqual,
    /// `a > b`
    Greater,
    /// `a >= b`
    GreaterEqual,
    /// `a < b`
    Less,
    /// `a <= b`
    LessEqual,
    /// Both are nonzero.
    And,
    /// At least one is nonzero.
    Or,
    /// Exactly one is nonzero.
    Xor,
}

impl FromOpConfig for Compare {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "Equal" => CompareKind::Equal,
            "NotEqual" => CompareKind::NotEqual,
            "Greater" => CompareKind::Greater,
            "GreaterEqual" => CompareKind::GreaterEqual,
            "Less" => CompareKind::Less,
            "LessEqual" => CompareKind::LessEqual,
            "LogicalAnd" => CompareKind::And,
            "LogicalOr" => CompareKind::Or,
            "LogicalXor" => CompareKind::Xor,
            other => return Err(Error::bug(format!("`{other}` is listed as a comparison"))),
        };
        Ok(Compare { kind, params: Params::read(config) })
    }
}

/// A comparison, or a logical operation on truth values.
enum Op {
    Compare(CompareOp),
    Logic(BinaryOp),
}

impl CompareKind {
    fn op(self) -> Op {
        match self {
            CompareKind::Equal => Op::Compare(CompareOp::Eq),
            CompareKind::NotEqual => Op::Compare(CompareOp::Ne),
            CompareKind::Greater => Op::Compare(CompareOp::Gt),
            CompareKind::GreaterEqual => Op::Compare(CompareOp::Ge),
            CompareKind::Less => Op::Compare(CompareOp::Lt),
            CompareKind::LessEqual => Op::Compare(CompareOp::Le),
            CompareKind::And => Op::Logic(BinaryOp::And),
            CompareKind::Or => Op::Logic(BinaryOp::Or),
            CompareKind::Xor => Op::Logic(BinaryOp::Xor),
        }
    }
}

impl LayerDef for Compare {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let operands = args.operands(cx, 0..usize::MAX)?;
        let (a, b) = (operands.a.value, operands.b.value);
        let sizes = match (self.kind.op(), &operands.a.sizes, &operands.b.sizes) {
            (Op::Compare(op), Some(a), Some(b)) => super::sizes::compared(cx, op, a, b),
            _ => None,
        };
        let value = match self.kind.op() {
            Op::Logic(op) => {
                let (a, b) = (to_type(cx, a, ValueType::Bool)?, to_type(cx, b, ValueType::Bool)?);
                cx.binary(op, a, b)?
            }
            // Truth values are compared as 0 and 1.
            Op::Compare(op) if operands.dtype == ValueType::Bool => {
                let (a, b) = (to_type(cx, a, ValueType::Int32)?, to_type(cx, b, ValueType::Int32)?);
                cx.compare(op, a, b)?
            }
            Op::Compare(op) => cx.compare(op, a, b)?,
        };
        args.finish(cx);
        Ok(vec![KerasTensor { sizes, ..KerasTensor::from(value) }])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::json;

    #[test]
    fn truth_values() {
        check("NotEqual", json!({}), json!(["i:?,6", 0]), json!({}), "bool[?,6]");
        check("LogicalOr", json!({}), json!(["b:?,6,1", "b:?,6,3"]), json!({}), "bool[?,6,3]");
        refused("Less", json!(["s:?", 0]), "expected numbers, found strings");
    }
}
