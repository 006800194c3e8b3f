//! Products, convolutions and pools.

use super::{check, input, weight, windows};
use tfjs_ir::Builder;
use tfjs_ir::ElementType::F32;
use tfjs_ir::prim::window::PoolOp;

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
    // Transposed weights, as in a tied output layer.
    check(
        |b| {
            let (x, w) = (input(b, F32, &["n", "5"]), weight(b, &[4, 5]));
            b.dot(x, w, &[], &[(1, 1)])
        },
        shapes,
    );
    // Projections to and from attention heads.
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
    // Contracted axes that are not adjacent, and first axes.
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
            // A pool over three axes is expanded.
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
