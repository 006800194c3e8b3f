//! The inputs of a Sequential of Keras 1, which has several where a `Merge` stands first: the branches that it merges
//! are models in its configuration.
//!
//! Reference: `Sequential.from_config` and `Sequential.add` in `keras/models.py` of Keras 1.2.2.

use crate::read::ReadCx;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use tfjs_manifest::account::json_bytes;
use tfjs_manifest::{Error, Result};

/// An input that a first layer makes.
struct Input<'a> {
    /// Its name, if it is an InputLayer.
    name: Option<&'a str>,
    /// The class of the layer it is made for.
    class: &'a str,
    /// The configuration of either.
    config: &'a Map<String, Value>,
}

fn class_of(layer: &Value) -> &str {
    layer.get("class_name").and_then(Value::as_str).unwrap_or_default()
}

/// The list of layers of a Sequential.
fn layers_of(model: &Value) -> Option<&[Value]> {
    let config = model.get("config")?;
    config.as_array().or_else(|| config.get("layers")?.as_array()).map(Vec::as_slice)
}

/// The branches of a `Merge` that stands first.
fn branches(layer: &Value) -> Option<&[Value]> {
    let merge = (class_of(layer) == "Merge").then_some(layer)?;
    merge.get("config")?.get("layers")?.as_array().map(Vec::as_slice)
}

/// The inputs of a layer or model that stands first, in order.
fn find<'a>(layer: &'a Value, found: &mut Vec<Input<'a>>) {
    if let Some(branches) = branches(layer) {
        branches.iter().for_each(|branch| find(branch, found));
        return;
    }
    let class = class_of(layer);
    let config = layer.get("config");
    match class {
        "Sequential" => layers_of(layer).and_then(<[Value]>::first).into_iter().for_each(|first| find(first, found)),
        "Model" => {
            let Some(config) = config.and_then(Value::as_object) else { return };
            let list = |key: &str| config.get(key).and_then(Value::as_array).into_iter().flatten();
            let mut by_name: HashMap<&str, &Value> =
                list("layers").filter_map(|layer| Some((layer.get("name")?.as_str()?, layer))).collect();
            let names = list("input_layers").filter_map(|input| input.get(0)?.as_str());
            // Each layer once: a model that lists an input twice, inside of another one that does, would have 2^depth.
            for layer in names.filter_map(|name| by_name.remove(name)) {
                find(layer, found);
            }
        }
        _ => {
            if let Some(config) = config.and_then(Value::as_object) {
                let name = (class == "InputLayer").then(|| config.get("name").and_then(Value::as_str)).flatten();
                found.push(Input { name, class, config });
            }
        }
    }
}

/// The names of inputs as Keras 1 counts them: `dense_input_1`, `dense_input_2`, `lstm_input_1`.
fn names(inputs: &[Input<'_>]) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let name = |input: &Input<'_>| match input.name {
        Some(name) => name.to_string(),
        None => {
            let base = input.class.to_lowercase();
            let count = counts.entry(base.clone()).or_insert(0);
            *count += 1;
            format!("{base}_input_{count}")
        }
    };
    inputs.iter().map(name).collect()
}

/// What Keras 1 calls the input of a Sequential that begins with this layer.
pub(in super::super) fn input_name(first: &Value) -> Option<String> {
    let mut found = Vec::new();
    find(first, &mut found);
    names(&found).into_iter().next()
}

/// The functional model that a Sequential is which begins with a `Merge` of branches; `None` for another.
///
/// # Errors
/// Branches that are no list of layers; [`Kind::Limit`](tfjs_manifest::Kind::Limit) for too many of them.
pub(in super::super) fn merged_first(name: &str, model: &Value, cx: &ReadCx<'_>) -> Result<Option<Map<String, Value>>> {
    let list = model.as_array().or_else(|| model.get("layers")?.as_array()).map(Vec::as_slice).unwrap_or_default();
    let Some((merge, rest)) = list.split_first() else { return Ok(None) };
    let Some(parts) = branches(merge) else { return Ok(None) };
    // It is built of clones of what the file has.
    cx.account.charge(json_bytes(model).saturating_mul(2))?;
    let mut inputs = Vec::new();
    find(merge, &mut inputs);
    let input_names = names(&inputs);
    let mut given = Names { used: input_names.iter().cloned().collect(), counts: HashMap::new() };
    given.used.extend(parts.iter().chain(rest).filter_map(own_name).map(str::to_string));

    let mut layers: Vec<Value> = Vec::with_capacity(list.len());
    for (input, name) in inputs.iter().zip(&input_names) {
        let mut config = Map::from_iter([("name".to_string(), Value::from(name.as_str()))]);
        let keys = ["batch_input_shape", "input_shape", "input_dim", "input_length", "input_dtype", "batch_size"];
        config.extend(keys.iter().filter_map(|key| Some((key.to_string(), input.config.get(*key)?.clone()))));
        layers.push(json!({"class_name": "InputLayer", "name": name, "config": config, "inbound_nodes": []}));
    }
    let mut next = input_names.iter();
    let mut merged = Vec::with_capacity(parts.len());
    for part in parts {
        let mut of_part = Vec::new();
        find(part, &mut of_part);
        let taken: Vec<&String> = next.by_ref().take(of_part.len()).collect();
        // An InputLayer among the branches is its own input.
        if class_of(part) == "InputLayer" {
            merged.extend(taken.into_iter().map(|input| reference(input)));
            continue;
        }
        let name = given.of(part);
        let called: Value = taken.into_iter().map(|input| reference(input)).collect();
        layers.push(entry(part, &name, called));
        merged.push(reference(&name));
    }
    let mut last = String::new();
    for (i, layer) in [merge].into_iter().chain(rest).enumerate() {
        let called = if i == 0 { merged.iter().cloned().collect() } else { json!([reference(&last)]) };
        last = given.of(layer);
        let mut made = entry(layer, &last, called);
        if let (0, Some(config)) = (i, made.get_mut("config").and_then(Value::as_object_mut)) {
            config.remove("layers");
        }
        layers.push(made);
    }
    let input_layers: Value = input_names.iter().map(|name| reference(name)).collect();
    let built = json!({
        "name": name, "layers": layers, "input_layers": input_layers, "output_layers": [reference(&last)],
    });
    match built {
        Value::Object(map) => Ok(Some(map)),
        _ => Err(Error::bug("a configuration that is no object")),
    }
}

fn own_name(layer: &Value) -> Option<&str> {
    let name = layer.get("name").or_else(|| layer.get("config")?.get("name"));
    name.and_then(Value::as_str)
}

/// The names of the layers of a model.
struct Names {
    used: HashSet<String>,
    /// How many names were made of each class.
    counts: HashMap<String, usize>,
}

impl Names {
    /// A layer's own name, or for a model without one a name that nothing has.
    fn of(&mut self, layer: &Value) -> String {
        if let Some(name) = own_name(layer) {
            return name.to_string();
        }
        let base = class_of(layer).to_lowercase();
        let count = self.counts.entry(base.clone()).or_insert(0);
        loop {
            *count += 1;
            let name = format!("{base}_{count}");
            if self.used.insert(name.clone()) {
                return name;
            }
        }
    }
}

fn reference(layer: &str) -> Value {
    json!([layer, 0, 0])
}

fn entry(layer: &Value, name: &str, called: Value) -> Value {
    let config = layer.get("config").cloned().unwrap_or_default();
    json!({"class_name": class_of(layer), "name": name, "config": config, "inbound_nodes": [called]})
}
