//! Element types of stored weights, with their names in the manifest.

use std::fmt;

/// The element type of a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// IEEE 754 single precision.
    Float32,
    /// Signed 32-bit integer.
    Int32,
    /// One byte per element; zero is false.
    Bool,
    /// UTF-8 (or any bytes); each element has a four-byte length before it.
    String,
    /// Two single-precision floats, real then imaginary.
    Complex64,
    /// IEEE 754 half precision. Read and written by the Python tools, but not by TensorFlow.js.
    Float16,
    /// Unsigned 8-bit integer. Written by the Python converter, but not read by TensorFlow.js.
    Uint8,
    /// Unsigned 16-bit integer. Written by the Python converter, but not read by TensorFlow.js.
    Uint16,
}

impl DType {
    /// Every element type.
    pub const ALL: [DType; 8] = [
        DType::Float32,
        DType::Int32,
        DType::Bool,
        DType::String,
        DType::Complex64,
        DType::Float16,
        DType::Uint8,
        DType::Uint16,
    ];

    /// The name in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            DType::Float32 => "float32",
            DType::Int32 => "int32",
            DType::Bool => "bool",
            DType::String => "string",
            DType::Complex64 => "complex64",
            DType::Float16 => "float16",
            DType::Uint8 => "uint8",
            DType::Uint16 => "uint16",
        }
    }

    /// The element type with this name in the manifest.
    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|d| d.name() == name)
    }

    /// Bytes of one stored element; `None` for strings.
    pub fn size(self) -> Option<u64> {
        match self {
            DType::String => None,
            DType::Bool | DType::Uint8 => Some(1),
            DType::Float16 | DType::Uint16 => Some(2),
            DType::Float32 | DType::Int32 => Some(4),
            DType::Complex64 => Some(8),
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
