//! The format of TensorFlow.js layers models: model.json, weights manifest, tensor layout, limits, errors.

mod dtype;
mod error;
mod limits;
mod shape;
mod sink;

pub use dtype::DType;
pub use error::{Error, Kind, Place, Result};
pub use limits::Limits;
pub use shape::Shape;
pub use sink::{GroupSink, Segment, WeightSink};
