//! `Activation`: an activation function as a layer.

use crate::activation::Activation;
use crate::call::Call;
use crate::config::Config;
use crate::layer::{LayerDef, MaskRule, single};
use crate::registry::FromConfig;
use crate::types::TensorType;
use tfjs_manifest::Result;

/// An activation function as a layer. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivationLayer {
    /// The function.
    pub activation: Activation,
}

impl FromConfig for ActivationLayer {
    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(ActivationLayer { activation: Activation::read(config, "activation", Activation::Linear)? })
    }
}

impl LayerDef for ActivationLayer {
    fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        let input = single(call)?;
        Ok(vec![TensorType { shape: self.activation.infer(input.shape.clone())?, ..*input }])
    }

    fn mask(&self) -> MaskRule {
        MaskRule::Pass
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::check_infer;
    use serde_json::json;

    #[test]
    fn keeps_the_shape() {
        check_infer("Activation", json!({"activation": "relu"}), &["?,3,4"], &["?,3,4"]);
        check_infer("Activation", json!({"activation": "hardSigmoid"}), &["2"], &["2"]);
    }
}
