//! A layer that is being written: its configuration, and the types of its calls.

use super::{At, EncodeCx, common, layer};
use crate::activation::Activation;
use crate::def::LayerEntry;
use crate::producer::Producer;
use crate::registry::built_in_name;
use crate::types::TensorType;
use serde_json::{Map, Value, json};
use std::fmt::Display;
use tfjs_manifest::Result;

/// A layer that is being written. It starts from the configuration of its file, with the keys that all layers share
/// already translated; [`LayerDef::encode`](crate::layer::LayerDef::encode) changes the others.
#[derive(Debug)]
pub struct Encoding<'a> {
    pub(super) config: Map<String, Value>,
    pub(super) at: At<'a>,
    pub(super) cx: &'a EncodeCx<'a>,
}

impl<'a> Encoding<'a> {
    /// Starts from the configuration of a layer, or of a part of one.
    pub(super) fn new(config: &Map<String, Value>, at: At<'a>, cx: &'a EncodeCx<'a>) -> Self {
        Encoding { config: common::translate(config, &at, cx), at, cx }
    }

    /// The class, as written in the file.
    pub fn class(&self) -> &str {
        self.at.class
    }

    /// The software that wrote the file.
    pub fn producer(&self) -> &'a Producer {
        self.cx.producer
    }

    /// The value of a key, in snake case.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.config.get(key)
    }

    /// Sets the value of a key.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.config.insert(key.to_string(), value.into());
    }

    /// Sets the value of a key that is absent or null.
    pub fn set_default(&mut self, key: &str, value: impl Into<Value>) {
        if self.get(key).is_none_or(Value::is_null) {
            self.set(key, value);
        }
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.config.remove(key)
    }

    /// Moves the value of a key to another key, which the target reads instead.
    pub fn rename(&mut self, from: &str, to: &str) {
        if let Some(value) = self.remove(from) {
            self.set(to, value);
        }
    }

    /// Adds a warning about something that the target cannot represent, does not support or computes differently.
    pub fn warn(&self, message: impl Display) {
        self.cx.warn(&self.at, message);
    }

    /// The types of the inputs of each call, if known.
    pub fn calls(&self) -> &'a [Vec<TensorType>] {
        self.at.calls
    }

    /// The rank of the first input of the first call, if known.
    pub fn rank(&self) -> Option<usize> {
        self.calls().first()?.first().map(|ty| ty.shape.rank())
    }

    /// Writes the activation at `key` with the target's name. An absent one stays absent.
    pub(crate) fn activation(&mut self, key: &str, activation: Activation) {
        let Some(written) = self.get(key) else { return };
        match activation.tensorflow_js_name() {
            Some(name) => self.set(key, name),
            None if activation == Activation::HARD_SIGMOID_RELU6 => self.warn(format_args!(
                "`{key}` is Keras 3's hard_sigmoid, relu6(x + 3) / 6; TensorFlow.js's is clip(0.2 x + 0.5)"
            )),
            None => self.warn(format_args!("TensorFlow.js has no activation {written}, its `{key}`")),
        }
    }

    /// Encodes a part whose configuration is inside the layer's: a cell, or a direction. Its warnings name its own
    /// class.
    ///
    /// # Errors
    /// Those of `write`.
    pub(crate) fn part(
        &self,
        class: &str,
        config: &Map<String, Value>,
        write: impl FnOnce(&mut Encoding<'_>) -> Result<()>,
    ) -> Result<Value> {
        let mut part = Encoding::new(config, At { class, ..self.at }, self.cx);
        write(&mut part)?;
        Ok(json!({ "class_name": built_in_name(class), "config": part.config }))
    }

    /// Encodes a layer or model inside a wrapper; `calls` are the types of its inputs, if known.
    ///
    /// # Errors
    /// As [`encode`](super::encode()).
    pub(crate) fn held(&self, entry: &LayerEntry, calls: &[Vec<TensorType>]) -> Result<Value> {
        layer::encode_held(entry, &format!("{}/{}", self.at.path, entry.name), calls, self.cx).map(Value::Object)
    }
}
