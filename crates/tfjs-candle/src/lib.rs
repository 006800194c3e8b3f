//! A candle runtime for Keras models: layers, engines, LayersModel.

pub mod activation;
pub mod custom;
pub mod engine;
pub(crate) mod extremes;
pub mod input;
pub mod layers;
pub mod model;
#[allow(dead_code, reason = "models run it when they are programs")]
mod native;
pub mod ops;
mod optimizer;
pub mod output;
pub mod report;
pub mod run;
pub mod save;
#[cfg(test)]
pub(crate) mod testing;
pub mod value;
pub mod weights;

pub use custom::{CustomLayer, CustomLayers};
pub use engine::Engine;
pub use input::{Input, Inputs};
pub use model::{BuildOptions, LayersModel, PredictOptions, Prepared, prepare, prepare_lazy};
pub use output::Outputs;
pub use report::LoadReport;
pub use save::{FileOptions, ModelFiles};
pub use weights::{PackedPlace, Weights};
