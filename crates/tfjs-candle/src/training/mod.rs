//! Training: a step is a program that also replaces weights. An engine runs it as one plan.

mod options;
mod step;

pub use options::{StepOptions, TrainingOptions};
pub use step::TrainingStep;
