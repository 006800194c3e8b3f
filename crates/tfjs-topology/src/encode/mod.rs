//! Writes a model in the form that a [`Target`] reads: the inverse of [`parse`](crate::parse).
//!
//! A model of TensorFlow.js is written unchanged. A model of Keras is translated to TensorFlow.js's form: the keys that
//! all layers share here, the others in each layer's file ([`LayerDef::encode`](crate::layer::LayerDef::encode)). What
//! that form cannot represent, and what TensorFlow.js would compute differently, is reported for each layer. Keys are
//! kept unless they are translated, so nothing is dropped silently. Of weights, only the names are written here.
//!
//! Reference: `toJSON` in tfjs-layers `models.ts` and `engine/container.ts`.

mod calls;
mod common;
mod encoding;
mod layer;
mod model;
mod names;
mod numbering;
mod types;

pub use encoding::Encoding;
pub use names::{WeightNames, weight_names};

use crate::def::ModelDef;
use crate::lower::{LowerOptions, lower};
use crate::producer::Producer;
use crate::read::ReadCx;
use serde_json::{Value, json};
use std::cell::RefCell;
use tfjs_manifest::{Limits, Result};
use types::Types;

/// `keras_version` in a model that TensorFlow.js saved.
pub const KERAS_VERSION: &str = "tfjs-layers 4.22.0";
/// `generatedBy` in a model that TensorFlow.js saved.
pub const GENERATED_BY: &str = "TensorFlow.js tfjs-layers v4.22.0";
/// `backend` in a model that TensorFlow.js saved: the library's name, converted to snake case.
pub const BACKEND: &str = "tensor_flow.js";

/// The software that will read the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// TensorFlow.js 4.22.
    TensorFlowJs,
}

/// A model in the target's JSON form.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// `{class_name, config, keras_version, backend}`.
    pub topology: Value,
    /// What the target cannot represent, does not support or computes differently: one line each, by layer.
    pub warnings: Vec<String>,
}

/// Writes a model as its target does, within the limits that it was loaded with.
///
/// # Errors
/// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a definition with invalid references; a parsed one
/// has none.
pub fn encode(def: &ModelDef, target: Target, limits: &Limits) -> Result<Encoded> {
    // Shapes determine the meaning of an axis; without them, a dependency on an axis is a warning.
    let mut options = LowerOptions::default();
    options.limits.clone_from(limits);
    let types = lower(def, &options).map(|model| Types::of(&model.graph, "")).unwrap_or_default();
    let cx = EncodeCx {
        target,
        limits,
        producer: &def.producer,
        read: ReadCx::new(&def.producer),
        warnings: RefCell::default(),
    };
    let (class, config) = model::encode_model(&def.root, "", &types, &cx)?;
    let topology = json!({ "class_name": class, "config": config, "keras_version": KERAS_VERSION, "backend": BACKEND });
    let mut warnings = cx.warnings.into_inner();
    // The calls of a shared wrapper produce the same warnings.
    let mut seen = std::collections::HashSet::new();
    warnings.retain(|warning| seen.insert(warning.clone()));
    Ok(Encoded { topology, warnings })
}

/// The context of writing a model.
#[derive(Debug)]
struct EncodeCx<'a> {
    target: Target,
    limits: &'a Limits,
    producer: &'a Producer,
    read: ReadCx<'a>,
    warnings: RefCell<Vec<String>>,
}

impl EncodeCx<'_> {
    fn warn(&self, layer: &At<'_>, message: impl std::fmt::Display) {
        self.warnings.borrow_mut().push(format!("layer `{}` ({}): {message}", layer.path, layer.class));
    }
}

/// The layer that is being written.
#[derive(Clone, Copy, Debug)]
struct At<'a> {
    /// The names of the models around it and its own, joined by `/`.
    path: &'a str,
    /// Its class, as written.
    class: &'a str,
    /// The types of the inputs of each of its calls, if known.
    calls: &'a [Vec<crate::types::TensorType>],
}

#[cfg(test)]
mod tests;
