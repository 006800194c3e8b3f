//! Decodes and encodes the weights of TensorFlow.js models: destinations that are filled while files arrive, zero-copy
//! views, dequantization, strings, encoding.
//!
//! Depends on the manifest, not on files, models or tensor libraries: values are plain vectors.
//!
//! ```
//! use tfjs_manifest::{Limits, Shape};
//! use tfjs_weights::{HostData, HostTensor, NamedTensor, StoreAs, WeightFiles, decode_group, encode};
//!
//! let kernel = HostTensor::new(Shape::new([2, 2])?, HostData::F32(vec![0.0, -0.5, 0.25, 2.0]))?;
//! let steps = HostTensor::new(Shape::new([])?, HostData::I32(vec![1000]))?;
//! let weights = vec![
//!     NamedTensor::new("dense/kernel", &kernel).stored_as(StoreAs::Float16),
//!     NamedTensor::new("steps", &steps),
//! ];
//!
//! // Files of at most 5 bytes, so that both weights are cut in the middle of a number.
//! let (manifest, files) = encode(&[weights], &WeightFiles::Shards(5))?;
//! assert_eq!(files[0].0, "group1-shard1of3.bin");
//! assert_eq!(manifest.layout(&Limits::default())?.total(), Some(4 * 2 + 4));
//!
//! let bytes: Vec<u8> = files.into_iter().flat_map(|(_, bytes)| bytes).collect();
//! let decoded = decode_group(&bytes, &manifest.groups()[0].weights, |_| true)?;
//! assert_eq!(decoded, [Some(kernel), Some(steps)]);
//! # Ok::<(), tfjs_manifest::Error>(())
//! ```
//!
//! A loader uses [`Destinations`] instead: a transport fills its memory piece by piece through
//! [`WeightSink`](tfjs_manifest::WeightSink), without concatenating the files.

#![forbid(unsafe_code)]

#[cfg(target_endian = "big")]
compile_error!("weights are stored little endian and viewed in place: big-endian machines are not supported");

mod decode;
pub mod dequantize;
mod destinations;
mod encode;
mod host;
mod memory;
mod quantize;
mod strings;
#[cfg(test)]
mod test_support;
mod view;

pub use bytemuck::Pod;
pub use decode::{decode_group, decode_weight};
pub use destinations::{Arrived, Destinations, NoPlace, Place, Wanted, read_weight};
pub use encode::{DEFAULT_SHARD_BYTES, NamedBytes, NamedTensor, StoreAs, WeightFiles, encode};
pub use host::{HostData, HostTensor};
pub use view::view;
