//! Compares every gradient rule with finite differences of the interpreter, and checks primitives without gradients.

mod support;

use support::{Check, run};
use tfjs_ir::grad::{Wrt, grad, gradients};
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::control::Opaque;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::linear::{Conv, ConvInput, ConvKernel};
use tfjs_ir::prim::normalize::{BatchNorm, Norm, Normalize, Softmax};
use tfjs_ir::prim::recurrent::{Cell, Gate, MaskedOutput, Rnn};
use tfjs_ir::prim::reduce::{ReduceOp, RunningOp};
use tfjs_ir::prim::window::PoolOp;
use tfjs_ir::window::Window;
use tfjs_ir::{
    Array, Builder, Data, Dim, ElementType, Inputs, Loop, Node, OpaqueId, Origin, Prim, Type, Value, interpret,
};
use tfjs_manifest::{Kind, Result};

fn windows(text: &[&str]) -> Vec<Window> {
    text.iter().map(|text| text.parse().unwrap()).collect()
}

fn ids(b: &mut Builder, dims: &[usize], ids: &[i64]) -> Value {
    b.constant(Array::new(ElementType::I64, dims, Data::Int(ids.to_vec())).unwrap()).unwrap()
}

fn flags(b: &mut Builder, dims: &[usize], flags: &[i64]) -> Value {
    let flags = flags.iter().map(|&flag| flag != 0).collect();
    b.constant(Array::new(ElementType::Bool, dims, Data::Bool(flags)).unwrap()).unwrap()
}

#[test]
fn functions_of_one_number() {
    use UnaryOp::*;
    for &op in UnaryOp::ALL {
        let (low, high) = match op {
            Not | IsNan | IsFinite => continue,
            Log | Log1p | Sqrt | Rsqrt => (0.4, 2.0),
            Asin | Acos | Atanh => (-0.7, 0.7),
            Acosh => (1.3, 3.0),
            Tan => (-1.0, 1.0),
            Floor | Ceil | RoundEven => (0.6, 0.9),
            _ => (-2.0, 2.0),
        };
        Check::of(&["n=2,3"]).between(low, high).holds(|b, x| b.unary(op, x[0]));
    }
}

#[test]
fn functions_of_two_numbers() {
    use BinaryOp::*;
    for &op in BinaryOp::ALL {
        let (low, high) = match op {
            And | Or | Xor => continue,
            Div | Pow | Atan2 => (0.5, 2.5),
            // In this range the quotients are between two whole numbers.
            FloorDiv | Mod => (2.2, 2.4),
            _ => (-2.0, 2.0),
        };
        let more = if matches!(op, FloorDiv | Mod) { 3.0 } else { 0.0 };
        for shapes in [["n=2,3", "n=2,3"], ["n=2,3", "3"], ["n=2,3", ""], ["n=2,1", "1,m=3"]] {
            Check::of(&shapes).between(low, high).holds(|b, x| {
                let a = b.binary_scalar(Add, x[0], more)?;
                b.binary(op, a, x[1])
            });
        }
    }
}

#[test]
fn axes_that_broadcast_only_when_bound() {
    for shapes in [["n=3,2", "m=1,2"], ["n=3,2", "m=3,2"], ["n=1", "m=4"]] {
        Check::of(&shapes).holds(|b, x| b.mul(x[0], x[1]));
        Check::of(&shapes).holds(|b, x| {
            let sum = b.add(x[0], x[1])?;
            let dims = b.dims_of(x[1]);
            let back = b.sum_to(sum, &dims)?;
            b.mul(back, back)
        });
    }
}

#[test]
fn choices() {
    Check::of(&["n=2,3", "3", "n=2,1"]).holds(|b, x| {
        let condition = b.compare_scalar(CompareOp::Gt, x[0], 0.0)?;
        b.select(condition, x[1], x[2])
    });
    // The operand that is not selected may be infinite: 0 times infinity must not enter the gradient.
    let mut b = Builder::default();
    let x = b.input("x", Type::new(ElementType::F32, [Dim::ONE])).unwrap();
    let positive = b.compare_scalar(CompareOp::Gt, x, 0.0).unwrap();
    let one = b.scalar(ElementType::F32, 1.0).unwrap();
    let safe = b.select(positive, x, one).unwrap();
    let log = b.unary(UnaryOp::Log, safe).unwrap();
    let y = b.select(positive, log, x).unwrap();
    let loss = b.reduce(ReduceOp::Sum, y, &[0], false).unwrap();
    let slope = gradients(&mut b, loss, &[x]).unwrap()[0];
    let program = b.finish(vec![("slope".to_string(), slope)]).unwrap();
    for (x, expected) in [(0.0, 1.0), (-1.0, 1.0), (2.0, 0.5)] {
        assert_eq!(run(&program, &[Array::floats([1], [x]).unwrap()])[0].to_floats().unwrap(), [expected]);
    }
}

