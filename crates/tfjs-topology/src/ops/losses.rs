//! Losses of TensorFlow that are functions of tensors, with their weights and reductions.
//!
//! Reference: `tf.nn.weighted_cross_entropy_with_logits`, `tf.nn.log_poisson_loss`, `tf.compat.v1.losses`.

use super::FromOpConfig;
use super::args::{Args, flat};
use super::elementary::where_or;
use super::gather::integers;
use super::neural::{clipped, logits_of};
use super::pairs::sigmoid_cross_entropy;
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::normalize::Softmax;
use tfjs_ir::prim::reduce::ReduceOp;
use tfjs_ir::{Dim, ElementType, Value};
use tfjs_manifest::text::shorten;
use tfjs_manifest::{Error, Result};

/// A loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// The loss.
    pub kind: LossKind,
    /// `pos_weight`, `compute_full_loss`, `weights`, `label_smoothing`, `reduction`.
    pub params: Params,
}

/// The losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossKind {
    /// The cross entropy of each logit, with a weight for the positive labels.
    WeightedCrossEntropy,
    /// The negative log-likelihood of Poisson distributions.
    LogPoisson,
    /// A weighted sum or mean of given losses.
    Weighted,
    /// A weighted sum or mean of the cross entropies of logits.
    Sigmoid,
    /// A weighted sum or mean of the cross entropies of logits along the last axis.
    Softmax,
    /// [`Softmax`](LossKind::Softmax) for class indices.
    SparseSoftmax,
    /// The cross entropy of probabilities along an axis, with less weight for classes of a high probability.
    CategoricalFocal,
    /// The mean of `max(1 - label * output, 0)` along the last axis.
    Hinge,
    /// The mean of its square.
    SquaredHinge,
}

impl FromOpConfig for Loss {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use LossKind as K;
        let kind = match class {
            "WeightedCrossEntropy" => K::WeightedCrossEntropy,
            "LogPoissonLoss" => K::LogPoisson,
            "WeightedLoss" => K::Weighted,
            "SigmoidCrossEntropyLoss" => K::Sigmoid,
            "SoftmaxCrossEntropyLoss" => K::Softmax,
            "SparseSoftmaxCrossEntropyLoss" => K::SparseSoftmax,
            "CategoricalFocalCrossentropy" => K::CategoricalFocal,
            "Hinge" => K::Hinge,
            "SquaredHinge" => K::SquaredHinge,
            other => return Err(Error::bug(format!("`{other}` is listed as a loss"))),
        };
        Ok(Loss { kind, params: Params::read(config) })
    }
}

/// Two tensors of one shape, as floating point.
fn pair(cx: &mut LowerCx<'_>, args: &Args<'_>, labels: &'static str, outputs: &'static str) -> Result<(Value, Value)> {
    let label = args.need_value(cx, &[labels], Some(0))?;
    let output = args.need_value(cx, &[outputs], Some(1))?;
    let output = cx.to_float(output)?;
    let label = cx.cast_like(label, output)?;
    let (a, b) = (cx.dims_of(label), cx.dims_of(output));
    let fits = a.len() == b.len() && a.iter().zip(&b).all(|(&a, &b)| cx.same(a, b).is_some());
    if !fits {
        let (a, b) = (cx.shape(label), cx.shape(output));
        return Err(Error::malformed(format!("expected `{labels}` and `{outputs}` of one shape, found {a} and {b}")));
    }
    Ok((label, output))
}

/// `(1 - z) x + (1 + (q - 1) z) (log(1 + exp(-|x|)) + max(-x, 0))`
fn weighted_cross_entropy(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let (label, logit) = pair(cx, args, "labels", "logits")?;
    let positive = args.need_value(cx, &["pos_weight"], Some(2))?;
    let positive = cx.cast_like(positive, logit)?;
    let more = cx.binary_scalar(BinaryOp::Sub, positive, 1.0)?;
    let weight = cx.mul(more, label)?;
    let weight = cx.binary_scalar(BinaryOp::Add, weight, 1.0)?;
    let size = cx.unary(UnaryOp::Abs, logit)?;
    let below = cx.unary(UnaryOp::Neg, size)?;
    let power = cx.unary(UnaryOp::Exp, below)?;
    let log = cx.unary(UnaryOp::Log1p, power)?;
    let negative = cx.unary(UnaryOp::Neg, logit)?;
    let negative = cx.binary_scalar(BinaryOp::Max, negative, 0.0)?;
    let sum = cx.add(log, negative)?;
    let weighted = cx.mul(weight, sum)?;
    let one = cx.scalar_like(label, 1.0)?;
    let other = cx.sub(one, label)?;
    let linear = cx.mul(other, logit)?;
    cx.add(linear, weighted)
}

