//! `Embedding`: looks up a row of a table for every index.
//!
//! Reference: <https://keras.io/api/layers/core_layers/embedding/>.

use crate::call::Call;
use crate::config::Config;
use crate::encode::{Encoding, Target};
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::low_rank::LowRank;
use crate::layers::masks;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::CompareOp;
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::{ElementType, Value};
use tfjs_manifest::{Error, Result, Shape};

/// A table of rows. Weights: `embeddings [input_dim, output_dim]`.
///
/// Floating-point indices are truncated towards zero, as in Keras and TensorFlow.js.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// The number of rows.
    pub input_dim: usize,
    /// The length of a row.
    pub output_dim: usize,
    /// Whether index 0 is padding, which the output then masks.
    pub mask_zero: bool,
    /// Added to the table.
    pub update: Option<LowRank>,
}

impl FromConfig for Embedding {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &["Embedding"];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        config.inert(&["sparse", "dropout", "weights"]);
        Ok(Embedding {
            input_dim: config.req("input_dim")?,
            output_dim: config.req("output_dim")?,
            mask_zero: config.or("mask_zero", false)?,
            update: LowRank::read(config)?,
        })
    }
}

impl Embedding {
    /// The rows.
    ///
    /// # Errors
    /// As [`LowerCx::weight`].
    pub(crate) fn table(&self, cx: &mut LowerCx<'_>) -> Result<Value> {
        let shape = Shape::new([self.input_dim, self.output_dim])?;
        let table = LowRank::weight(self.update, cx, WeightDecl::new("embeddings", shape.clone()))?;
        LowRank::added(self.update, cx, table, "embeddings", &shape)
    }
}

impl LayerDef for Embedding {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let input = cx.single(call)?;
        if cx.ty(input.value).element == ElementType::String {
            return Err(Error::malformed("expected indices, found strings"));
        }
        let table = self.table(cx)?;
        let indices = indices(cx, input.value)?;
        let rows = cx.gather(table, indices, 0, Bounds::Error)?;
        let mask = match self.mask_zero {
            true if cx.ty(input.value).element == ElementType::Bool => Some(input.value),
            true => Some(cx.compare_scalar(CompareOp::Ne, input.value, 0.0)?),
            false => None,
        };
        Ok(vec![KerasTensor::from(rows).with_mask(mask).with_rows_of(&input)])
    }

    fn takes_ragged(&self) -> bool {
        !self.mask_zero
    }

    fn input_type(&self) -> Option<ValueType> {
        Some(ValueType::Int32)
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        let Target::TensorFlowJs = target;
        if self.mask_zero {
            masks::warn_of_made(out);
        }
        LowRank::warn(self.update, out);
        Ok(())
    }
}

/// The indices as integers. NaN becomes an index outside every table.
fn indices(cx: &mut LowerCx<'_>, input: Value) -> Result<Value> {
    let indices = cx.cast(input, ElementType::I64)?;
    if !cx.ty(input).element.is_float() {
        return Ok(indices);
    }
    let is_number = cx.compare(CompareOp::Eq, input, input)?;
    let none = cx.scalar(ElementType::I64, -1.0)?;
    cx.select(is_number, indices, none)
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_encoded, check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn a_row_for_every_index() {
        let config = json!({"inputDim": 10.0, "output_dim": 4, "mask_zero": true, "input_length": null});
        check_infer("Embedding", config.clone(), &["?,?"], &["?,?,4"]);
        check_infer("Embedding", config.clone(), &["2"], &["2,4"]);
        check_weights("Embedding", config, &["?,?"], &["embeddings[10,4]"]);
    }

    #[test]
    fn refuses() {
        check_refused("Embedding", json!({"output_dim": 4}), &["?"], "`config`: missing `input_dim`");
        let config = json!({"input_dim": 3, "output_dim": 4});
        check_refused("Embedding", config, &["?", "?"], "expected one input, found 2");
    }

    #[test]
    fn tensorflow_js_hands_on_masks_otherwise() {
        let config = |mask_zero: bool| json!({"input_dim": 5, "output_dim": 2, "mask_zero": mask_zero});
        let warning = "TensorFlow.js passes the mask of this layer to other layers than Keras does";
        check_encoded(Family::Keras2, &json!([null, 3]), "Embedding", &config(true), &config(true), &[warning]);
        check_encoded(Family::Keras2, &json!([null, 3]), "Embedding", &config(false), &config(false), &[]);
    }
}
