//! `Attention` and `AdditiveAttention`: for each position of the query, a mean of the values, weighted by the scores of
//! query and key.
//!
//! Reference: <https://keras.io/api/layers/attention_layers/attention/>,
//! <https://keras.io/api/layers/attention_layers/additive_attention/>.

use super::arguments::Arguments;
use super::mask;
use crate::call::Call;
use crate::config::{Config, expected};
use crate::layer::{LayerDef, WeightDecl};
use crate::layers::activation::softmax::{self, MaskedSoftmax};
use crate::layers::core::dropout;
use crate::layers::masks;
use crate::lower::{KerasTensor, LowerCx};
use crate::registry::FromConfig;
use serde_json::Value as Json;
use tfjs_ir::prim::elementwise::UnaryOp;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, Value};
use tfjs_manifest::{Error, Result, Shape};

/// An attention without dense layers. Weights: `scale`, `concat_score_weight`, depending on the scores.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseAttention {
    /// The formula of the scores.
    pub scores: Scores,
    /// Whether there is a `scale`.
    pub use_scale: bool,
    /// The fraction of weights that is dropped in training.
    pub dropout: f64,
    /// Whether positions attend to earlier ones only, as versions before 2.10 configured it.
    pub causal: bool,
}

/// The formula of the scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scores {
    /// `scale * dot(query, key)`
    Dot,
    /// `concat_score_weight * sum(tanh(scale * (query + key)))`
    Concat,
    /// `sum(scale * tanh(query + key))`, with a `scale` for each channel: `AdditiveAttention`.
    Additive,
}

impl FromConfig for DenseAttention {
    const IN_TENSORFLOW_JS: &'static [&'static str] = &[];

    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        let additive = class == "AdditiveAttention";
        let mode: String = config.or("score_mode", "dot".to_string())?;
        let scores = match mode.as_str() {
            _ if additive => Scores::Additive,
            "dot" => Scores::Dot,
            "concat" => Scores::Concat,
            _ => {
                return Err(expected("`dot` or `concat`", &Json::String(mode)).at_json("score_mode").at_json("config"));
            }
        };
        Ok(DenseAttention {
            scores,
            use_scale: config.or("use_scale", additive)?,
            dropout: config.or("dropout", 0.0)?,
            causal: config.or("causal", false)?,
        })
    }
}

/// `query + key` for each pair of positions: `[.., queries, keys, channels]`.
fn pairs(cx: &mut LowerCx<'_>, query: Value, key: Value) -> Result<Value> {
    let rank = cx.ty(query).rank();
    let query = cx.insert_axis(query, rank - 1)?;
    let key = cx.insert_axis(key, rank - 2)?;
    cx.add(query, key)
}

impl DenseAttention {
    /// The scores of each query and key: `[.., queries, keys]`.
    fn scores(&self, cx: &mut LowerCx<'_>, query: Value, key: Value) -> Result<Value> {
        let dims = cx.dims_of(query);
        let rank = dims.len();
        let scale = match (self.use_scale, self.scores) {
            (false, _) => None,
            (true, Scores::Additive) => {
                let channels = cx.known(dims[rank - 1], "the last axis", query)?;
                Some(cx.weight(WeightDecl::new("scale", Shape::new([channels])?).ones())?)
            }
            (true, _) => Some(cx.weight(WeightDecl::new("scale", Shape::new([])?).ones())?),
        };
        let scale = scale.map(|scale| cx.cast_like(scale, query)).transpose()?;
        let scaled = |cx: &mut LowerCx<'_>, x| scale.map_or(Ok(x), |scale| cx.mul(x, scale));
        match self.scores {
            Scores::Dot => {
                let batch: Vec<(usize, usize)> = (0..rank - 2).map(|axis| (axis, axis)).collect();
                let scores = cx.dot(query, key, &batch, &[(rank - 1, rank - 1)])?;
                scaled(cx, scores)
            }
            Scores::Concat => {
                let weight = cx.weight(WeightDecl::new("concat_score_weight", Shape::new([])?).ones())?;
                let weight = cx.cast_like(weight, query)?;
                let pairs = pairs(cx, query, key)?;
                let pairs = scaled(cx, pairs)?;
                let pairs = cx.unary(UnaryOp::Tanh, pairs)?;
                let sum = cx.reduce(ReduceOp::Sum, pairs, &[rank], false)?;
                cx.mul(sum, weight)
            }
            Scores::Additive => {
                let pairs = pairs(cx, query, key)?;
                let pairs = cx.unary(UnaryOp::Tanh, pairs)?;
                let pairs = scaled(cx, pairs)?;
                cx.reduce(ReduceOp::Sum, pairs, &[rank], false)
            }
        }
    }

