//! Weights as values in host memory, independent of files and tensor libraries.

use tfjs_manifest::{Assembly, DType, Error, Result, Shape};

/// The decoded values of one weight: as many as its shape says, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    shape: Shape,
    data: HostData,
}

/// Values by type. Exhaustive: every dtype of the manifest decodes to one of these.
#[derive(Clone, Debug, PartialEq)]
pub enum HostData {
    /// float32, float16, and quantized float32.
    F32(Vec<f32>),
    /// int32, also quantized.
    I32(Vec<i32>),
    /// bool, one byte each as stored: zero is false, anything else true.
    Bool(Vec<u8>),
    /// uint8, which the Python converter writes but TensorFlow.js cannot read.
    U8(Vec<u8>),
    /// uint16, which the Python converter writes but TensorFlow.js cannot read.
    U16(Vec<u16>),
    /// string: bytes, nearly always UTF-8.
    Str(Vec<Vec<u8>>),
    /// complex64: real part, imaginary part.
    C64(Vec<[f32; 2]>),
}

impl HostTensor {
    /// A tensor of this shape with these values.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if the number of values is not the number of elements.
    pub fn new(shape: Shape, data: HostData) -> Result<HostTensor> {
        if data.len() != shape.elements() {
            return Err(Error::misuse(format!(
                "shape {shape} has {} elements, found {} values",
                shape.elements(),
                data.len()
            )));
        }
        Ok(HostTensor { shape, data })
    }

    /// One weight of several, see [`Assembly`].
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for tensors that do not fill the weight,
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for other numbers than those of single precision.
    pub fn assemble(assembly: &Assembly, parts: &[HostTensor]) -> Result<HostTensor> {
        let floats = |part: &HostTensor| match &part.data {
            HostData::F32(_) => Ok(()),
            other => Err(Error::unsupported(format!("a weight of dtype `{}` cannot be put together", other.dtype()))),
        };
        parts.iter().try_for_each(floats)?;
        let parts: Vec<&[f32]> = parts.iter().filter_map(|part| part.data.as_f32()).collect();
        HostTensor::new(assembly.shape.clone(), HostData::F32(assembly.assemble(&parts)?))
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The values.
    pub fn data(&self) -> &HostData {
        &self.data
    }

    /// The element type of the values; float32 if they were stored as float16.
    pub fn dtype(&self) -> DType {
        self.data.dtype()
    }

    /// Splits the tensor into shape and values, without a copy.
    pub fn into_parts(self) -> (Shape, HostData) {
        (self.shape, self.data)
    }
}

impl HostData {
    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            HostData::F32(values) => values.len(),
            HostData::I32(values) => values.len(),
            HostData::Bool(values) | HostData::U8(values) => values.len(),
            HostData::U16(values) => values.len(),
            HostData::Str(values) => values.len(),
            HostData::C64(values) => values.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match self {
            HostData::F32(_) => DType::Float32,
            HostData::I32(_) => DType::Int32,
            HostData::Bool(_) => DType::Bool,
            HostData::U8(_) => DType::Uint8,
            HostData::U16(_) => DType::Uint16,
            HostData::Str(_) => DType::String,
            HostData::C64(_) => DType::Complex64,
        }
    }

    /// The float32 values.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match self {
            HostData::F32(values) => Some(values),
            _ => None,
        }
    }

    /// The bytes of the values, as the format stores them; `None` for strings, which are not contiguous.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        match self {
            HostData::F32(values) => Some(bytemuck::cast_slice(values)),
            HostData::I32(values) => Some(bytemuck::cast_slice(values)),
            HostData::Bool(values) | HostData::U8(values) => Some(values),
            HostData::U16(values) => Some(bytemuck::cast_slice(values)),
            HostData::C64(values) => Some(bytemuck::cast_slice(values)),
            HostData::Str(_) => None,
        }
    }

    /// The memory of the values, to fill with bytes as the format stores them; empty for strings.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            HostData::F32(values) => bytemuck::cast_slice_mut(values),
            HostData::I32(values) => bytemuck::cast_slice_mut(values),
            HostData::Bool(values) | HostData::U8(values) => values,
            HostData::U16(values) => bytemuck::cast_slice_mut(values),
            HostData::C64(values) => bytemuck::cast_slice_mut(values),
            HostData::Str(_) => &mut [],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn shape_and_values_agree() {
        let shape = Shape::new([2, 2]).unwrap();
        let error = HostTensor::new(shape.clone(), HostData::F32(vec![0.0; 3])).unwrap_err();
        assert_eq!(error.kind(), Kind::Misuse);
        let tensor = HostTensor::new(shape, HostData::I32(vec![1, 2, 3, 4])).unwrap();
        assert_eq!((tensor.dtype(), tensor.data().len()), (DType::Int32, 4));
    }
}
