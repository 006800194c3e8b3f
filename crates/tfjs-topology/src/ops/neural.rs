//! Normalizations, attention and losses as functions, whose parameters are tensors.
//!
//! Reference: `keras.ops.batch_normalization`, `keras.ops.dot_product_attention`, `tf.nn.bias_add` and their relatives.

use super::FromOpConfig;
use super::args::{Args, missing};
use super::gather::integers;
use super::pairs::sigmoid_cross_entropy;
use super::params::Params;
use super::sizes;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, element};
use crate::types::ValueType;
use tfjs_ir::prim::Prim;
use tfjs_ir::prim::activate::Activation;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::layout::Padding;
use tfjs_ir::prim::normalize::Softmax;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::prim::window::PoolOp;
use tfjs_ir::window::{Padding as Border, Window};
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::{Error, Result};

/// A neural network function.
#[derive(Clone, Debug, PartialEq)]
pub struct Neural {
    /// The function.
    pub kind: NeuralKind,
    /// `axis`, `epsilon`, `is_causal`, `from_logits`, `depth_radius`, `maxlen`.
    pub params: Params,
}

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeuralKind {
    /// `(x - mean) / sqrt(variance + epsilon) * scale + offset`
    BatchNorm,
    /// Layer normalization: mean 0 and variance 1 over axes, times gamma, plus beta.
    LayerNorm,
    /// RMS normalization: divides by the root of the mean of squares over axes, and multiplies by a scale.
    RmsNorm,
    /// Scaled dot-product attention.
    Attention,
    /// Adds a number for each channel.
    BiasAdd,
    /// Divides by a power of the sum of squares of neighbouring channels.
    LocalResponseNorm,
    /// The cross entropy of labels and probabilities or logits, over an axis.
    CategoricalCrossEntropy,
    /// [`CategoricalCrossEntropy`](NeuralKind::CategoricalCrossEntropy) of logits.
    SoftmaxCrossEntropy,
    /// The cross entropy of labels and probabilities or logits, for each element.
    BinaryCrossEntropy,
    /// The cross entropy of class indices and probabilities or logits.
    SparseCrossEntropy,
    /// The cross entropy of class indices and logits.
    SparseSoftmaxCrossEntropy,
    /// Whether each step is before a length.
    SequenceMask,
    /// Batch normalization of TensorFlow 1, with given statistics.
    FusedBatchNorm,
    /// A matrix product plus a vector.
    Affine,
    /// The same, followed by a ReLU.
    AffineRelu,
    /// The distances between all rows of the two operands.
    Distances,
}

impl FromOpConfig for Neural {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use NeuralKind as K;
        let kind = match class {
            "BatchNorm" => K::BatchNorm,
            "FusedBatchNorm" => K::FusedBatchNorm,
            "XwPlusB" => K::Affine,
            "ReluLayer" => K::AffineRelu,
            "LayerNorm" => K::LayerNorm,
            "RMSNorm" => K::RmsNorm,
            "DotProductAttention" => K::Attention,
            "BiasAdd" => K::BiasAdd,
            "LocalResponseNorm" => K::LocalResponseNorm,
            "CategoricalCrossentropy" => K::CategoricalCrossEntropy,
            "SoftmaxCrossEntropy" => K::SoftmaxCrossEntropy,
            "BinaryCrossentropy" => K::BinaryCrossEntropy,
            "SparseCategoricalCrossentropy" => K::SparseCrossEntropy,
            "SparseSoftmaxCrossEntropy" => K::SparseSoftmaxCrossEntropy,
            "SequenceMask" => K::SequenceMask,
            "CDist" => K::Distances,
            other => return Err(Error::bug(format!("`{other}` is listed as a function of networks"))),
        };
        Ok(Neural { kind, params: Params::read(config) })
    }
}

/// Reshapes a vector to broadcast along an axis of a value; other values are unchanged.
fn along(cx: &mut LowerCx<'_>, vector: Value, x: Value, axis: usize) -> Result<Value> {
    let vector = cx.cast_like(vector, x)?;
    if cx.ty(vector).rank() != 1 {
        return Ok(vector);
    }
    let mut dims = vec![Dim::ONE; cx.ty(x).rank()];
    dims[axis] = cx.dims_of(vector)[0];
    cx.reshape(vector, &dims)
}