#[test]
fn casts() {
    // Half precision is too coarse for finite differences. The gradient of a cast and its inverse is 1.
    let mut b = Builder::default();
    let x = b.input("x", Type::scalar(ElementType::F32)).unwrap();
    let half = b.cast(x, ElementType::F16).unwrap();
    let whole = b.cast(half, ElementType::I32).unwrap();
    let whole = b.cast(whole, ElementType::F32).unwrap();
    let back = b.cast(half, ElementType::F32).unwrap();
    let loss = b.mul(back, whole).unwrap();
    let slope = gradients(&mut b, loss, &[x]).unwrap()[0];
    let program = b.finish(vec![("slope".to_string(), slope)]).unwrap();
    assert_eq!(run(&program, &[Array::scalar(ElementType::F32, 3.25)])[0].to_floats().unwrap(), [3.0]);
}

#[test]
fn activations() {
    let all = [
        Activation::RELU,
        Activation::RELU6,
        Activation::Relu { max: 1.0, negative_slope: 0.0, threshold: 0.0 },
        Activation::Relu { max: f64::INFINITY, negative_slope: 0.25, threshold: 0.0 },
        Activation::Relu { max: 1.5, negative_slope: 0.25, threshold: 0.7 },
        Activation::Elu { alpha: 1.0 },
        Activation::Elu { alpha: -0.5 },
        Activation::Selu {},
        Activation::Sigmoid {},
        Activation::HardSigmoid { slope: 0.2, offset: 0.5 },
        Activation::HardSigmoid { slope: 1.0, offset: 0.4 },
        Activation::Tanh {},
        Activation::Softplus {},
        Activation::Softsign {},
        Activation::Silu {},
        Activation::HardSilu {},
        Activation::Gelu {},
        Activation::GeluTanh {},
        Activation::Mish {},
        Activation::Exponential {},
        Activation::Celu { alpha: 1.5 },
        Activation::Celu { alpha: -1.5 },
        Activation::HardShrink { lambda: 0.5 },
        Activation::SoftShrink { lambda: 0.5 },
        Activation::Clip { low: -1.0, high: 1.0 },
        Activation::LogSigmoid {},
        Activation::TanhShrink {},
        Activation::SparsePlus {},
        Activation::Squareplus { b: 4.0 },
        Activation::Threshold { threshold: 0.5, value: 3.0 },
    ];
    for function in all {
        // The range avoids kinks: none lies between two points of a difference.
        Check::of(&["n=4,4"]).between(-3.8, 4.2).holds(|b, x| b.activate(function, x[0]));
    }
}

#[test]
fn reductions() {
    use ReduceOp::*;
    for op in [Sum, Mean, Prod, Max, Min] {
        for (axes, keep) in [(&[0][..], false), (&[1], true), (&[0, 2], false), (&[0, 1, 2], false)] {
            Check::of(&["n=2,3,m=2"]).holds(|b, x| b.reduce(op, x[0], axes, keep));
        }
    }
}

#[test]
fn running_sums_and_products() {
    for op in [RunningOp::Sum, RunningOp::Prod] {
        for (reverse, exclusive) in [(false, false), (true, false), (false, true), (true, true)] {
            Check::of(&["n=2,t=4"]).holds(|b, x| b.cumulative(op, x[0], 1, reverse, exclusive));
        }
    }
}

#[test]
fn sorting() {
    for (axis, descending) in [(0, false), (1, true)] {
        Check::of(&["n=3,4"]).holds(|b, x| Ok(b.sort(x[0], axis, descending)?.0));
    }
}

