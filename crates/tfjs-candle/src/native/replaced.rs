//! The weights that a program replaces: their current values, and how a successful step replaces them.
//!
//! A training program reads these weights at every step, so they are never kept in a packed or derived form. Each has
//! two buffers in row-major order: the current values here, the next ones in the arena of the step. After a
//! successful step the two are swapped, which copies nothing and cannot fail.

use super::NativePlan;
use super::buffer::{Buffer, Repr, Slice};
use super::edge;
use super::io::Ins;
use super::layout::Arena;
use crate::weights::Weights;
use candle_core::Tensor;
use tfjs_ir::{ElementType, SlotId};
use tfjs_manifest::{Error, Result};
use tfjs_topology::graph;

/// The current values, in the order of [`Program::replaced_slots`](tfjs_ir::Program::replaced_slots).
#[derive(Debug, Default)]
pub(crate) struct Replaced {
    weights: Vec<Current>,
}

/// The current value of a weight.
#[derive(Debug)]
struct Current {
    slot: SlotId,
    element: ElementType,
    dims: Vec<usize>,
    buffer: Buffer,
}

/// The location of a weight's next value after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// In a buffer of the arena that holds nothing else and has the same length.
    Own(usize),
    /// In memory that is also used for something else, such as an input or another weight; at the position of this
    /// root.
    Shared(usize),
}

impl NativePlan {
    /// The values before the first step.
    ///
    /// # Errors
    /// Weights that cannot be read.
    pub(crate) fn replaced(&self, weights: &Weights) -> Result<Replaced> {
        let program = &self.selection.program;
        let current = |slot: SlotId| {
            let declared = program.slots.get(slot.index());
            let element = declared.ok_or_else(|| Error::bug("a weight that was not declared"))?.ty.element;
            let id = graph::SlotId(slot.index());
            let buffer = match element {
                ElementType::F32 => weights.with_values(id, |values| Buffer::F32(values.to_vec()))?,
                _ => edge::buffer_of(&edge::weight_array(weights, id, element)?)?,
            };
            Ok(Current { slot, element, dims: weights.shape(id)?.dims().to_vec(), buffer })
        };
        Ok(Replaced { weights: program.replaced_slots().map(current).collect::<Result<_>>()? })
    }
}

impl Replaced {
    /// The current values as tensors.
    ///
    /// # Errors
    /// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for values that are not numbers.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = Result<(SlotId, Tensor)>> + '_ {
        let tensor = |current: &Current| edge::tensor(current.slice()?, current.element, &current.dims);
        self.weights.iter().map(move |current| Ok((current.slot, tensor(current)?)))
    }

    /// The current values, for a step to read.
    pub(super) fn slices(&self) -> impl Iterator<Item = Result<Slice<'_>>> {
        self.weights.iter().map(Current::slice)
    }

    pub(super) fn len(&self) -> usize {
        self.weights.len()
    }

    /// Copies the next values whose memory is shared; nothing is replaced yet.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if memory for the copies is exhausted.
    pub(super) fn copies(&self, next: &[Next], roots: Ins<'_>) -> Result<Vec<Option<Buffer>>> {
        let copy = |(current, next): (&Current, &Next)| {
            let Next::Shared(root) = next else { return Ok(None) };
            let mut buffer = Buffer::zeroed(Repr::of(current.element)?, current.elements())?;
            buffer.copy_from(roots.slice(*root)?)?;
            Ok(Some(buffer))
        };
        self.weights.iter().zip(next).map(copy).collect()
    }

    /// Replaces every value. The previous values stay in the arena, where a later step overwrites them.
    pub(super) fn commit(&mut self, next: &[Next], copies: Vec<Option<Buffer>>, arena: &mut Arena) {
        for ((current, next), copy) in self.weights.iter_mut().zip(next).zip(copies) {
            match (next, copy) {
                (Next::Own(buffer), _) => std::mem::swap(&mut current.buffer, &mut arena[*buffer]),
                (Next::Shared(_), Some(copy)) => current.buffer = copy,
                // Every shared value has a copy.
                (Next::Shared(_), None) => {}
            }
        }
    }
}

impl Current {
    fn elements(&self) -> usize {
        self.dims.iter().product()
    }

    fn slice(&self) -> Result<Slice<'_>> {
        self.buffer.slice(self.elements())
    }
}
