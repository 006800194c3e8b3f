//! Each kernel by itself.

use super::fusion::windows;
use super::{Case, floats, input, weight};
use tfjs_ir::ElementType::{self, Bool, F32, I32, I64, U8};
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::normalize::{Norm, Normalize, Softmax};
use tfjs_ir::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::prim::source::{Distribution, Random};
use tfjs_ir::prim::window::PoolOp;
use tfjs_ir::{Builder, Dim, Value};
use tfjs_manifest::Result;

/// Checks a program of one kernel for several numbers behind its symbols, and that it is none of the interpreter's.
#[track_caller]
fn check(build: impl FnOnce(&mut Builder) -> Result<Value>, symbols: &[&[u64]]) {
    let case = Case::new(|b| Ok(vec![build(b)?]));
    let steps = &case.plan.selection.root.steps;
    let engines: Vec<&str> = steps.iter().filter_map(|step| Some(step.kernel.as_ref()?.engine().name())).collect();
    assert!(engines.iter().all(|engine| *engine == "native"), "{:?}", case.kernels());
    symbols.iter().for_each(|symbols| case.agrees(symbols));
}

#[test]
fn dense() {
    let shapes: &[&[u64]] = &[&[2], &[0]];
    check(
        |b| {
            let (x, w) = (input(b, F32, &["n", "3", "5"]), weight(b, &[5, 4]));
            b.matmul(x, w)
        },
        shapes,
    );
    // Weights that lie transposed, as in a tied output layer.
    check(
        |b| {
            let (x, w) = (input(b, F32, &["n", "5"]), weight(b, &[4, 5]));
            b.dot(x, w, &[], &[(1, 1)])
        },
        shapes,
    );
    // Heads of attention: in and out.
    check(
        |b| {
            let (x, w) = (input(b, F32, &["n", "5"]), weight(b, &[5, 2, 3]));
            b.matmul(x, w)
        },
        shapes,
    );
    check(
        |b| {
            let (x, w) = (input(b, F32, &["n", "2", "3"]), weight(b, &[2, 3, 5]));
            b.dot(x, w, &[], &[(1, 0), (2, 1)])
        },
        shapes,
    );
    check(
        |b| {
            let (x, w, bias) = (input(b, F32, &["n", "5"]), weight(b, &[5, 2, 3]), weight(b, &[2, 3]));
            let y = b.matmul(x, w)?;
            b.add(y, bias)
        },
        shapes,
    );
    check(
        |b| {
            let (x, w) = (input(b, F32, &["n", "0"]), weight(b, &[0, 4]));
            b.matmul(x, w)
        },
        shapes,
    );
}

#[test]
fn matmul() {
    let shapes: &[&[u64]] = &[&[2, 3], &[0, 3], &[2, 0], &[1, 1]];
    // Scores and sums of attention.
    let heads = |b: &mut Builder| [(); 2].map(|()| input(b, F32, &["n", "t", "2", "4"]));
    check(
        |b| {
            let [q, k] = heads(b);
            b.dot(q, k, &[(0, 0), (2, 2)], &[(3, 3)])
        },
        shapes,
    );
    check(
        |b| {
            let (p, v) = (input(b, F32, &["n", "2", "t", "t"]), input(b, F32, &["n", "t", "2", "4"]));
            b.dot(p, v, &[(0, 0), (1, 2)], &[(3, 1)])
        },
        shapes,
    );
    // Contracted axes that lie apart, and first ones.
    check(
        |b| {
            let [q, k] = heads(b);
            b.dot(q, k, &[], &[(1, 1), (3, 3)])
        },
        shapes,
    );
    check(
        |b| {
            let [q, k] = heads(b);
            b.dot(q, k, &[(3, 3)], &[(0, 0)])
        },
        shapes,
    );
    check(
        |b| {
            let [q, k] = heads(b);
            b.dot(q, k, &[(0, 0), (1, 1), (2, 2), (3, 3)], &[])
        },
        shapes,
    );
    check(
        |b| {
            let (w, x) = (weight(b, &[3, 5]), input(b, F32, &["5", "n"]));
            b.dot(w, x, &[], &[(1, 0)])
        },
        &[&[2]],
    );
}

