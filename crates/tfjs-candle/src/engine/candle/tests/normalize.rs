//! Softmax and normalizations.

use super::*;
use tfjs_ir::prim::normalize::{BatchNorm, Norm, Normalize, Softmax};

#[test]
fn softmax_over_any_axes() {
    for axes in [vec![0], vec![1], vec![2], vec![0, 2], vec![1, 2], vec![0, 1, 2]] {
        check(&[some(&[2, 3, 4])], |b, v| {
            let logs = b.one(Softmax { axes: axes.clone(), log: true }, &[v[0]])?;
            Ok(vec![b.softmax(v[0], &axes)?, logs])
        });
    }
    let extremes = floats(&[4, 2], &[1e30, -1e30, -INF, 0.0, NAN, 1.0, 1000.0, 1000.0]);
    check(&[extremes, floats(&[0, 3], &[])], |b, v| Ok(vec![b.softmax(v[0], &[1])?, b.softmax(v[1], &[1])?]));
}

#[test]
fn moments_of_full_and_empty_axes() {
    for axes in [vec![0], vec![1], vec![0, 1], vec![0, 2]] {
        check(&[some(&[3, 2, 4]), floats(&[0, 2, 4], &[])], |b, v| {
            let (mean, variance) = b.moments(v[0], &axes)?;
            let (none, varied) = b.moments(v[1], &axes)?;
            Ok(vec![mean, variance, none, varied])
        });
    }
}

#[test]
fn normalizations() {
    for &norm in Norm::ALL {
        for (axes, scale, center) in [(vec![2], true, true), (vec![1, 2], false, true), (vec![1], true, false)] {
            check(&[some(&[2, 3, 4]), some(&[4]), some(&[3, 1])], |b, v| {
                let normalize = Normalize { norm, axes: axes.clone(), epsilon: 0.01, scale, center };
                let mut operands = vec![v[0]];
                operands.extend([v[1], v[2]].iter().take(usize::from(scale) + usize::from(center)));
                Ok(vec![b.one(normalize, &operands)?])
            });
        }
    }
}

#[test]
fn batch_normalizations() {
    for (scale, center) in [(false, false), (true, false), (false, true), (true, true)] {
        check(&[some(&[2, 3, 4]), some(&[4]), some(&[3, 1])], |b, v| {
            let positive = b.mul(v[1], v[1])?;
            let mut operands = vec![v[0], v[2], positive];
            operands.extend([v[1], v[2]].iter().take(usize::from(scale) + usize::from(center)));
            Ok(vec![b.one(BatchNorm { epsilon: 0.5, scale, center }, &operands)?])
        });
    }
}
