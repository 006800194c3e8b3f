//! Translates configurations of Keras 1 into those of Keras 2 before a layer is read, so that layers need no old names.
//! Only two features without a name in Keras 2 reach a layer: padding `full`, and the output lengths of a transposed
//! convolution. Errors that occur while a layer is read use the names of the file.
//!
//! The names and layouts of weights are in [`bind`](crate::bind).

mod classes;
mod inputs;
mod values;

use crate::config::{DataFormat, missing};
use crate::read::ReadCx;
use crate::registry::unknown;
use classes::{Class, FORMAT_NOT_WRITTEN, KERNEL_SIZE, OLD_ONLY};
use serde_json::{Map, Value};
use tfjs_manifest::account::json_bytes;
use tfjs_manifest::text::shorten;
use tfjs_manifest::{Error, Result};

pub(super) use inputs::{input_name, merged_first};

/// A layer of Keras 1 in the words of Keras 2.
#[derive(Debug)]
pub(crate) struct Translated {
    /// The class.
    pub class: &'static str,
    /// The configuration.
    pub config: Value,
    /// Keys of Keras 2 with what the file calls them.
    words: Vec<(&'static str, String)>,
}

impl Translated {
    /// An error in the words of the file.
    pub(crate) fn in_old_words(&self, error: Error) -> Error {
        self.words.iter().fold(error, |error, (new, old)| error.with_key(new, old))
    }
}

/// Whether something in a model is what only Keras 1 writes.
pub(crate) fn looks_like(value: &Value) -> bool {
    match value {
        Value::Object(map) => {
            let class = map.get("class_name").and_then(Value::as_str);
            let config = map.get("config").and_then(Value::as_object);
            class.is_some_and(|class| is_old(class, config)) || map.values().any(looks_like)
        }
        Value::Array(items) => items.iter().any(looks_like),
        _ => false,
    }
}

/// Whether the name of a class or one of its arguments is of Keras 1. A class that only Keras 1 has may be a user's own
/// elsewhere, so its name alone does not count.
fn is_old(name: &str, config: Option<&Map<String, Value>>) -> bool {
    let Some(class) = Class::of(name) else { return false };
    class.new != name || config.is_some_and(|config| config.keys().any(|key| class.key(key).is_some()))
}

/// The place of the channels in a model, where its layers say it in the words of Keras 1: that of the first one.
pub(crate) fn format_of(value: &Value) -> Option<DataFormat> {
    match value {
        Value::Object(map) => match map.get("dim_ordering").and_then(Value::as_str) {
            Some("th") => Some(DataFormat::ChannelsFirst),
            Some("tf") => Some(DataFormat::ChannelsLast),
            _ => map.values().find_map(format_of),
        },
        Value::Array(items) => items.iter().find_map(format_of),
        _ => None,
    }
}

/// A layer in the words of Keras 2, if it is in those of Keras 1.
///
/// # Errors
/// A `Merge` whose mode is missing or no word; a kernel without one of its sides; a class that only Keras 1 has in a file
/// of Keras 2 or 3.
pub(crate) fn translate(name: &str, config: &Value, cx: &ReadCx<'_>) -> Result<Option<Translated>> {
    let (Some(class), Some(map)) = (Class::of(name), config.as_object()) else { return Ok(None) };
    let of_keras1 = cx.producer.is_keras1();
    if !of_keras1 && !is_old(name, Some(map)) {
        // A file in the form of TensorFlow.js may be one that this library saved.
        return if OLD_ONLY.contains(&name) && !cx.producer.is_tfjs() { Err(unknown(name, cx)) } else { Ok(None) };
    }
    cx.account.charge(json_bytes(config))?;
    let mut out = Map::new();
    for (key, value) in map {
        match class.key(key) {
            Some("") => {}
            // What the file says in the words of Keras 2 too counts.
            Some(new) if map.get(new).is_some_and(|value| !value.is_null()) => {}
            Some(new) => drop(out.insert(new.to_string(), values::translate(new, value))),
            None => drop(out.insert(key.clone(), values::translate(key, value))),
        }
    }
    if let Some(sides) = sides(class, map)? {
        out.insert(KERNEL_SIZE.to_string(), sides);
    }
    // Errors of a class that other producers have too speak of what is there. What the file calls as Keras 2 does keeps
    // that name.
    let all = of_keras1 || class.new != name || OLD_ONLY.contains(&name);
    let mut words: Vec<(&'static str, String)> = Vec::new();
    let is_old_word =
        |(old, new): &(&str, &str)| !new.is_empty() && !map.contains_key(*new) && (all || map.contains_key(*old));
    for (old, new) in class.pairs().filter(is_old_word) {
        match words.iter_mut().find(|(known, _)| *known == new) {
            Some((_, written)) => *written = format!("{written}, {old}"),
            None => words.push((new, old.to_string())),
        }
    }
    let mut translated = Translated { class: class.new, config: Value::Null, words };
    if of_keras1 && FORMAT_NOT_WRITTEN.contains(&class.old) && !out.contains_key("data_format") {
        if cx.image_format.is_none() {
            let layer = shorten(map.get("name").and_then(Value::as_str).unwrap_or_default());
            cx.warn(format!(
                "layer `{layer}` ({name}): Keras 1 does not write where the channels are, and no layer of the model says it: \
                 taken as last"
            ));
        }
        out.insert("data_format".to_string(), values::format(cx.image_format.unwrap_or_default()));
    }
    if class.old == "Merge" {
        translated.class = merge_class(map, &mut out)?;
    }
    values::settle(class.new, &mut out);
    translated.config = Value::Object(out);
    Ok(Some(translated))
}

/// The sizes of a window for which there is an argument for each axis.
///
/// # Errors
/// A missing one where others are there.
fn sides(class: &Class, map: &Map<String, Value>) -> Result<Option<Value>> {
    if map.get(KERNEL_SIZE).is_some_and(|size| !size.is_null()) {
        return Ok(None);
    }
    let keys: Vec<&str> = class.pairs().filter(|(_, new)| *new == KERNEL_SIZE).map(|(old, _)| old).collect();
    if keys.len() < 2 || !keys.iter().any(|key| map.contains_key(*key)) {
        return Ok(None);
    }
    let side = |key: &&str| map.get(*key).cloned().ok_or_else(|| missing(key).at_json("config"));
    keys.iter().map(side).collect::<Result<_>>().map(Some)
}

/// The class of a `Merge` by its mode, whose other arguments are left out.
fn merge_class(written: &Map<String, Value>, out: &mut Map<String, Value>) -> Result<&'static str> {
    let at = |e: Error| e.at_json("mode").at_json("config");
    let mode = match written.get("mode") {
        Some(Value::String(mode)) if matches!(written.get("mode_type").and_then(Value::as_str), None | Some("raw")) => {
            mode.as_str()
        }
        None | Some(Value::Null) => return Err(missing("mode").at_json("config")),
        Some(_) => {
            let message = "a `Merge` by a function of Python cannot be read; give the layer a class of your own";
            return Err(at(Error::unsupported(message)));
        }
    };
    let (class, keeps) = match mode {
        "sum" => ("Add", ""),
        "mul" => ("Multiply", ""),
        "ave" => ("Average", ""),
        "max" => ("Maximum", ""),
        "concat" => ("Concatenate", "axis"),
        "dot" => ("Dot", "axes"),
        // Nothing since computes the same.
        "cos" => ("Merge", "axes"),
        other => {
            let message =
                format!("expected `sum`, `mul`, `concat`, `ave`, `cos`, `dot` or `max`, found `{}`", shorten(other));
            return Err(at(Error::malformed(message)));
        }
    };
    if class != "Merge" {
        out.remove("mode");
    }
    for key in ["axis", "axes"] {
        if key != keeps {
            out.remove(key);
        } else if !out.contains_key(key) {
            out.insert(key.to_string(), (-1).into());
        }
    }
    // Branches stand in a `Merge` that is the first of a Sequential, which is no layer by itself.
    out.remove("layers");
    Ok(class)
}

#[cfg(test)]
mod tests;
