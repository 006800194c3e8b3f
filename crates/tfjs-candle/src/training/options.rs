//! How a training step is compiled, and how it is run.

use crate::engine::{Engine, OpaqueFunction};
use candle_core::Device;
use std::sync::Arc;
use std::time::Instant;
use tfjs_manifest::Limits;

/// How a training step is compiled.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TrainingOptions {
    /// Where weights live and steps run; the CPU by default.
    pub device: Option<Device>,
    /// What runs the steps; the native engine on the CPU by default.
    pub engine: Option<Engine>,
    /// Threads of the native engine; all cores by default.
    pub threads: Option<usize>,
    /// The budgets; `activation_bytes` bounds the memory of a step, the next values of its weights included.
    pub limits: Limits,
    /// The functions of the caller's own layers, in the order of the program's ids.
    pub functions: Vec<Arc<dyn OpaqueFunction>>,
}

/// How one step is run.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct StepOptions {
    /// What random numbers are drawn from; by default the number of steps that succeeded before.
    pub seed: Option<u64>,
    /// When the step fails with [`Kind::Limit`](tfjs_manifest::Kind::Limit) and changes nothing; never by default.
    pub deadline: Option<Instant>,
}

impl StepOptions {
    /// What random numbers are drawn from.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// When the step fails and changes nothing.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }
}