#[test]
fn products() {
    Check::of(&["n=2,3", "3,m=4"]).holds(|b, x| b.matmul(x[0], x[1]));
    Check::of(&["n=2,3", "n=2,3"]).holds(|b, x| b.dot(x[0], x[1], &[(0, 0)], &[(1, 1)]));
    Check::of(&["2,n=2,3,2", "3,2,k=2,n=2"]).holds(|b, x| b.dot(x[0], x[1], &[(1, 3)], &[(3, 1), (2, 0)]));
    Check::of(&["n=3", "m=2"]).holds(|b, x| b.dot(x[0], x[1], &[], &[]));
    Check::of(&["n=2,3,2", "n=2,2,4"]).holds(|b, x| b.dot(x[0], x[1], &[(0, 0)], &[(2, 1)]));
}

#[test]
fn convolutions() {
    for (text, groups, x, kernel) in [
        (&["3/2:same", "2:valid"][..], 1, "n=1,h=4,3,2", "3,2,2,3"),
        (&["3/2:same", "2/2:same"], 2, "n=1,h=3,w=4,2", "3,2,1,4"),
        (&["2/1*2:causal"], 1, "n=2,t=4,2", "2,2,1"),
        (&["3/2:1,0"], 1, "n=1,t=6,1", "3,1,2"),
    ] {
        let windows = windows(text);
        let rank = windows.len();
        Check::of(&[x, kernel]).holds(|b, x| b.conv(x[0], x[1], &windows, groups));
        // The gradients of ConvInput and ConvKernel.
        Check::of(&[x, kernel]).holds(|b, x| {
            let y = b.conv(x[0], x[1], &windows, groups)?;
            b.one(ConvKernel { windows: windows.clone(), groups }, &[x[0], y])
        });
        Check::of(&[x, kernel]).holds(|b, x| {
            let dims = b.dims_of(x[0])[1..=rank].to_vec();
            let y = b.one(Conv { windows: windows.clone(), groups }, &[x[0], x[1]])?;
            b.one(ConvInput { windows: windows.clone(), groups, dims }, &[y, x[1]])
        });
    }
}

#[test]
fn rearrangements() {
    Check::of(&["n=2,6"]).holds(|b, x| {
        let n = b.dims_of(x[0])[0];
        let (two, three) = (b.number(2), b.number(3));
        let y = b.reshape(x[0], &[n, two, three])?;
        b.transpose(y, &[2, 0, 1])
    });
    Check::of(&["n=2,1"]).holds(|b, x| {
        let (n, three) = (b.dims_of(x[0])[0], b.number(3));
        b.broadcast(x[0], &[three, n, three], &[1, 2])
    });
    for (start, len, step) in [(0, 2, 1), (1, 2, 2), (4, 1, 1), (0, 0, 3)] {
        Check::of(&["n=2,5"]).holds(|b, x| {
            let range = Range { start: b.number(start), len: b.number(len), step };
            b.slice_axis(x[0], 1, range)
        });
    }
    Check::of(&["n=5,2"]).holds(|b, x| {
        let n = b.dims_of(x[0])[0];
        let len = b.dims().div_ceil(n, 2)?;
        b.slice_axis(x[0], 0, Range { start: Dim::ZERO, len, step: 2 })
    });
    for (low, high, interior) in [(1, 2, 0), (0, 0, 2), (2, 1, 1)] {
        Check::of(&["n=3,2"]).holds(|b, x| {
            let padding = Padding { low: b.number(low), high: b.number(high), interior };
            b.pad(x[0], &[padding, Padding::NONE], 7.0)
        });
    }
    Check::of(&["n=2,2", "n=2,m=3", "n=2,1"]).holds(|b, x| {
        let all = b.concat(&[x[0], x[1], x[0], x[2]], 1)?;
        b.mul(all, all)
    });
    Check::of(&["n=2,3"]).holds(|b, x| b.reverse(x[0], &[0, 1]));
}

#[test]
fn indices() {
    Check::of(&["n=4,3"]).holds(|b, x| {
        let ids = ids(b, &[2, 2], &[1, 3, 1, 0]);
        b.gather(x[0], ids, 0, Bounds::Error)
    });
    Check::of(&["n=2,m=3,2"]).holds(|b, x| {
        let ids = ids(b, &[4], &[-5, 2, 9, 2]);
        b.gather(x[0], ids, 1, Bounds::Clamp)
    });
    Check::of(&["n=4,3", "2,2,3"]).holds(|b, x| {
        let ids = ids(b, &[2, 2], &[1, 3, 1, 0]);
        let y = b.scatter_add(x[0], ids, x[1], 0)?;
        b.mul(y, y)
    });
}

