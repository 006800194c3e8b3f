//! `ELU`: `x > 0 -> x; else alpha * (exp(x) - 1)`.
//!
//! Reference: <https://keras.io/api/layers/activation_layers/elu/>.

use crate::activation::Activation;
use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::activate::Activation as Function;
use tfjs_manifest::Result;

/// An exponential linear unit. No weights. DIFFERENCE: TensorFlow.js rejects an `alpha` other than 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Elu {
    /// The scale of the negative part; single precision, as the producers compute with it.
    pub alpha: f32,
}

impl FromConfig for Elu {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["ELU"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Elu { alpha: config.or("alpha", 1.0)? })
    }
}

impl Elu {
    /// The layer as an activation function.
    pub fn activation(&self) -> Activation {
        Activation::Elementwise(Function::Elu { alpha: self.alpha.into() })
    }
}

impl LayerDef for Elu {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let out = self.activation().lower(cx, input.value)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        if self.alpha != 1.0 {
            out.warn("TensorFlow.js has ELU with an `alpha` of 1 only");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::registry::Layer;
    use crate::testing::{check_infer, check_program, read_layer};
    use expect_test::expect;
    use serde_json::json;

    #[track_caller]
    fn check(config: serde_json::Value, alpha: f32) {
        let Layer::Elu(elu) = read_layer("ELU", config).unwrap() else { panic!("not an ELU") };
        assert_eq!(elu.alpha, alpha);
    }

    #[test]
    fn parameters() {
        check(json!({}), 1.0);
        check(json!({"alpha": {"type": "ndarray", "value": 0.5}}), 0.5);
        check_infer("ELU", json!({}), &["?,4"], &["?,4"]);
    }

    #[test]
    fn integers_become_floating_point() {
        check_program(
            "ELU",
            json!({}),
            &["int32 ?,4"],
            expect![[r#"
                input "x1": i32[batch,4]
                {
                  %0 = input() {port=0} : i32[batch,4]
                  %1 = cast(%0) {to=f32} : f32[batch,4]
                  %2 = activate(%1) {function=elu/1.0} : f32[batch,4]
                  return %2 "y1"
                }
            "#]],
        );
    }
}
