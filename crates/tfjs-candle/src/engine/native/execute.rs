//! Runs a plan: kernels on the buffers of an arena, everything else portable, values carried between both.

use super::memory::{Arena, MemoryPlan};
use super::op::{Op, Slice};
use super::{Action, Concrete, NativePlan, Step};
use crate::engine::portable::{run_node, run_with};
use crate::run::{OrBug, RunCx};
use crate::value::Value;
use crate::weights::{Weights, with_values};
use candle_core::{Device, Tensor};
use tfjs_manifest::{Error, Result};
use tfjs_topology::graph::{ModelGraph, ValueId};

impl NativePlan {
    /// Runs the model. `concrete` is what inference says of these inputs.
    pub(crate) fn run(
        &self,
        graph: &ModelGraph,
        weights: &Weights,
        cx: &RunCx<'_>,
        inputs: &[Value],
        concrete: &Concrete,
    ) -> Result<Vec<Value>> {
        let memory = concrete.memory.get_or_init(|| MemoryPlan::new(self, graph, &concrete.types));
        let Some(memory) = memory else {
            return run_with(graph, cx, inputs, &|slot| weights.tensor(slot));
        };
        let mut arena = memory.arena();
        let mut call = Running {
            plan: self,
            graph,
            weights,
            cx,
            memory,
            arena: &mut arena,
            values: vec![None; graph.values.len()],
        };
        let outputs = call.run(inputs);
        // An arena whose call failed half-way is as good as any: every buffer is written before it is read.
        memory.rest(arena);
        outputs
    }
}

struct Running<'a> {
    plan: &'a NativePlan,
    graph: &'a ModelGraph,
    weights: &'a Weights,
    cx: &'a RunCx<'a>,
    memory: &'a MemoryPlan,
    arena: &'a mut Arena,
    /// Values outside the arena: what portable nodes gave, and inputs only they read.
    values: Vec<Option<Value>>,
}

impl Running<'_> {
    fn run(&mut self, inputs: &[Value]) -> Result<Vec<Value>> {
        for (port, value) in self.graph.inputs.iter().zip(inputs) {
            self.put(port.value, value.clone())?;
        }
        for step in &self.plan.steps {
            match &step.action {
                Action::Native(op) => self.native(step, op)?,
                Action::Portable => self.portable(step)?,
            }
        }
        self.graph.outputs.iter().map(|port| self.get(port.value)).collect()
    }

    fn native(&mut self, step: &Step, op: &Op) -> Result<()> {
        let output = step.outputs[0];
        let to = self.buffer(output)?;
        let elements = self.memory.elements(output);
        let first = self.buffer(step.inputs[0])?;
        // The output's buffer is taken out, so that the others can be read while it is written.
        let mut out = std::mem::take(&mut self.arena[to]);
        let result = self.inputs(step, to).and_then(|inputs| {
            if op.in_place() && first != to {
                out[..elements].copy_from_slice(&self.arena[first][..elements]);
            }
            op.run(&self.plan.cpu, &inputs, &mut out[..elements], self.memory.dims(output))
        });
        self.arena[to] = out;
        result.map_err(|e| e.at_layer(&self.graph.layer(&self.graph.nodes[step.nodes[0]]).path))
    }

    /// The inputs' slices; one whose buffer is being written in place is not read and stays empty.
    fn inputs(&self, step: &Step, taken: usize) -> Result<Vec<Slice<'_>>> {
        step.inputs
            .iter()
            .map(|&value| {
                let buffer = self.buffer(value)?;
                let elements = if buffer == taken { 0 } else { self.memory.elements(value) };
                Ok(Slice { values: &self.arena[buffer][..elements], dims: self.memory.dims(value) })
            })
            .collect()
    }

    fn portable(&mut self, step: &Step) -> Result<()> {
        let node = &self.graph.nodes[step.nodes[0]];
        for &value in &step.inputs {
            if self.values[value.0].is_none() {
                self.values[value.0] = Some(self.get(value)?);
            }
        }
        let outputs = run_node(self.graph, node, self.cx, &self.values, &|slot| self.weights.tensor(slot))
            .map_err(|e| e.at_layer(&self.graph.layer(node).path))?;
        for (&id, value) in node.outputs.iter().zip(outputs) {
            self.put(id, value)?;
        }
        Ok(())
    }

    fn buffer(&self, value: ValueId) -> Result<usize> {
        self.memory.buffer(value).ok_or_else(|| Error::bug("a kernel's value has no buffer"))
    }

    /// Stores a value where its readers look for it.
    fn put(&mut self, id: ValueId, value: Value) -> Result<()> {
        if value.dims() != self.memory.dims(id) {
            return Err(Error::bug(format!("shape {:?} was promised, found {:?}", self.memory.dims(id), value.dims())));
        }
        if let Some(buffer) = self.memory.buffer(id) {
            let elements = self.memory.elements(id);
            let to = &mut self.arena[buffer][..elements];
            with_values(value.tensor()?, |values| to.copy_from_slice(values))?;
        }
        self.values[id.0] = Some(value);
        Ok(())
    }

    /// The value, copied out of its buffer if it only lives there.
    fn get(&self, id: ValueId) -> Result<Value> {
        if let Some(value) = &self.values[id.0] {
            return Ok(value.clone());
        }
        let buffer = self.buffer(id)?;
        let values = self.arena[buffer][..self.memory.elements(id)].to_vec();
        Tensor::from_vec(values, self.memory.dims(id), &Device::Cpu).or_bug().map(Value::new)
    }
}
