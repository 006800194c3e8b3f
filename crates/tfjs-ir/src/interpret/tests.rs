//! Tables of results for each rule.

use super::*;
use crate::build::{Builder, Loop};
use crate::dim::Dim;
use crate::prim::activate::Activation;
use crate::prim::control::Opaque;
use crate::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use crate::prim::host::{Cross, Lookup, Spread, ToText, Tokens, Unknown, Vocabulary};
use crate::prim::index::Bounds;
use crate::prim::layout::{Padding, Range};
use crate::prim::normalize::{BatchNorm, Norm, Normalize, Softmax};
use crate::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};
use crate::prim::reduce::{Extreme, ReduceOp, RunningOp};
use crate::prim::source::{Distribution, Random};
use crate::prim::window::PoolOp;
use crate::program::{OpaqueId, Origin, Value};
use crate::window::Window;
use std::sync::Arc;
use tfjs_manifest::Kind;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// Builds a program with inputs of these types and evaluates it.
fn try_eval(inputs: &[Array], build: impl FnOnce(&mut Builder, &[Value]) -> Result<Vec<Value>>) -> Result<Vec<Array>> {
    let mut b = Builder::default();
    let mut values = Vec::new();
    for array in inputs {
        let dims: Vec<Dim> = array.dims().iter().map(|&n| b.number(n)).collect();
        values.push(b.input("x", Type::new(array.element(), dims))?);
    }
    b.set_origin(Origin { layer: "layer".into(), ..Origin::default() })?;
    let outputs = build(&mut b, &values)?;
    let program = b.finish(outputs.into_iter().map(|value| (String::new(), value)).collect())?;
    crate::verify::verify(&program)?;
    interpret(&program, &Inputs::of(inputs)).map(|outcome| outcome.outputs)
}

#[track_caller]
fn eval(inputs: &[Array], build: impl FnOnce(&mut Builder, &[Value]) -> Result<Vec<Value>>) -> Vec<Array> {
    try_eval(inputs, build).unwrap()
}

/// One result.
#[track_caller]
fn one(inputs: &[Array], build: impl FnOnce(&mut Builder, &[Value]) -> Result<Value>) -> Array {
    eval(inputs, |b, values| Ok(vec![build(b, values)?])).remove(0)
}

fn floats(dims: &[usize], values: &[f64]) -> Array {
    Array::floats(dims, values.iter().copied()).unwrap()
}

fn ints(dims: &[usize], values: &[i64]) -> Array {
    Array::new(ElementType::I32, dims, Data::Int(values.to_vec())).unwrap()
}

fn longs(dims: &[usize], values: &[i64]) -> Array {
    Array::new(ElementType::I64, dims, Data::Int(values.to_vec())).unwrap()
}

fn bools(dims: &[usize], values: &[bool]) -> Array {
    Array::new(ElementType::Bool, dims, Data::Bool(values.to_vec())).unwrap()
}

fn words(words: &[&str]) -> Array {
    let text = words.iter().map(|&word| word.into()).collect();
    Array::new(ElementType::String, [words.len()], Data::Text(text)).unwrap()
}

/// Compares numbers within single precision; NaN equals NaN.
#[track_caller]
fn close(found: &Array, dims: &[usize], expected: &[f64]) {
    assert_eq!(found.dims(), dims);
    let found = found.to_floats().unwrap();
    let same = |(&a, &b): (&f64, &f64)| a == b || (a - b).abs() <= 1e-6 * b.abs().max(1.0) || a.is_nan() && b.is_nan();
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(same), "{found:?}, expected {expected:?}");
}

#[track_caller]
fn unary(op: UnaryOp, x: &[f64], expected: &[f64]) {
    close(&one(&[floats(&[x.len()], x)], |b, v| b.unary(op, v[0])), &[x.len()], expected);
}

#[test]
fn functions_of_one_number() {
    unary(UnaryOp::Neg, &[1.0, -2.0], &[-1.0, 2.0]);
    unary(UnaryOp::Sign, &[-3.0, 0.0, 2.0, NAN], &[-1.0, 0.0, 1.0, NAN]);
    unary(UnaryOp::RoundEven, &[0.5, 1.5, 2.5, -0.5, 2.6], &[0.0, 2.0, 2.0, 0.0, 3.0]);
    unary(UnaryOp::Rsqrt, &[4.0, 0.0, -1.0], &[0.5, INF, NAN]);
    unary(UnaryOp::Log1p, &[0.0, -1.0], &[0.0, -INF]);
    unary(UnaryOp::Erf, &[0.5], &[0.520_499_9]);
    unary(UnaryOp::IsNan, &[NAN, INF, 1.0], &[1.0, 0.0, 0.0]);
    unary(UnaryOp::IsFinite, &[NAN, INF, 1.0], &[0.0, 0.0, 1.0]);
    let lowest = i64::from(i32::MIN);
    assert_eq!(one(&[ints(&[2], &[lowest, 3])], |b, v| b.unary(UnaryOp::Neg, v[0])), ints(&[2], &[lowest, -3]));
    assert_eq!(one(&[ints(&[2], &[lowest, -3])], |b, v| b.unary(UnaryOp::Abs, v[0])), ints(&[2], &[lowest, 3]));
    assert_eq!(one(&[bools(&[1], &[true])], |b, v| b.unary(UnaryOp::Not, v[0])), bools(&[1], &[false]));
}

#[track_caller]
fn binary(op: BinaryOp, a: &[f64], b: &[f64], expected: &[f64]) {
    let inputs = [floats(&[a.len()], a), floats(&[b.len()], b)];
    close(&one(&inputs, |b, v| b.binary(op, v[0], v[1])), &[a.len()], expected);
}

