//! Activation functions, found by every name that producers use, with the formula of the producer.
//!
//! Formulas: Keras's `keras/src/activations`, TensorFlow.js's `tfjs-layers/src/activations.ts`.

use crate::config::{Config, expected};
use crate::layers::activation::elu::Elu;
use crate::layers::activation::relu::Relu;
use crate::layers::activation::softmax::Softmax;
use crate::producer::Producer;
use crate::read::ReadCx;
use crate::registry::FromConfig;
use serde_json::Value;
use tfjs_ir::prim::activate::Activation as Function;
use tfjs_manifest::{Error, Result};

/// An activation: an elementwise function, or a function over the last axis.
///
/// The elementwise functions are those of [`for_each_activation!`](tfjs_ir::for_each_activation); `NAMED` has their
/// names.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// `x`
    #[default]
    Linear,
    /// An elementwise function.
    Elementwise(Function),
    /// A softmax over the last axis.
    Softmax,
    /// `log(softmax(x))` over the last axis.
    LogSoftmax,
    /// The projection onto the simplex, over the last axis: a softmax with exact zeros.
    Sparsemax,
    /// `a * sigmoid(b)` for the two halves of the last axis.
    Glu,
}

/// The names of an activation: Keras's names, and TensorFlow.js's name if it has the function.
struct Named {
    keras: &'static [&'static str],
    is: Activation,
    tensorflow_js: Option<&'static str>,
}

/// Every named activation. Names are compared ignoring case and underscores.
const NAMED: &[Named] = {
    use Activation::Elementwise as Each;
    use Function as F;
    &[
        Named { keras: &["linear"], is: Activation::Linear, tensorflow_js: Some("linear") },
        Named { keras: &["relu"], is: Activation::RELU, tensorflow_js: Some("relu") },
        Named { keras: &["relu6"], is: Activation::RELU6, tensorflow_js: Some("relu6") },
        Named { keras: &["elu"], is: Each(F::Elu { alpha: 1.0 }), tensorflow_js: Some("elu") },
        Named { keras: &["selu"], is: Each(F::Selu {}), tensorflow_js: Some("selu") },
        Named { keras: &["sigmoid"], is: Each(F::Sigmoid {}), tensorflow_js: Some("sigmoid") },
        // Keras 3 uses this name for another function: see `from_name`.
        Named { keras: &["hard_sigmoid"], is: Activation::HARD_SIGMOID, tensorflow_js: Some("hard_sigmoid") },
        Named { keras: &["tanh"], is: Each(F::Tanh {}), tensorflow_js: Some("tanh") },
        Named { keras: &["softplus"], is: Each(F::Softplus {}), tensorflow_js: Some("softplus") },
        Named { keras: &["softsign"], is: Each(F::Softsign {}), tensorflow_js: Some("softsign") },
        Named { keras: &["softmax"], is: Activation::Softmax, tensorflow_js: Some("softmax") },
        Named { keras: &["log_softmax"], is: Activation::LogSoftmax, tensorflow_js: Some("log_softmax") },
        Named { keras: &["silu", "swish"], is: Each(F::Silu {}), tensorflow_js: Some("swish") },
        Named { keras: &["hard_silu", "hard_swish"], is: Each(F::HardSilu {}), tensorflow_js: None },
        Named { keras: &["gelu"], is: Each(F::Gelu {}), tensorflow_js: Some("gelu") },
        // TensorFlow.js writes the first name but cannot read it; KerasNLP registers the second.
        Named { keras: &["gelu_new", "gelu_approximate"], is: Each(F::GeluTanh {}), tensorflow_js: None },
        Named { keras: &["mish"], is: Each(F::Mish {}), tensorflow_js: Some("mish") },
        Named { keras: &["exponential"], is: Each(F::Exponential {}), tensorflow_js: None },
        Named { keras: &["celu"], is: Each(F::Celu { alpha: 1.0 }), tensorflow_js: None },
        Named { keras: &["hard_shrink"], is: Each(F::HardShrink { lambda: 0.5 }), tensorflow_js: None },
        Named { keras: &["soft_shrink"], is: Each(F::SoftShrink { lambda: 0.5 }), tensorflow_js: None },
        Named { keras: &["hard_tanh"], is: Each(F::Clip { low: -1.0, high: 1.0 }), tensorflow_js: None },
        Named { keras: &["log_sigmoid"], is: Each(F::LogSigmoid {}), tensorflow_js: None },
        Named { keras: &["tanh_shrink"], is: Each(F::TanhShrink {}), tensorflow_js: None },
        Named { keras: &["sparse_plus"], is: Each(F::SparsePlus {}), tensorflow_js: None },
        Named { keras: &["sparse_sigmoid"], is: Each(F::HardSigmoid { slope: 0.5, offset: 0.5 }), tensorflow_js: None },
        Named { keras: &["squareplus"], is: Each(F::Squareplus { b: 4.0 }), tensorflow_js: None },
        Named { keras: &["threshold"], is: Each(F::Threshold { threshold: 0.0, value: 0.0 }), tensorflow_js: None },
        Named { keras: &["sparsemax"], is: Activation::Sparsemax, tensorflow_js: None },
        Named { keras: &["glu"], is: Activation::Glu, tensorflow_js: None },
        // The slope of Keras's function differs from that of its layer.
        Named { keras: &["leaky_relu"], is: Activation::leaky_relu(0.2), tensorflow_js: None },
    ]
};

