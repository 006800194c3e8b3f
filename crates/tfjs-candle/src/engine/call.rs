//! The inputs and the results of one run of a program.

use crate::value::Data;
use candle_core::Tensor;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;
use tfjs_ir::Bound;
use tfjs_manifest::{Error, Limits, Result};

/// The inputs of one run of a program.
pub(crate) struct Call<'a> {
    /// The value of every dimension for these inputs.
    pub(crate) bound: &'a Bound,
    /// The arguments, in the order of the program's inputs, without the seed.
    pub(crate) inputs: &'a [Data],
    /// The seed of this call's random numbers.
    pub(crate) seed: u64,
    /// The states before the call.
    pub(crate) states: &'a [Tensor],
    /// The functions of custom layers.
    pub(crate) functions: &'a [Arc<dyn OpaqueFunction>],
    /// The most bytes that the values of this call may take together, not counting inputs and weights.
    pub(crate) activation_bytes: u64,
    /// Bytes of the tokens of texts, which are values of the call.
    pub(crate) tokens: u64,
    /// The most operations that the call may take, per example.
    pub(crate) work: u64,
    /// The time at which the call fails if it has not finished.
    pub(crate) deadline: Option<Instant>,
}

#[cfg(test)]
impl<'a> Call<'a> {
    /// A call without states, functions and limits.
    pub(crate) fn plain(bound: &'a Bound, inputs: &'a [Data]) -> Self {
        let (activation_bytes, work) = (u64::MAX, u64::MAX);
        Call { bound, inputs, seed: 0, states: &[], functions: &[], activation_bytes, tokens: 0, work, deadline: None }
    }
}

impl Call<'_> {
    /// Fails if the values of the call would exceed the memory limit.
    pub(crate) fn check_activations(&self, bytes: u64) -> Result<()> {
        let (bytes, allowed) = (bytes.saturating_add(self.tokens), self.activation_bytes);
        if bytes <= allowed {
            return Ok(());
        }
        Err(Error::limit(format!(
            "limit `activation_bytes` (memory of one prediction): allowed {allowed}, asked {bytes}; predict fewer \
             examples at a time, or raise it in `Limits` if this model is trusted"
        )))
    }

    /// Fails if the call would exceed the limit of arithmetic.
    pub(crate) fn check_work(&self, work: u64) -> Result<()> {
        let examples = self.inputs.first().and_then(|input| input.dims().first()).map_or(1, |&n| n.max(1) as u64);
        let allowed = self.work.saturating_mul(examples);
        Limits::check("work (operations of one prediction, for all examples)", work, allowed)
    }
}

/// The results of a run.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The outputs, in the program's order.
    pub(crate) outputs: Vec<Data>,
    /// The states after the call; those that the program does not replace are unchanged.
    pub(crate) states: Vec<Tensor>,
}

/// A function of a custom layer, on candle tensors.
pub trait OpaqueFunction: fmt::Debug + Send + Sync {
    /// The results for these operands.
    ///
    /// # Errors
    /// Any failure of the function; [`Error::custom`](tfjs_manifest::Error::custom) wraps any error.
    fn run(&self, operands: &[Tensor]) -> Result<Vec<Tensor>>;
}
