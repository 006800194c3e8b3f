//! Inputs and outputs of a model: tensors and strings.

use candle_core::Tensor;
use std::sync::Arc;
use tfjs_manifest::{Error, Result, Shape};

/// Numbers or strings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Data {
    /// A candle tensor. Truth values are `U8`.
    Tensor(Tensor),
    /// Strings, which candle does not support.
    Strings(Arc<Strings>),
}

/// A tensor of strings. Copies of a string share its characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strings {
    shape: Shape,
    items: Vec<Arc<str>>,
}

impl Strings {
    /// Strings in row-major order.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if their number does not match the shape.
    pub fn new<S: Into<Arc<str>>>(shape: Shape, items: impl IntoIterator<Item = S>) -> Result<Self> {
        let items: Vec<Arc<str>> = items.into_iter().map(Into::into).collect();
        if shape.elements() != items.len() {
            return Err(Error::misuse(format!(
                "shape {shape} has {} elements, found {} strings",
                shape.elements(),
                items.len()
            )));
        }
        Ok(Strings { shape, items })
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The strings, in row-major order.
    pub fn items(&self) -> &[Arc<str>] {
        &self.items
    }
}

impl Data {
    /// The dimensions.
    pub fn dims(&self) -> &[usize] {
        match self {
            Data::Tensor(tensor) => tensor.dims(),
            Data::Strings(strings) => strings.shape().dims(),
        }
    }

    /// The tensor.
    ///
    /// # Errors
    /// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) if the value contains strings.
    pub fn tensor(&self) -> Result<&Tensor> {
        match self {
            Data::Tensor(tensor) => Ok(tensor),
            Data::Strings(_) => Err(Error::mismatch("expected numbers, found strings")),
        }
    }
}
