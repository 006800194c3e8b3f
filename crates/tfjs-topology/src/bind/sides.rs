//! The two sides of a report: the layers whose weights are not in the file, and the surplus tensors of the file,
//! grouped by the layers in their names.

use super::{File, TensorId};
use crate::graph::{LayerId, ModelGraph, SlotId};
use std::collections::HashMap;
use tfjs_manifest::Shape;

/// A layer of the model with missing weights.
pub(super) struct Lacking<'a> {
    pub(super) layer: LayerId,
    /// The models around it and its own name.
    pub(super) path: &'a str,
    pub(super) name: &'a str,
    pub(super) slots: Vec<SlotId>,
    /// Whether none of its weights are in the file.
    pub(super) wholly: bool,
    /// The names and shapes of its weights, in order.
    weights: Vec<(&'a str, &'a Shape)>,
}

/// Weights of the file that are not in the model and probably belong to one layer.
pub(super) struct Surplus<'a> {
    /// The common prefix of their names.
    pub(super) name: &'a str,
    pub(super) tensors: Vec<TensorId>,
    weights: Vec<(&'a str, &'a Shape)>,
}

/// The missing slots by layer, in the order of the layers.
pub(super) fn lacking<'a>(graph: &'a ModelGraph, missing: &[SlotId]) -> Vec<Lacking<'a>> {
    let mut out: Vec<Lacking<'_>> = Vec::new();
    let mut at: HashMap<LayerId, usize> = HashMap::new();
    for &id in missing {
        let slot = &graph.slots[id.0];
        let layer = &graph.layers[slot.layer.0];
        let index = *at.entry(slot.layer).or_insert_with(|| {
            out.push(Lacking {
                layer: slot.layer,
                path: &layer.path,
                name: &layer.name,
                slots: Vec::new(),
                wholly: false,
                weights: Vec::new(),
            });
            out.len() - 1
        });
        out[index].slots.push(id);
        out[index].weights.push((&slot.decl.name, &slot.decl.shape));
    }
    for layer in &mut out {
        layer.wholly = layer.slots.len() == graph.layers[layer.layer.0].slots.len();
        layer.weights.sort_by(|a, b| (a.0, a.1.dims()).cmp(&(b.0, b.1.dims())));
    }
    out
}

/// The surplus tensors in the order of the file, grouped by the layers in their names.
pub(super) fn surplus<'a>(file: &File<'a>, left: &[TensorId]) -> Vec<Surplus<'a>> {
    let mut out: Vec<Surplus<'_>> = Vec::new();
    let mut at: HashMap<&str, usize> = HashMap::new();
    for &id in left {
        let spec = file.spec(id);
        let (name, variable) = split(&spec.name);
        let index = *at.entry(name).or_insert_with(|| {
            out.push(Surplus { name, tensors: Vec::new(), weights: Vec::new() });
            out.len() - 1
        });
        out[index].tensors.push(id);
        out[index].weights.push((variable, &spec.shape));
    }
    for layer in &mut out {
        layer.weights.sort_by(|a, b| (a.0, a.1.dims()).cmp(&(b.0, b.1.dims())));
    }
    out
}

impl Lacking<'_> {
    /// Whether the surplus could be the weights of this layer: it has the same variables and shapes.
    pub(super) fn fits(&self, surplus: &Surplus<'_>) -> bool {
        self.wholly && self.weights == surplus.weights
    }

    /// The key that [`fits`](Lacking::fits) compares, for looking up layers.
    pub(super) fn signature(&self) -> &[(&str, &Shape)] {
        &self.weights
    }
}

impl Surplus<'_> {
    /// See [`Lacking::signature`].
    pub(super) fn signature(&self) -> &[(&str, &Shape)] {
        &self.weights
    }
}

/// Prefixes of the names of objects inside recurrent layers.
const INNER: [&str; 6] = ["forward_", "backward_", "lstm_cell", "gru_cell", "simple_rnn_cell", "conv_lstm"];

/// Splits a weight's name into the layer's part and the variable: `bidirectional_1/forward_lstm_2/lstm_cell_7/kernel`
/// into `bidirectional_1` and `kernel`.
fn split(name: &str) -> (&str, &str) {
    let Some((mut holder, variable)) = name.rsplit_once('/') else { return (name, name) };
    while let Some((outer, inner)) = holder.rsplit_once('/')
        && INNER.iter().any(|start| inner.starts_with(start))
    {
        holder = outer;
    }
    (holder, variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_part_of_a_name() {
        for (name, layer, variable) in [
            ("d/kernel", "d", "kernel"),
            ("m/d/kernel", "m/d", "kernel"),
            ("bidirectional_1/forward_lstm_2/lstm_cell_7/kernel", "bidirectional_1", "kernel"),
            ("lstm_cell_3/kernel", "lstm_cell_3", "kernel"),
            ("mean", "mean", "mean"),
        ] {
            assert_eq!(split(name), (layer, variable));
        }
    }
}
