//! `MultiHeadAttention`: for each position of the query, a weighted mean of the values, with several heads in parallel;
//! and `CachedMultiHeadAttention` of KerasNLP, which computes the same without a cache.
//!
//! Reference: <https://keras.io/api/layers/attention_layers/multi_head_attention/>.

use super::arguments::Arguments;
use super::mask;
use super::project::Projection;
use crate::call::Call;
use crate::config::{Config, FromJson, expected};
use crate::layer::LayerDef;
use crate::layers::activation::softmax::{self, MaskedSoftmax};
use crate::layers::axes::Axes;
use crate::layers::core::dropout;
use crate::lower::{KerasTensor, LowerCx};
use crate::producer::{Family, Producer};
use crate::registry::FromConfig;
use serde_json::Value as Json;
use tfjs_ir::prim::activate::Activation as Function;
use tfjs_ir::prim::elementwise::BinaryOp;
use tfjs_ir::{ElementType, Value};
use tfjs_manifest::{Error, Result};

/// An attention with several heads. Weights: `query`, `key`, `value`: `kernel [in, heads, dim]`, `bias [heads, dim]`;
/// `attention_output`: `kernel [heads, value_dim, out]`, `bias [out]`; `gate` as `query` with `value_dim`.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiHeadAttention {
    /// The number of heads.
    pub num_heads: usize,
    /// The size of a head of query and key.
    pub key_dim: usize,
    /// The size of a head of the value.
    pub value_dim: usize,
    /// The fraction of weights that is dropped in training.
    pub dropout: f64,
    /// Whether the dense layers have biases.
    pub use_bias: bool,
    /// Whether the heads are multiplied by a sigmoid gate, computed from the query: Keras 3.
    pub use_gate: bool,
    /// The last axes of the output; by default those of the query.
    pub output_shape: Option<Vec<usize>>,
    /// The axes over which positions attend to each other; by default all between batch and channels.
    pub attention_axes: Option<Axes>,
    /// The distance within which positions attend to each other: Keras 3.
    pub sliding_window: Option<usize>,
    /// The behaviour of the producer.
    pub rules: Rules,
    /// Whether the masks of the inputs are ignored, as in `CachedMultiHeadAttention`.
    pub explicit: bool,
}

/// Differences between versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether the masks of the inputs are used.
    pub implicit_masks: bool,
    /// Whether the inputs lose their masks, so that layers that run later do not see them.
    pub forgets: bool,
    /// The treatment of masked scores if the scores are returned, dropped out, or have other ranks.
    pub masked: MaskedSoftmax,
    /// The treatment of masked scores otherwise.
    pub fused: MaskedSoftmax,
}

impl Rules {
    /// The behaviour of a producer.
    pub fn of(producer: &Producer) -> Self {
        let since = |major, minor| !producer.is_before(major, minor);
        match producer.family {
            Family::Keras3 => Rules {
                implicit_masks: true,
                forgets: since(3, 8),
                masked: if since(3, 13) { MaskedSoftmax::Replaced } else { MaskedSoftmax::Added },
                fused: if since(3, 7) { MaskedSoftmax::Filled } else { MaskedSoftmax::Added },
            },
            family => Rules {
                implicit_masks: family != Family::Keras2 || since(2, 10),
                forgets: false,
                masked: MaskedSoftmax::Added,
                fused: MaskedSoftmax::Added,
            },
        }
    }
}

/// One number or a list of numbers.
struct Sizes(Vec<usize>);

impl FromJson for Sizes {
    fn from_json(value: &Json) -> Result<Self> {
        match value {
            Json::Array(_) => Vec::from_json(value).map(Sizes),
            one => usize::from_json(one).map(|n| Sizes(vec![n])),
        }
    }
}

/// A size of at least 1.
pub(crate) fn positive(config: &Config<'_>, key: &str) -> Result<usize> {
    match config.req(key)? {
        0 => Err(expected("a whole number of at least 1", &Json::from(0)).at_json(key).at_json("config")),
        n => Ok(n),
    }
}

impl FromConfig for MultiHeadAttention {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        // Keras 2 stores the shapes of its inputs, which are known from the calls too.
        config.inert(&["query_shape", "key_shape", "value_shape", "flash_attention"]);
        let key_dim = positive(config, "key_dim")?;
        Ok(MultiHeadAttention {
            num_heads: positive(config, "num_heads")?,
            key_dim,
            value_dim: config.opt("value_dim")?.filter(|&dim| dim > 0).unwrap_or(key_dim),
            dropout: config.or("dropout", 0.0)?,
            use_bias: config.or("use_bias", true)?,
            use_gate: config.or("use_gate", false)?,
            output_shape: config.opt("output_shape")?.map(|Sizes(sizes)| sizes).filter(|sizes| !sizes.is_empty()),
            attention_axes: config.opt("attention_axes")?,
            sliding_window: config.opt("sliding_window")?,
            rules: Rules::of(config.producer()),
            explicit: class != "MultiHeadAttention",
        })
    }
}

