//! Reads a layer's configuration in all its spellings, and records which keys were not read.
//!
//! Keys come in snake or camel case, counts as `64` or `64.0`, scalars bare or as `{"type": "ndarray", ...}`,
//! enum values in both spellings. One reader handles all of this, so that a layer's constructor is a list of its
//! fields, and the producer's meaning of an absent key is decided there and nowhere else. The JSON itself
//! is not changed.

use crate::producer::Producer;
use crate::read::ReadCx;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::HashSet;
use tfjs_ir::window::Padding;
use tfjs_manifest::{Error, Result};

/// Keys that do not affect inference in any layer.
const INERT: &[&str] = &[
    "name",
    "trainable",
    "dtype",
    "batch_input_shape",
    "batch_shape",
    "input_shape",
    "input_dtype",
    "batch_size",
    "input_dim",
    "input_length",
    "seed",
    "noise_shape",
    "activity_regularizer",
    "lora_rank",
    "lora_alpha",
    "quantization_config",
    "implementation",
    "unroll",
    "shared_object_id",
];

/// Suffixes of keys that only training reads. DIFFERENCE: TensorFlow.js applies constraints to the weights it loads.
const INERT_ENDINGS: &[&str] = &["_initializer", "_regularizer", "_constraint"];

/// Whether a key does not affect inference in any layer.
pub(crate) fn is_inert(key: &str) -> bool {
    let snake = snake_case(key);
    INERT.contains(&snake.as_str()) || INERT_ENDINGS.iter().any(|end| snake.ends_with(end))
}

/// The configuration of one layer.
#[derive(Debug)]
pub struct Config<'a> {
    map: &'a Map<String, Value>,
    cx: &'a ReadCx<'a>,
    read: RefCell<HashSet<&'a str>>,
}

impl<'a> Config<'a> {
    /// Reads `map` as the file's producer means it.
    pub fn new(map: &'a Map<String, Value>, cx: &'a ReadCx<'a>) -> Self {
        Config { map, cx, read: RefCell::default() }
    }

    /// The software that wrote the file.
    pub fn producer(&self) -> &'a Producer {
        self.cx.producer
    }

    /// The context of the file.
    pub fn cx(&self) -> &'a ReadCx<'a> {
        self.cx
    }

    /// The JSON as written.
    pub fn map(&self) -> &'a Map<String, Value> {
        self.map
    }

    /// The value of a key (given in snake case) in either spelling; null counts as absent.
    pub fn value(&self, key: &str) -> Option<&'a Value> {
        #[cfg(test)]
        self.cx.asked.borrow_mut().insert(key.to_string());
        let (key, value) = self.map.get_key_value(key).or_else(|| self.map.get_key_value(camel_case(key).as_str()))?;
        self.read.borrow_mut().insert(key);
        (!value.is_null()).then_some(value)
    }

    /// An optional field.
    ///
    /// # Errors
    /// A value of the wrong kind, at its key.
    pub fn opt<T: FromJson>(&self, key: &str) -> Result<Option<T>> {
        self.value(key)
            .map(|v| T::from_json(unwrap_scalar(v)).map_err(|e| e.at_json(key).at_json("config")))
            .transpose()
    }

    /// A field with a default.
    ///
    /// # Errors
    /// A value of the wrong kind, at its key.
    pub fn or<T: FromJson>(&self, key: &str, default: T) -> Result<T> {
        Ok(self.opt(key)?.unwrap_or(default))
    }

    /// A required field.
    ///
    /// # Errors
    /// A missing value or one of the wrong kind.
    pub fn req<T: FromJson>(&self, key: &str) -> Result<T> {
        self.opt(key)?.ok_or_else(|| missing(key).at_json("config"))
    }

    /// A required field as it is written, without a copy.
    ///
    /// # Errors
    /// A missing value.
    pub fn req_json(&self, key: &str) -> Result<&'a Value> {
        self.value(key).ok_or_else(|| missing(key).at_json("config"))
    }

    /// Marks keys as read that this layer has but inference does not need.
    pub fn inert(&self, keys: &[&str]) {
        for key in keys {
            self.value(key);
        }
    }

    /// Keys with a value that were not read and may matter, for the load report.
    pub fn ignored(&self) -> Vec<String> {
        let read = self.read.borrow();
        self.map
            .iter()
            .filter(|(key, value)| !value.is_null() && !read.contains(key.as_str()) && !is_inert(key))
            .map(|(key, _)| key.clone())
            .collect()
    }
}

/// An error for a required key that is missing.
pub(crate) fn missing(key: &str) -> Error {
    Error::malformed(format!("missing `{key}`"))
}

/// Unwraps `{"type": "ndarray", "value": 0.3}`, as Keras writes NumPy scalars.
fn unwrap_scalar(value: &Value) -> &Value {
    match value.get("type").and_then(Value::as_str) {
        Some("ndarray") => value.get("value").unwrap_or(value),
        _ => value,
    }
}

