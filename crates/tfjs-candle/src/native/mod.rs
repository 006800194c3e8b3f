//! The native engine: a program compiled for the CPU.
//!
//! It knows primitives and kernels; no layer, no JSON, no operation of candle. A program is [prepared](prepare), then
//! every node is claimed by a [kernel](kernels) ([`select`]). The selection says where the bytes of each weight go
//! before any arrives ([`NativePlan::places`]), and is what runs when they are there: the same decision serves both.
//!
//! Values are contiguous and channels last. What is computed of weights alone is [derived], once. Weights that the
//! program itself [replaces](replaced) are read as they are by every step, and kernels pack them as they run. For the shapes of
//! a call every step is prepared and every value gets its buffer ([`instance`]); that is kept for later calls of the same
//! shapes ([`cache`]). A node without a kernel runs in the interpreter, counted and reported.

mod activation;
mod affine;
mod buffer;
mod cache;
mod depth;
mod derived;
mod dump;
mod edge;
mod fused;
mod held;
mod instance;
mod io;
mod kernel;
mod kernels;
mod layout;
mod pads;
mod prepare;
mod replaced;
mod run;
mod select;
#[cfg(test)]
mod tests;
mod transposed;
mod view;
mod want;

pub(crate) use replaced::Replaced;
pub(crate) use select::Selection;

use crate::weights::{PackedPlace, Weights};
use cache::Cache;
use held::Held;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tfjs_ir::Program;
use tfjs_kernels::{Cpu, Isa};
use tfjs_manifest::Result;
use tfjs_topology::graph::SlotId;

/// A program compiled for the CPU, with its weights.
#[derive(Debug)]
pub(crate) struct NativePlan {
    cpu: Cpu,
    selection: Arc<Selection>,
    held: Held,
    cache: Cache,
}

impl NativePlan {
    /// Prepares a program and selects kernels for it. No weights are needed.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) for a program whose expansion is too large.
    pub(crate) fn select(program: &Program) -> Result<Arc<Selection>> {
        Selection::new(prepare::prepare(program)?).map(Arc::new)
    }

    /// Memory for the weights that this machine's kernels want packed and nobody reads otherwise, to be filled as their
    /// bytes arrive.
    pub(crate) fn places(selection: &Selection) -> HashMap<SlotId, PackedPlace> {
        held::places(selection, Isa::detect())
    }

    /// Compiles a selection. The packed form of a weight becomes the one that is kept, where nobody reads its values.
    ///
    /// # Errors
    /// Weights that cannot be read.
    pub(crate) fn compile(selection: Arc<Selection>, weights: &mut Weights, threads: Option<usize>) -> Result<Self> {
        let threads = threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
        let cpu = Cpu::new(threads.max(1));
        let held = held::load(&selection, weights, cpu.isa())?;
        Ok(NativePlan { cpu, selection, held, cache: Cache::default() })
    }
}

/// A plan that is compiled when it is first run, because its weights are read then.
#[derive(Debug)]
pub(crate) struct LazyPlan {
    selection: Arc<Selection>,
    threads: Option<usize>,
    plan: OnceLock<NativePlan>,
    compiling: Mutex<()>,
}

impl LazyPlan {
    /// Nothing is compiled yet.
    pub(crate) fn new(selection: Arc<Selection>, threads: Option<usize>) -> Self {
        LazyPlan { selection, threads, plan: OnceLock::new(), compiling: Mutex::new(()) }
    }

    /// A plan that is compiled already.
    pub(crate) fn compiled(plan: NativePlan) -> Self {
        let selection = plan.selection.clone();
        LazyPlan { selection, threads: None, plan: OnceLock::from(plan), compiling: Mutex::new(()) }
    }

    /// The plan. What is packed for it is its own: the weights stay as they are.
    ///
    /// # Errors
    /// Weights that cannot be read.
    pub(crate) fn get(&self, weights: &Weights) -> Result<&NativePlan> {
        if let Some(plan) = self.plan.get() {
            return Ok(plan);
        }
        let _alone = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = self.plan.get() {
            return Ok(plan);
        }
        let plan = NativePlan::compile(self.selection.clone(), &mut weights.clone(), self.threads)?;
        Ok(self.plan.get_or_init(|| plan))
    }
}