/// The arguments of a call of the layer.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    /// The query.
    pub(crate) query: KerasTensor,
    /// The value.
    pub(crate) value: KerasTensor,
    /// The key, if it is not the value.
    pub(crate) key: Option<KerasTensor>,
    /// An explicit mask of pairs of positions, in addition to the masks of the inputs.
    pub(crate) mask: Option<Value>,
    /// Whether positions attend only to earlier ones.
    pub(crate) causal: bool,
    /// Whether the attention weights are returned too.
    pub(crate) scores: bool,
}

/// The axes of query, key and value, including the heads.
struct Heads {
    /// The batch axes of the products: the batch, unattended axes, the heads.
    batch: Vec<usize>,
    /// The axes over which positions attend to each other.
    attended: Vec<usize>,
    /// The number of axes.
    rank: usize,
}

impl Heads {
    /// The product of queries with keys: `[batch.., queries.., keys..]`.
    fn scores(&self, cx: &mut LowerCx<'_>, query: Value, key: Value) -> Result<Value> {
        let batch: Vec<(usize, usize)> = self.batch.iter().map(|&axis| (axis, axis)).collect();
        let scores = cx.dot(query, key, &batch, &[(self.rank - 1, self.rank - 1)])?;
        // The product has its free axes in ascending order; the attended axes may be listed in another order.
        let (first, count) = (self.batch.len(), self.attended.len());
        let place = |axis: usize| self.attended.iter().filter(|&&other| other < axis).count();
        let mut order: Vec<usize> = (0..first).collect();
        order.extend(self.attended.iter().map(|&axis| first + place(axis)));
        order.extend(self.attended.iter().map(|&axis| first + count + place(axis)));
        cx.transpose(scores, &order)
    }

    /// The weighted mean of values, with the axes in the order of the query.
    fn mean(&self, cx: &mut LowerCx<'_>, weights: Value, value: Value) -> Result<Value> {
        let (first, count) = (self.batch.len(), self.attended.len());
        let batch: Vec<(usize, usize)> = self.batch.iter().enumerate().map(|(i, &axis)| (i, axis)).collect();
        let summed: Vec<(usize, usize)> =
            self.attended.iter().enumerate().map(|(i, &axis)| (first + count + i, axis)).collect();
        let out = cx.dot(weights, value, &batch, &summed)?;
        let mut order: Vec<usize> = vec![first + count; self.rank];
        for (i, &axis) in self.batch.iter().chain(&self.attended).enumerate() {
            order[axis] = i;
        }
        cx.transpose(out, &order)
    }
}

impl MultiHeadAttention {
    fn heads(&self, cx: &LowerCx<'_>, query: Value, value: Value) -> Result<Heads> {
        let rank = cx.ty(value).rank();
        if rank < 4 || cx.ty(query).rank() != rank {
            return Err(Error::malformed(format!(
                "expected query and value of one rank, 3 or more, found {} and {} with their heads",
                cx.shape(query),
                cx.shape(value)
            )));
        }
        let mut attended = Vec::new();
        match &self.attention_axes {
            None => attended.extend(1..rank - 2),
            Some(Axes(axes)) => {
                for &axis in axes {
                    let index = if axis < 0 { axis + rank as i64 - 1 } else { axis };
                    let index = usize::try_from(index).ok().filter(|&i| i < rank - 2 && !attended.contains(&i));
                    attended.push(index.ok_or_else(|| {
                        let message =
                            format!("`attention_axes` {axes:?} do not fit a query with heads {}", cx.shape(query));
                        Error::malformed(message).at_json("config")
                    })?);
                }
            }
        }
        if attended.is_empty() {
            return Err(
                Error::malformed("expected at least one axis in `attention_axes`, found `[]`").at_json("config")
            );
        }
        let batch = (0..rank - 1).filter(|axis| !attended.contains(axis)).collect();
        Ok(Heads { batch, attended, rank })
    }

