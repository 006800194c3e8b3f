//! Activation functions by every name the producers use, with the arithmetic the producer means.
//!
//! Formulas: Keras's `keras/src/activations`, TensorFlow.js's `tfjs-layers/src/activations.ts`.

use crate::config::{Config, expected};
use crate::producer::Producer;
use crate::read::ReadCx;
use serde_json::Value;
use tfjs_manifest::{Error, Result};

/// An elementwise function, or a softmax over the last axis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// `x`
    #[default]
    Linear,
    /// `x >= max -> max; threshold <= x < max -> x; else negative_slope * (x - threshold)`
    Relu {
        /// The ceiling, if there is one.
        max: Option<f32>,
        /// The slope below the threshold.
        negative_slope: f32,
        /// Where the function leaves the floor.
        threshold: f32,
    },
    /// `x > 0 -> x; else alpha * (exp(x) - 1)`
    Elu {
        /// The scale of the negative part.
        alpha: f32,
    },
    /// `1.0507 * elu(x, 1.6733)`
    Selu,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `clip(0.2 x + 0.5, 0, 1)`: TensorFlow.js, Keras 1 and 2.
    HardSigmoidClip,
    /// `relu6(x + 3) / 6`: Keras 3.
    HardSigmoidRelu6,
    /// `tanh(x)`
    Tanh,
    /// `log(1 + exp(x))`
    Softplus,
    /// `x / (1 + |x|)`
    Softsign,
    /// Over the last axis.
    Softmax,
    /// `log(softmax(x))` over the last axis.
    LogSoftmax,
    /// `x * sigmoid(x)`: swish.
    Silu,
    /// `x * relu6(x + 3) / 6`: hard swish.
    HardSilu,
    /// `0.5 x (1 + erf(x / sqrt 2))`
    Gelu,
    /// `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`
    GeluTanh,
    /// `x * tanh(softplus(x))`
    Mish,
    /// `exp(x)`
    Exponential,
    /// `max(0, x) + min(0, alpha (exp(x / alpha) - 1))`
    Celu {
        /// The scale of the negative part.
        alpha: f32,
    },
    /// `|x| > lambda -> x; else 0`
    HardShrink {
        /// Half the width of the flat part.
        lambda: f32,
    },
    /// `x > lambda -> x - lambda; x < -lambda -> x + lambda; else 0`
    SoftShrink {
        /// Half the width of the flat part.
        lambda: f32,
    },
    /// `clip(x, -1, 1)`
    HardTanh,
    /// `log(sigmoid(x))`
    LogSigmoid,
    /// `x - tanh(x)`
    TanhShrink,
    /// `x >= 1 -> x; -1 < x < 1 -> (x + 1)^2 / 4; else 0`
    SparsePlus,
    /// `clip((x + 1) / 2, 0, 1)`
    SparseSigmoid,
    /// `(x + sqrt(x^2 + b)) / 2`
    Squareplus {
        /// The curvature.
        b: f32,
    },
    /// The projection on the simplex, over the last axis: a softmax with exact zeros.
    Sparsemax,
    /// `a * sigmoid(b)` for the two halves of the last axis.
    Glu,
    /// `x > threshold -> x; else value`
    Threshold {
        /// The border.
        threshold: f32,
        /// The value at and below it.
        value: f32,
    },
}

impl Activation {
    /// `max(0, x)`.
    pub const RELU: Activation = Activation::Relu { max: None, negative_slope: 0.0, threshold: 0.0 };
    /// `min(max(0, x), 6)`.
    pub const RELU6: Activation = Activation::Relu { max: Some(6.0), negative_slope: 0.0, threshold: 0.0 };

