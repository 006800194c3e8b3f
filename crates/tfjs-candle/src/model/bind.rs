//! The dimensions of a call: read from the shapes of its inputs, checked before anything runs, and cached.

use super::Shared;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tfjs_ir::{Bound, InputRole};
use tfjs_manifest::{Error, Limits, Result, Shape};
use tfjs_topology::lower::{LowerOptions, lower};
use tfjs_topology::types::SymShape;

/// The dimensions of the most recent shapes.
#[derive(Debug, Default)]
pub(super) struct Shapes(Mutex<VecDeque<Entry>>);

/// The shapes of the inputs, and the values of all dimensions of the program.
type Entry = (Vec<Vec<usize>>, Arc<Bound>);

/// The number of cached shapes; the least recently used one is dropped first.
const REMEMBERED: usize = 64;

impl Shared {
    /// The dimensions for inputs of these shapes, which include the tokens of text.
    pub(super) fn bind(&self, shapes: &[&[usize]]) -> Result<Arc<Bound>> {
        let lock = || self.shapes.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |(known, _): &Entry| known.iter().eq(shapes.iter());
        {
            let mut known = lock();
            if let Some(entry) = known.iter().position(is_known).and_then(|at| known.remove(at)) {
                let bound = entry.1.clone();
                known.push_front(entry);
                return Ok(bound);
            }
        }
        let bound = Arc::new(self.bound(shapes)?);
        let mut known = lock();
        known.push_front((shapes.iter().map(|shape| shape.to_vec()).collect(), bound.clone()));
        known.truncate(REMEMBERED);
        Ok(bound)
    }

    fn bound(&self, shapes: &[&[usize]]) -> Result<Bound> {
        let program = &self.model.program;
        let mut given = shapes.iter();
        let of_input = program.inputs.iter().map(|input| match input.role {
            InputRole::Seed => Ok(&[][..]),
            _ => given.next().copied().ok_or_else(|| Error::bug("an input without a shape")),
        });
        let of_input = of_input.collect::<Result<Vec<_>>>()?;
        let bound = program.bind(&of_input).map_err(|e| self.explained(e, shapes))?;
        self.check_sizes(&bound)?;
        Ok(bound)
    }

    /// Replaces the error of a failed guard by the layer's own message, from lowering the model for the actual shapes.
    fn explained(&self, error: Error, shapes: &[&[usize]]) -> Error {
        let mut options = LowerOptions::default();
        options.limits.clone_from(&self.limits);
        for (port, shape) in self.model.graph.inputs.iter().zip(shapes) {
            let shape = SymShape(shape.iter().copied().map(Some).collect());
            options.input_shapes.insert(port.key.as_ref().unwrap_or(&port.name).clone(), shape);
        }
        lower(&self.def, &options).err().unwrap_or(error)
    }

    /// Fails if a value would exceed the limit of elements.
    fn check_sizes(&self, bound: &Bound) -> Result<()> {
        let (graph, program) = (&self.model.graph, &self.model.program);
        for (info, &value) in graph.values.iter().zip(&self.model.values) {
            let at = |e: Error| match info.node {
                Some(node) => e.at_layer(&graph.layer(&graph.nodes[node]).path),
                None => e,
            };
            let dims = program.ty(value).dims.iter().map(|&dim| Ok(bound.get(dim)?.max(1)));
            let elements = dims.collect::<Result<Vec<_>>>().and_then(Shape::new).map_err(at)?.elements();
            Limits::check("elements (of one value)", elements as u64, self.limits.elements).map_err(at)?;
        }
        Ok(())
    }
}
