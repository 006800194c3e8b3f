//! A model as a [`Target`] writes and reads it: the inverse of [`parse`](crate::parse).
//!
//! What TensorFlow.js wrote goes back as it was. What Keras wrote is put into TensorFlow.js's words: here what all layers
//! share, in each layer's own file the rest ([`LayerDef::encode`](crate::layer::LayerDef::encode)). What those words
//! cannot say, and what TensorFlow.js would compute otherwise, is listed layer by layer. Nothing is dropped silently:
//! every key starts as the file had it. Weights are not touched here, only their names.
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

/// What `keras_version` says of a model TensorFlow.js saved.
pub const KERAS_VERSION: &str = "tfjs-layers 4.22.0";
/// What `generatedBy` says of it.
pub const GENERATED_BY: &str = "TensorFlow.js tfjs-layers v4.22.0";
/// What `backend` says of it: the library's own name after its case has been changed.
pub const BACKEND: &str = "tensor_flow.js";

/// Who is to read what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// TensorFlow.js 4.22.
    TensorFlowJs,
}

/// A model in the target's JSON.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// `{class_name, config, keras_version, backend}`.
    pub topology: Value,
    /// What the target cannot say, does not know or computes differently: one line each, by layer.
    pub warnings: Vec<String>,
}

/// Writes a model as its target does; within the limits that it was loaded with.
///
/// # Errors
/// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a definition that refers to what is not in it; one that was read
/// never does.
pub fn encode(def: &ModelDef, target: Target, limits: &Limits) -> Result<Encoded> {
    // Shapes tell what an axis means; without them what depends on an axis is a warning.
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
    // A shared wrapper says the same of each of its calls.
    let mut seen = std::collections::HashSet::new();
    warnings.retain(|warning| seen.insert(warning.clone()));
    Ok(Encoded { topology, warnings })
}

/// What is known while a model is written.
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
    /// The types of the inputs of each of its calls, where they are known.
    calls: &'a [Vec<crate::types::TensorType>],
}

#[cfg(test)]
mod tests;
