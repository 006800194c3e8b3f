//! The flat graph as JSON. Values, layers and slots are named by their index.

use super::{call, tensor_type};
use serde_json::{Value, json};
use tfjs::parts::topology::graph::{Callee, GraphLayer, GraphPort, ModelGraph, Node, ValueId, ValueInfo, WeightSlot};

pub(super) fn of(graph: &ModelGraph) -> Value {
    let ModelGraph { name, layers, nodes, values, slots, repeated: _, inputs, outputs, expanded: _ } = graph;
    json!({
        "name": name,
        "inputs": inputs.iter().map(port).collect::<Value>(),
        "outputs": outputs.iter().map(port).collect::<Value>(),
        "layers": layers.iter().map(layer).collect::<Value>(),
        "nodes": nodes.iter().map(|n| node(graph, n)).collect::<Value>(),
        "values": values.iter().map(value).collect::<Value>(),
        "slots": slots.iter().map(slot).collect::<Value>(),
    })
}

fn port(port: &GraphPort) -> Value {
    let GraphPort { name, value } = port;
    json!({"name": name, "value": value.0})
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
