//! Expansions agree with the interpreter's formulas; tests with random programs are in [`arbitrary`](crate::arbitrary).

use super::*;
use crate::array::Array;
use crate::dim::Dim;
use crate::interpret::{Inputs, interpret};
use crate::prim::PrimKind;
use crate::prim::activate::Activation;
use crate::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};
use crate::prim::source::{Distribution, Random};
use crate::prim::window::PoolOp;
use crate::program::{Origin, Target};
use crate::ty::{ElementType, Type};
use crate::verify::verify;

/// Builds a program with inputs of these types, expands it, and compares both on a call.
#[track_caller]
fn check(
    types: &[(ElementType, &[&str])],
    arguments: &[Array],
    build: impl FnOnce(&mut Builder, &[Value]) -> Result<Vec<Value>>,
) -> Program {
    let mut b = Builder::default();
    let mut values = Vec::new();
    for (element, dims) in types {
        let dims: Vec<Dim> = dims.iter().map(|text| b.dims().parse(text).unwrap()).collect();
        values.push(b.input("x", Type::new(*element, dims)).unwrap());
    }
    let outputs = build(&mut b, &values).unwrap();
    let program = b.finish(outputs.into_iter().map(|value| (String::new(), value)).collect()).unwrap();
    let expanded = expand(&program, &|_| false).unwrap();
    verify(&expanded).unwrap();
    let call = Inputs::of(arguments);
    let (direct, composed) = (interpret(&program, &call).unwrap(), interpret(&expanded, &call).unwrap());
    for (x, y) in direct.outputs.iter().zip(&composed.outputs) {
        assert_eq!((x.element(), x.dims()), (y.element(), y.dims()));
        for (x, y) in x.to_floats().unwrap().into_iter().zip(y.to_floats().unwrap()) {
            let close = x == y || (x - y).abs() <= 2e-6 * x.abs().max(1.0) || x.is_nan() && y.is_nan();
            assert!(close, "{x}, expanded {y}\n{direct:?}\n{composed:?}\n{expanded}");
        }
    }
    expanded
}

fn floats(dims: &[usize], values: &[f64]) -> Array {
    Array::floats(dims, values.iter().copied()).unwrap()
}

/// Small numbers that differ from each other.
fn some(dims: &[usize]) -> Array {
    let count: usize = dims.iter().product();
    floats(dims, &(0..count).map(|i| ((i * 7 + 3) % 11) as f64 / 8.0 - 0.6).collect::<Vec<_>>())
}

macro_rules! every_activation {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: f64,)* } = $text:literal, |$x:ident| $formula:expr;)*) => {
        /// Each function, with all its parameters set to this number.
        fn activations(parameter: f64) -> Vec<Activation> {
            vec![$(Activation::$name { $($field: parameter,)* }),*]
        }
    };
}
crate::for_each_activation!(every_activation);

#[test]
fn every_activation_is_its_formula() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let x = [-inf, -30.0, -2.0, -1.0, -0.5, -1e-3, 0.0, 1e-3, 0.5, 1.0, 2.0, 3.0, 30.0, inf, nan];
    let mut functions: Vec<Activation> = [0.5, 1.0, 0.0].into_iter().flat_map(activations).collect();
    functions.extend([Activation::RELU, Activation::RELU6]);
    functions.push(Activation::Relu { max: 2.0, negative_slope: 0.25, threshold: 0.5 });
    for function in functions {
        if function == (Activation::Celu { alpha: 0.0 }) {
            continue; // divides by 0
        }
        check(&[(ElementType::F32, &["n"])], &[floats(&[x.len()], &x)], |b, v| Ok(vec![b.activate(function, v[0])?]));
    }
}

#[test]
fn floors_are_flat_to_the_end() {
    assert_eq!(Activation::RELU.of(f64::NEG_INFINITY), 0.0);
}

#[test]
fn pools_of_any_window() {
    let windows = [
        "1:valid",
        "2:valid",
        "3/2:same",
        "2/3:same",
        "3:1,2",
        "1/2:1,0",
        "2:causal",
        "100/2:same",
        "150/40:same",
        "90:45,45",
        "70/3:60,80",
        "1125899906842624/1125899906842624:same",
    ];
    for (window, op) in windows.iter().flat_map(|window| PoolOp::ALL.iter().map(move |op| (window, *op))) {
        let window: crate::window::Window = window.parse().unwrap();
        let flat = |b: &mut Builder, v: &[Value]| Ok(vec![b.pool(op, v[0], &[window])?]);
        for n in [2, 5, 128] {
            check(&[(ElementType::F32, &["n", &n.to_string(), "2"])], &[some(&[2, n, 2])], flat);
            if window.size < 1000 {
                check(&[(ElementType::F32, &["n", "w", "2"])], &[some(&[2, n, 2])], flat);
            }
        }
        check(&[(ElementType::F32, &["n", "4", "6", "1"])], &[some(&[1, 4, 6, 1])], |b, v| {
            Ok(vec![b.pool(op, v[0], &["2:same".parse()?, window])?])
        });
    }
    // With many positions, elements are gathered instead of sliced.
    let x = some(&[1, 200, 1]);
    let expanded = check(&[(ElementType::F32, &["n", "w", "1"])], &[x], |b, v| {
        Ok(vec![b.pool(PoolOp::Max, v[0], &["150/2:valid".parse()?])?])
    });
    assert!(expanded.body.nodes.len() < 12);
}

