//! The types of what each layer is called with, by the layer's path.

use crate::graph::ModelGraph;
use crate::types::TensorType;
use std::collections::HashMap;

/// The types of the inputs of every call of every layer, by path.
#[derive(Default)]
pub(super) struct Types(HashMap<String, Vec<Vec<TensorType>>>);

impl Types {
    /// Those of a graph whose layers stand below `path`, which ends in `/` if it is not empty.
    pub(super) fn of(graph: &ModelGraph, path: &str) -> Types {
        let mut types: HashMap<String, Vec<Vec<TensorType>>> = HashMap::new();
        for node in &graph.nodes {
            // TensorFlow.js takes initial states behind the inputs.
            let mut inputs = node.call.inputs();
            if let Some(states) = node.call.kwarg("initial_state") {
                states.collect(&mut inputs);
            }
            let inputs = inputs.into_iter().map(|value| graph.ty(*value).clone()).collect();
            types.entry(format!("{path}{}", graph.layer(node).path)).or_default().push(inputs);
        }
        Types(types)
    }

    /// The calls of a layer; none where they are not known.
    pub(super) fn calls(&self, path: &str) -> &[Vec<TensorType>] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }
}
