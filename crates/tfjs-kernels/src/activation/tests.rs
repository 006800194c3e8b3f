//! Compares activations with their formulas in f64.

use super::*;
use crate::testing::{cpus, erf_f64, isas};

const ALL: [Activation; 18] = [
    Activation::Linear,
    Activation::RELU,
    Activation::RELU6,
    Activation::LeakyRelu { negative_slope: 0.3, threshold: 0.0, max: f32::INFINITY },
    Activation::LeakyRelu { negative_slope: 0.0, threshold: 1.0, max: 4.0 },
    Activation::LeakyRelu { negative_slope: 0.1, threshold: -1.0, max: 2.0 },
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Silu,
    Activation::HardSigmoid(HardSigmoidForm::Clip),
    Activation::HardSigmoid(HardSigmoidForm::Relu6),
    Activation::HardSwish,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Elu { alpha: 0.7 },
    Activation::Softplus,
    Activation::Softsign,
    Activation::Mish,
];

fn reference(activation: Activation, x: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    match activation {
        Activation::Linear => x,
        Activation::Clamp { low, high } => x.max(low.into()).min(high.into()),
        Activation::LeakyRelu { negative_slope, threshold, max } => {
            if x >= f64::from(max) {
                max.into()
            } else if x > f64::from(threshold) {
                x
            } else {
                f64::from(negative_slope) * (x - f64::from(threshold))
            }
        }
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => x.tanh(),
        Activation::Silu => x * sigmoid(x),
        Activation::HardSigmoid(HardSigmoidForm::Clip) => (0.2 * x + 0.5).clamp(0.0, 1.0),
        Activation::HardSigmoid(HardSigmoidForm::Relu6) => (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::Gelu => 0.5 * x * (1.0 + erf_f64(x / std::f64::consts::SQRT_2)),
        Activation::GeluTanh => {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
        }
        Activation::Elu { alpha } => {
            if x > 0.0 {
                x
            } else {
                f64::from(alpha) * x.exp_m1()
            }
        }
        Activation::Selu => {
            let (alpha, scale) = (1.6732632423543772, 1.0507009873554805);
            scale * if x > 0.0 { x } else { alpha * x.exp_m1() }
        }
        Activation::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        Activation::Softsign => x / (1.0 + x.abs()),
        Activation::Exponential => x.exp(),
        Activation::Mish => x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh(),
    }
}

/// Compares with `reference` for many values: within `relative` of the result, or within `absolute` times
/// the input's size where the formula itself suffers cancellation.
#[track_caller]
fn check(activation: Activation, range: (f32, f32), relative: f64, absolute: f64) {
    let n = 40_003;
    let xs: Vec<f32> = (0..n).map(|i| range.0 + (range.1 - range.0) * i as f32 / (n - 1) as f32).collect();
    for isa in isas() {
        let mut ys = xs.clone();
        apply(isa, activation, &mut ys);
        for (&x, &y) in xs.iter().zip(&ys) {
            let expected = reference(activation, x.into());
            let error = (f64::from(y) - expected).abs();
            let allowed = relative * expected.abs() + absolute * f64::from(x.abs()) + 1.5e-45;
            assert!(error <= allowed, "{activation:?} of {x:e} on {isa}: {y:e}, expected {expected:e}");
        }
    }
}

#[test]
fn values_agree_with_f64() {
    for activation in ALL {
        // The functions with cancellation are precise relative to their input.
        let absolute = match activation {
            Activation::Gelu | Activation::GeluTanh => 1.2e-7,
            Activation::HardSigmoid(_) | Activation::HardSwish => 1e-7,
            Activation::LeakyRelu { .. } => 1e-7,
            _ => 0.0,
        };
        for range in [(-1.0, 1.0), (-12.0, 12.0), (-1e-3, 1e-3)] {
            check(activation, range, 4e-7, absolute);
        }
    }
    check(Activation::Selu, (-15.0, 15.0), 4e-7, 0.0);
    check(Activation::Exponential, (-103.0, 88.0), 2.5e-7, 0.0);
    check(Activation::Exponential, (-1.0, 1.0), 2e-7, 0.0);
    check(Activation::Sigmoid, (-100.0, 100.0), 4e-7, 0.0);
    check(Activation::Tanh, (-0.7, 0.7), 3e-7, 0.0);
    check(Activation::Softplus, (-80.0, 80.0), 4e-7, 0.0);
}

#[test]
fn nan_comes_through_in_every_lane() {
    for isa in isas() {
        for activation in ALL.into_iter().chain([Activation::Selu, Activation::Exponential]) {
            for len in [1, 3, 8, 16, 37] {
                for at in 0..len {
                    let mut values = vec![0.5; len];
                    values[at] = f32::NAN;
                    apply(isa, activation, &mut values);
                    for (i, v) in values.iter().enumerate() {
                        assert_eq!(v.is_nan(), i == at, "{activation:?} on {isa}, {i} of {len}");
                    }
                }
            }
        }
    }
}

#[track_caller]
fn check_limits(activation: Activation, at_minus_infinity: f32, at_infinity: f32) {
    for isa in isas() {
        let mut values = [f32::NEG_INFINITY, f32::INFINITY];
        apply(isa, activation, &mut values);
        assert_eq!(values, [at_minus_infinity, at_infinity], "{activation:?} on {isa}");
    }
}

#[test]
fn infinities_give_the_limits() {
    let inf = f32::INFINITY;
    check_limits(Activation::Linear, -inf, inf);
    check_limits(Activation::RELU, 0.0, inf);
    check_limits(Activation::RELU6, 0.0, 6.0);
    check_limits(Activation::LeakyRelu { negative_slope: 0.0, threshold: 0.5, max: 3.0 }, 0.0, 3.0);
    check_limits(Activation::LeakyRelu { negative_slope: 0.3, threshold: 0.0, max: inf }, -inf, inf);
    check_limits(Activation::Sigmoid, 0.0, 1.0);
    check_limits(Activation::Tanh, -1.0, 1.0);
    check_limits(Activation::HardSigmoid(HardSigmoidForm::Clip), 0.0, 1.0);
    check_limits(Activation::HardSigmoid(HardSigmoidForm::Relu6), 0.0, 1.0);
    check_limits(Activation::Elu { alpha: 2.0 }, -2.0, inf);
    check_limits(Activation::Softplus, 0.0, inf);
    check_limits(Activation::Exponential, 0.0, inf);
}

#[test]
fn values_at_the_edges() {
    for isa in isas() {
        let mut values = [0.0, -0.0, 88.7228, 88.7229, -103.9, f32::MIN_POSITIVE];
        apply(isa, Activation::Exponential, &mut values);
        assert_eq!(values[..2], [1.0, 1.0]);
        assert!(values[2].is_finite() && values[2] > 3.4e38);
        assert_eq!(values[3], f32::INFINITY);
        assert!(values[4] > 0.0, "subnormal results are kept");
        assert_eq!(values[5], 1.0);
    }
}

#[test]
fn the_threshold_itself_is_below() {
    for cpu in cpus() {
        for (negative_slope, expected) in [(0.0, [0.0, 0.0, 0.75]), (0.5, [-0.125, 0.0, 0.75])] {
            let mut values = [0.25, 0.5, 0.75];
            activate(&cpu, Activation::LeakyRelu { negative_slope, threshold: 0.5, max: f32::INFINITY }, &mut values);
            assert_eq!(values, expected);
        }
    }
}
