//! Sequential and functional models, at any depth.

use super::calls::Calls;
use super::numbering::Numbering;
use super::types::Types;
use super::{At, EncodeCx, common, layer};
use crate::def::{LayerBody, LayerEntry, Port, Submodel, SubmodelKind};
use crate::types::TensorType;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use tfjs_manifest::Result;

/// The class and configuration of a model; `path` is the names of the models around its layers, each followed by `/`.
pub(super) fn encode_model(
    model: &Submodel,
    path: &str,
    types: &Types,
    cx: &EncodeCx<'_>,
) -> Result<(&'static str, Value)> {
    let at = At { path: &model.name, class: "model", calls: &[] };
    check_ports(model, &at, cx);
    match model.kind {
        SubmodelKind::Sequential => {
            let layers = sequential_layers(model, path, types, cx)?;
            Ok(("Sequential", json!({ "name": model.name, "layers": layers })))
        }
        SubmodelKind::Functional => {
            let numbering = Numbering::of(model)?;
            let calls = Calls { model, numbering: &numbering };
            let mut layers = Vec::with_capacity(model.layers.len());
            for (i, entry) in model.layers.iter().enumerate() {
                let path = format!("{path}{}", entry.name);
                let mut object = json!({ "name": entry.name });
                let Value::Object(map) = &mut object else { continue };
                map.append(&mut encode_entry(entry, &path, types, cx)?);
                let at = At { path: &path, class: &entry.class_name, calls: types.calls(&path) };
                map.insert("inbound_nodes".to_string(), calls.inbound_nodes(i, &at, cx));
                layers.push(object);
            }
            let ports = |ports: &[Port]| ports.iter().map(|port| calls.triple(&port.tensor)).collect::<Value>();
            let config = json!({
                "name": model.name,
                "layers": layers,
                "input_layers": ports(&model.inputs),
                "output_layers": ports(&model.outputs),
            });
            Ok(("Model", config))
        }
    }
}

/// Warns of inputs and outputs that a model in TensorFlow.js cannot have.
fn check_ports(model: &Submodel, at: &At<'_>, cx: &EncodeCx<'_>) {
    let mut seen = HashSet::new();
    if model.outputs.iter().any(|port| !seen.insert(port.tensor)) {
        cx.warn(at, "lists an output twice, which TensorFlow.js loads and cannot predict with");
    }
    if model.inputs.iter().chain(&model.outputs).any(|p| p.key.as_ref().is_some_and(|key| *key != p.name)) {
        cx.warn(at, "has inputs or outputs by key, which TensorFlow.js knows by layer name only");
    }
    let of_model = |model: &Submodel| model.inputs.len() > 1 || model.outputs.len() > 1;
    let inner = model.layers.iter().any(|entry| matches!(&entry.body, LayerBody::Model(inner) if of_model(inner)));
    if model.kind == SubmodelKind::Sequential && (inner || model.outputs.len() > 1) {
        cx.warn(at, "TensorFlow.js has no Sequential around layers of several inputs or outputs");
    }
}

fn sequential_layers(model: &Submodel, path: &str, types: &Types, cx: &EncodeCx<'_>) -> Result<Vec<Value>> {
    // An input without a configuration is not in the file: the first layer declares it.
    let is_implied = |entry: &LayerEntry| matches!(entry.body, LayerBody::Input(_)) && entry.config.is_empty();
    let implied = model.layers.first().filter(|entry| is_implied(entry));
    let mut layers = Vec::with_capacity(model.layers.len());
    for entry in &model.layers[usize::from(implied.is_some())..] {
        let mut map = encode_entry(entry, &format!("{path}{}", entry.name), types, cx)?;
        if let (true, Some(LayerBody::Input(ty))) = (layers.is_empty(), implied.map(|input| &input.body)) {
            declare_input(entry, &mut map, ty.as_ref(), &format!("{path}{}", entry.name), cx);
        }
        layers.push(Value::Object(map));
    }
    Ok(layers)
}

/// Declares a Sequential's input in its first layer, unless that is a model, which declares its own inputs.
fn declare_input(
    entry: &LayerEntry,
    map: &mut Map<String, Value>,
    ty: Option<&TensorType>,
    path: &str,
    cx: &EncodeCx<'_>,
) {
    if matches!(entry.body, LayerBody::Model(_)) {
        return;
    }
    let Some(Value::Object(config)) = map.get_mut("config") else { return };
    let declared = ["batch_input_shape", "batchInputShape", "input_shape", "inputShape"];
    if declared.iter().any(|key| config.get(*key).is_some_and(|v| !v.is_null())) {
        return;
    }
    match ty {
        Some(ty) => {
            config.insert("batch_input_shape".to_string(), common::shape(ty));
        }
        None => cx.warn(
            &At { path, class: &entry.class_name, calls: &[] },
            "the shape of its input is not known, which TensorFlow.js needs of the first layer",
        ),
    }
}

/// `class_name` and `config` of a layer, an operation or a model.
pub(super) fn encode_entry(
    entry: &LayerEntry,
    path: &str,
    types: &Types,
    cx: &EncodeCx<'_>,
) -> Result<Map<String, Value>> {
    let at = At { path, class: &entry.class_name, calls: types.calls(path) };
    common::check_name(&at, &entry.name, cx);
    let mut module = None;
    let (class, config) = match &entry.body {
        LayerBody::Model(model) => {
            let (class, config) = encode_model(model, &format!("{path}/"), types, cx)?;
            (class.to_string(), config)
        }
        LayerBody::Input(ty) => ("InputLayer".to_string(), common::input(entry, ty.as_ref(), &at, cx)),
        LayerBody::Op(_) => {
            cx.warn(&at, "TensorFlow.js has no operations on tensors in a model");
            // The module distinguishes it from a layer of the same class.
            module = cx.producer.is_keras3().then_some("keras.ops");
            (entry.class_name.clone(), Value::Object(Map::clone(&entry.config)))
        }
        LayerBody::Layer(_) if cx.producer.is_tfjs() => {
            layer::check_unreadable(&entry.config, &at, cx);
            (entry.class_name.clone(), Value::Object(Map::clone(&entry.config)))
        }
        LayerBody::Layer(layer) => {
            let (class, config) = layer::encode_layer(layer, &entry.config, at, cx)?;
            (class, Value::Object(config))
        }
    };
    let mut map = Map::new();
    map.insert("class_name".to_string(), class.into());
    if let Some(module) = module {
        map.insert("module".to_string(), module.into());
    }
    map.insert("config".to_string(), config);
    Ok(map)
}
