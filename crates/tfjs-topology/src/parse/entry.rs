//! Parses one entry of a list of layers: `{"class_name": ..., "config": ..., "inbound_nodes": ...}`.

use super::{backbone, functional, input, keras1, sequential, single, unneeded};
use crate::config::{Config, expected};
use crate::def::{LayerBody, LayerEntry};
use crate::ops::{Op, tf_lambda};
use crate::read::ReadCx;
use crate::registry::{CLASSES, Layer};
use serde_json::{Map, Value};
use std::sync::Arc;
use tfjs_manifest::account::{json_bytes, text_bytes};
use tfjs_manifest::text::shorten;
use tfjs_manifest::{Error, Findings, Limits, Result};

/// Parses an entry without its calls, which need the names of the other layers.
///
/// # Errors
/// Those of the layer, naming it.
pub(crate) fn read_entry(value: &Value, cx: &ReadCx<'_>) -> Result<LayerEntry> {
    cx.spend_layer()?;
    let class_name = class_name(value, cx)?;
    let config = value.get("config").ok_or_else(|| Error::malformed("missing `config`"))?;
    let name = entry_name(value, config, class_name);
    Limits::check("name_chars", name.chars().count() as u64, cx.limits.name_chars).map_err(|e| e.at_layer(&name))?;
    cx.account.charge_many::<LayerEntry>(1)?;
    cx.account.charge(text_bytes(&name) + text_bytes(class_name))?;
    let old = match cx.custom.get(class_name) {
        None => keras1::translate(class_name, config, cx).map_err(|e| e.at_layer(&name))?,
        Some(_) => None,
    };
    let (class_name, config) = old.as_ref().map_or((class_name, config), |old| (old.class, &old.config));
    let body = read_body(class_name, &name, value, config, cx);
    let body = body.map_err(|error| {
        let error = match &old {
            Some(old) => old.in_old_words(error),
            None => error,
        };
        at_layer_everywhere(error, &name)
    })?;
    if let Some(map) = config.as_object()
        && cx.custom.get(class_name).is_none()
    {
        unneeded::check(&name, class_name, map, cx);
        single::check_config(&name, class_name, map, cx);
    }
    // The producers use the entry's name in calls, and the configuration's name for weights.
    if let (Some(entry), Some(own)) =
        (value.get("name").and_then(Value::as_str), config.get("name").and_then(Value::as_str))
        && entry != own
    {
        cx.warn(format!("layer `{name}` ({class_name}): its configuration calls it `{}`", shorten(own)));
    }
    let config = kept(config, &body, cx)?;
    Ok(LayerEntry { name, class_name: class_name.to_string(), config, body, calls: Vec::new() })
}

/// The part of a configuration that is kept: without the layers of a model, which are kept themselves.
fn kept(config: &Value, body: &LayerBody, cx: &ReadCx<'_>) -> Result<Arc<Map<String, Value>>> {
    let Some(map) = config.as_object() else { return Ok(Arc::default()) };
    let is_model = matches!(body, LayerBody::Model(_));
    let entries = map.iter().filter(|(key, _)| !(is_model && *key == "layers"));
    let mut kept = Map::new();
    for (key, value) in entries {
        cx.account.charge(text_bytes(key) + json_bytes(value))?;
        kept.insert(key.clone(), value.clone());
    }
    Ok(Arc::new(kept))
}

/// Parses the layer or model inside a wrapper, at a key of the wrapper's configuration, if the key is present.
///
/// # Errors
/// As [`read_entry`], at its JSON path; [`Kind::Limit`](tfjs_manifest::Kind::Limit) for too deeply nested wrappers.
pub(crate) fn read_held(config: &Config<'_>, key: &str) -> Result<Option<LayerEntry>> {
    let Some(value) = config.value(key) else { return Ok(None) };
    let entry = config.cx().deeper().and_then(|cx| read_entry(value, &cx));
    let entry = entry.and_then(|entry| match entry.body {
        LayerBody::Input(_) => Err(expected("a layer to wrap", value)),
        _ => Ok(entry),
    });
    entry.map(Some).map_err(|e| e.at_json(key).at_json("config"))
}

/// Adds the layer to an error, unless it is the error of a nested model, which names layers already.
fn at_layer_everywhere(error: Error, name: &str) -> Error {
    if error.details().is_empty() { error.at_layer(name) } else { error }
}

