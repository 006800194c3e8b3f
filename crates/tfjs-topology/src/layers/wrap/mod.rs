//! Layers that wrap a layer or a model.

pub mod bidirectional;
pub mod time_distributed;
pub mod wrapper;
