//! The position of a layer in the model: the models around it, for paths in messages and for the names of weights.

use crate::def::{LayerBody, LayerEntry, Submodel, SubmodelKind};
use crate::graph::ModelScope;
use crate::layer::Scope;
use crate::{config, graph};
use std::collections::HashMap;

/// The models around a layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scoped {
    /// Their names below the root, each followed by `/`.
    pub(super) path: String,
    /// Their object path, as `.keras` files write it, ending in `/` if not empty.
    pub(super) object_path: String,
    /// The models, for the names of weights.
    pub(super) models: Vec<ModelScope>,
}

/// The position of a layer of the call table, for the names of its weights.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) models: Vec<graph::ModelScope>,
    pub(super) object_path: String,
}

impl Scoped {
    /// The scope of the root model's layers.
    pub(super) fn root(model: &Submodel) -> Self {
        Scoped { models: vec![model_scope(model)], ..Scoped::default() }
    }

    /// The scope of a nested model's layers, where the model's name in `.keras` files is `object`.
    pub(super) fn inside(&self, entry: &LayerEntry, model: &Submodel, object: &str) -> Self {
        let mut models = self.models.clone();
        models.push(ModelScope { name: entry.name.clone(), ..model_scope(model) });
        Scoped {
            path: format!("{}{}/", self.path, entry.name),
            object_path: format!("{}{object}/", self.object_path),
            models,
        }
    }
}

fn model_scope(model: &Submodel) -> ModelScope {
    ModelScope { name: model.name.clone(), sequential: model.kind == SubmodelKind::Sequential }
}

/// The names of a model's layers in `.keras` files: the class in snake case, numbered from the second on.
pub(super) fn object_names(model: &Submodel) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    model
        .layers
        .iter()
        .map(|entry| {
            if matches!(entry.body, LayerBody::Op(_)) {
                return String::new();
            }
            let class = match entry.class_name.rsplit('>').next().unwrap_or(&entry.class_name) {
                // The class has another name in Python than in the file.
                "GroupQueryAttention" => "GroupedQueryAttention",
                class => class,
            };
            let base = match &entry.body {
                // Old files use `Model` instead of `Functional`.
                LayerBody::Model(_) if class == "Model" => "functional".to_string(),
                _ => config::to_snake_case(class),
            };
            let count = counts.entry(base.clone()).or_insert(0);
            *count += 1;
            if *count == 1 { format!("layers/{base}") } else { format!("layers/{base}_{}", *count - 1) }
        })
        .collect()
}

/// A model inside a wrapped model, around a layer of it.
pub(super) fn around(name: &str) -> Scope {
    Scope { name: name.to_string(), attr: String::new(), kind: crate::layer::ScopeKind::Around }
}

/// The scope of the weights of a layer inside a wrapped model, where Keras 2 and TensorFlow.js start the names of
/// weights again.
pub(super) fn restart(name: &str, object_path: String) -> Scope {
    Scope { name: name.to_string(), attr: object_path, kind: crate::layer::ScopeKind::Restart }
}
