//! Decodes bytes in memory to values: one weight, or the concatenated bytes of a group.
//!
//! Reference: `decodeWeights` in tfjs-core `io/io_utils.ts`. Each group is decoded separately, as in
//! `tf.io.loadWeights` and the Python tools.

use crate::strings::Scan;
use crate::view::view;
use crate::{HostData, HostTensor, dequantize};
use tfjs_manifest::text::shorten;
use tfjs_manifest::{AffineStore, DType, Error, Quantization, Result, WeightSpec};

/// Decodes the wanted weights of a group from the concatenated bytes of its files; `None` for the others.
///
/// `wanted` is called with the weight's index in the group.
///
/// # Errors
/// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) if there are fewer or more bytes than the weights need,
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for invalid string lengths.
pub fn decode_group(
    bytes: &[u8],
    specs: &[WeightSpec],
    wanted: impl Fn(usize) -> bool,
) -> Result<Vec<Option<HostTensor>>> {
    let mut at = 0usize;
    let mut tensors = Vec::with_capacity(specs.len());
    for (i, spec) in specs.iter().enumerate() {
        let here = |error: Error| error.at_weight(shorten(&spec.name));
        let (tensor, end) = match spec.stored_bytes()? {
            Some(length) => {
                let (piece, end) = take(bytes, at, length).map_err(here)?;
                (wanted(i).then(|| decode_weight(piece, spec)).transpose()?, end)
            }
            None => strings(bytes, at, spec, wanted(i)).map_err(here)?,
        };
        at = end;
        tensors.push(tensor);
    }
    match bytes.len() - at {
        0 => Ok(tensors),
        // DIFFERENCE: TensorFlow.js ignores bytes left over, and so does not notice files of another model.
        left => Err(Error::mismatch(format!(
            "expected {at} bytes for the group's weights, found {}: {left} are left over, the files and the \
             manifest do not belong together",
            bytes.len()
        ))),
    }
}

/// Decodes one weight from exactly its bytes.
///
/// # Errors
/// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for a wrong number of bytes,
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) as [`decode_group`].
pub fn decode_weight(bytes: &[u8], spec: &WeightSpec) -> Result<HostTensor> {
    let here = |error: Error| error.at_weight(shorten(&spec.name));
    if spec.stored() == DType::String {
        let (tensor, end) = strings(bytes, 0, spec, true).map_err(here)?;
        return match tensor {
            Some(tensor) if end == bytes.len() => Ok(tensor),
            _ => Err(here(wrong_length(end as u64, bytes.len()))),
        };
    }
    let expected = spec.stored_bytes()?.unwrap_or(0);
    if expected != bytes.len() as u64 {
        return Err(here(wrong_length(expected, bytes.len())));
    }
    let data = values(bytes, spec).map_err(here)?;
    HostTensor::new(spec.shape.clone(), data).map_err(here)
}

/// Decodes stored bytes of any dtype except string.
pub(crate) fn values(bytes: &[u8], spec: &WeightSpec) -> Result<HostData> {
    let Some(quantization) = &spec.quantization else {
        return plain(bytes, spec.dtype);
    };
    match (spec.dtype, quantization) {
        (DType::Float32, &Quantization::Affine { stored, scale, min }) => match stored {
            AffineStore::Uint8 => dequantize::affine_f32(bytes, scale, min),
            AffineStore::Uint16 => dequantize::affine_f32(&view::<u16>(bytes)?, scale, min),
        }
        .map(HostData::F32),
        (DType::Int32, &Quantization::Affine { stored, scale, min }) => match stored {
            AffineStore::Uint8 => dequantize::affine_i32(bytes, scale, min),
            AffineStore::Uint16 => dequantize::affine_i32(&view::<u16>(bytes)?, scale, min),
        }
        .map(HostData::I32),
        (DType::Float32, Quantization::Float16) => halves(bytes),
        (dtype, _) => Err(match quantization.check(dtype) {
            Err(error) => error,
            Ok(()) => Error::bug(format!("there is no decoder for a quantization of `{dtype}`")),
        }),
    }
}

fn plain(bytes: &[u8], dtype: DType) -> Result<HostData> {
    Ok(match dtype {
        DType::Float32 => HostData::F32(view(bytes)?.into_owned()),
        DType::Int32 => HostData::I32(view(bytes)?.into_owned()),
        DType::Bool => HostData::Bool(bytes.to_vec()),
        DType::Complex64 => HostData::C64(view(bytes)?.into_owned()),
        DType::Float16 => return halves(bytes),
        DType::Uint8 => HostData::U8(bytes.to_vec()),
        DType::Uint16 => HostData::U16(view(bytes)?.into_owned()),
        other => {
            return Err(Error::bug(format!("there is no decoder for a weight of `{other}`")));
        }
    })
}

fn halves(bytes: &[u8]) -> Result<HostData> {
    dequantize::float16(&view::<u16>(bytes)?).map(HostData::F32)
}

fn strings(bytes: &[u8], at: usize, spec: &WeightSpec, wanted: bool) -> Result<(Option<HostTensor>, usize)> {
    let scan = Scan::new(bytes, at, spec.shape.elements());
    if !wanted {
        return Ok((None, scan.run(drop)?));
    }
    let (strings, end) = scan.collect()?;
    Ok((Some(HostTensor::new(spec.shape.clone(), HostData::Str(strings))?), end))
}

fn take(bytes: &[u8], at: usize, length: u64) -> Result<(&[u8], usize)> {
    let end = usize::try_from(length).ok().and_then(|length| at.checked_add(length));
    match end.and_then(|end| Some((bytes.get(at..end)?, end))) {
        Some(piece) => Ok(piece),
        None => Err(Error::mismatch(format!(
            "needs {length} bytes from offset {at}, {} left",
            bytes.len().saturating_sub(at)
        ))),
    }
}

#[cold]
fn wrong_length(expected: u64, found: usize) -> Error {
    Error::mismatch(format!("expected {expected} bytes, found {found}"))
}
