//! The evaluator: runs the nodes of a block in order, within a budget.

use super::offsets::Offsets;
use crate::array::{Array, Data};
use crate::clock::Clock;
use crate::dim::{Bound, Dim};
use crate::program::{Block, Node, Program, Value};
use crate::ty::Type;
use std::borrow::Cow;
use std::cell::Cell;
use std::time::Instant;
use tfjs_manifest::{Error, Limits, Result, Shape};

/// The limits of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The most elements of one value.
    pub elements: u64,
    /// The most arithmetic operations in total. A node counts as at least one.
    pub work: u64,
}

impl Default for Budget {
    /// One value of the default element limit of [`Limits`], and unlimited work.
    fn default() -> Self {
        Budget { elements: Limits::default().elements, work: u64::MAX }
    }
}

/// The values of a program's inputs, weights and states in a call.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Given<'a> {
    pub(super) inputs: &'a [Array],
    pub(super) slots: &'a [Array],
    pub(super) states: &'a [Array],
}

/// Evaluates nodes of one program whose dimensions are bound.
#[derive(Debug)]
pub struct Evaluator<'a> {
    program: &'a Program,
    bound: &'a Bound,
    given: Given<'a>,
    budget: Budget,
    spent: Cell<u64>,
    clock: Clock,
}

/// The operations that a node costs besides its arithmetic: some thousand instructions.
pub(super) const NODE: usize = 1 << 10;

/// Elements that are computed between two looks at the clock.
const BETWEEN_LOOKS: usize = 1 << 16;

impl<'a> Evaluator<'a> {
    /// A new evaluator. It fails at nodes that read inputs, weights or states.
    pub fn new(program: &'a Program, bound: &'a Bound, budget: Budget) -> Self {
        Evaluator { program, bound, given: Given::default(), budget, spent: Cell::new(0), clock: Clock::default() }
    }

    /// The same evaluator, which fails after a deadline.
    #[must_use]
    pub fn until(self, deadline: Option<Instant>) -> Self {
        Evaluator { clock: Clock::new(deadline), ..self }
    }

    /// The same evaluator, with values for inputs, weights and states.
    pub(super) fn given<'b>(self, given: Given<'b>) -> Evaluator<'b>
    where
        'a: 'b,
    {
        Evaluator { given, ..self }
    }

    /// Evaluates one node with these operands.
    ///
    /// # Errors
    /// As [`interpret_within`](super::interpret_within), at the node's layer.
    pub fn node(&self, node: &Node, operands: &[&Array]) -> Result<Vec<Array>> {
        let may_start = self.spend(1).and_then(|()| self.look(NODE));
        let evaluated = may_start.and_then(|()| super::evaluate(&node.prim, self, operands));
        evaluated.map_err(|error| self.program.at(error, node.origin))
    }

    /// Evaluates the nodes of a block in order and returns the values of `roots`. A value is dropped after its last
    /// use.
    pub(super) fn block(&self, block: &Block, parameters: &[&Array], roots: &[Value]) -> Result<Vec<Array>> {
        let mut uses = vec![0usize; block.values.len()];
        for &value in block.nodes.iter().flat_map(|node| &node.operands).chain(roots) {
            uses[value.index()] += 1;
        }
        let mut values: Vec<Option<Cow<'_, Array>>> = vec![None; block.values.len()];
        for (&value, &array) in block.parameters.iter().zip(parameters) {
            self.check(block.ty(value), array)?;
            values[value.index()] = Some(Cow::Borrowed(array));
        }
        for node in &block.nodes {
            let operands = node.operands.iter().map(|value| values[value.index()].as_deref().ok_or_else(undefined));
            let results = self.node(node, &operands.collect::<Result<Vec<_>>>()?)?;
            if results.len() != node.results.len() {
                return Err(Error::bug(format!("`{}` gives {} results", node.prim.name(), results.len())));
            }
            for value in &node.operands {
                uses[value.index()] -= 1;
                if uses[value.index()] == 0 {
                    values[value.index()] = None;
                }
            }
            for (&value, array) in node.results.iter().zip(results) {
                self.check(block.ty(value), &array).map_err(|error| self.program.at(error, node.origin))?;
                if uses[value.index()] > 0 {
                    values[value.index()] = Some(Cow::Owned(array));
                }
            }
        }
        let mut take = |value: Value| {
            uses[value.index()] -= 1;
            let found =
                if uses[value.index()] == 0 { values[value.index()].take() } else { values[value.index()].clone() };
            found.map(Cow::into_owned).ok_or_else(undefined)
        };
        roots.iter().map(|&value| take(value)).collect()
    }

    /// The states before the first call.
    pub(super) fn initial_states(&self) -> Result<Vec<Array>> {
        let states = self.program.states.iter();
        states
            .map(|state| self.full(&Array::scalar(state.ty.element, state.initial), &self.dims(&state.ty.dims)?))
            .collect()
    }

    /// Fails unless an array has the given type.
    fn check(&self, ty: &Type, array: &Array) -> Result<()> {
        if ty.element == array.element() && self.dims(&ty.dims)? == array.dims() {
            return Ok(());
        }
        let (expected, found) = (ty.describe(&self.program.dims), array.dims());
        Err(Error::bug(format!("expected a value of type {expected}, found `{}` of shape {found:?}", array.element())))
    }
}