#[test]
fn convolutions() {
    for window in ["3:same", "3/2:same", "2:valid", "3*2:same", "3/2:1,0"] {
        check(
            |b| {
                let (x, w) = (
                    input(b, F32, &["n", "h", "7", "4"]),
                    weight(b, &[window[..1].parse().unwrap(), window[..1].parse().unwrap(), 2, 6]),
                );
                b.conv(x, w, &windows(window, 2), 2)
            },
            &[&[2, 6], &[0, 6]],
        );
        check(
            |b| {
                let (x, w) = (input(b, F32, &["n", "h", "4"]), weight(b, &[window[..1].parse().unwrap(), 4, 3]));
                b.conv(x, w, &windows(window, 1), 1)
            },
            &[&[2, 6], &[0, 6]],
        );
    }
    check(
        |b| {
            let (x, w) = (input(b, F32, &["n", "h", "4"]), weight(b, &[3, 1, 4]));
            b.conv(x, w, &windows("3:causal", 1), 4)
        },
        &[&[2, 6]],
    );
}

#[test]
fn pools() {
    for op in [PoolOp::Max, PoolOp::Mean] {
        for window in ["2/2:valid", "3/2:same", "3:same"] {
            check(
                |b| {
                    let x = input(b, F32, &["n", "h", "7", "3"]);
                    b.pool(op, x, &windows(window, 2))
                },
                &[&[2, 6], &[0, 4]],
            );
            check(
                |b| {
                    let x = input(b, F32, &["n", "h", "3"]);
                    b.pool(op, x, &windows(window, 1))
                },
                &[&[2, 6]],
            );
            // Over three axes a pool is its expansion.
            check(
                |b| {
                    let x = input(b, F32, &["n", "4", "5", "6", "2"]);
                    b.pool(op, x, &windows(window, 3))
                },
                &[&[2]],
            );
        }
    }
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
        Activation::Relu { max: f64::INFINITY, negative_slope: 0.3, threshold: 0.5 },
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
}

#[test]
fn rearrangements() {
    let shapes: &[&[u64]] = &[&[2, 3], &[0, 3], &[3, 1]];
    for element in [F32, I64, Bool] {
        check(
            |b| {
                let x = input(b, element, &["n", "t", "4"]);
                b.transpose(x, &[2, 0, 1])
            },
            shapes,
        );
        check(
            |b| {
                let x = input(b, element, &["n", "t", "4"]);
                b.reverse(x, &[0, 2])
            },
            shapes,
        );
        check(
            |b| {
                let (x, y) = (input(b, element, &["n", "t", "4"]), input(b, element, &["n", "2", "4"]));
                b.concat(&[x, y, x], 1)
            },
            shapes,
        );
        check(
            |b| {
                let x = input(b, element, &["n", "t", "4"]);
                let mut ranges = b.whole(x);
                ranges[2] = Range { start: Dim::ONE, len: b.number(2), step: 2 };
                b.slice(x, &ranges)
            },
            shapes,
        );
        check(
            |b| {
                let x = input(b, element, &["n", "t", "4"]);
                let two = b.number(2);
                let around = Padding { low: two, high: Dim::ONE, interior: 0 };
                let between = Padding { low: Dim::ZERO, high: Dim::ONE, interior: 2 };
                b.pad(x, &[Padding::NONE, around, between], 1.0)
            },
            shapes,
        );
        // Nearest upsampling.
        check(
            |b| {
                let x = input(b, element, &["n", "t", "4"]);
                let [n, t, four] = b.dims_of(x)[..] else { unreachable!("rank 3") };
                let two = b.number(2);
                let wide = b.reshape(x, &[n, t, Dim::ONE, four])?;
                let wide = b.broadcast_to(wide, &[n, t, two, four])?;
                let twice = b.dims().mul(t, two)?;
                b.reshape(wide, &[n, twice, four])
            },
            shapes,
        );
    }
}

#[test]
fn rows_by_index() {
    let shapes: &[&[u64]] = &[&[2], &[0]];
    for indices in [I32, I64, U8] {
        for bounds in [Bounds::Clamp, Bounds::Error] {
            check(
                |b| {
                    let (ids, table) = (input(b, indices, &["n", "3"]), weight(b, &[5, 4]));
                    b.gather(table, ids, 0, bounds)
                },
                shapes,
            );
        }
        check(
            |b| {
                let (ids, x) = (input(b, indices, &["n"]), input(b, F32, &["n", "3", "2"]));
                b.gather(x, ids, 1, Bounds::Clamp)
            },
            shapes,
        );
        for element in [F32, I32, Bool] {
            check(
                |b| {
                    let ids = input(b, indices, &["n", "2"]);
                    let four = b.number(4);
                    b.one_hot(ids, four, element)
                },
                shapes,
            );
        }
    }
}

#[test]
fn an_index_outside_of_a_table_is_named() {
    let case = Case::new(|b| {
        let (ids, table) = (input(b, I64, &["n"]), weight(b, &[5, 4]));
        Ok(vec![b.gather(table, ids, 0, Bounds::Error)?])
    });
    let mut inputs = case.inputs(&[2], 1);
    inputs.arguments = vec![tfjs_ir::Array::new(I64, [2], tfjs_ir::Data::Int(vec![1, 7])).unwrap()];
    let error = case.run(&inputs).unwrap_err();
    assert_eq!(error.message(), "index `7` is not in a table of 5 rows; expected 0 to 4");
}

