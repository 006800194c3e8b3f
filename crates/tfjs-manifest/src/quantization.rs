//! The manifest's `quantization` object: how the stored numbers of a weight are converted to its values.
//!
//! Parses and checks the object. The arithmetic is in `tfjs-weights`.

use crate::text::{found, shorten};
use crate::{DType, Error, Result};
use serde_json::{Value, json};

/// How the values of a weight are stored in fewer bytes than its dtype has.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Quantization {
    /// `value = stored * scale + min`, for float32 and int32 weights.
    Affine {
        /// The type of the stored integers.
        stored: AffineStore,
        /// The distance between two adjacent values; finite.
        scale: f64,
        /// The value of a stored zero; finite.
        min: f64,
    },
    /// Half precision, for float32 weights.
    Float16,
}

/// The integer type of an affine quantization. Exhaustive: TensorFlow.js has only these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AffineStore {
    /// One byte per value.
    Uint8,
    /// Two bytes per value, little endian.
    Uint16,
}

impl Quantization {
    /// The element type of the stored bytes.
    pub fn stored(&self) -> DType {
        match self {
            Quantization::Affine { stored: AffineStore::Uint8, .. } => DType::Uint8,
            Quantization::Affine { stored: AffineStore::Uint16, .. } => DType::Uint16,
            Quantization::Float16 => DType::Float16,
        }
    }

    /// Checks that weights of this dtype can be stored with this quantization.
    ///
    /// # Errors
    /// [`Kind::Malformed`](crate::Kind::Malformed) if they cannot, or if scale or min is not finite.
    pub fn check(&self, dtype: DType) -> Result<()> {
        let allowed: &[DType] = match self {
            Quantization::Affine { .. } => &[DType::Float32, DType::Int32],
            Quantization::Float16 => &[DType::Float32],
        };
        if !allowed.contains(&dtype) {
            let names: Vec<_> = allowed.iter().map(|d| d.name()).collect();
            return Err(Error::malformed(format!(
                "quantization to `{}` is for weights of type {} only, found `{dtype}`",
                self.stored(),
                names.join(" and ")
            )));
        }
        if let Quantization::Affine { scale, min, .. } = self {
            for (name, number) in [("scale", scale), ("min", min)] {
                if !number.is_finite() {
                    return Err(Error::malformed(format!("expected a finite `{name}`, found `{number}`")));
                }
            }
        }
        Ok(())
    }

    /// Parses the manifest's object.
    pub(crate) fn parse(value: &Value) -> Result<Quantization> {
        let Some(object) = value.as_object() else {
            return Err(Error::malformed(format!("expected an object, found {}", found(value))));
        };
        let stored = match object.get("dtype") {
            Some(Value::String(name)) => match name.as_str() {
                "uint8" => AffineStore::Uint8,
                "uint16" => AffineStore::Uint16,
                "float16" => return Ok(Quantization::Float16),
                other => {
                    return Err(Error::unsupported(format!(
                        "quantization dtype `{}` is unknown, expected `uint8`, `uint16` or `float16`",
                        shorten(other)
                    ))
                    .at_json("dtype"));
                }
            },
            Some(other) => {
                return Err(Error::malformed(format!("expected a string, found {}", found(other))).at_json("dtype"));
            }
            None => return Err(Error::malformed("a quantization needs a `dtype`")),
        };
        let number = |name: &str| match object.get(name) {
            Some(value) => value
                .as_f64()
                .ok_or_else(|| Error::malformed(format!("expected a number, found {}", found(value))).at_json(name)),
            None => Err(Error::malformed(format!(
                "quantization without `{name}`: the stored numbers cannot be decoded without `min` and `scale`"
            ))),
        };
        Ok(Quantization::Affine { stored, scale: number("scale")?, min: number("min")? })
    }

    /// The manifest's object, as the Python converter writes it.
    pub(crate) fn to_value(self, dtype: DType) -> Value {
        let name = self.stored().name();
        match self {
            Quantization::Affine { scale, min, .. } => {
                json!({"dtype": name, "min": min, "scale": scale, "original_dtype": dtype.name()})
            }
            Quantization::Float16 => json!({"dtype": name, "original_dtype": dtype.name()}),
        }
    }
}
