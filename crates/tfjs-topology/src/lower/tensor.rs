//! Keras tensors in lowering, and common checks of a layer's inputs.

use super::LowerCx;
use crate::call::Call;
use crate::ops::narrow::Narrow;
use crate::types::{SymShape, TensorType, ValueType};
use tfjs_ir::{Dim, ElementType, Type, Value};
use tfjs_manifest::{Error, Result};

/// A value with the properties of a Keras tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct KerasTensor {
    /// The value of the program.
    pub value: Value,
    /// The mask: truth values for valid entries, usually `[batch, time]`. Whether there is a mask is known statically.
    pub mask: Option<Value>,
    /// The dimensions in the value, if it was computed from shapes: a scalar or a vector. A reshape can use such a
    /// value as its target.
    pub sizes: Option<Vec<Dim>>,
    /// The imaginary part of a complex tensor, whose real part is the value. Only layers that support it receive one.
    pub imaginary: Option<Value>,
    /// Whether its rows have different lengths: the mask says how long each is, behind that are zeros that are no part of
    /// it. Only layers that say so are given one.
    pub ragged: bool,
    /// Its integer type, if that has fewer bits than the values here.
    pub narrow: Option<Narrow>,
}

impl From<Value> for KerasTensor {
    fn from(value: Value) -> Self {
        KerasTensor { value, mask: None, sizes: None, imaginary: None, ragged: false, narrow: None }
    }
}

impl KerasTensor {
    /// The same value with another mask.
    #[must_use]
    pub fn with_mask(self, mask: Option<Value>) -> Self {
        KerasTensor { mask, ..self }
    }

    /// The same value with rows as long as those of another tensor.
    #[must_use]
    pub fn with_rows_of(self, other: &KerasTensor) -> Self {
        match other.ragged {
            true => KerasTensor { mask: other.mask, ragged: true, ..self },
            false => self,
        }
    }
}

/// The element type in which values of a Keras type are computed.
pub(crate) fn element(dtype: ValueType) -> ElementType {
    match dtype {
        ValueType::Float => ElementType::F32,
        ValueType::Int32 => ElementType::I32,
        ValueType::Int64 => ElementType::I64,
        ValueType::Bool => ElementType::Bool,
        ValueType::String => ElementType::String,
    }
}

/// The Keras type of values of an element type.
pub fn value_type(element: ElementType) -> ValueType {
    match element {
        ElementType::I32 | ElementType::U8 => ValueType::Int32,
        ElementType::I64 => ValueType::Int64,
        ElementType::Bool => ValueType::Bool,
        ElementType::String => ValueType::String,
        _ => ValueType::Float,
    }
}

impl LowerCx<'_> {
    /// The only input of a call.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if the call has none or several.
    pub fn single(&self, call: &Call<KerasTensor>) -> Result<KerasTensor> {
        match call.inputs()[..] {
            [input] => Ok(input.clone()),
            ref inputs => Err(Error::malformed(format!("expected one input, found {}", inputs.len()))),
        }
    }

    /// The only input of a call, which must have this rank.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if it has another, or the call several inputs.
    pub fn single_of_rank(&self, call: &Call<KerasTensor>, rank: usize) -> Result<KerasTensor> {
        let input = self.single(call)?;
        if self.ty(input.value).rank() == rank {
            return Ok(input);
        }
        Err(Error::malformed(format!("expected an input of rank {rank}, found shape {}", self.shape(input.value))))
    }

    /// The length of a dimension, which must be known because the shape of a weight depends on it.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if it is unknown.
    pub fn known(&self, dim: Dim, what: &str, value: Value) -> Result<usize> {
        let unknown = || Error::malformed(format!("{what} must be known, found shape {}", self.shape(value)));
        self.known_dim(dim).ok_or_else(unknown)
    }

    /// Converts an axis, which may count from the end, to an index.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) if the axis does not exist.
    pub fn axis(&self, axis: i64, value: Value) -> Result<usize> {
        self.keras_type(self.ty(value)).shape.axis(axis)
    }

    /// Converts a type of the program to a Keras type; dimensions that are not numbers are unknown.
    pub(super) fn keras_type(&self, ty: &Type) -> TensorType {
        let dims = ty.dims.iter().map(|&dim| self.known_dim(dim)).collect();
        TensorType { shape: SymShape(dims), dtype: value_type(ty.element) }
    }
}
