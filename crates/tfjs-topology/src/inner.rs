//! What a wrapper holds: a layer or a whole model, described on its own, outside the flat graph.

use crate::config::{Config, expected};
use crate::def::{LayerBody, LayerEntry};
use crate::graph::ModelGraph;
use crate::types::TensorType;
use serde_json::Value;
use tfjs_manifest::{Error, Limits, Result};

/// A layer or model inside `TimeDistributed`, `Bidirectional` or an `RNN`.
#[derive(Clone, Debug)]
pub struct Inner {
    entry: LayerEntry,
    limits: Limits,
}

impl Inner {
    /// Reads the layer at `key` of a wrapper's configuration.
    ///
    /// # Errors
    /// Whatever the inner layer refuses, at its JSON path; [`Kind::Limit`](tfjs_manifest::Kind::Limit) for too
    /// many wrappers inside each other.
    pub fn read(config: &Config<'_>, key: &str) -> Result<Self> {
        Self::read_opt(config, key)?.ok_or_else(|| Error::malformed(format!("missing `{key}`")).at_json("config"))
    }

    /// Like [`read`](Inner::read), for a layer that may be absent.
    ///
    /// # Errors
    /// As for [`read`](Inner::read).
    pub fn read_opt(config: &Config<'_>, key: &str) -> Result<Option<Self>> {
        let Some(value) = config.value(key) else { return Ok(None) };
        Self::from_value(value, config).map(Some).map_err(|e| e.at_json(key).at_json("config"))
    }

    /// Reads `{"class_name": ..., "config": ...}`.
    ///
    /// # Errors
    /// As for [`read`](Inner::read).
    pub fn from_value(value: &Value, config: &Config<'_>) -> Result<Self> {
        let cx = config.cx().deeper()?;
        let entry = crate::parse::entry::read_entry(value, &cx)?;
        if matches!(entry.body, LayerBody::Input(_)) {
            return Err(expected("a layer to wrap", value));
        }
        Ok(Inner { entry, limits: cx.limits.clone() })
    }

    /// The layer, as the file defines it.
    pub fn entry(&self) -> &LayerEntry {
        &self.entry
    }

    /// The calls of the inner layer or model, for inputs of these types, as a graph of its own.
    ///
    /// # Errors
    /// What the inner layer refuses.
    pub fn graph(&self, inputs: &[TensorType]) -> Result<ModelGraph> {
        crate::lower::lower_entry(&self.entry, inputs, &self.limits)
    }
}
