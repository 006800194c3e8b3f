//! Comparisons and logic of two operands: `x > 0`, `mask_a & mask_b`. The result is truth values.
//!
//! Reference: `keras.ops.greater` and its relatives.

use super::FromOpConfig;
use super::binary::{broadcast, operand_types};
use crate::call::Call;
use crate::config::Config;
use crate::layer::{Exactness, LayerDef};
use crate::types::{TensorType, ValueType};
use tfjs_manifest::{Error, Result};

/// A comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Compare {
    /// Which one.
    pub kind: CompareKind,
}

/// Which comparison.
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
    /// Both are not zero.
    And,
    /// One is not zero.
    Or,
    /// Exactly one is not zero.
    Xor,
}

impl FromOpConfig for Compare {
    fn from_config(class: &str, _config: &Config<'_>) -> Result<Self> {
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
        Ok(Compare { kind })
    }
}

impl LayerDef for Compare {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let ([a, b], _) = operand_types(call)?;
        Ok(vec![TensorType { shape: broadcast(&a.shape, &b.shape)?, dtype: ValueType::Bool }])
    }

    fn exactness(&self) -> Exactness {
        Exactness::Exact
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