impl Activation {
    /// `max(0, x)`.
    pub const RELU: Activation = Activation::Elementwise(Function::RELU);
    /// `min(max(0, x), 6)`.
    pub const RELU6: Activation = Activation::Elementwise(Function::RELU6);
    /// `clip(0.2 x + 0.5, 0, 1)`: TensorFlow.js, Keras 1 and 2.
    pub const HARD_SIGMOID: Activation = Activation::Elementwise(Function::HardSigmoid { slope: 0.2, offset: 0.5 });
    /// `relu6(x + 3) / 6`: the hard sigmoid of Keras 3.
    pub const HARD_SIGMOID_RELU6: Activation =
        Activation::Elementwise(Function::HardSigmoid { slope: 1.0 / 6.0, offset: 0.5 });
    /// `1 / (1 + exp(-x))`.
    pub const SIGMOID: Activation = Activation::Elementwise(Function::Sigmoid {});
    /// `tanh(x)`.
    pub const TANH: Activation = Activation::Elementwise(Function::Tanh {});

    /// `x >= 0 -> x; else slope * x`. Parameters are single precision, as the producers compute with them.
    pub const fn leaky_relu(slope: f32) -> Activation {
        let negative_slope = slope as f64;
        Activation::Elementwise(Function::Relu { max: f64::INFINITY, negative_slope, threshold: 0.0 })
    }

