//! Compares plans with the interpreter.

mod edges;
mod elementwise;
mod fusion;
mod gradients;
mod known;
mod layout;
mod linear;
mod loops;
mod memory;
mod networks;
mod random;
mod recurrent;
mod weights;

use super::buffer::Repr;
use super::edge::{self, Opened};
use super::select::Selection;
use super::{NativePlan, Replaced, prepare};
use crate::engine::call::{Call, OpaqueFunction, Outcome};
use crate::value::Data;
use crate::weights::Weights;
use candle_core::Tensor;
use std::sync::Arc;
use std::time::Instant;
use tfjs_ir::arbitrary::{Choices, inputs};
use tfjs_ir::window::Window;
use tfjs_ir::{Array, Builder, Dim, ElementType, Inputs, Program, Target, Type, Value, interpret};
use tfjs_manifest::Result;

/// `n` pseudo-random numbers between -1 and 1, determined by the seed.
pub(super) fn numbers(n: usize, seed: u64) -> Vec<f64> {
    let stream = tfjs_ir::random::Stream::new(seed, 0);
    (0..n as u64).map(|i| f64::from(stream.uniform(i)) * 2.0 - 1.0).collect()
}

/// A single-precision array.
pub(super) fn floats(dims: &[usize], values: impl IntoIterator<Item = f64>) -> Array {
    Array::floats(dims, values).unwrap()
}

/// A program, its plan, and weights for both.
pub(super) struct Case {
    pub(super) program: Program,
    pub(super) plan: NativePlan,
    pub(super) slots: Vec<Array>,
    pub(super) weights: Weights,
}

impl Case {
    /// Builds a program and its plan, with random weights.
    #[track_caller]
    pub(super) fn new(build: impl FnOnce(&mut Builder) -> Result<Vec<Value>>) -> Self {
        let mut b = Builder::default();
        let outputs = build(&mut b).unwrap();
        let named = outputs.into_iter().enumerate().map(|(i, value)| (format!("y{i}"), value)).collect();
        Case::of(b.finish(named).unwrap())
    }

    /// A plan of a program, with random weights.
    #[track_caller]
    pub(super) fn of(program: Program) -> Self {
        tfjs_ir::verify::verify(&program).unwrap();
        let symbols = vec![1; program.dims.symbols().count()];
        let slots = inputs(&mut Choices::seeded(7), &program, &symbols).unwrap().slots;
        Case::with_weights(program, slots)
    }

    #[track_caller]
    pub(super) fn with_weights(program: Program, slots: Vec<Array>) -> Self {
        let mut weights =
            Weights::of(slots.iter().map(tensor).enumerate().map(|(i, tensor)| (format!("w{i}"), tensor))).unwrap();
        let prepared = prepare::prepare(&program).unwrap();
        let selection = Arc::new(Selection::new(prepared).unwrap());
        let plan = NativePlan::compile(selection, &mut weights, Some(1)).unwrap();
        Case { program, plan, slots, weights }
    }

    /// The descriptions of the steps, without reshapes.
    pub(super) fn kernels(&self) -> Vec<String> {
        let steps = self.plan.selection.root.steps.iter();
        steps.filter_map(|step| step.kernel.as_ref()).map(|kernel| kernel.describe()).collect()
    }

    /// Random inputs for these values of the symbols, in the order of the program's symbols.
    pub(super) fn inputs(&self, symbols: &[u64], seed: u64) -> Inputs {
        let inputs = inputs(&mut Choices::seeded(seed), &self.program, symbols).unwrap();
        Inputs { slots: self.slots.clone(), ..inputs }
    }

    /// Runs the program once, from the weights of the case.
    pub(super) fn run(&self, inputs: &Inputs) -> Result<Outcome> {
        self.run_with(inputs, &[], u64::MAX, None)
    }

    /// The weights that the program replaces, before the first step.
    pub(super) fn replaced(&self) -> Replaced {
        self.plan.replaced(&self.weights).unwrap()
    }

    pub(super) fn run_with(
        &self,
        inputs: &Inputs,
        functions: &[Arc<dyn OpaqueFunction>],
        activation_bytes: u64,
        deadline: Option<Instant>,
    ) -> Result<Outcome> {
        self.step(inputs, functions, activation_bytes, deadline, &mut self.replaced())
    }

    fn step(
        &self,
        inputs: &Inputs,
        functions: &[Arc<dyn OpaqueFunction>],
        activation_bytes: u64,
        deadline: Option<Instant>,
        replaced: &mut Replaced,
    ) -> Result<Outcome> {
        let data: Vec<Data> = inputs.arguments.iter().map(data).collect();
        let states: Vec<Tensor> = inputs.states.iter().flatten().map(tensor).collect();
        let bound = self.program.dims.bind(&[])?;
        let call = Call {
            bound: &bound,
            inputs: &data,
            seed: inputs.seed,
            states: &states,
            functions,
            activation_bytes,
            tokens: 0,
            work: u64::MAX,
            deadline,
        };
        self.plan.step(&call, replaced)
    }

    /// Checks that plan and interpreter agree for random inputs.
    #[track_caller]
    pub(super) fn agrees(&self, symbols: &[u64]) {
        self.agrees_on(&self.inputs(symbols, 3));
    }

    #[track_caller]
    pub(super) fn agrees_on(&self, inputs: &Inputs) {
        self.agrees_in_steps(std::slice::from_ref(inputs));
    }

