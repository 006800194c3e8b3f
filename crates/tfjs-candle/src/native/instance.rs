//! A routine compiled for the shapes of a call: every step is prepared, and every value has its buffer.
//!
//! A value has a buffer from the step that computes it to the last step that reads it; then the buffer can be reused.
//! A kernel that can work in place takes the buffer of an operand that is not read later.

use super::buffer::{Buffer, Repr, Slice};
use super::io::{Context, Ins, Io, Outs, Place, Sink, Source};
use super::kernel::{Prepared, Run, Shapes};
use super::layout::{Assigner, Layout, Reserve};
use super::replaced::Next;
use super::select::{Home, Routine, Step};
use std::collections::BTreeSet;
use tfjs_ir::{Bound, Dim, OriginId, Program, Value};
use tfjs_manifest::{Error, Result};

/// A routine with bound dimensions.
#[derive(Debug)]
pub(super) struct Instance {
    steps: Vec<BoundStep>,
    /// The buffers of a call.
    pub(super) layout: Layout,
    /// The most bytes that a step allocates temporarily.
    pub(super) scratch: u64,
    /// The routine's roots, in order.
    pub(super) roots: Vec<Source>,
    /// The dimensions of the roots.
    pub(super) root_dims: Vec<Vec<usize>>,
    /// The locations of the next values of replaced weights, in order.
    pub(super) next: Vec<Next>,
    /// The buffer of each parameter that is filled before the first step.
    pub(super) parameters: Vec<Sink>,
    /// The most results and nested buffers of a step.
    widest: usize,
}

struct BoundStep {
    run: Run,
    sources: Box<[Source]>,
    sinks: Box<[Sink]>,
    /// The nested buffers of the kernel, besides those of its results.
    nested: Option<usize>,
    in_place: Option<usize>,
    wants: Box<[usize]>,
    origin: OriginId,
}

impl std::fmt::Debug for BoundStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let BoundStep { sources, sinks, in_place, .. } = self;
        f.debug_struct("BoundStep")
            .field("sources", sources)
            .field("sinks", sinks)
            .field("in_place", in_place)
            .finish_non_exhaustive()
    }
}

impl Instance {
    /// Prepares the steps of a routine without allocating. `held` is the number of values that the plan holds.
    ///
    /// # Errors
    /// Dimensions that overflow or are too large for a buffer.
    pub(super) fn new(routine: &Routine, program: &Program, bound: &Bound, held: usize) -> Result<Self> {
        let mut planner = Planner::new(routine, bound, held)?;
        planner.parameters()?;
        let mut steps = Vec::with_capacity(routine.steps.len());
        let mut scratch = 0;
        for (i, step) in routine.steps.iter().enumerate() {
            let bound_step = planner.step(i, step, program, &mut scratch).map_err(|e| program.at(e, step.origin))?;
            steps.extend(bound_step);
        }
        let roots = routine.roots.iter().map(|&value| planner.source(value)).collect::<Result<_>>()?;
        let root_dims = routine.roots.iter().map(|&value| planner.dims(value)).collect::<Result<_>>()?;
        let parameters = routine.block.parameters.iter().filter(|value| planner.home(**value) == Home::Parameter);
        let parameters = parameters.map(|&value| planner.sink(value)).collect::<Result<_>>()?;
        let next = routine.replacing.iter().map(|&root| planner.next(root)).collect();
        let widest = steps.iter().map(|step| step.sinks.len() + 1).max().unwrap_or(0);
        Ok(Instance { steps, layout: planner.assigner.layout, scratch, roots, root_dims, next, parameters, widest })
    }

