//! `RotaryEmbedding`: rotates pairs of channels by an angle that grows with the position.
//!
//! Reference: <https://keras.io/keras_hub/api/modeling_layers/rotary_embedding/>.

use crate::call::Call;
use crate::config::{Config, expected};
use crate::layer::LayerDef;
use crate::layers::attention::arguments::Arguments;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use serde_json::Value as Json;
use std::f64::consts::PI;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_ir::prim::layout::Range;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A rotation by position. No weights.
#[derive(Clone, Debug, PartialEq)]
pub struct RotaryEmbedding {
    /// The longest wavelength.
    pub max_wavelength: f64,
    /// The ratio of the sequence length to that in training.
    pub scaling: f64,
    /// How the scale is applied.
    pub kind: Kind,
    /// The axis of the positions.
    pub sequence_axis: i64,
    /// The axis of the channels.
    pub feature_axis: i64,
    /// The divisor of a channel's index, if it is not the number of channels.
    pub denominator: Option<f64>,
}

/// How the scale is applied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// The exponents are divided by it: KerasNLP.
    Exponent,
    /// The frequencies are divided by it.
    Linear,
    /// The frequencies are divided by a power of it.
    Dynamic,
    /// It is not applied.
    Plain,
    /// Low frequencies are divided by it, high ones are not.
    Yarn {
        /// The number of rotations over the trained length from which a frequency is high.
        fast: f64,
        /// The number of rotations up to which a frequency is low.
        slow: f64,
        /// The trained length.
        trained: f64,
        /// Whether the bounds are rounded to whole channels.
        truncate: bool,
    },
}

impl FromConfig for RotaryEmbedding {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let rope: Option<String> = config.opt("rope_type")?;
        let kind = match rope.as_deref() {
            None => Kind::Exponent,
            Some("linear") => Kind::Linear,
            Some("dynamic") => Kind::Dynamic,
            Some("yarn") => Kind::Yarn {
                fast: config.or("beta_fast", 32.0)?,
                slow: config.or("beta_slow", 1.0)?,
                trained: config.or("original_max_position_embeddings", 4096.0)?,
                truncate: config.or("truncate", true)?,
            },
            Some("default" | "none") => Kind::Plain,
            Some(other) => {
                let error = expected("`linear`, `dynamic` or `yarn`", &Json::String(other.to_string()));
                return Err(Error::unsupported(error.message()).at_json("rope_type").at_json("config"));
            }
        };
        config.inert(&["beta_fast", "beta_slow", "original_max_position_embeddings", "truncate"]);
        Ok(RotaryEmbedding {
            max_wavelength: config.or("max_wavelength", 10000.0)?,
            scaling: config.or("scaling_factor", 1.0)?,
            kind,
            sequence_axis: config.or("sequence_axis", 1)?,
            feature_axis: config.or("feature_axis", -1)?,
            denominator: config.opt("denominator_dim")?,
        })
    }
}

impl RotaryEmbedding {
    /// The frequency of each pair of channels: `[channels / 2]`.
    fn frequencies(&self, cx: &mut LowerCx<'_>, channels: usize) -> Result<Value> {
        let half = cx.number(channels / 2);
        let (n, scale) = (channels as f64, self.scaling);
        let index = cx.iota(0, &[half], ElementType::F32)?;
        let twice = cx.binary_scalar(BinaryOp::Mul, index, 2.0)?;
        let divisor = match self.kind {
            Kind::Exponent => n * scale,
            Kind::Yarn { .. } => n,
            _ => self.denominator.unwrap_or(n),
        };
        let exponent = cx.binary_scalar(BinaryOp::Div, twice, divisor)?;
        let exponent = cx.unary(UnaryOp::Neg, exponent)?;
        let base = cx.scalar(ElementType::F32, self.max_wavelength)?;
        let plain = cx.binary(BinaryOp::Pow, base, exponent)?;
        match self.kind {
            Kind::Exponent | Kind::Plain => Ok(plain),
            Kind::Linear => cx.binary_scalar(BinaryOp::Div, plain, scale),
            Kind::Dynamic => {
                let power = n / (n - 2.0).max(1.0);
                cx.binary_scalar(BinaryOp::Div, plain, scale.powf(power))
            }
            Kind::Yarn { fast, slow, trained, truncate } => {
                let border = |turns: f64| n * (trained / (turns * 2.0 * PI)).ln() / (2.0 * self.max_wavelength.ln());
                let (mut low, mut high) = (border(fast), border(slow));
                if truncate {
                    (low, high) = (low.floor(), high.ceil());
                }
                let (low, high) = (low.max(0.0), high.min(n - 1.0));
                let distance = cx.binary_scalar(BinaryOp::Sub, index, low)?;
                let slope = cx.binary_scalar(BinaryOp::Div, distance, (high - low).max(1e-3))?;
                let above = cx.binary_scalar(BinaryOp::Max, slope, 0.0)?;
                let slowness = cx.binary_scalar(BinaryOp::Min, above, 1.0)?;
                // Interpolate between `plain` and `plain / scale`.
                let slower = cx.binary_scalar(BinaryOp::Div, plain, scale)?;
                let change = cx.sub(slower, plain)?;
                let change = cx.mul(change, slowness)?;
                cx.add(plain, change)
            }
        }
    }

