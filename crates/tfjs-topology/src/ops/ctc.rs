//! Connectionist temporal classification: the loss of label sequences, and the decoder that takes the best class of each
//! step.
//!
//! The loss is computed in logarithms, by a loop over time. Its states are those of TensorFlow: before the first label, at
//! each label, and at the blank after each of them.
//!
//! Reference: `keras.ops.ctc_loss`, `keras.ops.ctc_decode`; `tf.nn.ctc_loss`, `K.ctc_batch_cost`, `K.ctc_decode`.

use super::FromOpConfig;
use super::args::{Args, to_type};
use super::elementary::where_or;
use super::gather::{counter, integers, joined, merged};
use super::params::Params;
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx};
use crate::types::ValueType;
use tfjs_ir::prim::elementwise::{BinaryOp, CompareOp, UnaryOp};
use tfjs_ir::prim::index::Bounds;
use tfjs_ir::prim::layout::{Padding, Range};
use tfjs_ir::prim::normalize::Softmax;
use tfjs_ir::prim::reduce::{Extreme, ReduceOp};
use tfjs_ir::{Builder, Dim, ElementType, Loop, Value};
use tfjs_manifest::{Error, Result};

/// The logarithm of a probability of 0. It is finite, so that gradients are.
const NEVER: f64 = -1e30;

/// The logarithm with which TensorFlow ends in a state that is not one of the last two: that of 1e-307.
const ELSEWHERE: f64 = -706.893_623_549_172;

/// A function of sequences of classes, one of which is the blank.
#[derive(Clone, Debug, PartialEq)]
pub struct Ctc {
    /// The function.
    pub kind: CtcKind,
    /// `mask_index`, `blank_index`, `strategy`, `merge_repeated`, `logits_time_major` and their relatives.
    pub params: Params,
}

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtcKind {
    /// The loss, for labels and their lengths.
    Loss,
    /// The loss of TensorFlow 1, for labels whose rows have different lengths; the blank is the last class.
    OldLoss,
    /// Labels and their lengths as rows of different lengths.
    Labels,
    /// The classes without blanks and repetitions, and a score.
    Decode,
    /// [`Decode`](CtcKind::Decode) for probabilities.
    DecodeProbabilities,
}

impl FromOpConfig for Ctc {
    fn from_config(class: &str, config: &Config<'_>) -> Result<Self> {
        use CtcKind as K;
        let kind = match class {
            "CTCLoss" => K::Loss,
            "OldCTCLoss" => K::OldLoss,
            "CTCLabels" => K::Labels,
            "CTCDecode" => K::Decode,
            "CTCDecodeProbabilities" => K::DecodeProbabilities,
            other => return Err(Error::bug(format!("`{other}` is listed as a function of sequences"))),
        };
        Ok(Ctc { kind, params: Params::read(config) })
    }
}

/// `log(sum(exp(x)))` of values of one shape.
fn log_sum(b: &mut Builder, values: &[Value]) -> Result<Value> {
    let mut most = values[0];
    for &value in &values[1..] {
        most = b.binary(BinaryOp::Max, most, value)?;
    }
    let mut sum: Option<Value> = None;
    for &value in values {
        let below = b.sub(value, most)?;
        let power = b.unary(UnaryOp::Exp, below)?;
        sum = Some(match sum {
            Some(sum) => b.add(sum, power)?,
            None => power,
        });
    }
    let sum = sum.ok_or_else(|| Error::bug("a sum of nothing"))?;
    let log = b.unary(UnaryOp::Log, sum)?;
    b.add(log, most)
}

