//! Layers that change images randomly in training and return them unchanged at inference: `RandomFlip`,
//! `RandomRotation` and similar ones.
//!
//! Reference: <https://keras.io/api/layers/preprocessing_layers/image_augmentation/>.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_manifest::{Error, Result};

/// The treatment of integers at inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Integers {
    /// They are cast to floating point.
    Cast,
    /// They are kept.
    Keep,
}

/// An augmentation, which only affects training. No weights. DIFFERENCE: TensorFlow.js applies `RandomWidth` at
/// inference too.
#[derive(Clone, Debug, PartialEq)]
pub struct Augmentation {
    /// The class, for messages.
    pub class: String,
    /// The treatment of integers at inference.
    pub integers: Integers,
}

impl FromConfig for Augmentation {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["RandomWidth"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        // Its settings do not matter at inference.
        config.map().keys().for_each(|key| config.inert(&[key]));
        let integers = if matches!(class, "RandomHeight" | "RandomWidth") { Integers::Keep } else { Integers::Cast };
        Ok(Augmentation { class: class.to_string(), integers })
    }
}

impl LayerDef for Augmentation {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        if cx.training() {
            return Err(Error::unsupported(format!("training with `{}` is not supported", self.class)));
        }
        let input = cx.single(call)?.value;
        let out = match self.integers {
            Integers::Cast => cx.to_float(input)?,
            Integers::Keep => input,
        };
        Ok(vec![out.into()])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        if self.class == "RandomWidth" {
            out.warn("TensorFlow.js changes the width of images when it predicts, too");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::lower::Phase;
    use crate::producer::Family;
    use crate::testing::{check_encoded, check_infer, check_program, check_refused_in};
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn images_stay_at_inference() {
        check_infer("RandomFlip", json!({"mode": "horizontal"}), &["?,?,9,3"], &["?,?,9,3"]);
        check_program(
            "RandomZoom",
            json!({"height_factor": 0.5}),
            &["int32 ?,9,9,3 masked"],
            expect![[r#"
            input "x1": i32[batch,9,9,3]
            input "x1.mask": bool[batch,9]
            {
              %0 = input() {port=0} : i32[batch,9,9,3]
              %1 = input() {port=1} : bool[batch,9]
              %2 = cast(%0) {to=f32} : f32[batch,9,9,3]
              return %2 "y1"
            }
        "#]],
        );
        check_program(
            "RandomHeight",
            json!({"factor": 0.5}),
            &["int32 ?,9,9,3"],
            expect![[r#"
            input "x1": i32[batch,9,9,3]
            {
              %0 = input() {port=0} : i32[batch,9,9,3]
              return %0 "y1"
            }
        "#]],
        );
    }

    #[test]
    fn training_is_refused() {
        let message = "training with `RandomContrast` is not supported";
        check_refused_in(Phase::Train, "RandomContrast", json!({"factor": 0.5}), &["?,9,9,3"], message);
    }

    #[test]
    fn what_tensorflow_js_computes_otherwise() {
        let config = json!({"factor": 0.5});
        let warning = "TensorFlow.js changes the width of images when it predicts, too";
        check_encoded(Family::Keras2, &json!([null, 8, 8, 3]), "RandomWidth", &config, &config, &[warning]);
        let unknown = "TensorFlow.js has no layer of this class";
        check_encoded(Family::Keras2, &json!([null, 8, 8, 3]), "RandomHeight", &config, &config, &[unknown]);
    }
}
