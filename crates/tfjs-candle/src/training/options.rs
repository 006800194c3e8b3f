//! Options for compiling and running a training step.

use crate::engine::{Engine, OpaqueFunction};
use candle_core::Device;
use std::sync::Arc;
use std::time::Instant;
use tfjs_manifest::Limits;

/// Options for compiling a training step.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TrainingOptions {
    /// The device of the weights and the steps; the CPU by default.
    pub device: Option<Device>,
    /// The engine that runs the steps; the native engine on the CPU by default.
    pub engine: Option<Engine>,
    /// Threads of the native engine; all cores by default.
    pub threads: Option<usize>,
    /// The limits; `activation_bytes` bounds the memory of a step, including the next values of its weights.
    pub limits: Limits,
    /// The functions of custom layers, in the order of the program's ids.
    pub functions: Vec<Arc<dyn OpaqueFunction>>,
}

/// Options for running one step.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct StepOptions {
    /// The seed of random numbers; by default the number of previous successful steps.
    pub seed: Option<u64>,
    /// The time at which an unfinished step fails with [`Kind::Limit`](tfjs_manifest::Kind::Limit) and changes nothing.
    /// No deadline by default.
    pub deadline: Option<Instant>,
}

impl StepOptions {
    /// Sets the seed of random numbers.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the time at which an unfinished step fails and changes nothing.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }
}
