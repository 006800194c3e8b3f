//! Tensors in files: inputs and outputs by name, in safetensors, NumPy's `.npy`, or JSON. Assigns tensors to inputs;
//! the model checks shapes.

mod json;
mod npy;
mod safetensors;

use crate::clock::Clock;
use crate::failure::Failure;
use crate::local;
use crate::shown::{Out, Shown};
use std::path::Path;
use std::sync::Arc;
use tfjs::layer::CandleResultExt;
use tfjs::{DType, Device, Error, Input, Inputs, LayersModel, Outputs, Port, Result, Strings, Tensor, ValueType};

/// Most dimensions of a tensor in a file, the default of [`Limits::rank`](tfjs::Limits::rank).
const MOST_DIMENSIONS: usize = 8;
/// Most bytes of a file of inputs, and of a tensor in it after conversion for the model.
const MOST_BYTES: u64 = 4 << 30;
/// Most bytes of a JSON file of inputs; parsed, it takes about twenty times as much memory.
const MOST_JSON: u64 = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Safetensors,
    Npy,
    Json,
}

impl Format {
    fn of_name(path: &Path) -> Option<Format> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "safetensors" => Some(Format::Safetensors),
            "npy" => Some(Format::Npy),
            "json" => Some(Format::Json),
            _ => None,
        }
    }

    /// Detects the format by content, for standard input and unknown file endings. A safetensors file begins with the
    /// length of its JSON header in eight bytes.
    fn of_content(bytes: &[u8]) -> Format {
        match bytes.get(8) {
            _ if bytes.starts_with(b"\x93NUMPY") => Format::Npy,
            Some(b'{') if bytes[..8].iter().any(|b| !matches!(b, b' '..=b'~' | b'\n' | b'\t' | b'\r')) => {
                Format::Safetensors
            }
            _ => Format::Json,
        }
    }
}

/// Reads a model's inputs from a file, by name. For a model with one input and a file with one tensor, the name does
/// not matter.
pub(crate) fn read_inputs(path: &Path, model: &LayersModel, clock: Clock) -> Result<Inputs> {
    let ports: Vec<Port<'_>> = model.inputs().collect();
    let bytes = local::read(path, MOST_BYTES, clock)?;
    let format = Format::of_name(path).unwrap_or_else(|| Format::of_content(&bytes));
    parse_inputs(format, &bytes, &ports).map_err(|e| e.in_file(local::shown(path)))
}

fn parse_inputs(format: Format, bytes: &[u8], ports: &[Port<'_>]) -> Result<Inputs> {
    if format == Format::Json && bytes.len() as u64 > MOST_JSON {
        let message = format!("expected a JSON file of at most {MOST_JSON} bytes; use .npy or .safetensors");
        return Err(Error::limit(message));
    }
    let mut named = match format {
        Format::Safetensors => safetensors::read(bytes)?,
        Format::Npy => return npy::read(bytes).and_then(|tensor| only(ports, tensor)),
        Format::Json => match json::read(bytes, ports)? {
            json::Document::Bare(input) => return only(ports, input),
            json::Document::Named(named) => named,
        },
    };
    if ports.len() == 1 && named.len() == 1 {
        return Ok(Inputs::from(named.remove(0).1));
    }
    Ok(named.into_iter().collect())
}

/// The inputs from a tensor without a name, for a model with one input.
fn only(ports: &[Port<'_>], input: impl Into<Input>) -> Result<Inputs> {
    if ports.len() == 1 {
        return Ok(Inputs::from(input.into()));
    }
    let names: Vec<String> = ports.iter().map(|p| format!("`{}`", p.name)).collect();
    Err(Error::mismatch(format!(
        "the file has one tensor without a name, the model has the inputs {}; give them by name, in a \
         safetensors or JSON file",
        names.join(", ")
    )))
}

/// One output of a prediction, or of several predictions concatenated along the batch.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) dtype: ValueType,
    pub(crate) data: Data,
}

/// Numbers, or strings.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Numbers(Tensor),
    Strings(Arc<Strings>),
}

/// The outputs of a prediction, with their names and types.
pub(crate) fn outputs(model: &LayersModel, outputs: &Outputs) -> Result<Vec<Output>> {
    let take = |port: Port<'_>| {
        let data = match outputs.strings(port.name) {
            Some(strings) => Data::Strings(strings.clone()),
            None => Data::Numbers(outputs.get(port.name)?.to_device(&Device::Cpu).or_error()?),
        };
        Ok(Output { name: port.name.to_owned(), dtype: port.dtype, data })
    };
    model.outputs().map(take).collect()
}

