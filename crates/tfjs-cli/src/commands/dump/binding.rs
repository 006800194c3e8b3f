//! The tensor of the file for each weight slot, as JSON.

use super::rule;
use serde_json::{Value, json};
use tfjs::parts::manifest::{ModelJson, WeightSpec};
use tfjs::parts::topology::bind::{Binding, Bound, TensorId};
use tfjs::parts::topology::graph::{ModelGraph, WeightSlot};

pub(super) fn of(graph: &ModelGraph, json: &ModelJson, binding: &Binding) -> Value {
    let Binding { slots, unused, warnings } = binding;
    let slot = |(slot, bound): (&WeightSlot, &Bound)| {
        let layer = graph.layers.get(slot.layer.0).map(|layer| &layer.path);
        let tensors = || bound.tensors().iter().map(|id| tensor(json, id));
        let tensor = match bound {
            // Made of several tensors, or of one in another layout.
            Bound::Assembled(..) => tensors().collect(),
            _ => tensors().next().unwrap_or_default(),
        };
        let rule = bound.rule().map_or("filled", rule);
        json!({"slot": slot.name(), "layer": layer, "tensor": tensor, "rule": rule})
    };
    json!({
        "slots": graph.slots.iter().zip(slots).map(slot).collect::<Value>(),
        "unused": unused.iter().map(|id| tensor(json, id)).collect::<Value>(),
        "warnings": warnings.to_lines(),
    })
}

fn tensor(json: &ModelJson, id: &TensorId) -> Value {
    let spec = |id: &TensorId| -> Option<&WeightSpec> {
        json.weights_manifest.as_ref()?.groups().get(id.group)?.weights.get(id.index)
    };
    let spec = spec(id);
    json!({
        "group": id.group,
        "index": id.index,
        "name": spec.map(|s| &s.name),
        "shape": spec.map(|s| s.shape.dims()),
        "dtype": spec.map(|s| s.dtype.name()),
        "stored": spec.map(|s| s.stored().name()),
    })
}
