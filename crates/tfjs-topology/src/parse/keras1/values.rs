//! Values of Keras 1 as Keras 2 writes them.

use crate::config::DataFormat;
use serde_json::{Map, Value, json};

/// The name of a place of the channels.
pub(super) fn format(format: DataFormat) -> Value {
    match format {
        DataFormat::ChannelsLast => "channels_last".into(),
        DataFormat::ChannelsFirst => "channels_first".into(),
    }
}

/// The value of an argument, which is called by its new name.
pub(super) fn translate(key: &str, value: &Value) -> Value {
    let named = value.get("name").and_then(Value::as_str).filter(|_| value.get("class_name").is_none());
    match (key, value.as_str(), named) {
        ("data_format", Some("th"), _) => format(DataFormat::ChannelsFirst),
        ("data_format", Some("tf"), _) => format(DataFormat::ChannelsLast),
        (_, _, Some(name)) if key.ends_with("_regularizer") => regularizer(name, value),
        (_, _, Some(name)) if key.ends_with("_constraint") => constraint(name, value),
        _ => value.clone(),
    }
}

/// `{"name": "L1L2Regularizer", "l1": 0.0, "l2": 0.01}`; older versions call it `WeightRegularizer` or
/// `ActivityRegularizer`.
fn regularizer(name: &str, value: &Value) -> Value {
    let class = match name {
        "L1L2Regularizer" | "WeightRegularizer" | "ActivityRegularizer" => "L1L2",
        other => other,
    };
    json!({"class_name": class, "config": without_name(value, &[])})
}

/// `{"name": "MaxNorm", "m": 2, "axis": 0}`.
fn constraint(name: &str, value: &Value) -> Value {
    json!({"class_name": name, "config": without_name(value, &[("m", "max_value")])})
}

fn without_name(value: &Value, renamed: &[(&str, &str)]) -> Value {
    let entries = value.as_object().into_iter().flatten().filter(|(key, _)| *key != "name");
    let key =
        |key: &String| renamed.iter().find(|(old, _)| old == key).map_or(key.as_str(), |(_, new)| *new).to_string();
    Value::Object(entries.map(|(name, value)| (key(name), value.clone())).collect())
}

/// What a class says in several arguments, or in an order of its own.
pub(super) fn settle(class: &str, config: &mut Map<String, Value>) {
    match class {
        "ZeroPadding1D" => {
            if let Some(sides) = sides(config.get("padding"), &["left_pad", "right_pad"]) {
                config.insert("padding".to_string(), sides.into());
            }
        }
        "ZeroPadding2D" => {
            let named = sides(config.get("padding"), &["top_pad", "bottom_pad", "left_pad", "right_pad"]);
            let listed = || config.get("padding")?.as_array().filter(|sides| sides.len() == 4).cloned();
            if let Some([top, bottom, left, right]) = named.or_else(listed).as_deref() {
                let sides = json!([[top, bottom], [left, right]]);
                config.insert("padding".to_string(), sides);
            }
        }
        // The lengths of the spatial axes, of a whole shape.
        "Conv2DTranspose" => {
            let first = config.get("data_format").and_then(Value::as_str) == Some("channels_first");
            if let Some([_, a, b, c]) = config.get("output_lengths").and_then(Value::as_array).map(Vec::as_slice) {
                let lengths = if first { json!([b, c]) } else { json!([a, b]) };
                config.insert("output_lengths".to_string(), lengths);
            }
        }
        _ => {}
    }
}

/// Zeros by the name of their side; those that are not named are none.
fn sides(padding: Option<&Value>, names: &[&str]) -> Option<Vec<Value>> {
    let named = padding?.as_object()?;
    let known = named.keys().all(|key| names.contains(&key.as_str()));
    known.then(|| names.iter().map(|name| named.get(*name).cloned().unwrap_or_else(|| 0.into())).collect())
}
