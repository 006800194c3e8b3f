//! `TransformerEncoder`: self-attention and two dense layers.
//!
//! Reference: <https://keras.io/keras_hub/api/modeling_layers/transformer_encoder/>.

use super::block::{Block, merged, scope};
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers::attention::arguments::Arguments;
use crate::layers::attention::multi_head::Inputs;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_manifest::{Error, Result};

/// A block of an encoder. Weights: those of `self_attention_layer` (see
/// [`MultiHeadAttention`](crate::layers::attention::multi_head::MultiHeadAttention)), `feedforward_intermediate_dense`,
/// `feedforward_output_dense`, and of the normalizations.
#[derive(Clone, Debug, PartialEq)]
pub struct TransformerEncoder {
    /// The block.
    pub block: Block,
}

impl FromConfig for TransformerEncoder {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        Ok(TransformerEncoder { block: Block::read(config)? })
    }
}

impl LayerDef for TransformerEncoder {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Arguments(call);
        let input = args.required("inputs", 0)?.clone();
        let padding = args.mask(cx, "padding_mask", Some(1))?;
        let attention = args.mask(cx, "attention_mask", Some(2))?;
        let scores = args.flag("return_attention_scores")?;
        let mask = merged(cx, &input, padding, attention)?;
        let layer = self.block.attention(cx, input.value, false)?;
        let mut weights = None;
        let x = self.block.part(cx, input.clone(), "self_attention_layer_norm", |cx, x| {
            let inputs = Inputs { query: x.clone(), value: x.clone(), key: None, mask, causal: false, scores };
            let outputs = cx.within(scope("self_attention_layer"), |cx| layer.attend(cx, &inputs))?;
            if layer.rules.forgets {
                cx.forget_masks([&x]);
            }
            let mut outputs = outputs.into_iter();
            let out = outputs.next().ok_or_else(|| Error::bug("an attention without output"))?;
            weights = outputs.next();
            Ok(out.value)
        })?;
        let x = self.block.part(cx, x, "feedforward_layer_norm", |cx, x| self.block.feed_forward(cx, x))?;
        Ok(std::iter::once(x.with_mask(input.mask)).chain(weights).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn infers() {
        let config = json!({"intermediateDim": 8, "numHeads": 2.0});
        check_infer("keras_nlp>TransformerEncoder", config.clone(), &["?,?,6"], &["?,?,6"]);
        let weights = [
            "self_attention_layer/query/kernel[6,2,3]",
            "self_attention_layer/query/bias[2,3]",
            "self_attention_layer/key/kernel[6,2,3]",
            "self_attention_layer/key/bias[2,3]",
            "self_attention_layer/value/kernel[6,2,3]",
            "self_attention_layer/value/bias[2,3]",
            "self_attention_layer/attention_output/kernel[2,3,6]",
            "self_attention_layer/attention_output/bias[6]",
            "self_attention_layer_norm/gamma[6]",
            "self_attention_layer_norm/beta[6]",
            "feedforward_intermediate_dense/kernel[6,8]",
            "feedforward_intermediate_dense/bias[8]",
            "feedforward_output_dense/kernel[8,6]",
            "feedforward_output_dense/bias[6]",
            "feedforward_layer_norm/gamma[6]",
            "feedforward_layer_norm/beta[6]",
        ];
        check_weights("TransformerEncoder", config, &["?,?,6"], &weights);
    }

    #[test]
    fn refuses() {
        let config = json!({"intermediate_dim": 8, "num_heads": 2});
        let message = "expected an input of rank 3, found shape [?,6]";
        check_refused("TransformerEncoder", config.clone(), &["?,6"], message);
        let message = "`config`: expected no more `num_heads` than channels, found `2`";
        check_refused("TransformerEncoder", config, &["?,5,1"], message);
    }
}