#[track_caller]
fn binary_ints(op: BinaryOp, a: &[i64], b: &[i64], expected: &[i64]) {
    let inputs = [ints(&[a.len()], a), ints(&[b.len()], b)];
    assert_eq!(one(&inputs, |b, v| b.binary(op, v[0], v[1])), ints(&[a.len()], expected));
}

#[test]
fn functions_of_two_numbers() {
    binary(BinaryOp::FloorDiv, &[7.0, -7.0, 7.0, 1.0], &[2.0, 2.0, -2.0, 0.0], &[3.0, -4.0, -4.0, INF]);
    // 1 / 0.1 is a little less than 10 before it is rounded to single precision.
    binary(BinaryOp::FloorDiv, &[1.0], &[0.1], &[10.0]);
    binary(BinaryOp::Mod, &[7.0, -7.0, 7.0, 1.0], &[3.0, 3.0, -3.0, 0.0], &[1.0, 2.0, -2.0, NAN]);
    binary(BinaryOp::Pow, &[-2.0, -2.0, 0.0], &[3.0, 0.5, 0.0], &[-8.0, NAN, 1.0]);
    binary(BinaryOp::Max, &[1.0, NAN, 1.0], &[2.0, 1.0, NAN], &[2.0, NAN, NAN]);
    binary(BinaryOp::Min, &[1.0, NAN, 1.0], &[2.0, 1.0, NAN], &[1.0, NAN, NAN]);
    let (lowest, highest) = (i64::from(i32::MIN), i64::from(i32::MAX));
    binary_ints(BinaryOp::Add, &[highest], &[1], &[lowest]);
    binary_ints(BinaryOp::Mul, &[1 << 20], &[1 << 13], &[0]);
    binary_ints(BinaryOp::FloorDiv, &[7, -7, 7, 5, lowest], &[2, 2, -2, 0, -1], &[3, -4, -4, 0, lowest]);
    binary_ints(BinaryOp::Mod, &[7, -7, 7, 5, lowest], &[3, 3, -3, 0, -1], &[1, 2, -2, 0, 0]);
    binary_ints(BinaryOp::Pow, &[3, 2, 2, -1, 1, 0, 2], &[4, 31, -1, -3, -9, 0, 64], &[81, lowest, 0, -1, 1, 1, 0]);
    binary_ints(BinaryOp::And, &[6], &[3], &[2]);
    binary_ints(BinaryOp::Xor, &[6], &[3], &[5]);
    let bytes = |n: i64| Array::new(ElementType::U8, [1], Data::Int(vec![n])).unwrap();
    assert_eq!(one(&[bytes(3), bytes(5)], |b, v| b.sub(v[0], v[1])), bytes(254));
    let outer = one(&[floats(&[2, 1], &[1.0, 2.0]), floats(&[3], &[10.0, 20.0, 30.0])], |b, v| b.add(v[0], v[1]));
    close(&outer, &[2, 3], &[11.0, 21.0, 31.0, 12.0, 22.0, 32.0]);
}

#[test]
fn comparisons_choices_casts() {
    let x = floats(&[3], &[1.0, NAN, 3.0]);
    let compare = |op, expected| {
        assert_eq!(one(std::slice::from_ref(&x), |b, v| b.compare_scalar(op, v[0], 1.0)), bools(&[3], expected));
    };
    compare(CompareOp::Eq, &[true, false, false]);
    compare(CompareOp::Ne, &[false, true, true]);
    compare(CompareOp::Ge, &[true, false, true]);
    let inputs = [bools(&[2, 1], &[true, false]), floats(&[2], &[1.0, 2.0]), floats(&[], &[9.0])];
    close(&one(&inputs, |b, v| b.select(v[0], v[1], v[2])), &[2, 2], &[1.0, 2.0, 9.0, 9.0]);
    let cast = |x: &Array, to| one(std::slice::from_ref(x), |b, v| b.cast(v[0], to));
    let x = floats(&[6], &[1.9, -1.9, NAN, INF, -INF, 300.0]);
    let (lowest, highest) = (i64::from(i32::MIN), i64::from(i32::MAX));
    assert_eq!(cast(&x, ElementType::I32), ints(&[6], &[1, -1, 0, highest, lowest, 300]));
    assert_eq!(cast(&x, ElementType::U8).to_ints().unwrap(), [1, 0, 0, 255, 0, 255]);
    assert_eq!(cast(&floats(&[2], &[0.0, NAN]), ElementType::Bool), bools(&[2], &[false, true]));
    assert_eq!(cast(&longs(&[1], &[(1 << 32) + 5]), ElementType::I32), ints(&[1], &[5]));
    close(&cast(&bools(&[2], &[true, false]), ElementType::F32), &[2], &[1.0, 0.0]);
}

