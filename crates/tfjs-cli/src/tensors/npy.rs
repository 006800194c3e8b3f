//! NumPy's `.npy`: one array without a name, in C or Fortran order and either endianness. The format is
//! `numpy.lib.format`. Lengths in the header are checked against the actual bytes.

use super::{Data, MOST_DIMENSIONS, Output, check_rank, from_bytes, to_bytes};
use tfjs::layer::CandleResultExt;
use tfjs::parts::manifest::text::shorten;
use tfjs::{DType, Error, Result, Tensor, ValueType};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Reads the array of a file.
pub(super) fn read(bytes: &[u8]) -> Result<Tensor> {
    let (text, rest) = split(bytes).ok_or_else(|| Error::malformed("expected a .npy file, found something else"))?;
    let Header { kind, fortran, dims } = Header::parse(text)?;
    let (order, element) = kind.split_at_checked(1).unwrap_or((kind, ""));
    let (dtype, width) = match element {
        "f2" => (DType::F16, 2),
        "f4" => (DType::F32, 4),
        "f8" => (DType::F64, 8),
        "i2" => (DType::I16, 2),
        "i4" => (DType::I32, 4),
        "i8" => (DType::I64, 8),
        "u1" | "b1" => (DType::U8, 1),
        "u4" => (DType::U32, 4),
        _ => {
            let message = format!("the element type `{}` is not supported; save float32 or int32", shorten(kind));
            return Err(Error::unsupported(message));
        }
    };
    let changed: Vec<u8>;
    let data = match (order, element) {
        (">", _) if width > 1 => {
            changed = rest.chunks(width).flat_map(|item| item.iter().rev().copied()).collect();
            &changed[..]
        }
        (_, "b1") => {
            changed = rest.iter().map(|b| u8::from(*b != 0)).collect();
            &changed[..]
        }
        _ => rest,
    };
    if !fortran {
        return from_bytes(data, dtype, &dims);
    }
    // Fortran order: read as an array of the reversed shape, then transposed.
    let reversed: Vec<usize> = dims.iter().rev().copied().collect();
    let axes: Vec<usize> = (0..dims.len()).rev().collect();
    from_bytes(data, dtype, &reversed)?.permute(axes).and_then(|t| t.contiguous()).or_error()
}

/// The text of the header, and the bytes after it.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let ([major, _minor], rest) = rest.split_first_chunk::<2>()?;
    let (len, rest) = match major {
        1 => rest.split_first_chunk::<2>().map(|(len, rest)| (usize::from(u16::from_le_bytes(*len)), rest))?,
        _ => rest.split_first_chunk::<4>().map(|(len, rest)| (u32::from_le_bytes(*len) as usize, rest))?,
    };
    let (text, rest) = rest.split_at_checked(len)?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

/// `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`
struct Header<'a> {
    kind: &'a str,
    fortran: bool,
    dims: Vec<usize>,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Result<Header<'a>> {
        let odd = || Error::malformed(format!("the header of the .npy file is `{}`", shorten(text)));
        let descr = value(text, "descr").ok_or_else(odd)?;
        if descr.starts_with('[') {
            return Err(Error::unsupported("the array has several fields; save plain numbers"));
        }
        let quote = descr.chars().next().filter(|c| matches!(c, '\'' | '"')).ok_or_else(odd)?;
        let kind = descr.get(1..).and_then(|rest| rest.split_once(quote)).ok_or_else(odd)?.0;
        let order = value(text, "fortran_order").ok_or_else(odd)?;
        let fortran = order.starts_with("True");
        if !fortran && !order.starts_with("False") {
            return Err(odd());
        }
        let shape = value(text, "shape").and_then(|v| v.strip_prefix('(')?.split_once(')')).ok_or_else(odd)?.0;
        // Python 2 writes `3L`, and a tuple of one element ends in a comma.
        let sizes = shape.split(',').map(|d| d.trim().trim_end_matches('L')).filter(|d| !d.is_empty());
        let sizes = sizes.take(MOST_DIMENSIONS + 1);
        let dims = sizes.map(|d| d.parse::<usize>().map_err(|_| odd())).collect::<Result<Vec<_>>>()?;
        check_rank(dims.len())?;
        Ok(Header { kind, fortran, dims })
    }
}

/// The text after a key.
fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("'{key}'")).or_else(|| text.split_once(&format!("\"{key}\"")))?;
    Some(rest.trim_start().strip_prefix(':')?.trim_start())
}

