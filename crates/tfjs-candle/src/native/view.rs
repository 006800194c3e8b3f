//! A kernel's view of a block during selection: types, derived values, and the readers of each value.

use super::derived::{Derived, DerivedId, known_dims};
use super::want::{Spare, Want};
use std::cell::RefCell;
use tfjs_ir::{Block, Dim, ElementType, Node, Program, Value};

/// A block of a program whose values are classified.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub(super) program: &'a Program,
    pub(super) block: &'a Block,
    pub(super) derived: &'a Derived,
    /// The derived value of each value, if it has one.
    pub(super) of: &'a [Option<DerivedId>],
    pub(super) readers: &'a [Readers],
    /// The memory that is left for forms of weights that are larger than the weights.
    pub(super) spare: &'a RefCell<Spare>,
}

/// The readers of a value. Unused nodes are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    Nobody,
    One(usize),
    /// Several nodes, one node several times, or the value is a result of the block.
    Several,
}

impl<'a> View<'a> {
    pub(super) fn node(self, index: usize) -> &'a Node {
        &self.block.nodes[index]
    }

    pub(super) fn dims(self, value: Value) -> &'a [Dim] {
        &self.block.ty(value).dims
    }

    pub(super) fn element(self, value: Value) -> ElementType {
        self.block.ty(value).element
    }

    /// Whether a value has single precision, which most kernels require.
    pub(super) fn is_f32(self, value: Value) -> bool {
        self.element(value) == ElementType::F32
    }

    /// Whether kernels support this type at all: half precision and text are not supported.
    pub(super) fn is_plain(self, value: Value) -> bool {
        !matches!(self.element(value), ElementType::F16 | ElementType::Bf16 | ElementType::String)
    }

    /// Whether kernels support the types of all operands and results of a node.
    pub(super) fn all_plain(self, node: &Node) -> bool {
        node.operands.iter().chain(&node.results).all(|&value| self.is_plain(value))
    }

    /// The derived value and its dimensions, if it has single precision.
    pub(super) fn derived_f32(self, value: Value) -> Option<(DerivedId, &'a [usize])> {
        let id = self.of[value.index()].filter(|_| self.is_f32(value))?;
        Some((id, self.derived.dims(id)))
    }

    /// Whether a value is computed at each call.
    pub(super) fn is_computed(self, value: Value) -> bool {
        self.of[value.index()].is_none()
    }

    /// The derived value, if it holds one number for each of the last `channels` elements of `like`, or one for all.
    pub(super) fn vector(self, value: Value, like: Value, channels: usize) -> Option<DerivedId> {
        let (id, dims) = self.derived_f32(value)?;
        let first = dims.iter().position(|&dim| dim != 1);
        let Some(first) = first else {
            return self.spare(&Want::Vector(id, channels), channels.saturating_sub(1)).then_some(id);
        };
        let dims = &dims[first..];
        let trailing = self.dims(like).len().checked_sub(dims.len())?;
        let trailing = known_dims(&self.program.dims, &self.dims(like)[trailing..])?;
        (trailing == dims && dims.iter().product::<usize>() == channels).then_some(id)
    }

    /// Whether there is memory for a form of a weight that takes this many more floats than the weight itself.
    pub(super) fn spare(self, want: &Want, floats: usize) -> bool {
        self.spare.borrow_mut().take(want, floats)
    }

    /// The only node that reads a value, if there is exactly one.
    pub(super) fn only_reader(self, value: Value) -> Option<usize> {
        match self.readers[value.index()] {
            Readers::One(node) => Some(node),
            _ => None,
        }
    }

    /// The product of the last `axes` dimensions of a value, if they are known.
    pub(super) fn trailing(self, value: Value, axes: usize) -> Option<usize> {
        let dims = self.dims(value);
        let known = known_dims(&self.program.dims, &dims[dims.len().checked_sub(axes)?..])?;
        known.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim))
    }
}

/// Which nodes of a block are needed to compute these roots.
pub(super) fn live_nodes(block: &Block, roots: &[Value]) -> Vec<bool> {
    let mut needed = vec![false; block.values.len()];
    roots.iter().for_each(|value| needed[value.index()] = true);
    let mut live = vec![false; block.nodes.len()];
    for (i, node) in block.nodes.iter().enumerate().rev() {
        live[i] = node.results.iter().any(|value| needed[value.index()]);
        if live[i] {
            node.operands.iter().for_each(|value| needed[value.index()] = true);
        }
    }
    live
}

/// The readers of each value of a block. Derived nodes are evaluated ahead of time and are not readers.
pub(super) fn readers(block: &Block, live: &[bool], of: &[Option<DerivedId>], roots: &[Value]) -> Vec<Readers> {
    let mut readers = vec![Readers::Nobody; block.values.len()];
    for (i, node) in block.nodes.iter().enumerate().filter(|&(i, _)| live[i]) {
        if node.results.iter().all(|value| of[value.index()].is_some()) {
            continue;
        }
        for value in &node.operands {
            let reader = &mut readers[value.index()];
            *reader = if *reader == Readers::Nobody { Readers::One(i) } else { Readers::Several };
        }
    }
    roots.iter().for_each(|value| readers[value.index()] = Readers::Several);
    readers
}
