//! Elementwise functions, including special values.

use super::*;
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};

const NUMBERS: [f64; 21] = [
    -INF, -1e30, -100.0, -20.5, -2.5, -1.0, -0.999, -0.5, -1e-6, -0.0, 0.0, 1e-7, 0.2, 0.5, 0.999, 1.0, 1.5, 2.5, 19.0,
    1e30, INF,
];

fn numbers() -> Array {
    floats(&[11, 2], &[&NUMBERS[..], &[NAN]].concat())
}

fn whole(element: ElementType) -> Array {
    let (low, high) = element.integer_range();
    of_ints(element, &[4, 2], &[low, high, 0, 1, 2, 3, 7, high - 1])
}

#[test]
fn functions_of_one_number() {
    for &op in UnaryOp::ALL {
        if op != UnaryOp::Not {
            check(&[numbers()], |b, v| Ok(vec![b.unary(op, v[0])?]));
        }
    }
    check(&[bools(&[2, 1], &[true, false])], |b, v| Ok(vec![b.unary(UnaryOp::Not, v[0])?]));
    for op in [UnaryOp::Neg, UnaryOp::Abs, UnaryOp::Sign] {
        for element in [ElementType::I32, ElementType::I64, ElementType::U8] {
            check(&[whole(element)], |b, v| Ok(vec![b.unary(op, v[0])?]));
        }
    }
}

#[test]
fn small_arguments_are_not_rounded_away() {
    let x = floats(&[4], &[1e-6, -1e-6, 3e-4, -0.2]);
    for op in [UnaryOp::Expm1, UnaryOp::Log1p] {
        let program = build(std::slice::from_ref(&x), |b, v| Ok(vec![b.unary(op, v[0])?]));
        let given = Inputs::of([x.clone()]);
        let (found, expected) =
            (run(&program, &given, Layout::RowMajor).unwrap(), reference(&program, &given).unwrap());
        let (found, expected) = (found[0].to_floats().unwrap(), expected[0].to_floats().unwrap());
        let all = found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= 3e-7 * b.abs());
        assert!(all, "{found:?}, expected {expected:?}");
    }
}

#[test]
fn functions_of_two_numbers() {
    let a = floats(&[2, 5, 1], &[7.0, -7.0, 0.0, 1.0, NAN, INF, -INF, 2.5, -0.5, 1e10]);
    let b = floats(&[6], &[2.0, -2.0, 0.0, 0.3, NAN, INF]);
    for &op in BinaryOp::ALL {
        let logic = matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Xor);
        if !logic {
            check(&[a.clone(), b.clone()], |b, v| Ok(vec![b.binary(op, v[0], v[1])?, b.binary(op, v[1], v[0])?]));
        }
        if !matches!(op, BinaryOp::Div | BinaryOp::Atan2) {
            for element in [ElementType::I32, ElementType::I64, ElementType::U8] {
                let rows = of_ints(element, &[3], &[0, 2, 5]);
                let columns = of_ints(element, &[4, 1], &[0, 1, 3, 120]);
                check(&[rows, columns], |b, v| Ok(vec![b.binary(op, v[0], v[1])?, b.binary(op, v[1], v[0])?]));
            }
            let signed = [ints(&[5, 1], &[7, -7, i64::from(i32::MIN), 0, -1]), ints(&[4], &[2, -2, 0, -1])];
            check(&signed, |b, v| Ok(vec![b.binary(op, v[0], v[1])?]));
        }
        if logic {
            let truth = [bools(&[2, 1], &[true, false]), bools(&[2], &[true, false])];
            check(&truth, |b, v| Ok(vec![b.binary(op, v[0], v[1])?]));
        }
    }
}

#[test]
fn powers_with_a_known_exponent() {
    let x = floats(&[9], &[-2.0, -0.5, -0.0, 0.0, 0.25, 3.0, -INF, INF, NAN]);
    for exponent in [0.0, 1.0, 2.0, 3.0, 0.5, -1.0, -2.0, -0.5, 1.5] {
        check(std::slice::from_ref(&x), |b, v| Ok(vec![b.binary_scalar(BinaryOp::Pow, v[0], exponent)?]));
    }
}

