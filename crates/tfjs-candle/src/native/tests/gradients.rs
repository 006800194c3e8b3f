//! Gradients of common layers: they agree with the interpreter and run in kernels.

use super::{Case, input, weight, windows};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use tfjs_ir::ElementType::{Bool, F32, I32};
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::normalize::{BatchNorm, Norm, Normalize};
use tfjs_ir::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::prim::window::PoolOp;
use tfjs_ir::{Builder, SlotId, Target, Value, gradients};
use tfjs_manifest::Result;

/// Trains every weight of a network, whose output `build` returns, for a few steps. Returns the primitives without a
/// kernel.
#[track_caller]
fn train(symbols: &[&[u64]], build: impl FnOnce(&mut Builder) -> Result<Value>) -> BTreeSet<String> {
    let mut b = Builder::default();
    let y = build(&mut b).unwrap();
    let axes: Vec<usize> = (0..b.dims_of(y).len()).collect();
    let squares = b.mul(y, y).unwrap();
    let loss = b.reduce(ReduceOp::Mean, squares, &axes, false).unwrap();
    let targets: Vec<Target> = (0..b.program().slots.len() as u32).map(|i| Target::Slot(SlotId(i))).collect();
    let weights: Vec<Value> = targets.iter().map(|&target| b.get(target).unwrap()).collect();
    let slopes = gradients(&mut b, loss, &weights).unwrap();
    for ((&target, &weight), &slope) in targets.iter().zip(&weights).zip(&slopes) {
        let change = b.binary_scalar(BinaryOp::Mul, slope, 0.0625).unwrap();
        let next = b.sub(weight, change).unwrap();
        b.set(target, next).unwrap();
    }
    let case = Case::of(b.finish(vec![("loss".to_string(), loss)]).unwrap());
    let calls: Vec<_> = symbols.iter().zip(1..).map(|(symbols, seed)| case.inputs(symbols, seed)).collect();
    case.agrees_in_steps(&calls);
    let mut found = BTreeSet::new();
    reference_steps(&case.plan.to_json(), &mut found);
    found
}

/// Collects the descriptions of steps that the interpreter runs, including those of loops.
fn reference_steps(plan: &Json, found: &mut BTreeSet<String>) {
    for step in plan["steps"].as_array().into_iter().flatten() {
        if step["engine"] == "reference" {
            found.insert(step["kernel"].to_string());
        }
        reference_steps(step, found);
    }
}

fn none() -> BTreeSet<String> {
    BTreeSet::new()
}

#[test]
fn images() {
    for (first, second) in [("3/2:same", "3:same"), ("3:valid", "2/2:valid"), ("3*2:same", "3/2:same")] {
        let found = train(&[&[2, 8], &[3, 8], &[1, 9]], |b| {
            let x = input(b, F32, &["n", "h", "8", "2"]);
            let [k1, k2, k3] = [&[3, 3, 2, 4][..], &[3, 3, 1, 8], &[1, 1, 8, 4]].map(|dims| weight(b, dims));
            let y = b.conv(x, k1, &windows(first, 2), 1)?;
            let y = b.activate(Activation::RELU, y)?;
            // Depthwise, then pointwise, as in MobileNet.
            let y = b.conv(y, k2, &windows("3:same", 2), 4)?;
            let y = b.activate(Activation::RELU6, y)?;
            let y = b.pool(PoolOp::Max, y, &windows(second, 2))?;
            let y = b.conv(y, k3, &windows("1:same", 2), 1)?;
            let y = b.pool(PoolOp::Mean, y, &windows("2:same", 2))?;
            b.reduce(ReduceOp::Mean, y, &[1, 2], false)
        });
        assert_eq!(found, none(), "{first}, {second}");
    }
}

#[test]
fn sequences_and_volumes() {
    let found = train(&[&[2], &[3]], |b| {
        let x = input(b, F32, &["n", "6", "5", "4", "1"]);
        let (k, k1) = (weight(b, &[2, 2, 2, 1, 3]), weight(b, &[3, 12, 2]));
        let y = b.conv(x, k, &windows("2:same", 3), 1)?;
        let y = b.activate(Activation::Tanh {}, y)?;
        let y = b.pool(PoolOp::Max, y, &windows("2/2:same", 3))?;
        let dims = b.dims_of(y);
        let (rows, twelve) = (b.dims().product(&dims[1..3])?, b.number(6));
        let y = b.reshape(y, &[dims[0], rows, twelve])?;
        let y = b.concat(&[y, y], 2)?;
        b.conv(y, k1, &windows("3:same", 1), 1)
    });
    assert_eq!(found, none());
}

#[test]
fn normalizations() {
    let found = train(&[&[4], &[3], &[2]], |b| {
        let x = input(b, F32, &["n", "4", "3"]);
        let [gamma, beta, scale, shift] = [(); 4].map(|()| weight(b, &[3]));
        let (mean, variance) = b.moments(x, &[0, 1])?;
        let norm = BatchNorm { epsilon: 0.5, scale: true, center: true };
        let y = b.one(norm, &[x, mean, variance, gamma, beta])?;
        let norm = Normalize { norm: Norm::Layer, axes: vec![2], epsilon: 0.5, scale: true, center: true };
        let y = b.one(norm, &[y, scale, shift])?;
        b.softmax(y, &[2])
    });
    assert_eq!(found, none());
}

#[test]
fn recurrences() {
    for cell in [Cell::Simple, Cell::Lstm, Cell::Gru, Cell::GruResetAfter] {
        for (backwards, mask) in [(false, false), (true, true)] {
            let found = train(&[&[2, 4], &[3, 4], &[1, 2]], |b| {
                let (ids, table) = (input(b, I32, &["n", "t"]), weight(b, &[5, 3]));
                let x = b.gather(table, ids, 0, Bounds::Clamp)?;
                let columns = 2 * cell.gates();
                let mut operands = vec![x, weight(b, &[3, columns]), weight(b, &[2, columns])];
                let two: &[usize] = if cell == Cell::GruResetAfter { &[2] } else { &[] };
                operands.push(weight(b, &[two, &[columns]].concat()));
                operands.extend((0..cell.states()).map(|_| input(b, F32, &["n", "2"])));
                if mask {
                    operands.push(input(b, Bool, &["n", "t"]));
                }
                let rnn = Rnn {
                    cell,
                    activation: Gate(Some(Activation::Tanh {})),
                    recurrent_activation: Gate(Some(Activation::Sigmoid {})),
                    backwards,
                    bias: true,
                    mask,
                    masked_output: MaskedOutput::Previous,
                };
                b.push(rnn, &operands).map(|results| results[0])
            });
            assert_eq!(found, none(), "{}", cell.name());
        }
    }
}

#[test]
fn attention() {
    let found = train(&[&[2, 3], &[3, 4]], |b| {
        let x = input(b, F32, &["n", "t", "4"]);
        let [q, k, v] = [(); 3].map(|()| weight(b, &[4, 4]));
        let [q, k, v] = [b.matmul(x, q)?, b.matmul(x, k)?, b.matmul(x, v)?];
        let scores = b.dot(q, k, &[(0, 0)], &[(2, 2)])?;
        let p = b.softmax(scores, &[2])?;
        b.dot(p, v, &[(0, 0)], &[(2, 1)])
    });
    assert_eq!(found, none());
}