    /// The masks other than the explicit one.
    fn masks(&self, cx: &mut LowerCx<'_>, inputs: &Inputs) -> Result<Vec<Value>> {
        let mut masks = Vec::new();
        let masked = |tensor: &KerasTensor| tensor.mask.filter(|_| self.rules.implicit_masks && !self.explicit);
        if let Some(mask) = masked(&inputs.query) {
            let rank = cx.ty(mask).rank();
            masks.push(cx.insert_axis(mask, rank)?);
        }
        for tensor in std::iter::once(&inputs.value).chain(&inputs.key) {
            if let Some(mask) = masked(tensor) {
                let rank = cx.ty(mask).rank();
                masks.push(cx.insert_axis(mask, rank.saturating_sub(1))?);
            }
        }
        let lengths = [inputs.query.value, inputs.value.value].map(|x| cx.dims_of(x).get(1).copied());
        let [Some(queries), Some(keys)] = lengths else { return Err(Error::malformed("a sequence without steps")) };
        if inputs.causal {
            masks.push(mask::causal(cx, queries, keys)?);
        }
        if let Some(window) = self.sliding_window {
            masks.push(mask::window(cx, queries, keys, window)?);
        }
        Ok(masks)
    }

    /// The weights of the values: a softmax of the scores.
    fn weights(&self, cx: &mut LowerCx<'_>, scores: Value, axes: usize, inputs: &Inputs) -> Result<Value> {
        let rank = cx.ty(scores).rank();
        let over: Vec<usize> = (rank - axes..rank).collect();
        softmax::check_axes(cx, scores, &over)?;
        let fused = !inputs.scores && self.dropout == 0.0 && rank == 4;
        let how = if fused { self.rules.fused } else { self.rules.masked };
        let mut masks = self.masks(cx, inputs)?;
        if let Some(given) = inputs.mask {
            if masks.is_empty() && how == MaskedSoftmax::Added && cx.ty(given).element != ElementType::Bool {
                // A numeric mask is used as a factor, without rounding it to 0 or 1.
                let given = mask::over(cx, given, scores, 2 * axes)?;
                let scores = softmax::penalized(cx, scores, given)?;
                return cx.softmax(scores, &over);
            }
            masks.push(cx.cast(given, ElementType::Bool)?);
        }
        match mask::all(cx, &masks)? {
            Some(mask) => {
                let mask = mask::over(cx, mask, scores, 2 * axes)?;
                softmax::masked(cx, scores, mask, &over, how)
            }
            None => cx.softmax(scores, &over),
        }
    }

    /// The outputs: the attention, and its weights if requested.
    ///
    /// # Errors
    /// Inputs with incompatible shapes.
    pub(crate) fn attend(&self, cx: &mut LowerCx<'_>, inputs: &Inputs) -> Result<Vec<KerasTensor>> {
        let channels = match &self.output_shape {
            Some(sizes) => sizes.clone(),
            None => {
                let dims = cx.dims_of(inputs.query.value);
                let &last = dims.last().ok_or_else(|| Error::malformed("expected a query, found a number"))?;
                vec![cx.known(last, "the last axis", inputs.query.value)?]
            }
        };
        let key = inputs.key.as_ref().unwrap_or(&inputs.value);
        let [query, key, value] = [&inputs.query, key, &inputs.value].map(|tensor| tensor.value);
        let (query, key, value) = (cx.to_float(query)?, cx.to_float(key)?, cx.to_float(value)?);
        let dense = |name, attr| Projection { name, attr, bias: self.use_bias };
        let (heads, gates) = ([self.num_heads, self.key_dim], [self.num_heads, self.value_dim]);
        let q = dense("query", "query_dense").apply(cx, query, 1, &heads)?;
        let k = dense("key", "key_dense").apply(cx, key, 1, &heads)?;
        let gate = match self.use_gate {
            true => Some(dense("gate", "_gate_dense").apply(cx, query, 1, &gates)?),
            false => None,
        };
        let v = dense("value", "value_dense").apply(cx, value, 1, &gates)?;
        let axes = self.heads(cx, q, v)?;
        let q = cx.binary_scalar(BinaryOp::Mul, q, 1.0 / (self.key_dim as f64).sqrt())?;
        let scores = axes.scores(cx, q, k)?;
        let weights = self.weights(cx, scores, axes.attended.len(), inputs)?;
        let mut used = weights;
        if cx.training() && self.dropout > 0.0 {
            let dims = cx.dims_of(weights);
            used = dropout::drop_out(cx, weights, self.dropout, &dims)?;
        }
        let mut mean = axes.mean(cx, used, v)?;
        if let Some(gate) = gate {
            let gate = cx.activate(Function::Sigmoid {}, gate)?;
            mean = cx.mul(mean, gate)?;
        }
        let out = dense("attention_output", "output_dense").apply(cx, mean, 2, &channels)?;
        let mut outputs = vec![KerasTensor::from(out)];
        if inputs.scores {
            outputs.push(weights.into());
        }
        Ok(outputs)
    }
}