/// Logits `[batch, time, class]` as single precision, and their dimensions.
fn logits(cx: &mut LowerCx<'_>, x: Value, time_first: bool) -> Result<(Value, [Dim; 3])> {
    let x = cx.to_float(x)?;
    let x = cx.cast(x, ElementType::F32)?;
    let shape = cx.shape(x);
    if cx.ty(x).rank() != 3 {
        return Err(Error::malformed(format!("expected a batch of sequences of classes, found shape {shape}")));
    }
    let x = if time_first { cx.transpose(x, &[1, 0, 2])? } else { x };
    let dims = cx.dims_of(x);
    if !cx.at_least(dims[2], Dim::ONE) {
        return Err(Error::malformed(format!("expected classes, found shape {shape}")));
    }
    Ok((x, [dims[0], dims[1], dims[2]]))
}

/// A length for each entry of a batch, as `[batch, 1]`.
fn lengths(cx: &mut LowerCx<'_>, lengths: Value, batch: Dim) -> Result<Value> {
    let dims = cx.dims_of(lengths);
    if !matches!(dims[..], [rows] | [rows, Dim::ONE] if cx.same(rows, batch).is_some()) {
        let shape = cx.shape(lengths);
        return Err(Error::malformed(format!("expected a length for each entry of the batch, found shape {shape}")));
    }
    let lengths = integers(cx, lengths)?;
    let lengths = cx.cast(lengths, ElementType::I64)?;
    cx.reshape(lengths, &[batch, Dim::ONE])
}

/// The blank: an index, which may count from the end of the classes.
fn blank(cx: &mut LowerCx<'_>, index: i64, logits: Value) -> Result<Dim> {
    let classes = cx.dims_of(logits)[2];
    let away = cx.number(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX));
    let (least, blank) =
        if index < 0 { (away, cx.dims().sub(classes, away)?) } else { (cx.dims().add(away, Dim::ONE)?, away) };
    match cx.at_least(classes, least) {
        true => Ok(blank),
        false => Err(Error::malformed(format!("the blank `{index}` is not one of the classes"))),
    }
}

/// What the loss is computed from.
struct Sequences {
    /// `[batch, time, class]`
    logits: Value,
    /// `[batch, label]`
    labels: Value,
    /// `[batch, 1]`
    label_lengths: Value,
    /// `[batch, 1]`
    logit_lengths: Value,
    blank: Dim,
    /// The logarithm with which a sequence may end elsewhere than after its last label.
    elsewhere: f64,
}

