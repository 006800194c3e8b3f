//! The definition of a model in its file, as JSON.

use super::{call, family, tensor_type};
use serde_json::{Value, json};
use tfjs::parts::topology::def::{LayerBody, LayerEntry, ModelDef, Port, Submodel, SubmodelKind, TensorRef};

pub(super) fn of(def: &ModelDef) -> Value {
    let ModelDef { producer, root, warnings, built_bytes: _ } = def;
    json!({
        "producer": {"family": family(producer), "version": producer.version},
        "warnings": warnings.to_lines(),
        "model": model(root),
    })
}

fn model(model: &Submodel) -> Value {
    let Submodel { name, kind, layers, inputs, outputs, returned: _ } = model;
    json!({
        "name": name,
        "kind": match kind {
            SubmodelKind::Sequential => "sequential",
            SubmodelKind::Functional => "functional",
        },
        "inputs": inputs.iter().map(port).collect::<Value>(),
        "outputs": outputs.iter().map(port).collect::<Value>(),
        "layers": layers.iter().map(layer).collect::<Value>(),
    })
}

fn port(port: &Port) -> Value {
    let Port { name, key, tensor } = port;
    json!({"name": name, "key": key, "tensor": reference(tensor)})
}

/// The indices of the layer, its call, and the output of the call.
fn reference(tensor: &TensorRef) -> Value {
    json!([tensor.layer, tensor.call, tensor.tensor])
}

fn layer(entry: &LayerEntry) -> Value {
    let LayerEntry { name, class_name, config, body, calls } = entry;
    let (kind, inner) = match body {
        LayerBody::Input(ty) => ("input", ty.as_ref().map_or(Value::Null, tensor_type)),
        LayerBody::Layer(_) => ("layer", Value::Null),
        LayerBody::Op(_) => ("op", Value::Null),
        LayerBody::Model(inner) => ("model", model(inner)),
    };
    // The configuration of a nested model would repeat the model.
    let config = if kind == "model" { Value::Null } else { json!(**config) };
    json!({
        "name": name,
        "class_name": class_name,
        "kind": kind,
        "type": if kind == "input" { inner.clone() } else { Value::Null },
        "model": if kind == "model" { inner } else { Value::Null },
        "config": config,
        "calls": calls.iter().map(|c| call::of(c, &reference)).collect::<Value>(),
    })
}