#[test]
fn comparisons_and_choices() {
    for &op in CompareOp::ALL {
        let pairs = [
            [floats(&[3, 1], &[1.0, NAN, -2.0]), floats(&[4], &[1.0, 2.0, -2.0, NAN])],
            [of_ints(ElementType::I64, &[2, 1], &[i64::MAX, 0]), of_ints(ElementType::I64, &[2], &[i64::MAX - 1, 0])],
            [ints(&[2, 1], &[-1, 3]), ints(&[3], &[3, -1, 0])],
            [bools(&[2, 1], &[true, false]), bools(&[2], &[true, false])],
            [words(&["a", "b"]), words(&["b", "b"])],
        ];
        for pair in pairs {
            check(&pair, |b, v| Ok(vec![b.compare(op, v[0], v[1])?]));
        }
    }
    let condition = bools(&[2, 1], &[true, false]);
    for (a, b) in [
        (floats(&[3], &[1.0, 2.0, NAN]), floats(&[], &[9.0])),
        (ints(&[3], &[1, 2, 3]), ints(&[2, 3], &[4, 5, 6, 7, 8, 9])),
        (bools(&[1], &[true]), bools(&[2], &[false, true])),
    ] {
        check(&[condition.clone(), a, b], |b, v| Ok(vec![b.select(v[0], v[1], v[2])?]));
    }
    let text = [bools(&[2], &[true, false]), words(&["a", "b"]), words(&["c", "d"])];
    check(&text, |b, v| Ok(vec![b.select(v[0], v[1], v[2])?]));
}

#[test]
fn casts_cut_saturate_and_wrap() {
    let elements = ElementType::ALL.iter().copied().filter(|element| *element != ElementType::String);
    let elements: Vec<ElementType> = elements.collect();
    let sources = [
        floats(&[10], &[0.0, -0.7, 1.9, -300.2, 300.7, 1e10, -1e19, 1e19, NAN, INF]),
        whole(ElementType::I32),
        whole(ElementType::I64),
        whole(ElementType::U8),
        bools(&[2], &[true, false]),
    ];
    for source in sources {
        for &to in &elements {
            check(std::slice::from_ref(&source), |b, v| Ok(vec![b.cast(v[0], to)?]));
        }
    }
}

#[test]
fn half_precision_is_computed_in_single() {
    let x = floats(&[3, 2], &[0.1, -0.25, 3.0, 60.0, -7.5, 0.0]);
    for element in [ElementType::F16, ElementType::Bf16] {
        check_within(1e-2, std::slice::from_ref(&x), |b, v| {
            let x = b.cast(v[0], element)?;
            let sum = b.add(x, x)?;
            let exp = b.unary(UnaryOp::Expm1, x)?;
            let product = b.dot(x, x, &[], &[(1, 1)])?;
            let soft = b.softmax(x, &[1])?;
            let mean = b.reduce(tfjs_ir::prim::reduce::ReduceOp::Mean, x, &[0], false)?;
            let active = b.activate(Activation::Softplus {}, x)?;
            Ok(vec![sum, exp, product, soft, mean, active])
        });
    }
}

macro_rules! every_activation {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: f64,)* } = $text:literal, |$x:ident| $formula:expr;)*) => {
        /// Each function, with all its parameters set to this number.
        fn activations(parameter: f64) -> Vec<Activation> {
            vec![$(Activation::$name { $($field: parameter,)* }),*]
        }
    };
}
tfjs_ir::for_each_activation!(every_activation);

#[test]
fn every_activation() {
    let x = [-INF, -30.0, -2.0, -1.0, -0.5, -1e-3, 0.0, 1e-3, 0.5, 1.0, 2.0, 3.0, 30.0, INF, NAN, 4.0];
    let mut functions: Vec<Activation> = [0.5, 1.0].into_iter().flat_map(activations).collect();
    functions.extend([Activation::RELU, Activation::RELU6]);
    functions.push(Activation::Relu { max: 2.0, negative_slope: 0.25, threshold: 0.5 });
    for function in functions {
        check(&[floats(&[8, 2], &x)], |b, v| Ok(vec![b.activate(function, v[0])?]));
    }
}

#[test]
fn empty_inputs_give_empty_results() {
    check(&[floats(&[0, 3], &[]), ints(&[0, 1], &[])], |b, v| {
        let sum = b.add(v[0], v[0])?;
        let negative = b.unary(UnaryOp::Neg, v[1])?;
        let truth = b.compare(CompareOp::Lt, v[0], sum)?;
        let active = b.activate(Activation::RELU, v[0])?;
        Ok(vec![sum, negative, truth, active, b.cast(v[1], ElementType::F32)?])
    });
}
