//! Conversions at the edges of a plan: between candle's tensors, arrays of the interpreter, and buffers of steps.

use super::buffer::{Buffer, Repr, Slice};
use crate::engine::CandleResultExt;
use crate::value::{Data, Strings};
use crate::weights::Weights;
use candle_core::{CpuStorage, DType, Device, Storage, StorageRef, Tensor};
use std::sync::Arc;
use tfjs_ir::{Array, Data as ArrayData, ElementType};
use tfjs_manifest::{Error, Result, Shape};
use tfjs_topology::graph::SlotId;

/// A value that the caller or the plan owns, opened for reading during a call.
#[derive(Debug)]
pub(super) enum Opened<'a> {
    /// A tensor that is read in place.
    InPlace {
        storage: StorageRef<'a>,
        start: usize,
        end: usize,
    },
    /// A copy, if the tensor has another type or order.
    Copied(Buffer, usize),
    Borrowed(&'a Buffer, usize),
}

impl<'a> Opened<'a> {
    /// Opens a tensor as elements of a type. A contiguous tensor of that type is not copied.
    pub(super) fn tensor(tensor: &'a Tensor, repr: Repr) -> Result<Self> {
        let same = matches!(
            (tensor.dtype(), repr),
            (DType::F32, Repr::F32) | (DType::I32, Repr::I32) | (DType::I64, Repr::I64) | (DType::U8, Repr::U8)
        );
        if same {
            let (storage, layout) = tensor.storage_and_layout();
            if let (Storage::Cpu(_), Some((start, end))) = (&*storage, layout.contiguous_offsets()) {
                return Ok(Opened::InPlace { storage, start, end });
            }
        }
        Ok(Opened::Copied(copied(tensor, repr)?, tensor.elem_count()))
    }

    /// Opens an argument.
    pub(super) fn data(data: &'a Data, repr: Repr) -> Result<Self> {
        match (data, repr) {
            (Data::Strings(strings), Repr::Text) => {
                let text = ArrayData::Text(strings.items().to_vec());
                let array = Array::new(ElementType::String, strings.shape().dims(), text)?;
                Ok(Opened::Copied(Buffer::Text(Some(array)), strings.items().len()))
            }
            (Data::Tensor(tensor), repr) if repr != Repr::Text => Opened::tensor(tensor, repr),
            (Data::Strings(_), _) => Err(Error::mismatch("expected numbers, found strings")),
            (Data::Tensor(_), _) => Err(Error::mismatch("expected strings, found numbers")),
        }
    }

    /// The elements of the value.
    pub(super) fn slice(&self) -> Result<Slice<'_>> {
        match self {
            Opened::Copied(buffer, elements) => buffer.slice(*elements),
            Opened::Borrowed(buffer, elements) => buffer.slice(*elements),
            Opened::InPlace { storage, start, end } => {
                let range = *start..*end;
                let slice = match &**storage {
                    Storage::Cpu(CpuStorage::F32(values)) => values.get(range).map(Slice::F32),
                    Storage::Cpu(CpuStorage::I32(values)) => values.get(range).map(Slice::I32),
                    Storage::Cpu(CpuStorage::I64(values)) => values.get(range).map(Slice::I64),
                    Storage::Cpu(CpuStorage::U8(values)) => values.get(range).map(Slice::U8),
                    _ => None,
                };
                slice.ok_or_else(|| Error::bug("a tensor is longer than its storage"))
            }
        }
    }
}

/// The elements of any tensor, in row-major order, converted to another type.
fn copied(tensor: &Tensor, repr: Repr) -> Result<Buffer> {
    let flat = tensor.flatten_all().or_error()?;
    let wide = || flat.to_dtype(DType::I64).and_then(|flat| flat.to_vec1::<i64>()).or_error();
    Ok(match repr {
        Repr::F32 => Buffer::F32(flat.to_dtype(DType::F32).and_then(|flat| flat.to_vec1()).or_error()?),
        Repr::I32 if flat.dtype() == DType::I32 => Buffer::I32(flat.to_vec1().or_error()?),
        Repr::I32 => Buffer::I32(wide()?.into_iter().map(|n| n as i32).collect()),
        Repr::I64 => Buffer::I64(wide()?),
        Repr::U8 => Buffer::U8(flat.to_dtype(DType::U8).and_then(|flat| flat.to_vec1()).or_error()?),
        Repr::Bool if flat.dtype() == DType::U8 => {
            Buffer::Bool(flat.to_vec1::<u8>().or_error()?.into_iter().map(|byte| byte != 0).collect())
        }
        Repr::Bool => {
            let floats: Vec<f32> = flat.to_dtype(DType::F32).and_then(|flat| flat.to_vec1()).or_error()?;
            Buffer::Bool(floats.into_iter().map(|x| x != 0.0).collect())
        }
        Repr::Text => return Err(Error::mismatch("expected strings, found numbers")),
    })
}

