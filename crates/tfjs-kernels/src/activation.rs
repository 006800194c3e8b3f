//! Activation functions, in place on slices. Every function returns NaN for NaN.
//!
//! Softmax is in [`softmax`](crate::softmax), because it needs a whole row.

use crate::isa::Work;
use crate::simd::Simd;
use crate::{Cpu, Isa, math, split};

/// A function of one value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// x.
    #[default]
    Linear,
    /// x, but at least `low` and at most `high`: ReLU, ReLU6, hard tanh.
    Clamp {
        /// The least value.
        low: f32,
        /// The greatest value, which may be infinite.
        high: f32,
    },
    /// `max` if `x >= max`, x if `x > threshold`, else `negative_slope * (x - threshold)`.
    LeakyRelu {
        /// The slope up to the threshold. A slope of 0 gives 0 there, even for -inf.
        negative_slope: f32,
        /// The threshold, 0 by default.
        threshold: f32,
        /// The greatest value, infinite by default.
        max: f32,
    },
    /// 1 / (1 + e^-x).
    Sigmoid,
    /// tanh x.
    Tanh,
    /// x sigmoid(x), also called swish.
    Silu,
    /// A piecewise linear sigmoid, whose slope depends on the framework.
    HardSigmoid(HardSigmoidForm),
    /// x relu6(x + 3) / 6, also called hard silu.
    HardSwish,
    /// x Φ(x) with the error function.
    Gelu,
    /// The approximation of [`Activation::Gelu`] by tanh.
    GeluTanh,
    /// x if positive, else `alpha * (e^x - 1)`.
    Elu {
        /// The negative of the limit at -inf.
        alpha: f32,
    },
    /// The self-normalising scaled ELU.
    Selu,
    /// ln(1 + e^x).
    Softplus,
    /// x / (1 + |x|).
    Softsign,
    /// e^x.
    Exponential,
    /// x tanh(softplus(x)).
    Mish,
}

/// The form of `hard_sigmoid`, which depends on the framework that made the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Complete: frameworks define only these two.
#[allow(clippy::exhaustive_enums, reason = "frameworks know these two")]
pub enum HardSigmoidForm {
    /// clip(0.2 x + 0.5, 0, 1): TensorFlow.js, Keras 1 and 2.
    Clip,
    /// relu6(x + 3) / 6: Keras 3.
    Relu6,
}

impl Activation {
    /// max(x, 0).
    pub const RELU: Activation = Activation::Clamp { low: 0.0, high: f32::INFINITY };
    /// min(max(x, 0), 6).
    pub const RELU6: Activation = Activation::Clamp { low: 0.0, high: 6.0 };

    /// The bounds, if the function is a clamp: kernels apply it while the result is in registers.
    pub(crate) fn as_clamp(self) -> Option<(f32, f32)> {
        match self {
            Activation::Linear => Some((f32::NEG_INFINITY, f32::INFINITY)),
            Activation::Clamp { low, high } => Some((low, high)),
            _ => None,
        }
    }
}

/// Applies the activation to every value.
pub fn activate(cpu: &Cpu, activation: Activation, values: &mut [f32]) {
    if activation == Activation::Linear {
        return;
    }
    let cost = if activation.as_clamp().is_some() { 1 } else { 8 };
    split::rows(cpu, values, 1, cost, |_, part| apply(cpu.isa(), activation, part));
}

/// [`activate`] on the calling thread.
pub(crate) fn apply(isa: Isa, activation: Activation, values: &mut [f32]) {
    if activation != Activation::Linear {
        isa.run(Apply { activation, values });
    }
}

struct Apply<'a> {
    activation: Activation,
    values: &'a mut [f32],
}

/// Replaces each vector `$x` of a slice by an expression of it. This is a macro because a closure that is not inlined
/// would be compiled for the base instruction set.
macro_rules! map {
    ($s:ident, $values:expr, $x:ident => $e:expr) => {{
        let values: &mut [f32] = $values;
        let (start, len) = (values.as_mut_ptr(), values.len());
        let mut i = 0;
        while i + S::LANES <= len {
            // SAFETY: `LANES` values follow `i` in the slice.
            let $x = unsafe { $s.load(start.add(i)) };
            let y = $e;
            // SAFETY: the same values.
            unsafe { $s.store(start.add(i), y) };
            i += S::LANES;
        }
        if i < len {
            // SAFETY: `len - i` values follow `i`, fewer than `LANES`.
            let $x = unsafe { $s.load_first(start.add(i), len - i) };
            let y = $e;
            // SAFETY: the same values.
            unsafe { $s.store_first(start.add(i), len - i, y) };
        }
    }};
}

