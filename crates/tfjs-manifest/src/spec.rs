//! One entry of the weights manifest: a weight's name, shape, dtype and quantization. No bytes.

use crate::text::{found, shorten};
use crate::{DType, Error, Findings, Limits, Quantization, Result, Shape};
use serde_json::{Map, Value};

/// One weight as the manifest describes it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WeightSpec {
    /// The name, such as `conv1/kernel`.
    pub name: String,
    /// The shape; `[]` is a scalar.
    pub shape: Shape,
    /// The element type of the values. The stored type may be smaller: see `quantization`.
    pub dtype: DType,
    /// The quantization of the stored values, if there is one.
    pub quantization: Option<Quantization>,
    /// `optimizer` for the optimizer's weights; absent for the model's.
    pub group: Option<String>,
}

impl WeightSpec {
    /// An unquantized weight of the model itself.
    pub fn new(name: impl Into<String>, shape: Shape, dtype: DType) -> WeightSpec {
        WeightSpec { name: name.into(), shape, dtype, quantization: None, group: None }
    }

    /// Whether the weight belongs to the optimizer: it is not bound to a layer and not needed for predictions.
    pub fn is_optimizer(&self) -> bool {
        self.group.as_deref() == Some("optimizer")
    }

    /// The element type of the stored bytes.
    pub fn stored(&self) -> DType {
        self.quantization.map_or(self.dtype, |q| q.stored())
    }

    /// The manifest's entry, as the Python converter and TensorFlow.js write it.
    pub fn to_value(&self) -> Value {
        let WeightSpec { name, shape, dtype, quantization, group } = self;
        let mut entry = Map::new();
        entry.insert("name".into(), name.as_str().into());
        entry.insert("shape".into(), shape.dims().into());
        entry.insert("dtype".into(), dtype.name().into());
        if let Some(quantization) = quantization {
            entry.insert("quantization".into(), quantization.to_value(*dtype));
        }
        if let Some(group) = group {
            entry.insert("group".into(), group.as_str().into());
        }
        Value::Object(entry)
    }

    /// Parses the entry at `place`, and adds all its errors to `findings`.
    pub(crate) fn parse(value: &Value, place: &str, limits: &Limits, findings: &mut Findings) -> Option<WeightSpec> {
        let Some(entry) = value.as_object() else {
            findings.push(
                Error::malformed(format!("expected an object with name, shape and dtype, found {}", found(value)))
                    .at_json(place),
            );
            return None;
        };
        let name = match text(entry, "name") {
            Ok(Some(name)) => name,
            Ok(None) => {
                findings.push(Error::malformed("a weight needs a `name`").at_json(place));
                return None;
            }
            Err(error) => {
                findings.push(error.at_json(place));
                return None;
            }
        };
        let here = |error: Error| error.at_json(place).at_weight(shorten(name));
        let shape = findings.take(shape(entry.get("shape"), limits).map_err(here));
        let dtype = findings.take(dtype(entry).map_err(here));
        let group = findings.take(text(entry, "group").map_err(here));
        // TensorFlow.js would fail on `null`, but it can only mean that there is no quantization.
        let quantization = match entry.get("quantization") {
            None | Some(Value::Null) => Some(None),
            Some(value) => {
                let parsed = Quantization::parse(value).map_err(|e| here(e.at_json("quantization")));
                findings.take(parsed).map(Some)
            }
        };
        Some(WeightSpec {
            name: name.to_owned(),
            shape: shape?,
            dtype: dtype?,
            quantization: quantization?,
            group: group?.map(str::to_owned),
        })
    }

    /// The checks for entries from JSON and from the caller.
    pub(crate) fn check(&self, limits: &Limits) -> Result<()> {
        Limits::check("rank", self.shape.rank() as u64, limits.rank).map_err(|e| e.at_json("shape"))?;
        match &self.quantization {
            Some(quantization) => quantization.check(self.dtype).map_err(|e| e.at_json("quantization")),
            None => Ok(()),
        }
    }
}

/// A string that may be absent or null.
fn text<'a>(entry: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>> {
    match entry.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(Error::malformed(format!("expected a string, found {}", found(other))).at_json(key)),
    }
}

fn shape(value: Option<&Value>, limits: &Limits) -> Result<Shape> {
    let dims = match value {
        Some(Value::Array(dims)) => dims,
        Some(other) => {
            return Err(
                Error::malformed(format!("expected an array of sizes, found {}", found(other))).at_json("shape")
            );
        }
        None => {
            return Err(Error::malformed("a weight needs a `shape`; a scalar's is `[]`"));
        }
    };
    // Checked before memory is allocated.
    Limits::check("rank", dims.len() as u64, limits.rank).map_err(|e| e.at_json("shape"))?;
    let dims: Result<Vec<usize>> =
        dims.iter().enumerate().map(|(i, dim)| count(dim).map_err(|e| e.at_json(format!("shape[{i}]")))).collect();
    Shape::new(dims?).map_err(|e| e.at_json("shape"))
}

/// Parses a size: a whole number that is not negative. `64.0` is accepted.
fn count(value: &Value) -> Result<usize> {
    let number = match value.as_u64() {
        Some(number) => Some(number),
        // A double represents every whole number up to 2^53 exactly.
        None => {
            value.as_f64().filter(|x| x.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(x)).map(|x| x as u64)
        }
    };
    let Some(number) = number else {
        return Err(Error::malformed(format!(
            "expected a size, a whole number of at least zero, found {}",
            found(value)
        )));
    };
    usize::try_from(number).map_err(|_| Error::limit(format!("size `{number}` is more than this machine can address")))
}

fn dtype(entry: &Map<String, Value>) -> Result<DType> {
    let Some(name) = text(entry, "dtype")? else {
        return Err(Error::malformed("a weight needs a `dtype`"));
    };
    if let Some(dtype) = DType::from_name(name) {
        return Ok(dtype);
    }
    let then = match name {
        "float64" | "bfloat16" | "double" => "convert the model again: the converter writes it as `float32`",
        "int64" | "int16" | "int8" | "uint32" | "uint64" => "convert the weight to `int32` and save again",
        "complex128" => "convert the model again: the converter writes it as `complex64`",
        _ => "expected `float32`, `int32`, `bool`, `string` or `complex64`",
    };
    Err(Error::unsupported(format!("dtype `{}` cannot be read: {then}", shorten(name))).at_json("dtype"))
}
