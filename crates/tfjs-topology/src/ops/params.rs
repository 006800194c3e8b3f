//! Parameters and constants of operations. Keras 3 writes parameters into the configuration, Keras 2 into
//! every call; constants may replace tensors.

use crate::config::{Config, FromJson, expected, infinity};
use crate::lower::{LowerCx, element};
use crate::types::ValueType;
use serde_json::{Map, Value};
use tfjs_ir::{Array, Data, ElementType};
use tfjs_manifest::{Error, Result, Shape};

/// The configuration of an operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params(Map<String, Value>);

impl Params {
    /// The keys of the configuration that have a value.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key.as_str())
    }

    /// The value of a key; null counts as absent.
    pub fn configured(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// Whether a key of the configuration is null.
    pub fn is_null(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(Value::is_null)
    }

    /// Reads the whole configuration.
    pub fn read(config: &Config<'_>) -> Self {
        config.map().keys().for_each(|key| config.inert(&[key]));
        Params(config.map().clone())
    }
}

/// One number or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Numbers(pub Vec<i64>);

impl FromJson for Numbers {
    fn from_json(value: &Value) -> Result<Self> {
        let array = value.get("class_name").and_then(Value::as_str).is_some_and(|class| class == "__numpy__");
        match value {
            Value::Object(_) if array => Numbers::from_json(value.pointer("/config/value").unwrap_or(&Value::Null)),
            Value::Array(_) => Vec::from_json(value).map(Numbers),
            one => i64::from_json(one).map(|n| Numbers(vec![n])),
        }
    }
}

/// Numbers in place of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Constant {
    /// The shape; a bare number is a scalar.
    pub shape: Shape,
    /// The numbers, in row-major order.
    pub values: Vec<f64>,
    /// Their type: truth values, integers, or floating point.
    pub dtype: ValueType,
    /// Whether they take the type of the tensor they are combined with, if that can represent them.
    pub weak: bool,
}

impl Constant {
    /// Reads a number, a truth value, nested lists of them, or an array in the form of Keras 3.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for anything else.
    pub(crate) fn read(value: &Value) -> Result<Self> {
        let class = value.get("class_name").and_then(Value::as_str);
        if let (Some("__numpy__" | "__tensor__"), Some(config)) = (class, value.get("config")) {
            let mut constant = Constant::read(config.get("value").unwrap_or(&Value::Null))?;
            if let Some(dtype) = config.get("dtype").and_then(Value::as_str).and_then(ValueType::from_keras) {
                (constant.dtype, constant.weak) = (dtype, false);
            }
            return Ok(constant);
        }
        let (mut dims, mut values, mut dtype) = (Vec::new(), Vec::new(), ValueType::Bool);
        collect(value, 0, &mut dims, &mut values, &mut dtype)?;
        let shape = Shape::new(dims)?;
        if shape.elements() != values.len() {
            return Err(Error::malformed("expected lists of equal lengths"));
        }
        Ok(Constant { shape, values, dtype, weak: true })
    }

    /// The constant as a value of this type.
    ///
    /// # Errors
    /// As [`Builder::constant`](tfjs_ir::Builder::constant).
    pub(crate) fn lower(&self, cx: &mut LowerCx<'_>, dtype: ValueType) -> Result<tfjs_ir::Value> {
        let (element, dims, values) = (element(dtype), self.shape.dims(), self.values.iter());
        if let ([], &[number]) = (dims, &self.values[..]) {
            return cx.scalar(element, number);
        }
        let data = match element {
            ElementType::Bool => Data::Bool(values.map(|&x| x != 0.0).collect()),
            _ if element.is_float() => Data::Float(values.copied().collect()),
            _ => Data::Int(values.map(|&x| x as i64).collect()),
        };
        cx.constant(Array::new(element, dims, data)?)
    }
}

fn collect(
    value: &Value,
    depth: usize,
    dims: &mut Vec<usize>,
    values: &mut Vec<f64>,
    dtype: &mut ValueType,
) -> Result<()> {
    match value {
        Value::Array(items) => {
            match dims.get(depth) {
                None if values.is_empty() => dims.push(items.len()),
                Some(&len) if len == items.len() => {}
                _ => return Err(Error::malformed("expected lists of equal lengths")),
            }
            return items.iter().try_for_each(|item| collect(item, depth + 1, dims, values, dtype));
        }
        _ if depth != dims.len() => return Err(Error::malformed("expected lists of equal depths")),
        Value::Bool(b) => values.push(f64::from(u8::from(*b))),
        Value::Number(n) => {
            *dtype = if n.is_f64() || *dtype == ValueType::Float { ValueType::Float } else { ValueType::Int32 };
            values.push(n.as_f64().ok_or_else(|| expected("a number", value))?);
        }
        other if let Some(number) = infinity(other) => {
            *dtype = ValueType::Float;
            values.push(number);
        }
        other => {
            let error = expected("a tensor or a number", other);
            return Err(Error::unsupported(error.message()));
        }
    }
    Ok(())
}

/// The type that can represent both operands.
pub(crate) fn promote(a: ValueType, b: ValueType) -> ValueType {
    let rank = |t: ValueType| match t {
        ValueType::Bool => 0,
        ValueType::Int32 => 1,
        ValueType::Int64 => 2,
        _ => 3,
    };
    if rank(a) >= rank(b) { a } else { b }
}

/// The type of sums and products of a type: truth values become integers.
pub(crate) fn summed(dtype: ValueType) -> ValueType {
    if dtype == ValueType::Bool { ValueType::Int32 } else { dtype }
}

/// The common type of two operands. A weak operand, which is a constant without a type of its own, takes the other's
/// type if that can represent it.
pub(crate) fn meeting((a, a_weak): (ValueType, bool), (b, b_weak): (ValueType, bool)) -> ValueType {
    let kind = |t: ValueType| if t == ValueType::Int64 { ValueType::Int32 } else { t };
    match (a_weak, b_weak) {
        // A weak integer does not widen an integer type.
        (true, false) if promote(kind(a), kind(b)) == kind(b) => b,
        (false, true) if promote(kind(a), kind(b)) == kind(a) => a,
        _ => promote(a, b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn constants() {
        let read = |value| Constant::read(&value);
        let found = read(json!([[1, 2.5], [3, 4]])).unwrap();
        assert_eq!((found.shape.dims(), &found.values[..]), (&[2, 2][..], &[1.0, 2.5, 3.0, 4.0][..]));
        assert_eq!(found.dtype, ValueType::Float);
        assert_eq!(read(json!(2)).unwrap().dtype, ValueType::Int32);
        assert_eq!(read(json!(true)).unwrap().dtype, ValueType::Bool);
        let array = json!({"class_name": "__numpy__", "config": {"value": [1, 2], "dtype": "float32"}});
        assert_eq!(read(array).unwrap().dtype, ValueType::Float);
        for wrong in [json!([[1], [2, 3]]), json!([1, [2]]), json!([[1], 2]), json!("a"), json!(null)] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