impl Work for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let zero = s.splat(0.0);
        let one = s.splat(1.0);
        let three = s.splat(3.0);
        let six = s.splat(6.0);
        match self.activation {
            Activation::Linear => {}
            Activation::Clamp { low, high } => {
                let (low, high) = (s.splat(low), s.splat(high));
                map!(s, self.values, x => s.min(high, s.max(low, x)));
            }
            Activation::LeakyRelu { negative_slope, threshold, max } => {
                // The comparison is `x < next_up(threshold)`, so the threshold itself is on the lower side and NaN is
                // not.
                let above = s.splat(threshold.next_up());
                let (slope, threshold, max) = (s.splat(negative_slope), s.splat(threshold), s.splat(max));
                // 0 * -inf would be NaN.
                if negative_slope == 0.0 {
                    map!(s, self.values, x => s.min(max, s.select(s.less(x, above), zero, x)));
                } else {
                    map!(s, self.values, x => {
                        let below = s.mul(slope, s.sub(x, threshold));
                        s.select(s.less(x, above), below, s.min(max, x))
                    });
                }
            }
            Activation::Sigmoid => map!(s, self.values, x => math::sigmoid(s, x)),
            Activation::Tanh => map!(s, self.values, x => math::tanh(s, x)),
            Activation::Silu => map!(s, self.values, x => s.mul(x, math::sigmoid(s, x))),
            Activation::HardSigmoid(HardSigmoidForm::Clip) => {
                let (slope, half) = (s.splat(0.2), s.splat(0.5));
                map!(s, self.values, x => {
                    s.min(one, s.max(zero, s.add(s.mul(x, slope), half)))
                });
            }
            Activation::HardSigmoid(HardSigmoidForm::Relu6) => {
                map!(s, self.values, x => s.div(s.min(six, s.max(zero, s.add(x, three))), six));
            }
            Activation::HardSwish => {
                map!(s, self.values, x => {
                    s.mul(x, s.div(s.min(six, s.max(zero, s.add(x, three))), six))
                });
            }
            Activation::Gelu => {
                let (half, root) = (s.splat(0.5), s.splat(std::f32::consts::FRAC_1_SQRT_2));
                map!(s, self.values, x => {
                    s.mul(s.mul(half, x), s.add(one, math::erf(s, s.mul(x, root))))
                });
            }
            Activation::GeluTanh => {
                let (half, cubic) = (s.splat(0.5), s.splat(0.044_715));
                let root = s.splat(0.797_884_6); // sqrt(2 / pi)
                map!(s, self.values, x => {
                    let cube = s.mul(s.mul(x, x), x);
                    let t = math::tanh(s, s.mul(root, s.mul_add(cubic, cube, x)));
                    s.mul(s.mul(half, x), s.add(one, t))
                });
            }
            Activation::Elu { alpha } => {
                let alpha = s.splat(alpha);
                map!(s, self.values, x => {
                    s.select(s.less(x, zero), s.mul(alpha, math::exp_m1_negative(s, x)), x)
                });
            }
            Activation::Selu => {
                let scale = s.splat(1.050_701);
                let scale_alpha = s.splat(1.758_099_3);
                map!(s, self.values, x => {
                    let below = s.mul(scale_alpha, math::exp_m1_negative(s, x));
                    s.select(s.less(x, zero), below, s.mul(scale, x))
                });
            }
            Activation::Softplus => map!(s, self.values, x => math::softplus(s, x)),
            Activation::Softsign => map!(s, self.values, x => s.div(x, s.add(one, s.abs(x)))),
            Activation::Exponential => map!(s, self.values, x => math::exp(s, x)),
            Activation::Mish => {
                let two = s.splat(2.0);
                let saturated = s.splat(20.0);
                map!(s, self.values, x => {
                    // tanh(ln(1 + e)) = e (e + 2) / (e (e + 2) + 2), which is 1 beyond 20.
                    let e = math::exp(s, s.min(saturated, x));
                    let n = s.mul(e, s.add(e, two));
                    s.mul(x, s.div(n, s.add(n, two)))
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
