//! Shared helpers of the tests: values, machines, references. Compiled only for tests.

use crate::{Cpu, Isa};

/// `n` pseudo-random values between -1 and 1, determined by the seed.
pub(crate) fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def0;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            ((state >> 40) as f32 / (1u64 << 23) as f32) - 1.0
        })
        .collect()
}

/// An environment variable that restricts the tests to one instruction set and one thread, for slow CPU emulators.
const ONLY: &str = "TFJS_KERNELS_TEST_ISA";

/// Every instruction set of this machine, or the one selected by the environment.
pub(crate) fn isas() -> Vec<Isa> {
    match std::env::var(ONLY) {
        Ok(name) => vec![Isa::named(&name).expect("the machine has the instruction set asked for")],
        Err(_) => Isa::available(),
    }
}

/// [`isas`], with one to three threads.
pub(crate) fn cpus() -> Vec<Cpu> {
    let most = if std::env::var_os(ONLY).is_some() { 1 } else { 3 };
    let mut all = Vec::new();
    for isa in isas() {
        all.extend((1..=most).map(|threads| Cpu::with_isa(isa, threads)));
    }
    all
}

/// Compares with a result in f64. `size` is the magnitude of the terms of the sum.
#[track_caller]
pub(crate) fn assert_close(found: f32, expected: f64, size: f64, what: &str) {
    let allowed = 5e-7 * (expected.abs() + size) + 1e-30;
    let error = (f64::from(found) - expected).abs();
    assert!(error <= allowed, "{what}: found {found}, expected {expected} within {allowed:e}");
}

/// The error function, by its series near zero and a continued fraction elsewhere.
pub(crate) fn erf_f64(x: f64) -> f64 {
    let a = x.abs();
    let value = if a < 2.5 {
        let (mut term, mut sum) = (a, a);
        for n in 1..80 {
            term *= -a * a / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    } else {
        let mut fraction = 0.0;
        for n in (1..120).rev() {
            fraction = f64::from(n) / 2.0 / (a + fraction);
        }
        1.0 - (-a * a).exp() / (a + fraction) / std::f64::consts::PI.sqrt()
    };
    value.copysign(x)
}

#[test]
fn erf_f64_is_erf() {
    // Abramowitz and Stegun, table 7.1.
    for (x, y) in
        [(0.0, 0.0), (0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0), (3.0, 0.999_977_909_5)]
    {
        assert!((erf_f64(x) - y).abs() < 1e-10 && (erf_f64(-x) + y).abs() < 1e-10, "{x}");
    }
}