#[test]
fn softmax_and_its_logarithm() {
    for axes in [&[1][..], &[0, 2]] {
        Check::of(&["n=2,3,2"]).holds(|b, x| b.softmax(x[0], axes));
        Check::of(&["n=2,3,2"]).holds(|b, x| b.one(Softmax { axes: axes.to_vec(), log: true }, &[x[0]]));
    }
}

#[test]
fn normalizations() {
    for &norm in Norm::ALL {
        for (axes, scale, center) in
            [(&[1][..], true, true), (&[1, 2], false, true), (&[0], true, false), (&[2], false, false)]
        {
            let normalize = Normalize { norm, axes: axes.to_vec(), epsilon: 0.3, scale, center };
            let parameters = usize::from(scale) + usize::from(center);
            Check::of(&["n=2,3,2", "3,1", "3,2"]).holds(|b, x| b.one(normalize.clone(), &x[..1 + parameters]));
        }
    }
}

#[test]
fn moments_and_batch_normalization() {
    Check::of(&["n=2,3,2"]).holds(|b, x| Ok(b.moments(x[0], &[0, 1])?.0));
    Check::of(&["n=2,3,2"]).holds(|b, x| Ok(b.moments(x[0], &[0, 1])?.1));
    for (scale, center) in [(true, true), (false, false), (true, false), (false, true)] {
        let norm = BatchNorm { epsilon: 0.2, scale, center };
        // Statistics of the batch.
        Check::of(&["n=3,2", "2", "2"]).holds(|b, x| {
            let (mean, variance) = b.moments(x[0], &[0])?;
            let mut operands = vec![x[0], mean, variance];
            operands.extend(&x[1..1 + usize::from(scale) + usize::from(center)]);
            b.one(norm.clone(), &operands)
        });
        // Statistics as inputs.
        Check::of(&["n=3,2", "2", "2", "2", "1"])
            .between(0.2, 2.0)
            .holds(|b, x| b.one(norm.clone(), &x[..3 + usize::from(scale) + usize::from(center)]));
    }
}

#[test]
fn pools() {
    for (text, x) in [
        (&["2/2:valid", "2/2:valid"][..], "n=1,h=4,w=5,2"),
        (&["3/2:same", "2/1:same"], "n=1,h=4,w=3,c=2"),
        (&["3/1:same"], "n=2,t=4,1"),
        (&["2/3:valid"], "n=2,t=6,c=1"),
        (&["3/2:1,1"], "n=1,t=5,2"),
    ] {
        for op in [PoolOp::Max, PoolOp::Mean, PoolOp::Sum] {
            let windows = windows(text);
            Check::of(&[x]).between(-8.0, 8.0).holds(|b, x| b.pool(op, x[0], &windows));
        }
    }
}

#[test]
fn loops() {
    // A recurrence with a matrix, over an axis other than the first, in both directions.
    for reverse in [false, true] {
        Check::of(&["n=2,t=3,2", "n=2,2", "2,2", "2"]).between(-1.0, 1.0).holds(|b, x| {
            let length = b.dims_of(x[0])[1];
            let over =
                Loop { carries: &[x[1]], sequences: &[x[0]], invariants: &[x[2], x[3]], length, axis: 1, reverse };
            let (last, all) = b.scan(over, |b, h, x, w| {
                let product = b.matmul(h[0], w[0])?;
                let sum = b.add(product, x[0])?;
                let sum = b.add(sum, w[1])?;
                let next = b.unary(UnaryOp::Tanh, sum)?;
                let double = b.binary_scalar(BinaryOp::Mul, w[1], 2.0)?;
                let scaled = b.mul(next, double)?;
                Ok((vec![next], vec![scaled]))
            })?;
            let last = b.insert_axis(last[0], 1)?;
            b.mul(all[0], last)
        });
    }
    // No steps, one step, several; scalar carries, one of which never has an adjoint.
    for t in ["t=0", "t=1", "t=4"] {
        Check::of(&[t, "", ""]).holds(|b, x| {
            let length = b.dims_of(x[0])[0];
            let one = b.scalar(ElementType::F32, 1.0)?;
            let carries = [x[1], one, one];
            let over =
                Loop { carries: &carries, sequences: &[x[0]], invariants: &[x[2]], length, axis: 0, reverse: false };
            let (last, _) = b.scan(over, |b, c, x, w| {
                let product = b.mul(c[0], w[0])?;
                let next = b.add(product, x[0])?;
                let other = b.mul(c[1], c[0])?;
                let unused = b.add(c[2], next)?;
                Ok((vec![next, other, unused], vec![]))
            })?;
            b.add(last[0], last[1])
        });
    }
}

