#![doc = include_str!("../README.md")]

pub mod blocking;
mod load;
mod options;
mod save;
mod source;

pub use load::{bind, layout, load_layers_model, lower_options, parse, weight_source};
pub use options::LoadOptions;
pub use save::{Save, SaveOptions, SaveReport, save};
pub use source::Source;

pub use candle_core::{DType, Device, Tensor};
pub use tfjs_candle::model::Port;
pub use tfjs_candle::value::Strings;
pub use tfjs_candle::{
    CustomLayer, CustomLayers, Engine, Input, Inputs, LayersModel, LoadReport, Outputs, PredictOptions, Session,
    Weights,
};
#[cfg(feature = "archive")]
pub use tfjs_io::ArchiveHandler;
#[cfg(any(feature = "s3", feature = "gcs", feature = "azure"))]
pub use tfjs_io::ObjectScheme;
#[cfg(feature = "cache")]
pub use tfjs_io::{Cache, CachedModel};
pub use tfjs_io::{
    Checksums, IoHandler, IoOptions, ListedModel, MemoryFiles, MemoryHandler, ModelInfo, ModelStore, Progress,
    Registry, Retry, SaveResult, Timeouts,
};
pub use tfjs_manifest::{Error, Kind, Limits, Place, Result};
pub use tfjs_topology::producer::Producer;
pub use tfjs_topology::types::{SymShape, ValueType};
pub use tfjs_weights::StoreAs;

/// The types for writing a custom layer: its configuration, its calls, and the builder of primitives.
pub mod layer {
    pub use tfjs_candle::OpaqueLayer;
    pub use tfjs_candle::engine::CandleResultExt;
    pub use tfjs_ir::prim;
    pub use tfjs_ir::{Builder, Dim, ElementType, Type, Value};
    pub use tfjs_manifest::Shape;
    pub use tfjs_topology::call::{Arg, Call};
    pub use tfjs_topology::config::Config;
    pub use tfjs_topology::encode::{Encoding, Target};
    pub use tfjs_topology::layer::{LayerDef, WeightDecl};
    pub use tfjs_topology::lower::{KerasTensor, LowerCx};
}

/// The crates that this one combines, for programs that run the steps of a load separately.
pub mod parts {
    pub use tfjs_candle as candle;
    pub use tfjs_io as io;
    pub use tfjs_ir as ir;
    pub use tfjs_manifest as manifest;
    pub use tfjs_topology as topology;
    pub use tfjs_weights as weights;
}
