//! Functions of one tensor: activations and elementary functions.
//!
//! Reference: `keras.ops`, `tf.nn`, `tf.math`.

use super::FromOpConfig;
use super::args::{Args, over_axis};
use super::params::Params;
use crate::activation::Activation;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::activate::Activation as Function;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::normalize::Softmax;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A function of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    /// The function.
    pub kind: UnaryKind,
    /// `axis`, `negative_slope`, `alpha`, `approximate`, `x_min`, `x_max`.
    pub params: Params,
}

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UnaryKind {
    /// An activation; its parameters may be arguments of the call.
    Activation(Activation),
    /// `|x|`
    Abs,
    /// `-x`
    Negative,
    /// `x * x`
    Square,
    /// -1, 0 or 1
    Sign,
    /// The values clipped to bounds.
    Clip,
    /// `1 / x`
    Reciprocal,
    /// A floating-point primitive.
    Of(UnaryOp),
    /// Rounds down.
    Floor,
    /// Rounds up.
    Ceil,
    /// Rounds to the nearest whole number, ties to even.
    Round,
}

impl FromOpConfig for Unary {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use UnaryKind as K;
        let kind = match class {
            "Abs" | "Absolute" | "Fabs" => K::Abs,
            "Negative" => K::Negative,
            "Square" => K::Square,
            "Sign" => K::Sign,
            "Clip" => K::Clip,
            "Exp" => K::Of(UnaryOp::Exp),
            "Expm1" => K::Of(UnaryOp::Expm1),
            "Log" => K::Of(UnaryOp::Log),
            "Log1p" => K::Of(UnaryOp::Log1p),
            "Sqrt" => K::Of(UnaryOp::Sqrt),
            "Rsqrt" => K::Of(UnaryOp::Rsqrt),
            "Reciprocal" => K::Reciprocal,
            "Sin" => K::Of(UnaryOp::Sin),
            "Cos" => K::Of(UnaryOp::Cos),
            "Tan" => K::Of(UnaryOp::Tan),
            "Arcsin" => K::Of(UnaryOp::Asin),
            "Arccos" => K::Of(UnaryOp::Acos),
            "Arctan" => K::Of(UnaryOp::Atan),
            "Sinh" => K::Of(UnaryOp::Sinh),
            "Cosh" => K::Of(UnaryOp::Cosh),
            "Arcsinh" => K::Of(UnaryOp::Asinh),
            "Arccosh" => K::Of(UnaryOp::Acosh),
            "Arctanh" => K::Of(UnaryOp::Atanh),
            "Erf" => K::Of(UnaryOp::Erf),
            "Floor" => K::Floor,
            "Ceil" => K::Ceil,
            "Round" => K::Round,
            name => match Activation::from_name(name, config.producer()) {
                Some(activation) => K::Activation(activation),
                None => return Err(Error::bug(format!("`{name}` is listed as a function"))),
            },
        };
        Ok(Unary { kind, params: Params::read(config) })
    }
}

impl Unary {
    /// Whether integers stay integers.
    fn keeps_integers(&self) -> bool {
        use UnaryKind as K;
        matches!(self.kind, K::Abs | K::Negative | K::Square | K::Sign | K::Clip | K::Floor | K::Ceil | K::Round)
            || self.kind == K::Activation(Activation::RELU)
            || self.kind == K::Activation(Activation::RELU6)
    }

