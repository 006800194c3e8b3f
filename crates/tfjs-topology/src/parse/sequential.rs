//! Parses a `Sequential`: a list of layers, each called with the output of the previous one.

use super::entry::{findings, read_entry};
use super::input::{BatchShape, input_type};
use super::keras1;
use crate::call::Call;
use crate::config::{FromJson, expected};
use crate::def::{LayerBody, LayerEntry, Port, Submodel, SubmodelKind, TensorRef};
use crate::read::ReadCx;
use crate::types::TensorType;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::Arc;
use tfjs_manifest::{Error, Limits, Result};

pub(super) fn read(name: &str, config: &Value, cx: &ReadCx<'_>) -> Result<Submodel> {
    let list = config.as_array().or_else(|| config.get("layers")?.as_array());
    let list = list.ok_or_else(|| expected("a list of layers", config).at_json("config.layers"))?;
    Limits::check("layers", list.len() as u64, cx.limits.layers)?;

    let mut layers = Vec::with_capacity(list.len() + 1);
    let mut errors = Vec::new();
    for (i, value) in list.iter().enumerate() {
        match read_entry(value, cx) {
            Ok(entry) => layers.push(entry),
            Err(error) => errors.push(error.at_json(format!("config.layers[{i}]"))),
        }
    }
    number_nameless(list, &mut layers);
    let mut names = HashSet::new();
    if let Some(twice) = layers.iter().find(|l: &&LayerEntry| !names.insert(l.name.clone())) {
        errors.push(Error::malformed("two layers of a model have this name").at_layer(&twice.name));
    }
    if !errors.is_empty() {
        return Err(findings(errors, name));
    }
    chain(name, layers, config, cx)
}

/// Keras before 2.3 writes models in a Sequential without their names: those after the first get a number.
fn number_nameless(list: &[Value], layers: &mut [LayerEntry]) {
    let nameless = |value: &Value| value.get("name").is_none() && value.get("config").is_some_and(Value::is_array);
    let nameless = layers.iter_mut().zip(list).filter(|(_, value)| nameless(value));
    for (number, (entry, _)) in nameless.enumerate().skip(1) {
        entry.name = format!("{}_{number}", entry.name);
        if let LayerBody::Model(model) = &mut entry.body {
            model.name.clone_from(&entry.name);
        }
    }
}

/// Puts an input before the layers where the file has none, and calls each with the output of the one before.
fn chain(name: &str, mut layers: Vec<LayerEntry>, config: &Value, cx: &ReadCx<'_>) -> Result<Submodel> {
    match layers.first() {
        None => return Err(Error::malformed(format!("model `{name}` has no layers"))),
        Some(first) if matches!(first.body, LayerBody::Input(_)) => {}
        Some(first) => {
            let declared = declared_input(first, config, cx)?;
            let of_keras1 = config.as_array().and_then(|list| list.first()).filter(|_| cx.producer.is_keras1());
            let name = of_keras1.and_then(keras1::input_name).unwrap_or_else(|| input_name(first, cx));
            layers.insert(0, input_entry(name, declared));
        }
    }
    for (i, entry) in layers.iter_mut().enumerate().skip(1) {
        if matches!(entry.body, LayerBody::Input(_)) {
            return Err(Error::malformed("an InputLayer must be the first layer of a Sequential").at_layer(&entry.name));
        }
        entry.calls = vec![Call::of([TensorRef { layer: i - 1, call: 0, tensor: 0 }])];
    }
    let port = |layer: usize| Port {
        name: layers[layer].name.clone(),
        key: None,
        tensor: TensorRef { layer, call: 0, tensor: 0 },
    };
    let last = layers.len() - 1;
    Ok(Submodel {
        returned: vec![0],
        name: name.to_string(),
        kind: SubmodelKind::Sequential,
        inputs: vec![port(0)],
        outputs: outputs_of(&layers[last], last).unwrap_or_else(|| vec![port(last)]),
        layers,
    })
}

/// The outputs of a Sequential whose last entry is a model with several outputs: all of them.
fn outputs_of(last: &LayerEntry, layer: usize) -> Option<Vec<Port>> {
    let LayerBody::Model(model) = &last.body else { return None };
    let port = |tensor| Port { name: last.name.clone(), key: None, tensor: TensorRef { layer, call: 0, tensor } };
    Some((0..model.outputs.len()).map(port).collect())
}

fn input_entry(name: String, declared: Option<TensorType>) -> LayerEntry {
    LayerEntry {
        name,
        class_name: "InputLayer".to_string(),
        config: Arc::default(),
        body: LayerBody::Input(declared),
        calls: Vec::new(),
    }
}

/// The name of the input: TensorFlow.js uses the input of a model in first place; the others add `_input`.
fn input_name(first: &LayerEntry, cx: &ReadCx<'_>) -> String {
    match &first.body {
        LayerBody::Model(model) if cx.producer.is_tfjs() => {
            model.inputs.first().map_or_else(|| first.name.clone(), |port| port.name.clone())
        }
        _ => format!("{}_input", first.name),
    }
}

/// The input type: declared by the first layer, recorded when the model was built, or declared by a model in first
/// place.
fn declared_input(first: &LayerEntry, config: &Value, cx: &ReadCx<'_>) -> Result<Option<TensorType>> {
    let declared = match &first.body {
        LayerBody::Model(model) => {
            let input = model.inputs.first().and_then(|port| model.layers.get(port.tensor.layer));
            match input.map(|entry| &entry.body) {
                Some(LayerBody::Input(declared)) => declared.clone(),
                _ => None,
            }
        }
        _ => {
            // The `dtype` of an ordinary layer is the type it computes in, not the type of its input.
            let mut map = Map::clone(&first.config);
            map.remove("dtype");
            let here = |e: Error| e.at_json("config.layers[0]").at_layer(&first.name);
            input_type(&map, cx).map_err(here)?.map(|ty| match &first.body {
                LayerBody::Layer(layer) => TensorType { dtype: layer.def().input_type().unwrap_or(ty.dtype), ..ty },
                _ => ty,
            })
        }
    };
    if declared.is_some() {
        return Ok(declared);
    }
    let built = config.get("build_input_shape").filter(|v| !v.is_null());
    built
        .map(|shape| BatchShape::from_json(shape).map(|BatchShape(shape)| TensorType::float(shape)))
        .transpose()
        .map_err(|e| e.at_json("config.build_input_shape"))
}
