//! `Highway` of Keras 1 and 2.0: a dense layer that a gate mixes with its input,
//! `t * activation(dot(input, W) + b) + (1 - t) * input` with `t = sigmoid(dot(input, W_carry) + b_carry)`.
//!
//! Reference: `Highway` in Keras 1.2.2's `keras/layers/core.py`.

use crate::activation::Activation;
use crate::call::Call;
use crate::config::Config;
use crate::layer::{LayerDef, WeightDecl};
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::Value;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_manifest::{Result, Shape};

/// A gated dense layer, as wide as its input. Weights: `W [in, in]`, `W_carry [in, in]`, `b [in]`, `b_carry [in]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Highway {
    /// The activation of the dense layer.
    pub activation: Activation,
    /// Whether biases are added.
    pub use_bias: bool,
}

impl FromConfig for Highway {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(Highway {
            activation: Activation::read(config, "activation", Activation::Linear)?,
            use_bias: config.or("use_bias", true)?,
        })
    }
}

impl LayerDef for Highway {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single_of_rank(call, 2)?.value;
        let width = cx.known(cx.ty(input).dims[1], "the last axis", input)?;
        let mut weights = |name, shape: &[usize]| cx.weight(WeightDecl::new(name, Shape::new(shape)?));
        let (kernel, gate_kernel) = (weights("W", &[width, width])?, weights("W_carry", &[width, width])?);
        let biases = match self.use_bias {
            true => Some((weights("b", &[width])?, weights("b_carry", &[width])?)),
            false => None,
        };
        let x = cx.to_float(input)?;
        let gate = affine(cx, x, gate_kernel, biases.map(|(_, gate)| gate))?;
        let gate = Activation::SIGMOID.lower(cx, gate)?;
        let dense = affine(cx, x, kernel, biases.map(|(dense, _)| dense))?;
        let dense = self.activation.lower(cx, dense)?;
        let dense = cx.mul(dense, gate)?;
        let carried = cx.unary(UnaryOp::Neg, gate)?;
        let carried = cx.binary_scalar(BinaryOp::Add, carried, 1.0)?;
        let carried = cx.mul(carried, x)?;
        Ok(vec![cx.add(dense, carried)?.into()])
    }
}

fn affine(cx: &mut LowerCx<'_>, x: Value, kernel: Value, bias: Option<Value>) -> Result<Value> {
    let product = cx.matmul(x, kernel)?;
    match bias {
        Some(bias) => cx.add(product, bias),
        None => Ok(product),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn infers() {
        check_infer("Highway", json!({"activation": "tanh"}), &["?,3"], &["?,3"]);
        check_weights("Highway", json!({}), &["?,3"], &["W[3,3]", "W_carry[3,3]", "b[3]", "b_carry[3]"]);
        check_weights("Highway", json!({"use_bias": false}), &["?,3"], &["W[3,3]", "W_carry[3,3]"]);
    }

    #[test]
    fn refuses() {
        check_refused("Highway", json!({}), &["?,2,3"], "expected an input of rank 2, found shape [?,2,3]");
        check_refused("Highway", json!({}), &["?,?"], "the last axis must be known, found shape [?,?]");
    }
}