    /// The activation with the arguments of this call.
    fn activation_of(&self, args: &Args<'_>, activation: Activation) -> Result<Activation> {
        let Activation::Elementwise(function) = activation else { return Ok(activation) };
        let number = |names: &[&'static str], default: f64| args.or(names, Some(1), default as f32).map(f64::from);
        Ok(Activation::Elementwise(match function {
            Function::Relu { max, negative_slope, threshold } if negative_slope > 0.0 => {
                let negative_slope = number(&["negative_slope", "alpha"], negative_slope)?;
                Function::Relu { max, negative_slope, threshold }
            }
            Function::Elu { alpha } => Function::Elu { alpha: number(&["alpha"], alpha)? },
            Function::Celu { alpha } => Function::Celu { alpha: number(&["alpha"], alpha)? },
            Function::Gelu {} => match args.or(&["approximate"], Some(1), true)? {
                true => Function::GeluTanh {},
                false => Function::Gelu {},
            },
            Function::HardShrink { lambda } => Function::HardShrink { lambda: number(&["threshold"], lambda)? },
            Function::SoftShrink { lambda } => Function::SoftShrink { lambda: number(&["threshold"], lambda)? },
            Function::Squareplus { b } => Function::Squareplus { b: number(&["b"], b)? },
            Function::Threshold { threshold, value } => {
                let threshold = number(&["threshold"], threshold)?;
                let value = args.or(&["default_value"], Some(2), value as f32).map(f64::from)?;
                Function::Threshold { threshold, value }
            }
            other => other,
        }))
    }

    fn activate(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, activation: Activation, x: Value) -> Result<Value> {
        match self.activation_of(args, activation)? {
            softmax @ (Activation::Softmax | Activation::LogSoftmax) => {
                let axes = match args.axes(cx, &["axis", "dim"], Some(1), x)? {
                    Some(axes) => axes,
                    // Keras 3 writes null for all axes.
                    None if self.params.is_null("axis") => (0..cx.ty(x).rank()).collect(),
                    None => vec![cx.axis(-1, x)?],
                };
                if axes.contains(&0) {
                    cx.mixes_batch();
                }
                let x = cx.to_float(x)?;
                cx.one(Softmax { axes, log: softmax == Activation::LogSoftmax }, &[x])
            }
            other @ (Activation::Sparsemax | Activation::Glu) => {
                let axis = cx.axis(args.or(&["axis"], Some(1), -1)?, x)?;
                over_axis(cx, x, axis, |cx, x| other.lower(cx, x))
            }
            Activation::Elementwise(Function::Threshold { threshold, value }) if cx.ty(x).element.is_integer() => {
                let float = cx.to_float(x)?;
                let above = cx.compare_scalar(CompareOp::Gt, float, threshold)?;
                let value = cx.scalar_like(x, value)?;
                cx.select(above, x, value)
            }
            Activation::Elementwise(Function::Silu {}) => {
                let x = cx.to_float(x)?;
                match args.or(&["beta"], Some(1), 1.0)? {
                    1.0 => activation.lower(cx, x),
                    beta => {
                        let scaled = cx.binary_scalar(BinaryOp::Mul, x, beta)?;
                        let gate = Activation::SIGMOID.lower(cx, scaled)?;
                        cx.mul(x, gate)
                    }
                }
            }
            // Any slope makes numbers of integers, also that of 0.
            _ if activation.keeps_integers() => self.activation_of(args, activation)?.lower(cx, x),
            found => {
                let x = cx.to_float(x)?;
                found.lower(cx, x)
            }
        }
    }

    fn clip(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
        let low = args.need_value(cx, &["x_min", "clip_value_min"], Some(1))?;
        let high = args.need_value(cx, &["x_max", "clip_value_max"], Some(2))?;
        let whole = [low, high].iter().all(|&bound| !cx.ty(bound).element.is_float());
        // Truth values are clipped as integers between integers.
        let x = if cx.ty(x).element == ElementType::Bool && whole { cx.cast(x, ElementType::I32)? } else { x };
        let x = self.operand(cx, x)?;
        let (low, high) = (cx.cast_like(low, x)?, cx.cast_like(high, x)?);
        let x = cx.binary(BinaryOp::Max, x, low)?;
        cx.binary(BinaryOp::Min, x, high)
    }

    /// The input, cast to the type in which the function is computed.
    fn operand(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        if self.keeps_integers() && cx.ty(x).element.is_integer() { Ok(x) } else { cx.to_float(x) }
    }

    fn elementary(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
        let decimals: i64 = if self.kind == UnaryKind::Round { args.or(&["decimals"], Some(1), 0)? } else { 0 };
        let x = self.operand(cx, x)?;
        let op = match self.kind {
            UnaryKind::Round if decimals < 0 && cx.ty(x).element.is_integer() => {
                let scale = 10f64.powi(decimals.clamp(-30, 0).abs() as i32);
                let float = cx.to_float(x)?;
                let scaled = cx.binary_scalar(BinaryOp::Div, float, scale)?;
                let rounded = cx.unary(UnaryOp::RoundEven, scaled)?;
                let rounded = cx.binary_scalar(BinaryOp::Mul, rounded, scale)?;
                return cx.cast_like(rounded, x);
            }
            UnaryKind::Floor | UnaryKind::Ceil | UnaryKind::Round if cx.ty(x).element.is_integer() => return Ok(x),
            UnaryKind::Square => return cx.mul(x, x),
            UnaryKind::Reciprocal => {
                let element = cx.ty(x).element;
                let one = cx.scalar(element, 1.0)?;
                return cx.div(one, x);
            }
            UnaryKind::Round if decimals != 0 => {
                let scale = 10f64.powi(decimals.clamp(-30, 30) as i32);
                let scaled = cx.binary_scalar(BinaryOp::Mul, x, scale)?;
                let rounded = cx.unary(UnaryOp::RoundEven, scaled)?;
                return cx.binary_scalar(BinaryOp::Div, rounded, scale);
            }
            UnaryKind::Abs => UnaryOp::Abs,
            UnaryKind::Negative => UnaryOp::Neg,
            UnaryKind::Sign => UnaryOp::Sign,
            UnaryKind::Of(op) => op,
            UnaryKind::Floor => UnaryOp::Floor,
            UnaryKind::Ceil => UnaryOp::Ceil,
            UnaryKind::Round => UnaryOp::RoundEven,
            UnaryKind::Activation(_) | UnaryKind::Clip => {
                return Err(Error::bug(format!("{:?} is not an elementary function", self.kind)));
            }
        };
        cx.unary(op, x)
    }

    /// Applies the function to sizes.
    fn sizes(&self, cx: &mut LowerCx<'_>, input: &KerasTensor) -> Option<Vec<Dim>> {
        let sizes = input.sizes.as_ref()?;
        match self.kind {
            UnaryKind::Negative => sizes.iter().map(|&size| cx.dims().sub(Dim::ZERO, size).ok()).collect(),
            UnaryKind::Floor | UnaryKind::Ceil | UnaryKind::Round => Some(sizes.clone()),
            _ => None,
        }
    }
}

impl LayerDef for Unary {
    fn takes_complex(&self) -> bool {
        self.kind == UnaryKind::Abs
    }

    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let input = args.numbers(cx, &["features", "logits"])?;
        let value = match self.kind {
            UnaryKind::Activation(activation) => self.activate(cx, &args, activation, input.value)?,
            UnaryKind::Clip => self.clip(cx, &args, input.value)?,
            UnaryKind::Abs if input.imaginary.is_some() => super::complex::size(cx, input)?,
            _ => self.elementary(cx, &args, input.value)?,
        };
        let sizes = self.sizes(cx, input);
        args.finish(cx);
        Ok(vec![KerasTensor { sizes, ..KerasTensor::from(value) }])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused, refused_with};
    use serde_json::json;

