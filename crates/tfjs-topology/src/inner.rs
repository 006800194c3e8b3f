//! What a wrapper holds: a layer or a whole model, described on its own, outside the flat graph.

use crate::call::Call;
use crate::config::{Config, expected};
use crate::def::{LayerBody, LayerEntry};
use crate::graph::ModelGraph;
use crate::layer::{Scope, WeightDecl};
use crate::types::TensorType;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tfjs_manifest::{Error, Limits, Result};

/// A layer or model inside `TimeDistributed`, `Bidirectional` or an `RNN`.
///
/// Its graph is resolved once for each type of input it is called with, so that wrappers around models
/// around wrappers cost a sum, not a product.
#[derive(Debug)]
pub struct Inner {
    entry: LayerEntry,
    limits: Limits,
    resolved: Mutex<Vec<(Call<TensorType>, Arc<ModelGraph>)>>,
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
        Ok(Inner { entry, limits: cx.limits.clone(), resolved: Mutex::default() })
    }

    /// The layer, as the file defines it.
    pub fn entry(&self) -> &LayerEntry {
        &self.entry
    }

    /// The inner layer or model as a graph of its own, for these inputs.
    ///
    /// # Errors
    /// What the inner layer refuses.
    pub fn graph(&self, call: &Call<TensorType>) -> Result<Arc<ModelGraph>> {
        // A poisoned memo is only a memo: the panic that poisoned it is somebody else's to report.
        let mut resolved = self.resolved.lock().unwrap_or_else(|e| e.into_inner());
        if let Some((_, graph)) = resolved.iter().find(|(known, _)| known == call) {
            return Ok(graph.clone());
        }
        let graph = Arc::new(crate::resolve::resolve_entry(&self.entry, call, &self.limits)?);
        resolved.push((call.clone(), graph.clone()));
        Ok(graph)
    }

    /// A graph that is known already and was made for inputs of which these are an instance, or else the one
    /// for these inputs: to run with, whatever the size of the batch.
    ///
    /// # Errors
    /// What the inner layer refuses.
    pub fn graph_admitting(&self, call: &Call<TensorType>) -> Result<Arc<ModelGraph>> {
        let types = call.tensors();
        let admits = |known: &Call<TensorType>| {
            let known = known.tensors();
            known.len() == types.len() && known.iter().zip(&types).all(|(k, t)| is_instance(t, k))
        };
        let resolved = self.resolved.lock().unwrap_or_else(|e| e.into_inner());
        let found =
            resolved.iter().find(|(known, _)| known == call).or_else(|| resolved.iter().find(|(k, _)| admits(k)));
        if let Some((_, graph)) = found {
            return Ok(graph.clone());
        }
        drop(resolved);
        self.graph(call)
    }

    /// The types of the outputs for these inputs.
    ///
    /// # Errors
    /// What the inner layer refuses.
    pub fn infer(&self, call: &Call<TensorType>) -> Result<Vec<TensorType>> {
        // Inputs whose sizes vary from call to call must not fill the memo.
        let graph = self.graph_admitting(call)?;
        let inferred_before = graph.inputs.iter().zip(call.tensors()).all(|(port, ty)| graph.ty(port.value) == ty);
        if inferred_before {
            return Ok(graph.outputs.iter().map(|port| graph.ty(port.value).clone()).collect());
        }
        let inputs: Vec<TensorType> = call.tensors().into_iter().cloned().collect();
        let types = graph.infer(&inputs, &self.limits)?;
        Ok(graph.outputs.iter().map(|port| types[port.value.0].clone()).collect())
    }

    /// How many calls one call of it makes.
    ///
    /// # Errors
    /// What the inner layer refuses.
    pub fn expanded(&self, call: &Call<TensorType>) -> Result<u64> {
        Ok(self.graph(call)?.expanded)
    }

    /// The weights, each inside `scope`, in the order of the inner graph's slots.
    ///
    /// # Errors
    /// What the inner layer refuses.
    pub fn weights(&self, call: &Call<TensorType>, scope: &Scope) -> Result<Vec<WeightDecl>> {
        let graph = self.graph(call)?;
        let is_model = matches!(self.entry.body, LayerBody::Model(_));
        Ok(graph.slots.iter().map(|slot| slot.declaration(is_model).inside(scope.clone())).collect())
    }
}

/// Whether a type is another one with some dimensions known.
fn is_instance(ty: &TensorType, of: &TensorType) -> bool {
    let mut dims = ty.shape.0.iter().zip(&of.shape.0);
    ty.shape.rank() == of.shape.rank() && dims.all(|(is, want)| want.is_none() || is == want)
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        Inner { entry: self.entry.clone(), limits: self.limits.clone(), resolved: Mutex::default() }
    }
}
