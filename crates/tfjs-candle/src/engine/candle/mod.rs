//! The candle engine: runs the primitives of a program with candle, on the CPU, CUDA and Metal.
//!
//! It has no code for layers. Each primitive has a [`Rule`] in the file of its family; where candle lacks an exact
//! operation, the interpreter evaluates the node on the host ([`reference`]). Values may be views; rules that need
//! contiguous rows copy them.
//!
//! Empty values are never passed to candle: a node whose results are all empty does not run, and rules define the
//! results of empty reductions.

mod activate;
mod constants;
mod control;
mod convolve;
mod elementwise;
mod error;
mod execute;
mod host;
mod index;
mod layout;
mod linear;
mod math;
mod normalize;
mod plan;
mod recurrent;
mod reduce;
mod reference;
mod source;
mod taps;
mod typed;
mod window;

#[cfg(test)]
mod tests;

use crate::engine::call::{Call, Outcome};
use crate::weights::Weights;
use candle_core::{Device, Tensor};
use constants::Constants;
use error::Result;
use execute::{Env, Site};
use plan::Plan;
use serde_json::{Value as Json, json};
use tfjs_ir::cost::work;
use tfjs_ir::prim::{self, Prim};
use tfjs_ir::{Program, SlotId, Target, Value, expand, for_each_prim};
use tfjs_manifest::Error;
use typed::Typed;

/// A program compiled for candle.
#[derive(Debug)]
pub(crate) struct CandleEngine {
    program: Program,
    plan: Plan,
    constants: Constants,
}

impl CandleEngine {
    /// Compiles a program.
    ///
    /// # Errors
    /// Those of the builder for the expansion of a composite.
    pub(crate) fn compile(program: &Program) -> tfjs_manifest::Result<CandleEngine> {
        let program = expand(program, &|prim| !is_expanded(prim))?;
        let plan = Plan::new(&program.body, program.roots().collect());
        let constants = Constants::new(&program);
        Ok(CandleEngine { program, plan, constants })
    }

    /// The nodes that run, as JSON.
    pub(crate) fn to_json(&self) -> Json {
        let body = &self.program.body;
        let steps = body.nodes.iter().map(|node| {
            let layer = self.program.origins.get(node.origin.index()).map_or("", |origin| &origin.layer);
            let ids = |values: &[Value]| values.iter().map(|value| value.0).collect::<Vec<_>>();
            json!({
                "engine": "candle",
                "kernel": node.prim.name(),
                "layers": [layer],
                "inputs": ids(&node.operands),
                "outputs": ids(&node.results),
            })
        });
        json!({ "steps": steps.collect::<Vec<_>>() })
    }

    /// Runs a program on a device, and drops its updates of weights. `weight` returns the weights; inputs and states
    /// are copied to the device if necessary.
    ///
    /// # Errors
    /// - [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for data that a primitive rejects, at its layer;
    /// - [`Kind::Limit`](tfjs_manifest::Kind::Limit) for a device without memory;
    /// - those of `weight` and of the functions of custom layers.
    pub(crate) fn run(
        &self,
        call: &Call<'_>,
        weight: &dyn Fn(SlotId) -> tfjs_manifest::Result<Tensor>,
        device: &Device,
    ) -> tfjs_manifest::Result<Outcome> {
        self.evaluate(call, weight, device).map(|(outcome, _)| outcome)
    }

    /// Runs a program on a device. Only if all of it succeeds, the weights that it replaces get their next values.
    ///
    /// # Errors
    /// As [`run`](CandleEngine::run).
    pub(crate) fn step(
        &self,
        call: &Call<'_>,
        weights: &mut Weights,
        device: &Device,
    ) -> tfjs_manifest::Result<Outcome> {
        let id = |slot: SlotId| tfjs_topology::graph::SlotId(slot.index());
        let (outcome, updates) = self.evaluate(call, &|slot| weights.tensor(id(slot)), device)?;
        updates.into_iter().for_each(|(slot, value)| weights.set(id(slot), value));
        Ok(outcome)
    }

    /// The results of a call, and the next values of weights.
    fn evaluate(
        &self,
        call: &Call<'_>,
        weight: &dyn Fn(SlotId) -> tfjs_manifest::Result<Tensor>,
        device: &Device,
    ) -> tfjs_manifest::Result<(Outcome, Vec<(SlotId, Tensor)>)> {
        let CandleEngine { program, plan, constants } = self;
        call.check_work(work(program, call.bound)?)?;
        let constants = constants.on(device, program)?;
        let env = Env { program, call, weight, constants: &constants, device };
        let mut outputs = env.block(plan, &program.body, Vec::new())?;
        let updates = outputs.split_off(program.body.results.len());
        let mut replaced = Vec::new();
        let mut outcome = Outcome { states: call.states.to_vec(), ..Outcome::default() };
        for output in outputs {
            outcome.outputs.push(output.into_data()?);
        }
        for (update, value) in program.updates.iter().zip(updates) {
            let value = value.into_tensor()?;
            match update.target {
                Target::Slot(slot) => replaced.push((slot, value)),
                Target::State(state) => match outcome.states.get_mut(state.index()) {
                    Some(state) => *state = value,
                    None => return Err(Error::bug("the states of a call are not those of its program")),
                },
            }
        }
        Ok((outcome, replaced))
    }
}

/// The results of a node; `None` for results that are not read.
type Results = Vec<Option<Typed>>;

/// Runs a primitive.
trait Rule {
    /// Whether it is a composite that is expanded, and so never runs.
    const EXPANDED: bool = false;
    /// Whether it runs even if no result has an element, because it must check its operands.
    const ALWAYS: bool = false;

    /// The results for these operands, which have passed the primitive's type inference.
    fn run(&self, site: &Site<'_>, operands: &[Typed]) -> Result<Results>;
}

macro_rules! dispatch {
    ($($family:ident :: $name:ident = $text:literal, $class:ident;)*) => {
        /// Runs any primitive. A listed primitive without a [`Rule`] does not compile.
        fn run_prim(prim: &Prim, site: &Site<'_>, operands: &[Typed]) -> Result<Results> {
            match prim {
                $(Prim::$name(prim) => <prim::$family::$name as Rule>::run(prim, site, operands),)*
            }
        }

        /// Whether a primitive is a composite that is expanded.
        fn is_expanded(prim: &Prim) -> bool {
            match prim {
                $(Prim::$name(_) => <prim::$family::$name as Rule>::EXPANDED,)*
            }
        }

        /// Whether a primitive runs even if no result has an element.
        fn always_runs(prim: &Prim) -> bool {
            match prim {
                $(Prim::$name(_) => <prim::$family::$name as Rule>::ALWAYS,)*
            }
        }
    };
}
for_each_prim!(dispatch);

/// The operands of a primitive with `N` operands.
fn take<const N: usize>(operands: &[Typed]) -> Result<[&Typed; N]> {
    let found = operands.len();
    let operands: Vec<&Typed> = operands.iter().collect();
    operands.try_into().map_err(|_| Error::bug(format!("expected {N} operands, found {found}")).into())
}

/// The tensors of a primitive with `N` operands.
fn tensors<const N: usize>(operands: &[Typed]) -> Result<[&Tensor; N]> {
    let found = operands.len();
    let operands = operands.iter().map(Typed::tensor).collect::<Result<Vec<&Tensor>>>()?;
    operands.try_into().map_err(|_| Error::bug(format!("expected {N} operands, found {found}")).into())
}
