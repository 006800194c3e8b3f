//! `TransformerDecoder`: causal self-attention, attention to an encoder if there is one, and two dense layers.
//!
//! Reference: <https://keras.io/keras_hub/api/modeling_layers/transformer_decoder/>.

use super::block::{Block, attention_scope, merged, only};
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers::attention::arguments::Arguments;
use crate::layers::attention::multi_head::Inputs;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_manifest::Result;

/// A block of a decoder. Weights: those of `self_attention`, `cross_attention` (see
/// [`MultiHeadAttention`](crate::layers::attention::multi_head::MultiHeadAttention)), `feedforward_intermediate_dense`,
/// `feedforward_output_dense`, and of the normalizations.
#[derive(Clone, Debug, PartialEq)]
pub struct TransformerDecoder {
    /// The block.
    pub block: Block,
}

impl FromConfig for TransformerDecoder {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        // The shapes of the inputs, which are known from the calls too.
        config.inert(&["decoder_sequence_shape", "encoder_sequence_shape"]);
        Ok(TransformerDecoder { block: Block::read(config)? })
    }
}

impl LayerDef for TransformerDecoder {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Arguments(call);
        args.refuse(&["self_attention_cache", "cross_attention_cache"])?;
        let decoder = args.required("decoder_sequence", 0)?.clone();
        let encoder = args.tensor("encoder_sequence", Some(1))?;
        let padding = args.mask(cx, "decoder_padding_mask", Some(2))?;
        let attention = args.mask(cx, "decoder_attention_mask", Some(3))?;
        let mask = merged(cx, &decoder, padding, attention)?;
        let causal = args.constant("use_causal_mask")?.unwrap_or(true);
        // A decoder's attention layer ignores the masks of its inputs.
        let layer = self.block.attention(cx, decoder.value, true)?;
        let mut x = self.block.part(cx, decoder.clone(), "self_attention_layer_norm", |cx, x| {
            let inputs = Inputs { query: x.clone(), value: x, key: None, mask, causal, scores: false };
            let out = cx.within(attention_scope("self_attention"), |cx| layer.attend(cx, &inputs))?;
            only(out).map(|tensor| tensor.value)
        })?;
        if let Some(encoder) = encoder {
            let padding = args.mask(cx, "encoder_padding_mask", Some(4))?;
            let attention = args.mask(cx, "encoder_attention_mask", Some(5))?;
            let mask = merged(cx, encoder, padding, attention)?;
            x = self.block.part(cx, x, "cross_attention_layer_norm", |cx, x| {
                let value = encoder.clone();
                let inputs = Inputs { query: x, value, key: None, mask, causal: false, scores: false };
                let out = cx.within(attention_scope("cross_attention"), |cx| layer.attend(cx, &inputs))?;
                only(out).map(|tensor| tensor.value)
            })?;
        }
        let x = self.block.part(cx, x, "feedforward_layer_norm", |cx, x| self.block.feed_forward(cx, x))?;
        Ok(vec![x.with_mask(decoder.mask)])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused};
    use serde_json::json;

    #[test]
    fn infers() {
        let config = json!({"intermediate_dim": 8, "num_heads": 3, "activation": "keras_nlp>gelu_approximate"});
        check_infer("TransformerDecoder", config.clone(), &["?,?,6"], &["?,?,6"]);
        check_infer("keras_hub>TransformerDecoder", config, &["?,4,6", "?,?,5"], &["?,4,6"]);
    }

    #[test]
    fn refuses() {
        let message = "`config`: missing `intermediate_dim`";
        check_refused("TransformerDecoder", json!({"num_heads": 2}), &[], message);
    }
}
