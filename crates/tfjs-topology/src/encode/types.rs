//! The input types of each layer's calls, by the layer's path.

use crate::graph::ModelGraph;
use crate::types::TensorType;
use std::collections::HashMap;

/// The types of the inputs of every call of every layer, by path.
#[derive(Default)]
pub(super) struct Types(HashMap<String, Vec<Vec<TensorType>>>);

impl Types {
    /// The types of a graph whose layers are under `path`, which is empty or ends in `/`.
    pub(super) fn of(graph: &ModelGraph, path: &str) -> Types {
        let mut types: HashMap<String, Vec<Vec<TensorType>>> = HashMap::new();
        for node in &graph.nodes {
            // TensorFlow.js passes initial states after the inputs.
            let mut inputs = node.call.inputs();
            if let Some(states) = node.call.kwarg("initial_state") {
                states.collect(&mut inputs);
            }
            let inputs = inputs.into_iter().map(|value| graph.ty(*value).clone()).collect();
            types.entry(format!("{path}{}", graph.layer(node).path)).or_default().push(inputs);
        }
        Types(types)
    }

    /// The calls of a layer; empty if they are not known.
    pub(super) fn calls(&self, path: &str) -> &[Vec<TensorType>] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }
}
