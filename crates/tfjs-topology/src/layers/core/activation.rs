//! `Activation`: an activation function as a layer.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::layers::activation::last::Last;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_manifest::Result;

/// An activation function as a layer. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivationLayer {
    /// The function.
    pub activation: Last,
}

impl FromConfig for ActivationLayer {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Activation"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(ActivationLayer { activation: Last::read(config)? })
    }
}

impl LayerDef for ActivationLayer {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let out = self.activation.lower(cx, input.value)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        self.activation.encode(out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused};
    use serde_json::json;

    #[test]
    fn keeps_the_shape() {
        check_infer("Activation", json!({"activation": "relu"}), &["?,3,4"], &["?,3,4"]);
        check_infer("Activation", json!({"activation": "hardSigmoid"}), &["2"], &["2"]);
    }

    #[test]
    fn a_number_has_no_last_axis() {
        for activation in ["softmax", "log_softmax", "sparsemax", "glu"] {
            let says = "the activation is over the last axis, and a number has none";
            check_refused("Activation", json!({"activation": activation}), &[""], says);
        }
    }
}
