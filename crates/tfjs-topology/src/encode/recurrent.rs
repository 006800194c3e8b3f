//! Recurrent layers, their cells, and `Bidirectional` around them.

use super::classes::{flag, number};
use super::{At, EncodeCx, common, known};
use crate::producer::Family;
use serde_json::{Map, Value, json};

/// `LSTM`, `GRU`, `SimpleRNN` and `RNN`.
pub(super) fn layer(class: &str, config: &mut Map<String, Value>, at: &At<'_>, cx: &EncodeCx<'_>) {
    for key in ["zero_output_for_mask", "time_major"] {
        if flag(config, key) {
            cx.warn(at, format_args!("TensorFlow.js ignores `{key}`"));
        }
    }
    match class {
        "RNN" => {
            if let Some(cell) = config.get_mut("cell") {
                *cell = held(cell, at, cx);
            }
        }
        _ => cell(class, config, at, cx),
    }
}

/// The keys of a cell, in its own configuration or the layer's. What Keras means by an absent one is written out.
fn cell(class: &str, config: &mut Map<String, Value>, at: &At<'_>, cx: &EncodeCx<'_>) {
    for (keras1, key) in [("output_dim", "units"), ("inner_activation", "recurrent_activation")] {
        if let Some(value) = config.remove(keras1) {
            config.insert(key.to_string(), value);
        }
    }
    config.entry("activation").or_insert_with(|| "tanh".into());
    if class.starts_with("LSTM") || class.starts_with("GRU") {
        let gate = if cx.producer.family == Family::Keras1 { "hard_sigmoid" } else { "sigmoid" };
        config.entry("recurrent_activation").or_insert_with(|| gate.into());
    }
    if class.starts_with("GRU") {
        let after = config.entry("reset_after").or_insert_with(|| cx.producer.is_keras3().into());
        if after.as_bool() != Some(false) {
            cx.warn(at, "TensorFlow.js has no GRU with `reset_after`");
        }
    }
}

/// The cell of an `RNN`, a list of cells, or `StackedRNNCells`.
fn held(value: &Value, at: &At<'_>, cx: &EncodeCx<'_>) -> Value {
    if let Value::Array(cells) = value {
        return cells.iter().map(|cell| held(cell, at, cx)).collect();
    }
    let Some((class, mut config)) = read(value, at, cx) else { return value.clone() };
    match class.as_str() {
        "StackedRNNCells" => {
            if let Some(cells) = config.get_mut("cells") {
                *cells = held(cells, at, cx);
            }
            if !flag(&config, "reverse_state_order") {
                cx.warn(at, "TensorFlow.js lists the states of stacked cells from the highest down");
            }
        }
        _ => cell(&class, &mut config, at, cx),
    }
    json!({ "class_name": class, "config": config })
}

/// `Bidirectional`: TensorFlow.js makes the backward layer out of the forward one.
pub(super) fn bidirectional(config: &mut Map<String, Value>, at: &At<'_>, cx: &EncodeCx<'_>) {
    if number(config, "num_constants").is_none_or(|n| n == 0.0) {
        config.remove("num_constants");
    }
    let forward = config.get("layer").and_then(|value| one_way(value, "forward_", at, cx));
    let backward = config.get("backward_layer").and_then(|value| one_way(value, "backward_", at, cx));
    let is_mirror = match (&forward, &backward) {
        (Some((class, forward)), Some((other, backward))) => class == other && mirrored(forward) == plain(backward),
        (_, None) => true,
        (None, Some(_)) => false,
    };
    let object = |(class, config): (String, Map<String, Value>)| json!({ "class_name": class, "config": config });
    config.remove("backward_layer");
    if let Some(forward) = forward {
        config.insert("layer".to_string(), object(forward));
    }
    if let (false, Some(backward)) = (is_mirror, backward) {
        cx.warn(at, "TensorFlow.js makes the backward layer out of the forward one; this one differs");
        config.insert("backward_layer".to_string(), object(backward));
    }
}

fn one_way(value: &Value, prefix: &str, at: &At<'_>, cx: &EncodeCx<'_>) -> Option<(String, Map<String, Value>)> {
    let (class, mut config) = read(value, at, cx)?;
    // Keras sets it in here by itself; it matters where there are masks, and these have a warning of their own.
    config.remove("zero_output_for_mask");
    layer(&class, &mut config, at, cx);
    // Keras 3 writes the name with the direction, TensorFlow.js puts it before the name.
    if cx.producer.is_keras3()
        && let Some(Value::String(name)) = config.get_mut("name")
        && let Some(bare) = name.strip_prefix(prefix)
    {
        *name = bare.to_string();
    }
    Some((class, config))
}

/// What the backward layer is when nobody says otherwise, its name aside.
fn mirrored(forward: &Map<String, Value>) -> Map<String, Value> {
    let mut config = plain(forward);
    let turned = !flag(forward, "go_backwards");
    config.insert("go_backwards".to_string(), turned.into());
    config
}

/// What decides what a layer computes.
fn plain(config: &Map<String, Value>) -> Map<String, Value> {
    let only_training = |key: &str| {
        ["name", "trainable", "seed", "dtype"].contains(&key)
            || ["_initializer", "_regularizer", "_constraint", "dropout"].iter().any(|end| key.ends_with(end))
    };
    config
        .iter()
        .filter(|(key, value)| !only_training(key) && !value.is_null())
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// Class and configuration of a layer or cell inside another.
fn read(value: &Value, at: &At<'_>, cx: &EncodeCx<'_>) -> Option<(String, Map<String, Value>)> {
    let class = value.get("class_name").or_else(|| value.get("className"))?.as_str()?;
    let inner = At { class, ..*at };
    let bare = class.rsplit('>').next().unwrap_or(class);
    if !known::LAYERS.contains(&bare) {
        cx.warn(&inner, "TensorFlow.js knows no layer of this class");
    }
    Some((bare.to_string(), common::translate(value.get("config")?.as_object()?, &inner, cx)))
}