    /// Names for suggestions and documentation, in Keras's spelling.
    pub const NAMES: &'static [&'static str] = &[
        "linear",
        "relu",
        "relu6",
        "elu",
        "selu",
        "sigmoid",
        "hard_sigmoid",
        "tanh",
        "softplus",
        "softsign",
        "softmax",
        "log_softmax",
        "silu",
        "swish",
        "hard_silu",
        "hard_swish",
        "gelu",
        "gelu_new",
        "mish",
        "exponential",
        "celu",
        "hard_shrink",
        "soft_shrink",
        "hard_tanh",
        "log_sigmoid",
        "tanh_shrink",
        "sparse_plus",
        "sparse_sigmoid",
        "squareplus",
        "threshold",
        "sparsemax",
        "glu",
        "leaky_relu",
    ];

    /// The function a producer means by a name, in snake or camel case.
    pub fn from_name(name: &str, producer: &Producer) -> Option<Self> {
        let key: String = name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect();
        Some(match key.as_str() {
            "linear" => Activation::Linear,
            "relu" => Activation::RELU,
            "relu6" => Activation::RELU6,
            // Keras's function has another slope than its layer.
            "leakyrelu" => Activation::Relu { max: None, negative_slope: 0.2, threshold: 0.0 },
            "elu" => Activation::Elu { alpha: 1.0 },
            "selu" => Activation::Selu,
            "sigmoid" => Activation::Sigmoid,
            "hardsigmoid" if producer.is_keras3() => Activation::HardSigmoidRelu6,
            "hardsigmoid" => Activation::HardSigmoidClip,
            "tanh" => Activation::Tanh,
            "softplus" => Activation::Softplus,
            "softsign" => Activation::Softsign,
            "softmax" => Activation::Softmax,
            "logsoftmax" => Activation::LogSoftmax,
            "silu" | "swish" => Activation::Silu,
            "hardsilu" | "hardswish" => Activation::HardSilu,
            "gelu" => Activation::Gelu,
            "gelunew" => Activation::GeluTanh,
            "mish" => Activation::Mish,
            "exponential" => Activation::Exponential,
            "celu" => Activation::Celu { alpha: 1.0 },
            "hardshrink" => Activation::HardShrink { lambda: 0.5 },
            "softshrink" => Activation::SoftShrink { lambda: 0.5 },
            "hardtanh" => Activation::HardTanh,
            "logsigmoid" => Activation::LogSigmoid,
            "tanhshrink" => Activation::TanhShrink,
            "sparseplus" => Activation::SparsePlus,
            "sparsesigmoid" => Activation::SparseSigmoid,
            "squareplus" => Activation::Squareplus { b: 4.0 },
            "sparsemax" => Activation::Sparsemax,
            "glu" => Activation::Glu,
            "threshold" => Activation::Threshold { threshold: 0.0, value: 0.0 },
            _ => return None,
        })
    }

    /// Reads the `activation` of a layer: a name, `{"class_name": "function", "config": name}`, or an
    /// advanced activation layer written in place.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a name nobody knows, with the nearest known one.
    pub fn read(config: &Config<'_>, key: &str, default: Activation) -> Result<Self> {
        let Some(value) = config.value(key) else { return Ok(default) };
        Self::from_value(value, config.cx()).map_err(|e| e.at_json(key).at_json("config"))
    }

    pub(crate) fn from_value(value: &Value, cx: &ReadCx<'_>) -> Result<Self> {
        if let Some(name) = value.as_str() {
            // `Custom>gelu` and `package>gelu` are registrations of a function under its own name.
            let bare = name.rsplit('>').next().unwrap_or(name);
            return Self::from_name(bare, cx.producer).ok_or_else(|| unknown(name));
        }
        let class = value.get("class_name").or_else(|| value.get("className")).and_then(Value::as_str);
        let config = value.get("config");
        match (class, config) {
            (Some("function"), Some(name)) => Self::from_value(name, cx),
            (Some(class), Some(Value::Object(map))) => Self::from_layer(class, &Config::new(map, cx)),
            (Some(class), None) => Self::from_name(class, cx.producer).ok_or_else(|| unknown(class)),
            _ => Err(expected("the name of an activation", value)),
        }
    }

    /// The function of an activation layer: `ReLU`, `LeakyReLU`, `ELU`, `ThresholdedReLU`, `Activation`.
    fn from_layer(class: &str, config: &Config<'_>) -> Result<Self> {
        match class {
            "ReLU" => crate::layers::activation::relu::read_relu(config),
            "LeakyReLU" => crate::layers::activation::relu::read_leaky_relu(config),
            "ThresholdedReLU" => crate::layers::activation::relu::read_thresholded_relu(config),
            "ELU" => Ok(Activation::Elu { alpha: config.or("alpha", 1.0)? }),
            "Activation" => Activation::read(config, "activation", Activation::Linear),
            other => Self::from_name(other, config.producer()).ok_or_else(|| unknown(other)),
        }
    }

    /// Whether integers stay integers. Of all others the values are floating point.
    pub fn keeps_integers(&self) -> bool {
        match self {
            Activation::Linear => true,
            Activation::Relu { negative_slope, .. } => *negative_slope == 0.0,
            _ => false,
        }
    }
}

fn unknown(name: &str) -> Error {
    let hint = crate::suggest::nearest(name, Activation::NAMES.iter().copied());
    Error::unsupported(format!("unknown activation `{name}`{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::Family;
    use serde_json::json;

    #[track_caller]
    fn check(family: Family, value: Value, expect: Activation) {
        assert_eq!(Activation::from_value(&value, &ReadCx::new(&Producer::of(family))).unwrap(), expect);
    }

    #[test]
    fn the_producer_decides() {
        check(Family::Keras2, json!("hard_sigmoid"), Activation::HardSigmoidClip);
        check(Family::TensorFlowJs, json!("hardSigmoid"), Activation::HardSigmoidClip);
        check(Family::Keras3, json!("hard_sigmoid"), Activation::HardSigmoidRelu6);
    }

    #[test]
    fn objects_are_functions_too() {
        check(Family::Keras2, json!({"class_name": "function", "config": "relu"}), Activation::RELU);
        let leaky = json!({"class_name": "LeakyReLU", "config": {"alpha": 0.1}});
        check(Family::Keras2, leaky, Activation::Relu { max: None, negative_slope: 0.1, threshold: 0.0 });
    }

    #[test]
    fn every_name_is_known_and_a_wrong_one_is_answered() {
        let producer = Producer::of(Family::Keras3);
        for name in Activation::NAMES {
            assert!(Activation::from_name(name, &producer).is_some(), "{name}");
        }
        let error = Activation::from_value(&json!("sigmod"), &ReadCx::new(&producer)).unwrap_err();
        assert_eq!(error.to_string(), "unknown activation `sigmod`; did you mean `sigmoid`?");
    }
}