/// Concatenates the outputs of several predictions.
pub(crate) fn join(mut parts: Vec<Vec<Output>>) -> Result<Vec<Output>> {
    if parts.len() == 1 {
        return Ok(parts.remove(0));
    }
    let Some(first) = parts.first() else { return Ok(Vec::new()) };
    let names: Vec<(String, ValueType)> = first.iter().map(|o| (o.name.clone(), o.dtype)).collect();
    let joined = names.into_iter().enumerate().map(|(i, (name, dtype))| {
        let column: Vec<&Data> = parts.iter().filter_map(|outputs| outputs.get(i)).map(|o| &o.data).collect();
        let data = join_one(&column).map_err(|e| e.at_value(&name))?;
        Ok(Output { name, dtype, data })
    });
    joined.collect()
}

fn join_one(parts: &[&Data]) -> Result<Data> {
    let mut tensors = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Data::Numbers(tensor) => tensors.push(tensor),
            Data::Strings(_) => {
                return Err(Error::unsupported("strings of several predictions cannot be concatenated"));
            }
        }
    }
    let row = |t: &Tensor| t.dims().get(1..).map(<[usize]>::to_vec);
    let Some(first) = tensors.first().copied().and_then(row) else {
        return Err(Error::mismatch("outputs without a batch cannot be concatenated"));
    };
    if let Some(other) = tensors.iter().find_map(|t| row(t).filter(|other| *other != first)) {
        let message = format!("expected rows of shape {first:?} as before, found {other:?}");
        return Err(Error::mismatch(message + "; predict examples of different sizes one at a time"));
    }
    Tensor::cat(&tensors, 0).or_error().map(Data::Numbers)
}

/// Checks before a prediction that the outputs can be written to a file of this name.
pub(crate) fn check_output(path: &Path) -> Result<()> {
    local::check_path(path)?;
    format_of_output(path).map(drop)
}

/// The format of the file's ending. Safetensors without one, and for standard output.
fn format_of_output(path: &Path) -> Result<Format> {
    match Format::of_name(path) {
        Some(format) => Ok(format),
        None if path.extension().is_none() => Ok(Format::Safetensors),
        None => {
            Err(Error::misuse("expected a file that ends in `.json`, `.npy` or `.safetensors`").in_file(path.display()))
        }
    }
}

/// Writes the outputs to a file, in the format of its ending; `-` is `out`.
pub(crate) fn write_outputs(path: &Path, outputs: &[Output], clock: Clock, out: &mut Out<'_>) -> Result<(), Failure> {
    let bytes = match format_of_output(path)? {
        Format::Safetensors => safetensors::write(outputs)?,
        Format::Npy => npy::write(outputs)?,
        Format::Json if local::is_standard(path) => return json::write(outputs, Shown::json(out.bytes()), clock),
        Format::Json => return local::write_from(path, clock, |file| json::write(outputs, Shown::json(file), clock)),
    };
    if local::is_standard(path) {
        return Ok(out.bytes().write_all(&bytes)?);
    }
    Ok(local::write(path, bytes, clock)?)
}

/// Writes the outputs as JSON, piece by piece.
pub(crate) fn write_json(outputs: &[Output], clock: Clock, out: &mut Out<'_>) -> Result<(), Failure> {
    json::write(outputs, out.json(), clock)
}

/// Checks the number of dimensions of a file's tensor.
fn check_rank(rank: usize) -> Result<()> {
    if rank > MOST_DIMENSIONS {
        return Err(Error::limit(format!("expected at most {MOST_DIMENSIONS} dimensions, found {rank} or more")));
    }
    Ok(())
}

/// Checks the size of a file's tensor, also after its bytes are converted to floats.
fn check_size(elements: usize, element_bytes: usize) -> Result<()> {
    let bytes = (elements as u64).saturating_mul(element_bytes.max(4) as u64);
    if bytes > MOST_BYTES {
        return Err(Error::limit(format!(
            "a tensor of {elements} values, {bytes} bytes after conversion for the model; expected at most {MOST_BYTES}"
        )));
    }
    Ok(())
}

/// A tensor from its stored bytes, little endian and row-major.
fn from_bytes(bytes: &[u8], dtype: DType, dims: &[usize]) -> Result<Tensor> {
    check_rank(dims.len())?;
    let elements = tfjs::parts::manifest::Shape::new(dims)?.elements();
    if elements.checked_mul(dtype.size_in_bytes()) != Some(bytes.len()) {
        let message = format!("shape {dims:?} of {} does not have {} bytes", dtype.as_str(), bytes.len());
        return Err(Error::malformed(message));
    }
    check_size(elements, dtype.size_in_bytes())?;
    Tensor::from_raw_buffer(bytes, dtype, dims, &Device::Cpu).or_error()
}

