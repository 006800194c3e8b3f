//! `ReLU`, `LeakyReLU`, `ThresholdedReLU`: one function with the parameters `max`, `negative_slope` and `threshold`.
//!
//! Reference: Keras's `keras/src/activations/activations.py`, `relu`.

use crate::activation::Activation;
use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::activate::Activation as Function;
use tfjs_manifest::{Error, Result};

/// A rectifier. No weights. Parameters are single precision, as the producers compute with them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Relu {
    /// `ReLU`: `x >= max -> max; threshold <= x < max -> x; else negative_slope * (x - threshold)`.
    /// DIFFERENCE: TensorFlow.js reads only `max_value`, although files contain all three.
    Plain {
        /// The maximum; infinity for none.
        max: f32,
        /// The slope below the threshold.
        negative_slope: f32,
        /// The threshold between the two parts.
        threshold: f32,
    },
    /// `LeakyReLU`: `x >= 0 -> x; else slope * x`.
    Leaky {
        /// The slope below 0.
        slope: f32,
    },
    /// `ThresholdedReLU`: `x > theta -> x; else 0`.
    Thresholded {
        /// The threshold.
        theta: f32,
    },
}

impl FromConfig for Relu {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["ReLU", "LeakyReLU", "ThresholdedReLU"];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(match class {
            "ReLU" => Relu::Plain {
                max: config.or("max_value", f32::INFINITY)?,
                negative_slope: config.or("negative_slope", 0.0)?,
                threshold: config.or("threshold", 0.0)?,
            },
            // Keras 3 calls it `negative_slope`.
            "LeakyReLU" => Relu::Leaky {
                slope: match config.opt("negative_slope")? {
                    Some(slope) => slope,
                    None => config.or("alpha", 0.3)?,
                },
            },
            "ThresholdedReLU" => Relu::Thresholded { theta: config.or("theta", 1.0)? },
            other => return Err(Error::bug(format!("`{other}` is listed as a rectifier"))),
        })
    }
}

impl Relu {
    /// The layer as an activation function.
    pub fn activation(self) -> Activation {
        match self {
            Relu::Plain { max, negative_slope, threshold } => Activation::Elementwise(Function::Relu {
                max: max.into(),
                negative_slope: negative_slope.into(),
                threshold: threshold.into(),
            }),
            Relu::Leaky { slope } => Activation::leaky_relu(slope),
            Relu::Thresholded { theta } => {
                Activation::Elementwise(Function::Threshold { threshold: theta.into(), value: 0.0 })
            }
        }
    }
}

impl LayerDef for Relu {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        let out = self.activation().lower(cx, input.value)?;
        Ok(vec![KerasTensor::from(out).with_mask(input.mask)])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        match *self {
            Relu::Plain { negative_slope, threshold, .. } => {
                for (key, value) in [("negative_slope", negative_slope), ("threshold", threshold)] {
                    if value != 0.0 {
                        out.warn(format_args!("TensorFlow.js ignores `{key}`"));
                    }
                }
            }
            Relu::Leaky { .. } => out.rename("negative_slope", "alpha"),
            Relu::Thresholded { .. } => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Relu;
    use crate::registry::Layer;
    use crate::testing::{check_infer, check_program, read_layer};
    use expect_test::expect;
    use serde_json::json;

    #[track_caller]
    fn check(class: &str, config: serde_json::Value, expect: Relu) {
        let Layer::Relu(relu) = read_layer(class, config).unwrap() else { panic!("not a rectifier") };
        assert_eq!(*relu, expect);
    }

    #[test]
    fn parameters() {
        let relu = |max, negative_slope| Relu::Plain { max, negative_slope, threshold: 0.0 };
        check("ReLU", json!({}), relu(f32::INFINITY, 0.0));
        check("ReLU", json!({"max_value": {"type": "ndarray", "value": 6.0}, "negative_slope": 0.5}), relu(6.0, 0.5));
        check("LeakyReLU", json!({}), Relu::Leaky { slope: 0.3 });
        check("LeakyReLU", json!({"negative_slope": 0.25}), Relu::Leaky { slope: 0.25 });
        check("ThresholdedReLU", json!({"theta": 0.5}), Relu::Thresholded { theta: 0.5 });
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