/// The negative logarithm of the probability of the labels.
fn loss(cx: &mut LowerCx<'_>, of: &Sequences) -> Result<Value> {
    let dims = cx.dims_of(of.logits);
    let (batch, time, classes) = (dims[0], dims[1], dims[2]);
    let dims = cx.dims_of(of.labels);
    let &[rows, count] = &dims[..] else {
        return Err(Error::malformed(format!("expected labels of rank 2, found shape {}", cx.shape(of.labels))));
    };
    if cx.same(rows, batch).is_none() {
        let (a, b) = (cx.shape(of.labels), cx.shape(of.logits));
        return Err(Error::malformed(format!("labels of shape {a} do not fit sequences of shape {b}")));
    }
    let log = cx.one(Softmax { axes: vec![2], log: true }, &[of.logits])?;
    let of_blank = cx.slice_axis(log, 2, Range { start: of.blank, len: Dim::ONE, step: 1 })?;
    let hot = cx.one_hot(of.labels, classes, ElementType::F32)?;
    let of_labels = cx.dot(log, hot, &[(0, 0)], &[(2, 2)])?;
    // Whether a label may directly follow the one before: the first may, and one that differs.
    let before = cx.pad(of.labels, &[Padding::NONE, Padding { low: Dim::ONE, high: Dim::ZERO, interior: 0 }], 0.0)?;
    let before = cx.slice_axis(before, 1, Range { start: Dim::ZERO, len: count, step: 1 })?;
    let differs = cx.compare(CompareOp::Ne, of.labels, before)?;
    let place = counter(cx, 1, 2, count)?;
    let first = cx.compare_scalar(CompareOp::Eq, place, 0.0)?;
    let follows = cx.binary(BinaryOp::Or, differs, first)?;
    let step = counter(cx, 1, 2, time)?;
    let runs = cx.compare(CompareOp::Lt, step, of.logit_lengths)?;
    let states = cx.dims().add(count, Dim::ONE)?;
    let place = counter(cx, 1, 2, states)?;
    let start = cx.compare_scalar(CompareOp::Eq, place, 0.0)?;
    let (yes, no) = (cx.scalar(ElementType::F32, 0.0)?, cx.scalar(ElementType::F32, NEVER)?);
    let start = cx.select(start, yes, no)?;
    let start = cx.broadcast_to(start, &[batch, states])?;
    let nowhere = cx.full(ElementType::F32, &[batch, states], NEVER)?;
    let over = Loop {
        carries: &[start, nowhere],
        sequences: &[of_labels, of_blank, runs],
        invariants: &[follows],
        length: time,
        axis: 1,
        reverse: false,
    };
    let (finals, _) = cx.scan(over, |b, carries, elements, fixed| {
        let (at_label, at_blank) = (carries[0], carries[1]);
        let runs = b.insert_axis(elements[2], 1)?;
        let all_but_last = Range { start: Dim::ZERO, len: count, step: 1 };
        let never = b.scalar(ElementType::F32, NEVER)?;
        let stays = b.slice_axis(at_label, 1, Range { start: Dim::ONE, len: count, step: 1 })?;
        let from_blank = b.slice_axis(at_blank, 1, all_but_last)?;
        let from_label = b.slice_axis(at_label, 1, all_but_last)?;
        let from_label = b.select(fixed[0], from_label, never)?;
        let label = log_sum(b, &[stays, from_blank, from_label])?;
        let label = b.add(label, elements[0])?;
        let low = Padding { low: Dim::ONE, high: Dim::ZERO, interior: 0 };
        let label = b.pad(label, &[Padding::NONE, low], NEVER)?;
        let blank = log_sum(b, &[at_blank, at_label])?;
        let blank = b.add(blank, elements[1])?;
        Ok((vec![b.select(runs, label, at_label)?, b.select(runs, blank, at_blank)?], Vec::new()))
    })?;
    let last = cx.compare(CompareOp::Eq, place, of.label_lengths)?;
    let elsewhere = cx.scalar(ElementType::F32, of.elsewhere)?;
    let ends = cx.select(last, yes, elsewhere)?;
    let both = log_sum(cx, &[finals[0], finals[1]])?;
    let ended = cx.add(both, ends)?;
    let sum = super::statistics::log_sum_exp(cx, ended, &[1])?;
    let sum = cx.remove_axis(sum, 1)?;
    cx.unary(UnaryOp::Neg, sum)
}

/// The lengths of rows of different lengths.
fn row_lengths(cx: &mut LowerCx<'_>, rows: &KerasTensor) -> Result<Value> {
    let mask = rows.mask.ok_or_else(|| Error::bug("rows of different lengths without a mask"))?;
    let mask = cx.cast(mask, ElementType::I64)?;
    cx.reduce(ReduceOp::Sum, mask, &[1], true)
}