    /// The weights of the values: a softmax of the scores.
    fn weights(&self, cx: &mut LowerCx<'_>, scores: Value, value: Option<Value>, causal: bool) -> Result<Value> {
        let dims = cx.dims_of(scores);
        let rank = dims.len();
        let mut all = Vec::new();
        if let Some(mask) = value {
            let rank = cx.ty(mask).rank();
            all.push(cx.insert_axis(mask, rank.saturating_sub(1))?);
        }
        if causal || self.causal {
            all.push(mask::causal(cx, dims[rank - 2], dims[rank - 1])?);
        }
        softmax::check_axes(cx, scores, &[rank - 1])?;
        match mask::all(cx, &all)? {
            Some(mask) => {
                let mask = mask::over(cx, mask, scores, 2)?;
                softmax::masked(cx, scores, mask, &[rank - 1], MaskedSoftmax::Added)
            }
            None => cx.softmax(scores, &[rank - 1]),
        }
    }
}

/// The inputs as floating point. Their ranks must be equal, and at least 2.
fn operands(cx: &mut LowerCx<'_>, inputs: &[KerasTensor]) -> Result<[Value; 3]> {
    let (query, value, key) = match inputs {
        [query, value] => (query, value, value),
        [query, value, key] => (query, value, key),
        _ => return Err(Error::malformed(format!("expected query, value and maybe key, found {}", inputs.len()))),
    };
    let rank = cx.ty(query.value).rank();
    for tensor in [query, value, key] {
        if cx.ty(tensor.value).rank() != rank || rank < 2 {
            let (query, shape) = (cx.shape(query.value), cx.shape(tensor.value));
            return Err(Error::malformed(format!("expected inputs of one rank, 2 or more, found {query} and {shape}")));
        }
    }
    Ok([cx.to_float(query.value)?, cx.to_float(value.value)?, cx.to_float(key.value)?])
}

impl LayerDef for DenseAttention {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        let args = Arguments(call);
        let inputs: Vec<KerasTensor> = call.inputs().into_iter().cloned().collect();
        let [query, value, key] = operands(cx, &inputs)?;
        let rank = cx.ty(query).rank();
        if rank == 2 {
            // In inputs of rank 2, positions are along the batch axis, so entries attend to each other.
            cx.mixes_batch();
        }
        let scores = self.scores(cx, query, key)?;
        let weights = self.weights(cx, scores, inputs[1].mask, args.flag("use_causal_mask")?)?;
        let mut used = weights;
        if cx.training() && self.dropout > 0.0 {
            let dims = cx.dims_of(weights);
            used = dropout::drop_out(cx, weights, self.dropout, &dims)?;
        }
        let batch: Vec<(usize, usize)> = (0..rank - 2).map(|axis| (axis, axis)).collect();
        let mut out = cx.dot(used, value, &batch, &[(rank - 1, rank - 2)])?;
        if let Some(mask) = inputs[0].mask {
            let mut dims = cx.dims_of(mask);
            dims.push(Dim::ONE);
            let kept = cx.reshape(mask, &dims)?;
            masks::check_broadcasts(cx, kept, out)?;
            let zero = cx.scalar_like(out, 0.0)?;
            out = cx.select(kept, out, zero)?;
        }
        let mut outputs = vec![KerasTensor::from(out).with_mask(inputs[0].mask)];
        if args.flag("return_attention_scores")? {
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
        check_infer("Attention", json!({}), &["?,5,4", "?,?,4"], &["?,5,4"]);
        check_infer("Attention", json!({"useScale": true}), &["?,?,4", "?,7,6", "?,7,4"], &["?,?,6"]);
        check_infer("Attention", json!({"score_mode": "concat"}), &["?,3,5,4", "?,3,2,4"], &["?,3,5,4"]);
        check_infer("AdditiveAttention", json!({}), &["?,5,4", "?,?,4"], &["?,5,4"]);
        check_infer("Attention", json!({}), &["5,4", "7,4"], &["5,4"]);
    }

    #[test]
    fn weights() {
        let inputs = ["?,5,4", "?,7,4"];
        check_weights("Attention", json!({}), &inputs, &[]);
        check_weights("Attention", json!({"use_scale": true}), &inputs, &["scale[]"]);
        let config = json!({"use_scale": true, "score_mode": "concat"});
        check_weights("Attention", config, &inputs, &["scale[]", "concat_score_weight[]"]);
        check_weights("AdditiveAttention", json!({}), &inputs, &["scale[4]"]);
        check_weights("AdditiveAttention", json!({"use_scale": false}), &inputs, &[]);
    }

    #[test]
    fn refuses() {
        let refused = |config, inputs: &[&str], message| check_refused("Attention", config, inputs, message);
        refused(json!({}), &["?,5,4"], "expected query, value and maybe key, found 1");
        refused(json!({}), &["?,5,4", "?,5,3"], "shapes [?,5,4] and [?,5,3] cannot be multiplied");
        let message = "expected inputs of one rank, 2 or more, found [?,5,4] and [?,4]";
        refused(json!({}), &["?,5,4", "?,4"], message);
        let message = "`config.score_mode`: expected `dot` or `concat`, found `\"sum\"`";
        refused(json!({"score_mode": "sum"}), &[], message);
    }
}
