//! Keys that all layers share: dtype, input shape, and what only training reads.

use super::{At, EncodeCx};
use crate::def::LayerEntry;
use crate::types::{TensorType, ValueType};
use serde_json::{Map, Value, json};

/// Keys with which Keras stores a layer, and which do not define it.
const KEPT_BY_KERAS: &[&str] =
    &["module", "registered_name", "build_config", "compile_config", "shared_object_id", "date_saved"];

/// The initializer classes of TensorFlow.js 4.22.
const INITIALIZERS: &[&str] = &[
    "Zeros",
    "Ones",
    "Constant",
    "RandomUniform",
    "RandomNormal",
    "TruncatedNormal",
    "Identity",
    "VarianceScaling",
    "GlorotUniform",
    "GlorotNormal",
    "HeUniform",
    "HeNormal",
    "LeCunUniform",
    "LeCunNormal",
    "Orthogonal",
];

/// The constraint classes of TensorFlow.js 4.22.
const CONSTRAINTS: &[&str] = &["MaxNorm", "UnitNorm", "NonNeg", "MinMaxNorm"];

/// Translates the common keys of a layer's configuration to TensorFlow.js's form.
pub(super) fn translate(config: &Map<String, Value>, at: &At<'_>, cx: &EncodeCx<'_>) -> Map<String, Value> {
    let mut out = Map::new();
    for (key, value) in config {
        let key = crate::config::snake_case(key);
        let value = match key.as_str() {
            kept if KEPT_BY_KERAS.contains(&kept) => continue,
            "dtype" => dtype(value, at, cx),
            "quantization_config" | "lora_rank" | "lora_alpha" if value.is_null() => continue,
            "activity_regularizer" => {
                if !value.is_null() {
                    cx.warn(at, "`activity_regularizer` is left out: TensorFlow.js does not load layers with one");
                }
                Value::Null
            }
            k if k.ends_with("_initializer") => initializer(value, &key, at, cx),
            k if k.ends_with("_regularizer") => regularizer(value, &key, at, cx),
            k if k.ends_with("_constraint") => constraint(value, &key, at, cx),
            _ => plain(value),
        };
        let key = if key == "batch_shape" { "batch_input_shape".to_string() } else { key };
        out.insert(key, value);
    }
    out
}

/// Converts tuples to lists; other values are unchanged.
fn plain(value: &Value) -> Value {
    match value.get("class_name").and_then(Value::as_str) {
        Some("__tuple__") => value.get("items").cloned().unwrap_or_else(|| value.clone()),
        _ => value.clone(),
    }
}

/// The configuration of an input.
pub(super) fn input(entry: &LayerEntry, ty: Option<&TensorType>, at: &At<'_>, cx: &EncodeCx<'_>) -> Value {
    if cx.producer.is_tfjs() && !entry.config.is_empty() {
        return Value::Object(Map::clone(&entry.config));
    }
    let Some(ty) = ty else {
        cx.warn(at, "the shape of the input is not known, which TensorFlow.js needs");
        return Value::Object(Map::clone(&entry.config));
    };
    if entry.config.get("optional").and_then(Value::as_bool) == Some(true) {
        cx.warn(at, "TensorFlow.js has no optional inputs");
    }
    let sparse = entry.config.get("sparse").and_then(Value::as_bool).unwrap_or(false);
    let dtype = match ty.dtype {
        // TensorFlow.js has no wider integers.
        ValueType::Int64 => ValueType::Int32.name(),
        other => other.name(),
    };
    json!({ "batch_input_shape": shape(ty), "dtype": dtype, "sparse": sparse, "name": entry.name })
}

/// A shape, with null for unknown dimensions.
pub(super) fn shape(ty: &TensorType) -> Value {
    ty.shape.dims().iter().map(|dim| json!(dim)).collect()
}

