//! Reductions, positions of extremes, running sums, sorting.

use super::*;
use tfjs_ir::prim::reduce::{Extreme, ReduceOp, RunningOp};

/// Every non-empty subset of the axes.
fn choices(rank: usize) -> Vec<Vec<usize>> {
    (1..1usize << rank).map(|bits| (0..rank).filter(|axis| bits >> axis & 1 == 1).collect()).collect()
}

#[test]
fn reductions_over_any_axes() {
    for axes in choices(3) {
        for keep in [false, true] {
            check(&[some(&[2, 3, 4])], |b, v| {
                let ops = [ReduceOp::Sum, ReduceOp::Mean, ReduceOp::Prod, ReduceOp::Max, ReduceOp::Min];
                ops.iter().map(|&op| b.reduce(op, v[0], &axes, keep)).collect()
            });
            check(&[of_ints(ElementType::U8, &[2, 2, 2], &[1, 200, 90, 4, 5, 6, 7, 255])], |b, v| {
                let ops = [ReduceOp::Sum, ReduceOp::Prod, ReduceOp::Max, ReduceOp::Min];
                ops.iter().map(|&op| b.reduce(op, v[0], &axes, keep)).collect()
            });
            check(&[bools(&[2, 2, 2], &[true, false, true, true, false, false, true, true])], |b, v| {
                [ReduceOp::Any, ReduceOp::All].iter().map(|&op| b.reduce(op, v[0], &axes, keep)).collect()
            });
        }
    }
}

#[test]
fn nan_wins() {
    let x = floats(&[4, 3], &[1.0, NAN, 0.0, NAN, 1.0, 2.0, 1.0, 2.0, NAN, INF, -INF, 0.0]);
    check(&[x], |b, v| {
        let mut out = Vec::new();
        for axis in [0, 1] {
            for op in [ReduceOp::Max, ReduceOp::Min, ReduceOp::Sum, ReduceOp::Mean] {
                out.push(b.reduce(op, v[0], &[axis], false)?);
            }
            for op in [Extreme::Max, Extreme::Min] {
                out.push(b.arg_reduce(op, v[0], axis, ElementType::I32)?);
            }
        }
        Ok(out)
    });
}

#[test]
fn empty_reductions() {
    check(&[floats(&[2, 0, 3], &[]), ints(&[0, 2], &[]), bools(&[0], &[])], |b, v| {
        let mut out = Vec::new();
        for op in [ReduceOp::Sum, ReduceOp::Mean, ReduceOp::Prod, ReduceOp::Max, ReduceOp::Min] {
            out.push(b.reduce(op, v[0], &[1], false)?);
            out.push(b.reduce(op, v[0], &[0], true)?);
            out.push(b.reduce(op, v[0], &[0, 1, 2], false)?);
            if op != ReduceOp::Mean {
                out.push(b.reduce(op, v[1], &[0], false)?);
            }
        }
        for op in [ReduceOp::Any, ReduceOp::All] {
            out.push(b.reduce(op, v[2], &[0], false)?);
        }
        out.push(b.arg_reduce(Extreme::Max, v[0], 1, ElementType::I64)?);
        let (one, three) = (Dim::ONE, b.number(3));
        out.push(b.sum_to(v[0], &[one, three])?);
        Ok(out)
    });
}

#[test]
fn sums_to_what_was_broadcast() {
    check(&[some(&[2, 3, 4]), ints(&[2, 2], &[1, 2, 3, 4])], |b, v| {
        let [two, three, four] = [2, 3, 4].map(|n| b.number(n));
        let one = Dim::ONE;
        let mut out = Vec::new();
        for dims in [vec![four], vec![three, one], vec![one, one, four], vec![two, one, four], vec![], vec![one]] {
            out.push(b.sum_to(v[0], &dims)?);
        }
        out.push(b.sum_to(v[1], &[one, two])?);
        Ok(out)
    });
}

#[test]
fn the_first_of_equal_extremes() {
    let x = floats(&[2, 4], &[1.0, 3.0, 3.0, 0.0, -1.0, -1.0, -2.0, -2.0]);
    check(&[x, ints(&[2, 3], &[5, 5, 1, 1, 1, 2]), bools(&[3], &[false, true, true])], |b, v| {
        let mut out = Vec::new();
        for op in [Extreme::Max, Extreme::Min] {
            for axis in [0, 1] {
                out.push(b.arg_reduce(op, v[0], axis, ElementType::I64)?);
                out.push(b.arg_reduce(op, v[1], axis, ElementType::I32)?);
            }
            out.push(b.arg_reduce(op, v[2], 0, ElementType::U8)?);
        }
        Ok(out)
    });
}

#[test]
fn running_sums_and_sorting() {
    let x = floats(&[2, 4], &[3.0, NAN, 1.0, 2.0, INF, 1.0, -INF, 1.0]);
    check(&[x, ints(&[3, 2], &[3, 1, 2, 1, 3, 0])], |b, v| {
        let mut out = Vec::new();
        for (axis, flag) in [(0, false), (0, true), (1, false), (1, true)] {
            out.push(b.cumulative(RunningOp::Sum, v[0], axis, flag, !flag)?);
            out.push(b.cumulative(RunningOp::Prod, v[1], axis, flag, flag)?);
            for &x in v {
                let (sorted, from) = b.sort(x, axis, flag)?;
                out.extend([sorted, from]);
            }
        }
        Ok(out)
    });
}