/// The class of an entry. If its author registered it in a package, that is `package>name`, because the class name
/// alone may be that of a built-in class.
fn class_name<'a>(value: &'a Value, cx: &ReadCx<'_>) -> Result<&'a str> {
    let class = value.get("class_name").or_else(|| value.get("className"));
    let class = class.and_then(Value::as_str);
    let class = class.ok_or_else(|| expected("a layer with `class_name` and `config`", value))?;
    let registered = value.get("registered_name").and_then(Value::as_str).filter(|name| name.contains('>'));
    Ok(match registered {
        Some(name) if cx.custom.has(name) || cx.custom.get(class).is_none() => name,
        _ => class,
    })
}

/// The layer's own name: in the entry (functional models) or in its configuration (sequential ones).
fn entry_name(value: &Value, config: &Value, class_name: &str) -> String {
    let name = value.get("name").or_else(|| config.get("name")).and_then(Value::as_str);
    name.map_or_else(|| crate::config::to_snake_case(class_name), str::to_string)
}

fn read_body(class: &str, name: &str, entry: &Value, config: &Value, cx: &ReadCx<'_>) -> Result<LayerBody> {
    let object = || config.as_object().ok_or_else(|| expected("an object", config).at_json("config"));
    if cx.custom.get(class).is_some() {
        return Ok(LayerBody::Layer(Layer::read(class, object()?, cx)?.layer));
    }
    Ok(match class {
        // Models of Keras before 2.3 write a Sequential's configuration as the bare list of layers.
        // A Pipeline of Keras 3 is a list of layers too.
        "Sequential" | "Pipeline" => {
            let inside = cx.deeper()?;
            LayerBody::Model(Box::new(match keras1::merged_first(name, config, cx)? {
                Some(built) => functional::read(name, &built, &inside)?,
                None => sequential::read(name, config, &inside)?,
            }))
        }
        "Functional" | "Model" => LayerBody::Model(Box::new(functional::read(name, object()?, &cx.deeper()?)?)),
        _ if backbone::is_backbone(class) => {
            let built = backbone::functional(name, object()?, cx)?;
            LayerBody::Model(Box::new(functional::read(name, &built, &cx.deeper()?)?))
        }
        "Graph" => {
            let message = "a `Graph` of Keras 0 is not supported; load it with that version and save it as a `Model`";
            return Err(Error::unsupported(message));
        }
        "InputLayer" => LayerBody::Input(input::input_type(object()?, cx)?),
        "TensorFlowOpLayer" => LayerBody::Op(Op::read(class, object()?, cx)?),
        "TFOpLambda" | "SlicingOpLambda" => LayerBody::Op(tf_lambda::read(class, object()?, cx)?),
        _ => {
            let map = object()?;
            if is_operation(class, entry, map, cx) {
                return Ok(LayerBody::Op(Op::read(class, map, cx)?));
            }
            let read = Layer::read(class, map, cx)?;
            if !read.ignored.is_empty() {
                let keys: Vec<String> = read.ignored.iter().map(|k| format!("`{k}`")).collect();
                cx.warn(format!(
                    "layer `{name}` ({class}): configuration without a known meaning: {}",
                    keys.join(", ")
                ));
            }
            LayerBody::Layer(read.layer)
        }
    })
}

/// Whether an entry is a Keras 3 operation, whose class name may also be that of a layer. If the file has the module,
/// that decides. The converter drops it; then every layer has the key `trainable` or `dtype`, and no operation with a
/// layer's name does.
fn is_operation(class: &str, entry: &Value, config: &Map<String, Value>, cx: &ReadCx<'_>) -> bool {
    if let Some(module) = entry.get("module").and_then(Value::as_str) {
        return module.contains(".ops");
    }
    let has_nodes = entry.get("inbound_nodes").is_some();
    let like_a_layer = config.contains_key("trainable") || config.contains_key("dtype");
    let (is_an_operation, is_a_layer) = (crate::ops::OPS.contains(&class), CLASSES.contains(&class));
    // `keras.activations.relu` is an operation `ReLU`, which computes the same as the layer.
    let only_a_layer = is_a_layer && !is_an_operation;
    let only_an_operation = is_an_operation && !is_a_layer;
    cx.producer.is_keras3() && has_nodes && (only_an_operation || !like_a_layer && !only_a_layer)
}

/// Combines all errors of a model's layers and calls in one report; nested reports are flattened.
pub(super) fn findings(errors: Vec<Error>, model: &str) -> Error {
    let mut findings = Findings::new();
    for error in errors {
        if error.details().is_empty() {
            findings.push(error);
        } else {
            error.into_details().into_iter().for_each(|detail| findings.push(detail));
        }
    }
    let headline = format!("model `{model}` has {} layers or calls that cannot be read", findings.len());
    findings.finish(headline).expect_err("called with at least one error")
}
