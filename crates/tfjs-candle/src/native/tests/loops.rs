//! Loops, and the outer values that their bodies read.

use super::{Case, input, weight};
use tfjs_ir::ElementType::{Bool, F32};
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::{Builder, Loop, Value};
use tfjs_manifest::Result;

/// A loop over time whose body is a small recurrent cell, with a product by a weight from outside.
fn cell(b: &mut Builder, reverse: bool) -> Result<Vec<Value>> {
    let x = input(b, F32, &["n", "t", "3"]);
    let (h, s) = (input(b, F32, &["n", "2"]), input(b, F32, &["n", "2"]));
    let (kernel, recurrent, bias) = (weight(b, &[3, 2]), weight(b, &[2, 2]), weight(b, &[2]));
    let length = b.dims_of(x)[1];
    let over =
        Loop { carries: &[h, s], sequences: &[x], invariants: &[kernel, recurrent, bias, s], length, axis: 1, reverse };
    let (finals, collected) = b.scan(over, |b, carries, elements, invariants| {
        let x = b.matmul(elements[0], invariants[0])?;
        let r = b.matmul(carries[0], invariants[1])?;
        let y = b.add(x, r)?;
        let y = b.add(y, invariants[2])?;
        let next = b.activate(Activation::Tanh {}, y)?;
        let with = b.mul(next, invariants[3])?;
        // The carries are swapped.
        Ok((vec![carries[1], with], vec![next, carries[0]]))
    })?;
    Ok([finals, collected].concat())
}

#[test]
fn the_body_runs_in_kernels() {
    for reverse in [false, true] {
        let case = Case::new(|b| cell(b, reverse));
        let body = case.plan.selection.root.steps[0].kernel.as_ref().and_then(|kernel| kernel.body()).unwrap();
        let kernels: Vec<String> =
            body.steps.iter().filter_map(|step| Some(step.kernel.as_ref()?.describe())).collect();
        assert!(kernels[0].starts_with("dense"), "{kernels:?}");
        assert!(case.plan.reference_layers().is_empty());
        assert!(case.plan.to_json()["steps"][0]["steps"].is_array());
        for symbols in [[2, 4], [1, 1], [3, 0], [0, 2]] {
            case.agrees(&symbols);
        }
    }
}

#[test]
fn a_loop_in_a_loop() {
    let case = Case::new(|b| {
        let x = input(b, F32, &["n", "t", "3"]);
        let start = input(b, F32, &["3"]);
        let [n, t, _] = b.dims_of(x)[..] else { unreachable!("rank 3") };
        let over = Loop { carries: &[start], sequences: &[x], invariants: &[], length: n, axis: 0, reverse: false };
        let (finals, collected) = b.scan(over, |b, carries, rows, _| {
            let over = Loop { carries, sequences: rows, invariants: &[], length: t, axis: 0, reverse: true };
            let (finals, collected) = b.scan(over, |b, carries, rows, _| {
                let next = b.sub(rows[0], carries[0])?;
                Ok((vec![next], vec![next]))
            })?;
            Ok((finals, collected))
        })?;
        Ok([finals, collected].concat())
    });
    for symbols in [[2, 4], [1, 1], [3, 0], [0, 2]] {
        case.agrees(&symbols);
    }
}

#[test]
fn a_carry_that_never_changes_and_one_of_truth_values() {
    let case = Case::new(|b| {
        let (x, mask, h) = (input(b, F32, &["n", "t"]), input(b, Bool, &["n", "t"]), input(b, F32, &["n"]));
        let length = b.dims_of(x)[1];
        let seen = input(b, Bool, &["n"]);
        let over =
            Loop { carries: &[h, seen], sequences: &[x, mask], invariants: &[], length, axis: 1, reverse: false };
        let (finals, collected) = b.scan(over, |b, carries, elements, _| {
            let seen = b.binary(tfjs_ir::prim::elementwise::BinaryOp::Or, carries[1], elements[1])?;
            let y = b.select(seen, elements[0], carries[0])?;
            Ok((vec![carries[0], seen], vec![y]))
        })?;
        Ok([finals, collected].concat())
    });
    for symbols in [[2, 4], [3, 0]] {
        case.agrees(&symbols);
    }
}