    /// Checks that plan and interpreter agree for consecutive calls, each with the weights and states of the previous
    /// one.
    #[track_caller]
    pub(super) fn agrees_in_steps(&self, calls: &[Inputs]) {
        let mut replaced = self.replaced();
        let mut slots = self.slots.clone();
        let mut states: Option<Vec<Array>> = None;
        for call in calls {
            // States of another batch size start from their initial values.
            let fits =
                |states: &Vec<Array>| states.iter().map(Array::dims).eq(call.states.iter().flatten().map(Array::dims));
            let states_before = states.take().filter(fits).or_else(|| call.states.clone());
            let call = Inputs { slots: slots.clone(), states: states_before, ..call.clone() };
            let expected = interpret(&self.program, &call);
            let found = self.step(&call, &[], u64::MAX, None, &mut replaced);
            states = call.states;
            match (expected, found) {
                (Ok(expected), Ok(found)) => {
                    for (found, expected) in found.outputs.iter().zip(&expected.outputs) {
                        assert_close(&array(found, expected), expected, &self.program);
                    }
                    for (target, value) in expected.updates {
                        match target {
                            Target::State(state) => {
                                let found = Data::Tensor(found.states[state.index()].clone());
                                assert_close(&array(&found, &value), &value, &self.program);
                                states.as_mut().expect("a call with states")[state.index()] = value;
                            }
                            Target::Slot(slot) => slots[slot.index()] = value,
                        }
                    }
                }
                (Err(expected), Err(found)) => {
                    assert_eq!((found.kind(), found.message()), (expected.kind(), expected.message()));
                }
                (expected, found) => {
                    let (expected, found) = (expected.err(), found.err());
                    panic!("{expected:?} but {found:?}\n{}\n{}", self.program, self.plan.selection.program)
                }
            }
            // A failed call leaves the weights unchanged.
            for current in replaced.tensors() {
                let (slot, tensor) = current.unwrap();
                let expected = &slots[slot.index()];
                assert_close(&array(&Data::Tensor(tensor), expected), expected, &self.program);
            }
        }
    }
}

/// Checks a program for several values of its symbols, and that no step of it runs in the interpreter.
#[track_caller]
pub(super) fn check(build: impl FnOnce(&mut Builder) -> Result<Value>, symbols: &[&[u64]]) {
    let case = Case::new(|b| Ok(vec![build(b)?]));
    let steps = case.plan.to_json();
    let steps = steps["steps"].as_array().expect("a list of steps");
    assert!(steps.iter().all(|step| step["engine"] == "native"), "{steps:?}");
    symbols.iter().for_each(|symbols| case.agrees(symbols));
}

/// The same window along each axis.
pub(super) fn windows(text: &str, axes: usize) -> Vec<Window> {
    vec![text.parse().unwrap(); axes]
}

/// A weight of these dimensions.
pub(super) fn weight(b: &mut Builder, dims: &[usize]) -> Value {
    let dims: Vec<Dim> = dims.iter().map(|&dim| b.number(dim)).collect();
    let name = format!("w{}", b.program().slots.len());
    let slot = b.slot(&name, Type::new(ElementType::F32, dims)).unwrap();
    b.get(Target::Slot(slot)).unwrap()
}

/// An input whose dimensions are numbers or names of symbols.
pub(super) fn input(b: &mut Builder, element: ElementType, dims: &[&str]) -> Value {
    let dims: Vec<Dim> = dims
        .iter()
        .map(|dim| match dim.parse::<usize>() {
            Ok(n) => b.number(n),
            Err(_) => b.dims().symbol(dim),
        })
        .collect();
    let name = format!("x{}", b.program().inputs.len());
    b.input(&name, Type::new(element, dims)).unwrap()
}

pub(super) fn data(array: &Array) -> Data {
    let buffer = edge::buffer_of(array).unwrap();
    edge::data(buffer.slice(array.elements()).unwrap(), array.element(), array.dims()).unwrap()
}

pub(super) fn tensor(array: &Array) -> Tensor {
    match data(array) {
        Data::Tensor(tensor) => tensor,
        Data::Strings(_) => panic!("a tensor of text"),
    }
}

/// Converts a value to an array of the type of another one.
fn array(found: &Data, like: &Array) -> Array {
    let dims = match found {
        Data::Tensor(tensor) => tensor.dims().to_vec(),
        Data::Strings(strings) => strings.shape().dims().to_vec(),
    };
    let opened = Opened::data(found, Repr::of(like.element()).unwrap()).unwrap();
    edge::array(opened.slice().unwrap(), like.element(), &dims).unwrap()
}

#[track_caller]
fn assert_close(found: &Array, expected: &Array, program: &Program) {
    assert_eq!((found.dims(), found.element()), (expected.dims(), expected.element()), "{program}");
    if !expected.element().is_float() {
        assert_eq!(found, expected, "{program}");
        return;
    }
    let (found, expected) = (found.to_floats().unwrap(), expected.to_floats().unwrap());
    let scale = expected.iter().filter(|x| x.is_finite()).fold(1.0f64, |scale, x| scale.max(x.abs()));
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let same = found == expected || (found.is_nan() && expected.is_nan());
        let close = (found - expected).abs() <= 2e-5 * scale;
        assert!(same || close, "element {i}: found {found}, expected {expected}\n{program}");
    }
}
