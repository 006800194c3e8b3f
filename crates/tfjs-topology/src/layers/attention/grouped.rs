//! `GroupQueryAttention` of Keras 3: a multi-head attention in which several heads of the query share one of key and
//! value.
//!
//! Reference: <https://keras.io/api/layers/attention_layers/group_query_attention/>.

use super::arguments::Arguments;
use super::mask;
use super::multi_head::{Rules, positive};
use super::project::Projection;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::layers::activation::softmax::{self, MaskedSoftmax};
use crate::layers::core::dropout;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use tfjs_ir::prim::activate::Activation as Function;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::{ElementType, Value};
use tfjs_manifest::{Error, Result};

/// An attention whose query heads share heads of key and value. Weights: `query`: `kernel [in, query_heads, dim]`,
/// `key`, `value`: `kernel [in, heads, dim]`, `attention_output`: `kernel [query_heads, dim, out]`, each with a `bias`;
/// `gate` as `query`.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupQueryAttention {
    /// The size of a head.
    pub head_dim: usize,
    /// The number of heads of key and value.
    pub heads: usize,
    /// The number of query heads that share a head of key and value.
    pub shared: usize,
    /// The fraction of weights that is dropped in training.
    pub dropout: f64,
    /// Whether the dense layers have biases.
    pub use_bias: bool,
    /// Whether the heads are multiplied by a sigmoid gate, computed from the query.
    pub use_gate: bool,
    /// The distance within which positions attend to each other.
    pub sliding_window: Option<usize>,
    /// The behaviour of the producer.
    pub rules: Rules,
}

impl FromConfig for GroupQueryAttention {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(_class: &str, config: &Config<'_>) -> Result<Self> {
        config.inert(&["flash_attention"]);
        let (queries, heads) = (positive(config, "num_query_heads")?, positive(config, "num_key_value_heads")?);
        if queries % heads != 0 {
            let message = format!("`num_query_heads` {queries} is no multiple of `num_key_value_heads` {heads}");
            return Err(Error::malformed(message).at_json("config"));
        }
        Ok(GroupQueryAttention {
            head_dim: positive(config, "head_dim")?,
            heads,
            shared: queries / heads,
            dropout: config.or("dropout", 0.0)?,
            use_bias: config.or("use_bias", true)?,
            use_gate: config.or("use_gate", false)?,
            sliding_window: config.opt("sliding_window")?,
            rules: Rules::of(config.producer()),
        })
    }
}

/// The masks of the inputs, and those passed as arguments.
struct Masks {
    query: Option<Value>,
    value: Option<Value>,
    key: Option<Value>,
    given: Option<Value>,
    causal: bool,
}

impl GroupQueryAttention {
    /// All masks combined: `[batch or 1, queries, keys]`, or with more axes if an argument has them.
    fn mask(&self, cx: &mut LowerCx<'_>, masks: &Masks, query: Value, value: Value) -> Result<Option<Value>> {
        let mut all = Vec::new();
        if let Some(mask) = masks.query {
            all.push(cx.insert_axis(mask, 2)?);
        }
        for mask in [masks.value, masks.key].into_iter().flatten() {
            all.push(cx.insert_axis(mask, 1)?);
        }
        let (queries, keys) = (cx.dims_of(query)[1], cx.dims_of(value)[1]);
        if masks.causal {
            all.push(mask::causal(cx, queries, keys)?);
        }
        if let Some(window) = self.sliding_window {
            all.push(mask::window(cx, queries, keys, window)?);
        }
        if let Some(given) = masks.given {
            all.push(cx.cast(given, ElementType::Bool)?);
        }
        mask::all(cx, &all)
    }

    /// `[batch, queries, heads * shared, dim]` as `[batch, heads, shared, queries, dim]`.
    fn grouped(&self, cx: &mut LowerCx<'_>, query: Value) -> Result<Value> {
        let mut dims = cx.dims_of(query);
        let split = [cx.number(self.heads), cx.number(self.shared)];
        dims.splice(2..3, split);
        let query = cx.reshape(query, &dims)?;
        cx.transpose(query, &[0, 2, 3, 1, 4])
    }
}

/// An input of rank 3, as floating point.
fn sequence(cx: &mut LowerCx<'_>, tensor: &KerasTensor) -> Result<Value> {
    if cx.ty(tensor.value).rank() != 3 {
        let shape = cx.shape(tensor.value);
        return Err(Error::malformed(format!("expected inputs of rank 3, found shape {shape}")));
    }
    cx.to_float(tensor.value)
}