/// Converts a value to the caller's type.
pub(super) fn data(slice: Slice<'_>, element: ElementType, dims: &[usize]) -> Result<Data> {
    if let Slice::Text(array) = slice {
        let ArrayData::Text(items) = array.data() else { return Err(Error::bug("expected text")) };
        return Ok(Data::Strings(Arc::new(Strings::new(Shape::new(dims)?, items.clone())?)));
    }
    tensor(slice, element, dims).map(Data::Tensor)
}

/// Converts a value to a tensor. Truth values are bytes.
pub(super) fn tensor(slice: Slice<'_>, element: ElementType, dims: &[usize]) -> Result<Tensor> {
    let cpu = &Device::Cpu;
    match slice {
        Slice::F32(values) => {
            let tensor = Tensor::from_slice(values, dims, cpu);
            match element {
                ElementType::F16 => tensor.and_then(|tensor| tensor.to_dtype(DType::F16)),
                ElementType::Bf16 => tensor.and_then(|tensor| tensor.to_dtype(DType::BF16)),
                _ => tensor,
            }
        }
        Slice::I32(values) => Tensor::from_slice(values, dims, cpu),
        Slice::I64(values) => Tensor::from_slice(values, dims, cpu),
        Slice::U8(values) => Tensor::from_slice(values, dims, cpu),
        Slice::Bool(values) => Tensor::from_slice(&values.iter().map(|&b| u8::from(b)).collect::<Vec<u8>>(), dims, cpu),
        Slice::Text(_) => return Err(Error::bug("text cannot be a tensor")),
    }
    .or_error()
}

/// The elements, each converted, or an error if there is no memory for them.
pub(super) fn converted<T: Copy, R>(values: &[T], f: impl Fn(T) -> R) -> Result<Vec<R>> {
    let mut out = Vec::new();
    let no_memory = |e| Error::limit(format!("no memory for {} elements", values.len())).with_source(e);
    out.try_reserve_exact(values.len()).map_err(no_memory)?;
    out.extend(values.iter().map(|&value| f(value)));
    Ok(out)
}

/// Converts a value to an array of the interpreter.
pub(super) fn array(slice: Slice<'_>, element: ElementType, dims: &[usize]) -> Result<Array> {
    let data = match slice {
        Slice::F32(values) => ArrayData::Float(converted(values, f64::from)?),
        Slice::I32(values) => ArrayData::Int(converted(values, i64::from)?),
        Slice::I64(values) => ArrayData::Int(converted(values, |n| n)?),
        Slice::U8(values) => ArrayData::Int(converted(values, i64::from)?),
        Slice::Bool(values) => ArrayData::Bool(converted(values, |b| b)?),
        Slice::Text(array) => return array.reshaped(dims),
    };
    Array::new(element, dims, data)
}

/// Converts an array to a buffer.
pub(super) fn buffer_of(array: &Array) -> Result<Buffer> {
    Ok(match (array.data(), Repr::of(array.element())?) {
        (ArrayData::Float(values), Repr::F32) => Buffer::F32(converted(values, |x| x as f32)?),
        (ArrayData::Int(values), Repr::I32) => Buffer::I32(converted(values, |n| n as i32)?),
        (ArrayData::Int(values), Repr::I64) => Buffer::I64(converted(values, |n| n)?),
        (ArrayData::Int(values), Repr::U8) => Buffer::U8(converted(values, |n| n as u8)?),
        (ArrayData::Bool(values), Repr::Bool) => Buffer::Bool(converted(values, |b| b)?),
        (ArrayData::Text(_), Repr::Text) => Buffer::Text(Some(array.clone())),
        _ => return Err(Error::bug("an array whose elements are not of its type")),
    })
}

/// The elements of a floating-point array.
pub(super) fn floats(array: &Array) -> Result<Vec<f32>> {
    match array.data() {
        ArrayData::Float(values) => converted(values, |x| x as f32),
        _ => Err(Error::bug("a weight of floating point is expected")),
    }
}

/// A weight as an array of the interpreter.
pub(super) fn weight_array(weights: &Weights, slot: SlotId, element: ElementType) -> Result<Array> {
    if element == ElementType::F32 {
        let dims = weights.shape(slot)?.dims();
        return weights.with_values(slot, |values| array(Slice::F32(values), element, dims))?;
    }
    let tensor = weights.tensor(slot)?;
    let buffer = copied(&tensor, Repr::of(element)?)?;
    array(buffer.slice(tensor.elem_count())?, element, tensor.dims())
}
