//! The flat graph as JSON. Values, layers and slots are named by their index.
//!
//! The JSON is written piece by piece, because a constant that a model shares among a thousand calls is written a
//! thousand times.

use super::{call, tensor_type};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};
use tfjs::parts::topology::graph::{Callee, GraphLayer, GraphPort, ModelGraph, Node, ValueId, ValueInfo, WeightSlot};

/// A graph that is serialized piece by piece.
pub(super) struct Graph<'a>(pub(super) &'a ModelGraph);

impl Serialize for Graph<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ModelGraph { name, layers, nodes, values, slots, inputs, outputs, .. } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", name)?;
        map.serialize_entry("inputs", &List(inputs, port))?;
        map.serialize_entry("outputs", &List(outputs, port))?;
        map.serialize_entry("layers", &List(layers, layer))?;
        map.serialize_entry("nodes", &List(nodes, |n: &Node| node(self.0, n)))?;
        map.serialize_entry("values", &List(values, value))?;
        map.serialize_entry("slots", &List(slots, slot))?;
        map.end()
    }
}

/// A list of items, and a function that converts each to JSON when it is written.
struct List<'a, T, F: Fn(&T) -> Value>(&'a [T], F);

impl<T, F: Fn(&T) -> Value> Serialize for List<'_, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(&self.1))
    }
}

fn port(port: &GraphPort) -> Value {
    let GraphPort { name, key, value } = port;
    json!({"name": name, "key": key, "value": value.0})
}

fn layer(layer: &GraphLayer) -> Value {
    let GraphLayer { path, name, class_name, config, callee, slots, trainable } = layer;
    json!({
        "path": path,
        "name": name,
        "class_name": class_name,
        "kind": match callee {
            Callee::Layer(_) => "layer",
            Callee::Op(_) => "op",
        },
        "trainable": trainable,
        "slots": slots.iter().map(|slot| slot.0).collect::<Value>(),
        "config": **config,
    })
}

fn node(graph: &ModelGraph, node: &Node) -> Value {
    let Node { layer, call, outputs } = node;
    json!({
        "layer": layer.0,
        "path": graph.layer(node).path,
        "call": call::of(call, &|value: &ValueId| json!(value.0)),
        "outputs": outputs.iter().map(|value| value.0).collect::<Value>(),
    })
}

fn value(value: &ValueInfo) -> Value {
    let ValueInfo { ty, node, masked } = value;
    let mut json = tensor_type(ty);
    json["node"] = json!(node);
    json["masked"] = json!(masked);
    json
}

fn slot(slot: &WeightSlot) -> Value {
    json!({
        "name": slot.name(),
        "layer": slot.layer.0,
        "object_path": slot.object_path,
        "shape": slot.decl.shape.dims(),
        "dtype": slot.decl.dtype.name(),
        "trainable": slot.trainable,
    })
}
