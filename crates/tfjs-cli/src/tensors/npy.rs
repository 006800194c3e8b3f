//! NumPy's `.npy`: one array without a name, in C or Fortran order, either endianness.

use super::{Data, Output, from_bytes, to_bytes};
use npyz::{Endianness, NpyHeader, Order, TypeChar, WriteOptions, WriterBuilder};
use tfjs::layer::OrBug;
use tfjs::{DType, Error, Result, Tensor, ValueType};

/// The array of a file.
pub(super) fn read(bytes: &[u8]) -> Result<Tensor> {
    let mut rest = bytes;
    let header = NpyHeader::from_reader(&mut rest)
        .map_err(|e| Error::malformed("expected a .npy file, found something else").with_source(e))?;
    let npyz::DType::Plain(kind) = header.dtype() else {
        return Err(Error::unsupported("the array has several fields; save plain numbers"));
    };
    let dims = header.shape().iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<_>, _>>();
    let dims = dims.map_err(|_| Error::limit("the array has more elements than this machine can address"))?;

    let width = kind.num_bytes().unwrap_or(0);
    let swapped: Vec<u8>;
    let data = match kind.endianness() {
        Endianness::Big if width > 1 => {
            swapped = rest.chunks(width).flat_map(|item| item.iter().rev().copied()).collect();
            &swapped[..]
        }
        _ => rest,
    };
    let tensor = |dims: &[usize]| match (kind.type_char(), width) {
        (TypeChar::Float, 2) => from_bytes(data, DType::F16, dims),
        (TypeChar::Float, 4) => from_bytes(data, DType::F32, dims),
        (TypeChar::Float, 8) => from_bytes(data, DType::F64, dims),
        (TypeChar::Int, 2) => from_bytes(data, DType::I16, dims),
        (TypeChar::Int, 4) => from_bytes(data, DType::I32, dims),
        (TypeChar::Int, 8) => from_bytes(data, DType::I64, dims),
        (TypeChar::Uint, 1) => from_bytes(data, DType::U8, dims),
        (TypeChar::Uint, 4) => from_bytes(data, DType::U32, dims),
        (TypeChar::Bool, 1) => {
            let truths: Vec<u8> = data.iter().map(|b| u8::from(*b != 0)).collect();
            from_bytes(&truths, DType::U8, dims)
        }
        _ => Err(Error::unsupported(format!("the element type `{kind}` is not read; save float32 or int32"))),
    };
    match header.order() {
        Order::C => tensor(&dims),
        // The first index runs fastest: an array of the reversed shape, turned around.
        Order::Fortran => {
            let reversed: Vec<usize> = dims.iter().rev().copied().collect();
            let axes: Vec<usize> = (0..dims.len()).rev().collect();
            tensor(&reversed)?.permute(axes).and_then(|t| t.contiguous()).or_bug()
        }
    }
}

/// A file of the only output.
pub(super) fn write(outputs: &[Output]) -> Result<Vec<u8>> {
    let [output] = outputs else {
        let message = format!("a .npy file has one array, the model has {} outputs; write .safetensors", outputs.len());
        return Err(Error::misuse(message));
    };
    let Data::Numbers(tensor) = &output.data else {
        return Err(Error::unsupported("strings are not written as .npy; write a `.json` file").at_value(&output.name));
    };
    let kind = match tensor.dtype() {
        DType::U8 if output.dtype == ValueType::Bool => "|b1",
        DType::U8 => "|u1",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::U32 => "<u4",
        other => return Err(Error::unsupported(format!("outputs of `{}` cannot be written", other.as_str()))),
    };
    let cannot = |e: std::io::Error| Error::bug("the output does not make a .npy file").with_source(e);
    let kind = kind.parse().map_err(|_| Error::bug("an unknown NumPy type"))?;
    let shape: Vec<u64> = tensor.dims().iter().map(|&d| d as u64).collect();
    let mut bytes = Vec::new();
    WriteOptions::new_header_only()
        .dtype(npyz::DType::Plain(kind))
        .shape(&shape)
        .writer(&mut bytes)
        .write_header_only()
        .map_err(cannot)?;
    bytes.extend(to_bytes(tensor)?);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs::{Device, Kind};

    /// A file as NumPy writes it: the header padded to a multiple of 64.
    fn file(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn c_and_fortran_order() {
        let c = read(&file("<f4", "False", "(2, 3)", &floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))).unwrap();
        let f = read(&file("<f4", "True", "(2, 3)", &floats(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]))).unwrap();
        for tensor in [c, f] {
            assert_eq!(tensor.to_vec2::<f32>().unwrap(), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        }
    }

    #[test]
    fn big_endian_and_truth_values() {
        let big = read(&file(">i4", "False", "(2,)", &[0, 0, 1, 0, 255, 255, 255, 255])).unwrap();
        assert_eq!(big.to_vec1::<i32>().unwrap(), [256, -1]);
        let truths = read(&file("|b1", "False", "(2,)", &[0, 1])).unwrap();
        assert_eq!(truths.to_vec1::<u8>().unwrap(), [0, 1]);
    }

    #[test]
    fn a_header_that_claims_what_is_not_there_allocates_nothing() {
        let error = read(&file("<f4", "False", "(1000000000000,)", &[0; 4])).unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
        let error = read(&file("<f4", "False", "(18446744073709551615, 9)", &[0; 4])).unwrap_err();
        assert_eq!(error.kind(), Kind::Limit);
    }

    #[test]
    fn what_is_not_read_is_named() {
        let error = read(&file("<U3", "False", "(1,)", &[0; 12])).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.message().contains("<U3"), "{error}");
        assert_eq!(read(b"PK\x03\x04").unwrap_err().kind(), Kind::Malformed);
    }

    #[test]
    fn an_output_comes_back() {
        let tensor = Tensor::new(&[[1f32, -2.0]], &Device::Cpu).unwrap();
        let output = Output { name: "y".into(), dtype: ValueType::Float, data: Data::Numbers(tensor) };
        let back = read(&write(std::slice::from_ref(&output)).unwrap()).unwrap();
        assert_eq!(back.to_vec2::<f32>().unwrap(), [[1.0, -2.0]]);
        assert_eq!(write(&[output.clone(), output]).unwrap_err().kind(), Kind::Misuse);
    }
}
