//! Runs a compiled plan of CPU kernels: weights packed at load, batch normalization, bias, activation and
//! residual fused into the kernels' epilogues, buffers planned for each concrete shape.
//!
//! Values are `f32`, contiguous, channels last. A node without a kernel, or whose inputs may carry a mask,
//! runs portable inside the same plan.

mod activation;
mod execute;
mod fuse;
mod lower;
mod memory;
mod op;

use crate::weights::{PackedPlace, Weights};
use memory::MemoryPlan;
use op::Op;
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tfjs_kernels::{Cpu, Isa};
use tfjs_manifest::Result;
use tfjs_topology::graph::{ModelGraph, SlotId, ValueId};
use tfjs_topology::types::TensorType;

/// A model compiled for the CPU.
#[derive(Debug)]
pub(crate) struct NativePlan {
    cpu: Cpu,
    steps: Vec<Step>,
}

/// A plan that is compiled when it is first run, because its weights are read then.
#[derive(Debug)]
pub(crate) struct LazyPlan {
    threads: Option<usize>,
    plan: OnceLock<NativePlan>,
    compiling: Mutex<()>,
}

impl LazyPlan {
    /// Nothing is compiled yet.
    pub(crate) fn new(threads: Option<usize>) -> Self {
        LazyPlan { threads, plan: OnceLock::new(), compiling: Mutex::new(()) }
    }

    /// A plan that is compiled already.
    pub(crate) fn compiled(plan: NativePlan) -> Self {
        LazyPlan { threads: None, plan: OnceLock::from(plan), compiling: Mutex::new(()) }
    }

    /// The plan. What is packed for it is its own: the weights stay as they are.
    pub(crate) fn get(&self, graph: &ModelGraph, weights: &Weights) -> Result<&NativePlan> {
        if let Some(plan) = self.plan.get() {
            return Ok(plan);
        }
        let _alone = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = self.plan.get() {
            return Ok(plan);
        }
        let plan = NativePlan::compile(graph, &mut weights.clone(), self.threads)?;
        Ok(self.plan.get_or_init(|| plan))
    }
}

/// One step of the plan.
#[derive(Debug)]
struct Step {
    /// What runs.
    action: Action,
    /// The values it reads; for a fused residual, that one last.
    inputs: Vec<ValueId>,
    /// The values it gives.
    outputs: Vec<ValueId>,
    /// The nodes of the graph it does the work of, in order.
    nodes: Vec<usize>,
}

#[derive(Debug)]
enum Action {
    /// A kernel.
    Native(Op),
    /// The node's running half, in candle operations.
    Portable,
}

/// What is known of a model once the shapes of its inputs are.
#[derive(Debug)]
pub(crate) struct Concrete {
    /// The type of every value.
    pub(crate) types: Vec<TensorType>,
    memory: OnceLock<Option<MemoryPlan>>,
}

impl Concrete {
    pub(crate) fn new(types: Vec<TensorType>) -> Arc<Self> {
        Arc::new(Concrete { types, memory: OnceLock::new() })
    }
}

impl NativePlan {
    /// Compiles a graph. The weights of lowered layers are packed, and their packed form becomes the one that
    /// is kept.
    pub(crate) fn compile(graph: &ModelGraph, weights: &mut Weights, threads: Option<usize>) -> Result<Self> {
        let threads = threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
        let cpu = Cpu::new(threads.max(1));
        let lowered = lower::lower(graph, weights, cpu.isa())?;
        Ok(NativePlan { steps: fuse::fuse(graph, lowered), cpu })
    }

    /// Memory for the weights this machine's kernels want packed: see [`lower::places`].
    pub(crate) fn places(graph: &ModelGraph) -> HashMap<SlotId, PackedPlace> {
        lower::places(graph, Isa::detect())
    }

    /// The paths of layers that run portable.
    pub(crate) fn portable_layers(&self, graph: &ModelGraph) -> Vec<String> {
        let portable = self.steps.iter().filter(|step| matches!(step.action, Action::Portable));
        let mut layers: Vec<String> =
            portable.flat_map(|step| &step.nodes).map(|&node| graph.layer(&graph.nodes[node]).path.clone()).collect();
        layers.dedup();
        layers
    }

    /// The plan as JSON: one object a step.
    pub(crate) fn to_json(&self, graph: &ModelGraph) -> Json {
        let steps = self.steps.iter().map(|step| {
            let (engine, kernel) = match &step.action {
                Action::Native(op) => ("native", json!(op.describe())),
                Action::Portable => ("portable", Json::Null),
            };
            let layers: Vec<&str> =
                step.nodes.iter().map(|&node| graph.layer(&graph.nodes[node]).path.as_str()).collect();
            let ids = |values: &[ValueId]| values.iter().map(|v| v.0).collect::<Vec<_>>();
            json!({
                "engine": engine,
                "kernel": kernel,
                "layers": layers,
                "inputs": ids(&step.inputs),
                "outputs": ids(&step.outputs),
            })
        });
        json!({ "threads": self.cpu.pool().threads(), "isa": self.cpu.isa().name(), "steps": steps.collect::<Vec<_>>() })
    }
}
