//! Arithmetic of two operands, either of which may be a constant: `x + y`, `2.0 - x`, `x ** 2`.
//!
//! Reference: `keras.ops.add` and its relatives; shapes broadcast as numpy's do.

use super::FromOpConfig;
use crate::call::{Arg, Call};
use crate::config::Config;
use crate::layer::{LayerDef, MaskRule};
use crate::types::{Dim, SymShape, TensorType, ValueType};
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
    /// `a / b`
    Divide,
    /// `a ** b`
    Power,
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
}

impl FromOpConfig for Binary {
    fn from_config(class: &str, _config: &Config<'_>) -> Result<Self> {
        let kind = match class {
            "Add" => BinaryKind::Add,
            "Subtract" => BinaryKind::Subtract,
            "Multiply" => BinaryKind::Multiply,
            "TrueDivide" | "Divide" => BinaryKind::Divide,
            "Power" => BinaryKind::Power,
            "Maximum" => BinaryKind::Maximum,
            "Minimum" => BinaryKind::Minimum,
            other => return Err(Error::bug(format!("`{other}` is listed as a binary operation"))),
        };
        Ok(Binary { kind })
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

/// The two operands of a call: positional, or `x2`/`y` by keyword.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if there are not two.
pub fn operands<T>(call: &Call<T>) -> Result<[&Arg<T>; 2]> {
    let mut found: Vec<&Arg<T>> = call.args.iter().collect();
    found.extend(["x1", "x", "x2", "y"].iter().filter_map(|k| call.kwarg(k)));
    found.try_into().map_err(|f: Vec<_>| Error::malformed(format!("expected two operands, found {}", f.len())))
}

impl LayerDef for Binary {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let [a, b] = operands(call)?;
        let scalar = |arg: &Arg<TensorType>| match arg {
            Arg::Const(value) if value.is_number() || value.is_boolean() => Ok(()),
            _ => Err(Error::unsupported("an operand is neither a tensor nor a number")),
        };
        match (a.tensor(), b.tensor()) {
            (Some(a), Some(b)) => {
                let dtype = if a.dtype == b.dtype { a.dtype } else { ValueType::Float };
                Ok(vec![TensorType { shape: broadcast(&a.shape, &b.shape)?, dtype }])
            }
            (Some(tensor), None) => scalar(b).map(|()| vec![tensor.clone()]),
            (None, Some(tensor)) => scalar(a).map(|()| vec![tensor.clone()]),
            (None, None) => Err(Error::malformed("an operation without a tensor")),
        }
    }

    fn mask(&self) -> MaskRule {
        MaskRule::Pass
    }
}
