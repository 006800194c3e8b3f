//! Statistics with weights, sums for statistics, and the common norm of several tensors.
//!
//! Reference: `tf.nn.weighted_moments`, `tf.nn.sufficient_statistics`, `tf.linalg.global_norm`, `tf.clip_by_global_norm`.

use super::FromOpConfig;
use super::args::{Args, flat, missing, without_axes};
use super::elementary::where_or;
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A statistic with several results, or of several tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The statistic.
    pub kind: AggregateKind,
    /// `axes`, `keepdims`, `frequency_weights`, `shift`, `clip_norm`.
    pub params: Params,
}

/// The statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateKind {
    /// Mean and variance of elements with weights.
    WeightedMoments,
    /// The number of elements, their sum and the sum of their squares, and the shift if there is one.
    Sufficient,
    /// The root of the sum of squares of all tensors.
    GlobalNorm,
    /// The tensors scaled down to a maximal common norm, and that norm.
    ClipByGlobalNorm,
}

impl FromOpConfig for Aggregate {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use AggregateKind as K;
        let kind = match class {
            "WeightedMoments" => K::WeightedMoments,
            "SufficientStatistics" => K::Sufficient,
            "GlobalNorm" => K::GlobalNorm,
            "ClipByGlobalNorm" => K::ClipByGlobalNorm,
            other => return Err(Error::bug(format!("`{other}` is listed as a statistic of several results"))),
        };
        Ok(Aggregate { kind, params: Params::read(config) })
    }
}

