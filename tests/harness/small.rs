//! Small models in memory, for tests of errors and limits: JSON from `json!`, weights by name.
//!
//! Every model is loaded with the public API of `tfjs`; nothing here uses the crates that it re-exports.

use serde_json::{Value, json};
use std::sync::Arc;
use tfjs::parts::io::{FilesHandler, MemoryFiles};
use tfjs::{Error, Kind, LayersModel, LoadOptions, Result, Source};

/// A model's files in memory.
#[derive(Clone, Debug)]
pub struct Small {
    /// `model.json`.
    pub json: Value,
    /// The weight files.
    pub files: Vec<(String, Vec<u8>)>,
}

impl Small {
    /// A model of this topology, without weights and without a manifest.
    pub fn new(topology: Value) -> Self {
        Small { json: json!({"format": "layers-model", "modelTopology": topology}), files: Vec::new() }
    }

    /// With float weights, all of one value, in one file `w.bin`.
    #[must_use]
    pub fn filled(self, value: f32, weights: &[(&str, &[usize])]) -> Self {
        let values: Vec<Vec<f32>> = weights.iter().map(|(_, dims)| vec![value; dims.iter().product()]).collect();
        let weights: Vec<_> = weights.iter().zip(&values).map(|((n, d), v)| (*n, *d, &v[..])).collect();
        self.weights(&weights)
    }

    /// With these float weights in one file `w.bin`.
    #[must_use]
    pub fn weights(self, weights: &[(&str, &[usize], &[f32])]) -> Self {
        let specs: Vec<Value> =
            weights.iter().map(|(name, shape, _)| json!({"name": name, "shape": shape, "dtype": "float32"})).collect();
        let bytes = weights.iter().flat_map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes())).collect();
        self.manifest(json!([{"paths": ["w.bin"], "weights": specs}])).file("w.bin", bytes)
    }

    /// With this manifest.
    #[must_use]
    pub fn manifest(mut self, manifest: Value) -> Self {
        self.json["weightsManifest"] = manifest;
        self
    }

    /// With one more weight file.
    #[must_use]
    pub fn file(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.files.push((name.to_string(), bytes));
        self
    }

    /// The text of `model.json`.
    pub fn text(&self) -> Vec<u8> {
        self.json.to_string().into_bytes()
    }

    /// The files, the JSON among them.
    pub fn memory(&self) -> MemoryFiles {
        let json = std::iter::once(("model.json".to_string(), self.text()));
        json.chain(self.files.iter().cloned()).collect()
    }

    /// Loads it.
    ///
    /// # Errors
    /// Those of loading.
    pub fn load(&self) -> Result<LayersModel> {
        self.load_with(LoadOptions::new())
    }

    /// Loads it with options.
    ///
    /// # Errors
    /// Those of loading.
    pub fn load_with(&self, options: LoadOptions) -> Result<LayersModel> {
        load_files(self.memory(), options)
    }
}

/// Loads `model.json` from files in memory.
///
/// # Errors
/// Those of loading.
pub fn load_files(files: MemoryFiles, options: LoadOptions) -> Result<LayersModel> {
    tfjs::blocking::load_layers_model(Source::handler(FilesHandler::new(Arc::new(files), "model.json")), options)
}

/// A Keras 2 topology around a model's class and configuration.
pub fn keras2(class: &str, config: &Value) -> Value {
    json!({"keras_version": "2.15.0", "backend": "tensorflow",
           "model_config": {"class_name": class, "config": config}})
}

/// A TensorFlow.js topology around a model's class and configuration.
pub fn tfjs_layers(class: &str, config: &Value) -> Value {
    json!({"keras_version": "tfjs-layers 4.22.0", "backend": "tensor_flow.js", "class_name": class, "config": config})
}

/// A Sequential `m` of these layers.
pub fn sequential(layers: &Value) -> Value {
    keras2("Sequential", &json!({"name": "m", "layers": layers}))
}

/// A functional model `m` of these layers, its inputs and outputs by name.
pub fn functional(layers: &Value, inputs: &[&str], outputs: &[&str]) -> Value {
    let ports = |names: &[&str]| names.iter().map(|name| json!([name, 0, 0])).collect::<Vec<Value>>();
    keras2(
        "Functional",
        &json!({"name": "m", "layers": layers, "input_layers": ports(inputs), "output_layers": ports(outputs)}),
    )
}

/// An input layer of this shape, batch included.
pub fn input(name: &str, shape: &Value) -> Value {
    json!({"class_name": "InputLayer", "name": name, "inbound_nodes": [],
           "config": {"name": name, "dtype": "float32", "batch_input_shape": shape}})
}

/// A layer of a functional model, called once with the first outputs of these layers.
pub fn layer(class: &str, name: &str, config: &Value, from: &[&str]) -> Value {
    let call: Vec<Value> = from.iter().map(|from| json!([from, 0, 0, {}])).collect();
    calls(class, name, config, &json!([call]))
}

/// A layer of a functional model with these calls.
pub fn calls(class: &str, name: &str, config: &Value, nodes: &Value) -> Value {
    let mut config = config.clone();
    config["name"] = json!(name);
    json!({"class_name": class, "name": name, "config": config, "inbound_nodes": nodes})
}

/// A Sequential of one layer with an input of this shape, batch included.
pub fn alone(class: &str, mut config: Value, shape: &Value) -> Small {
    config["name"] = json!("l");
    config["batch_input_shape"] = shape.clone();
    Small::new(sequential(&json!([{"class_name": class, "config": config}]))).manifest(json!([]))
}

/// One dense layer `d` from two numbers to one: `2 a + 3 b + 1`.
pub fn two_to_one() -> Small {
    let dense = json!({"class_name": "Dense", "config": {"name": "d", "units": 1, "batch_input_shape": [null, 2]}});
    Small::new(sequential(&json!([dense]))).weights(&[("d/kernel", &[2, 1], &[2.0, 3.0]), ("d/bias", &[1], &[1.0])])
}

/// Asserts that a model is refused, with this kind, place and text in the message.
#[track_caller]
pub fn check_refused(model: &Small, kind: Kind, place: &str, says: &str) -> Error {
    check_error(model.load(), kind, place, says)
}

/// Asserts the kind of an error, and that it, or one finding of its report, has this place and this text, in one line.
#[track_caller]
pub fn check_error<T>(result: Result<T>, kind: Kind, place: &str, says: &str) -> Error {
    let error = result.err().expect("expected an error");
    assert_eq!(error.kind(), kind, "{error:?}");
    let mut findings = std::iter::once(&error).chain(error.details());
    let found = findings.any(|e| e.place().to_string().contains(place) && e.message().contains(says));
    assert!(found, "expected `{says}` at a place with `{place}`:\n{error:?}");
    check_words(&error);
    error
}

/// The rules for every message: one line, lower case, no full stop.
#[track_caller]
fn check_words(error: &Error) {
    for finding in std::iter::once(error).chain(error.details()) {
        let message = finding.message();
        assert!(!message.contains('\n'), "{message}");
        assert!(message.len() < 700, "a message is too long: {message}");
        // `URLs are ...` may begin with capitals, `Urls` may not.
        let mut chars = message.chars();
        let sentence = chars.next().is_some_and(char::is_uppercase) && chars.next().is_some_and(char::is_lowercase);
        assert!(!sentence && !message.ends_with('.'), "{message}");
    }
}