fn batch_norm(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    let axis = args.axis(cx, &["axis"], None, x)?.ok_or_else(|| missing(&["axis"]))?;
    let mean = args.need_value(cx, &["mean"], Some(1))?;
    let variance = args.need_value(cx, &["variance"], Some(2))?;
    let (offset, scale) = (args.value(cx, &["offset"], Some(3))?, args.value(cx, &["scale"], Some(4))?);
    let epsilon = args.or(&["epsilon"], None, 1e-3)?;
    cx.mixes_batch();
    let (mean, variance) = (along(cx, mean, x, axis)?, along(cx, variance, x, axis)?);
    let variance = cx.binary_scalar(BinaryOp::Add, variance, epsilon)?;
    let mut factor = cx.unary(UnaryOp::Rsqrt, variance)?;
    if let Some(scale) = scale {
        let scale = along(cx, scale, x, axis)?;
        factor = cx.mul(factor, scale)?;
    }
    let difference = cx.sub(x, mean)?;
    let scaled = cx.mul(difference, factor)?;
    match offset {
        Some(offset) => {
            let offset = along(cx, offset, x, axis)?;
            cx.add(scaled, offset)
        }
        None => Ok(scaled),
    }
}

/// Layer normalization, or RMS normalization if `rms`.
fn layer_norm(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value, rms: bool) -> Result<Value> {
    let axes = match args.axes(cx, &["axis"], None, x)? {
        Some(axes) => axes,
        None => vec![cx.axis(-1, x)?],
    };
    let epsilon = args.or(&["epsilon"], None, 1e-7)?;
    let scaling = args.or(&["rms_scaling"], None, false)?;
    let (gamma, beta) = match rms {
        true => (args.value(cx, &["scale"], Some(1))?, None),
        false => (args.value(cx, &["gamma"], Some(1))?, args.value(cx, &["beta"], Some(2))?),
    };
    if gamma.is_some() || beta.is_some() || axes.contains(&0) {
        cx.mixes_batch();
    }
    let (mean, variance) = cx.moments(x, &axes)?;
    let (centered, spread) = if rms {
        let squares = cx.mul(x, x)?;
        (x, cx.reduce(ReduceOp::Mean, squares, &axes, true)?)
    } else if scaling {
        (x, variance)
    } else {
        (cx.sub(x, mean)?, variance)
    };
    let spread = cx.binary_scalar(BinaryOp::Add, spread, epsilon)?;
    let factor = cx.unary(UnaryOp::Rsqrt, spread)?;
    let mut out = cx.mul(centered, factor)?;
    let first = axes.first().copied().unwrap_or_default();
    for (parameter, op) in [(gamma, BinaryOp::Mul), (beta, BinaryOp::Add)] {
        let Some(parameter) = parameter else { continue };
        let parameter = along(cx, parameter, x, first)?;
        out = cx.binary(op, out, parameter)?;
    }
    Ok(out)
}

