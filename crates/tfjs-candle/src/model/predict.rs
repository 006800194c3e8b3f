//! Predictions: checks inputs, splits batches, runs an engine, carries states.

use super::batches::{concat, narrow};
use super::{LayersModel, Shared};
use crate::Input;
use crate::engine::candle::CandleEngine;
use crate::engine::{Call, Engine, Outcome, initial_states};
use crate::input::{self, Inputs};
use crate::output::Outputs;
use crate::tokens::with_tokens;
use crate::value::Data;
use candle_core::Tensor;
use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tfjs_ir::{Program, Target};
use tfjs_manifest::{Error, Result};
use tfjs_topology::graph::SlotId;

/// Options of a prediction.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct PredictOptions {
    /// The number of examples that run together; all by default.
    pub batch_size: Option<usize>,
    /// An engine to use instead of the model's.
    pub engine: Option<Engine>,
    /// The time at which an unfinished prediction fails with [`Kind::Limit`](tfjs_manifest::Kind::Limit); the model
    /// stays usable. No deadline by default.
    pub deadline: Option<Instant>,
    /// The seed of random numbers, for models that use them; a new one for each call by default.
    pub seed: Option<u64>,
}

impl PredictOptions {
    /// Sets the number of examples that run together.
    #[must_use]
    pub fn with_batch_size(mut self, examples: usize) -> Self {
        self.batch_size = Some(examples);
        self
    }

    /// Sets an engine to use instead of the model's.
    #[must_use]
    pub fn with_engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Sets the time at which an unfinished prediction fails.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the seed of random numbers.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

impl LayersModel {
    /// Predicts: one input, several in the model's order, or by name.
    ///
    /// # Errors
    /// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for inputs that do not match the model's, with the input's
    /// name, the expected and the found; errors of layers for inputs of these shapes.
    pub fn predict(&self, inputs: impl Into<Inputs>) -> Result<Outputs> {
        self.predict_with(inputs, &PredictOptions::default())
    }

    /// Predicts by the names of the model's inputs, in any order.
    ///
    /// # Errors
    /// As for [`predict`](LayersModel::predict).
    pub fn predict_named<S: Into<String>, T: Into<Input>>(
        &self,
        inputs: impl IntoIterator<Item = (S, T)>,
    ) -> Result<Outputs> {
        self.predict(inputs.into_iter().collect::<Inputs>())
    }

    /// Predicts with options. A stateful model starts from its initial states, and carries them from batch to batch.
    ///
    /// # Errors
    /// As for [`predict`](LayersModel::predict); [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for a batch of 0.
    pub fn predict_with(&self, inputs: impl Into<Inputs>, options: &PredictOptions) -> Result<Outputs> {
        self.predict_from(inputs.into(), options, None).map(|(outputs, _)| outputs)
    }

    /// Predicts from these states, and returns the states after the call.
    pub(super) fn predict_from(
        &self,
        inputs: Inputs,
        options: &PredictOptions,
        mut states: Option<Vec<Tensor>>,
    ) -> Result<(Outputs, Option<Vec<Tensor>>)> {
        let shared = &*self.shared;
        let values = input::check(&shared.model.graph, inputs, &shared.device, self.is_stateful())?;
        let total = values.first().and_then(|v| v.dims().first().copied()).unwrap_or(1);
        let engine = options.engine.unwrap_or(self.engine());
        let seed = options.seed.unwrap_or_else(fresh_seed);
        let size = self.part(total, options.batch_size)?;
        let mut parts = Vec::new();
        let mut start = 0;
        while parts.is_empty() || start < total {
            let part = match size >= total {
                true => values.clone(),
                false => {
                    let len = size.min(total - start);
                    values.iter().map(|value| narrow(value, start, len)).collect::<Result<_>>()?
                }
            };
            let outcome =
                shared.run(&part, engine, seed.wrapping_add(start as u64), states.take(), options.deadline)?;
            states = Some(outcome.states);
            parts.push(outcome.outputs);
            start += size.max(1);
        }
        let outputs = match parts.len() {
            1 => parts.remove(0),
            _ => (0..parts[0].len()).map(|i| concat(parts.iter().map(|part| &part[i]))).collect::<Result<_>>()?,
        };
        let names = shared.model.graph.outputs.iter().map(|port| port.name.clone());
        Ok((Outputs::new(names, outputs), states))
    }

