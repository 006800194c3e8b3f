//! `ReLU`, `LeakyReLU`, `ThresholdedReLU`: one function, `max`, `negative_slope` and `threshold` its parameters.
//!
//! Reference: Keras's `keras/src/activations/activations.py`, `relu`.

use crate::activation::Activation;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_manifest::Result;

/// A rectifier. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Relu {
    /// Always [`Activation::Relu`].
    pub activation: Activation,
}

/// The configuration of `ReLU`. DIFFERENCE: TensorFlow.js reads `max_value` only; the file means all three.
pub(crate) fn read_relu(config: &Config<'_>) -> Result<Activation> {
    Ok(Activation::Relu {
        max: config.opt("max_value")?,
        negative_slope: config.or("negative_slope", 0.0)?,
        threshold: config.or("threshold", 0.0)?,
    })
}

/// The configuration of `LeakyReLU`: `alpha`, which Keras 3 calls `negative_slope`.
pub(crate) fn read_leaky_relu(config: &Config<'_>) -> Result<Activation> {
    let negative_slope = match config.opt("negative_slope")? {
        Some(slope) => slope,
        None => config.or("alpha", 0.3)?,
    };
    Ok(Activation::Relu { max: None, negative_slope, threshold: 0.0 })
}

/// The configuration of `ThresholdedReLU`: `x > theta -> x; else 0`.
pub(crate) fn read_thresholded_relu(config: &Config<'_>) -> Result<Activation> {
    Ok(Activation::Threshold { threshold: config.or("theta", 1.0)?, value: 0.0 })
}

impl FromConfig for Relu {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let activation = match class {
            "LeakyReLU" => read_leaky_relu(config)?,
            "ThresholdedReLU" => read_thresholded_relu(config)?,
            _ => read_relu(config)?,
        };
        Ok(Relu { activation })
    }
}

impl LayerDef for Relu {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let out = self.activation.lower(cx, input.value)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }
}

#[cfg(test)]
mod tests {
    use crate::registry::Layer;
    use crate::testing::{check_infer, check_program, read_layer};
    use expect_test::expect;
    use serde_json::json;

    #[track_caller]
    fn check(class: &str, config: serde_json::Value, expect: super::Activation) {
        let Layer::Relu(relu) = read_layer(class, config).unwrap() else { panic!("not a rectifier") };
        assert_eq!(relu.activation, expect);
    }

    #[test]
    fn parameters() {
        let relu = |max, negative_slope| super::Activation::Relu { max, negative_slope, threshold: 0.0 };
        check("ReLU", json!({}), relu(None, 0.0));
        check(
            "ReLU",
            json!({"max_value": {"type": "ndarray", "value": 6.0}, "negative_slope": 0.5}),
            relu(Some(6.0), 0.5),
        );
        check("LeakyReLU", json!({}), relu(None, 0.3));
        check("LeakyReLU", json!({"negative_slope": 0.25}), relu(None, 0.25));
        check_infer("ReLU", json!({}), &["?,4"], &["?,4"]);
    }

    #[test]
    fn integers_stay_such() {
        check_program(
            "ReLU",
            json!({"max_value": 6}),
            &["int32 ?,4"],
            expect![[r#"
                input "x1": i32[batch,4]
                const const0: i32[] = [0]
                const const1: i32[] = [6]
                {
                  %0 = input() {port=0} : i32[batch,4]
                  %1 = const() {constant=const0} : i32[]
                  %2 = binary(%0, %1) {op=max} : i32[batch,4]
                  %3 = const() {constant=const1} : i32[]
                  %4 = binary(%2, %3) {op=min} : i32[batch,4]
                  return %4 "y1"
                }
            "#]],
        );
        check_program(
            "LeakyReLU",
            json!({"alpha": 0.5}),
            &["int32 ?,4 masked"],
            expect![[r#"
                input "x1": i32[batch,4]
                input "x1.mask": bool[batch,4]
                {
                  %0 = input() {port=0} : i32[batch,4]
                  %1 = input() {port=1} : bool[batch,4]
                  %2 = cast(%0) {to=f32} : f32[batch,4]
                  %3 = activate(%2) {function=relu/inf/0.5/0.0} : f32[batch,4]
                  return %3 "y1", %1 "y1.mask"
                }
            "#]],
        );
    }
}