/// The normalized values, and the given mean and variance.
fn fused_batch_norm(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Vec<Value>> {
    if args.or(&["is_training"], None, true)? {
        let message = "a batch normalization that takes its statistics from the batch is not supported: write the model \
                       with `is_training` false";
        return Err(Error::unsupported(message));
    }
    args.inert(&["exponential_avg_factor"]);
    let x = args.need_value(cx, &["x"], Some(0))?;
    let x = cx.to_float(x)?;
    let format: Option<String> = args.opt(&["data_format"], None)?;
    let axis = cx.axis(if format.is_some_and(|format| format.starts_with("NC")) { 1 } else { -1 }, x)?;
    let epsilon = args.or(&["epsilon"], None, 1e-3)?;
    let mut vector = |name: &'static str, position| args.need_value(cx, &[name], Some(position));
    let (scale, offset) = (vector("scale", 1)?, vector("offset", 2)?);
    let (mean, variance) = (vector("mean", 3)?, vector("variance", 4)?);
    cx.mixes_batch();
    let mut laid = [scale, offset, mean, variance];
    for vector in &mut laid {
        *vector = along(cx, *vector, x, axis)?;
    }
    let spread = cx.binary_scalar(BinaryOp::Add, laid[3], epsilon)?;
    let factor = cx.unary(UnaryOp::Rsqrt, spread)?;
    let factor = cx.mul(factor, laid[0])?;
    let centered = cx.sub(x, laid[2])?;
    let scaled = cx.mul(centered, factor)?;
    Ok(vec![cx.add(scaled, laid[1])?, mean, variance])
}

/// `x w + b`
fn affine(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let x = args.need_value(cx, &["x"], Some(0))?;
    let weights = args.need_value(cx, &["weights"], Some(1))?;
    let biases = args.need_value(cx, &["biases"], Some(2))?;
    let x = cx.to_float(x)?;
    let (weights, biases) = (cx.cast_like(weights, x)?, cx.cast_like(biases, x)?);
    let (a, b) = (cx.dims_of(x), cx.dims_of(weights));
    if a.len() != 2 || b.len() != 2 || cx.same(a[1], b[0]).is_none() {
        let (a, b) = (cx.shape(x), cx.shape(weights));
        return Err(Error::malformed(format!("shapes {a} and {b} cannot be multiplied")));
    }
    let product = cx.matmul(x, weights)?;
    cx.add(product, biases)
}

/// `softmax(q k^T * scale + bias) v` for `[batch, time, heads, features]`.
fn attention(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    args.inert(&["flash_attention"]);
    let mut tensor = |name: &'static str, position| -> Result<Value> {
        let value = args.need_value(cx, &[name], Some(position))?;
        if cx.ty(value).rank() != 4 {
            let shape = cx.shape(value);
            return Err(Error::malformed(format!("expected `{name}` of rank 4, found shape {shape}")));
        }
        cx.to_float(value)
    };
    let (query, key, value) = (tensor("query", 0)?, tensor("key", 1)?, tensor("value", 2)?);
    let features = cx.dims_of(query)[3];
    let (heads, groups) = (cx.dims_of(query)[2], cx.dims_of(key)[2]);
    if cx.same(heads, groups).is_none() {
        return Err(Error::unsupported("attention with fewer heads of keys than of queries is not supported"));
    }
    let scores = cx.dot(query, key, &[(0, 0), (2, 2)], &[(3, 3)])?;
    let scale = match args.opt::<f64>(&["scale"], Some(5))? {
        Some(scale) => cx.scalar_like(scores, scale)?,
        None => {
            let features = cx.size(features, ElementType::I64)?;
            let features = cx.cast_like(features, scores)?;
            cx.unary(UnaryOp::Rsqrt, features)?
        }
    };
    let mut scores = cx.mul(scores, scale)?;
    if let Some(bias) = args.value(cx, &["bias"], Some(3))? {
        let bias = cx.cast_like(bias, scores)?;
        scores = cx.add(scores, bias)?;
    }
    if let Some(cap) = args.opt::<f64>(&["attn_logits_soft_cap"], None)? {
        let small = cx.binary_scalar(BinaryOp::Div, scores, cap)?;
        let bent = cx.unary(UnaryOp::Tanh, small)?;
        scores = cx.binary_scalar(BinaryOp::Mul, bent, cap)?;
    }
    let mut mask = args.value(cx, &["mask"], Some(4))?;
    if args.or(&["is_causal"], None, false)? {
        let dims = cx.dims_of(scores);
        let row = cx.iota(0, &[dims[2], Dim::ONE], ElementType::I64)?;
        let column = cx.iota(1, &[Dim::ONE, dims[3]], ElementType::I64)?;
        let causal = cx.compare(CompareOp::Ge, row, column)?;
        mask = Some(match mask {
            Some(mask) => {
                let mask = super::args::to_type(cx, mask, ValueType::Bool)?;
                cx.binary(BinaryOp::And, mask, causal)?
            }
            None => causal,
        });
    }
    if let Some(mask) = mask {
        let mask = super::args::to_type(cx, mask, ValueType::Bool)?;
        let lowest = cx.scalar_like(scores, f64::from(f32::MIN) * 0.7)?;
        scores = cx.select(mask, scores, lowest)?;
    }
    let weights = cx.softmax(scores, &[3])?;
    // [batch, heads, queries, features]
    let out = cx.dot(weights, value, &[(0, 0), (1, 2)], &[(3, 1)])?;
    cx.transpose(out, &[0, 2, 1, 3])
}