    /// Runs the steps. `outside` are the values that the plan holds, then the inputs of the call.
    ///
    /// # Errors
    /// Those of a step, at its layer; a deadline that has passed.
    pub(super) fn run(&self, cx: Context<'_>, arena: &mut [Buffer], outside: &[Slice<'_>]) -> Result<()> {
        let mut taken: Vec<Buffer> = Vec::with_capacity(self.widest);
        for step in &self.steps {
            cx.check_deadline()?;
            let own = step.nested.map(Some);
            let buffers = step.sinks.iter().map(|sink| sink.buffer).chain(own);
            // The buffers of the results are taken out of the arena, so that the others can be borrowed while they are
            // written.
            taken.extend(
                buffers.clone().map(|buffer| buffer.map(|b| std::mem::take(&mut arena[b])).unwrap_or_default()),
            );
            let ins = Ins { sources: &step.sources, arena, outside };
            let outs = Outs { sinks: &step.sinks, buffers: &mut taken[..] };
            let result = (step.run)(&mut Io { cx, ins, outs, in_place: step.in_place, wants: &step.wants });
            for (buffer, taken) in buffers.zip(taken.drain(..)) {
                if let Some(buffer) = buffer {
                    arena[buffer] = taken;
                }
            }
            result.map_err(|e| cx.program.at(e, step.origin))?;
        }
        // A kernel that passes the deadline stops without an error, so it is checked here.
        cx.check_deadline()
    }
}

/// Assigns values to buffers, step by step.
struct Planner<'a> {
    routine: &'a Routine,
    bound: &'a Bound,
    held: usize,
    assigner: Assigner,
    /// The buffer of each value that has its own.
    buffers: Vec<Option<usize>>,
    /// The last step that reads each value or a reshape of it.
    last: Vec<Option<usize>>,
    /// The next values of weights that are used for nothing else. Their buffers are not shared with other values.
    own: BTreeSet<Value>,
}

impl<'a> Planner<'a> {
    fn new(routine: &'a Routine, bound: &'a Bound, held: usize) -> Result<Self> {
        let values = routine.homes.len();
        let mut planner = Planner {
            routine,
            bound,
            held,
            assigner: Assigner::default(),
            buffers: vec![None; values],
            last: vec![None; values],
            own: BTreeSet::new(),
        };
        for (i, step) in routine.steps.iter().enumerate().filter(|(_, step)| step.kernel.is_some()) {
            for &value in &step.operands {
                let root = planner.root(value);
                planner.last[root.index()] = Some(i);
            }
        }
        for &value in &routine.roots {
            let root = planner.root(value);
            planner.last[root.index()] = Some(usize::MAX);
        }
        let behind: Vec<Value> = routine.roots.iter().map(|&value| planner.root(value)).collect();
        for &position in &routine.replacing {
            let value = behind[position];
            let alone = behind.iter().filter(|&&other| other == value).count() == 1;
            if alone && planner.home(value) == Home::Arena {
                planner.own.insert(value);
            }
        }
        Ok(planner)
    }

    fn home(&self, value: Value) -> Home {
        self.routine.homes[value.index()]
    }

    /// The value with the same elements, ignoring reshapes.
    fn root(&self, mut value: Value) -> Value {
        while let Home::Alias(other) = self.home(value) {
            value = other;
        }
        value
    }

    fn dims(&self, value: Value) -> Result<Vec<usize>> {
        self.routine.block.ty(value).dims.iter().map(|&dim: &Dim| self.bound.get(dim)).collect()
    }

    fn elements(&self, value: Value) -> Result<usize> {
        let dims = self.dims(value)?;
        if dims.contains(&0) {
            return Ok(0);
        }
        let elements = dims.iter().try_fold(1usize, |n, &dim| n.checked_mul(dim));
        elements.ok_or_else(|| Error::limit(format!("a value of shape {dims:?} is too large")))
    }

    fn repr(&self, value: Value) -> Result<Repr> {
        Repr::of(self.routine.block.ty(value).element)
    }

    /// Assigns buffers to parameters. They keep their values through all steps, so that the loop can read them again.
    fn parameters(&mut self) -> Result<()> {
        for &value in &self.routine.block.parameters {
            if self.home(value) == Home::Parameter {
                let buffer = self.assigner.add(Reserve::Elements(self.repr(value)?, self.elements(value)?));
                self.buffers[value.index()] = Some(buffer);
                self.last[value.index()] = Some(usize::MAX);
            }
        }
        Ok(())
    }

