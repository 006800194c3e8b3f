//! Runs functions of one tensor.

use super::{to_arithmetic, to_type, type_of};
use crate::activation::{activate, softmax, to_float};
use crate::run::{OrBug, Run, RunCx, one};
use crate::value::Value;
use candle_core::{DType, Tensor};
use tfjs_manifest::{Error, Result};
use tfjs_topology::activation::Activation;
use tfjs_topology::call::Call;
use tfjs_topology::ops::params::subject;
use tfjs_topology::ops::unary::{Unary, UnaryKind};
use tfjs_topology::types::ValueType;

impl Run for Unary {
    fn run(&self, _cx: &RunCx<'_>, call: &Call<Value>) -> Result<Vec<Value>> {
        let x = subject(call, &["features", "logits"])?.tensor()?;
        let ty = type_of(x);
        if matches!(ty.dtype, ValueType::Int32 | ValueType::Int64) && self.keeps_integers() {
            let out = integers(self, call, &to_arithmetic(x, ty.dtype)?)?;
            return one(to_type(&out, ty.dtype)?);
        }
        let x = to_float(x)?;
        one(match self.activation(call)? {
            Some(Activation::Softmax) => softmax(&x, self.axis(call, &ty)?).or_bug()?,
            Some(Activation::LogSoftmax) => {
                let axis = self.axis(call, &ty)?;
                let last = x.rank().saturating_sub(1);
                let turned = x.transpose(axis, last).or_bug()?.contiguous().or_bug()?;
                activate(Activation::LogSoftmax, &turned)?.transpose(axis, last).or_bug()?.contiguous().or_bug()?
            }
            Some(activation) => activate(activation, &x)?,
            None if self.kind == UnaryKind::Clip => {
                let [low, high] = self.bounds(call)?;
                clip(&x, low, high).or_bug()?
            }
            None => floats(self.kind, &x).or_bug()?.ok_or_else(|| Error::bug(format!("{:?} is not run", self.kind)))?,
        })
    }
}

fn clip(x: &Tensor, low: f64, high: f64) -> candle_core::Result<Tensor> {
    x.maximum(low)?.minimum(high)
}

fn floats(kind: UnaryKind, x: &Tensor) -> candle_core::Result<Option<Tensor>> {
    Ok(Some(match kind {
        UnaryKind::Abs => x.abs()?,
        UnaryKind::Negative => x.neg()?,
        UnaryKind::Square => x.sqr()?,
        UnaryKind::Sign => (x.gt(0.0)?.to_dtype(x.dtype())? - x.lt(0.0)?.to_dtype(x.dtype())?)?,
        UnaryKind::Exp => x.exp()?,
        // exp(x) - 1 = tanh(x / 2) (exp(x) + 1), exact near zero; past where exp overflows, exp itself.
        UnaryKind::Expm1 => {
            let exp = x.exp()?;
            let near = ((x / 2.0)?.tanh()? * (&exp + 1.0)?)?;
            x.gt(20.0)?.where_cond(&(exp - 1.0)?, &near)?
        }
        UnaryKind::Log => x.log()?,
        // log(1 + x) = 2 atanh(x / (2 + x)), as a series where 1 + x would round x away.
        UnaryKind::Log1p => {
            let s = (x / (x + 2.0)?)?;
            let s2 = s.sqr()?;
            let series = (((((&s2 * (1.0 / 7.0))? + 1.0 / 5.0)? * &s2)? + 1.0 / 3.0)? * &s2)?;
            let near = ((series + 1.0)? * (&s * 2.0)?)?;
            x.abs()?.lt(0.25)?.where_cond(&near, &(x + 1.0)?.log()?)?
        }
        UnaryKind::Sqrt => x.sqrt()?,
        UnaryKind::Rsqrt => x.sqrt()?.recip()?,
        UnaryKind::Reciprocal => x.recip()?,
        UnaryKind::Sin => x.sin()?,
        UnaryKind::Cos => x.cos()?,
        UnaryKind::Erf => x.erf()?,
        UnaryKind::Floor => x.floor()?,
        UnaryKind::Ceil => x.ceil()?,
        UnaryKind::Round => round_half_even(x)?,
        UnaryKind::Activation(_) | UnaryKind::Clip => return Ok(None),
    }))
}

