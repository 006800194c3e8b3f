//! Runs a call of a plan: inputs are read in place, steps run in an arena, outputs are copied out.

use super::NativePlan;
use super::buffer::{Buffer, Repr, Slice};
use super::cache::Entry;
use super::edge::{self, Opened};
use super::held::HeldValue;
use super::instance::Instance;
use super::io::{Context, Ins};
use super::layout::Arena;
use super::replaced::Replaced;
use crate::engine::call::{Call, Outcome};
use crate::value::Data;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tfjs_ir::cost::work;
use tfjs_ir::{ElementType, InputRole, Target};
use tfjs_manifest::{Error, Result};

impl NativePlan {
    /// Runs a program that replaces no weights.
    ///
    /// # Errors
    /// As [`step`](NativePlan::step).
    pub(crate) fn run(&self, call: &Call<'_>) -> Result<Outcome> {
        self.step(call, &mut Replaced::default())
    }

    /// Runs the program. Only if all of it succeeds, the weights that it replaces get their next values.
    ///
    /// # Errors
    /// - [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the call would exceed the memory limit, before anything is
    ///   allocated, and if its deadline has passed;
    /// - [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for inputs that do not match the program's, and for data
    ///   that a step rejects, such as an index outside a table.
    pub(crate) fn step(&self, call: &Call<'_>, replaced: &mut Replaced) -> Result<Outcome> {
        if replaced.len() != self.selection.root.replacing.len() {
            return Err(Error::bug("a call without the weights that its program replaces"));
        }
        let entry = self.entry(call)?;
        call.check_work(entry.work)?;
        call.check_activations(entry.bytes)?;
        let mut arena = entry.arena()?;
        let result = self.run_in(call, &entry, &mut arena, replaced);
        let result = result.map(|(outcome, copies)| {
            replaced.commit(&entry.instance.next, copies, &mut arena);
            outcome
        });
        entry.rest(arena);
        result
    }

    /// The cache entry for the shapes of the call.
    fn entry(&self, call: &Call<'_>) -> Result<Arc<Entry>> {
        let program = &self.selection.program;
        let arguments = program.inputs.iter().filter(|input| input.role != InputRole::Seed).count();
        if (arguments, program.states.len()) != (call.inputs.len(), call.states.len()) {
            return Err(Error::bug("a call with another number of inputs or states than its program"));
        }
        let states = call.states.iter().map(|tensor| tensor.dims());
        let all = call.inputs.iter().map(dims).chain(states);
        self.cache.get(all.flatten().copied(), |key| {
            let mut inputs = call.inputs.iter().map(dims);
            let seed: &[usize] = &[];
            let shapes: Vec<&[usize]> = program
                .inputs
                .iter()
                .map(|input| if input.role == InputRole::Seed { seed } else { inputs.next().unwrap_or(seed) })
                .collect();
            let states: Vec<&[usize]> = call.states.iter().map(|tensor| tensor.dims()).collect();
            let bound = program.bind_all(&shapes, &[], &states)?;
            let instance = Instance::new(&self.selection.root, program, &bound, self.held.values.len())?;
            let work = work(program, &bound)?;
            let outputs = self.output_bytes(&instance)?;
            Entry::new(key, bound, instance, outputs, work)
        })
    }

    /// Runs the steps. Returns the results of the call, and copies of the next values of weights without their own
    /// buffer.
    fn run_in(
        &self,
        call: &Call<'_>,
        entry: &Entry,
        arena: &mut Arena,
        replaced: &Replaced,
    ) -> Result<(Outcome, Vec<Option<Buffer>>)> {
        let seed = Buffer::I64(vec![call.seed.cast_signed()]);
        let opened = self.open(call, &seed)?;
        let given = opened.iter().map(Opened::slice).chain(replaced.slices());
        let outside = given.collect::<Result<Vec<Slice<'_>>>>()?;
        let cpu = self.cpu.with_deadline(call.deadline);
        let cx = Context {
            cpu: &cpu,
            program: &self.selection.program,
            bound: &entry.bound,
            loaded: &self.held.loaded,
            held: self.held.values.len(),
            functions: call.functions,
            deadline: call.deadline,
        };
        entry.instance.run(cx, arena, &outside)?;
        let roots = Ins { sources: &entry.instance.roots, arena, outside: &outside };
        Ok((self.outcome(call, &entry.instance, roots)?, replaced.copies(&entry.instance.next, roots)?))
    }

