//! The producer of a model: the same JSON means different arithmetic for different producers.

use crate::parse::keras1;
use serde_json::Value;
use std::fmt;

/// The framework whose rules apply to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// Saved by TensorFlow.js (`tf.LayersModel.save`, Teachable Machine).
    TensorFlowJs,
    /// Keras 1.x, converted.
    Keras1,
    /// Keras 2.x or `tf_keras`, converted.
    Keras2,
    /// Keras 3.x, converted.
    Keras3,
}

/// The most characters of a version that are kept.
const LONGEST_VERSION: usize = 32;

/// The software that wrote a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// The framework.
    pub family: Family,
    /// Its version, if the file states it: only ASCII letters, digits and `.+-_`.
    pub version: Option<String>,
    /// What its layers ran on, when the file says it.
    pub backend: Option<Backend>,
}

/// What the layers of a model ran on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// TensorFlow, or what computes as it does.
    TensorFlow,
    /// Theano, which turns the kernels of convolutions around and pads otherwise.
    Theano,
}

impl Producer {
    /// A producer of unknown version.
    pub fn of(family: Family) -> Self {
        Producer { family, version: None, backend: None }
    }

    /// Parses `tfjs`, `keras1`, `keras2`, `keras3`, as on the command line.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(Producer::of(match name {
            "tfjs" => Family::TensorFlowJs,
            "keras1" => Family::Keras1,
            "keras2" | "tf_keras" => Family::Keras2,
            "keras3" => Family::Keras3,
            _ => return None,
        }))
    }

    /// Detects the producer: by `keras_version`, then `generatedBy`, then by the shape of the JSON, which
    /// Keras 3 changed in three places, and by the names of Keras 1.
    pub fn detect(keras_version: Option<&str>, generated_by: Option<&str>, model: &Value) -> Self {
        let said = [keras_version, generated_by].into_iter().flatten().find_map(Self::from_version);
        let backend = model.get("backend").and_then(Value::as_str).map(|name| match name {
            "theano" => Backend::Theano,
            _ => Backend::TensorFlow,
        });
        Producer { backend, ..said.unwrap_or_else(|| Producer::of(looks_like(model))) }
    }

    /// `tfjs-layers 4.22.0`, `TensorFlow.js tfjs-layers v4.22.0`, `keras v2.4.0`, `2.2.4-tf`, `3.15.1`.
    fn from_version(text: &str) -> Option<Self> {
        let tfjs = text.contains("tfjs-layers");
        let version = text.rsplit(' ').next()?.trim_start_matches('v');
        let major = version.split('.').next()?.parse::<u32>().ok();
        let family = match major {
            _ if tfjs => Family::TensorFlowJs,
            Some(1) => Family::Keras1,
            Some(2) => Family::Keras2,
            Some(3) => Family::Keras3,
            _ => return None,
        };
        // Characters that a version cannot contain are cut off, because the text comes from a file and is shown.
        let is_of_version = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-' | '_');
        let version: String = version.chars().take_while(is_of_version).take(LONGEST_VERSION).collect();
        Some(Producer { version: major.map(|_| version), ..Producer::of(family) })
    }

    /// Whether the model was saved by TensorFlow.js.
    pub fn is_tfjs(&self) -> bool {
        self.family == Family::TensorFlowJs
    }

    /// Whether its layers ran on Theano.
    pub fn is_on_theano(&self) -> bool {
        self.backend == Some(Backend::Theano)
    }

    /// Whether the model comes from Keras 1.
    pub fn is_keras1(&self) -> bool {
        self.family == Family::Keras1
    }

    /// Whether the model comes from Keras 3.
    pub fn is_keras3(&self) -> bool {
        self.family == Family::Keras3
    }

    /// Whether the file states a version older than this one.
    pub fn is_before(&self, major: u32, minor: u32) -> bool {
        let numbers = self.version.as_deref().unwrap_or_default().split('.');
        let mut numbers = numbers.map_while(|part| part.parse::<u32>().ok());
        let found = numbers.next().zip(numbers.next());
        found.is_some_and(|found| found < (major, minor))
    }

    /// Whether a `training` argument of a call has an effect when this producer predicts.
    pub fn obeys_training(&self) -> bool {
        matches!(self.family, Family::Keras1 | Family::Keras2)
    }
}

