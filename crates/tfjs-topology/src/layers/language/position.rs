//! `PositionEmbedding`: a row of a table for every position of a sequence, independent of the elements.
//!
//! Reference: <https://keras.io/keras_hub/api/modeling_layers/position_embedding/>.

use crate::call::Call;
use crate::config::Config;
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::attention::arguments::Arguments;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::Range;
use tfjs_ir::{ElementType, Value};
use tfjs_manifest::{Error, Result, Shape};

/// A table of positions. Weights: `embeddings [sequence_length, channels]`.
#[derive(Clone, Debug, PartialEq)]
pub struct PositionEmbedding {
    /// The longest sequence.
    pub sequence_length: usize,
}

impl FromConfig for PositionEmbedding {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        config.inert(&["initializer"]);
        Ok(PositionEmbedding { sequence_length: config.req("sequence_length")? })
    }
}

impl PositionEmbedding {
    /// The rows for a value `[.., steps, channels]`, broadcast to its shape.
    ///
    /// # Errors
    /// A value of lower rank, and unknown channels.
    pub(crate) fn rows(&self, cx: &mut LowerCx<'_>, x: Value, args: Arguments<'_>) -> Result<Value> {
        let dims = cx.dims_of(x);
        let [.., steps, channels] = dims[..] else {
            let shape = cx.shape(x);
            return Err(Error::malformed(format!("expected an input of rank 2 or more, found shape {shape}")));
        };
        let known = cx.known(channels, "the last axis", x)?;
        let table = cx.weight(WeightDecl::new("embeddings", Shape::new([self.sequence_length, known])?))?;
        let rows = match args.tensor("positions", None)? {
            Some(given) => {
                let indices = cx.cast(given.value, ElementType::I64)?;
                cx.gather(table, indices, 0, Bounds::Error)?
            }
            None => {
                let start = cx.number(super::start(args)? as usize);
                cx.slice_axis(table, 0, Range { start, len: steps, step: 1 })?
            }
        };
        cx.broadcast_to(rows, &dims)
    }
}

impl LayerDef for PositionEmbedding {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Arguments(call);
        let input = args.required("inputs", 0)?;
        let rows = self.rows(cx, input.value, args)?;
        Ok(vec![rows.into()])
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn a_row_for_every_position() {
        let config = json!({"sequenceLength": 8.0});
        check_infer("PositionEmbedding", config.clone(), &["?,?,4"], &["?,?,4"]);
        check_infer("PositionEmbedding", config.clone(), &["?,3,5,4"], &["?,3,5,4"]);
        check_weights("keras_hub>PositionEmbedding", config.clone(), &["?,5,4"], &["embeddings[8,4]"]);
        let message = "expected an input of rank 2 or more, found shape [?]";
        check_refused("PositionEmbedding", config.clone(), &["?"], message);
        let message = "the last axis must be known, found shape [?,5,?]";
        check_refused("PositionEmbedding", config, &["?,5,?"], message);
    }
}
