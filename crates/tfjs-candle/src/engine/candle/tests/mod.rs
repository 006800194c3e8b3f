//! The helpers of the engine's tests: a program runs here and in the interpreter, and the results must agree.

mod control;
mod elementwise;
mod index;
mod layout;
mod linear;
mod normalize;
mod random;
mod recurrent;
mod reduce;
mod window;

use super::typed::Typed;
use super::*;
use crate::engine::call::OpaqueFunction;
use crate::value::Data;
use std::sync::Arc;
use tfjs_ir::build::Builder;
use tfjs_ir::verify::verify;
use tfjs_ir::{Array, Data as Elements, Dim, ElementType, Input, InputRole, Inputs, State, Type, Value, interpret};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn floats(dims: &[usize], values: &[f64]) -> Array {
    Array::floats(dims, values.iter().copied()).unwrap()
}

fn ints(dims: &[usize], values: &[i64]) -> Array {
    of_ints(ElementType::I32, dims, values)
}

fn of_ints(element: ElementType, dims: &[usize], values: &[i64]) -> Array {
    Array::new(element, dims, Elements::Int(values.to_vec())).unwrap()
}

fn bools(dims: &[usize], values: &[bool]) -> Array {
    Array::new(ElementType::Bool, dims, Elements::Bool(values.to_vec())).unwrap()
}

fn words(words: &[&str]) -> Array {
    let text = words.iter().map(|&word| word.into()).collect();
    Array::new(ElementType::String, [words.len()], Elements::Text(text)).unwrap()
}

/// Small numbers that differ from each other.
fn some(dims: &[usize]) -> Array {
    let count: usize = dims.iter().product();
    floats(dims, &(0..count).map(|i| ((i * 7 + 3) % 11) as f64 / 8.0 - 0.6).collect::<Vec<_>>())
}

/// The memory layout of a test's inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    RowMajor,
    /// Views whose elements are in another order in memory.
    Turned,
}

/// Builds a program with inputs of these types.
fn build(inputs: &[Array], build: impl FnOnce(&mut Builder, &[Value]) -> tfjs_manifest::Result<Vec<Value>>) -> Program {
    let mut b = Builder::default();
    let mut values = Vec::new();
    for (i, array) in inputs.iter().enumerate() {
        let dims: Vec<Dim> = array.dims().iter().map(|&n| b.number(n)).collect();
        values.push(b.input(&format!("x{i}"), Type::new(array.element(), dims)).unwrap());
    }
    b.set_origin(tfjs_ir::Origin { layer: "layer".into(), call: None, gradient: false }).unwrap();
    let outputs = build(&mut b, &values).unwrap();
    let program = b.finish(outputs.into_iter().map(|value| (String::new(), value)).collect()).unwrap();
    verify(&program).unwrap();
    program
}

/// Runs a program on the CPU. Returns outputs, then the new weights, then the states, as the interpreter would.
fn run(program: &Program, given: &Inputs, layout: Layout) -> tfjs_manifest::Result<Vec<Array>> {
    run_with(program, given, layout, &[])
}

fn run_with(
    program: &Program,
    given: &Inputs,
    layout: Layout,
    functions: &[Arc<dyn OpaqueFunction>],
) -> tfjs_manifest::Result<Vec<Array>> {
    let device = Device::Cpu;
    let mut arguments = given.arguments.iter();
    let seed: &[usize] = &[];
    let dims = |input: &Input| if input.role == InputRole::Seed { seed } else { arguments.next().unwrap().dims() };
    let shapes: Vec<&[usize]> = program.inputs.iter().map(dims).collect();
    let slots: Vec<&[usize]> = given.slots.iter().map(Array::dims).collect();
    let states: Vec<&[usize]> = given.states.iter().flatten().map(Array::dims).collect();
    let bound = program.bind_all(&shapes, &slots, &states)?;

    let engine = CandleEngine::compile(program)?;
    let data = |array: &Array| Typed::from_array(array, &device).and_then(|typed| laid_out(typed, layout)).unwrap();
    let tensor = |array: &Array| match data(array) {
        Data::Tensor(tensor) => tensor,
        Data::Strings(_) => panic!("text among weights or states"),
    };
    let inputs: Vec<Data> = given.arguments.iter().map(data).collect();
    let states: Vec<Tensor> = given.states.iter().flatten().map(tensor).collect();
    let weights: Vec<Tensor> = given.slots.iter().map(tensor).collect();
    let call = Call { seed: given.seed, states: &states, functions, ..Call::plain(&bound, &inputs) };
    let mut weights = Weights::of(weights.into_iter().enumerate().map(|(i, w)| (format!("w{i}"), w)))?;
    let outcome = engine.step(&call, &mut weights, &device)?;

    let elements = program.body.results.iter().map(|&result| program.ty(result).element);
    let mut found = Vec::new();
    for (element, data) in elements.zip(&outcome.outputs) {
        if let Data::Tensor(tensor) = data {
            assert!(tensor.is_contiguous());
        }
        found.push(Typed::adopt(data, element, &device).and_then(|typed| typed.to_array()).map_err(Error::from)?);
    }
    for update in &program.updates {
        let (element, tensor) = match update.target {
            Target::Slot(slot) => {
                let tensor = weights.tensor(tfjs_topology::graph::SlotId(slot.index()))?;
                (program.slots[slot.index()].ty.element, tensor)
            }
            Target::State(state) => {
                let State { ty, .. } = &program.states[state.index()];
                (ty.element, outcome.states[state.index()].clone())
            }
        };
        found.push(Typed::new(element, tensor).to_array().map_err(Error::from)?);
    }
    Ok(found)
}

