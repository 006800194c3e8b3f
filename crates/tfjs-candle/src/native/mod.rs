//! The native engine: a program compiled for the CPU.
//!
//! It has primitives and kernels, but no layers, JSON or candle operations. A program is [prepared](prepare), then
//! every node is claimed by a [kernel](kernels) ([`select`]). The selection decides the destination of each weight's
//! bytes before they arrive ([`NativePlan::places`]), and it is also what runs later, so the two cannot disagree.
//!
//! Values are contiguous, with channels last. Values that depend on weights only are [derived], once. Weights that the
//! program itself [replaces](replaced) are read at every step in their current form, and kernels pack them as they run.
//! For the shapes of a call, every step is prepared and every value gets its buffer ([`instance`]); this is cached for
//! later calls with the same shapes ([`cache`]). A node without a kernel runs in the interpreter, which is reported.

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
    /// Prepares a program and selects its kernels. Weights are not needed.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) for a program whose expansion is too large.
    pub(crate) fn select(program: &Program) -> Result<Arc<Selection>> {
        Selection::new(prepare::prepare(program)?).map(Arc::new)
    }

    /// Allocates memory for the weights that kernels need packed and that are read in no other form. It is filled as
    /// their bytes arrive.
    pub(crate) fn places(selection: &Selection) -> HashMap<SlotId, PackedPlace> {
        held::places(selection, Isa::detect())
    }

    /// Compiles a selection. The packed form of a weight replaces its tensor if no step reads its values.
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

/// A plan that is compiled on first use, when its weights are read.
#[derive(Debug)]
pub(crate) struct LazyPlan {
    selection: Arc<Selection>,
    threads: Option<usize>,
    plan: OnceLock<NativePlan>,
    compiling: Mutex<()>,
}

impl LazyPlan {
    /// Starts uncompiled.
    pub(crate) fn new(selection: Arc<Selection>, threads: Option<usize>) -> Self {
        LazyPlan { selection, threads, plan: OnceLock::new(), compiling: Mutex::new(()) }
    }

    /// Wraps a compiled plan.
    pub(crate) fn compiled(plan: NativePlan) -> Self {
        let selection = plan.selection.clone();
        LazyPlan { selection, threads: None, plan: OnceLock::from(plan), compiling: Mutex::new(()) }
    }

    /// Returns the plan, and compiles it on first use. It packs its own copies: the weights are not changed.
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