    #[test]
    fn keeps_the_shape() {
        check("Relu", json!({"name": "relu"}), json!(["f:?,3"]), json!({}), "float32[?,3]");
        check("Negative", json!({}), json!(["i:?,3"]), json!({}), "int32[?,3]");
        check("Exp", json!({}), json!(["i:?,3"]), json!({}), "float32[?,3]");
        check("Softmax", json!({"axis": 1}), json!(["f:?,3"]), json!({}), "float32[?,3]");
        check("LeakyRelu", json!({"negative_slope": 0.0}), json!(["i:?,3"]), json!({}), "float32[?,3]");
        check("Threshold", json!({"threshold": 1, "default_value": -3}), json!(["i:?,3"]), json!({}), "int32[?,3]");
        check("Clip", json!({"x_min": 0, "x_max": 1}), json!(["b:?,3"]), json!({}), "int32[?,3]");
        check("Clip", json!({"x_min": 0, "x_max": 1}), json!(["f:2"]), json!({}), "float32[2]");
    }

    #[test]
    fn refuses() {
        refused_with("Softmax", json!({"axis": 2}), json!(["f:?,3"]), "`axis` 2 does not exist in shape [?,3]");
        refused("Relu", json!([3]), "expected a tensor as the first argument");
        refused("Clip", json!(["f:2"]), "missing `x_min`");
    }
}