/// `exp(c) - c z`, plus Stirling's approximation of `log(z!)` for targets above 1 if asked for.
fn log_poisson(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let (target, log) = pair(cx, args, "targets", "log_input")?;
    let rate = cx.unary(UnaryOp::Exp, log)?;
    let product = cx.mul(log, target)?;
    let loss = cx.sub(rate, product)?;
    if !args.or(&["compute_full_loss"], Some(2), false)? {
        return Ok(loss);
    }
    let of_target = cx.unary(UnaryOp::Log, target)?;
    let main = cx.mul(target, of_target)?;
    let main = cx.sub(main, target)?;
    let around = cx.binary_scalar(BinaryOp::Mul, target, std::f64::consts::TAU)?;
    let around = cx.unary(UnaryOp::Log, around)?;
    let half = cx.binary_scalar(BinaryOp::Mul, around, 0.5)?;
    let stirling = cx.add(main, half)?;
    let above = cx.compare_scalar(CompareOp::Ge, target, 0.0)?;
    let below = cx.compare_scalar(CompareOp::Le, target, 1.0)?;
    let small = cx.binary(BinaryOp::And, above, below)?;
    let nothing = cx.scalar_like(stirling, 0.0)?;
    let more = cx.select(small, nothing, stirling)?;
    cx.add(loss, more)
}

/// `-sum(alpha * (1 - p) ^ gamma * label * log(p))`
fn categorical_focal(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<Value> {
    let (label, output) = pair(cx, args, "target", "output")?;
    let alpha = args.value(cx, &["alpha"], Some(2))?;
    let gamma = args.or(&["gamma"], Some(3), 2.0)?;
    let axis = cx.axis(args.or(&["axis"], Some(5), -1)?, output)?;
    let logits = logits_of(cx, output, true);
    let from_logits = args.or(&["from_logits"], Some(4), false)? || logits.is_some();
    let output = logits.unwrap_or(output);
    let output = if from_logits { cx.softmax(output, &[axis])? } else { output };
    let sum = cx.reduce(ReduceOp::Sum, output, &[axis], true)?;
    let share = cx.div(output, sum)?;
    let share = clipped(cx, share)?;
    let log = cx.unary(UnaryOp::Log, share)?;
    let entropy = cx.mul(label, log)?;
    let one = cx.scalar_like(share, 1.0)?;
    let rest = cx.sub(one, share)?;
    let factor = cx.binary_scalar(BinaryOp::Pow, rest, gamma)?;
    let factor = match alpha {
        Some(alpha) => {
            let alpha = cx.cast_like(alpha, factor)?;
            cx.mul(factor, alpha)?
        }
        None => cx.binary_scalar(BinaryOp::Mul, factor, 0.25)?,
    };
    let weighted = cx.mul(factor, entropy)?;
    let sum = cx.reduce(ReduceOp::Sum, weighted, &[axis], false)?;
    cx.unary(UnaryOp::Neg, sum)
}

/// The mean of `max(1 - label * output, 0)` or of its square. Labels that are all 0 or 1 become -1 and 1.
fn hinge(cx: &mut LowerCx<'_>, args: &Args<'_>, squared: bool) -> Result<Value> {
    let (label, output) = pair(cx, args, "y_true", "y_pred")?;
    cx.mixes_batch();
    let (zero, one) = (cx.compare_scalar(CompareOp::Eq, label, 0.0)?, cx.compare_scalar(CompareOp::Eq, label, 1.0)?);
    let binary = cx.binary(BinaryOp::Or, zero, one)?;
    let axes: Vec<usize> = (0..cx.ty(label).rank()).collect();
    let binary = cx.reduce(ReduceOp::All, binary, &axes, false)?;
    let twice = cx.binary_scalar(BinaryOp::Mul, label, 2.0)?;
    let signs = cx.binary_scalar(BinaryOp::Sub, twice, 1.0)?;
    let label = cx.select(binary, signs, label)?;
    let product = cx.mul(label, output)?;
    let one = cx.scalar_like(product, 1.0)?;
    let margin = cx.sub(one, product)?;
    let margin = cx.binary_scalar(BinaryOp::Max, margin, 0.0)?;
    let margin = if squared { cx.mul(margin, margin)? } else { margin };
    let last = cx.axis(-1, margin)?;
    cx.reduce(ReduceOp::Mean, margin, &[last], false)
}

/// Losses with their weights, reduced as the argument `reduction` says.
fn weighted(cx: &mut LowerCx<'_>, args: &Args<'_>, losses: Value, position: Option<usize>) -> Result<Value> {
    args.inert(&["scope", "loss_collection"]);
    let reduction: Option<String> = args.opt(&["reduction"], None)?;
    let weights = match args.value(cx, &["weights"], position)? {
        Some(weights) => cx.cast_like(weights, losses)?,
        None => cx.scalar_like(losses, 1.0)?,
    };
    let dims = cx.dims_of(losses);
    // Weights may have the last axis that class indices have lost.
    let weights = match cx.dims_of(weights)[..] {
        [.., Dim::ONE] if cx.ty(weights).rank() == dims.len() + 1 => cx.remove_axis(weights, dims.len())?,
        _ => weights,
    };
    if cx.ty(weights).rank() > dims.len() {
        let (a, b) = (cx.shape(weights), cx.shape(losses));
        return Err(Error::malformed(format!("weights of shape {a} do not fit losses of shape {b}")));
    }
    let weights = cx.broadcast_to(weights, &dims)?;
    let products = cx.mul(losses, weights)?;
    let reduction = reduction.as_deref().unwrap_or("weighted_sum_by_nonzero_weights");
    if reduction == "none" {
        return Ok(products);
    }
    let total = |cx: &mut LowerCx<'_>, x: Value| {
        let x = flat(cx, x)?;
        cx.reduce(ReduceOp::Sum, x, &[0], false)
    };
    let sum = total(cx, products)?;
    let count = match reduction {
        "weighted_sum" => return Ok(sum),
        "weighted_mean" => total(cx, weights)?,
        "weighted_sum_by_nonzero_weights" => {
            let counted = cx.compare_scalar(CompareOp::Ne, weights, 0.0)?;
            let counted = cx.cast_like(counted, losses)?;
            total(cx, counted)?
        }
        "weighted_sum_over_batch_size" => {
            let all = cx.dims().product(&dims)?;
            let all = cx.size(all, ElementType::I64)?;
            cx.cast_like(all, losses)?
        }
        other => {
            return Err(Error::malformed(format!("unknown reduction `{}`", shorten(other))).at_json("reduction"));
        }
    };
    // 0 if nothing is counted.
    let some = cx.compare_scalar(CompareOp::Ne, count, 0.0)?;
    let divisor = where_or(cx, some, count, 1.0)?;
    let mean = cx.div(sum, divisor)?;
    where_or(cx, some, mean, 0.0)
}