/// The tensor, the axes, and whether they are kept.
fn subject(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<(Value, Vec<usize>, bool)> {
    let x = args.need_value(cx, &["x"], Some(0))?;
    let x = cx.to_float(x)?;
    let axes = args.axes(cx, &["axes"], Some(1), x)?.ok_or_else(|| missing(&["axes"]))?;
    if axes.contains(&0) {
        cx.mixes_batch();
    }
    Ok((x, axes, args.or(&["keep_dims", "keepdims"], None, false)?))
}

/// `a / b`; 0 where `b` is 0.
fn quotient(cx: &mut LowerCx<'_>, a: Value, b: Value) -> Result<Value> {
    let some = cx.compare_scalar(CompareOp::Ne, b, 0.0)?;
    let divisor = where_or(cx, some, b, 1.0)?;
    let quotient = cx.div(a, divisor)?;
    where_or(cx, some, quotient, 0.0)
}

fn weighted_moments(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Vec<Value>> {
    let (x, axes, keep) = subject(cx, args)?;
    let weights = args.need_value(cx, &["frequency_weights"], Some(2))?;
    let weights = cx.cast_like(weights, x)?;
    let dims = cx.dims_of(x);
    let of = cx.dims_of(weights);
    let dims = cx.broadcast_shapes(&dims, &of)?;
    if dims.len() != cx.ty(x).rank() {
        let (a, b) = (cx.shape(weights), cx.shape(x));
        return Err(Error::malformed(format!("weights of shape {a} do not fit shape {b}")));
    }
    let weights = cx.broadcast_to(weights, &dims)?;
    let total = cx.reduce(ReduceOp::Sum, weights, &axes, true)?;
    let products = cx.mul(weights, x)?;
    let sum = cx.reduce(ReduceOp::Sum, products, &axes, true)?;
    let mean = quotient(cx, sum, total)?;
    let difference = cx.sub(x, mean)?;
    let squares = cx.mul(difference, difference)?;
    let squares = cx.mul(weights, squares)?;
    let sum = cx.reduce(ReduceOp::Sum, squares, &axes, true)?;
    let variance = quotient(cx, sum, total)?;
    [mean, variance].into_iter().map(|value| without_axes(cx, value, &axes, keep)).collect()
}

fn sufficient(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Vec<Value>> {
    let (x, axes, keep) = subject(cx, args)?;
    let shift = args.value(cx, &["shift"], Some(2))?;
    let dims = cx.dims_of(x);
    let lengths: Vec<Dim> = axes.iter().map(|&axis| dims[axis]).collect();
    let count = cx.dims().product(&lengths)?;
    let count = cx.size(count, ElementType::I64)?;
    let count = cx.cast_like(count, x)?;
    let (mut moved, mut more) = (x, None);
    if let Some(shift) = shift {
        let shift = cx.cast_like(shift, x)?;
        (moved, more) = (cx.sub(x, shift)?, Some(shift));
    }
    let squares = cx.mul(moved, moved)?;
    let mut results = vec![count];
    for summed in [moved, squares] {
        let sum = cx.reduce(ReduceOp::Sum, summed, &axes, true)?;
        results.push(without_axes(cx, sum, &axes, keep)?);
    }
    results.extend(more);
    Ok(results)
}

/// The root of the sum of squares of all elements.
fn norm(cx: &mut LowerCx<'_>, tensors: &[Value]) -> Result<Value> {
    let mut total: Option<Value> = None;
    for &tensor in tensors {
        let squares = cx.mul(tensor, tensor)?;
        let squares = flat(cx, squares)?;
        let sum = cx.reduce(ReduceOp::Sum, squares, &[0], false)?;
        total = Some(match total {
            Some(total) => cx.add(total, sum)?,
            None => sum,
        });
    }
    let total = total.ok_or_else(|| Error::malformed("expected tensors, found none"))?;
    cx.unary(UnaryOp::Sqrt, total)
}

fn clip(cx: &mut LowerCx<'_>, args: &Args<'_>, tensors: Vec<Value>) -> Result<Vec<Value>> {
    let norm = match args.value(cx, &["use_norm"], None)? {
        Some(norm) => cx.to_float(norm)?,
        None => norm(cx, &tensors)?,
    };
    let longest = args.need_value(cx, &["clip_norm"], None)?;
    let longest = cx.cast_like(longest, norm)?;
    let one = cx.scalar_like(norm, 1.0)?;
    let (of_norm, of_longest) = (cx.div(one, norm)?, cx.div(one, longest)?);
    let least = cx.binary(BinaryOp::Min, of_norm, of_longest)?;
    let scale = cx.mul(longest, least)?;
    // NaN for a norm that is not finite, as in TensorFlow.
    let nothing = cx.sub(norm, norm)?;
    let scale = cx.add(scale, nothing)?;
    cx.mixes_batch();
    let mut results = Vec::with_capacity(tensors.len() + 1);
    for tensor in tensors {
        let scale = cx.cast_like(scale, tensor)?;
        results.push(cx.mul(tensor, scale)?);
    }
    results.push(norm);
    Ok(results)
}

impl LayerDef for Aggregate {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use AggregateKind as K;
        let args = Args::new(&self.params, call);
        let results = match self.kind {
            K::WeightedMoments => weighted_moments(cx, &args)?,
            K::Sufficient => sufficient(cx, &args)?,
            K::GlobalNorm | K::ClipByGlobalNorm => {
                let mut tensors = args.list(cx, &["t_list"])?;
                for tensor in &mut tensors {
                    *tensor = cx.to_float(*tensor)?;
                }
                match self.kind {
                    K::GlobalNorm => vec![norm(cx, &tensors)?],
                    _ => clip(cx, &args, tensors)?,
                }
            }
        };
        args.finish(cx);
        Ok(results.into_iter().map(KerasTensor::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, check_all, refused, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        let kwargs = json!({"axes": [1], "frequency_weights": "f:?,3,1", "keep_dims": true});
        check_all("WeightedMoments", json!({}), json!(["f:?,3,4"]), kwargs, &["float32[?,1,4]"; 2]);
        let kwargs = json!({"axes": [0, 1], "frequency_weights": 2.0});
        check_all("WeightedMoments", json!({}), json!(["f:?,3,4"]), kwargs, &["float32[4]"; 2]);
        let types = ["float32[]", "float32[?,4]", "float32[?,4]"];
        check_all("SufficientStatistics", json!({}), json!(["f:?,3,4"]), json!({"axes": [1]}), &types);
        let types = ["float32[]", "float32[?,4]", "float32[?,4]", "float32[]"];
        check_all("SufficientStatistics", json!({}), json!(["f:?,3,4"]), json!({"axes": [1], "shift": 1}), &types);
        check("GlobalNorm", json!({}), json!([["f:?,3", "f:?,4,5"]]), json!({}), "float32[]");
        let types = ["float32[?,3]", "float32[4]", "float32[]"];
        check_all("ClipByGlobalNorm", json!({}), json!([["f:?,3", "f:4"]]), json!({"clip_norm": 1.5}), &types);
    }

    #[test]
    fn refuses() {
        refused("GlobalNorm", json!([]), "expected tensors, found none");
        refused("SufficientStatistics", json!(["f:?,3"]), "missing `axes`");
        let message = "weights of shape [2,?,3] do not fit shape [?,3]";
        refused_with("WeightedMoments", json!({"axes": [1]}), json!(["f:?,3", null, "f:2,?,3"]), message);
    }
}
