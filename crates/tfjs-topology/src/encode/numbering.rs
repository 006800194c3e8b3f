//! The order in which TensorFlow.js numbers the calls of a layer when it reads a model.
//!
//! It iterates over the layers in the file's order until all calls are made, and makes the calls of each layer that are
//! possible at that time. If the second call of a layer becomes possible before its first, the two are swapped. Calls
//! are therefore written in the order in which TensorFlow.js makes them.
//!
//! Reference: `Container.fromConfig` in tfjs-layers `engine/container.ts`.

use crate::def::{LayerBody, Submodel, TensorRef};
use crate::lower::execution_order;
use tfjs_manifest::Result;

/// The numbers that TensorFlow.js gives the calls of a submodel.
pub(super) struct Numbering {
    /// For each layer, its calls in the order in which they are written.
    pub order: Vec<Vec<usize>>,
    /// For each layer and call, its index in that order.
    index: Vec<Vec<usize>>,
    /// The number of the first call of each layer.
    first: Vec<usize>,
}

impl Numbering {
    pub(super) fn of(model: &Submodel) -> Result<Numbering> {
        let layers = &model.layers;
        // The round in which a call is made: after the rounds of the calls it depends on, or in the same round if they
        // come before it in the file.
        let mut rounds: Vec<Vec<usize>> = layers.iter().map(|entry| vec![1; entry.calls.len()]).collect();
        for (layer, call) in execution_order(model)? {
            let round = |tensor: &TensorRef| match layers.get(tensor.layer).map(|entry| &entry.body) {
                Some(LayerBody::Input(_)) | None => 1,
                Some(_) => {
                    let made = rounds[tensor.layer].get(tensor.call).copied().unwrap_or(1);
                    made + usize::from((tensor.layer, tensor.call) > (layer, call))
                }
            };
            rounds[layer][call] = layers[layer].calls[call].tensors().into_iter().map(round).max().unwrap_or(1);
        }
        let mut order = Vec::with_capacity(layers.len());
        let mut index = Vec::with_capacity(layers.len());
        for rounds in &rounds {
            let mut calls: Vec<usize> = (0..rounds.len()).collect();
            calls.sort_by_key(|&call| rounds[call]);
            let mut of_call = vec![0; calls.len()];
            for (i, &call) in calls.iter().enumerate() {
                of_call[call] = i;
            }
            order.push(calls);
            index.push(of_call);
        }
        // A model has a node of its own before it is called.
        let first = layers.iter().map(|entry| usize::from(matches!(entry.body, LayerBody::Model(_)))).collect();
        Ok(Numbering { order, index, first })
    }

    /// The node index of the call that computes a tensor.
    pub(super) fn node(&self, tensor: &TensorRef) -> usize {
        let index = self.index.get(tensor.layer).and_then(|of| of.get(tensor.call)).copied().unwrap_or(0);
        self.first.get(tensor.layer).copied().unwrap_or(0) + index
    }
}
