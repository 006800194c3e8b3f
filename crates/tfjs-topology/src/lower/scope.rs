//! Where a layer stands: the models around it, as paths in messages and in the names of weights.

use crate::def::{LayerBody, LayerEntry, Submodel, SubmodelKind};
use crate::graph::ModelScope;
use crate::layer::Scope;
use crate::{config, graph};
use std::collections::HashMap;

/// The models around a layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scoped {
    /// Their names below the root, joined by `/`, ending in one if not empty.
    pub(super) path: String,
    /// Their object path, as `.keras` files write it, ending in `/` if not empty.
    pub(super) object_path: String,
    /// What the names of weights may carry.
    pub(super) models: Vec<ModelScope>,
}

/// Where the weights of a layer of the call table stand.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) models: Vec<graph::ModelScope>,
    pub(super) object_path: String,
}

impl Scoped {
    /// The layers of a model that nothing is around.
    pub(super) fn root(model: &Submodel) -> Self {
        Scoped { models: vec![model_scope(model)], ..Scoped::default() }
    }

    /// The layers of a model that is called in this place, where it is known as `object`.
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

/// The names `.keras` files give the layers of a model: the class in snake case, counted from the second on.
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
                // Old files say `Model` for what is now `Functional`.
                LayerBody::Model(_) if class == "Model" => "functional".to_string(),
                _ => config::to_snake_case(class),
            };
            let count = counts.entry(base.clone()).or_insert(0);
            *count += 1;
            if *count == 1 { format!("layers/{base}") } else { format!("layers/{base}_{}", *count - 1) }
        })
        .collect()
}

/// The scope of the weights of a layer inside of a wrapped model: Keras 2 and TensorFlow.js start the names of weights
/// anew there.
pub(super) fn restart(name: &str, object_path: String) -> Scope {
    Scope { name: name.to_string(), attr: object_path, kind: crate::layer::ScopeKind::Restart }
}
