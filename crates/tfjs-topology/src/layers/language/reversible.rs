//! `ReversibleEmbedding`: a row of a table for every token; with `reverse`, the product of a vector with each row.
//!
//! Reference: <https://keras.io/api/layers/core_layers/reversible_embedding/>, KerasNLP's layer of the same name.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::attention::arguments::Arguments;
use crate::layers::core::embedding::Embedding;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use crate::types::ValueType;
use tfjs_ir::Value;
use tfjs_ir::prim::elementwise::{BinaryOp, UnaryOp};
use tfjs_manifest::{Error, Result, Shape};

/// A table of tokens in both directions. Weights: `embeddings [input_dim, output_dim]`, and
/// `reverse_embeddings [output_dim, input_dim]` if they are not tied.
#[derive(Clone, Debug, PartialEq)]
pub struct ReversibleEmbedding {
    /// The table.
    pub table: Embedding,
    /// Whether both directions use the same table.
    pub tie_weights: bool,
    /// The soft limit of the reverse products.
    pub soft_cap: Option<f64>,
}

impl FromConfig for ReversibleEmbedding {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        config.inert(&["reverse_dtype"]);
        let soft_cap: Option<f64> = config.opt("logit_soft_cap")?;
        if soft_cap.is_some_and(|cap| cap == 0.0) {
            return Err(Error::malformed("expected `logit_soft_cap` other than 0").at_json("config"));
        }
        Ok(ReversibleEmbedding {
            table: Embedding::from_config(class, config)?,
            tie_weights: config.or("tie_weights", true)?,
            soft_cap,
        })
    }
}

impl ReversibleEmbedding {
    fn reverse_table(&self, cx: &mut LowerCx<'_>) -> Result<Option<Value>> {
        if self.tie_weights {
            return Ok(None);
        }
        let shape = Shape::new([self.table.output_dim, self.table.input_dim])?;
        cx.weight(WeightDecl::new("reverse_embeddings", shape)).map(Some)
    }

    /// Looks up the rows of tokens.
    ///
    /// # Errors
    /// As [`Embedding`].
    pub(crate) fn rows(&self, cx: &mut LowerCx<'_>, input: &KerasTensor) -> Result<KerasTensor> {
        let rows = self.table.lower(cx, &Call::of([input.clone()]))?;
        self.reverse_table(cx)?;
        rows.into_iter().next().ok_or_else(|| Error::bug("an embedding without rows"))
    }

    /// The products of vectors with each row.
    fn reversed(&self, cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
        let Some(last) = cx.ty(x).rank().checked_sub(1) else {
            return Err(Error::malformed("expected an input of rank 1 or more, found shape []"));
        };
        let table = self.table.table(cx)?;
        let reverse = self.reverse_table(cx)?;
        let x = cx.to_float(x)?;
        let product = match reverse {
            Some(reverse) => {
                let reverse = cx.cast_like(reverse, x)?;
                cx.matmul(x, reverse)?
            }
            None => {
                let table = cx.cast_like(table, x)?;
                cx.dot(x, table, &[], &[(last, 1)])?
            }
        };
        let Some(cap) = self.soft_cap else { return Ok(product) };
        let small = cx.binary_scalar(BinaryOp::Div, product, cap)?;
        let bounded = cx.unary(UnaryOp::Tanh, small)?;
        cx.binary_scalar(BinaryOp::Mul, bounded, cap)
    }
}

impl LayerDef for ReversibleEmbedding {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Arguments(call);
        let input = args.required("inputs", 0)?;
        let output = match args.constant("reverse")?.unwrap_or(false) {
            true => self.reversed(cx, input.value)?.into(),
            false => self.rows(cx, input)?,
        };
        Ok(vec![output])
    }

    fn input_type(&self) -> Option<ValueType> {
        Some(ValueType::Int32)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn a_row_for_every_token() {
        let config = json!({"input_dim": 9, "output_dim": 4, "tie_weights": false});
        check_infer("ReversibleEmbedding", config.clone(), &["?,?"], &["?,?,4"]);
        let weights = ["embeddings[9,4]", "reverse_embeddings[4,9]"];
        check_weights("keras_hub>ReversibleEmbedding", config, &["?,?"], &weights);
        check_weights("ReversibleEmbedding", json!({"input_dim": 9, "output_dim": 4}), &["?,?"], &["embeddings[9,4]"]);
        let config = json!({"input_dim": 9, "output_dim": 4, "logit_soft_cap": 0});
        let message = "`config`: expected `logit_soft_cap` other than 0";
        check_refused("ReversibleEmbedding", config, &[], message);
    }
}
