//! Compares elementwise arithmetic with plain loops in f64.

use super::*;
use crate::Isa;
use crate::testing::{assert_close, cpus, values};

const ALL: [Binary; 7] =
    [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Max, Binary::Min, Binary::Average];

fn reference(op: Binary, x: f32, y: f32) -> f64 {
    let (x, y) = (f64::from(x), f64::from(y));
    match op {
        Binary::Add => x + y,
        Binary::Sub => x - y,
        Binary::Mul => x * y,
        Binary::Div => x / y,
        Binary::Max => x.max(y),
        Binary::Min => x.min(y),
        Binary::Average => (x + y) / 2.0,
    }
}

#[test]
fn same_shapes_agree_with_f64() {
    for cpu in cpus() {
        for op in ALL {
            for n in [0, 1, 7, 8, 33, 100_003] {
                let (a, b) = (values(n, 1), values(n, 2));
                let mut out = vec![0.0; n];
                binary(&cpu, op, &a, &b, &mut out).unwrap();
                for i in 0..n {
                    assert_close(out[i], reference(op, a[i], b[i]), 0.0, &format!("{op:?} on {cpu:?}"));
                }
                let mut in_place = a.clone();
                binary_in_place(&cpu, op, &mut in_place, &b).unwrap();
                assert_eq!(in_place, out);
            }
        }
    }
}

#[track_caller]
fn check_broadcast(a_shape: &[usize], b_shape: &[usize], out_shape: &[usize]) {
    for cpu in cpus() {
        let a = values(a_shape.iter().product(), 1);
        let b = values(b_shape.iter().product(), 2);
        let len: usize = out_shape.iter().product();
        let mut out = vec![f32::NAN; len];
        binary_broadcast(&cpu, Binary::Sub, &a, a_shape, &b, b_shape, &mut out, out_shape).unwrap();
        for (i, &found) in out.iter().enumerate() {
            let at = |shape: &[usize]| {
                let (mut rest, mut at, mut stride) = (i, 0, 1);
                for (axis, &len) in out_shape.iter().enumerate().rev() {
                    let own = (axis + shape.len()).checked_sub(out_shape.len()).map_or(1, |x| shape[x]);
                    at += if own == 1 { 0 } else { rest % len * stride };
                    stride *= own;
                    rest /= len;
                }
                at
            };
            assert_eq!(found, a[at(a_shape)] - b[at(b_shape)], "{a_shape:?} {b_shape:?}, {i} on {cpu:?}");
        }
    }
}

#[test]
fn broadcasting() {
    check_broadcast(&[2, 3, 4], &[2, 3, 4], &[2, 3, 4]);
    check_broadcast(&[2, 3, 4], &[4], &[2, 3, 4]);
    check_broadcast(&[2, 3, 4], &[3, 1], &[2, 3, 4]);
    check_broadcast(&[1], &[2, 5], &[2, 5]);
    check_broadcast(&[], &[2, 5], &[2, 5]);
    check_broadcast(&[2, 1, 4, 1], &[1, 3, 1, 5], &[2, 3, 4, 5]);
    check_broadcast(&[2, 1, 4], &[2, 3, 1], &[2, 3, 4]);
    check_broadcast(&[7, 1, 33], &[7, 90, 33], &[7, 90, 33]);
    check_broadcast(&[2, 3], &[1, 1], &[1, 2, 3]);
    check_broadcast(&[], &[], &[]);
    check_broadcast(&[0, 3], &[1, 3], &[0, 3]);
}

#[test]
fn maximum_and_minimum_keep_nan_of_either_side() {
    for cpu in cpus() {
        for op in [Binary::Max, Binary::Min] {
            let mut out = [0.0; 3];
            binary(&cpu, op, &[f32::NAN, 1.0, 2.0], &[1.0, f32::NAN, 2.0], &mut out).unwrap();
            assert!(out[0].is_nan() && out[1].is_nan() && out[2] == 2.0);
        }
    }
}

#[test]
fn one_scale_and_shift_for_each_channel() {
    for cpu in cpus() {
        for channels in [1, 5, 8, 19, 64] {
            let (scale, shift) = (values(channels, 1), values(channels, 2));
            let given = values(channels * 1000, 3);
            let mut out = given.clone();
            scale_shift(&cpu, scale.len(), Some(&scale), Some(&shift), &mut out).unwrap();
            for (i, &found) in out.iter().enumerate() {
                let c = i % channels;
                let expected = f64::from(given[i]) * f64::from(scale[c]) + f64::from(shift[c]);
                assert_close(found, expected, 1.0, &format!("{cpu:?}"));
            }
            // A lone scale and a lone shift.
            for (scale, shift) in [(Some(&scale[..]), None), (None, Some(&shift[..]))] {
                let mut out = given.clone();
                scale_shift(&cpu, channels, scale, shift, &mut out).unwrap();
                for (i, &found) in out.iter().enumerate() {
                    let at = |vector: Option<&[f32]>, or: f32| vector.map_or(or, |vector| vector[i % channels]);
                    assert_eq!(found, given[i] * at(scale, 1.0) + at(shift, 0.0), "{cpu:?}");
                }
            }
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let cpu = Cpu::with_isa(Isa::PORTABLE, 1);
    let e = binary(&cpu, Binary::Add, &[0.0; 3], &[0.0; 4], &mut [0.0; 4]).unwrap_err();
    assert_eq!(e, KernelError::Length { what: "a", expected: 4, found: 3 });
    let e = binary_in_place(&cpu, Binary::Add, &mut [0.0; 3], &[0.0; 4]).unwrap_err();
    assert_eq!(e, KernelError::Length { what: "b", expected: 3, found: 4 });
    let e = scale_shift(&cpu, 3, Some(&[1.0; 3]), Some(&[0.0; 2]), &mut [0.0; 6]).unwrap_err();
    assert_eq!(e, KernelError::Length { what: "shift", expected: 3, found: 2 });
    let e = scale_shift(&cpu, 3, None, None, &mut [0.0; 7]).unwrap_err();
    assert_eq!(e, KernelError::Length { what: "values", expected: 6, found: 7 });
    let broadcast = |a: &[usize], b: &[usize], out: &[usize]| {
        let zeros = |shape: &[usize]| vec![0.0; shape.iter().product()];
        let mut to = zeros(out);
        binary_broadcast(&cpu, Binary::Add, &zeros(a), a, &zeros(b), b, &mut to, out).unwrap_err()
    };
    let e = broadcast(&[2, 3], &[2], &[2, 3]);
    assert!(matches!(e, KernelError::Geometry { what: "b", value: 2, .. }));
    let e = broadcast(&[2, 2, 3], &[3], &[2, 3]);
    assert!(matches!(e, KernelError::Geometry { what: "a", value: 3, .. }));
}
