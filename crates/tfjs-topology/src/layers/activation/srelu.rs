//! `SReLU` of Keras 1: linear in three parts, whose borders and outer slopes are learned for each element.
//!
//! With `r = t_left + |t_right|`: `t_left + relu(x - t_left, a_left, max = r - t_left) + a_right * max(x - r, 0)`, where
//! `relu(u, slope, max)` is `min(max(u, 0), max) + slope * min(u, 0)`. On Theano the maximum is that of the whole:
//! `min(u > 0 ? u : slope * u, max)`.
//!
//! Reference: `SReLU` in Keras 1.2.2's `keras/layers/advanced_activations.py`, `relu` in its backends.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{LayerDef, WeightDecl};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::Value;
use tfjs_ir::prim::activate::Activation as Function;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_manifest::Result;

/// A learned unit of three linear parts. Weights: `t_left`, `a_left`, `t_right`, `a_right`, of the input's shape without
/// the batch, 1 for shared axes.
#[derive(Clone, Debug, PartialEq)]
pub struct SRelu {
    /// The axes along which all elements share their weights, the batch counted as 0.
    pub shared_axes: Vec<i64>,
    /// Whether the left part, too, is no more than the middle one may be: on Theano.
    pub limits_left: bool,
}

impl FromConfig for SRelu {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        // The values that training starts from.
        config.inert(&["t_left_init", "a_left_init", "t_right_init", "a_right_init"]);
        Ok(SRelu { shared_axes: super::shared_axes(config)?, limits_left: config.producer().is_on_theano() })
    }
}

impl LayerDef for SRelu {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let shape = super::weight_shape(cx, input.value, &self.shared_axes)?;
        let mut weight = |name: &str| cx.weight(WeightDecl::new(name, shape.clone()));
        let (left, left_slope) = (weight("t_left")?, weight("a_left")?);
        let (right, right_slope) = (weight("t_right")?, weight("a_right")?);
        let x = cx.to_float(input.value)?;
        let right = cx.unary(UnaryOp::Abs, right)?;
        let right = cx.add(left, right)?;
        let longest = cx.sub(right, left)?;
        let beyond_left = cx.sub(x, left)?;
        let middle = self.left_and_middle(cx, beyond_left, left_slope, longest)?;
        let middle = cx.add(left, middle)?;
        let beyond_right = cx.sub(x, right)?;
        let beyond_right = cx.activate(Function::RELU, beyond_right)?;
        let outer = cx.mul(beyond_right, right_slope)?;
        let out = cx.add(middle, outer)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }
}

impl SRelu {
    /// `relu(u, slope, max)` with a slope and a maximum for each element.
    fn left_and_middle(&self, cx: &mut LowerCx<'_>, u: Value, slope: Value, max: Value) -> Result<Value> {
        let above = cx.activate(Function::RELU, u)?;
        let below = cx.binary_scalar(BinaryOp::Min, u, 0.0)?;
        let below = cx.mul(slope, below)?;
        if self.limits_left {
            let whole = cx.add(above, below)?;
            return cx.binary(BinaryOp::Min, whole, max);
        }
        let above = cx.binary(BinaryOp::Min, above, max)?;
        cx.add(above, below)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("SReLU", json!({"t_left_init": "zero"}), &["?,4"], &["?,4"]);
        let expect = ["t_left[4,3]", "a_left[4,3]", "t_right[4,3]", "a_right[4,3]"];
        check_weights("SReLU", json!({}), &["?,4,3"], &expect);
    }

    #[test]
    fn refuses() {
        let message = "an axis that is not shared must be known, found shape [?,?,3]";
        check_refused("SReLU", json!({}), &["?,?,3"], message);
    }
}