/// The bytes of a tensor, little endian and row-major.
fn to_bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    fn bytes<T, const N: usize>(values: Vec<T>, of_one: fn(T) -> [u8; N]) -> Vec<u8> {
        values.into_iter().flat_map(of_one).collect()
    }
    let flat = tensor.flatten_all().or_error()?;
    match flat.dtype() {
        DType::U8 => flat.to_vec1().or_error(),
        DType::F32 => flat.to_vec1().or_error().map(|values| bytes(values, f32::to_le_bytes)),
        DType::F64 => flat.to_vec1().or_error().map(|values| bytes(values, f64::to_le_bytes)),
        DType::I32 => flat.to_vec1().or_error().map(|values| bytes(values, i32::to_le_bytes)),
        DType::I64 => flat.to_vec1().or_error().map(|values| bytes(values, i64::to_le_bytes)),
        DType::U32 => flat.to_vec1().or_error().map(|values| bytes(values, u32::to_le_bytes)),
        other => Err(Error::unsupported(format!("outputs of `{}` cannot be written", other.as_str()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs::{Kind, SymShape};

    fn numbers(name: &str, values: &[f32]) -> Output {
        let tensor = Tensor::new(values, &Device::Cpu).unwrap().reshape((values.len(), 1)).unwrap();
        Output { name: name.to_owned(), dtype: ValueType::Float, data: Data::Numbers(tensor) }
    }

    #[test]
    fn formats_by_name_and_by_content() {
        assert_eq!(Format::of_name(Path::new("a.NPY")), Some(Format::Npy));
        assert_eq!(Format::of_name(Path::new("-")), None);
        let outputs = [numbers("y", &[1.0])];
        assert_eq!(Format::of_content(&safetensors::write(&outputs).unwrap()), Format::Safetensors);
        assert_eq!(Format::of_content(&npy::write(&outputs).unwrap()), Format::Npy);
        assert_eq!(Format::of_content(b"{\"x\": [[{"), Format::Json);
        assert_eq!(Format::of_content(b""), Format::Json);
    }

    #[test]
    fn one_tensor_fits_one_input_whatever_its_key() {
        let shape = SymShape::new([None, Some(1)]);
        let port = |name| Port { name, key: None, shape: &shape, dtype: ValueType::Float };
        let file = safetensors::write(&[numbers("whatever", &[1.0, 2.0])]).unwrap();
        let one = parse_inputs(Format::Safetensors, &file, &[port("x")]).unwrap();
        assert!(matches!(one, Inputs::Positional(inputs) if inputs.len() == 1));
        let two = parse_inputs(Format::Safetensors, &file, &[port("x"), port("y")]).unwrap();
        assert!(matches!(two, Inputs::Named(inputs) if inputs[0].0 == "whatever"));

        let long = vec![b' '; MOST_JSON as usize + 1];
        assert_eq!(parse_inputs(Format::Json, &long, &[port("x")]).unwrap_err().kind(), Kind::Limit);

        let file = npy::write(&[numbers("", &[1.0])]).unwrap();
        assert!(parse_inputs(Format::Npy, &file, &[port("x")]).is_ok());
        let error = parse_inputs(Format::Npy, &file, &[port("x"), port("y")]).unwrap_err();
        assert_eq!(error.kind(), Kind::Mismatch);
        assert!(error.message().contains("`x`, `y`"), "{error}");
    }

    #[test]
    fn batches_join_along_the_first_dimension() {
        let joined = join(vec![vec![numbers("y", &[1.0, 2.0])], vec![numbers("y", &[3.0])]]).unwrap();
        let Data::Numbers(tensor) = &joined[0].data else { panic!("numbers went in") };
        assert_eq!(tensor.to_vec2::<f32>().unwrap(), [[1.0], [2.0], [3.0]]);
    }

    #[test]
    fn rows_of_different_shapes_do_not_join() {
        let mut wide = numbers("y", &[1.0, 2.0]);
        wide.data = Data::Numbers(Tensor::new(&[[1f32, 2.0]], &Device::Cpu).unwrap());
        let error = join(vec![vec![numbers("y", &[1.0])], vec![wide]]).unwrap_err();
        assert_eq!((error.kind(), error.place().value.as_deref()), (Kind::Mismatch, Some("y")));
    }

    #[test]
    fn bytes_that_are_not_the_shapes_are_refused() {
        assert_eq!(from_bytes(&[0; 7], DType::F32, &[2]).unwrap_err().kind(), Kind::Malformed);
        assert_eq!(from_bytes(&[0; 8], DType::F32, &[usize::MAX, 9]).unwrap_err().kind(), Kind::Limit);
        assert_eq!(from_bytes(&[0; 8], DType::F32, &[2]).unwrap().dims(), [2]);
        assert_eq!(from_bytes(&[0; 4], DType::F32, &[1; 9]).unwrap_err().kind(), Kind::Limit);
        // One byte per value in the file, four in the model.
        assert!(check_size(1 << 30, 1).is_ok());
        assert_eq!(check_size((1 << 30) + 1, 1).unwrap_err().kind(), Kind::Limit);
    }
}