/// The file for a single output.
pub(super) fn write(outputs: &[Output]) -> Result<Vec<u8>> {
    let [output] = outputs else {
        let message = format!("a .npy file has one array, the model has {} outputs; write .safetensors", outputs.len());
        return Err(Error::misuse(message));
    };
    let Data::Numbers(tensor) = &output.data else {
        return Err(
            Error::unsupported("strings cannot be written as .npy; write a `.json` file").at_value(&output.name)
        );
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
    let dims = match tensor.dims() {
        [single] => format!("{single},"),
        dims => dims.iter().map(usize::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut bytes = header(&format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({dims}), }}"));
    bytes.extend(to_bytes(tensor)?);
    Ok(bytes)
}

/// The bytes before the data, padded to a multiple of 64 bytes.
fn header(text: &str) -> Vec<u8> {
    let before = MAGIC.len() + 4;
    let padded = (before + text.len() + 1).next_multiple_of(64) - before;
    let mut bytes = [MAGIC, &[1, 0]].concat();
    // A tensor has few dimensions, so its header is far below 64 KiB.
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(format!("{text:width$}\n", width = padded - 1).as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs::{Device, Kind};

    fn file(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = header(&format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}"));
        bytes.extend(data);
        bytes
    }

    fn floats(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    /// `np.save(f, np.array([[1.5, -2]], "<f4"))` by NumPy 1.26.
    #[test]
    fn as_numpy_writes_it() {
        let mut bytes =
            b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }".to_vec();
        bytes.resize(127, b' ');
        bytes.push(b'\n');
        bytes.extend(b"\x00\x00\xc0\x3f\x00\x00\x00\xc0");
        assert_eq!(read(&bytes).unwrap().to_vec2::<f32>().unwrap(), [[1.5, -2.0]]);
    }

    #[test]
    fn c_and_fortran_order() {
        let c = read(&file("<f4", "False", "(2, 3)", &floats(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))).unwrap();
        let f = read(&file("<f4", "True", "(2L, 3L)", &floats(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]))).unwrap();
        for tensor in [c, f] {
            assert_eq!(tensor.to_vec2::<f32>().unwrap(), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        }
    }

    #[test]
    fn big_endian_scalars_and_truth_values() {
        let big = read(&file(">i4", "False", "(2,)", &[0, 0, 1, 0, 255, 255, 255, 255])).unwrap();
        assert_eq!(big.to_vec1::<i32>().unwrap(), [256, -1]);
        let truths = read(&file("|b1", "False", "(2,)", &[0, 7])).unwrap();
        assert_eq!(truths.to_vec1::<u8>().unwrap(), [0, 1]);
        assert_eq!(read(&file("<f4", "False", "()", &floats(&[2.0]))).unwrap().rank(), 0);
    }

    #[test]
    fn a_header_that_claims_what_is_not_there_allocates_nothing() {
        let error = read(&file("<f4", "False", "(1000000000000,)", &[0; 4])).unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
        let error = read(&file("<f4", "False", "(18446744073709551615, 9)", &[0; 4])).unwrap_err();
        assert_eq!(error.kind(), Kind::Limit);
        let error = read(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{").unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
    }

    #[test]
    fn arrays_of_too_many_dimensions_are_refused_at_once() {
        let axes = |count: usize| format!("({})", "1,".repeat(count));
        assert_eq!(read(&file("<f4", "True", &axes(8), &[0; 4])).unwrap().rank(), 8);
        assert_eq!(read(&file("<f4", "False", &axes(9), &[0; 4])).unwrap_err().kind(), Kind::Limit);
        // Version 2 of the format, which allows long headers.
        for order in ["True", "False"] {
            let text = format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': {}, }}", axes(300_000));
            let mut bytes = [MAGIC, &[2, 0], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
            bytes.extend([0; 4]);
            assert_eq!(read(&bytes).unwrap_err().kind(), Kind::Limit);
        }
    }

    #[test]
    fn headers_that_are_none() {
        for header in ["(2", "(a,)", "(-1,)", "3"] {
            assert_eq!(read(&file("<f4", "False", header, &[])).unwrap_err().kind(), Kind::Malformed, "{header}");
        }
        assert_eq!(read(&file("<f4", "maybe", "()", &[0; 4])).unwrap_err().kind(), Kind::Malformed);
        for bytes in [&b""[..], b"PK\x03\x04", b"\x93NUMPY", b"\x93NUMPY\x01\x00\x02\x00\xff\xff"] {
            assert_eq!(read(bytes).unwrap_err().kind(), Kind::Malformed);
        }
    }

    #[test]
    fn element_types_that_are_not_read_are_named() {
        for kind in ["<U3", "|O", "", "é"] {
            let error = read(&file(kind, "False", "(1,)", &[0; 12])).unwrap_err();
            assert_eq!(error.kind(), Kind::Unsupported);
            assert!(error.message().contains(kind), "{error}");
        }
        let record = header("{'descr': [('shape', '<f4')], 'fortran_order': False, 'shape': (1,), }");
        assert_eq!(read(&record).unwrap_err().kind(), Kind::Unsupported);
    }

    #[test]
    fn an_output_comes_back_aligned() {
        let tensor = Tensor::new(&[[1f32, -2.0]], &Device::Cpu).unwrap();
        let output = Output { name: "y".into(), dtype: ValueType::Float, data: Data::Numbers(tensor) };
        let bytes = write(std::slice::from_ref(&output)).unwrap();
        assert_eq!(bytes.len() % 64, 8);
        assert_eq!(read(&bytes).unwrap().to_vec2::<f32>().unwrap(), [[1.0, -2.0]]);
        assert_eq!(write(&[output.clone(), output]).unwrap_err().kind(), Kind::Misuse);
    }
}