impl LayerDef for MultiHeadAttention {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Arguments(call);
        args.refuse(&["cache", "cache_update_index"])?;
        let explicit = |tensor: &KerasTensor, name| -> Result<KerasTensor> {
            let given = args.tensor(name, None)?.map(|mask| mask.value);
            Ok(tensor.clone().with_mask(given.or(tensor.mask)))
        };
        let query = args.required("query", 0).or_else(|_| args.required("inputs", 0))?;
        // Keras 3 takes the mask of the query only from the query's tensor.
        let mask = query.mask.filter(|_| self.rules.implicit_masks);
        let value = explicit(args.required("value", 1)?, "value_mask")?;
        let key = args.tensor("key", Some(2))?.map(|key| explicit(key, "key_mask")).transpose()?;
        let inputs = Inputs {
            query: query.clone(),
            value,
            key,
            mask: args.mask(cx, "attention_mask", None)?,
            causal: args.flag("use_causal_mask")?,
            scores: args.flag("return_attention_scores")?,
        };
        let mut outputs = self.attend(cx, &inputs)?;
        if self.rules.forgets && !self.explicit {
            cx.forget_masks([&inputs.query, &inputs.value].into_iter().chain(&inputs.key));
        }
        if let Some(first) = outputs.first_mut() {
            first.mask = mask;
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
        let config = json!({"num_heads": 2, "key_dim": 3.0});
        check_infer("MultiHeadAttention", config.clone(), &["?,5,4", "?,?,6"], &["?,5,4"]);
        check_infer("MultiHeadAttention", config.clone(), &["?,?,4", "?,?,6", "?,?,7"], &["?,?,4"]);
        check_infer("MultiHeadAttention", config, &["?,5,6,4", "?,5,6,4"], &["?,5,6,4"]);
        let config = json!({"numHeads": 2, "keyDim": 3, "output_shape": [2, 5], "attention_axes": 2});
        check_infer("MultiHeadAttention", config, &["?,5,?,4", "?,5,7,4"], &["?,5,?,2,5"]);
    }

    #[test]
    fn weights() {
        let config = json!({"num_heads": 2, "key_dim": 3, "value_dim": 5, "output_shape": 7});
        let weights = [
            "query/kernel[4,2,3]",
            "query/bias[2,3]",
            "key/kernel[8,2,3]",
            "key/bias[2,3]",
            "value/kernel[6,2,5]",
            "value/bias[2,5]",
            "attention_output/kernel[2,5,7]",
            "attention_output/bias[7]",
        ];
        check_weights("MultiHeadAttention", config, &["?,5,4", "?,?,6", "?,?,8"], &weights);
        let config = json!({"num_heads": 1, "key_dim": 3, "use_bias": false});
        let weights =
            ["query/kernel[4,1,3]", "key/kernel[4,1,3]", "value/kernel[4,1,3]", "attention_output/kernel[1,3,4]"];
        check_weights("MultiHeadAttention", config, &["?,5,4", "?,?,4"], &weights);
    }

    #[test]
    fn refuses() {
        let config = json!({"num_heads": 2, "key_dim": 3});
        check_refused("MultiHeadAttention", config.clone(), &["?,5,4"], "is called without `value`");
        let message = "the last axis must be known, found shape [?,5,?]";
        check_refused("MultiHeadAttention", config.clone(), &["?,5,?", "?,5,4"], message);
        let message =
            "expected query and value of one rank, 3 or more, found [?,5,2,3] and [?,5,6,2,3] with their heads";
        check_refused("MultiHeadAttention", config, &["?,5,4", "?,5,6,4"], message);
        let message = "`config.num_heads`: expected a whole number of at least 1, found `0`";
        check_refused("MultiHeadAttention", json!({"num_heads": 0, "key_dim": 3}), &[], message);
        let config = json!({"num_heads": 2, "key_dim": 3, "attention_axes": []});
        let message = "`config`: expected at least one axis in `attention_axes`, found `[]`";
        check_refused("MultiHeadAttention", config, &["?,5,4", "?,5,4"], message);
        let config = json!({"num_heads": 2, "key_dim": 3, "attention_axes": [3]});
        let message = "`config`: `attention_axes` [3] do not fit a query with heads [?,5,2,3]";
        check_refused("MultiHeadAttention", config, &["?,5,4", "?,5,4"], message);
    }
}
