//! How a layer runs over the steps of its sequence, independent of its cells.

use crate::call::Call;
use crate::config::Config;
use crate::encode::Encoding;
use crate::lower::{KerasTensor, LowerCx};
use crate::producer::Family;
use crate::registry::Layer;
use std::sync::Arc;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

pub use tfjs_ir::prim::recurrent::MaskedOutput;

/// How a layer runs over the steps of its sequence, and what it returns.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps {
    /// Whether every step's output is returned, not only the last one.
    pub return_sequences: bool,
    /// Whether the final states are outputs too.
    pub return_state: bool,
    /// Whether the sequence is run from its end; outputs are in the order in which the steps run.
    pub go_backwards: bool,
    /// Whether the producer carries states from one batch to the next.
    pub stateful: bool,
    /// Whether carried states take precedence over initial states, unless they are all zeros: Keras 2.
    pub carried_states_win: bool,
    /// Whether time is the first axis, before the batch (Keras 2). DIFFERENCE: TensorFlow.js drops this key.
    pub time_major: bool,
    /// Whether the producer unrolls the loop, which changes the masked outputs of one combination of options.
    pub unroll: bool,
    /// What a masked step gives. Keras gives the output of the step before; TensorFlow.js the state, which differs
    /// before the first step if there is an initial state; `zero_output_for_mask` asks for zeros.
    pub masked_output: MaskedOutput,
    /// Whether a call with initial states ignores the mask of its sequence: Keras 3, which passes `mask` only in calls
    /// of one tensor. The outputs have the mask nevertheless.
    pub states_hide_mask: bool,
}

impl Steps {
    /// Reads the keys that all recurrent layers share.
    ///
    /// # Errors
    /// A wrong value, at its key.
    pub(super) fn read(config: &Config<'_>) -> Result<Self> {
        let masked_output = match (config.or("zero_output_for_mask", false)?, config.producer().is_tfjs()) {
            (true, false) => MaskedOutput::Zeros,
            (_, true) => MaskedOutput::State,
            _ => MaskedOutput::Previous,
        };
        Ok(Steps {
            return_sequences: config.or("return_sequences", false)?,
            return_state: config.or("return_state", false)?,
            go_backwards: config.or("go_backwards", false)?,
            stateful: config.or("stateful", false)?,
            carried_states_win: matches!(config.producer().family, Family::Keras1 | Family::Keras2),
            time_major: config.or("time_major", false)?,
            unroll: config.or("unroll", false)? && !config.producer().is_tfjs(),
            masked_output,
            states_hide_mask: config.producer().is_keras3(),
        })
    }

    /// Whether masked outputs become zeros by a mask that is not turned around with the sequence: Keras, where it writes the
    /// loop out and walks from the end. Until then a masked step gives what the step before it gave.
    pub(super) fn zeroes_unturned(&self) -> bool {
        self.unroll && self.go_backwards && self.masked_output == MaskedOutput::Zeros
    }

    /// The mask of the steps of a call, of `mask`, which its sequence has.
    pub(super) fn told_mask(&self, call: &Call<KerasTensor>, states: usize, mask: Option<Value>) -> Option<Value> {
        let hidden = self.states_hide_mask && states > 0 && call.kwarg("mask").is_none();
        mask.filter(|_| !hidden)
    }

    /// The steps of a layer; `None` for a layer that is not recurrent.
    pub(crate) fn of(layer: &Layer) -> Option<&Self> {
        match layer {
            Layer::Recurrent(layer) => Some(&layer.steps),
            Layer::ConvLstm(layer) => Some(&layer.steps),
            _ => None,
        }
    }

    /// As [`of`](Steps::of), mutable.
    pub(crate) fn of_mut(layer: &mut Layer) -> Option<&mut Self> {
        match layer {
            Layer::Recurrent(layer) => Some(&mut Arc::make_mut(layer).steps),
            Layer::ConvLstm(layer) => Some(&mut Arc::make_mut(layer).steps),
            _ => None,
        }
    }

    /// Warns of states that TensorFlow.js carries differently.
    pub(super) fn warn_of_states(&self, out: &Encoding<'_>) {
        if !self.stateful || out.producer().is_tfjs() {
            return;
        }
        if self.return_state {
            out.warn("TensorFlow.js steps the states of a `stateful` layer once for each of its outputs in the model");
        }
        if self.carried_states_win && out.calls().iter().any(|inputs| inputs.len() > 1) {
            out.warn("TensorFlow.js starts a `stateful` layer from the given states at every call");
        }
    }

    /// The outputs of a layer with their masks: of the sequence, or the last one; then the final states.
    pub(super) fn outputs(
        &self,
        sequence: Value,
        last: Value,
        finals: Vec<Value>,
        mask: Option<Value>,
    ) -> Vec<KerasTensor> {
        let (output, mask) = if self.return_sequences { (sequence, mask) } else { (last, None) };
        let mut outputs = vec![KerasTensor::from(output).with_mask(mask)];
        if self.return_state {
            outputs.extend(finals.into_iter().map(KerasTensor::from));
        }
        outputs
    }
}

/// The mask of a sequence, which must have a value for each of its entries.
pub(super) fn mask_of(cx: &mut LowerCx<'_>, input: &KerasTensor) -> Result<Option<Value>> {
    let Some(mask) = input.mask else { return Ok(None) };
    let (found, expected) = (cx.dims_of(mask), cx.dims_of(input.value));
    if found.len() != 2 {
        return Err(Error::malformed(format!("expected a mask of rank 2, found shape {}", cx.shape(mask))));
    }
    if found.iter().zip(&expected).any(|(&a, &b)| cx.same(a, b).is_none()) {
        let (sequence, found) = (cx.shape(input.value), cx.shape(mask));
        let message = format!("expected a mask of the first two axes of shape {sequence}, found shape {found}");
        return Err(Error::mismatch(message));
    }
    Ok(Some(mask))
}

/// Fails unless a sequence has at least one step.
pub(super) fn check_time(cx: &mut LowerCx<'_>, time: Dim, input: Value) -> Result<()> {
    if cx.at_least(time, Dim::ONE) {
        return Ok(());
    }
    let shape = cx.shape(input);
    Err(Error::malformed(format!("expected at least one time step, found shape {shape}")))
}