    /// Prepares a step for these shapes. `None` for a reshape, and for a step whose results are empty.
    fn step(&mut self, i: usize, step: &Step, program: &Program, scratch: &mut u64) -> Result<Option<BoundStep>> {
        let Some(kernel) = &step.kernel else { return Ok(None) };
        let dims = |values: &[Value]| values.iter().map(|&value| self.dims(value)).collect::<Result<Vec<_>>>();
        let (operands, results) = (dims(&step.operands)?, dims(&step.results)?);
        let shapes = Shapes { operands, results, bound: self.bound, program, held: self.held };
        let in_place = self.taken_over(i, step)?;
        let sources = step.operands.iter().map(|&value| self.source(value)).collect::<Result<Box<[Source]>>>()?;
        for (position, &value) in step.results.iter().enumerate() {
            if self.home(value) != Home::Arena {
                continue;
            }
            let over = in_place.filter(|_| position == 0).map(|operand| self.root(step.operands[operand]));
            let buffer = match over.and_then(|root| self.buffers[root.index()]) {
                Some(buffer) => {
                    self.assigner.share(buffer);
                    buffer
                }
                None if self.own.contains(&value) => {
                    self.assigner.add(Reserve::Elements(self.repr(value)?, self.elements(value)?))
                }
                None => self.assigner.assign(self.repr(value)?, self.elements(value)?),
            };
            self.buffers[value.index()] = Some(buffer);
        }
        let sinks = step.results.iter().map(|&value| self.sink(value)).collect::<Result<Box<[Sink]>>>()?;
        let text = step.results.iter().any(|&value| matches!(self.repr(value), Ok(Repr::Text)));
        let empty = !text && !kernel.always_runs() && sinks.iter().all(|sink| sink.buffer.is_none() || sink.len == 0);
        let prepared = match empty {
            true => None,
            false => Some(kernel.prepare(&shapes)?),
        };
        let bound_step = prepared.map(|Prepared { run, scratch: bytes, nested }| {
            *scratch = (*scratch).max(bytes);
            let nested = nested.map(|layout| self.assigner.add(Reserve::Nested(layout)));
            let (wants, origin) = (step.wants.clone().into(), step.origin);
            BoundStep { run, sources, sinks, nested, in_place, wants, origin }
        });
        self.release(i, step);
        Ok(bound_step)
    }

    /// The operand whose buffer the step's result takes.
    fn taken_over(&self, i: usize, step: &Step) -> Result<Option<usize>> {
        let (Some(kernel), Some(&result)) = (&step.kernel, step.results.first()) else { return Ok(None) };
        for &operand in kernel.overwrites() {
            let Some(&value) = step.operands.get(operand) else { continue };
            let root = self.root(value);
            let Some(buffer) = self.buffers[root.index()] else { continue };
            let read_once = step.operands.iter().filter(|&&other| self.root(other) == root).count() == 1;
            let fits = self.repr(root)? == self.repr(result)? && self.elements(root)? == self.elements(result)?;
            let wanted = self.home(result) == Home::Arena && !self.own.contains(&result);
            if wanted && read_once && fits && self.last[root.index()] == Some(i) && self.assigner.is_alone(buffer) {
                return Ok(Some(operand));
            }
        }
        Ok(None)
    }

    /// Releases the buffers of values that no later step reads.
    fn release(&mut self, i: usize, step: &Step) {
        let roots: BTreeSet<Value> = step.operands.iter().chain(&step.results).map(|&value| self.root(value)).collect();
        for root in roots {
            if self.last[root.index()].is_none_or(|last| last <= i)
                && let Some(buffer) = self.buffers[root.index()]
            {
                self.assigner.release(buffer);
            }
        }
    }

    fn source(&self, value: Value) -> Result<Source> {
        let root = self.root(value);
        let place = match self.home(root) {
            Home::Held(position) => Place::Outside(position),
            Home::Given(position) => Place::Outside(self.held + position),
            Home::Arena | Home::Parameter => {
                let buffer = self.buffers[root.index()];
                Place::Arena(buffer.ok_or_else(|| Error::bug("a value is read before it is computed"))?)
            }
            Home::Nowhere | Home::Alias(_) => return Err(Error::bug("a value is read that no step computes")),
        };
        Ok(Source { place, len: self.elements(value)? })
    }

    /// The location of the root at a position, which becomes the value of a weight.
    fn next(&self, position: usize) -> Next {
        let value = self.root(self.routine.roots[position]);
        let own = self.buffers[value.index()].filter(|_| self.own.contains(&value));
        own.map_or(Next::Shared(position), Next::Own)
    }

    fn sink(&self, value: Value) -> Result<Sink> {
        Ok(Sink { buffer: self.buffers[value.index()], len: self.elements(value)? })
    }
}
