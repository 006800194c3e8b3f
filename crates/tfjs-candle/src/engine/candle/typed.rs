//! Values of a running program: tensors and text, each with its element type in the program.

use super::error::Result;
use crate::value::{Data, Strings};
use candle_core::{DType, Device, Tensor};
use std::sync::Arc;
use tfjs_ir::array::Data as Elements;
use tfjs_ir::{Array, ElementType};
use tfjs_manifest::{Error, Shape};

/// A value with its element type, which the tensor's dtype does not determine: truth values are bytes, and devices hold
/// 32-bit integers in 64 bits.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    element: ElementType,
    data: Data,
}

/// The dtype that holds elements of a type on a device. candle's CUDA and Metal backends support few operations on
/// 32-bit integers, and most on 64-bit ones.
pub(super) fn dtype(element: ElementType, device: &Device) -> DType {
    match element {
        ElementType::F16 => DType::F16,
        ElementType::Bf16 => DType::BF16,
        ElementType::I32 if device.is_cpu() => DType::I32,
        ElementType::I32 | ElementType::I64 => DType::I64,
        ElementType::U8 | ElementType::Bool => DType::U8,
        _ => DType::F32,
    }
}

impl Typed {
    /// A tensor that holds elements of this type.
    pub(super) fn new(element: ElementType, tensor: Tensor) -> Self {
        Typed { element, data: Data::Tensor(tensor) }
    }

    /// The size of the elements in bytes; a view counts as if it were copied.
    pub(super) fn bytes(&self) -> u64 {
        let elements: usize = self.data.dims().iter().product();
        elements as u64 * self.element.bytes() as u64
    }

    /// Text.
    fn text(dims: &[usize], items: Vec<Arc<str>>) -> Result<Self> {
        let strings = Strings::new(Shape::new(dims)?, items)?;
        Ok(Typed { element: ElementType::String, data: Data::Strings(Arc::new(strings)) })
    }

    /// Takes a value from outside the program to this device, in the dtype that its element type has there.
    pub(super) fn adopt(data: &Data, element: ElementType, device: &Device) -> Result<Self> {
        match (data, element) {
            (Data::Strings(_), ElementType::String) => Ok(Typed { element, data: data.clone() }),
            (Data::Tensor(tensor), element) if element != ElementType::String => {
                // Cast on the source device first, because the CPU supports all casts.
                let tensor = match element {
                    // Any byte except 0 is true.
                    ElementType::Bool => tensor.ne(0.0)?,
                    _ => tensor.to_dtype(dtype(element, device))?,
                };
                Ok(Typed::new(element, tensor.to_device(device)?))
            }
            _ => Err(Error::bug(format!("numbers are given for text, or text for numbers of type `{element}`")).into()),
        }
    }

    /// A value of the interpreter, on a device.
    pub(super) fn from_array(array: &Array, device: &Device) -> Result<Self> {
        let (element, dims) = (array.element(), array.dims());
        let tensor = match array.data() {
            Elements::Text(items) => return Typed::text(dims, items.clone()),
            Elements::Float(values) => {
                let values = values.iter().map(|&x| x as f32).collect();
                Tensor::from_vec::<_, f32>(values, dims, device)?.to_dtype(dtype(element, device))?
            }
            Elements::Bool(values) => {
                Tensor::from_vec::<_, u8>(values.iter().map(|&b| u8::from(b)).collect(), dims, device)?
            }
            Elements::Int(values) => return Typed::integers(element, values.clone(), dims, device),
        };
        Ok(Typed::new(element, tensor))
    }

    /// Integers, which wrap to the element type.
    pub(super) fn integers(element: ElementType, values: Vec<i64>, dims: &[usize], device: &Device) -> Result<Self> {
        let tensor = match dtype(element, device) {
            DType::U8 => Tensor::from_vec::<_, u8>(values.into_iter().map(|n| n as u8).collect(), dims, device)?,
            DType::I32 => Tensor::from_vec::<_, i32>(values.into_iter().map(|n| n as i32).collect(), dims, device)?,
            _ if element == ElementType::I32 => {
                Tensor::from_vec::<_, i64>(values.into_iter().map(|n| i64::from(n as i32)).collect(), dims, device)?
            }
            _ => Tensor::from_vec::<_, i64>(values, dims, device)?,
        };
        Ok(Typed::new(element, tensor))
    }

    /// A value filled with one number, as a view of one element.
    pub(super) fn full(element: ElementType, number: f64, dims: &[usize], device: &Device) -> Result<Self> {
        let one = Typed::from_array(&Array::scalar(element, number), device)?;
        Ok(Typed::new(element, one.tensor()?.broadcast_as(dims)?))
    }

    /// An empty value.
    pub(super) fn empty(element: ElementType, dims: &[usize], device: &Device) -> Result<Self> {
        match element {
            ElementType::String => Typed::text(dims, Vec::new()),
            _ => Ok(Typed::new(element, Tensor::zeros(dims, dtype(element, device), device)?)),
        }
    }

    /// The value as an array of the interpreter.
    pub(super) fn to_array(&self) -> Result<Array> {
        let elements = match (&self.data, self.element) {
            (Data::Strings(strings), _) => Elements::Text(strings.items().to_vec()),
            (Data::Tensor(tensor), ElementType::Bool) => {
                Elements::Bool(tensor.flatten_all()?.to_vec1::<u8>()?.into_iter().map(|b| b != 0).collect())
            }
            (Data::Tensor(tensor), element) if element.is_float() => {
                let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
                Elements::Float(values.into_iter().map(f64::from).collect())
            }
            (Data::Tensor(_), _) => Elements::Int(self.to_integers()?),
        };
        Ok(Array::new(self.element, self.dims(), elements)?)
    }

    /// The integers, in row-major order.
    pub(super) fn to_integers(&self) -> Result<Vec<i64>> {
        Ok(self.tensor()?.to_dtype(DType::I64)?.flatten_all()?.to_vec1::<i64>()?)
    }

    /// The element type.
    pub(super) fn element(&self) -> ElementType {
        self.element
    }

    /// The dimensions.
    pub(super) fn dims(&self) -> &[usize] {
        match &self.data {
            Data::Tensor(tensor) => tensor.dims(),
            Data::Strings(strings) => strings.shape().dims(),
        }
    }

    /// The tensor.
    pub(super) fn tensor(&self) -> Result<&Tensor> {
        match &self.data {
            Data::Tensor(tensor) => Ok(tensor),
            Data::Strings(_) => Err(Error::bug("expected numbers, found text").into()),
        }
    }

    /// The value for the caller: contiguous in row-major order.
    pub(super) fn into_data(self) -> Result<Data> {
        match self.data {
            Data::Tensor(tensor) => Ok(Data::Tensor(tensor.contiguous()?)),
            text => Ok(text),
        }
    }

    /// The tensor for the caller: contiguous in row-major order.
    pub(super) fn into_tensor(self) -> Result<Tensor> {
        Ok(self.tensor()?.contiguous()?)
    }
}
