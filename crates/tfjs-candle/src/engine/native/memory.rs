//! Which buffer each value lives in, for one set of concrete shapes.
//!
//! A value has a buffer from the step that computes it to the last step that reads it; then the buffer is
//! free for another. Kernels that work in place, and reshapes, take over their input's buffer.

use super::{Action, NativePlan};
use std::sync::{Mutex, MutexGuard};
use tfjs_topology::graph::{ModelGraph, ValueId};
use tfjs_topology::types::TensorType;

/// The buffers of a plan for concrete shapes, and arenas of them for concurrent calls.
#[derive(Debug)]
pub(super) struct MemoryPlan {
    /// The buffer of each value that a kernel reads or writes.
    buffers: Vec<Option<usize>>,
    /// The dimensions of each value.
    dims: Vec<Vec<usize>>,
    /// Elements of each buffer.
    sizes: Vec<usize>,
    /// Arenas at rest.
    arenas: Mutex<Vec<Arena>>,
}

/// The buffers of one call.
pub(super) type Arena = Vec<Vec<f32>>;

/// Arenas kept for later calls; more calls at once make more, and let them go again.
const ARENAS: usize = 16;

impl MemoryPlan {
    /// `None` if a shape is not known before the model runs.
    pub(super) fn new(plan: &NativePlan, graph: &ModelGraph, types: &[TensorType]) -> Option<Self> {
        let dims: Vec<Vec<usize>> =
            types.iter().map(|ty| ty.shape.dims().iter().copied().collect::<Option<_>>()).collect::<Option<_>>()?;
        let mut wanted = vec![false; types.len()];
        for step in plan.steps.iter().filter(|step| matches!(step.action, Action::Native(_))) {
            step.inputs.iter().chain(&step.outputs).for_each(|value| wanted[value.0] = true);
        }
        let last = last_reads(plan, graph, types.len());
        let mut layout =
            Layout { buffers: vec![None; types.len()], sizes: Vec::new(), free: Vec::new(), holders: Vec::new() };
        let elements = |value: ValueId| dims[value.0].iter().product::<usize>();
        for port in &graph.inputs {
            if wanted[port.value.0] {
                layout.assign(port.value, elements(port.value));
            }
        }
        for (i, step) in plan.steps.iter().enumerate() {
            let first = step.inputs.first().copied();
            for &output in step.outputs.iter().filter(|value| wanted[value.0]) {
                let takes_over = match (&step.action, first) {
                    // A reshape shares the bytes, however long its input is read.
                    (Action::Native(super::Op::Alias), Some(input)) => Some(input),
                    (Action::Native(op), Some(input))
                        if op.in_place() && last[input.0] == Some(i) && layout.alone(input) =>
                    {
                        Some(input)
                    }
                    _ => None,
                };
                match takes_over {
                    Some(input) => layout.share(output, input),
                    None => layout.assign(output, elements(output)),
                }
            }
            for value in step.inputs.iter().chain(&step.outputs) {
                if last[value.0].is_none_or(|read| read <= i) {
                    layout.release(*value);
                }
            }
        }
        let Layout { buffers, sizes, .. } = layout;
        Some(MemoryPlan { buffers, dims, sizes, arenas: Mutex::default() })
    }

    pub(super) fn buffer(&self, value: ValueId) -> Option<usize> {
        self.buffers[value.0]
    }

    pub(super) fn dims(&self, value: ValueId) -> &[usize] {
        &self.dims[value.0]
    }

    pub(super) fn elements(&self, value: ValueId) -> usize {
        self.dims[value.0].iter().product()
    }

    /// An arena for one call.
    pub(super) fn arena(&self) -> Arena {
        let resting = self.resting().pop();
        resting.unwrap_or_else(|| self.sizes.iter().map(|&size| vec![0.0; size]).collect())
    }

    /// Gives an arena back.
    pub(super) fn rest(&self, arena: Arena) {
        let mut arenas = self.resting();
        if arenas.len() < ARENAS {
            arenas.push(arena);
        }
    }

    fn resting(&self) -> MutexGuard<'_, Vec<Arena>> {
        self.arenas.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// The last step that reads each value; the model's outputs are read after all of them.
fn last_reads(plan: &NativePlan, graph: &ModelGraph, values: usize) -> Vec<Option<usize>> {
    let mut last = vec![None; values];
    for (i, step) in plan.steps.iter().enumerate() {
        step.inputs.iter().for_each(|value| last[value.0] = Some(i));
    }
    graph.outputs.iter().for_each(|port| last[port.value.0] = Some(usize::MAX));
    last
}

struct Layout {
    buffers: Vec<Option<usize>>,
    sizes: Vec<usize>,
    free: Vec<usize>,
    /// How many values still need each buffer.
    holders: Vec<usize>,
}

impl Layout {
    /// The free buffer whose size is nearest, grown if it must; a new one if none is free.
    fn assign(&mut self, value: ValueId, elements: usize) {
        let nearest = (0..self.free.len()).min_by_key(|&i| self.sizes[self.free[i]].abs_diff(elements));
        let buffer = match nearest {
            Some(i) => self.free.swap_remove(i),
            None => {
                self.sizes.push(0);
                self.holders.push(0);
                self.sizes.len() - 1
            }
        };
        self.sizes[buffer] = self.sizes[buffer].max(elements);
        self.holders[buffer] = 1;
        self.buffers[value.0] = Some(buffer);
    }

    fn share(&mut self, value: ValueId, with: ValueId) {
        self.buffers[value.0] = self.buffers[with.0];
        if let Some(buffer) = self.buffers[value.0] {
            self.holders[buffer] += 1;
        }
    }

    /// Whether nobody else needs the value's buffer.
    fn alone(&self, value: ValueId) -> bool {
        self.buffers[value.0].is_some_and(|buffer| self.holders[buffer] == 1)
    }

    fn release(&mut self, value: ValueId) {
        if let Some(buffer) = self.buffers[value.0] {
            self.holders[buffer] = self.holders[buffer].saturating_sub(1);
            if self.holders[buffer] == 0 && !self.free.contains(&buffer) {
                self.free.push(buffer);
            }
        }
    }
}