/// Methods for rules.
impl Evaluator<'_> {
    pub(super) fn program(&self) -> &Program {
        self.program
    }

    pub(super) fn inputs(&self) -> Given<'_> {
        self.given
    }

    /// The value of a dimension.
    pub(super) fn dim(&self, dim: Dim) -> Result<usize> {
        self.bound.get(dim)
    }

    /// The values of dimensions.
    pub(super) fn dims(&self, dims: &[Dim]) -> Result<Vec<usize>> {
        dims.iter().map(|&dim| self.bound.get(dim)).collect()
    }

    /// Spends arithmetic operations of the budget.
    pub(super) fn spend(&self, operations: usize) -> Result<()> {
        let spent = self.spent.get().saturating_add(operations as u64);
        Limits::check("work (arithmetic operations)", spent, self.budget.work)?;
        self.spent.set(spent);
        Ok(())
    }

    /// Looks at the clock, if many operations were counted since the last time. A rule calls it between parts of work
    /// whose number of operations is not bounded.
    pub(super) fn look(&self, operations: usize) -> Result<()> {
        self.clock.look(operations)
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The number of elements of a new value; they are spent.
    pub(super) fn elements(&self, dims: &[usize]) -> Result<usize> {
        let elements = Shape::new(dims)?.elements();
        Limits::check("elements (of one value)", elements as u64, self.budget.elements)?;
        self.spend(elements)?;
        Ok(elements)
    }

    /// The elements of a new value of this shape, taken from the front of `values`.
    pub(super) fn collect<T>(&self, dims: &[usize], values: impl Iterator<Item = T>) -> Result<Vec<T>> {
        self.try_collect(dims, values.map(Ok))
    }

    /// The elements of a new value of this shape, taken from the front of `values`, up to the first error.
    pub(super) fn try_collect<T>(&self, dims: &[usize], values: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
        let elements = self.elements(dims)?;
        let mut out = reserve(elements)?;
        let mut values = values.take(elements);
        while out.len() < elements {
            let before = out.len();
            for value in values.by_ref().take(BETWEEN_LOOKS) {
                out.push(value?);
            }
            self.look(out.len() - before)?;
            if out.len() == before {
                break;
            }
        }
        Ok(out)
    }

    /// The elements of a new value of this shape, all equal.
    pub(super) fn filled<T: Clone>(&self, dims: &[usize], value: T) -> Result<Vec<T>> {
        // SIZE: `collect` takes only the elements that are spent.
        self.collect(dims, std::iter::repeat(value))
    }

    /// A new value of this shape, each of whose elements is `scalar`.
    pub(super) fn full(&self, scalar: &Array, dims: &[usize]) -> Result<Array> {
        self.pick(scalar, dims, Offsets::broadcast(&[], dims))
    }

    /// A new value of this shape with the elements of an array at these offsets.
    pub(super) fn pick(&self, array: &Array, dims: &[usize], offsets: impl Iterator<Item = usize>) -> Result<Array> {
        let data = match array.data() {
            Data::Float(values) => Data::Float(self.picked(values, dims, offsets)?),
            Data::Int(values) => Data::Int(self.picked(values, dims, offsets)?),
            Data::Bool(values) => Data::Bool(self.picked(values, dims, offsets)?),
            Data::Text(values) => Data::Text(self.picked(values, dims, offsets)?),
        };
        Array::new(array.element(), dims, data)
    }

    fn picked<T: Clone>(&self, values: &[T], dims: &[usize], offsets: impl Iterator<Item = usize>) -> Result<Vec<T>> {
        let at =
            |offset| values.get(offset).cloned().ok_or_else(|| Error::bug(format!("no element at offset {offset}")));
        self.try_collect(dims, offsets.map(at))
    }
}

/// An empty vector with room for this many elements.
pub(super) fn reserve<T>(elements: usize) -> Result<Vec<T>> {
    let mut out = Vec::new();
    match out.try_reserve_exact(elements) {
        Ok(()) => Ok(out),
        Err(e) => Err(Error::limit(format!("no memory for {elements} elements")).with_source(e)),
    }
}

fn undefined() -> Error {
    Error::bug("a value is read before it is defined")
}
