//! The declared type of an input, in every form: `batch_shape`, `batch_input_shape`, `input_shape`, `input_dim`.

use crate::config::{Config, FromJson, expected};
use crate::read::ReadCx;
use crate::types::{Dim, SymShape, TensorType, ValueType};
use serde_json::{Map, Value};
use tfjs_manifest::{Limits, Result};

/// The type that an `InputLayer` or the first layer of a Sequential declares; `None` if it declares none.
pub(super) fn input_type(map: &Map<String, Value>, cx: &ReadCx<'_>) -> Result<Option<TensorType>> {
    let config = Config::new(map, cx);
    let Some(shape) = declared_shape(&config)? else { return Ok(None) };
    Limits::check("rank (dimensions of an input)", shape.rank() as u64, cx.limits.rank)?;
    Ok(Some(TensorType { shape, dtype: declared_type(&config)? }))
}

fn declared_shape(config: &Config<'_>) -> Result<Option<SymShape>> {
    for key in ["batch_shape", "batch_input_shape"] {
        if let Some(shape) = config.opt::<BatchShape>(key)? {
            return Ok(Some(shape.0));
        }
    }
    let batch = config.opt::<usize>("batch_size")?;
    if let Some(BatchShape(shape)) = config.opt("input_shape")? {
        return Ok(Some(SymShape(std::iter::once(batch).chain(shape.0).collect())));
    }
    // Dense and Embedding of old Keras: a vector, or a sequence of ids.
    Ok(match (config.opt::<usize>("input_dim")?, config.value("input_length")) {
        _ if config.value("input_dim").is_none() => None,
        (_, Some(length)) => Some(SymShape(vec![batch, Option::<usize>::from_json(length)?])),
        (_, None) if config.value("output_dim").is_some() && config.value("embeddings_initializer").is_some() => {
            Some(SymShape(vec![batch, None]))
        }
        (dim, None) => Some(SymShape(vec![batch, dim])),
    })
}

/// `input_dtype`, or the `dtype` of an InputLayer, or floating point.
fn declared_type(config: &Config<'_>) -> Result<ValueType> {
    for key in ["input_dtype", "dtype"] {
        if let Some(value) = config.value(key) {
            return dtype(value).map_err(|e| e.at_json(key).at_json("config"));
        }
    }
    Ok(ValueType::Float)
}

/// The name of a Keras dtype, which may be part of a policy.
fn dtype(value: &Value) -> Result<ValueType> {
    let name = value.as_str().or_else(|| value.get("config")?.get("name")?.as_str());
    name.and_then(ValueType::from_keras).ok_or_else(|| expected("a dtype", value))
}

/// Dimensions, with null for unknown ones.
pub(super) struct BatchShape(pub SymShape);

impl FromJson for BatchShape {
    fn from_json(value: &Value) -> Result<Self> {
        match value {
            // `{"class_name": "__tuple__", "items": [null, 3]}`
            Value::Object(map) if map.contains_key("items") => BatchShape::from_json(&map["items"]),
            _ => Vec::<Dim>::from_json(value).map(|dims| BatchShape(SymShape(dims))),
        }
    }
}