fn laid_out(typed: Typed, layout: Layout) -> Result<Data> {
    match (typed.into_data()?, layout) {
        (Data::Tensor(tensor), Layout::Turned) if tensor.rank() > 1 => {
            let back: Vec<usize> = (0..tensor.rank()).rev().collect();
            Ok(Data::Tensor(tensor.permute(back.clone())?.contiguous()?.permute(back)?))
        }
        (data, _) => Ok(data),
    }
}

/// The results of the interpreter, in the order of [`run`].
fn reference(program: &Program, given: &Inputs) -> tfjs_manifest::Result<Vec<Array>> {
    let outcome = interpret(program, given)?;
    Ok(outcome.outputs.into_iter().chain(outcome.updates.into_iter().map(|(_, array)| array)).collect())
}

/// Fails unless two arrays agree: exactly for integers and truth values, otherwise within `tolerance` times the largest
/// number.
#[track_caller]
fn assert_close(found: &Array, expected: &Array, tolerance: f64, what: &dyn std::fmt::Display) {
    assert_eq!((found.element(), found.dims()), (expected.element(), expected.dims()), "{what}");
    if !expected.element().is_float() {
        assert_eq!(found, expected, "{what}");
        return;
    }
    let (found, expected) = (found.to_floats().unwrap(), expected.to_floats().unwrap());
    let scale = expected.iter().filter(|x| x.is_finite()).fold(1.0f64, |most, x| most.max(x.abs()));
    let same = |(&x, &y): (&f64, &f64)| x == y || (x - y).abs() <= tolerance * scale || x.is_nan() && y.is_nan();
    assert!(found.iter().zip(&expected).all(same), "found {found:?}, expected {expected:?}\n{what}");
}

/// Runs a program here and in the interpreter, with different memory layouts of the inputs.
#[track_caller]
fn check(inputs: &[Array], f: impl FnOnce(&mut Builder, &[Value]) -> tfjs_manifest::Result<Vec<Value>>) {
    check_within(2e-6, inputs, f);
}

#[track_caller]
fn check_within(
    tolerance: f64,
    inputs: &[Array],
    f: impl FnOnce(&mut Builder, &[Value]) -> tfjs_manifest::Result<Vec<Value>>,
) {
    let program = build(inputs, f);
    let given = Inputs { seed: 5, ..Inputs::of(inputs) };
    let expected = reference(&program, &given).unwrap();
    for layout in [Layout::RowMajor, Layout::Turned] {
        let found = run(&program, &given, layout).unwrap_or_else(|e| panic!("{e}\n{program}"));
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(found, expected, tolerance, &program);
        }
    }
}

/// Runs a program that must fail here with the same error as in the interpreter.
#[track_caller]
fn check_error(inputs: &[Array], f: impl FnOnce(&mut Builder, &[Value]) -> tfjs_manifest::Result<Vec<Value>>) -> Error {
    let program = build(inputs, f);
    let given = Inputs::of(inputs);
    let (found, expected) = (run(&program, &given, Layout::RowMajor), reference(&program, &given));
    let (found, expected) = (found.unwrap_err(), expected.unwrap_err());
    assert_eq!((found.kind(), found.to_string()), (expected.kind(), expected.to_string()));
    found
}
