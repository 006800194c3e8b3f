//! Types of values in a model, as far as they are known without running it.

use std::fmt;
use tfjs_manifest::{Error, Limits, Result, Shape};

/// A dimension: a number, or `None` if it is known only with the inputs (the batch, a sequence's length).
pub type Dim = Option<usize>;

/// A shape of which some dimensions may be unknown. The batch is the first dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SymShape(pub Vec<Dim>);

impl SymShape {
    /// A shape with these dimensions.
    pub fn new(dims: impl Into<Vec<Dim>>) -> Self {
        SymShape(dims.into())
    }

    /// The dimensions.
    pub fn dims(&self) -> &[Dim] {
        &self.0
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The concrete shape, if every dimension is known.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the number of elements overflows.
    pub fn concrete(&self) -> Result<Option<Shape>> {
        self.0.iter().copied().collect::<Option<Vec<usize>>>().map(Shape::new).transpose()
    }

    /// Whether a concrete shape can be an instance of this one.
    pub fn admits(&self, dims: &[usize]) -> bool {
        self.rank() == dims.len() && self.0.iter().zip(dims).all(|(want, &is)| want.is_none_or(|w| w == is))
    }

    /// Converts an axis, which may count from the end, to an index.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if the axis does not exist.
    pub(crate) fn axis(&self, axis: i64) -> Result<usize> {
        let rank = self.rank() as i64;
        let index = if axis < 0 { axis + rank } else { axis };
        if (0..rank).contains(&index) {
            return Ok(index as usize);
        }
        Err(Error::malformed(format!("`axis` {axis} does not exist in shape {self}")))
    }

    /// The product of dimensions; unknown if one of them is.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) on overflow.
    pub(crate) fn product(dims: &[Dim]) -> Result<Dim> {
        let known: Vec<usize> = dims.iter().flatten().copied().collect();
        let product = Shape::new(known)?.elements();
        Ok(dims.iter().all(Option::is_some).then_some(product))
    }
}

impl fmt::Display for SymShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, dim) in self.0.iter().enumerate() {
            let comma = if i > 0 { "," } else { "" };
            match dim {
                Some(d) => write!(f, "{comma}{d}")?,
                None => write!(f, "{comma}?")?,
            }
        }
        f.write_str("]")
    }
}

impl std::str::FromStr for SymShape {
    type Err = Error;

    /// Parses the text that `Display` writes; the brackets are optional.
    fn from_str(text: &str) -> Result<Self> {
        let inner = text.trim().trim_start_matches('[').trim_end_matches(']');
        if inner.trim().is_empty() {
            return Ok(SymShape::default());
        }
        inner
            .split(',')
            .map(|dim| match dim.trim() {
                "?" => Ok(None),
                d => d.parse().map(Some).map_err(|_| Error::misuse(format!("`{d}` is not a dimension"))),
            })
            .collect::<Result<Vec<Dim>>>()
            .map(SymShape)
    }
}

/// The element type of a value in a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueType {
    /// Floating point. The runtime determines the precision (single by default).
    #[default]
    Float,
    /// 32-bit integers: ids, counts.
    Int32,
    /// 64-bit integers, such as the results of Keras's lookups.
    Int64,
    /// Truth values.
    Bool,
    /// Text.
    String,
}

impl ValueType {
    /// The type with this Keras dtype name; mixed and reduced precisions are floating point.
    pub fn from_keras(name: &str) -> Option<ValueType> {
        Some(match name {
            "float32" | "float16" | "bfloat16" | "float64" | "mixed_float16" | "mixed_bfloat16" => ValueType::Float,
            "int8" | "int16" | "int32" | "uint8" | "uint16" | "uint32" => ValueType::Int32,
            "int64" | "uint64" => ValueType::Int64,
            "bool" => ValueType::Bool,
            "string" => ValueType::String,
            _ => return None,
        })
    }

    /// Keras's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::Float => "float32",
            ValueType::Int32 => "int32",
            ValueType::Int64 => "int64",
            ValueType::Bool => "bool",
            ValueType::String => "string",
        }
    }
}

/// Shape and element type of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TensorType {
    /// The shape, batch first.
    pub shape: SymShape,
    /// The element type.
    pub dtype: ValueType,
}

impl TensorType {
    /// Floating-point values of this shape.
    pub fn float(shape: SymShape) -> Self {
        TensorType { shape, dtype: ValueType::Float }
    }

    /// Fails if the value exceeds the size limits, as far as the shape is known.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit).
    pub fn check_size(&self, limits: &Limits) -> Result<()> {
        Limits::check("rank (dimensions of a value)", self.shape.rank() as u64, limits.rank)?;
        // An axis of length 0 makes the product 0, but kernels make tables of the other axes.
        let known: Vec<usize> = self.shape.dims().iter().flatten().map(|&dim| dim.max(1)).collect();
        Limits::check("elements (of one value)", Shape::new(known)?.elements() as u64, limits.elements)
    }

    /// The same element type with another shape.
    pub(crate) fn with_shape(&self, dims: impl Into<Vec<Dim>>) -> Self {
        TensorType { shape: SymShape(dims.into()), dtype: self.dtype }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype.name(), self.shape)
    }
}
