//! Shared parts of transformer blocks: residual parts with a normalization before or after, dense layers, masks.

use crate::activation::Activation;
use crate::call::Call;
use crate::config::{Config, expected};
use crate::layer::{LayerDef, Scope, ScopeKind};
use crate::layers::attention::mask;
use crate::layers::attention::multi_head::{MultiHeadAttention, Rules, positive};
use crate::layers::axes::Axes;
use crate::layers::core::dense::Dense;
use crate::layers::core::dropout::{Dropout, Unit};
use crate::layers::norm::layer::LayerNormalization;
use crate::lower::{KerasTensor, LowerCx};
use serde_json::json;
use tfjs_ir::{ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A transformer block.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// The width between the two dense layers.
    pub intermediate_dim: usize,
    /// The number of heads.
    pub num_heads: usize,
    /// The fraction that is dropped in training.
    pub dropout: f64,
    /// The activation between the two dense layers.
    pub activation: Activation,
    /// The epsilon of the normalizations.
    pub epsilon: f32,
    /// Whether each part normalizes its input instead of its output.
    pub normalize_first: bool,
    /// The behaviour of the producer.
    pub rules: Rules,
}

impl Block {
    /// Reads the configuration that encoders and decoders share.
    ///
    /// # Errors
    /// A missing or wrong field, at its JSON path.
    pub(crate) fn read(config: &Config<'_>) -> Result<Self> {
        Ok(Block {
            intermediate_dim: config.req("intermediate_dim")?,
            num_heads: positive(config, "num_heads")?,
            dropout: config.or("dropout", 0.0)?,
            activation: Activation::read(config, "activation", Activation::RELU)?,
            epsilon: config.or("layer_norm_epsilon", 1e-5)?,
            normalize_first: config.or("normalize_first", false)?,
            rules: Rules::of(config.producer()),
        })
    }

    /// The attention of this block for a sequence, `[batch, steps, channels]`.
    ///
    /// # Errors
    /// Unknown channels, or fewer channels than heads.
    pub(crate) fn attention(&self, cx: &LowerCx<'_>, x: Value, explicit: bool) -> Result<MultiHeadAttention> {
        let dims = cx.dims_of(x);
        if dims.len() != 3 {
            return Err(Error::malformed(format!("expected an input of rank 3, found shape {}", cx.shape(x))));
        }
        let key_dim = cx.known(dims[2], "the last axis", x)? / self.num_heads;
        if key_dim == 0 {
            let error = expected("no more `num_heads` than channels", &json!(self.num_heads));
            return Err(error.at_json("config"));
        }
        Ok(MultiHeadAttention {
            num_heads: self.num_heads,
            key_dim,
            value_dim: key_dim,
            dropout: self.dropout,
            use_bias: true,
            use_gate: false,
            output_shape: None,
            attention_axes: None,
            sliding_window: None,
            rules: self.rules,
            explicit,
        })
    }

    /// A part of the block: normalization, `inner`, dropout, and the sum with the input.
    ///
    /// # Errors
    /// Those of `inner`.
    pub(crate) fn part(
        &self,
        cx: &mut LowerCx<'_>,
        x: KerasTensor,
        norm: &str,
        inner: impl FnOnce(&mut LowerCx<'_>, KerasTensor) -> Result<Value>,
    ) -> Result<KerasTensor> {
        let x = KerasTensor { value: cx.to_float(x.value)?, ..x };
        let input = if self.normalize_first { self.norm(cx, x.clone(), norm)? } else { x.clone() };
        let out = inner(cx, input)?;
        let out = Dropout { rate: Some(self.dropout), unit: Unit::Element }.lower(cx, &Call::of([out.into()]))?;
        let sum = cx.add(only(out)?.value, x.value)?;
        // In Keras this sum is not a layer, so the mask ends here.
        if self.normalize_first { Ok(sum.into()) } else { self.norm(cx, sum.into(), norm) }
    }

    fn norm(&self, cx: &mut LowerCx<'_>, x: KerasTensor, name: &str) -> Result<KerasTensor> {
        let norm = LayerNormalization {
            axes: Axes(vec![-1]),
            epsilon: self.epsilon,
            center: true,
            scale: true,
            rms_scaling: false,
        };
        cx.within(scope(name), |cx| norm.lower(cx, &Call::of([x]))).and_then(only)
    }

    /// The two dense layers.
    ///
    /// # Errors
    /// As [`Dense`].
    pub(crate) fn feed_forward(&self, cx: &mut LowerCx<'_>, x: KerasTensor) -> Result<Value> {
        let dims = cx.dims_of(x.value);
        let &last = dims.last().ok_or_else(|| Error::malformed("expected a sequence, found a number"))?;
        let channels = cx.known(last, "the last axis", x.value)?;
        let wide =
            Dense { units: self.intermediate_dim, use_bias: true, activation: self.activation.into(), update: None };
        let narrow = Dense { units: channels, use_bias: true, activation: Activation::Linear.into(), update: None };
        let x = cx.within(scope("feedforward_intermediate_dense"), |cx| wide.lower(cx, &Call::of([x])))?;
        let x = only(x)?;
        let x = cx.within(scope("feedforward_output_dense"), |cx| narrow.lower(cx, &Call::of([x])))?;
        only(x).map(|tensor| tensor.value)
    }
}

/// The object of a block that holds weights; its attribute is the name with an underscore before it.
pub(crate) fn scope(name: &str) -> Scope {
    Scope { name: name.to_string(), attr: format!("_{name}"), kind: ScopeKind::Always }
}

/// The attention layer of a decoder, whose attribute also ends in `_layer`.
pub(crate) fn attention_scope(name: &str) -> Scope {
    Scope { attr: format!("_{name}_layer"), ..scope(name) }
}

pub(crate) fn only(tensors: Vec<KerasTensor>) -> Result<KerasTensor> {
    tensors.into_iter().next().ok_or_else(|| Error::bug("a layer without outputs"))
}

/// The mask of a sequence, `[batch, 1, steps]`, combined with one of pairs, `[batch, queries, keys]`; `padding`
/// replaces the sequence's own mask.
///
/// # Errors
/// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for masks of other ranks.
pub(crate) fn merged(
    cx: &mut LowerCx<'_>,
    sequence: &KerasTensor,
    padding: Option<Value>,
    attention: Option<Value>,
) -> Result<Option<Value>> {
    let mut masks = Vec::new();
    if let Some(mask) = padding.or(sequence.mask) {
        if cx.ty(mask).rank() != 2 {
            let shape = cx.shape(mask);
            return Err(Error::malformed(format!("expected a padding mask of rank 2, found shape {shape}")));
        }
        let mask = truth(cx, mask)?;
        masks.push(cx.insert_axis(mask, 1)?);
    }
    if let Some(mask) = attention {
        if cx.ty(mask).rank() != 3 {
            let shape = cx.shape(mask);
            return Err(Error::malformed(format!("expected an attention mask of rank 3, found shape {shape}")));
        }
        masks.push(truth(cx, mask)?);
    }
    mask::all(cx, &masks)
}

/// Casts a mask to truth values; floating-point numbers are truncated first.
fn truth(cx: &mut LowerCx<'_>, mask: Value) -> Result<Value> {
    let whole = if cx.ty(mask).element.is_float() { cx.cast(mask, ElementType::I32)? } else { mask };
    cx.cast(whole, ElementType::Bool)
}