#[test]
fn loops_in_loops() {
    // Scalars carried by the inner loop along the second axis: the stored values have fewer axes than the loop's.
    Check::of(&["t=2,s=3", "", "s=3"]).between(-1.0, 1.0).holds(|b, x| {
        let (t, s) = (b.dims_of(x[0])[0], b.dims_of(x[0])[1]);
        let over =
            Loop { carries: &[x[1]], sequences: &[x[0]], invariants: &[x[2]], length: t, axis: 0, reverse: true };
        let (last, collected) = b.scan(over, |b, c, row, w| {
            let row_2d = b.insert_axis(row[0], 0)?;
            let inner = Loop {
                carries: &[c[0]],
                sequences: &[row_2d],
                invariants: &[w[0]],
                length: s,
                axis: 1,
                reverse: false,
            };
            let (last, all) = b.scan(inner, |b, c, x, w| {
                let sum = b.reduce(ReduceOp::Sum, w[0], &[0], false)?;
                let product = b.mul(c[0], sum)?;
                let x = b.reduce(ReduceOp::Sum, x[0], &[0], false)?;
                let next = b.add(product, x)?;
                let next = b.unary(UnaryOp::Sin, next)?;
                let collected = b.insert_axis(next, 0)?;
                Ok((vec![next], vec![collected]))
            })?;
            Ok((last, all))
        })?;
        let shape = b.dims_of(collected[0]);
        let last = b.broadcast(last[0], &shape, &[])?;
        b.mul(collected[0], last)
    });
}

#[test]
fn several_layers_reach_a_weight() {
    Check::of(&["n=2,3", "3,3"]).between(-1.0, 1.0).holds(|b, x| {
        let h = b.matmul(x[0], x[1])?;
        let h = b.activate(Activation::Tanh {}, h)?;
        let y = b.matmul(h, x[1])?;
        b.add(y, h)
    });
}

#[test]
fn a_program_gets_gradients_as_outputs() {
    let mut b = Builder::default();
    let n = b.dims().symbol("n");
    let x = b.input("x", Type::new(ElementType::F32, [n])).unwrap();
    let slot = b.slot("w", Type::scalar(ElementType::F32)).unwrap();
    let other = b.slot("unused", Type::new(ElementType::F32, [Dim::ONE])).unwrap();
    let w = b.get(tfjs_ir::Target::Slot(slot)).unwrap();
    let y = b.mul(x, w).unwrap();
    let loss = b.reduce(ReduceOp::Sum, y, &[0], false).unwrap();
    let program = b.finish(vec![("y".to_string(), y), ("loss".to_string(), loss)]).unwrap();
    let program = grad(&program, "loss", &[Wrt::Slot(slot), Wrt::Slot(other), Wrt::Input(0)]).unwrap();
    assert_eq!(program.outputs, ["y", "loss", "gradient of w", "gradient of unused", "gradient of x"]);
    let slots = vec![Array::scalar(ElementType::F32, 2.0), Array::floats([1], [5.0]).unwrap()];
    let call = Inputs { arguments: vec![Array::floats([3], [1.0, 2.0, 4.0]).unwrap()], slots, ..Inputs::default() };
    let found: Vec<Vec<f64>> =
        interpret(&program, &call).unwrap().outputs.iter().map(|array| array.to_floats().unwrap()).collect();
    assert_eq!(found, [vec![2.0, 4.0, 8.0], vec![14.0], vec![7.0], vec![0.0], vec![2.0, 2.0, 2.0]]);

    // A gradient of a gradient.
    let error = grad(&program, "gradient of w", &[Wrt::Input(0)]).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert_eq!(error.to_string(), "second derivatives are not supported: the loss depends on a gradient");
    let error = grad(&program, "total", &[]).unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Misuse, "the program has no output `total`"));
    let error = grad(&program, "y", &[]).unwrap_err();
    assert_eq!(error.to_string(), "expected a loss of one floating-point number, found `f32[n]`");
}