/// `batch_input_shape` -> `batchInputShape`.
pub(crate) fn camel_case(snake: &str) -> String {
    let mut out = String::with_capacity(snake.len());
    let mut upper = false;
    for c in snake.chars() {
        match c {
            '_' if !out.is_empty() => upper = true,
            c if upper => {
                out.extend(c.to_uppercase());
                upper = false;
            }
            c => out.push(c),
        }
    }
    out
}

/// `batchInputShape` -> `batch_input_shape`.
pub(crate) fn snake_case(camel: &str) -> String {
    let mut out = String::with_capacity(camel.len() + 4);
    for c in camel.chars() {
        if c.is_uppercase() && !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// A class name in the form of a layer's default name in Keras, and of object paths in `.keras` files:
/// `Conv2D` -> `conv2d`, `LSTM` -> `lstm`, `PReLU` -> `p_re_lu`, `MultiHeadAttention` -> `multi_head_attention`.
///
/// The rule of `keras/src/utils/naming.py`: an underscore before a capital that starts a lower-case word, and
/// between a lower-case letter or digit and a capital. A digit and a final capital after it stay together.
pub(crate) fn to_snake_case(class: &str) -> String {
    let chars: Vec<char> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut out = String::with_capacity(class.len() + 4);
    for (i, &c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| chars[i]);
        let after = chars.get(i + 1);
        if c.is_uppercase() {
            let starts_word = before.is_some() && after.is_some_and(|n| n.is_lowercase());
            let ends_word = before.is_some_and(char::is_lowercase);
            if (starts_word || ends_word) && !out.ends_with('_') {
                out.push('_');
            }
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// A type that can be read from a configuration.
pub trait FromJson: Sized {
    /// Reads the value.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed), with what was expected and what was found.
    fn from_json(value: &Value) -> Result<Self>;
}

/// The error `expected ..., found ...`, with long JSON shortened.
pub(crate) fn expected(what: &str, found: &Value) -> Error {
    let mut text = found.to_string();
    if let Some((cut, _)) = text.char_indices().nth(60) {
        text.truncate(cut);
        text.push_str("...");
    }
    Error::malformed(format!("expected {what}, found `{text}`"))
}

impl FromJson for bool {
    fn from_json(value: &Value) -> Result<Self> {
        match value {
            Value::Bool(b) => Ok(*b),
            Value::Number(n) if n.as_f64() == Some(0.0) => Ok(false),
            Value::Number(n) if n.as_f64() == Some(1.0) => Ok(true),
            other => Err(expected("true or false", other)),
        }
    }
}

impl FromJson for f64 {
    fn from_json(value: &Value) -> Result<Self> {
        value.as_f64().or_else(|| infinity(value)).ok_or_else(|| expected("a number", value))
    }
}

/// An infinity, which the JSON reader returns as the word that Python writes for it.
pub(crate) fn infinity(value: &Value) -> Option<f64> {
    match value.as_str()? {
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

impl FromJson for f32 {
    fn from_json(value: &Value) -> Result<Self> {
        f64::from_json(value).map(|n| n as f32)
    }
}

impl FromJson for i64 {
    fn from_json(value: &Value) -> Result<Self> {
        let whole = |n: f64| (n.fract() == 0.0 && n.abs() < 9e15).then_some(n as i64);
        value.as_i64().or_else(|| value.as_f64().and_then(whole)).ok_or_else(|| expected("a whole number", value))
    }
}

impl FromJson for usize {
    fn from_json(value: &Value) -> Result<Self> {
        i64::from_json(value)
            .ok()
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| expected("a whole number of at least 0", value))
    }
}

impl FromJson for String {
    fn from_json(value: &Value) -> Result<Self> {
        value.as_str().map(str::to_string).ok_or_else(|| expected("a string", value))
    }
}

impl FromJson for Value {
    fn from_json(value: &Value) -> Result<Self> {
        Ok(value.clone())
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Value) -> Result<Self> {
        if value.is_null() { Ok(None) } else { T::from_json(value).map(Some) }
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Value) -> Result<Self> {
        let items = value.as_array().ok_or_else(|| expected("a list", value))?;
        items.iter().enumerate().map(|(i, v)| T::from_json(v).map_err(|e| e.at_json(format!("[{i}]")))).collect()
    }
}

/// One number for every axis, or one for each axis: `3`, `[3]`, `[3, 5]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerAxis(Vec<usize>);

impl FromJson for PerAxis {
    fn from_json(value: &Value) -> Result<Self> {
        let axes = match value {
            Value::Array(_) => Vec::<usize>::from_json(value)?,
            one => vec![usize::from_json(one)?],
        };
        if axes.is_empty() { Err(expected("a number for each axis", value)) } else { Ok(PerAxis(axes)) }
    }
}

impl PerAxis {
    /// The same number for every axis.
    pub fn all(n: usize) -> Self {
        PerAxis(vec![n])
    }

    /// One number for each of `N` axes.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if their number is neither 1 nor `N`.
    pub fn axes<const N: usize>(&self, key: &str) -> Result<[usize; N]> {
        match self.0[..] {
            [n] => Ok([n; N]),
            ref axes => axes.try_into().map_err(|_| {
                Error::malformed(format!("expected 1 or {N} numbers, found {}", axes.len()))
                    .at_json(key)
                    .at_json("config")
            }),
        }
    }
}

impl FromJson for Padding {
    fn from_json(value: &Value) -> Result<Self> {
        match value.as_str() {
            Some("valid") => Ok(Padding::Valid),
            Some("same") => Ok(Padding::Same),
            Some("causal") => Ok(Padding::Causal),
            _ => Err(expected("`valid`, `same` or `causal`", value)),
        }
    }
}

/// The position of the channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DataFormat {
    /// After the spatial axes: Keras's default.
    #[default]
    ChannelsLast,
    /// Between the batch and the spatial axes.
    ChannelsFirst,
}

impl FromJson for DataFormat {
    fn from_json(value: &Value) -> Result<Self> {
        match value.as_str() {
            Some("channels_last" | "channelsLast") => Ok(DataFormat::ChannelsLast),
            Some("channels_first" | "channelsFirst") => Ok(DataFormat::ChannelsFirst),
            _ => Err(expected("`channels_last` or `channels_first`", value)),
        }
    }
}

impl DataFormat {
    /// The axis of the channels in a tensor of this rank.
    pub fn channel_axis(self, rank: usize) -> usize {
        match self {
            DataFormat::ChannelsLast => rank.saturating_sub(1),
            DataFormat::ChannelsFirst => 1,
        }
    }

    /// The first spatial axis.
    pub fn first_spatial(self) -> usize {
        match self {
            DataFormat::ChannelsLast => 1,
            DataFormat::ChannelsFirst => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::producer::Family;
    use serde_json::json;

    #[track_caller]
    fn check<R: PartialEq + std::fmt::Debug>(json: Value, read: impl Fn(&Config<'_>) -> R, expect: R) {
        let producer = Producer::of(Family::Keras2);
        let map = json.as_object().expect("the tests give objects");
        assert_eq!(read(&Config::new(map, &ReadCx::new(&producer))), expect);
    }

    #[test]
    fn spellings() {
        check(json!({"useBias": false}), |c| c.or("use_bias", true).unwrap(), false);
        check(json!({"units": 64.0}), |c| c.req::<usize>("units").unwrap(), 64);
        check(json!({"alpha": {"type": "ndarray", "value": 0.25}}), |c| c.or("alpha", 0.3).unwrap(), 0.25);
        check(json!({"axis": null}), |c| c.or("axis", -1i64).unwrap(), -1);
        check(json!({"k": [3]}), |c| c.req::<PerAxis>("k").unwrap().axes::<2>("k").unwrap(), [3, 3]);
    }

    #[test]
    fn errors_name_the_key() {
        let message = |r: Result<usize>| r.unwrap_err().to_string();
        check(
            json!({"units": -1}),
            |c| message(c.req("units")),
            "`config.units`: expected a whole number of at least 0, found `-1`".into(),
        );
        check(json!({}), |c| message(c.req("units")), "`config`: missing `units`".into());
        check(json!({"units": 1.5}), |c| c.req::<usize>("units").is_err(), true);
    }

    #[test]
    fn unread_keys_are_reported() {
        let json = json!({"name": "d", "units": 3, "kernelInitializer": {}, "groups": 2, "seed": null});
        check(
            json,
            |c| {
                c.req::<usize>("units").unwrap();
                c.ignored()
            },
            vec!["groups".to_string()],
        );
    }

    #[test]
    fn case_conversions() {
        for (snake, camel) in [("batch_input_shape", "batchInputShape"), ("units", "units"), ("beta_1", "beta1")] {
            assert_eq!(camel_case(snake), camel);
        }
        assert_eq!(snake_case("batchInputShape"), "batch_input_shape");
    }

    #[test]
    fn class_names_as_keras_files_write_them() {
        for (class, path) in [
            ("Conv2D", "conv2d"),
            ("Conv1DTranspose", "conv1d_transpose"),
            ("LSTM", "lstm"),
            ("ConvLSTM2D", "conv_lstm2d"),
            ("MultiHeadAttention", "multi_head_attention"),
            ("PReLU", "p_re_lu"),
            ("LeakyReLU", "leaky_re_lu"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("BatchNormalization", "batch_normalization"),
            ("GRUCell", "gru_cell"),
            ("TimeDistributed", "time_distributed"),
        ] {
            assert_eq!(to_snake_case(class), path);
        }
    }
}