#[test]
fn values_made_of_shapes() {
    let shapes: &[&[u64]] = &[&[2, 3], &[0, 3]];
    for element in [F32, I32, I64] {
        check(
            |b| {
                let x = input(b, element, &["n", "t"]);
                let dims = b.dims_of(x);
                let counter = b.iota(1, &dims, element)?;
                b.add(counter, x)
            },
            shapes,
        );
    }
    check(
        |b| {
            let x = input(b, F32, &["n", "t"]);
            let dims = b.dims_of(x);
            b.sizes(&dims, ElementType::I64)
        },
        shapes,
    );
    for distribution in [Distribution::Uniform, Distribution::Normal] {
        check(
            |b| {
                let x = input(b, F32, &["n", "t"]);
                let (seed, dims, stream) = (b.seed()?, b.dims_of(x), b.stream());
                b.one(Random { distribution, dims, stream }, &[seed])
            },
            &[],
        );
    }
}

#[test]
fn recurrences() {
    let tanh = Gate(Some(Activation::Tanh {}));
    let sigmoid = Gate(Some(Activation::Sigmoid {}));
    for cell in [Cell::Simple, Cell::Lstm, Cell::Gru, Cell::GruResetAfter] {
        for masked_output in [MaskedOutput::Previous, MaskedOutput::State, MaskedOutput::Zeros] {
            for (backwards, bias, mask) in [(false, true, false), (true, true, true), (false, false, true)] {
                let case = Case::new(|b| {
                    let x = input(b, F32, &["n", "t", "3"]);
                    let columns = 2 * cell.gates();
                    let mut operands = vec![x, weight(b, &[3, columns]), weight(b, &[2, columns])];
                    if bias {
                        let two: &[usize] = if cell == Cell::GruResetAfter { &[2] } else { &[] };
                        operands.push(weight(b, &[two, &[columns]].concat()));
                    }
                    for _ in 0..cell.states() {
                        operands.push(input(b, F32, &["n", "2"]));
                    }
                    if mask {
                        operands.push(input(b, Bool, &["n", "t"]));
                    }
                    let (activation, recurrent_activation) = (tanh, sigmoid);
                    let rnn = Rnn { cell, activation, recurrent_activation, backwards, bias, mask, masked_output };
                    b.push(rnn, &operands)
                });
                assert_eq!(case.kernels(), [cell.name()]);
                for symbols in [[2, 4], [1, 1], [3, 0], [0, 2]] {
                    case.agrees(&symbols);
                }
            }
        }
    }
}

#[test]
fn half_precision_runs_in_the_interpreter() {
    let case = Case::new(|b| {
        let x = input(b, ElementType::F16, &["n", "3"]);
        Ok(vec![b.binary_scalar(BinaryOp::Mul, x, 1.0 / 3.0)?])
    });
    assert_eq!(case.plan.selection.root.steps[0].kernel.as_ref().map(|k| k.engine().name()), Some("reference"));
    case.agrees(&[4]);
}

#[test]
fn text_is_handled_on_the_host() {
    let case = Case::new(|b| {
        let x = input(b, ElementType::String, &["n", "2"]);
        let y = input(b, ElementType::String, &["n", "2"]);
        Ok(vec![b.compare(CompareOp::Eq, x, y)?, x])
    });
    assert_eq!(case.plan.selection.root.steps[0].kernel.as_ref().map(|k| k.engine().name()), Some("host"));
    assert!(case.plan.reference_layers().is_empty());
    case.agrees(&[3]);
}

#[test]
fn an_input_of_any_layout_is_read() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "3"]);
        Ok(vec![b.unary(UnaryOp::Neg, x)?])
    });
    let x = super::tensor(&floats(&[3, 2], (0..6).map(f64::from)));
    let bound = case.program.dims.bind(&[]).unwrap();
    let inputs = [crate::value::Data::Tensor(x.t().unwrap())];
    let call = crate::engine::call::Call {
        bound: &bound,
        inputs: &inputs,
        seed: 0,
        states: &[],
        functions: &[],
        activation_bytes: u64::MAX,
        deadline: None,
    };
    let outcome = case.plan.run(&call).unwrap();
    let crate::value::Data::Tensor(y) = &outcome.outputs[0] else { panic!("numbers") };
    assert_eq!(y.to_vec2::<f32>().unwrap(), [[0.0, -2.0, -4.0], [-1.0, -3.0, -5.0]]);
}