#[test]
fn reductions() {
    let reduce =
        |x: &Array, op, axes: &[usize], keep| one(std::slice::from_ref(x), |b, v| b.reduce(op, v[0], axes, keep));
    let x = floats(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    close(&reduce(&x, ReduceOp::Sum, &[1], false), &[2], &[6.0, 15.0]);
    close(&reduce(&x, ReduceOp::Mean, &[0], true), &[1, 3], &[2.5, 3.5, 4.5]);
    close(&reduce(&x, ReduceOp::Prod, &[0, 1], false), &[], &[720.0]);
    close(&reduce(&floats(&[2], &[NAN, 1.0]), ReduceOp::Max, &[0], false), &[], &[NAN]);
    let none = floats(&[2, 0], &[]);
    close(&reduce(&none, ReduceOp::Sum, &[1], false), &[2], &[0.0, 0.0]);
    close(&reduce(&none, ReduceOp::Mean, &[1], false), &[2], &[NAN, NAN]);
    close(&reduce(&none, ReduceOp::Max, &[1], false), &[2], &[-INF, -INF]);
    close(&reduce(&none, ReduceOp::Prod, &[0], false), &[0], &[]);
    assert_eq!(reduce(&ints(&[0], &[]), ReduceOp::Min, &[0], false), ints(&[], &[i64::from(i32::MAX)]));
    let truth = bools(&[2, 2], &[true, false, true, true]);
    assert_eq!(reduce(&truth, ReduceOp::All, &[1], false), bools(&[2], &[false, true]));
    assert_eq!(reduce(&truth, ReduceOp::Any, &[1], false), bools(&[2], &[true, true]));
    let sum = one(&[x], |b, v| b.sum_to(v[0], &[Dim::ONE]));
    close(&sum, &[1], &[21.0]);
}

#[test]
fn positions_running_sums_sorting() {
    let arg = |x: &[f64], op| one(&[floats(&[x.len()], x)], |b, v| b.arg_reduce(op, v[0], 0, ElementType::I64));
    assert_eq!(arg(&[1.0, 3.0, 3.0], Extreme::Max), longs(&[], &[1]));
    assert_eq!(arg(&[1.0, 0.0, 0.0], Extreme::Min), longs(&[], &[1]));
    assert_eq!(arg(&[1.0, NAN, 3.0, NAN], Extreme::Max), longs(&[], &[1]));
    assert_eq!(arg(&[], Extreme::Min), longs(&[], &[0]));
    let x = floats(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let run = |op, axis, reverse, exclusive| {
        one(std::slice::from_ref(&x), |b, v| b.cumulative(op, v[0], axis, reverse, exclusive))
    };
    close(&run(RunningOp::Sum, 0, false, false), &[2, 2], &[1.0, 2.0, 4.0, 6.0]);
    close(&run(RunningOp::Sum, 1, true, true), &[2, 2], &[2.0, 0.0, 4.0, 0.0]);
    close(&run(RunningOp::Prod, 1, false, true), &[2, 2], &[1.0, 1.0, 1.0, 3.0]);
    let sort = |x: &[f64], descending| {
        eval(&[floats(&[x.len()], x)], |b, v| b.sort(v[0], 0, descending).map(|(values, from)| vec![values, from]))
    };
    let sorted = sort(&[2.0, NAN, 1.0, 2.0], false);
    close(&sorted[0], &[4], &[1.0, 2.0, 2.0, NAN]);
    assert_eq!(sorted[1], longs(&[4], &[2, 0, 3, 1]));
    let sorted = sort(&[2.0, NAN, 1.0, 2.0], true);
    close(&sorted[0], &[4], &[2.0, 2.0, 1.0, NAN]);
    assert_eq!(sorted[1], longs(&[4], &[0, 3, 2, 1]));
}

#[test]
fn rearrangements() {
    let x = floats(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let one =
        |build: &dyn Fn(&mut Builder, Value) -> Result<Value>| one(std::slice::from_ref(&x), |b, v| build(b, v[0]));
    let range = |b: &mut Builder, start, len, step| Range { start: b.number(start), len: b.number(len), step };
    close(&one(&|b, x| b.transpose(x, &[1, 0])), &[3, 2], &[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    let reversed = one(&|b, x| b.reverse(x, &[0, 1]));
    close(&reversed, &[2, 3], &[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    let every_other = one(&|b, x| {
        let range = range(b, 0, 2, 2);
        b.slice_axis(x, 1, range)
    });
    close(&every_other, &[2, 2], &[1.0, 3.0, 4.0, 6.0]);
    let nothing = one(&|b, x| {
        let range = range(b, 3, 0, 5);
        b.slice_axis(x, 1, range)
    });
    close(&nothing, &[2, 0], &[]);
    let padded = one(&|b, x| {
        let inside = Padding { interior: 1, ..Padding::NONE };
        b.pad(x, &[Padding { low: Dim::ONE, ..Padding::NONE }, inside], -1.0)
    });
    let m = -1.0;
    close(&padded, &[3, 5], &[m, m, m, m, m, 1.0, m, 2.0, m, 3.0, 4.0, m, 5.0, m, 6.0]);
    close(&one(&|b, x| b.concat(&[x, x], 1)), &[2, 6], &[1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 4.0, 5.0, 6.0]);
    let repeated = one(&|b, x| {
        let column = b.columns(x, Dim::ZERO, Dim::ONE)?;
        let two = b.number(2);
        b.broadcast(column, &[two, two, two], &[1, 2])
    });
    close(&repeated, &[2, 2, 2], &[1.0, 1.0, 4.0, 4.0, 1.0, 1.0, 4.0, 4.0]);
}

#[test]
fn indices() {
    let x = floats(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let gather = |indices: &[i64], axis, bounds| {
        let inputs = [x.clone(), longs(&[indices.len()], indices)];
        try_eval(&inputs, |b, v| Ok(vec![b.gather(v[0], v[1], axis, bounds)?])).map(|mut out| out.remove(0))
    };
    close(&gather(&[2, 0], 0, Bounds::Error).unwrap(), &[2, 2], &[5.0, 6.0, 1.0, 2.0]);
    close(&gather(&[-7, 9], 1, Bounds::Clamp).unwrap(), &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let error = gather(&[0, 3], 0, Bounds::Error).unwrap_err();
    assert_eq!(error.to_string(), "layer `layer`: index `3` is not in a table of 3 rows; expected 0 to 2");
    assert_eq!(error.kind(), Kind::Mismatch);
    assert_eq!(gather(&[-1], 0, Bounds::Error).unwrap_err().kind(), Kind::Mismatch);
    let added = one(&[x, ints(&[2], &[1, 1]), floats(&[2, 2], &[1.0, 1.0, 2.0, 2.0])], |b, v| {
        b.scatter_add(v[0], v[1], v[2], 0)
    });
    close(&added, &[3, 2], &[1.0, 2.0, 6.0, 7.0, 5.0, 6.0]);
    let hot = one(&[ints(&[3], &[1, -1, 2])], |b, v| {
        let two = b.number(2);
        b.one_hot(v[0], two, ElementType::F32)
    });
    close(&hot, &[3, 2], &[0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn contractions() {
    let (a, b) = (floats(&[2, 2], &[1.0, 2.0, 3.0, 4.0]), floats(&[2, 2], &[5.0, 6.0, 7.0, 8.0]));
    let dot = |batch: &[(usize, usize)], contract: &[(usize, usize)]| {
        one(&[a.clone(), b.clone()], |builder, v| builder.dot(v[0], v[1], batch, contract))
    };
    close(&dot(&[], &[(1, 0)]), &[2, 2], &[19.0, 22.0, 43.0, 50.0]);
    close(&dot(&[], &[(0, 1)]), &[2, 2], &[23.0, 31.0, 34.0, 46.0]);
    close(&dot(&[(0, 0)], &[(1, 1)]), &[2], &[17.0, 53.0]);
    close(&dot(&[], &[(0, 0), (1, 1)]), &[], &[70.0]);
    let empty = one(&[floats(&[2, 0], &[]), floats(&[0, 1], &[])], |b, v| b.matmul(v[0], v[1]));
    close(&empty, &[2, 1], &[0.0, 0.0]);
}

#[test]
fn convolutions_and_their_transposes() {
    let window: Window = "2/1:1,0".parse().unwrap();
    let x = floats(&[1, 3, 1], &[1.0, 2.0, 3.0]);
    let kernel = floats(&[2, 1, 1], &[10.0, 1.0]);
    let y = one(&[x.clone(), kernel.clone()], |b, v| b.conv(v[0], v[1], &[window], 1));
    close(&y, &[1, 3, 1], &[1.0, 12.0, 23.0]);
    let dx = one(&[x.clone(), kernel], |b, v| {
        let three = b.number(3);
        b.conv_input(v[0], v[1], &[window], 1, &[three])
    });
    close(&dx, &[1, 3, 1], &[21.0, 32.0, 3.0]);
    let dk = one(&[x.clone(), x], |b, v| b.conv_kernel(v[0], v[1], &[window], 1));
    close(&dk, &[2, 1, 1], &[8.0, 14.0]);
    // Two groups of one channel, each with two filters; dilation 2 over the second axis.
    let windows: [Window; 2] = ["1:valid".parse().unwrap(), "2/1*2:same".parse().unwrap()];
    let x = floats(&[1, 1, 3, 2], &[1.0, 10.0, 2.0, 20.0, 3.0, 30.0]);
    let kernel = floats(&[1, 2, 1, 4], &[1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0]);
    let y = one(&[x, kernel], |b, v| b.conv(v[0], v[1], &windows, 2));
    close(&y, &[1, 1, 3, 4], &[0.0, 2.0, 20.0, 0.0, 1.0, 3.0, 30.0, 10.0, 2.0, 0.0, 0.0, 20.0]);
}

#[test]
fn pools() {
    let x = floats(&[1, 3, 1], &[-1.0, -2.0, -3.0]);
    let pool = |op, window: &str| one(std::slice::from_ref(&x), |b, v| b.pool(op, v[0], &[window.parse().unwrap()]));
    close(&pool(PoolOp::Max, "3:same"), &[1, 3, 1], &[-1.0, -1.0, -2.0]);
    close(&pool(PoolOp::Mean, "3:same"), &[1, 3, 1], &[-1.5, -2.0, -2.5]);
    close(&pool(PoolOp::Sum, "2/2:valid"), &[1, 1, 1], &[-3.0]);
    close(&pool(PoolOp::Mean, "1125899906842624/1125899906842624:same"), &[1, 1, 1], &[-2.0]);
    close(&pool(PoolOp::Max, "1:1,0"), &[1, 4, 1], &[-INF, -1.0, -2.0, -3.0]);
    let x = floats(&[1, 2, 2, 1], &[1.0, 2.0, 3.0, 4.0]);
    let windows: [Window; 2] = ["2:valid".parse().unwrap(), "1:valid".parse().unwrap()];
    close(&one(&[x], |b, v| b.pool(PoolOp::Max, v[0], &windows)), &[1, 1, 2, 1], &[3.0, 4.0]);
}

#[test]
fn normalizations() {
    let x = floats(&[2, 2], &[1.0, 3.0, 0.0, 4.0]);
    let softmax =
        |axes: &[usize], log| one(std::slice::from_ref(&x), |b, v| b.one(Softmax { axes: axes.to_vec(), log }, v));
    let (p, q) = (1.0 / (1.0 + 2f64.exp()), 1.0 / (1.0 + 4f64.exp()));
    close(&softmax(&[1], false), &[2, 2], &[p, 1.0 - p, q, 1.0 - q]);
    close(&softmax(&[1], true), &[2, 2], &[p.ln(), (1.0 - p).ln(), q.ln(), (1.0 - q).ln()]);
    assert!((softmax(&[0, 1], false).to_floats().unwrap().iter().sum::<f64>() - 1.0).abs() < 1e-6);
    let moments = eval(std::slice::from_ref(&x), |b, v| b.moments(v[0], &[1]).map(|(m, v)| vec![m, v]));
    close(&moments[0], &[2, 1], &[2.0, 2.0]);
    close(&moments[1], &[2, 1], &[1.0, 4.0]);
    let normalize = |norm, epsilon| {
        let prim = Normalize { norm, axes: vec![1], epsilon, scale: true, center: true };
        one(&[x.clone(), floats(&[2], &[1.0, 2.0]), floats(&[1], &[1.0])], |b, v| b.one(prim, v))
    };
    close(&normalize(Norm::Layer, 0.0), &[2, 2], &[0.0, 3.0, 0.0, 3.0]);
    close(&normalize(Norm::Rms, 4.0), &[2, 2], &[1.0 / 3.0 + 1.0, 3.0, 1.0, 8.0 / 12f64.sqrt() + 1.0]);
    close(&normalize(Norm::L2, 25.0), &[2, 2], &[1.2, 2.2, 1.0, 2.6]);
    close(&normalize(Norm::Deviation, 0.0), &[2, 2], &[2.0, 7.0, 1.0, 5.0]);
    let inputs = [x, floats(&[2], &[1.0, 2.0]), floats(&[2], &[3.0, 0.0]), floats(&[2], &[10.0, 20.0])];
    let prim = BatchNorm { epsilon: 1.0, scale: false, center: true };
    close(&one(&inputs, |b, v| b.one(prim, v)), &[2, 2], &[10.0, 21.0, 9.5, 22.0]);
}

#[test]
fn activations() {
    let x = floats(&[3], &[-1.0, 0.0, 7.0]);
    let activate = |function| one(std::slice::from_ref(&x), |b, v| b.activate(function, v[0]));
    close(&activate(Activation::RELU6), &[3], &[0.0, 0.0, 6.0]);
    close(&activate(Activation::Sigmoid {}), &[3], &[0.268_941_4, 0.5, 0.999_089]);
}

/// `h' = x + 2 h` over the sequence 1, 10, 100; the first two results and the final state.
fn recurrence(cell: Rnn, mask: Option<[bool; 3]>, h: f64) -> Vec<Array> {
    let x = floats(&[1, 3, 1], &[1.0, 10.0, 100.0]);
    let mut inputs = vec![x, floats(&[1, 1], &[1.0]), floats(&[1, 1], &[2.0]), floats(&[1, 1], &[h])];
    inputs.extend(mask.map(|mask| bools(&[1, 3], &mask)));
    eval(&inputs, |b, v| b.push(cell, v))
}

#[test]
fn recurrences() {
    let simple = |backwards, masked_output| Rnn {
        cell: Cell::Simple,
        activation: Gate(None),
        recurrent_activation: Gate(None),
        backwards,
        bias: false,
        mask: false,
        masked_output,
    };
    let found = recurrence(simple(false, MaskedOutput::Previous), None, 1.0);
    close(&found[0], &[1, 3, 1], &[3.0, 16.0, 132.0]);
    close(&found[1], &[1, 1], &[132.0]);
    close(&found[2], &[1, 1], &[132.0]);
    close(&recurrence(simple(true, MaskedOutput::Previous), None, 0.0)[0], &[1, 3, 1], &[100.0, 210.0, 421.0]);
    let masked = |masked_output, mask| recurrence(Rnn { mask: true, ..simple(false, masked_output) }, Some(mask), 5.0);
    close(&masked(MaskedOutput::Previous, [false, true, false])[0], &[1, 3, 1], &[0.0, 20.0, 20.0]);
    close(&masked(MaskedOutput::State, [false, true, false])[0], &[1, 3, 1], &[5.0, 20.0, 20.0]);
    let zeros = masked(MaskedOutput::Zeros, [false, true, false]);
    close(&zeros[0], &[1, 3, 1], &[0.0, 20.0, 0.0]);
    close(&zeros[1], &[1, 1], &[0.0]);
    close(&zeros[2], &[1, 1], &[20.0]);
}

#[test]
fn gated_recurrences() {
    // One step of one unit: the sums are 1, 2, 3, 4 from the input and 0.5 times each column of the state.
    let x = floats(&[1, 1, 1], &[1.0]);
    let weights = |gates: usize| {
        let numbers: Vec<f64> = (1..=gates).map(|n| n as f64).collect();
        (floats(&[1, gates], &numbers), floats(&[1, gates], &vec![0.5; gates]))
    };
    let run = |cell: Cell, bias: Option<Array>| {
        let (kernel, recurrent) = weights(cell.gates());
        let mut inputs = vec![x.clone(), kernel, recurrent];
        let prim = Rnn {
            cell,
            activation: Gate(None),
            recurrent_activation: Gate(Some(Activation::Clip { low: 0.0, high: 0.5 })),
            backwards: false,
            bias: bias.is_some(),
            mask: false,
            masked_output: MaskedOutput::Previous,
        };
        inputs.extend(bias);
        inputs.extend(std::iter::repeat_n(floats(&[1, 1], &[2.0]), cell.states()));
        eval(&inputs, |b, v| b.push(prim, v)).into_iter().map(|array| array.to_floats().unwrap()[0]).collect::<Vec<_>>()
    };
    // Gates are clipped to 0.5: c = 0.5 * 2 + 0.5 * (3 + 1), h = 0.5 c.
    assert_eq!(run(Cell::Lstm, None), [1.5, 1.5, 1.5, 3.0]);
    // 0.5 * 2 + 0.5 * (3 + 0.5 * 0.5 * 2).
    assert_eq!(run(Cell::Gru, None), [2.75, 2.75, 2.75]);
    // 0.5 * 2 + 0.5 * (3 + 1 + 0.5 * (1 + 4)).
    let bias = floats(&[2, 3], &[0.0, 0.0, 1.0, 0.0, 0.0, 4.0]);
    assert_eq!(run(Cell::GruResetAfter, Some(bias)), [4.25, 4.25, 4.25]);
}

#[test]
fn loops() {
    let scan = |length: usize, reverse| {
        let x = floats(&[2, length], &(0..2 * length).map(|n| n as f64).collect::<Vec<_>>());
        eval(&[floats(&[2], &[100.0, 200.0]), x, floats(&[], &[2.0])], |b, v| {
            let length = b.number(length);
            let over = Loop { carries: &v[..1], sequences: &v[1..2], invariants: &v[2..], length, axis: 1, reverse };
            let (mut finals, collected) = b.scan(over, |b, carry, x, factor| {
                let scaled = b.mul(x[0], factor[0])?;
                let sum = b.add(carry[0], scaled)?;
                Ok((vec![sum], vec![sum]))
            })?;
            finals.extend(collected);
            Ok(finals)
        })
    };
    let forwards = scan(3, false);
    close(&forwards[0], &[2], &[106.0, 224.0]);
    close(&forwards[1], &[2, 3], &[100.0, 102.0, 106.0, 206.0, 214.0, 224.0]);
    close(&scan(3, true)[1], &[2, 3], &[106.0, 106.0, 104.0, 224.0, 218.0, 210.0]);
    let none = scan(0, false);
    close(&none[0], &[2], &[100.0, 200.0]);
    close(&none[1], &[2, 0], &[]);
}

#[test]
fn text() {
    let vocabulary = Arc::new(Vocabulary::new(Tokens::Text(vec!["a".into(), "b".into()]), 2));
    let lookup = |unknown| Lookup {
        vocabulary: vocabulary.clone(),
        unknown,
        mask_text: Some("".into()),
        mask_number: None,
        masked: 0,
    };
    let found = one(&[words(&["b", "x", "", "a"])], |b, v| {
        b.one(lookup(Unknown::Index { first: 1, count: 1, spread: Spread::Modulo }), v)
    });
    assert_eq!(found, longs(&[4], &[3, 1, 0, 2]));
    let error = try_eval(&[words(&["q"])], |b, v| b.push(lookup(Unknown::Error), v)).unwrap_err();
    assert_eq!(error.message(), "`q` is not in the vocabulary, and `num_oov_indices` is 0");
    assert_eq!(error.kind(), Kind::Mismatch);
    let numbers = Arc::new(Vocabulary::new(Tokens::Numbers(vec![10, 20]), 2));
    let prim = Lookup {
        vocabulary: numbers,
        unknown: Unknown::Index { first: 0, count: 2, spread: Spread::Modulo },
        mask_text: None,
        mask_number: None,
        masked: 0,
    };
    assert_eq!(one(&[longs(&[4], &[20, 5, 6, -1])], |b, v| b.one(prim, v)), longs(&[4], &[3, 1, 0, 1]));
    let to_text = |unknown| ToText { vocabulary: vocabulary.clone(), unknown };
    assert_eq!(one(&[longs(&[3], &[3, 2, -1])], |b, v| b.one(to_text(Some(0)), v)), words(&["b", "a", "a"]));
    let error = try_eval(&[longs(&[1], &[9])], |b, v| b.push(to_text(None), v)).unwrap_err();
    assert_eq!(error.message(), "index `9` is not in the vocabulary");
}

#[test]
fn tokens_in_buckets() {
    // Computed by TensorFlow: `to_hash_bucket_fast`, `to_hash_bucket_strong`, `sparse.cross_hashed`.
    let none = |tokens| Arc::new(Vocabulary::new(tokens, 0));
    let dealt = |tokens, spread| Lookup {
        vocabulary: none(tokens),
        unknown: Unknown::Index { first: 1, count: (1 << 62) - 1, spread },
        mask_text: Some("-".into()),
        mask_number: None,
        masked: 0,
    };
    let text = words(&["-", "", "T"]);
    let found = one(&[text], |b, v| b.one(dealt(Tokens::Text(vec![]), Spread::Sip(3, 5)), v));
    assert_eq!(found, longs(&[3], &[0, 3269837966603453293, 3723738553106319841]));
    let numbers = longs(&[2], &[-5, 12]);
    let found = one(&[numbers], |b, v| b.one(dealt(Tokens::Numbers(vec![]), Spread::Farm), v));
    assert_eq!(found, longs(&[2], &[3867527841621742108, 3284000456603616083]));
    let crossed = one(&[words(&["a", "x"]), longs(&[2], &[5, 9])], |b, v| b.one(Cross { buckets: 1_000_003 }, v));
    assert_eq!(crossed, longs(&[2], &[196058, 601039]));
}

#[test]
fn counters_sizes_and_random_numbers() {
    let mut b = Builder::default();
    let batch = b.dims().symbol("batch");
    let x = b.input("x", Type::new(ElementType::F32, [batch, Dim::ONE])).unwrap();
    let (counter, sizes, size) = (
        b.iota(0, &[batch, Dim::ONE], ElementType::I64).unwrap(),
        b.sizes(&[batch, Dim::ONE], ElementType::I32).unwrap(),
        b.size(batch, ElementType::I64).unwrap(),
    );
    let seed = b.seed().unwrap();
    let random = Random { distribution: Distribution::Uniform, dims: vec![batch], stream: b.stream() };
    let random = b.one(random, &[seed]).unwrap();
    let outputs = [x, counter, sizes, size, random].map(|value| (String::new(), value));
    let program = b.finish(outputs.to_vec()).unwrap();
    let call = Inputs { seed: u64::MAX, ..Inputs::of([floats(&[3, 1], &[0.0, 0.0, 0.0])]) };
    let found = interpret(&program, &call).unwrap().outputs;
    assert_eq!(found[1], longs(&[3, 1], &[0, 1, 2]));
    assert_eq!(found[2], ints(&[2], &[3, 1]));
    assert_eq!(found[3], longs(&[], &[3]));
    let stream = crate::random::Stream::new(u64::MAX, 1);
    close(&found[4], &[3], &[0, 1, 2].map(|i| f64::from(stream.uniform(i))));
}

/// A counter and a weight that moves towards its input; the symbol `past` occurs in the state only.
fn stateful() -> Program {
    let mut b = Builder::default();
    let past = b.dims().symbol("past");
    let x = b.input("x", Type::scalar(ElementType::F32)).unwrap();
    let state = b.state("count", Type::new(ElementType::F32, [past]), 1.0).unwrap();
    let slot = b.slot("weight", Type::scalar(ElementType::F32)).unwrap();
    let old = b.get(Target::State(state)).unwrap();
    let new = b.add(old, x).unwrap();
    b.set(Target::State(state), new).unwrap();
    let weight = b.get(Target::Slot(slot)).unwrap();
    let moved = b.add(weight, x).unwrap();
    b.set(Target::Slot(slot), moved).unwrap();
    b.finish(vec![("y".to_string(), new)]).unwrap()
}

#[test]
fn weights_and_states_are_replaced() {
    let program = stateful();
    let call = Inputs {
        slots: vec![floats(&[], &[10.0])],
        states: Some(vec![floats(&[2], &[1.0, 2.0])]),
        ..Inputs::of([floats(&[], &[3.0])])
    };
    let found = interpret(&program, &call).unwrap();
    close(&found.outputs[0], &[2], &[4.0, 5.0]);
    close(&found.updates[0].1, &[2], &[4.0, 5.0]);
    close(found.updated(program.updates[1].target).unwrap(), &[], &[13.0]);
    // Without states the length of their axis is unknown.
    let error = interpret(&program, &Inputs { states: None, ..call.clone() }).unwrap_err();
    assert_eq!(error.kind(), Kind::Misuse);
    let error = interpret(&program, &Inputs { slots: vec![], ..call.clone() }).unwrap_err();
    assert_eq!(error.message(), "the program has 1 weights, found 0");
    let error = interpret(&program, &Inputs { arguments: vec![ints(&[], &[3])], ..call.clone() }).unwrap_err();
    assert_eq!(error.to_string(), "value `x`: expected `f32`, found `i32`");
    let error = interpret(&program, &Inputs { slots: vec![floats(&[1], &[3.0])], ..call }).unwrap_err();
    assert_eq!(error.to_string(), "value `weight`: expected shape [], found [1]");
}

#[test]
fn guards_come_first() {
    let mut b = Builder::default();
    let (n, m) = (b.dims().symbol("n"), b.dims().symbol("m"));
    let x = b.input("x", Type::new(ElementType::F32, [n])).unwrap();
    let y = b.input("y", Type::new(ElementType::F32, [m])).unwrap();
    b.set_origin(Origin { layer: "add".into(), ..Origin::default() }).unwrap();
    let sum = b.add(x, y).unwrap();
    let program = b.finish(vec![("sum".to_string(), sum)]).unwrap();
    let call = |n: usize, m: usize| Inputs::of([floats(&[n], &vec![1.0; n]), floats(&[m], &vec![2.0; m])]);
    close(&interpret(&program, &call(1, 2)).unwrap().outputs[0], &[2], &[3.0, 3.0]);
    let error = interpret(&program, &call(2, 3)).unwrap_err();
    assert_eq!((error.kind(), error.place().layer.as_deref()), (Kind::Mismatch, Some("add")));
}

#[test]
fn hostile_sizes_are_limits() {
    let huge = |elements: usize, work: u64| {
        let mut b = Builder::default();
        let n = b.number(elements);
        let full = b.full(ElementType::F32, &[n, n], 1.0).unwrap();
        let sum = b.reduce(ReduceOp::Sum, full, &[0, 1], false).unwrap();
        let program = b.finish(vec![("sum".to_string(), sum)]).unwrap();
        interpret_within(&program, &Inputs::default(), Budget { elements: 1 << 20, work }).map_err(|e| e.kind())
    };
    assert_eq!(huge(1 << 20, u64::MAX), Err(Kind::Limit));
    assert_eq!(huge(usize::MAX >> 1, u64::MAX), Err(Kind::Limit));
    assert_eq!(huge(100, 10_000), Err(Kind::Limit));
    assert!(huge(100, 30_000).is_ok());
    // A loop of 2^60 steps with an empty body.
    let mut b = Builder::default();
    let length = b.number(1 << 60);
    let x = b.scalar(ElementType::F32, 0.0).unwrap();
    let over = Loop { carries: &[x], sequences: &[], invariants: &[], length, axis: 0, reverse: false };
    let (finals, _) = b.scan(over, |b, c, _, _| Ok((vec![b.add(c[0], c[0])?], vec![]))).unwrap();
    let program = b.finish(vec![("x".to_string(), finals[0])]).unwrap();
    let error = interpret_within(&program, &Inputs::default(), Budget { elements: 1, work: 1000 }).unwrap_err();
    assert_eq!(error.kind(), Kind::Limit);
}

#[test]
fn opaque_functions_are_for_runtimes() {
    let opaque =
        Opaque { function: OpaqueId(0), results: vec![Type::scalar(ElementType::F32)], class: "MyLayer".to_string() };
    let error = try_eval(&[], |b, v| b.push(opaque, v)).unwrap_err();
    assert_eq!(error.to_string(), "layer `layer`: the interpreter does not know the functions of `MyLayer`");
    assert_eq!(error.kind(), Kind::Unsupported);
}

#[test]
fn single_nodes_are_kernels() {
    let mut b = Builder::default();
    let n = b.dims().symbol("n");
    let x = b.input("x", Type::new(ElementType::F32, [n])).unwrap();
    let y = b.reverse(x, &[0]).unwrap();
    let program = b.finish(vec![("y".to_string(), y)]).unwrap();
    let bound = program.bind(&[&[2]]).unwrap();
    let found = evaluate_node(&program, &program.body.nodes[1], &[&floats(&[2], &[1.0, 2.0])], &bound, None).unwrap();
    close(&found[0], &[2], &[2.0, 1.0]);
    assert_eq!(evaluate_node(&program, &program.body.nodes[0], &[], &bound, None).unwrap_err().kind(), Kind::Misuse);
}

#[test]
fn copies_of_text_share_its_characters() {
    let text = Array::new(ElementType::String, [1], Data::Text(vec!["token".into()])).unwrap();
    let Data::Text(given) = text.data() else { panic!("text") };
    let copied = one(&[text.clone(), longs(&[3], &[0, 0, 0])], |b, v| {
        let rows = b.gather(v[0], v[1], 0, Bounds::Error)?;
        b.concat(&[rows, v[0]], 0)
    });
    let Data::Text(found) = copied.data() else { panic!("text") };
    assert_eq!(found.len(), 4);
    assert!(found.iter().all(|word| Arc::ptr_eq(word, &given[0])));
    let vocabulary = Arc::new(Vocabulary::new(Tokens::Text(vec!["a".into()]), 0));
    let Tokens::Text(tokens) = vocabulary.tokens() else { panic!("text") };
    let prim = ToText { vocabulary: vocabulary.clone(), unknown: None };
    let found = one(&[longs(&[2], &[0, 0])], |b, v| b.one(prim, v));
    let Data::Text(found) = found.data() else { panic!("text") };
    assert!(found.iter().all(|word| Arc::ptr_eq(word, &tokens[0])));
}

/// The last node of a program fails when it looks at the clock, which is in the midst of its work.
#[track_caller]
fn check_ends(operands: &[Array], build: impl FnOnce(&mut Builder, &[Value]) -> Result<Value>) {
    let mut b = Builder::default();
    let mut values = Vec::new();
    for array in operands {
        let dims: Vec<Dim> = array.dims().iter().map(|&n| b.number(n)).collect();
        values.push(b.input("x", Type::new(array.element(), dims)).unwrap());
    }
    let y = build(&mut b, &values).unwrap();
    let program = b.finish(vec![("y".to_string(), y)]).unwrap();
    let shapes: Vec<&[usize]> = operands.iter().map(Array::dims).collect();
    let bound = program.bind(&shapes).unwrap();
    let operands: Vec<&Array> = operands.iter().collect();
    let node = program.body.nodes.last().unwrap();
    let error = evaluate_node(&program, node, &operands, &bound, Some(Instant::now())).unwrap_err();
    assert_eq!(error.kind(), Kind::Limit, "{error}");
    assert!(error.message().contains("deadline"), "{error}");
}

#[test]
fn a_deadline_ends_a_node() {
    let many = |dims: &[usize]| floats(dims, &vec![0.5; dims.iter().product()]);
    check_ends(&[many(&[2, 1 << 20]), many(&[1 << 20, 1])], |b, v| b.matmul(v[0], v[1]));
    check_ends(&[many(&[1, 64, 64, 2]), many(&[33, 33, 1, 2])], |b, v| {
        b.conv(v[0], v[1], &["33:same".parse()?, "33:same".parse()?], 2)
    });
    check_ends(&[many(&[1, 2048, 1])], |b, v| b.pool(PoolOp::Max, v[0], &["2048:same".parse()?]));
    check_ends(&[many(&[1 << 20])], |b, v| Ok(b.sort(v[0], 0, false)?.0));
    check_ends(&[many(&[1 << 20])], |b, v| b.reduce(ReduceOp::Sum, v[0], &[0], false));
    check_ends(&[many(&[1 << 20])], |b, v| b.softmax(v[0], &[0]));
    check_ends(&[many(&[1 << 20]), many(&[1])], |b, v| b.add(v[0], v[1]));
    check_ends(&[many(&[])], |b, v| {
        let length = b.number(1 << 60);
        let over = Loop { carries: &[v[0]], sequences: &[], invariants: &[], length, axis: 0, reverse: false };
        Ok(b.scan(over, |b, c, _, _| Ok((vec![b.add(c[0], c[0])?], vec![])))?.0[0])
    });
    let long = Array::new(ElementType::String, [1], Data::Text(vec!["x".repeat(1 << 20).into()])).unwrap();
    check_ends(std::slice::from_ref(&long), |b, v| b.one(Cross { buckets: 3 }, v));
    check_ends(&[long.clone(), long], |b, v| b.compare(CompareOp::Lt, v[0], v[1]));
}