/// candle rounds halves away from zero, the producers to the even neighbour.
fn round_half_even(x: &Tensor) -> candle_core::Result<Tensor> {
    let floor = x.floor()?;
    let fraction = (x - &floor)?;
    let half = (&floor / 2.0)?;
    let odd = half.ne(&half.floor()?)?.to_dtype(x.dtype())?;
    let above = fraction.gt(0.5)?.to_dtype(x.dtype())?;
    let tie = (fraction.eq(0.5)?.to_dtype(x.dtype())? * odd)?;
    floor + (above + tie)?
}

/// Whole numbers, in 64 bits.
fn integers(op: &Unary, call: &Call<Value>, x: &Tensor) -> Result<Tensor> {
    let zeros = x.zeros_like().or_bug()?;
    // candle does not negate whole numbers.
    let negated = || zeros.sub(x);
    match op.kind {
        UnaryKind::Abs => negated().and_then(|n| x.maximum(&n)),
        UnaryKind::Negative => negated(),
        UnaryKind::Square => x * x,
        UnaryKind::Sign => {
            x.gt(&zeros).and_then(|up| up.to_dtype(DType::I64)?.sub(&x.lt(&zeros)?.to_dtype(DType::I64)?))
        }
        UnaryKind::Clip => {
            let [low, high] = op.bounds(call)?;
            clip(x, low, high)
        }
        UnaryKind::Activation(activation) => match activation {
            Activation::Relu { max: Some(max), .. } => clip(x, 0.0, f64::from(max)),
            _ => x.maximum(&zeros),
        },
        _ => Ok(x.clone()),
    }
    .or_bug()
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, f, i, none};
    use serde_json::json;

    #[test]
    fn activations_with_parameters() {
        let x = || f(&[-1.0, 2.0], &[2]);
        check("Relu", none(), vec![x()], &[2], &[0.0, 2.0]);
        check("LeakyRelu", json!({"negative_slope": 0.3}), vec![x()], &[2], &[-0.3, 2.0]);
        check("Elu", json!({"alpha": 2.0}), vec![x()], &[2], &[2.0 * (-1f64).exp_m1(), 2.0]);
        check("Gelu", json!({"approximate": false}), vec![x()], &[2], &[-0.15865525, 1.95449974]);
        check("Gelu", none(), vec![x()], &[2], &[-0.15880801, 1.95459769]);
    }

    #[test]
    fn softmax_over_any_axis() {
        let x = || f(&[0.0, 1.0, 2f32.ln(), 1.0], &[2, 2]);
        let third = 1.0 / 3.0;
        check("Softmax", json!({"axis": 0}), vec![x()], &[2, 2], &[third, 0.5, 2.0 * third, 0.5]);
        let logs = [third.ln(), 0.5f64.ln(), (2.0 * third).ln(), 0.5f64.ln()];
        check("LogSoftmax", json!({"axis": 0}), vec![x()], &[2, 2], &logs);
    }

    #[test]
    fn whole_numbers_stay_whole() {
        let x = || i(&[-3, 0, 2], &[3]);
        check("Negative", none(), vec![x()], &[3], &[3.0, 0.0, -2.0]);
        check("Abs", none(), vec![x()], &[3], &[3.0, 0.0, 2.0]);
        check("Sign", none(), vec![x()], &[3], &[-1.0, 0.0, 1.0]);
        check("Clip", json!({"x_min": -1, "x_max": 1}), vec![x()], &[3], &[-1.0, 0.0, 1.0]);
        check("Relu", none(), vec![x()], &[3], &[0.0, 0.0, 2.0]);
        check("Exp", none(), vec![x()], &[3], &[(-3f64).exp(), 1.0, f64::from(2f32.exp())]);
    }

    #[test]
    fn halves_go_to_the_even_side() {
        let x = f(&[0.5, 1.5, -0.5, -1.5, 2.4, -2.6], &[6]);
        check("Round", none(), vec![x], &[6], &[0.0, 2.0, 0.0, -2.0, 2.0, -3.0]);
    }

    #[test]
    fn small_arguments_are_not_rounded_away() {
        check(
            "Log1p",
            none(),
            vec![f(&[1e-6, 0.2, 3.0, -0.2], &[4])],
            &[4],
            &[1e-6, 0.2f64.ln_1p(), 4f64.ln(), 0.8f64.ln()],
        );
        check("Expm1", none(), vec![f(&[1e-6, 1.0], &[2])], &[2], &[1e-6, 1f64.exp_m1()]);
        check("Sign", none(), vec![f(&[-0.5, 0.0], &[2])], &[2], &[-1.0, 0.0]);
    }
}
