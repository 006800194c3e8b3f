//! The format of TensorFlow.js layers models: `model.json`, its weights manifest, the position of each tensor in the
//! weight files, and the limits and errors that all crates of this project share.
//!
//! This crate opens no files, decodes no numbers and knows nothing about layers; a linter of `model.json` needs only
//! this crate. Values are checked when they are read: every [`WeightsManifest`] has valid sizes, and quantizations that
//! are valid for their dtypes.
//!
//! ```
//! use tfjs_manifest::{Limits, ModelJson};
//!
//! let text = br#"{
//!   "format": "layers-model", "generatedBy": "keras v2.15.0",
//!   "modelTopology": {"keras_version": "2.15.0", "backend": "tensorflow", "model_config":
//!     {"class_name": "Sequential", "config": {"name": "digits", "layers": []}}},
//!   "weightsManifest": [{"paths": ["group1-shard1of1.bin"], "weights": [
//!     {"name": "dense/kernel", "shape": [64, 10], "dtype": "float32",
//!      "quantization": {"dtype": "uint8", "scale": 0.01, "min": -1.0}},
//!     {"name": "dense/bias", "shape": [10], "dtype": "float32"}]}]
//! }"#;
//!
//! let limits = Limits::default();
//! let model = ModelJson::from_slice(text, &limits)?;
//! assert_eq!((model.class_name(), model.keras_version()), ("Sequential", Some("2.15.0")));
//!
//! let manifest = model.weights_manifest.as_ref().expect("the text has one");
//! let layout = manifest.layout(&limits)?;
//! assert_eq!(layout.total(), Some(64 * 10 + 10 * 4)); // bytes of all files
//! assert_eq!(layout.groups()[0].tensors[1].offset, Some(640));
//! # Ok::<(), tfjs_manifest::Error>(())
//! ```
//!
//! Errors have a kind, a place and a hint:
//!
//! ```
//! # use tfjs_manifest::{Kind, Limits, ModelJson};
//! let error = ModelJson::from_slice(b"<!DOCTYPE html>", &Limits::default()).unwrap_err();
//! assert_eq!(error.kind(), Kind::Malformed);
//! assert!(error.to_string().starts_with("this is an HTML page, not a model.json"));
//! ```

pub mod account;
mod assembly;
mod dtype;
mod error;
mod findings;
mod foreign;
mod inline;
pub mod json;
mod layout;
mod limits;
mod manifest;
mod model_json;
mod noticed;
mod panels;
mod quantization;
mod setting;
mod shape;
mod sink;
mod spec;
pub mod text;
mod warnings;

pub use account::Account;
pub use assembly::Assembly;
pub use dtype::DType;
pub use error::{Error, Kind, Place, Result};
pub use findings::Findings;
pub use foreign::refuse_files;
pub use inline::InlineWeights;
pub use layout::{GroupLayout, TensorLayout, TensorSlot};
pub use limits::Limits;
pub use manifest::{WeightsGroup, WeightsManifest};
pub use model_json::ModelJson;
pub use panels::{PanelWidth, Panels};
pub use quantization::{AffineStore, Quantization};
pub use setting::Setting;
pub use shape::Shape;
pub use sink::{GroupSink, Segment, WeightReader, WeightSink};
pub use spec::WeightSpec;
pub use warnings::Warnings;