fn loss_of_call(cx: &mut LowerCx<'_>, args: &Args<'_>, call: &Call<KerasTensor>, old: bool) -> Result<Value> {
    let rows = args.at(0).or_else(|| call.kwarg("labels")).and_then(|arg| arg.tensor());
    let rows = rows.filter(|tensor| tensor.ragged);
    args.inert(&["unique"]);
    let time_first = args.or(&["logits_time_major", "time_major"], None, old)?;
    let x = args.need_value(cx, &["output", "logits", "inputs"], Some(1))?;
    let (logits, [batch, ..]) = logits(cx, x, time_first)?;
    let labels = args.need_value(cx, &["target", "labels"], Some(0))?;
    let labels = integers(cx, labels)?;
    let index = match (args.opt::<i64>(&["mask_index", "blank_index"], None)?, old) {
        (Some(index), false) => index,
        (None, false) => 0,
        (_, true) => -1,
    };
    if old {
        for (name, usual) in [
            ("preprocess_collapse_repeated", false),
            ("ctc_merge_repeated", true),
            ("ignore_longer_outputs_than_inputs", false),
        ] {
            if args.or(&[name], None, usual)? != usual {
                return Err(Error::unsupported(format!("`{name}` is not supported with the value `{}`", !usual)));
            }
        }
        if rows.is_none() {
            return Err(Error::unsupported(
                "labels that `ctc_label_dense_to_sparse` did not make are not supported here",
            ));
        }
    }
    let label_lengths = match rows {
        Some(rows) => row_lengths(cx, rows)?,
        None => {
            let given = args.need_value(cx, &["target_length", "label_length"], Some(2))?;
            lengths(cx, given, batch)?
        }
    };
    // The loss of rows takes no lengths of the labels.
    args.inert(&["label_length"]);
    let names: &[&'static str] = if old { &["sequence_length"] } else { &["output_length", "logit_length"] };
    let given = args.need_value(cx, names, Some(if old { 2 } else { 3 }))?;
    let logit_lengths = lengths(cx, given, batch)?;
    let blank = blank(cx, index, logits)?;
    let elsewhere = if rows.is_some() { NEVER } else { ELSEWHERE };
    let out = loss(cx, &Sequences { logits, labels, label_lengths, logit_lengths, blank, elsewhere })?;
    if rows.is_none() {
        return Ok(out);
    }
    // No path leads to labels that are longer than their sequence.
    let possible = cx.compare_scalar(CompareOp::Lt, out, NEVER * -0.5)?;
    where_or(cx, possible, out, f64::INFINITY)
}

/// Labels as rows of different lengths, with zeros after them.
fn rows(cx: &mut LowerCx<'_>, args: &Args<'_>) -> Result<KerasTensor> {
    let labels = args.need_value(cx, &["labels"], Some(0))?;
    let given = args.need_value(cx, &["label_lengths"], Some(1))?;
    let dims = cx.dims_of(labels);
    let &[batch, count] = &dims[..] else {
        return Err(Error::malformed(format!("expected labels of rank 2, found shape {}", cx.shape(labels))));
    };
    let lengths = lengths(cx, given, batch)?;
    let place = counter(cx, 1, 2, count)?;
    let inside = cx.compare(CompareOp::Lt, place, lengths)?;
    let value = where_or(cx, inside, labels, 0.0)?;
    Ok(KerasTensor { mask: Some(inside), ragged: true, ..KerasTensor::from(value) })
}

/// The classes `[batch, time]` without blanks and repetitions, followed by -1, and the negative sum of the largest logits.
fn decode(cx: &mut LowerCx<'_>, args: &Args<'_>, probabilities: bool) -> Result<Vec<Value>> {
    let x = args.need_value(cx, &["inputs", "y_pred"], Some(0))?;
    let given = args.need_value(cx, &["sequence_lengths", "input_length"], Some(1))?;
    args.inert(&["beam_width", "top_paths"]);
    let strategy: Option<String> = args.opt(&["strategy"], Some(2))?;
    let greedy = if probabilities { args.or(&["greedy"], Some(2), true)? } else { true };
    if !greedy || strategy.is_some_and(|strategy| strategy != "greedy") {
        return Err(Error::unsupported("the beam search is not supported: decode greedily, or after the model"));
    }
    let (mut x, [batch, time, _]) = logits(cx, x, false)?;
    let merges = probabilities || args.or(&["merge_repeated"], None, true)?;
    let index = if probabilities { -1 } else { args.opt::<i64>(&["mask_index"], None)?.unwrap_or(-1) };
    let blank = blank(cx, index, x)?;
    let lengths = lengths(cx, given, batch)?;
    if probabilities {
        x = cx.binary_scalar(BinaryOp::Add, x, 1e-7)?;
        x = cx.unary(UnaryOp::Log, x)?;
    }
    let step = counter(cx, 1, 2, time)?;
    let runs = cx.compare(CompareOp::Lt, step, lengths)?;
    let best = cx.reduce(ReduceOp::Max, x, &[2], false)?;
    let best = where_or(cx, runs, best, 0.0)?;
    let sum = cx.reduce(ReduceOp::Sum, best, &[1], true)?;
    let score = cx.unary(UnaryOp::Neg, sum)?;
    let classes = cx.arg_reduce(Extreme::Max, x, 2, ElementType::I64)?;
    let blank = cx.size(blank, ElementType::I64)?;
    let real = cx.compare(CompareOp::Ne, classes, blank)?;
    let mut keeps = cx.binary(BinaryOp::And, runs, real)?;
    if merges {
        let low = Padding { low: Dim::ONE, high: Dim::ZERO, interior: 0 };
        let before = cx.pad(classes, &[Padding::NONE, low], -1.0)?;
        let before = cx.slice_axis(before, 1, Range { start: Dim::ZERO, len: time, step: 1 })?;
        let differs = cx.compare(CompareOp::Ne, classes, before)?;
        keeps = cx.binary(BinaryOp::And, keeps, differs)?;
    }
    // Equal keys keep their order, so the classes that are kept come first, in their order.
    let dropped = cx.unary(UnaryOp::Not, keeps)?;
    let dropped = cx.cast(dropped, ElementType::I32)?;
    let (dropped, order) = cx.sort(dropped, 1, false)?;
    let row = counter(cx, 0, 2, batch)?;
    let place = joined(cx, &[row, order], &[batch, time])?;
    let all = merged(cx, classes, 2)?;
    let found = cx.gather(all, place, 0, Bounds::Clamp)?;
    let kept = cx.compare_scalar(CompareOp::Eq, dropped, 0.0)?;
    Ok(vec![where_or(cx, kept, found, -1.0)?, score])
}

impl LayerDef for Ctc {
    fn takes_ragged(&self) -> bool {
        matches!(self.kind, CtcKind::Loss | CtcKind::OldLoss)
    }

    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        use CtcKind as K;
        let args = Args::new(&self.params, call);
        let results = match self.kind {
            K::Loss | K::OldLoss => vec![loss_of_call(cx, &args, call, self.kind == K::OldLoss)?.into()],
            K::Labels => vec![rows(cx, &args)?],
            K::DecodeProbabilities => decode(cx, &args, true)?.into_iter().map(KerasTensor::from).collect(),
            K::Decode => {
                let mut results = decode(cx, &args, false)?;
                // One path, in front of the batch.
                cx.mixes_batch();
                results[0] = cx.insert_axis(results[0], 0)?;
                results[0] = to_type(cx, results[0], ValueType::Int32)?;
                results.into_iter().map(KerasTensor::from).collect()
            }
        };
        args.finish(cx);
        Ok(results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lower::Phase;
    use crate::ops::testing::{call, check, check_all, refused_with};
    use serde_json::json;
    use tfjs_ir::{Array, Data, Inputs, Wrt, interpret};

    #[test]
    fn shapes() {
        let args = json!(["i:?,4", "f:?,9,6", "i:?", "i:?,1"]);
        check("CTCLoss", json!({"mask_index": 5}), args, json!({}), "float32[?]");
        let kwargs = json!({"logits": "f:?,3,6", "label_length": "i:3", "logit_length": "i:3", "blank_index": -1});
        check("CTCLoss", json!({"logits_time_major": true}), json!(["i:3,4"]), kwargs, "float32[3]");
        let types = ["int32[1,?,9]", "float32[?,1]"];
        check_all("CTCDecode", json!({"strategy": "greedy"}), json!(["f:?,9,6", "i:?"]), json!({}), &types);
        let types = ["int64[?,?]", "float32[?,1]"];
        check_all("CTCDecodeProbabilities", json!({}), json!(["f:?,?,6", "i:?"]), json!({}), &types);
    }

    /// Expected values of TensorFlow 2.15. The first sequence needs a blank between equal labels; the second is shorter.
    #[test]
    fn gradients() {
        const LOSSES: [f64; 2] = [3.840_809, 2.031_833];
        const SLOPES: [f64; 24] = [
            0.137115, -0.922712, 0.785597, -0.377189, 0.165248, 0.211942, -0.022725, 0.016348, 0.006377, 0.003235,
            -0.066614, 0.063379, -0.288058, 0.576117, -0.288058, -0.065648, 0.114195, -0.048547, -0.166667, 0.333333,
            -0.166667, 0.0, 0.0, 0.0,
        ];
        let def = Ctc { kind: CtcKind::Loss, params: Params::default() };
        let call = call(&json!(["i:2,2", "f:2,4,3", "i:2", "i:2"]), &json!({}));
        let call = call.try_map(|ty| Ok::<_, Error>((ty.clone(), false))).unwrap();
        let program = LowerCx::alone_in(Phase::Predict, true, &def, &call).unwrap().program;
        let mut b = Builder::resume(program.clone());
        let losses = program.body.results[0];
        let sum = b.reduce(ReduceOp::Sum, losses, &[0], false).unwrap();
        let program = b.finish(vec![("losses".to_string(), losses), ("sum".to_string(), sum)]).unwrap();
        let program = tfjs_ir::grad::grad(&program, "sum", &[Wrt::Input(1)]).unwrap();
        let logits = [
            [0.5, -1.0, 2.0, 1.0, 0.0, 0.0, 0.0, 3.0, -2.0, 1.0, 1.0, -1.0],
            [0.0, 1.0, 0.0, 2.0, 0.0, -1.0, 0.5, 0.5, 0.5, 9.0, 9.0, 9.0],
        ];
        let ints =
            |dims: &[usize], values: &[i64]| Array::new(ElementType::I32, dims, Data::Int(values.to_vec())).unwrap();
        let arguments = vec![
            ints(&[2, 2], &[1, 1, 2, 0]),
            Array::floats([2, 4, 3], logits.concat()).unwrap(),
            ints(&[2], &[2, 1]),
            ints(&[2], &[4, 3]),
        ];
        let outputs = interpret(&program, &Inputs::of(arguments)).unwrap().outputs;
        for (found, expect) in [(&outputs[0], &LOSSES[..]), (&outputs[2], &SLOPES[..])] {
            let found = found.to_floats().unwrap();
            let close = found.iter().zip(expect).all(|(a, b)| (a - b).abs() < 2e-6);
            assert!(close && found.len() == expect.len(), "{found:?}");
        }
    }

    #[test]
    fn refuses() {
        let message = "the beam search is not supported: decode greedily, or after the model";
        refused_with("CTCDecode", json!({"strategy": "beam_search"}), json!(["f:?,9,6", "i:?"]), message);
        refused_with("CTCDecodeProbabilities", json!({"greedy": false}), json!(["f:?,9,6", "i:?"]), message);
        let message = "the blank `6` is not one of the classes";
        refused_with("CTCLoss", json!({"mask_index": 6}), json!(["i:?,4", "f:?,9,6", "i:?", "i:?"]), message);
        let message = "labels that `ctc_label_dense_to_sparse` did not make are not supported here";
        refused_with("OldCTCLoss", json!({}), json!(["i:?,4", "f:9,?,6", "i:?"]), message);
        let message = "expected a length for each entry of the batch, found shape [2]";
        refused_with("CTCLoss", json!({}), json!(["i:3,4", "f:3,9,6", "i:3", "i:2"]), message);
    }
}
