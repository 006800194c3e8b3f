//! Functions of one tensor: activations and elementary functions.
//!
//! Reference: `keras.ops`, `tf.nn`, `tf.math`.

use super::FromOpConfig;
use super::args::Args;
use super::params::Params;
use crate::activation::Activation;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::activate::Activation as Function;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::prim::normalize::Softmax;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result};

/// A function of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Unary {
    /// Which one.
    pub kind: UnaryKind,
    /// `axis`, `negative_slope`, `alpha`, `approximate`, `x_min`, `x_max`.
    pub params: Params,
}

/// Which function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UnaryKind {
    /// An activation; its parameters may be in the call.
    Activation(Activation),
    /// `|x|`
    Abs,
    /// `-x`
    Negative,
    /// `x * x`
    Square,
    /// -1, 0 or 1
    Sign,
    /// The values cut off below and above.
    Clip,
    /// `exp(x)`
    Exp,
    /// `exp(x) - 1`
    Expm1,
    /// `log(x)`
    Log,
    /// `log(1 + x)`
    Log1p,
    /// The square root.
    Sqrt,
    /// One over the square root.
    Rsqrt,
    /// `1 / x`
    Reciprocal,
    /// The sine.
    Sin,
    /// The cosine.
    Cos,
    /// The error function.
    Erf,
    /// The next whole number down.
    Floor,
    /// The next whole number up.
    Ceil,
    /// The nearest whole number, halves to the even one.
    Round,
}

impl FromOpConfig for Unary {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use UnaryKind as K;
        let kind = match class {
            "Abs" | "Absolute" => K::Abs,
            "Negative" => K::Negative,
            "Square" => K::Square,
            "Sign" => K::Sign,
            "Clip" => K::Clip,
            "Exp" => K::Exp,
            "Expm1" => K::Expm1,
            "Log" => K::Log,
            "Log1p" => K::Log1p,
            "Sqrt" => K::Sqrt,
            "Rsqrt" => K::Rsqrt,
            "Reciprocal" => K::Reciprocal,
            "Sin" => K::Sin,
            "Cos" => K::Cos,
            "Erf" => K::Erf,
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

    /// The activation with the parameters of this call.
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
            other => other,
        }))
    }

    fn activate(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, activation: Activation, x: Value) -> Result<Value> {
        match self.activation_of(args, activation)? {
            softmax @ (Activation::Softmax | Activation::LogSoftmax) => {
                let axis = cx.axis(args.or(&["axis"], Some(1), -1)?, x)?;
                if axis == 0 {
                    cx.mixes_batch();
                }
                let x = cx.to_float(x)?;
                cx.one(Softmax { axes: vec![axis], log: softmax == Activation::LogSoftmax }, &[x])
            }
            activation => activation.lower(cx, x),
        }
    }

    fn clip(&self, cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
        let bound = |names: &[&'static str], position| -> Result<f64> {
            let found = args.opt(names, Some(position))?;
            found.ok_or_else(|| Error::malformed(format!("missing `{}`", names.first().copied().unwrap_or_default())))
        };
        let low = bound(&["x_min", "clip_value_min"], 1)?;
        let high = bound(&["x_max", "clip_value_max"], 2)?;
        let x = self.operand(cx, x)?;
        let x = cx.binary_scalar(BinaryOp::Max, x, low)?;
        cx.binary_scalar(BinaryOp::Min, x, high)
    }

    /// The input in the type in which the function is computed.
    fn operand(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        if self.keeps_integers() && cx.ty(x).element.is_integer() { Ok(x) } else { cx.to_float(x) }
    }

    fn elementary(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        let x = self.operand(cx, x)?;
        let op = match self.kind {
            UnaryKind::Floor | UnaryKind::Ceil | UnaryKind::Round if cx.ty(x).element.is_integer() => return Ok(x),
            UnaryKind::Square => return cx.mul(x, x),
            UnaryKind::Reciprocal => {
                let element = cx.ty(x).element;
                let one = cx.scalar(element, 1.0)?;
                return cx.div(one, x);
            }
            UnaryKind::Abs => UnaryOp::Abs,
            UnaryKind::Negative => UnaryOp::Neg,
            UnaryKind::Sign => UnaryOp::Sign,
            UnaryKind::Exp => UnaryOp::Exp,
            UnaryKind::Expm1 => UnaryOp::Expm1,
            UnaryKind::Log => UnaryOp::Log,
            UnaryKind::Log1p => UnaryOp::Log1p,
            UnaryKind::Sqrt => UnaryOp::Sqrt,
            UnaryKind::Rsqrt => UnaryOp::Rsqrt,
            UnaryKind::Sin => UnaryOp::Sin,
            UnaryKind::Cos => UnaryOp::Cos,
            UnaryKind::Erf => UnaryOp::Erf,
            UnaryKind::Floor => UnaryOp::Floor,
            UnaryKind::Ceil => UnaryOp::Ceil,
            UnaryKind::Round => UnaryOp::RoundEven,
            UnaryKind::Activation(_) | UnaryKind::Clip => {
                return Err(Error::bug(format!("{:?} is no elementary function", self.kind)));
            }
        };
        cx.unary(op, x)
    }

    /// What the function makes of sizes.
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
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Args::new(&self.params, call);
        let input = args.numbers(cx, &["features", "logits"])?;
        let value = match self.kind {
            UnaryKind::Activation(activation) => self.activate(cx, &args, activation, input.value)?,
            UnaryKind::Clip => self.clip(cx, &args, input.value)?,
            _ => self.elementary(cx, input.value)?,
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
        check("Clip", json!({"x_min": 0, "x_max": 1}), json!(["f:2"]), json!({}), "float32[2]");
    }

    #[test]
    fn refuses() {
        refused_with("Softmax", json!({"axis": 2}), json!(["f:?,3"]), "`axis` 2 does not exist in shape [?,3]");
        refused("Relu", json!([3]), "expected a tensor as the first argument");
        refused("Clip", json!(["f:2"]), "missing `x_min`");
    }
}
