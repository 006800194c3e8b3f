//! The safetensors format: tensors by name. Reads integers and floats of every width, and writes the outputs of a
//! model.

use super::{Data, Output, from_bytes, to_bytes};
use ::safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use tfjs::parts::manifest::text::shorten;
use tfjs::{DType, Error, Input, Result, Tensor, ValueType};

/// Reads all tensors of a file, sorted by name.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<(String, Input)>> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| Error::malformed("expected a safetensors file, found something else").with_source(e))?;
    let mut tensors = file.tensors();
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    let tensors = tensors.into_iter().map(|(name, view)| {
        let tensor = tensor(&view).map_err(|e| e.at_value(shorten(&name)))?;
        Ok((name, Input::Tensor(tensor)))
    });
    tensors.collect()
}

fn tensor(view: &TensorView<'_>) -> Result<Tensor> {
    let (bytes, dims) = (view.data(), view.shape());
    let dtype = match view.dtype() {
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I16 => DType::I16,
        Dtype::I32 => DType::I32,
        Dtype::I64 => DType::I64,
        Dtype::U8 => DType::U8,
        Dtype::U32 => DType::U32,
        Dtype::BOOL => {
            let truths: Vec<u8> = bytes.iter().map(|b| u8::from(*b != 0)).collect();
            return from_bytes(&truths, DType::U8, dims);
        }
        other => {
            let message = format!("the element type {other:?} is not supported; save the tensor as F32, I32 or I64");
            return Err(Error::unsupported(message));
        }
    };
    from_bytes(bytes, dtype, dims)
}

/// The file for the outputs, by name.
pub(super) fn write(outputs: &[Output]) -> Result<Vec<u8>> {
    let mut stored = Vec::with_capacity(outputs.len());
    for output in outputs {
        let store = || match &output.data {
            Data::Numbers(tensor) => Ok((dtype(output.dtype, tensor.dtype())?, tensor.dims(), to_bytes(tensor)?)),
            Data::Strings(_) => Err(Error::unsupported("safetensors does not support strings; write a `.json` file")),
        };
        stored.push(store().map_err(|e| e.at_value(&output.name))?);
    }
    let mut views = Vec::with_capacity(outputs.len());
    for (output, (dtype, dims, bytes)) in outputs.iter().zip(&stored) {
        let view = TensorView::new(*dtype, dims.to_vec(), bytes).map_err(unwritable)?;
        views.push((output.name.as_str(), view));
    }
    serialize(views, None).map_err(unwritable)
}

fn unwritable(error: ::safetensors::SafeTensorError) -> Error {
    Error::bug("the outputs cannot be written as safetensors").with_source(error)
}

/// Booleans are bytes in memory and `BOOL` in a file.
fn dtype(declared: ValueType, held: DType) -> Result<Dtype> {
    Ok(match held {
        DType::U8 if declared == ValueType::Bool => Dtype::BOOL,
        DType::U8 => Dtype::U8,
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::I32 => Dtype::I32,
        DType::I64 => Dtype::I64,
        DType::U32 => Dtype::U32,
        other => return Err(Error::unsupported(format!("outputs of `{}` cannot be written", other.as_str()))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs::{Device, Kind};

    fn file(dtype: Dtype, dims: &[usize], bytes: &[u8]) -> Vec<u8> {
        serialize([("x", TensorView::new(dtype, dims.to_vec(), bytes).unwrap())], None).unwrap()
    }

    fn single(bytes: &[u8]) -> Tensor {
        match read(bytes).unwrap().remove(0).1 {
            Input::Tensor(tensor) => tensor,
            other => panic!("expected a tensor, found {other:?}"),
        }
    }

    #[test]
    fn element_types() {
        let half = single(&file(Dtype::F16, &[2], &[0x00, 0x3c, 0x00, 0xc0]));
        assert_eq!(half.to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap(), [1.0, -2.0]);
        let truths = single(&file(Dtype::BOOL, &[3], &[0, 1, 7]));
        assert_eq!(truths.to_vec1::<u8>().unwrap(), [0, 1, 1]);
        let ids = single(&file(Dtype::I64, &[1], &(-5i64).to_le_bytes()));
        assert_eq!(ids.to_vec1::<i64>().unwrap(), [-5]);
        let error = read(&file(Dtype::U64, &[1], &[0; 8])).unwrap_err();
        assert_eq!((error.kind(), error.place().value.as_deref()), (Kind::Unsupported, Some("x")));
    }

    #[test]
    fn what_is_no_safetensors_file() {
        for bytes in [&b""[..], b"<!DOCTYPE html>", &[0xff; 64]] {
            assert_eq!(read(bytes).unwrap_err().kind(), Kind::Malformed);
        }
    }

    #[test]
    fn outputs_come_back() {
        let values = Tensor::new(&[[1f32, f32::NAN]], &Device::Cpu).unwrap();
        let truths = Tensor::new(&[0u8, 1], &Device::Cpu).unwrap();
        let output = |name: &str, dtype, tensor| Output { name: name.into(), dtype, data: Data::Numbers(tensor) };
        let bytes = write(&[output("y", ValueType::Float, values), output("ok:1", ValueType::Bool, truths)]).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("ok:1").unwrap().dtype(), Dtype::BOOL);
        let y = file.tensor("y").unwrap();
        assert_eq!((y.dtype(), y.shape()), (Dtype::F32, &[1, 2][..]));
        assert!(f32::from_le_bytes(y.data()[4..].try_into().unwrap()).is_nan());
    }
}
