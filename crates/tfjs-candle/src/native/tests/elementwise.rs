//! Elementwise functions, and functions along axes.

use super::{Case, check, floats, input, weight};
use tfjs_ir::ElementType::{Bool, F32, I32, I64, U8};
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::normalize::{Norm, Normalize, Softmax};
use tfjs_ir::prim::reduce::{Extreme, ReduceOp, RunningOp};
use tfjs_ir::{Builder, Inputs, Value};
use tfjs_manifest::Result;

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

#[test]
fn positions_of_extremes() {
    let shapes: &[&[u64]] = &[&[2, 3], &[2, 0], &[0, 3], &[1, 1]];
    for op in [Extreme::Max, Extreme::Min] {
        for (element, positions) in [(F32, I64), (F32, I32), (I32, I64), (I64, I32), (U8, I64), (Bool, I32)] {
            for axis in 0..3 {
                let build = |b: &mut _| {
                    let x = input(b, element, &["n", "t", "4"]);
                    b.arg_reduce(op, x, axis, positions)
                };
                check(build, shapes);
            }
        }
    }
}

#[test]
fn running_sums() {
    for op in [RunningOp::Sum, RunningOp::Prod] {
        for element in [F32, I32, I64, U8] {
            for axis in 0..3 {
                for (reverse, exclusive) in [(false, false), (false, true), (true, false), (true, true)] {
                    let build = |b: &mut _| {
                        let x = input(b, element, &["n", "t", "4"]);
                        b.cumulative(op, x, axis, reverse, exclusive)
                    };
                    check(build, &[&[2, 3], &[2, 0], &[0, 3]]);
                }
            }
        }
    }
}

#[test]
fn sorts() {
    for element in [F32, I32, I64, U8, Bool] {
        for (axis, descending) in [(0, false), (1, true), (2, false), (2, true)] {
            for result in 0..2 {
                let build = |b: &mut _| {
                    let x = input(b, element, &["n", "t", "4"]);
                    let (sorted, positions) = b.sort(x, axis, descending)?;
                    Ok([sorted, positions][result])
                };
                check(build, &[&[2, 5], &[2, 0], &[0, 3], &[1, 1]]);
            }
        }
    }
}

#[test]
fn what_is_no_number_comes_last_in_order_and_first_among_extremes() {
    let nan = f64::NAN;
    let x = floats(&[2, 5], [2.0, nan, 1.0, nan, 3.0, 0.5, -1.0, 0.5, 7.0, -1.0]);
    let program = |build: fn(&mut Builder, Value) -> Result<Vec<Value>>| {
        Case::new(|b| {
            let x = input(b, F32, &["2", "5"]);
            build(b, x)
        })
    };
    let sorted = program(|b, x| {
        let ((up, from), (down, back)) = (b.sort(x, 1, false)?, b.sort(x, 1, true)?);
        Ok(vec![up, from, down, back])
    });
    sorted.agrees_on(&Inputs { arguments: vec![x.clone()], slots: sorted.slots.clone(), ..Inputs::default() });
    let extremes =
        program(|b, x| Ok(vec![b.arg_reduce(Extreme::Max, x, 1, I64)?, b.arg_reduce(Extreme::Min, x, 1, I32)?]));
    extremes.agrees_on(&Inputs { arguments: vec![x], slots: extremes.slots.clone(), ..Inputs::default() });
}
