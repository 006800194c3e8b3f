//! Compares matrix products with plain loops in f64.

use super::*;
use crate::testing::{assert_close, cpus, isas, values};
use crate::{Isa, KernelError};

fn reference(m: usize, k: usize, n: usize, a: &[f32], lda: usize, b: &[f32]) -> Vec<f64> {
    let mut out = vec![0.0; m * n];
    for i in 0..m {
        for p in 0..k {
            for j in 0..n {
                out[i * n + j] += f64::from(a[i * lda + p]) * f64::from(b[p * n + j]);
            }
        }
    }
    out
}

#[track_caller]
fn check(cpu: &Cpu, m: usize, k: usize, n: usize, extra: usize) {
    let (lda, ldc) = (k + extra, n + extra);
    let a = values(m * lda, 1);
    let b = values(k * n, 2);
    let (scale, shift) = (values(n, 3), values(n, 4));
    let residual = values(m * ldc, 5);
    let packed = PackedMatrix::pack(cpu.isa(), k, n, &b).unwrap();
    let sums = reference(m, k, n, &a, lda, &b);
    let epilogues = [
        Epilogue::default(),
        Epilogue { shift: Some(&shift), activation: Activation::RELU6, ..Epilogue::default() },
        Epilogue { scale: Some(&scale), shift: Some(&shift), residual: Some(&residual), activation: Activation::Silu },
    ];
    for (which, epilogue) in epilogues.iter().enumerate() {
        let mut out = vec![7.0; m * ldc];
        gemm(cpu, m, &a, lda, &packed, &mut out, ldc, epilogue).unwrap();
        for i in 0..m {
            for j in 0..n {
                let sum = sums[i * n + j];
                let expected = match which {
                    0 => sum,
                    1 => (sum + f64::from(shift[j])).clamp(0.0, 6.0),
                    _ => {
                        let x = sum * f64::from(scale[j]) + f64::from(shift[j]) + f64::from(residual[i * ldc + j]);
                        x / (1.0 + (-x).exp())
                    }
                };
                let what = format!("{m}x{k}x{n}+{extra} epilogue {which} at {i},{j} on {cpu:?}");
                assert_close(out[i * ldc + j], expected, (k as f64).sqrt() * 4.0, &what);
            }
            for (j, x) in out[i * ldc..(i + 1) * ldc].iter().enumerate().skip(n) {
                assert_eq!(*x, 7.0, "between rows, {i},{j}");
            }
        }
    }
}

#[test]
fn products_agree_with_f64_over_all_tails() {
    for cpu in cpus() {
        for m in [1, 2, 3, 4, 5, 6, 7, 11, 13, 14, 15, 29] {
            for n in [1, 7, 8, 16, 17, 24, 31, 40, 48, 64, 65, 80, 100] {
                check(&cpu, m, 9, n, 0);
            }
        }
        for k in [0, 1, 2, 3, 4, 383, 385, 800] {
            check(&cpu, 1, k, 33, 3);
            check(&cpu, 2, k, 33, 0);
            check(&cpu, 15, k, 33, 3);
        }
    }
}

#[test]
fn large_products_on_several_threads_agree_with_f64() {
    for cpu in cpus() {
        check(&cpu, 500, 70, 50, 1);
        check(&cpu, 40, 400, 200, 0);
        check(&cpu, 1, 700, 500, 0);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for isa in isas() {
        for (m, k, n) in [(1, 900, 500), (3, 500, 300), (49, 600, 320), (700, 64, 48)] {
            let (a, b) = (values(m * k, 1), values(k * n, 2));
            let packed = PackedMatrix::pack(isa, k, n, &b).unwrap();
            let run = |threads| {
                let mut out = vec![0.0; m * n];
                let cpu = Cpu::with_isa(isa, threads);
                gemm(&cpu, m, &a, k, &packed, &mut out, n, &Epilogue::default()).unwrap();
                out
            };
            let one = run(1);
            assert_eq!(one, run(2));
            assert_eq!(one, run(3));
        }
    }
}

#[test]
fn a_nan_in_the_input_reaches_its_row_through_relu() {
    for cpu in cpus() {
        let packed = PackedMatrix::pack(cpu.isa(), 2, 3, &[1.0; 6]).unwrap();
        let mut out = [0.0; 6];
        let relu = Epilogue { activation: Activation::RELU, ..Epilogue::default() };
        gemm(&cpu, 2, &[f32::NAN, 1.0, 1.0, 1.0], 2, &packed, &mut out, 3, &relu).unwrap();
        assert!(out[..3].iter().all(|x| x.is_nan()));
        assert_eq!(out[3..], [2.0; 3]);
    }
}

fn call(m: usize, a: usize, lda: usize, out: usize, ldc: usize, epilogue: &Epilogue<'_>) -> KernelError {
    let packed = PackedMatrix::pack(Isa::PORTABLE, 3, 5, &[1.0; 15]).unwrap();
    let cpu = Cpu::with_isa(Isa::PORTABLE, 1);
    gemm(&cpu, m, &vec![0.0; a], lda, &packed, &mut vec![0.0; out], ldc, epilogue).unwrap_err()
}

#[test]
fn a_short_left_side_is_an_error() {
    let e = call(2, 5, 3, 10, 5, &Epilogue::default());
    assert_eq!(e, KernelError::Length { what: "a", expected: 6, found: 5 });
}

#[test]
fn a_short_output_is_an_error() {
    let e = call(2, 6, 3, 9, 5, &Epilogue::default());
    assert_eq!(e, KernelError::Length { what: "out", expected: 10, found: 9 });
}

#[test]
fn strides_shorter_than_rows_are_errors() {
    let e = call(2, 6, 2, 10, 5, &Epilogue::default());
    assert!(matches!(e, KernelError::Geometry { what: "lda", value: 2, .. }));
    let e = call(2, 6, 3, 10, 4, &Epilogue::default());
    assert!(matches!(e, KernelError::Geometry { what: "ldc", value: 4, .. }));
}

#[test]
fn an_epilogue_of_another_size_is_an_error() {
    let four = [0.0; 4];
    let e = call(1, 3, 3, 5, 5, &Epilogue { scale: Some(&four), ..Epilogue::default() });
    assert_eq!(e, KernelError::Length { what: "scale", expected: 5, found: 4 });
    let e = call(1, 3, 3, 5, 5, &Epilogue { shift: Some(&four), ..Epilogue::default() });
    assert_eq!(e, KernelError::Length { what: "shift", expected: 5, found: 4 });
    let e = call(1, 3, 3, 5, 5, &Epilogue { residual: Some(&four), ..Epilogue::default() });
    assert_eq!(e, KernelError::Length { what: "residual", expected: 5, found: 4 });
}

#[test]
fn a_size_beyond_the_address_space_is_an_error() {
    let e = call(usize::MAX, 3, 3, 5, 5, &Epilogue::default());
    assert_eq!(e, KernelError::TooLarge { what: "a" });
}
