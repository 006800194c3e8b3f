//! A [`ModelDef`] becomes a [`ModelGraph`]: nested models inlined, shared layers kept as one, calls in
//! execution order, a type on every value, a slot for every weight.

mod builder;
mod order;

use crate::call::Call;
use crate::def::{LayerBody, LayerEntry, ModelDef, Submodel};
use crate::graph::{GraphPort, ModelGraph, ModelScope, ValueId};
use crate::types::{SymShape, TensorType};
use builder::{Builder, Scope};
pub(crate) use order::execution_order;
use std::collections::HashMap;
use tfjs_manifest::{Error, Limits, Result};

/// What the caller adds to a file.
#[derive(Clone, Debug, Default)]
pub struct ResolveOptions {
    /// Shapes of inputs, batch included, by name: needed where the file does not say them.
    pub input_shapes: HashMap<String, SymShape>,
    /// The budgets.
    pub limits: Limits,
}

/// Resolves a model.
///
/// # Errors
/// A cycle, an input no layer can take, a window larger than its input, a missing input shape, a graph past
/// its budget: each naming the layer.
pub fn resolve(def: &ModelDef, options: &ResolveOptions) -> Result<ModelGraph> {
    let ResolveOptions { input_shapes, limits } = options;
    let mut builder = Builder::new(limits);
    let mut inputs = Vec::new();
    let names = unique(def.root.inputs.iter().map(|p| p.name.clone()));
    for (port, name) in def.root.inputs.iter().zip(names) {
        let ty = root_input(&def.root, port.tensor.layer, input_shapes.get(&name), &name)?;
        let value = builder.input(ty).map_err(|e| e.at_value(&name))?;
        inputs.push(GraphPort { name, value });
    }
    if let Some(name) = input_shapes.keys().find(|name| !inputs.iter().any(|p| p.name == **name)) {
        let known: Vec<String> = inputs.iter().map(|p| format!("`{}`", p.name)).collect();
        return Err(Error::misuse(format!("a shape is given for input `{name}`, the model has {}", known.join(", "))));
    }
    let values: Vec<ValueId> = inputs.iter().map(|p| p.value).collect();
    let scope = Scope::root(&def.root);
    let outputs = builder.inline(&def.root, &scope, &values)?;
    let names = unique(def.root.outputs.iter().map(|p| p.name.clone()));
    let outputs = names.into_iter().zip(outputs).map(|(name, value)| GraphPort { name, value }).collect();
    Ok(builder.finish(def.root.name.clone(), inputs, outputs))
}

/// What a wrapper holds, as a graph whose inputs are the tensors of `call`, keyword arguments last.
pub(crate) fn resolve_entry(entry: &LayerEntry, call: &Call<TensorType>, limits: &Limits) -> Result<ModelGraph> {
    let mut builder = Builder::new(limits);
    let mut inputs = Vec::new();
    let mut add = |ty: &TensorType| {
        let value = builder.input(ty.clone())?;
        inputs.push(GraphPort { name: format!("{}:{}", entry.name, inputs.len()), value });
        Ok::<_, Error>(value)
    };
    let call = call.try_map(&mut add)?;
    let outputs = match &entry.body {
        LayerBody::Model(model) => {
            let values: Vec<ValueId> = call.inputs().into_iter().copied().collect();
            builder.inline(model, &Scope::root(model), &values)?
        }
        _ => {
            let scope = Scope { path: String::new(), object_path: String::new(), models: Vec::<ModelScope>::new() };
            builder.call(entry, &entry.name, &scope, "", call)?
        }
    };
    let outputs = outputs
        .into_iter()
        .enumerate()
        .map(|(i, value)| GraphPort { name: format!("{}:{i}", entry.name), value })
        .collect();
    Ok(builder.finish(entry.name.clone(), inputs, outputs))
}

/// A repeated name keeps its first occurrence bare and gets `:1`, `:2`, ... from the second on.
pub(crate) fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    names
        .map(|name| {
            let count = seen.entry(name.clone()).or_insert(0);
            *count += 1;
            if *count == 1 { name } else { format!("{name}:{}", *count - 1) }
        })
        .collect()
}

pub(crate) fn root_input(root: &Submodel, layer: usize, given: Option<&SymShape>, name: &str) -> Result<TensorType> {
    let declared = match root.layers.get(layer).map(|entry| &entry.body) {
        Some(LayerBody::Input(declared)) => declared.clone(),
        _ => return Err(Error::malformed("listed as an input but not an InputLayer").at_value(name)),
    };
    match (declared, given) {
        (Some(ty), None) => Ok(ty),
        (Some(ty), Some(shape)) => {
            if ty.shape.rank() != shape.rank() {
                let message = format!("the file declares shape {}, the caller gives {shape}", ty.shape);
                return Err(Error::misuse(message).at_value(name));
            }
            Ok(TensorType { shape: shape.clone(), ..ty })
        }
        (None, Some(shape)) => Ok(TensorType::float(shape.clone())),
        (None, None) => {
            Err(Error::unsupported("the file does not say the input's shape; give it with `LoadOptions::input_shape`")
                .at_value(name))
        }
    }
}
