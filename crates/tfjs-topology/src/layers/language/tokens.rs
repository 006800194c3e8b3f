//! `TokenAndPositionEmbedding`: the sum of a row for every token and a row for every position.
//!
//! Reference: <https://keras.io/keras_hub/api/modeling_layers/token_and_position_embedding/>.

use super::position::PositionEmbedding;
use super::reversible::ReversibleEmbedding;
use crate::call::Call;
use crate::config::Config;
use crate::layer::{LayerDef, Scope, ScopeKind};
use crate::layers::attention::arguments::Arguments;
use crate::layers::core::embedding::Embedding;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use crate::types::ValueType;
use tfjs_manifest::Result;

/// Tokens and their positions. Weights: `token_embedding/embeddings`, `position_embedding/embeddings`.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenAndPositionEmbedding {
    /// The table of tokens.
    pub tokens: ReversibleEmbedding,
    /// The table of positions.
    pub positions: PositionEmbedding,
}

impl FromConfig for TokenAndPositionEmbedding {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        let table = Embedding {
            input_dim: config.req("vocabulary_size")?,
            output_dim: config.req("embedding_dim")?,
            mask_zero: config.or("mask_zero", false)?,
            update: None,
        };
        let tie_weights = config.or("tie_weights", true)?;
        Ok(TokenAndPositionEmbedding {
            tokens: ReversibleEmbedding { table, tie_weights, soft_cap: None },
            positions: PositionEmbedding { sequence_length: config.req("sequence_length")? },
        })
    }
}

fn scope(name: &str) -> Scope {
    Scope { name: name.to_string(), attr: name.to_string(), kind: ScopeKind::Always }
}

impl LayerDef for TokenAndPositionEmbedding {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Arguments(call);
        let input = args.required("inputs", 0)?;
        let tokens = cx.within(scope("token_embedding"), |cx| self.tokens.rows(cx, input))?;
        let positions = cx.within(scope("position_embedding"), |cx| self.positions.rows(cx, tokens.value, args))?;
        let sum = cx.add(tokens.value, positions)?;
        Ok(vec![KerasTensor::from(sum).with_mask(tokens.mask)])
    }

    fn input_type(&self) -> Option<ValueType> {
        Some(ValueType::Int32)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_weights};
    use serde_json::json;

    #[test]
    fn tokens_and_positions() {
        let class = "keras_nlp>TokenAndPositionEmbedding";
        let config = json!({"vocabulary_size": 9, "sequence_length": 8, "embedding_dim": 4, "mask_zero": true});
        check_infer(class, config.clone(), &["?,?"], &["?,?,4"]);
        let weights = ["token_embedding/embeddings[9,4]", "position_embedding/embeddings[8,4]"];
        check_weights(class, config, &["?,5"], &weights);
        let config = json!({"vocabulary_size": 9, "sequence_length": 8, "embedding_dim": 4, "tie_weights": false});
        let weights = [
            "token_embedding/embeddings[9,4]",
            "token_embedding/reverse_embeddings[4,9]",
            "position_embedding/embeddings[8,4]",
        ];
        check_weights(class, config, &["?,5"], &weights);
    }
}