impl LayerDef for GroupQueryAttention {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Arguments(call);
        let (query, value) = (args.required("query", 0)?, args.required("value", 1)?);
        let key = args.tensor("key", Some(2))?;
        let given = |name| args.tensor(name, None).map(|mask| mask.map(|mask| mask.value));
        let masks = Masks {
            query: given("query_mask")?.or(query.mask),
            value: given("value_mask")?.or(value.mask),
            key: given("key_mask")?.or(key.and_then(|key| key.mask)),
            given: args.mask(cx, "attention_mask", None)?,
            causal: args.flag("use_causal_mask")?,
        };
        let scored = args.flag("return_attention_scores")?;
        let (x, v, k) = (sequence(cx, query)?, sequence(cx, value)?, sequence(cx, key.unwrap_or(value))?);
        let dims = cx.dims_of(x);
        let channels = cx.known(dims[2], "the last axis", x)?;
        let queries =
            self.heads.checked_mul(self.shared).ok_or_else(|| Error::limit("`num_query_heads` is too large"))?;
        let dense = |name, attr| Projection { name, attr, bias: self.use_bias };
        let q = dense("query", "_query_dense").apply(cx, x, 1, &[queries, self.head_dim])?;
        let k = dense("key", "_key_dense").apply(cx, k, 1, &[self.heads, self.head_dim])?;
        let gate = match self.use_gate {
            true => Some(dense("gate", "_gate_dense").apply(cx, x, 1, &[queries, self.head_dim])?),
            false => None,
        };
        let mask = self.mask(cx, &masks, x, v)?;
        let v = dense("value", "_value_dense").apply(cx, v, 1, &[self.heads, self.head_dim])?;
        let shape = cx.dims_of(q);
        let q = cx.binary_scalar(BinaryOp::Mul, q, 1.0 / (self.head_dim as f64).sqrt())?;
        let q = self.grouped(cx, q)?;
        let scores = cx.dot(q, k, &[(0, 0), (1, 2)], &[(4, 3)])?;
        // Masks and the caller expect the heads of the query on one axis.
        let grouped = cx.dims_of(scores);
        let flat = [grouped[0], shape[2], grouped[3], grouped[4]];
        let scores = cx.reshape(scores, &flat)?;
        softmax::check_axes(cx, scores, &[3])?;
        let fused = !scored && self.dropout == 0.0;
        let how = if fused { MaskedSoftmax::Filled } else { self.rules.masked };
        let weights = match mask {
            Some(mask) => {
                let mask = mask::over(cx, mask, scores, 2)?;
                softmax::masked(cx, scores, mask, &[3], how)?
            }
            None => cx.softmax(scores, &[3])?,
        };
        let mut used = weights;
        if cx.training() && self.dropout > 0.0 {
            used = dropout::drop_out(cx, weights, self.dropout, &flat)?;
        }
        let used = cx.reshape(used, &grouped)?;
        let mean = cx.dot(used, v, &[(0, 0), (1, 2)], &[(4, 1)])?;
        let mean = cx.transpose(mean, &[0, 3, 1, 2, 4])?;
        let mut mean = cx.reshape(mean, &shape)?;
        if let Some(gate) = gate {
            let gate = cx.activate(Function::Sigmoid {}, gate)?;
            mean = cx.mul(mean, gate)?;
        }
        let out = dense("attention_output", "_output_dense").apply(cx, mean, 2, &[channels])?;
        let mut outputs = vec![KerasTensor::from(out).with_mask(query.mask)];
        if scored {
            outputs.push(weights.into());
        }
        Ok(outputs)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check_infer, check_refused, check_weights};
    use serde_json::json;

    #[test]
    fn infers() {
        let config = json!({"head_dim": 3, "num_query_heads": 4, "numKeyValueHeads": 2.0});
        check_infer("GroupQueryAttention", config.clone(), &["?,5,4", "?,?,6"], &["?,5,4"]);
        let weights = [
            "query/kernel[4,4,3]",
            "query/bias[4,3]",
            "key/kernel[7,2,3]",
            "key/bias[2,3]",
            "value/kernel[6,2,3]",
            "value/bias[2,3]",
            "attention_output/kernel[4,3,4]",
            "attention_output/bias[4]",
        ];
        check_weights("GroupedQueryAttention", config, &["?,5,4", "?,?,6", "?,?,7"], &weights);
    }

    #[test]
    fn refuses() {
        let config = json!({"head_dim": 3, "num_query_heads": 3, "num_key_value_heads": 2});
        let message = "`config`: `num_query_heads` 3 is no multiple of `num_key_value_heads` 2";
        check_refused("GroupQueryAttention", config, &[], message);
        let config = json!({"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2});
        let message = "expected inputs of rank 3, found shape [?,4]";
        check_refused("GroupQueryAttention", config, &["?,4", "?,5,4"], message);
    }
}
