//! `Merge` of Keras 1 with the mode `cos`: `dot(a, b) / max(sqrt(max(dot(a, a) * dot(b, b), 0)), 1e-7)`, element by element,
//! with an axis of one put behind the batch. Of vectors it is the cosine of their angle.
//!
//! The other modes are layers of their own, see [`parse`](crate::parse). Reference: `Merge` in Keras 1.2.2's
//! `keras/engine/topology.py`.

use super::dot::{Pair, batch_dot};
use crate::call::Call;
use crate::config::{Config, expected};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_manifest::{Error, Result};

/// Keras's smallest divisor.
const FUZZ: f64 = 1e-7;

/// The products of two inputs by their lengths. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Cosine {
    /// The axis of each input that is summed over, the batch counted as 0.
    pub axes: Pair,
}

impl FromConfig for Cosine {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        match config.value("mode") {
            Some(mode) if mode == "cos" => Ok(Cosine { axes: config.or("axes", Pair([-1, -1]))? }),
            other => Err(expected("`cos`", other.unwrap_or_default()).at_json("mode").at_json("config")),
        }
    }
}

impl LayerDef for Cosine {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let inputs: Vec<KerasTensor> = call.inputs().into_iter().cloned().collect();
        let [a, b] = &inputs[..] else {
            return Err(Error::malformed(format!("expected two inputs, found {}", inputs.len())));
        };
        let (a, b) = (cx.to_float(a.value)?, cx.to_float(b.value)?);
        let of_a = batch_dot(cx, a, a, self.axes)?;
        let of_b = batch_dot(cx, b, b, self.axes)?;
        let squares = cx.mul(of_a, of_b)?;
        // Products of other elements than their own may be negative.
        let squares = cx.binary_scalar(BinaryOp::Max, squares, 0.0)?;
        let lengths = cx.unary(UnaryOp::Sqrt, squares)?;
        let lengths = cx.binary_scalar(BinaryOp::Max, lengths, FUZZ)?;
        let product = batch_dot(cx, a, b, self.axes)?;
        let out = cx.div(product, lengths)?;
        Ok(vec![cx.insert_axis(out, 1)?.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused};
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("Merge", json!({"mode": "cos"}), &["?,4", "?,4"], &["?,1,1"]);
        check_infer("Merge", json!({"mode": "cos", "axes": [2, 2]}), &["?,3,4", "?,3,4"], &["?,1,3,3"]);
    }

    #[test]
    fn refuses() {
        check_refused("Merge", json!({"mode": "cos"}), &["?,4"], "expected two inputs, found 1");
        check_refused("Merge", json!({"mode": "tan"}), &[], "`config.mode`: expected `cos`, found `\"tan\"`");
    }
}