fn looks_like(model: &Value) -> Family {
    match () {
        _ if looks_like_keras3(model) => Family::Keras3,
        _ if keras1::looks_like(model) => Family::Keras1,
        _ => Family::Keras2,
    }
}

fn looks_like_keras3(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| match (key.as_str(), value) {
            ("batch_shape", Value::Array(_)) => true,
            ("class_name", Value::String(name)) => name == "__keras_tensor__" || name == "DTypePolicy",
            _ => looks_like_keras3(value),
        }),
        Value::Array(items) => items.iter().any(looks_like_keras3),
        _ => false,
    }
}

impl fmt::Display for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::TensorFlowJs => "TensorFlow.js",
            Family::Keras1 => "Keras 1",
            Family::Keras2 => "Keras 2",
            Family::Keras3 => "Keras 3",
        };
        match &self.version {
            Some(version) => write!(f, "{family} ({version})")?,
            None => f.write_str(family)?,
        }
        if self.is_on_theano() { f.write_str(" on Theano") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(keras_version: Option<&str>, generated_by: Option<&str>, model: Value, expect: &str) {
        assert_eq!(Producer::detect(keras_version, generated_by, &model).to_string(), expect);
    }

    #[test]
    fn by_version() {
        check(Some("tfjs-layers 4.22.0"), None, Value::Null, "TensorFlow.js (4.22.0)");
        check(Some("2.2.4-tf"), None, Value::Null, "Keras 2 (2.2.4-tf)");
        check(Some("1.2.2"), None, Value::Null, "Keras 1 (1.2.2)");
        check(Some("3.15.1"), Some("keras v3.15.1"), Value::Null, "Keras 3 (3.15.1)");
        check(None, Some("keras v2.4.0"), Value::Null, "Keras 2 (2.4.0)");
        check(None, Some("TensorFlow.js tfjs-layers v1.3.1"), Value::Null, "TensorFlow.js (1.3.1)");
    }

    #[test]
    fn versions_are_cut_at_invalid_characters() {
        check(Some("2.15\u{1b}]0;x\u{7}\nverified:\tall"), None, Value::Null, "Keras 2 (2.15)");
        check(Some("2.15\u{202e}1"), None, Value::Null, "Keras 2 (2.15)");
        check(Some("2.4.0+nv20.12-rc1_x"), None, Value::Null, "Keras 2 (2.4.0+nv20.12-rc1_x)");
        check(Some("tfjs-layers 4.é"), None, Value::Null, "TensorFlow.js (4.)");
        check(Some(&format!("3.{}", "1".repeat(900))), None, Value::Null, &format!("Keras 3 (3.{})", "1".repeat(30)));
    }

    #[test]
    fn by_structure() {
        check(None, None, json!({"config": {"batch_shape": [null, 3]}}), "Keras 3");
        check(None, None, json!({"config": {"batch_input_shape": [null, 3]}}), "Keras 2");
        check(Some("unknown"), None, json!([{"dtype": {"class_name": "DTypePolicy"}}]), "Keras 3");
        let layer = |class: &str, config: Value| json!({"config": [{"class_name": class, "config": config}]});
        check(None, None, layer("Convolution2D", json!({})), "Keras 1");
        check(None, None, layer("Dense", json!({"output_dim": 3})), "Keras 1");
        check(None, None, layer("Embedding", json!({"input_dim": 2, "output_dim": 3})), "Keras 2");
        check(
            None,
            None,
            layer("Embedding", json!({"input_dim": 2, "output_dim": 3, "W_constraint": null})),
            "Keras 1",
        );
        check(Some("1.2.2"), None, json!({"backend": "theano"}), "Keras 1 (1.2.2) on Theano");
    }
}
