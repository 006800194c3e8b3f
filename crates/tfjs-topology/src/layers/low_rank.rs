//! LoRA: Keras 3 freezes a weight and adds `lora_alpha / lora_rank * a . b` to it, the product of two small ones.
//!
//! An HDF5 file has the weight and both parts. A `.keras` file has the sum alone, and says `lora_rank` all the same.
//!
//! Reference: <https://keras.io/api/layers/core_layers/dense/>.

use crate::config::Config;
use crate::encode::Encoding;
use crate::layer::WeightDecl;
use crate::lower::LowerCx;
use tfjs_ir::Value;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_manifest::{Error, Result, Shape};

/// The update of a weight `w [.., n]`. Weights: `lora_w_a [.., rank]`, `lora_w_b [rank, n]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowRank {
    /// The length that the two parts share.
    pub rank: usize,
    /// What the product is multiplied with, times the rank.
    pub alpha: f64,
}

impl LowRank {
    /// Reads `lora_rank` and `lora_alpha`; `None` for a layer without an update.
    ///
    /// # Errors
    /// A rank of 0, and values that are no numbers.
    pub(crate) fn read(config: &Config<'_>) -> Result<Option<Self>> {
        let Some(rank) = config.opt::<usize>("lora_rank")? else { return Ok(None) };
        if rank == 0 {
            return Err(Error::malformed("expected at least 1, found 0").at_json("lora_rank").at_json("config"));
        }
        Ok(Some(LowRank { rank, alpha: config.opt("lora_alpha")?.unwrap_or(rank as f64) }))
    }

    /// The next weight of the layer.
    ///
    /// # Errors
    /// As [`LowerCx::weight`].
    pub(crate) fn weight(update: Option<Self>, cx: &mut LowerCx<'_>, decl: WeightDecl) -> Result<Value> {
        cx.weight(if update.is_some() { decl.frozen() } else { decl })
    }

    /// The weight with its update. Called when the layer has taken its own weights, which a `.keras` file numbers.
    ///
    /// # Errors
    /// As [`LowerCx::weight`].
    pub(crate) fn added(
        update: Option<Self>,
        cx: &mut LowerCx<'_>,
        weight: Value,
        name: &str,
        shape: &Shape,
    ) -> Result<Value> {
        let Some(LowRank { rank, alpha }) = update else { return Ok(weight) };
        let Some((&last, outer)) = shape.split_last() else { return Err(Error::bug("an update of a number")) };
        let a = Shape::new([outer, &[rank]].concat())?;
        let a = cx.weight(WeightDecl::new(&format!("lora_{name}_a"), a).optional())?;
        let b = cx.weight(WeightDecl::new(&format!("lora_{name}_b"), Shape::new([rank, last])?).optional())?;
        let product = cx.matmul(a, b)?;
        let product = cx.binary_scalar(BinaryOp::Mul, product, alpha / rank as f64)?;
        cx.add(weight, product)
    }

    /// Warns of an update, which TensorFlow.js does not have.
    pub(crate) fn warn(update: Option<Self>, out: &Encoding<'_>) {
        if update.is_some() {
            out.warn("TensorFlow.js has no low-rank updates of weights (`lora_rank`)");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::producer::Family;
    use crate::testing::{check_encoded, check_weights};
    use serde_json::json;

    #[test]
    fn two_small_weights_more() {
        let config = json!({"units": 4, "lora_rank": 2});
        let expect = ["kernel[5,4]", "bias[4]", "lora_kernel_a[5,2]", "lora_kernel_b[2,4]"];
        check_weights("Dense", config, &["?,5"], &expect);
        let config =
            json!({"filters": 6, "kernel_size": 3, "groups": 2, "use_bias": false, "lora_rank": 1, "lora_alpha": 0.5});
        let expect = ["kernel[3,2,6]", "lora_kernel_a[3,2,1]", "lora_kernel_b[1,6]"];
        check_weights("Conv1D", config, &["?,9,4"], &expect);
    }

    #[test]
    fn tensorflow_js_has_none() {
        let warning = "TensorFlow.js has no low-rank updates of weights (`lora_rank`)";
        let config = json!({"units": 4, "lora_rank": 2, "lora_alpha": 1});
        check_encoded(Family::Keras3, &json!([null, 3]), "Dense", &config, &json!({}), &[warning]);
    }
}