#[test]
fn opaque_functions_have_no_gradient() {
    let mut b = Builder::default();
    let ty = Type::scalar(ElementType::F32);
    let x = b.input("x", ty.clone()).unwrap();
    b.set_origin(Origin { layer: "mine".into(), ..Origin::default() }).unwrap();
    let opaque = Opaque { function: OpaqueId(0), results: vec![ty.clone()], class: "MyLayer".to_string() };
    let y = b.one(opaque, &[x]).unwrap();
    let other = b.input("other", ty).unwrap();
    let loss = b.mul(y, other).unwrap();
    assert!(gradients(&mut b, loss, &[other]).is_ok());
    let error = gradients(&mut b, loss, &[x]).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert_eq!(error.place().layer.as_deref(), Some("mine"));
    assert!(error.to_string().contains("`MyLayer` has no gradient"), "{error}");
}

#[test]
fn the_gradient_of_a_matrix_in_a_loop_is_one_product_after_it() {
    let mut b = Builder::default();
    let (n, t, two) = (b.dims().symbol("n"), b.dims().symbol("t"), b.number(2));
    let x = b.input("x", Type::new(ElementType::F32, [n, t, two])).unwrap();
    let w = b.input("w", Type::new(ElementType::F32, [two, two])).unwrap();
    let zeros = b.full(ElementType::F32, &[n, two], 0.0).unwrap();
    let over = Loop { carries: &[zeros], sequences: &[x], invariants: &[w], length: t, axis: 1, reverse: false };
    let (last, _) = b
        .scan(over, |b, h, x, w| {
            let sum = b.add(h[0], x[0])?;
            let product = b.matmul(sum, w[0])?;
            Ok((vec![b.unary(UnaryOp::Tanh, product)?], vec![]))
        })
        .unwrap();
    let loss = b.reduce(ReduceOp::Sum, last[0], &[0, 1], false).unwrap();
    let slope = gradients(&mut b, loss, &[w]).unwrap()[0];
    let program = b.finish(vec![("slope".to_string(), slope)]).unwrap();
    let loops: Vec<_> = program.body.nodes.iter().filter(|node| matches!(node.prim, Prim::Scan(_))).collect();
    let [forward, backward] = loops[..] else { panic!("expected two loops:\n{program}") };
    // The sum and the result of each step are stored; no sum of matrices is carried.
    let (Prim::Scan(stores), Prim::Scan(adjoint)) = (&forward.prim, &backward.prim) else { unreachable!() };
    assert_eq!(forward.results.len() - stores.carries, 2, "{program}");
    assert_eq!((adjoint.carries, adjoint.reverse), (1, true), "{program}");
    let products = |nodes: &[Node]| nodes.iter().filter(|node| matches!(node.prim, Prim::Dot(_))).count();
    assert_eq!((products(&adjoint.body.nodes), products(&program.body.nodes)), (1, 1), "{program}");
}

/// Recurrent layers of each cell, with a mask, in both directions.
#[test]
fn recurrences() {
    for &cell in Cell::ALL {
        for (backwards, mask, masked_output) in [
            (false, false, MaskedOutput::Previous),
            (true, true, MaskedOutput::Previous),
            (false, true, MaskedOutput::State),
            (false, true, MaskedOutput::Zeros),
        ] {
            recurrence(cell, backwards, mask, masked_output).unwrap();
        }
    }
}

fn recurrence(cell: Cell, backwards: bool, mask: bool, masked_output: MaskedOutput) -> Result<()> {
    let rnn = Rnn {
        cell,
        activation: Gate(Some(Activation::Tanh {})),
        recurrent_activation: Gate(Some(Activation::Sigmoid {})),
        backwards,
        bias: true,
        mask,
        masked_output,
    };
    let columns = 2 * cell.gates();
    let kernel = format!("3,{columns}");
    let recurrent = format!("2,{columns}");
    let bias = if cell == Cell::GruResetAfter { format!("2,{columns}") } else { columns.to_string() };
    let shapes = ["n=2,t=3,3", &kernel, &recurrent, &bias, "n=2,2", "n=2,2"];
    let shapes = &shapes[..4 + cell.states()];
    // All results, one after the other.
    Check::of(shapes).between(-0.9, 0.9).holds(|b, x| {
        let mut operands = x.to_vec();
        if mask {
            operands.push(flags(b, &[2, 3], &[1, 1, 0, 0, 1, 1]));
        }
        let results = b.push(rnn.clone(), &operands)?;
        let mut flat = Vec::new();
        for result in results {
            let dims = b.dims_of(result);
            let length = b.dims().product(&dims)?;
            flat.push(b.reshape(result, &[length])?);
        }
        b.concat(&flat, 0)
    });
    Ok(())
}