fn bias_add(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let x = args.need_value(cx, &["value"], Some(0))?;
    let bias = args.need_value(cx, &["bias"], Some(1))?;
    let format: Option<String> = args.opt(&["data_format"], None)?;
    let first = format.is_some_and(|format| format.starts_with("NC"));
    let axis = cx.axis(if first { 1 } else { -1 }, x)?;
    if cx.ty(bias).rank() != 1 {
        let shape = cx.shape(bias);
        return Err(Error::malformed(format!("expected a vector as `bias`, found shape {shape}")));
    }
    let bias = along(cx, bias, x, axis)?;
    cx.add(x, bias)
}

/// `x / (bias + alpha * sum of squares of 2 r + 1 channels) ^ beta`
fn local_response(cx: &mut LowerCx<'_>, args: &Args<'_>, x: Value) -> Result<Value> {
    let radius: usize = args.or(&["depth_radius"], Some(1), 5)?;
    let (bias, alpha) = (args.or(&["bias"], Some(2), 1.0)?, args.or(&["alpha"], Some(3), 1.0)?);
    let beta = args.or(&["beta"], Some(4), 0.5)?;
    let last = cx.axis(-1, x)?;
    let (dims, channels) = (cx.dims_of(x), cx.dims_of(x)[last]);
    let size = radius.checked_mul(2).and_then(|n| n.checked_add(1));
    let size = size.ok_or_else(|| Error::malformed("`depth_radius` is too large"))?;
    let squares = cx.mul(x, x)?;
    let rows = cx.dims().product(&dims[..last])?;
    let line = cx.reshape(squares, &[rows, channels, Dim::ONE])?;
    let reach = cx.number(radius);
    let padding = [Padding::NONE, Padding { low: reach, high: reach, interior: 0 }, Padding::NONE];
    let line = cx.pad(line, &padding, 0.0)?;
    let sums = cx.pool(PoolOp::Sum, line, &[Window::new(size, 1, 1, Border::Valid)?])?;
    let sums = cx.reshape(sums, &dims)?;
    let scaled = cx.binary_scalar(BinaryOp::Mul, sums, alpha)?;
    let base = cx.binary_scalar(BinaryOp::Add, scaled, bias)?;
    let divisor = cx.binary_scalar(BinaryOp::Pow, base, beta)?;
    cx.div(x, divisor)
}

/// The logits, if probabilities are a softmax or a sigmoid of them: Keras's cross entropies compute with the logits of the
/// operation that produced the probabilities. Operations of Keras 2 look for the one function that fits the loss;
/// operations of Keras 3, and all layers, for either.
pub(super) fn logits_of(cx: &LowerCx<'_>, output: Value, softmax: bool) -> Option<Value> {
    let node = cx.node_of(output)?;
    let any = cx.is_keras3() || cx.is_of_layer(node);
    let found = match &node.prim {
        Prim::Softmax(found) => (softmax || any) && !found.log,
        Prim::Activate(found) => (!softmax || any) && matches!(found.function, Activation::Sigmoid {}),
        _ => false,
    };
    node.operands.first().copied().filter(|_| found)
}

/// Keras's `epsilon`.
const FUZZ: f64 = 1e-7;

/// Clips probabilities away from 0 and 1.
pub(super) fn clipped(cx: &mut LowerCx<'_>, x: Value) -> Result<Value> {
    let x = cx.binary_scalar(BinaryOp::Max, x, FUZZ)?;
    cx.binary_scalar(BinaryOp::Min, x, 1.0 - FUZZ)
}

