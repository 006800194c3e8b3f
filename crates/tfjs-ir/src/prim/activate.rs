//! Activation functions: one list, with the formula of each.

use super::attribute::{Attribute, Reader, Writer};
use super::infer::{float, take};
use super::primitive;
use tfjs_manifest::Result;

/// Calls a macro with every activation: `Name { parameters } = "name", |x| formula;`. The formula is the definition,
/// in double precision; it may use the parameters.
#[macro_export]
macro_rules! for_each_activation {
    ($callback:path) => {
        $callback! {
            /// `min(x, max)` above the threshold, `negative_slope * (x - threshold)` otherwise.
            Relu {
                /// The maximum; infinity for none.
                max: f64,
                /// The slope below the threshold.
                negative_slope: f64,
                /// The threshold between the two parts.
                threshold: f64,
            } = "relu", |x| {
                if x >= max {
                    max
                } else if x <= threshold {
                    // With slope 0 the result is 0, even at negative infinity.
                    if negative_slope == 0.0 { 0.0 } else { negative_slope * (x - threshold) }
                } else {
                    x
                }
            };
            /// `x > 0 -> x; else alpha * (exp(x) - 1)`.
            Elu {
                /// The scale of the negative part.
                alpha: f64,
            } = "elu", |x| if x > 0.0 { x } else { alpha * x.exp_m1() };
            /// `1.0507 * elu(x, 1.6733)`.
            Selu {} = "selu", |x| {
                1.050_700_987_355_480_5 * if x > 0.0 { x } else { 1.673_263_242_354_377_2 * x.exp_m1() }
            };
            /// `1 / (1 + exp(-x))`.
            Sigmoid {} = "sigmoid", |x| 1.0 / (1.0 + (-x).exp());
            /// `clip(slope * x + offset, 0, 1)`: with 0.2 and 0.5 the hard sigmoid of TensorFlow.js, Keras 1 and Keras
            /// 2, with 1/6 and 0.5 that of Keras 3, with 0.5 and 0.5 the sparse sigmoid.
            HardSigmoid {
                /// The slope between the bounds.
                slope: f64,
                /// The value at 0.
                offset: f64,
            } = "hard_sigmoid", |x| if x.is_nan() { x } else { (slope * x + offset).clamp(0.0, 1.0) };
            /// `tanh(x)`.
            Tanh {} = "tanh", |x| x.tanh();
            /// `log(1 + exp(x))`.
            Softplus {} = "softplus", |x| if x.is_nan() { x } else { x.max(0.0) + (-x.abs()).exp().ln_1p() };
            /// `x / (1 + |x|)`.
            Softsign {} = "softsign", |x| x / (1.0 + x.abs());
            /// `x * sigmoid(x)`: swish.
            Silu {} = "silu", |x| x / (1.0 + (-x).exp());
            /// `x * relu6(x + 3) / 6`: hard swish.
            HardSilu {} = "hard_silu", |x| if x.is_nan() { x } else { x * (x + 3.0).clamp(0.0, 6.0) / 6.0 };
            /// `0.5 x (1 + erf(x / sqrt 2))`.
            Gelu {} = "gelu", |x| 0.5 * x * (1.0 + $crate::math::erf(x / std::f64::consts::SQRT_2));
            /// `0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`.
            GeluTanh {} = "gelu_tanh", |x| {
                0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh())
            };
            /// `x * tanh(softplus(x))`.
            Mish {} = "mish", |x| if x.is_nan() { x } else { x * (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh() };
            /// `exp(x)`.
            Exponential {} = "exponential", |x| x.exp();
            /// `max(0, x) + min(0, alpha (exp(x / alpha) - 1))`.
            Celu {
                /// The scale of the negative part.
                alpha: f64,
            } = "celu", |x| if x > 0.0 { x } else { alpha * (x / alpha).exp_m1() };
            /// `|x| > lambda -> x; else 0`.
            HardShrink {
                /// Half the width of the flat part.
                lambda: f64,
            } = "hard_shrink", |x| if x.abs() <= lambda { 0.0 } else { x };
            /// `x > lambda -> x - lambda; x < -lambda -> x + lambda; else 0`.
            SoftShrink {
                /// Half the width of the flat part.
                lambda: f64,
            } = "soft_shrink", |x| if x > lambda { x - lambda } else if x < -lambda { x + lambda } else { 0.0 * x };
            /// `min(max(x, low), high)`.
            Clip {
                /// The lowest value.
                low: f64,
                /// The highest value.
                high: f64,
            } = "clip", |x| if x.is_nan() { x } else { x.max(low).min(high) };
            /// `log(sigmoid(x))`.
            LogSigmoid {} = "log_sigmoid", |x| if x.is_nan() { x } else { x.min(0.0) - (-x.abs()).exp().ln_1p() };
            /// `x - tanh(x)`.
            TanhShrink {} = "tanh_shrink", |x| x - x.tanh();
            /// `x >= 1 -> x; -1 < x < 1 -> (x + 1)^2 / 4; else 0`.
            SparsePlus {} = "sparse_plus", |x| {
                if x <= -1.0 { 0.0 } else if x < 1.0 { (x + 1.0) * (x + 1.0) / 4.0 } else { x }
            };
            /// `(x + sqrt(x^2 + b)) / 2`.
            Squareplus {
                /// The curvature.
                b: f64,
            } = "squareplus", |x| (x + (x * x + b).sqrt()) / 2.0;
            /// `x > threshold -> x; else value`.
            Threshold {
                /// The threshold.
                threshold: f64,
                /// The value at and below it.
                value: f64,
            } = "threshold", |x| if x > threshold { x } else if x.is_nan() { x } else { value };
        }
    };
}