    /// The memory outside the arena, without replaced weights: the values that the plan holds, the inputs, the states.
    fn open<'a>(&'a self, call: &'a Call<'_>, seed: &'a Buffer) -> Result<Vec<Opened<'a>>> {
        let Self { selection, held, .. } = self;
        let program = &selection.program;
        let mut opened = Vec::with_capacity(held.values.len() + program.inputs.len() + program.states.len());
        for (value, &id) in held.values.iter().zip(&selection.held) {
            opened.push(match value {
                HeldValue::Buffer(buffer) => Opened::Borrowed(buffer, selection.derived.elements(id)),
                HeldValue::Tensor(tensor) => Opened::tensor(tensor, Repr::F32)?,
            });
        }
        let mut arguments = call.inputs.iter();
        for input in &program.inputs {
            let data = if input.role == InputRole::Seed { None } else { arguments.next() };
            opened.push(match data {
                Some(data) => Opened::data(data, Repr::of(input.ty.element)?).map_err(|e| e.at_value(&input.name))?,
                None => Opened::Borrowed(seed, 1),
            });
        }
        for (tensor, state) in call.states.iter().zip(&program.states) {
            opened.push(Opened::tensor(tensor, Repr::of(state.ty.element)?)?);
        }
        Ok(opened)
    }

    /// The type of a root's elements.
    fn element(&self, root: usize) -> ElementType {
        self.selection.program.ty(self.selection.root.roots[root]).element
    }

    /// The bytes of the outputs. Outputs that are one value are copied once.
    fn output_bytes(&self, instance: &Instance) -> Result<u64> {
        let (mut seen, mut bytes) = (HashSet::new(), 0u64);
        for (i, source) in instance.roots.iter().enumerate().take(self.selection.program.body.results.len()) {
            if seen.insert((source.place, &instance.root_dims[i])) {
                bytes = bytes.saturating_add(Repr::of(self.element(i))?.bytes().saturating_mul(source.len as u64));
            }
        }
        Ok(bytes)
    }

    fn outcome(&self, call: &Call<'_>, instance: &Instance, roots: Ins<'_>) -> Result<Outcome> {
        let program = &self.selection.program;
        let results = program.body.results.len();
        let element = |i: usize| self.element(i);
        let (mut outputs, mut seen) = (Vec::<Data>::with_capacity(results), HashMap::new());
        for i in 0..results {
            let first = *seen.entry((instance.roots[i].place, &instance.root_dims[i])).or_insert(i);
            outputs.push(match first == i {
                true => edge::data(roots.slice(i)?, element(i), &instance.root_dims[i])?,
                false => outputs[first].clone(),
            });
        }
        let mut outcome = Outcome { outputs, states: call.states.to_vec() };
        for (i, update) in (results..).zip(&program.updates) {
            if let Target::State(state) = update.target {
                let tensor = edge::tensor(roots.slice(i)?, element(i), &instance.root_dims[i])?;
                let old = outcome.states.get_mut(state.index());
                *old.ok_or_else(|| Error::bug("an update of a state that was not declared"))? = tensor;
            }
        }
        Ok(outcome)
    }
}

fn dims(data: &Data) -> &[usize] {
    match data {
        Data::Tensor(tensor) => tensor.dims(),
        Data::Strings(strings) => strings.shape().dims(),
    }
}
