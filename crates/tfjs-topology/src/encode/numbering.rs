//! How TensorFlow.js numbers the calls of a layer when it reads a model.
//!
//! It goes over the layers in the file's order again and again, and makes those calls of each that can be made
//! by then. A layer whose second call can be made earlier than its first has them swapped. So calls are written
//! in the order in which they will be made.
//!
//! Reference: `Container.fromConfig` in tfjs-layers `engine/container.ts`.

use crate::def::{LayerBody, Submodel, TensorRef};
use crate::lower::execution_order;
use tfjs_manifest::Result;

/// The calls of a submodel as TensorFlow.js will number them.
pub(super) struct Numbering {
    /// For each layer, its calls in the order in which they are written.
    pub order: Vec<Vec<usize>>,
    /// For each layer and call, its index in that order.
    index: Vec<Vec<usize>>,
    /// What the first call of a layer is called.
    first: Vec<usize>,
}

impl Numbering {
    pub(super) fn of(model: &Submodel) -> Result<Numbering> {
        let layers = &model.layers;
        // The round in which a call is made: after those it takes tensors of, in the same round if they come
        // before it in the file.
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
        // A model had a node of its own before it is called.
        let first = layers.iter().map(|entry| usize::from(matches!(entry.body, LayerBody::Model(_)))).collect();
        Ok(Numbering { order, index, first })
    }

    /// The node index of the call a tensor comes from.
    pub(super) fn node(&self, tensor: &TensorRef) -> usize {
        let index = self.index.get(tensor.layer).and_then(|of| of.get(tensor.call)).copied().unwrap_or(0);
        self.first.get(tensor.layer).copied().unwrap_or(0) + index
    }
}
