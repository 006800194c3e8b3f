//! Encodes values to weight files and their manifest: the inverse of everything that TensorFlow.js can read.
//!
//! Reference: `encodeWeights` in tfjs-core `io/io_utils.ts`, and `write_weights.py` of the Python converter
//! for quantization, shards and their names.

use crate::{HostData, HostTensor, quantize, strings};
use std::collections::HashSet;
use tfjs_manifest::text::shorten;
use tfjs_manifest::{AffineStore, DType, Error, Limits, Result, WeightSpec, WeightsGroup, WeightsManifest};

/// The converter's shard size in bytes: 4 MiB, which every browser can cache.
pub const DEFAULT_SHARD_BYTES: u64 = 4 << 20;

/// A weight to write.
#[derive(Clone, Copy, Debug)]
pub struct NamedTensor<'a> {
    /// Its unique name in the manifest.
    pub name: &'a str,
    /// Its values.
    pub tensor: &'a HostTensor,
    /// How its values are stored.
    pub store: StoreAs,
    /// `optimizer` for a weight of the optimizer.
    pub group: Option<&'a str>,
}

impl<'a> NamedTensor<'a> {
    /// A weight of the model, stored without quantization.
    pub fn new(name: &'a str, tensor: &'a HostTensor) -> NamedTensor<'a> {
        NamedTensor { name, tensor, store: StoreAs::Values, group: None }
    }

    /// Sets how the weight is stored.
    #[must_use]
    pub fn stored_as(mut self, store: StoreAs) -> NamedTensor<'a> {
        self.store = store;
        self
    }
}

/// How float32 values are stored. Values of other types are never quantized, as in the Python converter. Exhaustive:
/// TensorFlow.js reads no other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StoreAs {
    /// Without quantization.
    #[default]
    Values,
    /// One byte each, with a scale and a minimum.
    Uint8,
    /// Two bytes each, with a scale and a minimum.
    Uint16,
    /// Half precision.
    Float16,
}

/// How the bytes are split into files, and the names of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightFiles {
    /// One file with this name, as TensorFlow.js writes it. For a single group only.
    One(String),
    /// Files of at most this many bytes, named `group1-shard1of4.bin` and so on, as the converter writes them. A group
    /// without bytes has no files.
    Shards(u64),
}

impl Default for WeightFiles {
    /// `model.weights.bin`, as in TensorFlow.js.
    fn default() -> Self {
        WeightFiles::One("model.weights.bin".to_owned())
    }
}

/// A file's path in the manifest, and its bytes.
pub type NamedBytes = (String, Vec<u8>);

/// Encodes groups of weights. Returns the manifest, and the files with their paths in it.
///
/// # Errors
/// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for a duplicate name, values that a quantization cannot store, shards
/// of zero bytes, or several groups in one file;
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for uint8 and uint16 values, which TensorFlow.js
/// does not read.
pub fn encode(groups: &[Vec<NamedTensor<'_>>], files: &WeightFiles) -> Result<(WeightsManifest, Vec<NamedBytes>)> {
    let shard_bytes = match files {
        WeightFiles::One(_) if groups.len() != 1 => {
            return Err(Error::misuse(format!(
                "one file can contain one group only, found {}: write shards instead",
                groups.len()
            )));
        }
        WeightFiles::One(_) => usize::MAX,
        WeightFiles::Shards(0) => return Err(Error::misuse("shards of zero bytes")),
        WeightFiles::Shards(bytes) => usize::try_from(*bytes).unwrap_or(usize::MAX),
    };
    let (mut described, mut written) = (Vec::new(), Vec::new());
    for (g, group) in groups.iter().enumerate() {
        let mut shards = Shards::new(shard_bytes);
        let mut weights = Vec::with_capacity(group.len());
        for weight in group {
            let spec = write(weight, &mut shards).map_err(|error| error.at_weight(shorten(weight.name)))?;
            weights.push(spec);
        }
        let shards = shards.done;
        let paths: Vec<String> = match files {
            WeightFiles::One(name) => vec![name.clone()],
            WeightFiles::Shards(_) => {
                (1..=shards.len()).map(|i| format!("group{}-shard{i}of{}.bin", g + 1, shards.len())).collect()
            }
        };
        // A single file is written even if it is empty.
        let contents = shards.into_iter().chain(std::iter::repeat_with(Vec::new));
        written.extend(paths.iter().cloned().zip(contents));
        described.push(WeightsGroup { paths, weights });
    }
    // A file may be read with duplicate names, but is not written with them.
    let mut names = HashSet::new();
    if let Some(twice) = described.iter().flat_map(|group| &group.weights).find(|w| !names.insert(w.name.as_str())) {
        return Err(Error::misuse(format!("two weights have the name `{}`", twice.name)));
    }
    // The weights come from the caller, so errors are the caller's and not those of a file.
    let manifest = WeightsManifest::new(described, &Limits::unlimited())
        .map_err(|error| Error::misuse("there is no valid manifest for these weights").with_source(error))?;
    Ok((manifest, written))
}

/// Appends a weight's bytes and returns its entry in the manifest.
fn write(weight: &NamedTensor<'_>, out: &mut Shards) -> Result<WeightSpec> {
    let NamedTensor { name, tensor, store, group } = *weight;
    let mut spec = WeightSpec::new(name, tensor.shape().clone(), tensor.dtype());
    spec.group = group.map(str::to_owned);

    let affine = match (tensor.data(), store) {
        (HostData::F32(values), StoreAs::Float16) => {
            out.write(&quantize::float16(values)?);
            spec.quantization = Some(tfjs_manifest::Quantization::Float16);
            return Ok(spec);
        }
        (HostData::F32(values), StoreAs::Uint8) => Some((values, AffineStore::Uint8)),
        (HostData::F32(values), StoreAs::Uint16) => Some((values, AffineStore::Uint16)),
        _ => None,
    };
    if let Some((values, stored)) = affine {
        let (bytes, quantization) = quantize::affine(values, stored)?;
        out.write(&bytes);
        spec.quantization = Some(quantization);
        return Ok(spec);
    }
    match (tensor.data(), tensor.data().bytes()) {
        (HostData::U8(_) | HostData::U16(_), _) => Err(Error::unsupported(format!(
            "TensorFlow.js cannot read weights of type `{}`: convert them to int32",
            tensor.dtype()
        ))),
        (HostData::Str(values), _) => strings::encode(values, |bytes| out.write(bytes)).map(|()| spec),
        (_, Some(bytes)) => {
            out.write(bytes);
            Ok(spec)
        }
        (_, None) => Err(Error::bug(format!("a weight of `{}` without bytes", DType::name(spec.dtype)))),
    }
}

/// Splits bytes into pieces of equal length, except the last one. A split can be inside a number.
struct Shards {
    most: usize,
    done: Vec<Vec<u8>>,
}

impl Shards {
    fn new(most: usize) -> Shards {
        Shards { most, done: Vec::new() }
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let full = self.done.last().is_none_or(|last| last.len() >= self.most);
            if full {
                self.done.push(Vec::new());
            }
            let Some(last) = self.done.last_mut() else {
                return;
            };
            let (now, later) = bytes.split_at(bytes.len().min(self.most - last.len()));
            last.extend_from_slice(now);
            bytes = later;
        }
    }
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