/// Labels moved towards equal probabilities: of the classes along the last axis, or of two for each label.
fn smoothed(cx: &mut LowerCx<'_>, args: &Args<'_>, labels: Value, along_last: bool) -> Result<Value> {
    let smoothing: f64 = args.or(&["label_smoothing"], Some(3), 0.0)?;
    if smoothing <= 0.0 {
        return Ok(labels);
    }
    let scaled = cx.binary_scalar(BinaryOp::Mul, labels, 1.0 - smoothing)?;
    if !along_last {
        return cx.binary_scalar(BinaryOp::Add, scaled, 0.5 * smoothing);
    }
    let last = cx.axis(-1, labels)?;
    let classes = cx.dims_of(labels)[last];
    let classes = cx.size(classes, ElementType::I64)?;
    let classes = cx.cast_like(classes, labels)?;
    let share = cx.scalar_like(labels, smoothing)?;
    let share = cx.div(share, classes)?;
    cx.add(scaled, share)
}

/// The cross entropies along the last axis.
fn softmax_cross_entropy(cx: &mut LowerCx<'_>, labels: Value, logits: Value) -> Result<Value> {
    let last = cx.axis(-1, logits)?;
    let log = cx.one(Softmax { axes: vec![last], log: true }, &[logits])?;
    let products = cx.mul(labels, log)?;
    let sum = cx.reduce(ReduceOp::Sum, products, &[last], false)?;
    cx.unary(UnaryOp::Neg, sum)
}

