//! The types of what each layer is called with, by the layer's path.

use crate::graph::ModelGraph;
use crate::types::TensorType;
use std::collections::HashMap;

/// The types of the inputs of every call of every layer, by path.
#[derive(Default)]
pub(super) struct Types(HashMap<String, Vec<Vec<TensorType>>>);

impl Types {
    pub(super) fn of(graph: &ModelGraph) -> Types {
        let mut types: HashMap<String, Vec<Vec<TensorType>>> = HashMap::new();
        for node in &graph.nodes {
            let inputs = node.call.inputs().into_iter().map(|value| graph.ty(*value).clone()).collect();
            types.entry(graph.layer(node).path.clone()).or_default().push(inputs);
        }
        Types(types)
    }

    /// The calls of a layer; none where they are not known.
    pub(super) fn calls(&self, path: &str) -> &[Vec<TensorType>] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }
}