macro_rules! declare_activations {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: f64,)* } = $text:literal, |$x:ident| $formula:expr;)*) => {
        /// A function of one number, with its parameters.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub enum Activation {
            $($(#[$doc])* $name { $($(#[$field_doc])* $field: f64,)* },)*
        }

        impl Activation {
            /// The name in the text form of programs.
            pub fn name(self) -> &'static str {
                match self { $(Activation::$name { .. } => $text,)* }
            }

            /// The value of the function at `x`, in double precision.
            pub fn of(self, x: f64) -> f64 {
                match self {
                    $(Activation::$name { $($field,)* } => {
                        let $x: f64 = x;
                        $formula
                    })*
                }
            }
        }

        impl Attribute for Activation {
            fn write(&self, out: &mut Writer<'_>) {
                out.text(self.name());
                match *self {
                    $(Activation::$name { $($field,)* } => {
                        let parameters: &[f64] = &[$($field,)*];
                        for parameter in parameters {
                            out.text("/");
                            parameter.write(out);
                        }
                    })*
                }
            }

            fn read(input: &mut Reader<'_>) -> Result<Self> {
                let error = input.error("an activation");
                let mut parts = input.word()?.split('/');
                let name = parts.next().unwrap_or_default();
                let mut number = || parts.next().and_then(|text| text.parse::<f64>().ok());
                let mut read = || -> Option<Activation> {
                    $(
                        if name == $text {
                            return Some(Activation::$name { $($field: number()?,)* });
                        }
                    )*
                    let _ = &mut number;
                    None
                };
                read().ok_or(error)
            }
        }
    };
}
for_each_activation!(declare_activations);

impl Activation {
    /// `max(0, x)`.
    pub const RELU: Activation = Activation::Relu { max: f64::INFINITY, negative_slope: 0.0, threshold: 0.0 };
    /// `min(max(0, x), 6)`.
    pub const RELU6: Activation = Activation::Relu { max: 6.0, negative_slope: 0.0, threshold: 0.0 };
}

primitive! {
    /// Applies an activation function to each element.
    Activate {
        /// The function.
        function: Activation,
    }
    infer(self, _cx, operands) {
        let [x] = take(operands)?;
        float(x)?;
        Ok(vec![x.clone()])
    }
}