    /// The number of examples that run together.
    fn part(&self, total: usize, asked: Option<usize>) -> Result<usize> {
        let graph = self.graph();
        let fixed = graph.inputs.iter().find_map(|p| Some((p, graph.ty(p.value).shape.dims().first().copied()??)));
        let size = match asked {
            Some(0) => return Err(Error::misuse("a batch size of 0")),
            Some(size) => size.min(total),
            None => total,
        };
        match fixed {
            // Stateful layers have a fixed batch size, and carry their states from one batch to the next.
            Some((_, batch)) if self.is_stateful() && (asked.is_none() || size == batch) => Ok(batch),
            Some((port, batch)) if size < total || self.is_stateful() => {
                let message = format!("the batch is fixed at {batch}, asked for {size} at a time");
                Err(Error::misuse(message).at_value(&port.name))
            }
            _ => Ok(size),
        }
    }

    pub(super) fn candle(&self) -> Result<&CandleEngine> {
        self.shared.candle()
    }
}

impl Shared {
    fn candle(&self) -> Result<&CandleEngine> {
        if let Some(engine) = self.candle.get() {
            return Ok(engine);
        }
        let engine = CandleEngine::compile(&predicting(&self.model.program))?;
        Ok(self.candle.get_or_init(|| engine))
    }

    fn run(
        &self,
        inputs: &[Data],
        engine: Engine,
        seed: u64,
        states: Option<Vec<Tensor>>,
        deadline: Option<Instant>,
    ) -> Result<Outcome> {
        let (given, tokens) = with_tokens(&self.model.program, inputs, &self.limits, deadline)?;
        let inputs = &*given;
        let shapes: Vec<&[usize]> = inputs.iter().map(Data::dims).collect();
        let bound = self.bind(&shapes)?;
        let states = match states {
            Some(states) => states,
            None => initial_states(&self.model.program, &bound, &self.device)?,
        };
        let call = Call {
            bound: &bound,
            inputs,
            seed,
            states: &states,
            functions: &self.functions,
            activation_bytes: self.limits.activation_bytes,
            tokens,
            work: self.limits.work,
            deadline,
        };
        match (engine, &self.native) {
            (Engine::Native, Some(plan)) => plan.get(&self.weights)?.run(&call),
            (Engine::Native, None) => Err(Error::misuse(
                "the model was loaded for the candle engine; load it with the native one to use that",
            )),
            (Engine::Candle, _) => {
                self.candle()?.run(&call, &|slot| self.weights.tensor(SlotId(slot.index())), &self.device)
            }
        }
    }
}

/// The program of a prediction, without its updates of weights.
pub(super) fn predicting(program: &Program) -> Cow<'_, Program> {
    if program.replaced_slots().next().is_none() {
        return Cow::Borrowed(program);
    }
    let mut program = program.clone();
    program.updates.retain(|update| matches!(update.target, Target::State(_)));
    Cow::Owned(program)
}

/// A new seed for each call; the sequence of seeds is the same in every run of the process.
fn fresh_seed() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    CALLS.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_ir::{Builder, ElementType, Type};

    #[test]
    fn a_prediction_keeps_states_and_no_new_weights() {
        let mut b = Builder::default();
        let ty = Type::scalar(ElementType::F32);
        let x = b.input("x", ty.clone()).unwrap();
        let slot = Target::Slot(b.slot("w", ty.clone()).unwrap());
        let state = Target::State(b.state("s", ty, 0.0).unwrap());
        b.set(slot, x).unwrap();
        b.set(state, x).unwrap();
        let program = b.finish(vec![("y".into(), x)]).unwrap();
        let targets: Vec<Target> = predicting(&program).updates.iter().map(|update| update.target).collect();
        assert_eq!(targets, [state]);
    }
}