    /// Keras's name; `None` for parameters that have no name.
    pub fn name(self) -> Option<&'static str> {
        if self == Activation::HARD_SIGMOID_RELU6 {
            return Some("hard_sigmoid");
        }
        NAMED.iter().find(|named| named.is == self).and_then(|named| named.keras.first().copied())
    }

    /// TensorFlow.js's name; `None` for a function that it lacks.
    pub(crate) fn tensorflow_js_name(self) -> Option<&'static str> {
        NAMED.iter().find(|named| named.is == self).and_then(|named| named.tensorflow_js)
    }

    /// The function that a producer means by a name, in snake or camel case.
    pub fn from_name(name: &str, producer: &Producer) -> Option<Self> {
        let is_called = |known: &str| letters(known).eq(letters(name));
        let found = NAMED.iter().find(|named| named.keras.iter().any(|known| is_called(known)))?;
        let is_keras3 = producer.is_keras3();
        Some(if is_keras3 && found.is == Activation::HARD_SIGMOID { Activation::HARD_SIGMOID_RELU6 } else { found.is })
    }

    /// Reads the `activation` of a layer: a name, `{"class_name": "function", "config": name}`, or an
    /// activation layer in place of a name.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for an unknown name, with the nearest known one.
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

    /// The function of an activation layer: `ReLU`, `LeakyReLU`, `ELU`, `ThresholdedReLU`, `Softmax`, `Activation`.
    fn from_layer(class: &str, config: &Config<'_>) -> Result<Self> {
        match class {
            "ReLU" | "LeakyReLU" | "ThresholdedReLU" => Relu::from_config(class, config).map(Relu::activation),
            "ELU" => Elu::from_config(class, config).map(|elu| elu.activation()),
            "Activation" => Activation::read(config, "activation", Activation::Linear),
            "PReLU" => {
                Err(Error::unsupported("a `PReLU` is not supported as this activation: it has weights of its own"))
            }
            "Softmax" => match Softmax::from_config(class, config)?.axes.0[..] {
                [-1] => Ok(Activation::Softmax),
                _ => Err(Error::unsupported("a softmax over another axis than the last is not supported here")),
            },
            other => Self::from_name(other, config.producer()).ok_or_else(|| unknown(other)),
        }
    }

    /// Whether integers stay integers. All other functions return floating point.
    pub fn keeps_integers(&self) -> bool {
        match self {
            Activation::Linear => true,
            Activation::Elementwise(Function::Relu { negative_slope, .. }) => *negative_slope == 0.0,
            _ => false,
        }
    }
}

/// A name in lower case, without underscores.
fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| *c != '_').flat_map(char::to_lowercase)
}

fn unknown(name: &str) -> Error {
    let hint = crate::suggest::nearest(name, NAMED.iter().flat_map(|named| named.keras.iter().copied()));
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
        check(Family::Keras2, json!("hard_sigmoid"), Activation::HARD_SIGMOID);
        check(Family::TensorFlowJs, json!("hardSigmoid"), Activation::HARD_SIGMOID);
        check(Family::Keras3, json!("hard_sigmoid"), Activation::HARD_SIGMOID_RELU6);
    }

    #[test]
    fn objects_are_functions_too() {
        check(Family::Keras2, json!({"class_name": "function", "config": "relu"}), Activation::RELU);
        let leaky = json!({"class_name": "LeakyReLU", "config": {"alpha": 0.1}});
        check(Family::Keras2, leaky, Activation::leaky_relu(0.1));
    }

    #[test]
    fn every_name_is_known_and_a_wrong_one_is_answered() {
        let producer = Producer::of(Family::Keras2);
        for named in NAMED {
            for name in named.keras {
                assert_eq!(Activation::from_name(name, &producer), Some(named.is), "{name}");
            }
        }
        let error = Activation::from_value(&json!("sigmod"), &ReadCx::new(&producer)).unwrap_err();
        assert_eq!(error.to_string(), "unknown activation `sigmod`; did you mean `sigmoid`?");
    }

    #[test]
    fn tensorflow_js_means_the_same_by_its_names() {
        let producer = Producer::of(Family::TensorFlowJs);
        for named in NAMED {
            let Some(name) = named.tensorflow_js else { continue };
            assert_eq!(Activation::from_name(name, &producer), Some(named.is), "{name}");
        }
    }

    macro_rules! each_has_a_name {
        ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: f64,)* } = $text:literal, |$x:ident| $formula:expr;)*) => {
            $(assert!(
                NAMED.iter().any(|named| matches!(named.is, Activation::Elementwise(Function::$name { .. }))),
                "no name means `{}`: add a line to `NAMED`", $text
            );)*
        };
    }

    #[test]
    fn every_function_of_the_primitives_has_a_name() {
        tfjs_ir::for_each_activation!(each_has_a_name);
    }
}
