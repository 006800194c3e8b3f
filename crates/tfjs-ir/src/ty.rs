//! Types of values: an element type and dimensions.

use crate::dim::{Dim, Dims};
use std::fmt;

/// The element type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ElementType {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// 32-bit integers. Arithmetic wraps.
    I32,
    /// 64-bit integers. Arithmetic wraps.
    I64,
    /// Bytes. Arithmetic wraps.
    U8,
    /// Truth values.
    Bool,
    /// Text. Only primitives that run on the host accept it.
    String,
}

impl ElementType {
    /// Every element type.
    pub const ALL: &'static [ElementType] = &[
        ElementType::F32,
        ElementType::F16,
        ElementType::Bf16,
        ElementType::I32,
        ElementType::I64,
        ElementType::U8,
        ElementType::Bool,
        ElementType::String,
    ];

    /// The name in the text form of programs.
    pub fn name(self) -> &'static str {
        match self {
            ElementType::F32 => "f32",
            ElementType::F16 => "f16",
            ElementType::Bf16 => "bf16",
            ElementType::I32 => "i32",
            ElementType::I64 => "i64",
            ElementType::U8 => "u8",
            ElementType::Bool => "bool",
            ElementType::String => "string",
        }
    }

    /// The element type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|element| element.name() == name)
    }

    /// Whether the values are floating point.
    pub fn is_float(self) -> bool {
        matches!(self, ElementType::F32 | ElementType::F16 | ElementType::Bf16)
    }

    /// Whether the values are integers; truth values are not.
    pub fn is_integer(self) -> bool {
        matches!(self, ElementType::I32 | ElementType::I64 | ElementType::U8)
    }

    /// The range of an integer type; for other types, that of `i64`.
    pub fn integer_range(self) -> (i64, i64) {
        match self {
            ElementType::U8 => (0, i64::from(u8::MAX)),
            ElementType::I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
            _ => (i64::MIN, i64::MAX),
        }
    }

    /// Bytes of one element in memory; for text, those of the handle.
    pub fn bytes(self) -> usize {
        match self {
            ElementType::U8 | ElementType::Bool => 1,
            ElementType::F16 | ElementType::Bf16 => 2,
            ElementType::F32 | ElementType::I32 => 4,
            ElementType::I64 => 8,
            ElementType::String => size_of::<std::sync::Arc<str>>(),
        }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The type of a value: element type and dimensions, which belong to a program's [`Dims`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Type {
    /// The element type.
    pub element: ElementType,
    /// The dimensions, outermost first.
    pub dims: Vec<Dim>,
}

impl Type {
    /// A type with these dimensions.
    pub fn new(element: ElementType, dims: impl Into<Vec<Dim>>) -> Self {
        Type { element, dims: dims.into() }
    }

    /// The type of a scalar.
    pub fn scalar(element: ElementType) -> Self {
        Type::new(element, [])
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The same element type with another shape.
    #[must_use]
    pub fn with_dims(&self, dims: impl Into<Vec<Dim>>) -> Self {
        Type::new(self.element, dims)
    }

    /// The same shape with another element type.
    #[must_use]
    pub fn with_element(&self, element: ElementType) -> Self {
        Type::new(element, self.dims.clone())
    }

    /// The shape as shown in messages: `[?,28,28,1]`, with `?` for every dimension that is not a number.
    pub fn shape(&self, dims: &Dims) -> String {
        shape_text(&self.dims, |dim| dims.display(dim))
    }

    /// The type in the text form of programs: `f32[batch,28,28,1]`.
    pub fn describe(&self, dims: &Dims) -> String {
        format!("{}{}", self.element, shape_text(&self.dims, |dim| dims.describe(dim)))
    }
}

/// `[a,b,c]`.
pub(crate) fn shape_text(dims: &[Dim], text: impl Fn(Dim) -> String) -> String {
    let dims: Vec<String> = dims.iter().map(|&dim| text(dim)).collect();
    format!("[{}]", dims.join(","))
}
