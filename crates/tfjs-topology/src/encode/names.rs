//! The names by which TensorFlow.js looks up the weights of a saved model.

use crate::def::ModelDef;
use crate::graph::{ModelGraph, WeightSlot};
use crate::lower::{LowerOptions, lower};
use crate::parse::parse;
use crate::producer::{Family, Producer};
use crate::read::CustomDefs;
use serde_json::Value;
use std::collections::HashMap;
use tfjs_manifest::{Error, Limits, Result};

/// The names of a model's weights.
#[derive(Clone, Debug)]
pub struct WeightNames {
    /// In the order of the graph's slots.
    pub names: Vec<String>,
    /// Warnings about names that TensorFlow.js cannot distinguish.
    pub warnings: Vec<String>,
}

/// The names of a graph's weights in the file of its [encoded](super::encode) topology.
///
/// The topology is parsed again with TensorFlow.js's rules, which proves that the saved model can be loaded.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if the topology does not parse as the same model,
/// because TensorFlow.js's JSON cannot represent it.
pub fn weight_names(graph: &ModelGraph, topology: &Value, custom: &CustomDefs, limits: &Limits) -> Result<WeightNames> {
    let again = read_back(topology, custom, limits)
        .map_err(|e| Error::unsupported("the model cannot be written as TensorFlow.js writes models").with_source(e))?;
    let slots: HashMap<&str, &[crate::graph::SlotId]> =
        again.layers.iter().map(|layer| (layer.path.as_str(), layer.slots.as_slice())).collect();
    let mut names = vec![String::new(); graph.slots.len()];
    for layer in &graph.layers {
        let found = slots.get(layer.path.as_str()).copied().unwrap_or_default();
        let found: Vec<&WeightSlot> = found.iter().map(|slot| &again.slots[slot.0]).collect();
        let of_layer = layer.slots.iter().map(|slot| &graph.slots[slot.0]);
        if found.len() != layer.slots.len() || found.iter().zip(of_layer).any(|(a, b)| a.decl.shape != b.decl.shape) {
            return Err(Error::unsupported("TensorFlow.js's JSON gives this layer other weights").at_layer(&layer.path));
        }
        for (slot, found) in layer.slots.iter().zip(found) {
            names[slot.0] = found.name();
        }
    }
    let warnings = tell_apart(graph, &mut names);
    Ok(WeightNames { names, warnings })
}

fn read_back(topology: &Value, custom: &CustomDefs, limits: &Limits) -> Result<ModelGraph> {
    let def: ModelDef = parse(topology, Producer::of(Family::TensorFlowJs), custom, limits)?;
    lower(&def, &LowerOptions { limits: limits.clone(), ..LowerOptions::default() }).map(|model| model.graph)
}

/// Adds the names of the surrounding models to weights with equal names.
fn tell_apart(graph: &ModelGraph, names: &mut [String]) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for name in names.iter() {
        *counts.entry(name.clone()).or_insert(0) += 1;
    }
    for (name, slot) in names.iter_mut().zip(&graph.slots) {
        if counts[name.as_str()] == 1 {
            continue;
        }
        let models: Vec<&str> = slot.models.iter().skip(1).map(|model| model.name.as_str()).collect();
        if !models.is_empty() {
            let apart = format!("{}/{name}", models.join("/"));
            warnings.push(format!(
                "weight `{name}` of several nested models is written as `{apart}`, which TensorFlow.js cannot find"
            ));
            *name = apart;
        }
    }
    warnings
}