/// Warns of a name that no tensor of TensorFlow.js can have.
pub(super) fn check_name(at: &At<'_>, name: &str, cx: &EncodeCx<'_>) {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    let rest = name.chars().all(|c| c.is_ascii_alphanumeric() || "-._/".contains(c));
    if !first || !rest {
        cx.warn(at, "TensorFlow.js takes names of letters, digits and `-._/` only, a letter or digit first");
    }
}

/// The name of a dtype or policy; half precision becomes float32.
fn dtype(value: &Value, at: &At<'_>, cx: &EncodeCx<'_>) -> Value {
    let name = value.as_str().or_else(|| value.get("config")?.get("name")?.as_str());
    match name {
        None => Value::Null,
        Some(name @ ("float16" | "bfloat16" | "mixed_float16" | "mixed_bfloat16")) => {
            cx.warn(at, format_args!("written as float32: TensorFlow.js has no dtype `{name}`"));
            "float32".into()
        }
        Some(name) => name.into(),
    }
}

/// The class and configuration of an object, or of a name.
fn object(value: &Value) -> Option<(String, Map<String, Value>)> {
    let class = value.as_str().or_else(|| value.get("class_name")?.as_str())?;
    let config = value.get("config").and_then(Value::as_object).cloned().unwrap_or_default();
    Some((class.to_string(), config))
}

/// Initializers do not matter once weights are loaded, but TensorFlow.js rejects a model with an unknown one.
fn initializer(value: &Value, key: &str, at: &At<'_>, cx: &EncodeCx<'_>) -> Value {
    let Some((class, mut config)) = object(value) else { return Value::Null };
    let class: String = class.rsplit('>').next().unwrap_or_default().split('_').map(capitalised).collect();
    let class = match class.as_str() {
        "LecunUniform" => "LeCunUniform",
        "LecunNormal" => "LeCunNormal",
        "OrthogonalInitializer" => "Orthogonal",
        other => other,
    };
    let distribution = config.get("distribution").and_then(Value::as_str);
    let drawn = !matches!(distribution, Some(d) if !["normal", "uniform", "truncated_normal"].contains(&d));
    if !INITIALIZERS.contains(&class) || !drawn {
        cx.warn(at, format_args!("`{key}` is left out: TensorFlow.js has no initializer {}", name_of(value)));
        return Value::Null;
    }
    config.retain(|key, _| !matches!(key.as_str(), "input_axes" | "output_axes"));
    json!({ "class_name": class, "config": config })
}

fn regularizer(value: &Value, key: &str, at: &At<'_>, cx: &EncodeCx<'_>) -> Value {
    let Some((class, config)) = object(value) else { return Value::Null };
    // 0.01 is the default in both frameworks.
    let strength = |key: &str| config.get(key).cloned().unwrap_or_else(|| json!(0.01));
    let config = match class.to_lowercase().as_str() {
        "l1" => json!({ "l1": strength("l1"), "l2": 0.0 }),
        "l2" => json!({ "l1": 0.0, "l2": strength("l2") }),
        "l1l2" | "l1_l2" => Value::Object(config),
        _ => {
            cx.warn(at, format_args!("`{key}` is left out: TensorFlow.js has no regularizer {}", name_of(value)));
            return Value::Null;
        }
    };
    json!({ "class_name": "L1L2", "config": config })
}

fn constraint(value: &Value, key: &str, at: &At<'_>, cx: &EncodeCx<'_>) -> Value {
    let Some((class, config)) = object(value) else { return Value::Null };
    let class: String = class.split('_').map(capitalised).collect();
    if !CONSTRAINTS.contains(&class.as_str()) {
        cx.warn(at, format_args!("`{key}` is left out: TensorFlow.js has no constraint {}", name_of(value)));
        return Value::Null;
    }
    cx.warn(at, format_args!("TensorFlow.js applies `{key}` to the weights it loads"));
    json!({ "class_name": class, "config": config })
}

fn name_of(value: &Value) -> String {
    object(value).map_or_else(|| value.to_string(), |(class, _)| format!("`{class}`"))
}

/// `glorot` -> `Glorot`: for classes that Keras writes as functions.
fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars).collect()
}
