//! `ParametricSoftplus` of Keras 1: `alpha * log(1 + exp(beta * x))`, with a learned `alpha` and `beta` for each element.
//!
//! Reference: `ParametricSoftplus` in Keras 1.2.2's `keras/layers/advanced_activations.py`.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{LayerDef, WeightDecl};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::activate::Activation as Function;
use tfjs_manifest::Result;

/// A learned softplus. Weights: `alphas`, `betas`, of the input's shape without the batch, 1 for shared axes.
#[derive(Clone, Debug, PartialEq)]
pub struct ParametricSoftplus {
    /// The axes along which all elements share their weights, the batch counted as 0.
    pub shared_axes: Vec<i64>,
}

impl FromConfig for ParametricSoftplus {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        // The values that training starts from.
        config.inert(&["alpha_init", "beta_init"]);
        Ok(ParametricSoftplus { shared_axes: super::shared_axes(config)? })
    }
}

impl LayerDef for ParametricSoftplus {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let shape = super::weight_shape(cx, input.value, &self.shared_axes)?;
        let alphas = cx.weight(WeightDecl::new("alphas", shape.clone()).ones())?;
        let betas = cx.weight(WeightDecl::new("betas", shape).ones())?;
        let x = cx.to_float(input.value)?;
        let x = cx.mul(betas, x)?;
        let x = cx.activate(Function::Softplus {}, x)?;
        let out = cx.mul(x, alphas)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("ParametricSoftplus", json!({"alpha_init": 0.2}), &["?,4"], &["?,4"]);
        check_weights("ParametricSoftplus", json!({}), &["?,4,3"], &["alphas[4,3]", "betas[4,3]"]);
    }

    #[test]
    fn refuses() {
        let message = "an axis that is not shared must be known, found shape [?,?,3]";
        check_refused("ParametricSoftplus", json!({}), &["?,?,3"], message);
    }
}