#[test]
fn windows_that_do_not_fit_fail_alike() {
    let mut b = Builder::default();
    let dims = ["n", "w", "1"].map(|text| b.dims().parse(text).unwrap());
    let x = b.input("x", Type::new(ElementType::F32, dims)).unwrap();
    let y = b.pool(PoolOp::Max, x, &["3:valid".parse().unwrap()]).unwrap();
    let program = b.finish(vec![("y".to_string(), y)]).unwrap();
    let expanded = expand(&program, &|_| false).unwrap();
    let message = |program: &Program| interpret(program, &Inputs::of([some(&[1, 2, 1])])).unwrap_err().to_string();
    assert_eq!(message(&program), message(&expanded));
}

#[test]
fn recurrences_with_and_without_masks() {
    for cell in Cell::ALL.iter().copied() {
        for (case, masked_output) in (0..12).flat_map(|case| MaskedOutput::ALL.iter().map(move |m| (case, *m))) {
            let (bias, mask, backwards) = (case & 1 == 1, case & 2 == 2, case >= 8);
            let (units, columns) = (2, 2 * cell.gates());
            let time = if case & 4 == 4 { 0 } else { 3 };
            let rnn = Rnn {
                cell,
                activation: Gate(Some(Activation::Tanh {})),
                recurrent_activation: Gate(Some(Activation::Sigmoid {})),
                backwards,
                bias,
                mask,
                masked_output,
            };
            let dims = |n: usize| n.to_string();
            let (width, double) = (dims(columns), dims(units));
            let mut types: Vec<(ElementType, Vec<&str>)> = vec![
                (ElementType::F32, vec!["batch", "time", "3"]),
                (ElementType::F32, vec!["3", &width]),
                (ElementType::F32, vec![&double, &width]),
            ];
            let mut arguments = vec![some(&[2, time, 3]), some(&[3, columns]), some(&[units, columns])];
            if bias && cell == Cell::GruResetAfter {
                types.push((ElementType::F32, vec!["2", &width]));
                arguments.push(some(&[2, columns]));
            } else if bias {
                types.push((ElementType::F32, vec![&width]));
                arguments.push(some(&[columns]));
            }
            for _ in 0..cell.states() {
                types.push((ElementType::F32, vec!["rows", &double]));
                arguments.push(some(&[2, units]));
            }
            if mask {
                types.push((ElementType::Bool, vec!["batch", "time"]));
                let keep = [false, true, false, true, false, true][..2 * time].to_vec();
                arguments.push(Array::new(ElementType::Bool, [2, time], crate::array::Data::Bool(keep)).unwrap());
            }
            let types: Vec<(ElementType, &[&str])> =
                types.iter().map(|(element, dims)| (*element, &dims[..])).collect();
            check(&types, &arguments, |b, v| b.push(rnn, v));
        }
    }
}

#[test]
fn everything_else_stays() {
    let mut b = Builder::default();
    let n = b.dims().symbol("n");
    let x = b.input("x", Type::new(ElementType::F32, [n])).unwrap();
    let state = b.state("s", Type::new(ElementType::F32, [n]), 0.0).unwrap();
    b.set_origin(Origin { layer: "norm".into(), call: Some(3), ..Origin::default() }).unwrap();
    let y = b.activate(Activation::Sigmoid {}, x).unwrap();
    let z = b.softmax(y, &[0]).unwrap();
    b.set(Target::State(state), z).unwrap();
    let seed = b.seed().unwrap();
    let stream = b.stream();
    let random = b.one(Random { distribution: Distribution::Uniform, dims: vec![n], stream }, &[seed]).unwrap();
    let program = b.finish(vec![("z".to_string(), z), ("random".to_string(), random)]).unwrap();
    let half = expand(&program, &|prim| prim.kind() == PrimKind::Softmax).unwrap();
    let kinds: Vec<PrimKind> = half.body.nodes.iter().map(|node| node.prim.kind()).collect();
    assert!(kinds.contains(&PrimKind::Softmax) && !kinds.contains(&PrimKind::Activate));
    assert_eq!((&half.outputs, half.updates.len(), &half.inputs), (&program.outputs, 1, &program.inputs));
    let exp = half.body.nodes.iter().find(|node| node.prim.name() == "unary").unwrap();
    assert_eq!(&*half.origins[exp.origin.index()].layer, "norm");
    // New streams get unused numbers.
    assert!(Builder::like(&half).stream() > stream);
    assert!(Builder::resume(half).stream() > stream);
    let kept = expand(&program, &|_| true).unwrap();
    assert_eq!(kept.to_string(), program.to_string());
}
