//! Elementwise functions, and functions along axes.

use super::{check, input, weight};
use tfjs_ir::ElementType::{Bool, F32, I32, I64, U8};
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::normalize::{Norm, Normalize, Softmax};
use tfjs_ir::prim::reduce::ReduceOp;

#[test]
fn pairs_and_comparisons() {
    let shapes: &[&[u64]] = &[&[2, 3], &[0, 3], &[1, 1]];
    let operands: [(&[&str], &[&str]); 4] = [
        (&["n", "t", "4"], &["n", "t", "4"]),
        (&["n", "t", "4"], &["4"]),
        (&["n", "1", "4"], &["t", "1"]),
        (&[], &["n"]),
    ];
    for (left, right) in operands {
        for element in [F32, I32, I64, U8, Bool] {
            for &op in BinaryOp::ALL {
                let logic = matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor);
                let floats = matches!(op, BinaryOp::Div | BinaryOp::Atan2 | BinaryOp::Pow);
                if (logic && element == F32) || (floats && element != F32) || (element == Bool && !logic) {
                    continue;
                }
                check(
                    |b| {
                        let (x, y) = (input(b, element, left), input(b, element, right));
                        b.binary(op, x, y)
                    },
                    shapes,
                );
            }
            for &op in CompareOp::ALL {
                check(
                    |b| {
                        let (x, y) = (input(b, element, left), input(b, element, right));
                        b.compare(op, x, y)
                    },
                    shapes,
                );
            }
        }
    }
    check(
        |b| {
            let (c, x, y) = (input(b, Bool, &["n", "1"]), input(b, F32, &["t"]), input(b, F32, &["n", "t"]));
            b.select(c, x, y)
        },
        shapes,
    );
    check(
        |b| {
            let c = input(b, Bool, &["n", "t"]);
            let x = input(b, I64, &["n", "t"]);
            b.select(c, x, x)
        },
        shapes,
    );
}

#[test]
fn functions_of_one_number() {
    for &op in UnaryOp::ALL {
        let element = if op == UnaryOp::Not { Bool } else { F32 };
        check(
            |b| {
                let x = input(b, element, &["n", "3"]);
                b.unary(op, x)
            },
            &[&[4], &[0]],
        );
    }
    for element in [I32, I64, U8] {
        for op in [UnaryOp::Neg, UnaryOp::Abs, UnaryOp::Sign] {
            check(
                |b| {
                    let x = input(b, element, &["n", "3"]);
                    b.unary(op, x)
                },
                &[&[4]],
            );
        }
    }
    for from in [F32, I32, I64, U8, Bool] {
        for to in [F32, I32, I64, U8, Bool] {
            check(
                |b| {
                    let x = input(b, from, &["n", "3"]);
                    b.cast(x, to)
                },
                &[&[4]],
            );
        }
    }
}

#[test]
fn activations() {
    for function in [
        Activation::RELU,
        Activation::RELU6,
        Activation::Relu { max: f64::INFINITY, negative_slope: 0.3, threshold: 0.55 },
        Activation::HardSigmoid { slope: 0.2, offset: 0.5 },
        Activation::HardSigmoid { slope: 0.5, offset: 0.5 },
        Activation::Gelu {},
        Activation::Celu { alpha: 0.7 },
        Activation::SoftShrink { lambda: 0.5 },
        Activation::Clip { low: -0.5, high: 0.25 },
        Activation::LogSigmoid {},
    ] {
        check(
            |b| {
                let x = input(b, F32, &["n", "9"]);
                b.activate(function, x)
            },
            &[&[4], &[0]],
        );
    }
}

#[test]
fn normalizations() {
    check(
        |b| {
            let x = input(b, F32, &["n", "3", "4"]);
            b.softmax(x, &[2])
        },
        &[&[2], &[0]],
    );
    check(
        |b| {
            let x = input(b, F32, &["n", "3", "4"]);
            b.softmax(x, &[1, 2])
        },
        &[&[2]],
    );
    check(
        |b| {
            let x = input(b, F32, &["n", "3", "4"]);
            b.softmax(x, &[1])
        },
        &[&[2]],
    );
    check(
        |b| {
            let x = input(b, F32, &["n", "4"]);
            b.one(Softmax { axes: vec![1], log: true }, &[x])
        },
        &[&[2]],
    );
    for norm in [Norm::Layer, Norm::Rms, Norm::L2] {
        check(
            |b| {
                let (x, gamma, beta) = (input(b, F32, &["n", "3", "4"]), weight(b, &[4]), weight(b, &[4]));
                let prim = Normalize { norm, axes: vec![2], epsilon: 1e-3, scale: true, center: true };
                b.one(prim, &[x, gamma, beta])
            },
            &[&[2]],
        );
    }
    // Parameters for each group of channels.
    check(
        |b| {
            let (x, gamma, beta) = (input(b, F32, &["n", "3", "4"]), weight(b, &[3, 1]), weight(b, &[3, 4]));
            let prim = Normalize { norm: Norm::Layer, axes: vec![2], epsilon: 1e-3, scale: true, center: true };
            b.one(prim, &[x, gamma, beta])
        },
        &[&[2]],
    );
}

#[test]
fn reductions() {
    let shapes: &[&[u64]] = &[&[2, 3], &[2, 0], &[0, 3]];
    for op in [ReduceOp::Sum, ReduceOp::Mean, ReduceOp::Max, ReduceOp::Min, ReduceOp::Prod] {
        for axes in [&[0][..], &[3], &[1, 2], &[0, 2], &[1, 3], &[0, 1, 2, 3]] {
            check(
                |b| {
                    let x = input(b, F32, &["n", "t", "2", "3"]);
                    b.reduce(op, x, axes, axes.len() == 1)
                },
                shapes,
            );
        }
    }
    for element in [I32, I64] {
        for op in [ReduceOp::Sum, ReduceOp::Max, ReduceOp::Min, ReduceOp::Prod] {
            check(
                |b| {
                    let x = input(b, element, &["n", "t", "2"]);
                    b.reduce(op, x, &[1], false)
                },
                shapes,
            );
        }
    }
    for op in [ReduceOp::Any, ReduceOp::All] {
        check(
            |b| {
                let x = input(b, Bool, &["n", "t", "2"]);
                b.reduce(op, x, &[1, 2], true)
            },
            shapes,
        );
    }
}
