//! A candle runtime for Keras models: engines that run programs, LayersModel.

pub mod custom;
pub mod engine;
pub mod input;
pub mod model;
mod native;
mod optimizer;
pub mod output;
pub mod report;
pub mod save;
mod tokens;
pub mod training;
pub mod value;
pub mod weights;

pub use custom::{CustomLayer, CustomLayers, OpaqueLayer};
pub use engine::Engine;
pub use input::{Input, Inputs};
pub use model::{BuildOptions, LayersModel, PredictOptions, Prepared, Session, prepare, prepare_lazy};
pub use output::Outputs;
pub use report::LoadReport;
pub use save::{FileOptions, ModelFiles};
pub use training::{StepOptions, TrainingOptions, TrainingStep};
pub use weights::{PackedPlace, Weights};