    /// Cosines and sines of the angles, in shapes that broadcast to the input.
    fn waves(&self, cx: &mut LowerCx<'_>, args: Arguments<'_>, x: Value, axes: [usize; 2]) -> Result<(Value, Value)> {
        let dims = cx.dims_of(x);
        let [sequence, feature] = axes;
        let channels = cx.known(dims[feature], "the axis of the channels", x)?;
        if channels % 2 != 0 || channels == 0 {
            return Err(Error::malformed(format!("expected an even number of channels, found shape {}", cx.shape(x))));
        }
        let positions = super::positions(cx, args, dims[sequence])?;
        let frequencies = self.frequencies(cx, channels)?;
        let rank = cx.ty(positions).rank();
        let given = cx.dims_of(positions);
        let positions = cx.insert_axis(positions, rank)?;
        let angles = cx.mul(positions, frequencies)?;
        let angles = cx.concat(&[angles, angles], rank)?;
        let mut target = vec![Dim::ONE; dims.len()];
        if rank == 2 {
            let batch = (0..dims.len()).find(|axis| !axes.contains(axis));
            let batch = batch.ok_or_else(|| Error::malformed("`positions` of a batch for an input without one"))?;
            target[batch] = given[0];
        }
        target[sequence] = given[rank - 1];
        target[feature] = dims[feature];
        let angles = if feature < sequence {
            cx.transpose(angles, if rank == 2 { &[0, 2, 1] } else { &[1, 0] })?
        } else {
            angles
        };
        let angles = cx.reshape(angles, &target)?;
        let (mut cosine, mut sine) = (cx.unary(UnaryOp::Cos, angles)?, cx.unary(UnaryOp::Sin, angles)?);
        if matches!(self.kind, Kind::Yarn { .. }) {
            let factor = 0.1 * self.scaling.ln() + 1.0;
            cosine = cx.binary_scalar(BinaryOp::Mul, cosine, factor)?;
            sine = cx.binary_scalar(BinaryOp::Mul, sine, factor)?;
        }
        Ok((cx.cast_like(cosine, x)?, cx.cast_like(sine, x)?))
    }
}

impl LayerDef for RotaryEmbedding {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Arguments(call);
        let x = args.required("inputs", 0)?.value;
        let (sequence, feature) = (cx.axis(self.sequence_axis, x)?, cx.axis(self.feature_axis, x)?);
        if sequence == feature {
            return Err(Error::malformed("expected `sequence_axis` and `feature_axis` to differ").at_json("config"));
        }
        let x = cx.to_float(x)?;
        let (cosine, sine) = self.waves(cx, args, x, [sequence, feature])?;
        let length = cx.dims_of(x)[feature];
        let half = cx.dims().div_floor(length, 2)?;
        let first = cx.slice_axis(x, feature, Range { start: Dim::ZERO, len: half, step: 1 })?;
        let second = cx.slice_axis(x, feature, Range { start: half, len: half, step: 1 })?;
        let second = cx.unary(UnaryOp::Neg, second)?;
        let turned = cx.concat(&[second, first], feature)?;
        let along = cx.mul(x, cosine)?;
        let across = cx.mul(turned, sine)?;
        let out = cx.add(along, across)?;
        Ok(vec![out.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused};
    use serde_json::json;

    #[test]
    fn a_rotation() {
        check_infer("RotaryEmbedding", json!({}), &["?,?,4"], &["?,?,4"]);
        let config = json!({"sequence_axis": 2, "feature_axis": 1, "rope_type": "yarn", "scaling_factor": 4.0});
        check_infer("RotaryEmbedding", config, &["?,6,?,2"], &["?,6,?,2"]);
    }

    #[test]
    fn refuses() {
        let refused = |config, input, message| check_refused("RotaryEmbedding", config, &[input], message);
        refused(json!({}), "?,5,3", "expected an even number of channels, found shape [?,5,3]");
        let message = "`config`: expected `sequence_axis` and `feature_axis` to differ";
        refused(json!({"feature_axis": 1}), "?,5,4", message);
        let message = "`config.rope_type`: expected `linear`, `dynamic` or `yarn`, found `\"x\"`";
        refused(json!({"rope_type": "x"}), "?,5,4", message);
    }
}
