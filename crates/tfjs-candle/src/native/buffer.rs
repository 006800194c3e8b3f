//! Typed memory: the buffers of an arena, and the slices that steps read.

use super::layout::Arena;
use tfjs_ir::{Array, ElementType};
use tfjs_manifest::{Error, Result};

/// The representation of a value's elements in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Repr {
    /// Single precision. Half-precision values are held in it too, rounded: their arithmetic runs in the interpreter.
    F32,
    I32,
    I64,
    U8,
    Bool,
    /// Text, as an array on the host.
    Text,
}

impl Repr {
    pub(super) fn of(element: ElementType) -> Result<Repr> {
        Ok(match element {
            ElementType::F32 | ElementType::F16 | ElementType::Bf16 => Repr::F32,
            ElementType::I32 => Repr::I32,
            ElementType::I64 => Repr::I64,
            ElementType::U8 => Repr::U8,
            ElementType::Bool => Repr::Bool,
            ElementType::String => Repr::Text,
            other => return Err(Error::unsupported(format!("values of element type `{other}` on the CPU"))),
        })
    }

    /// Bytes of one element; for text, those of the handle: its characters are shared with a vocabulary or an input.
    pub(super) fn bytes(self) -> u64 {
        match self {
            Repr::F32 | Repr::I32 => 4,
            Repr::I64 => 8,
            Repr::U8 | Repr::Bool => 1,
            Repr::Text => ElementType::String.bytes() as u64,
        }
    }
}

/// A buffer of one element type that a step writes.
#[derive(Debug)]
pub(super) enum Buffer {
    F32(Vec<f32>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    Bool(Vec<bool>),
    Text(Option<Array>),
    /// The buffers of a loop's body.
    Nested(Arena),
}

/// The placeholder in an arena for a buffer that a step has taken out.
impl Default for Buffer {
    fn default() -> Self {
        Buffer::F32(Vec::new())
    }
}

impl Buffer {
    /// Zeros, or an error if memory is exhausted. The operating system commits the memory when it is first written.
    pub(super) fn zeroed(repr: Repr, elements: usize) -> Result<Buffer> {
        fn zeros<T: bytemuck::Zeroable>(elements: usize) -> Result<Vec<T>> {
            let zeros = bytemuck::try_zeroed_vec(elements);
            zeros.map_err(|()| Error::limit(format!("no memory for {elements} elements of an activation")))
        }
        Ok(match repr {
            Repr::F32 => Buffer::F32(zeros(elements)?),
            Repr::I32 => Buffer::I32(zeros(elements)?),
            Repr::I64 => Buffer::I64(zeros(elements)?),
            Repr::U8 => Buffer::U8(zeros(elements)?),
            Repr::Bool => Buffer::Bool(zeros(elements)?),
            Repr::Text => Buffer::Text(None),
        })
    }

    /// The first elements, for reading.
    pub(super) fn slice(&self, elements: usize) -> Result<Slice<'_>> {
        let slice = match self {
            Buffer::F32(values) => values.get(..elements).map(Slice::F32),
            Buffer::I32(values) => values.get(..elements).map(Slice::I32),
            Buffer::I64(values) => values.get(..elements).map(Slice::I64),
            Buffer::U8(values) => values.get(..elements).map(Slice::U8),
            Buffer::Bool(values) => values.get(..elements).map(Slice::Bool),
            Buffer::Text(array) => array.as_ref().map(Slice::Text),
            Buffer::Nested(_) => None,
        };
        slice.ok_or_else(|| Error::bug("a value is read that was not computed"))
    }

    /// Copies a slice of the same element type to the first elements.
    pub(super) fn copy_from(&mut self, slice: Slice<'_>) -> Result<()> {
        fn copy<T: Element>(to: &mut [T], from: &[T]) -> Result<()> {
            let to = to.get_mut(..from.len()).ok_or_else(|| Error::bug("a buffer is too short for its value"))?;
            to.copy_from_slice(from);
            Ok(())
        }
        match (self, slice) {
            (Buffer::F32(to), Slice::F32(from)) => copy(to, from),
            (Buffer::I32(to), Slice::I32(from)) => copy(to, from),
            (Buffer::I64(to), Slice::I64(from)) => copy(to, from),
            (Buffer::U8(to), Slice::U8(from)) => copy(to, from),
            (Buffer::Bool(to), Slice::Bool(from)) => copy(to, from),
            (Buffer::Text(to), Slice::Text(from)) => {
                *to = Some(from.clone());
                Ok(())
            }
            _ => Err(wrong_type()),
        }
    }
}

/// The elements of a value, for reading.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slice<'a> {
    F32(&'a [f32]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    Bool(&'a [bool]),
    Text(&'a Array),
}

/// An element type that kernels compute with.
pub(super) trait Element: Copy + PartialEq + PartialOrd + Send + Sync + 'static {
    fn read(slice: Slice<'_>) -> Option<&[Self]>;
    fn write(buffer: &mut Buffer) -> Option<&mut Vec<Self>>;
}

macro_rules! elements {
    ($($ty:ty = $name:ident;)*) => {$(
        impl Element for $ty {
            fn read(slice: Slice<'_>) -> Option<&[Self]> {
                match slice {
                    Slice::$name(values) => Some(values),
                    _ => None,
                }
            }

            fn write(buffer: &mut Buffer) -> Option<&mut Vec<Self>> {
                match buffer {
                    Buffer::$name(values) => Some(values),
                    _ => None,
                }
            }
        }
    )*};
}
elements! {
    f32 = F32;
    i32 = I32;
    i64 = I64;
    u8 = U8;
    bool = Bool;
}

pub(super) fn wrong_type() -> Error {
    Error::bug("a step is given a value of another element type than it was prepared for")
}

/// Evaluates an expression with `$T` as the element type; text has a separate expression.
macro_rules! with_element {
    ($repr:expr, $T:ident => $body:expr, text => $text:expr) => {
        match $repr {
            $crate::native::buffer::Repr::F32 => {
                type $T = f32;
                $body
            }
            $crate::native::buffer::Repr::I32 => {
                type $T = i32;
                $body
            }
            $crate::native::buffer::Repr::I64 => {
                type $T = i64;
                $body
            }
            $crate::native::buffer::Repr::U8 => {
                type $T = u8;
                $body
            }
            $crate::native::buffer::Repr::Bool => {
                type $T = bool;
                $body
            }
            $crate::native::buffer::Repr::Text => $text,
        }
    };
}
pub(super) use with_element;
