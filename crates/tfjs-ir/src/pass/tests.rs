//! Passes preserve the results of a program bit by bit.

use super::*;
use crate::arbitrary::Taste;
use crate::arbitrary::tests::{for_each, same_bits};
use crate::array::Array;
use crate::build::{Builder, Loop};
use crate::dim::Dim;
use crate::interpret::Budget;
use crate::prim::reduce::ReduceOp;
use crate::prim::{Prim, PrimKind};
use crate::ty::{ElementType, Type};
use crate::verify::verify;

const SMALL: Budget = Budget { elements: 64, work: 1000 };

type Pass = fn(&Program) -> Result<Program>;

#[test]
fn results_stay_the_same() {
    let mut removed = [0; 4];
    for_each(Taste::Any, 80, |program, calls| {
        let passes: [Pass; 4] = [
            dead_code,
            common_subexpressions,
            |program| constants(program, SMALL),
            |program| dead_code(&movement(program)?),
        ];
        let mut all = program.clone();
        for (pass, removed) in passes.iter().zip(&mut removed) {
            let result = pass(program).unwrap();
            verify(&result).unwrap_or_else(|e| panic!("{e}\n{program}\n{result}"));
            calls.iter().take(2).for_each(|call| same_bits(program, &result, call));
            *removed += program.body.nodes.len() - result.body.nodes.len().min(program.body.nodes.len());
            all = pass(&all).unwrap();
        }
        let all = dead_code(&all).unwrap();
        verify(&all).unwrap();
        calls.iter().for_each(|call| same_bits(program, &all, call));
        assert_eq!(dead_code(&all).unwrap().to_string(), all.to_string());
    });
    assert!(removed.iter().enumerate().all(|(pass, &removed)| pass == 2 || removed > 0), "{removed:?}");
}

fn kinds(program: &Program) -> Vec<PrimKind> {
    program.body.nodes.iter().map(|node| node.prim.kind()).collect()
}

fn input(b: &mut Builder) -> Value {
    let (batch, three) = (b.dims().symbol("batch"), b.number(3));
    b.input("x", Type::new(ElementType::F32, [batch, three])).unwrap()
}

fn finish(b: Builder, values: &[Value]) -> Program {
    b.finish(values.iter().map(|&value| (String::new(), value)).collect()).unwrap()
}

#[test]
fn loops_lose_unread_values() {
    let mut b = Builder::default();
    let x = input(&mut b);
    let batch = b.dims_of(x)[0];
    let [zero, one, unused] = [0.0, 1.0, 2.0].map(|n| b.full(ElementType::F32, &[batch], n).unwrap());
    let three = b.number(3);
    let over = Loop {
        carries: &[zero, one, unused],
        sequences: &[x, x],
        invariants: &[one],
        length: three,
        axis: 1,
        reverse: false,
    };
    let (finals, collected) = b
        .scan(over, |b, carries, elements, invariants| {
            // The first carry depends on the second, the third only on itself.
            let first = b.add(carries[0], carries[1])?;
            let second = b.mul(carries[1], elements[0])?;
            let third = b.add(carries[2], invariants[0])?;
            Ok((vec![first, second, third], vec![first, third]))
        })
        .unwrap();
    let program = finish(b, &[collected[0]]);
    let result = dead_code(&program).unwrap();
    verify(&result).unwrap();
    let scan = result.body.nodes.iter().find_map(|node| match &node.prim {
        Prim::Scan(scan) => Some((scan, node)),
        _ => None,
    });
    let (scan, node) = scan.unwrap();
    assert_eq!((scan.carries, scan.sequences, scan.body.nodes.len()), (2, 1, 2));
    assert_eq!((node.operands.len(), node.results.len()), (3, 3));
    assert_eq!(result.constants.len(), 2);
    assert_eq!(finals.len(), 3);
}

#[test]
fn equal_nodes_merge_and_random_ones_do_not() {
    let mut b = Builder::default();
    let x = input(&mut b);
    let twice = [b.add(x, x).unwrap(), b.add(x, x).unwrap()];
    let constants = [1.0, 1.0, -0.0, 0.0].map(|n| b.constant(Array::scalar(ElementType::F32, n)).unwrap());
    let seed = b.seed().unwrap();
    let random = [0, 0].map(|_| {
        let distribution = crate::prim::source::Distribution::Uniform;
        b.one(crate::prim::source::Random { distribution, dims: vec![], stream: 1 }, &[seed]).unwrap()
    });
    let program = finish(b, &[&twice[..], &constants, &random].concat());
    let result = common_subexpressions(&program).unwrap();
    let found = &result.body.results;
    let same: Vec<bool> = [(0, 1), (2, 3), (4, 5), (6, 7)].iter().map(|&(i, j)| found[i] == found[j]).collect();
    assert_eq!(same, [true, true, false, false]);
}

#[test]
fn small_constants_are_computed() {
    let mut b = Builder::default();
    let x = input(&mut b);
    let batch = b.dims_of(x)[0];
    let c = b.constant(Array::floats([3], [1.0, 2.0, 3.0]).unwrap()).unwrap();
    let sum = b.reduce(ReduceOp::Sum, c, &[0], true).unwrap();
    let y = b.mul(x, sum).unwrap();
    let per_call = b.broadcast(sum, &[batch], &[0]).unwrap();
    let large = b.number(1000);
    let large = b.broadcast(sum, &[large], &[0]).unwrap();
    let program = finish(b, &[y, per_call, large]);
    let result = dead_code(&constants(&program, SMALL).unwrap()).unwrap();
    verify(&result).unwrap();
    assert_eq!(
        kinds(&result),
        [PrimKind::Input, PrimKind::Const, PrimKind::Binary, PrimKind::Broadcast, PrimKind::Broadcast]
    );
    assert_eq!(result.constants[0].to_floats().unwrap(), [6.0]);
}

#[test]
fn inverse_rearrangements_cancel() {
    let mut b = Builder::default();
    let x = input(&mut b);
    let dims = b.dims_of(x);
    let cube = b.reshape(x, &[dims[0], Dim::ONE, dims[1]]).unwrap();
    let turned = b.transpose(cube, &[1, 2, 0]).unwrap();
    let back = b.transpose(turned, &[2, 0, 1]).unwrap();
    let back = b.reshape(back, &dims).unwrap();
    let back = b.reverse(back, &[0, 1]).unwrap();
    let back = b.reverse(back, &[1, 0]).unwrap();
    let once = b.transpose(turned, &[1, 2, 0]).unwrap();
    let program = finish(b, &[back, once]);
    let result = dead_code(&movement(&program).unwrap()).unwrap();
    verify(&result).unwrap();
    assert_eq!(kinds(&result), [PrimKind::Input, PrimKind::Reshape, PrimKind::Transpose]);
    assert_eq!(result.body.results[0], result.body.nodes[0].results[0]);
}
