//! A training step with its weights and states, to be run repeatedly by either engine.

use super::{StepOptions, TrainingOptions};
use crate::engine::candle::CandleEngine;
use crate::engine::{Call, CandleResultExt, Engine, OpaqueFunction, initial_states};
use crate::input::{self, Inputs};
use crate::native::{NativePlan, Replaced};
use crate::output::Outputs;
use crate::tokens::with_tokens;
use crate::value::Data;
use crate::weights::Weights;
use candle_core::{Device, Tensor};
use serde_json::Value as Json;
use std::sync::Arc;
use tfjs_ir::{InputRole, Program};
use tfjs_manifest::{Error, Limits, Result};
use tfjs_topology::graph::SlotId;

/// A compiled training step, its weights, and its states.
///
/// The program's updates define what a step replaces: weights by the optimizer or by moving statistics, states such as
/// those of metrics. A step that fails changes nothing. Learning rate and step number are inputs of the program.
#[derive(Debug)]
pub struct TrainingStep {
    program: Program,
    plan: Plan,
    /// The weights. Those that the program replaces are held by the native engine.
    weights: Weights,
    /// `None` before the first step.
    states: Option<Vec<Tensor>>,
    /// The number of successful steps.
    steps: u64,
    device: Device,
    functions: Vec<Arc<dyn OpaqueFunction>>,
    limits: Limits,
}

/// The compiled program of an engine.
#[derive(Debug)]
enum Plan {
    Native { plan: NativePlan, replaced: Replaced },
    Candle(Box<CandleEngine>),
}

impl TrainingStep {
    /// Compiles a program for these weights, in the order of its slots.
    ///
    /// # Errors
    /// - [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for weights that do not match the program's;
    /// - [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for an engine that does not run on the device;
    /// - errors of reading weights, and a device that is out of memory.
    pub fn new(program: Program, mut weights: Weights, options: TrainingOptions) -> Result<Self> {
        let TrainingOptions { device, engine, threads, limits, functions } = options;
        check_weights(&program, &weights)?;
        let device = device.unwrap_or(Device::Cpu);
        let replaced: Vec<SlotId> = program.replaced_slots().map(|slot| SlotId(slot.index())).collect();
        let plan = match Engine::on(&device, engine)? {
            Engine::Native => {
                let plan = NativePlan::compile(NativePlan::select(&program)?, &mut weights, threads)?;
                let values = plan.replaced(&weights)?;
                replaced.into_iter().for_each(|slot| weights.give_up(slot));
                Plan::Native { plan, replaced: values }
            }
            Engine::Candle => {
                for slot in (0..weights.len()).map(SlotId) {
                    let tensor = weights.tensor(slot)?.to_device(&device).or_error()?;
                    weights.set(slot, tensor);
                }
                Plan::Candle(Box::new(CandleEngine::compile(&program)?))
            }
        };
        Ok(TrainingStep { program, plan, weights, states: None, steps: 0, device, functions, limits })
    }

    /// Runs a step with inputs by position or by name; returns the program's outputs.
    ///
    /// # Errors
    /// As [`step_with`](TrainingStep::step_with).
    pub fn step(&mut self, inputs: impl Into<Inputs>) -> Result<Outputs> {
        self.step_with(inputs, &StepOptions::default())
    }

    /// Runs a step with options.
    ///
    /// # Errors
    /// Weights and states stay unchanged.
    /// - [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for inputs that do not match the program's, and for data
    ///   that the program rejects, such as an index outside a table;
    /// - [`Kind::Limit`](tfjs_manifest::Kind::Limit) for a step that exceeds its limits of memory or time.
    pub fn step_with(&mut self, inputs: impl Into<Inputs>, options: &StepOptions) -> Result<Outputs> {
        let arguments = input::check_arguments(&self.program, inputs.into(), &self.device)?;
        let (inputs, tokens) = with_tokens(&self.program, &arguments, &self.limits, options.deadline)?;
        let bound = self.bind(&inputs)?;
        let initial = match self.states {
            Some(_) => Vec::new(),
            None => initial_states(&self.program, &bound, &self.device)?,
        };
        let call = Call {
            bound: &bound,
            inputs: &inputs,
            seed: options.seed.unwrap_or(self.steps),
            states: self.states.as_deref().unwrap_or(&initial),
            functions: &self.functions,
            activation_bytes: self.limits.activation_bytes,
            tokens,
            work: self.limits.work,
            deadline: options.deadline,
        };
        let outcome = match &mut self.plan {
            Plan::Native { plan, replaced } => plan.step(&call, replaced),
            Plan::Candle(engine) => engine.step(&call, &mut self.weights, &self.device),
        }?;
        // The engine has replaced the weights; nothing below can fail.
        self.states = Some(outcome.states);
        self.steps += 1;
        Ok(Outputs::new(self.program.outputs.iter().cloned(), outcome.outputs))
    }

    /// The dimensions for these inputs and the current states.
    fn bind(&self, inputs: &[Data]) -> Result<tfjs_ir::Bound> {
        let mut arguments = inputs.iter().map(Data::dims);
        let shape = |input: &tfjs_ir::Input| match input.role {
            InputRole::Seed => Ok(&[][..]),
            _ => arguments.next().ok_or_else(|| Error::bug("an input without a shape")),
        };
        let shapes = self.program.inputs.iter().map(shape).collect::<Result<Vec<_>>>()?;
        let states: Vec<&[usize]> = self.states.iter().flatten().map(|state| state.dims()).collect();
        self.program.bind_all(&shapes, &[], &states)
    }

    /// The weights after the last step, in the order of the program's slots.
    ///
    /// # Errors
    /// A device that is out of memory.
    pub fn weights(&self) -> Result<Weights> {
        let mut weights = self.weights.clone();
        if let Plan::Native { replaced, .. } = &self.plan {
            for current in replaced.tensors() {
                let (slot, tensor) = current?;
                weights.set(SlotId(slot.index()), tensor);
            }
        }
        Ok(weights)
    }

    /// Name and value of every state after the last step; empty before the first one.
    pub fn states(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        let names = self.program.states.iter().map(|state| state.name.as_str());
        names.zip(self.states.iter().flatten())
    }

    /// Resets the states to their initial values, as at the start of an epoch.
    pub fn reset_states(&mut self) {
        self.states = None;
    }

    /// The program of a step.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The steps of the plan, as JSON.
    pub fn plan_json(&self) -> Json {
        match &self.plan {
            Plan::Native { plan, .. } => plan.to_json(),
            Plan::Candle(engine) => engine.to_json(),
        }
    }
}

fn check_weights(program: &Program, weights: &Weights) -> Result<()> {
    let (expected, found) = (program.slots.len(), weights.len());
    if expected != found {
        return Err(Error::mismatch(format!("the step has {expected} weights, found {found}")));
    }
    for (slot, (name, shape)) in program.slots.iter().zip(weights.iter()) {
        let known = slot.ty.dims.iter().map(|&dim| program.dims.known(dim).and_then(|n| usize::try_from(n).ok()));
        if !known.eq(shape.dims().iter().map(|&n| Some(n))) {
            let expected = slot.ty.shape(&program.dims);
            return Err(Error::mismatch(format!("expected shape {expected}, found {shape}")).at_weight(name));
        }
    }
    Ok(())
}
