//! Rearrangements, indexing, and values computed from shapes.

use super::{Case, check, input, weight};
use tfjs_ir::ElementType::{self, Bool, F32, I32, I64, U8};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::source::{Distribution, Random};
use tfjs_ir::{Array, Data, Dim};

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
    inputs.arguments = vec![Array::new(I64, [2], Data::Int(vec![1, 7])).unwrap()];
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