/// Class indices as labels of all classes, and the logits.
fn of_indices(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<(Value, Value)> {
    let indices = args.need_value(cx, &["labels"], Some(0))?;
    let logits = args.need_value(cx, &["logits"], Some(1))?;
    let logits = cx.to_float(logits)?;
    let (rank, dims) = (cx.ty(logits).rank(), cx.dims_of(logits));
    let Some(&classes) = dims.last() else {
        return Err(Error::malformed("expected logits of classes, found a number"));
    };
    // The labels may have a last axis of length 1.
    let indices = if cx.ty(indices).rank() == rank { cx.remove_axis(indices, rank - 1)? } else { indices };
    let found = cx.dims_of(indices);
    if found.len() + 1 != rank || found.iter().zip(&dims).any(|(&a, &b)| cx.same(a, b).is_none()) {
        let (a, b) = (cx.shape(indices), cx.shape(logits));
        return Err(Error::malformed(format!("labels of shape {a} do not fit logits of shape {b}")));
    }
    let indices = integers(cx, indices)?;
    let element = cx.ty(logits).element;
    Ok((cx.one_hot(indices, classes, element)?, logits))
}

impl LayerDef for Loss {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use LossKind as K;
        let args = Args::new(&self.params, call);
        let value = match self.kind {
            K::WeightedCrossEntropy => weighted_cross_entropy(cx, &args)?,
            K::LogPoisson => log_poisson(cx, &args)?,
            K::Weighted => {
                let losses = args.need_value(cx, &["losses"], Some(0))?;
                let losses = cx.to_float(losses)?;
                weighted(cx, &args, losses, Some(1))?
            }
            K::Sigmoid => {
                let (labels, logits) = pair(cx, &args, "multi_class_labels", "logits")?;
                let labels = smoothed(cx, &args, labels, false)?;
                let losses = sigmoid_cross_entropy(cx, labels, logits)?;
                weighted(cx, &args, losses, Some(2))?
            }
            K::Softmax => {
                let (labels, logits) = pair(cx, &args, "onehot_labels", "logits")?;
                let labels = smoothed(cx, &args, labels, true)?;
                let losses = softmax_cross_entropy(cx, labels, logits)?;
                weighted(cx, &args, losses, Some(2))?
            }
            K::SparseSoftmax => {
                let (labels, logits) = of_indices(cx, &args)?;
                let losses = softmax_cross_entropy(cx, labels, logits)?;
                weighted(cx, &args, losses, Some(2))?
            }
            K::CategoricalFocal => categorical_focal(cx, &args)?,
            K::Hinge => hinge(cx, &args, false)?,
            K::SquaredHinge => hinge(cx, &args, true)?,
        };
        args.finish(cx);
        Ok(vec![KerasTensor::from(value)])
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{check, refused_with};
    use serde_json::json;

    #[test]
    fn shapes() {
        let kwargs = json!({"logits": "f:?,3", "pos_weight": 2.0});
        check("WeightedCrossEntropy", json!({}), json!(["f:?,3"]), kwargs, "float32[?,3]");
        let kwargs = json!({"log_input": "f:?,3", "compute_full_loss": true});
        check("LogPoissonLoss", json!({}), json!(["f:?,3"]), kwargs, "float32[?,3]");
        check("WeightedLoss", json!({}), json!(["f:?,3"]), json!({"weights": "f:?,1"}), "float32[]");
        check("WeightedLoss", json!({}), json!(["f:?,3"]), json!({"reduction": "none"}), "float32[?,3]");
        let kwargs = json!({"logits": "f:?,3", "label_smoothing": 0.1});
        check("SigmoidCrossEntropyLoss", json!({}), json!(["f:?,3"]), kwargs.clone(), "float32[]");
        check("SoftmaxCrossEntropyLoss", json!({}), json!(["i:?,3"]), kwargs, "float32[]");
        let kwargs = json!({"logits": "f:?,3", "weights": "f:?", "reduction": "none"});
        check("SparseSoftmaxCrossEntropyLoss", json!({}), json!(["i:?,1"]), kwargs, "float32[?]");
    }

    #[test]
    fn shapes_of_keras() {
        let kwargs = json!({"output": "f:?,3,4", "axis": 1});
        check("CategoricalFocalCrossentropy", json!({}), json!(["f:?,3,4"]), kwargs, "float32[?,4]");
        check("Hinge", json!({}), json!(["i:?,3"]), json!({"y_pred": "f:?,3"}), "float32[?]");
    }

    #[test]
    fn refuses() {
        let message = "expected `labels` and `logits` of one shape, found [?,3] and [?,4]";
        refused_with("WeightedCrossEntropy", json!({}), json!(["f:?,3", "f:?,4", 1.0]), message);
        refused_with("WeightedCrossEntropy", json!({}), json!(["f:?,3", "f:?,3"]), "missing `pos_weight`");
        let message = "labels of shape [?,4] do not fit logits of shape [?,3,3]";
        refused_with("SparseSoftmaxCrossEntropyLoss", json!({}), json!(["i:?,4", "f:?,3,3"]), message);
        refused_with("WeightedLoss", json!({"reduction": "m"}), json!(["f:?,3"]), "`reduction`: unknown reduction `m`");
    }
}