fn cross_entropy(cx: &mut LowerCx<'_>, args: &Args<'_>, kind: NeuralKind) -> Result<Value> {
    let label = args.need_value(cx, &["target", "labels"], Some(0))?;
    let output = args.need_value(cx, &["output", "logits"], Some(1))?;
    let (label, output) = (cx.to_float(label)?, cx.to_float(output)?);
    let of_logits = kind == NeuralKind::SoftmaxCrossEntropy;
    let found = if of_logits { None } else { logits_of(cx, output, kind != NeuralKind::BinaryCrossEntropy) };
    let logits = args.or(&["from_logits"], None, false)? || of_logits || found.is_some();
    let output = found.unwrap_or(output);
    if kind == NeuralKind::BinaryCrossEntropy {
        if logits {
            return sigmoid_cross_entropy(cx, label, output);
        }
        let hit = clipped(cx, output)?;
        let one = cx.scalar_like(hit, 1.0)?;
        let (mut miss, other) = (cx.sub(one, hit)?, cx.sub(one, label)?);
        let mut hit = hit;
        if !cx.is_keras3() {
            hit = cx.binary_scalar(BinaryOp::Add, hit, FUZZ)?;
            miss = cx.binary_scalar(BinaryOp::Add, miss, FUZZ)?;
        }
        let (hit, miss) = (cx.unary(UnaryOp::Log, hit)?, cx.unary(UnaryOp::Log, miss)?);
        let (hit, miss) = (cx.mul(label, hit)?, cx.mul(other, miss)?);
        let sum = cx.add(hit, miss)?;
        return cx.unary(UnaryOp::Neg, sum);
    }
    let axis = cx.axis(args.or(&["axis"], Some(2), -1)?, output)?;
    let log = if logits {
        cx.one(Softmax { axes: vec![axis], log: true }, &[output])?
    } else {
        let sum = cx.reduce(ReduceOp::Sum, output, &[axis], true)?;
        let share = cx.div(output, sum)?;
        let share = clipped(cx, share)?;
        cx.unary(UnaryOp::Log, share)?
    };
    let products = cx.mul(label, log)?;
    let sum = cx.reduce(ReduceOp::Sum, products, &[axis], false)?;
    cx.unary(UnaryOp::Neg, sum)
}

/// The cross entropy of class indices, along the last axis.
fn sparse_cross_entropy(cx: &mut LowerCx<'_>, args: &Args<'_>, logits: bool) -> Result<Value> {
    let labels = args.need_value(cx, &["target", "labels"], Some(0))?;
    let output = args.need_value(cx, &["output", "logits"], Some(1))?;
    let output = cx.to_float(output)?;
    let last = cx.axis(-1, output)?;
    if cx.axis(args.or(&["axis"], Some(3), -1)?, output)? != last {
        return Err(Error::unsupported("an `axis` other than the last is not supported"));
    }
    let labels = integers(cx, labels)?;
    let (rank, dims) = (cx.ty(labels).rank(), cx.dims_of(labels));
    let labels = if rank == last + 1 && dims[last] == Dim::ONE { cx.remove_axis(labels, last)? } else { labels };
    let (of, found) = (cx.dims_of(output), cx.dims_of(labels));
    if found.len() != last || !found.iter().zip(&of).all(|(&a, &b)| cx.same(a, b).is_some()) {
        let (labels, output) = (cx.shape(labels), cx.shape(output));
        return Err(Error::malformed(format!("labels of shape {labels} do not fit outputs of shape {output}")));
    }
    let found = if logits { None } else { logits_of(cx, output, true) };
    let logits = args.or(&["from_logits"], Some(2), false)? || logits || found.is_some();
    let output = found.unwrap_or(output);
    let output = if logits {
        output
    } else {
        let shares = clipped(cx, output)?;
        cx.unary(UnaryOp::Log, shares)?
    };
    let log = cx.one(Softmax { axes: vec![last], log: true }, &[output])?;
    let hot = cx.one_hot(labels, of[last], ElementType::Bool)?;
    let own = super::elementary::where_or(cx, hot, log, 0.0)?;
    let sum = cx.reduce(ReduceOp::Sum, own, &[last], false)?;
    let entropy = cx.unary(UnaryOp::Neg, sum)?;
    match args.opt::<i64>(&["ignore_class"], Some(4))? {
        Some(ignored) => {
            let counts = cx.compare_scalar(CompareOp::Ne, labels, ignored as f64)?;
            super::elementary::where_or(cx, counts, entropy, 0.0)
        }
        None => Ok(entropy),
    }
}

/// Whether each of `maxlen` steps is before each length.
fn sequence_mask(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let lengths = args.need_value(cx, &["lengths"], Some(0))?;
    let steps = match args.sizes(cx, &["maxlen"], Some(1))?.as_deref() {
        Some(&[steps]) if cx.at_least(steps, Dim::ZERO) => steps,
        None => return Err(Error::unsupported("a mask whose length depends on data is not supported")),
        _ => return Err(Error::malformed("expected a number of steps as `maxlen`")),
    };
    let dtype = sizes::dtype(args, &["dtype"], Some(2))?.unwrap_or(ValueType::Bool);
    let rank = cx.ty(lengths).rank();
    let lengths = cx.cast(lengths, ElementType::I64)?;
    let lengths = cx.insert_axis(lengths, rank)?;
    let step = cx.iota(0, &[steps], ElementType::I64)?;
    let before = cx.compare(CompareOp::Lt, step, lengths)?;
    cx.cast(before, element(dtype))
}

