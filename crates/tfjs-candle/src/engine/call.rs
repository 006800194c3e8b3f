//! What an engine is given for one run of a program, and what it gives back.

use crate::value::Data;
use candle_core::Tensor;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;
use tfjs_ir::Bound;
use tfjs_manifest::{Error, Limits, Result};

/// One run of a program.
pub(crate) struct Call<'a> {
    /// The value of every dimension for these inputs.
    pub(crate) bound: &'a Bound,
    /// The arguments, in the order of the program's inputs; the seed is not among them.
    pub(crate) inputs: &'a [Data],
    /// The seed of this call's random numbers.
    pub(crate) seed: u64,
    /// The states before the call.
    pub(crate) states: &'a [Tensor],
    /// The functions of the caller's own layers.
    pub(crate) functions: &'a [Arc<dyn OpaqueFunction>],
    /// The most bytes that the values of this call may take together, inputs and weights aside.
    pub(crate) activation_bytes: u64,
    /// The most operations that the call may take for each example.
    pub(crate) work: u64,
    /// When the call is to be given up.
    pub(crate) deadline: Option<Instant>,
}

#[cfg(test)]
impl<'a> Call<'a> {
    /// A call without states, functions and limits.
    pub(crate) fn plain(bound: &'a Bound, inputs: &'a [Data]) -> Self {
        let (activation_bytes, work) = (u64::MAX, u64::MAX);
        Call { bound, inputs, seed: 0, states: &[], functions: &[], activation_bytes, work, deadline: None }
    }
}

impl Call<'_> {
    /// Fails if the values of the call would take more memory than they may.
    pub(crate) fn check_activations(&self, bytes: u64) -> Result<()> {
        let allowed = self.activation_bytes;
        if bytes <= allowed {
            return Ok(());
        }
        Err(Error::limit(format!(
            "limit `activation_bytes` (memory of one prediction): allowed {allowed}, asked {bytes}; predict fewer \
             examples at a time, or raise it in `Limits` if this model is trusted"
        )))
    }

    /// Fails if the call would take more arithmetic than it may.
    pub(crate) fn check_work(&self, work: u64) -> Result<()> {
        let examples = self.inputs.first().and_then(|input| input.dims().first()).map_or(1, |&n| n.max(1) as u64);
        let allowed = self.work.saturating_mul(examples);
        Limits::check("work (operations of one prediction, for all examples)", work, allowed)
    }
}

/// Fails if the time of a call is over.
pub(crate) fn check_deadline(deadline: Option<Instant>) -> Result<()> {
    match deadline {
        Some(deadline) if Instant::now() >= deadline => {
            Err(Error::limit("the prediction was not finished before its deadline"))
        }
        _ => Ok(()),
    }
}

/// What a run gives.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The outputs, in the program's order.
    pub(crate) outputs: Vec<Data>,
    /// The states after the call; those the program does not replace are as before.
    pub(crate) states: Vec<Tensor>,
}

/// A function of the caller's own, on candle tensors.
pub trait OpaqueFunction: fmt::Debug + Send + Sync {
    /// The results for these operands.
    ///
    /// # Errors
    /// Whatever the function cannot do; [`Error::custom`](tfjs_manifest::Error::custom) takes any error.
    fn run(&self, operands: &[Tensor]) -> Result<Vec<Tensor>>;
}