/// The distances between rows of features.
fn distances(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let (a, b) = (args.need_value(cx, &["x"], Some(0))?, args.need_value(cx, &["y"], Some(1))?);
    let (a, b) = (cx.to_float(a)?, cx.to_float(b)?);
    let (Some(rows), Some(columns)) = (cx.ty(a).rank().checked_sub(1), cx.ty(b).rank().checked_sub(2)) else {
        return Err(Error::malformed("expected rows of features"));
    };
    let (a, b) = (cx.insert_axis(a, rows)?, cx.insert_axis(b, columns)?);
    let difference = cx.sub(a, b)?;
    let squares = cx.mul(difference, difference)?;
    let last = cx.axis(-1, squares)?;
    let sum = cx.reduce(ReduceOp::Sum, squares, &[last], false)?;
    cx.unary(UnaryOp::Sqrt, sum)
}

impl LayerDef for Neural {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use NeuralKind as K;
        let args = Args::new(&self.params, call);
        if self.kind == K::FusedBatchNorm {
            let results = fused_batch_norm(cx, &args)?;
            args.finish(cx);
            return Ok(results.into_iter().map(KerasTensor::from).collect());
        }
        let value = match self.kind {
            K::Affine => affine(cx, &args)?,
            K::AffineRelu => {
                let sum = affine(cx, &args)?;
                cx.binary_scalar(BinaryOp::Max, sum, 0.0)?
            }
            K::BatchNorm | K::LayerNorm | K::RmsNorm | K::LocalResponseNorm => {
                let x = args.numbers(cx, &["inputs"])?.value;
                let x = cx.to_float(x)?;
                match self.kind {
                    K::BatchNorm => batch_norm(cx, &args, x)?,
                    K::LocalResponseNorm => local_response(cx, &args, x)?,
                    kind => layer_norm(cx, &args, x, kind == K::RmsNorm)?,
                }
            }
            K::Attention => attention(cx, &args)?,
            K::BiasAdd => bias_add(cx, &args)?,
            K::SparseCrossEntropy => sparse_cross_entropy(cx, &args, false)?,
            K::SparseSoftmaxCrossEntropy => sparse_cross_entropy(cx, &args, true)?,
            K::SequenceMask => sequence_mask(cx, &args)?,
            K::Distances => distances(cx, &args)?,
            kind => cross_entropy(cx, &args, kind)?,
        };
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused};
    use serde_json::json;

    #[test]
    fn shapes() {
        check(
            "BatchNorm",
            json!({"axis": 1}),
            json!(["f:?,3,4", "f:3", "f:3", null, "f:3"]),
            json!({}),
            "float32[?,3,4]",
        );
        check("LayerNorm", json!({"axis": -1}), json!(["f:?,3,4", "f:4", null]), json!({}), "float32[?,3,4]");
        check(
            "DotProductAttention",
            json!({}),
            json!(["f:?,5,2,4", "f:?,3,2,4", "f:?,3,2,6"]),
            json!({}),
            "float32[?,5,2,6]",
        );
        check(
            "BiasAdd",
            json!({}),
            json!(["f:?,3,4"]),
            json!({"bias": [1, 2, 3], "data_format": "NCHW"}),
            "float32[?,3,4]",
        );
        check("SequenceMask", json!({}), json!(["i:?"]), json!({"maxlen": 4}), "bool[?,4]");
        check("CDist", json!({}), json!(["f:?,3,4", "f:?,5,4"]), json!({}), "float32[?,3,5]");
        check("CategoricalCrossentropy", json!({}), json!(["f:?,3,4", "f:?,3,4"]), json!({}), "float32[?,3]");
    }

    #[test]
    fn refuses() {
        refused(
            "DotProductAttention",
            json!(["f:?,5,4", "f:?,3,4", "f:?,3,4"]),
            "expected `query` of rank 4, found shape [?,5,4]",
        );
        refused("BatchNorm", json!(["f:?,5,4", "f:4", "f:4"]), "missing `axis`");
        refused("SequenceMask", json!(["i:?"]), "a mask whose length depends on data is not supported");
    }
}
