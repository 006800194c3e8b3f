//! Tests extreme values in every key that any class or operation reads. The keys are recorded while reading, so a
//! class is covered as soon as it is listed.

use crate::call::{Arg, Call};
use crate::layer::LayerDef;
use crate::lower::{Alone, LowerCx, Phase};
use crate::ops::{OPS, Op};
use crate::producer::{Family, Producer};
use crate::read::ReadCx;
use crate::registry::{CLASSES, Layer};
use crate::types::{SymShape, TensorType, ValueType};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tfjs_ir::InputRole;
use tfjs_ir::cost::work;
use tfjs_ir::verify::verify;
use tfjs_manifest::text::shorten;
use tfjs_manifest::{Kind, Result};

/// Values for required keys of some classes.
fn plausible(class: &str) -> Map<String, Value> {
    let dense = json!({"class_name": "Dense", "config": {"name": "d", "units": 2}});
    let lstm = json!({"class_name": "LSTM", "config": {"name": "r", "units": 2}});
    let cell = json!({"class_name": "LSTMCell", "config": {"name": "c", "units": 2}});
    let conv = json!({"class_name": "Conv2D", "config": {"name": "c", "filters": 2, "kernel_size": 2}});
    let mut config = json!({
        "units": 2, "filters": 4, "kernel_size": 2, "groups": 2, "target_shape": [-1], "n": 2, "dims": [1],
        "input_dim": 3, "output_dim": 2, "rate": 0.5, "stddev": 0.5, "height": 4, "width": 4, "output_size": 2,
        "vocabulary": ["a", "b"], "cell": cell, "factor": 0.5, "axis": -1, "projection_dim": 4, "pool_size": 2,
    });
    let own = match class {
        "SpectralNormalization" => json!({"layer": conv}),
        "TimeDistributed" => json!({"layer": dense}),
        "Bidirectional" => json!({"layer": lstm, "backward_layer": lstm}),
        "Rescaling" => json!({"scale": 2}),
        "IntegerLookup" => json!({"vocabulary": [3, 4]}),
        "CategoryEncoding" => json!({"num_tokens": 3, "output_mode": "count"}),
        "Discretization" => json!({"bin_boundaries": [0, 1]}),
        "MelSpectrogram" => json!({"fft_length": 4, "sequence_stride": 2, "num_mel_bins": 3, "sampling_rate": 10}),
        "STFTSpectrogram" => json!({"frame_length": 3, "padding": "same"}),
        "Hashing" | "HashedCrossing" => json!({"num_bins": 3}),
        "Dot" => json!({"axes": 1}),
        "ContrastLimitedAdaptiveHistogramEqualization" => json!({"tile_grid_size": [2, 2]}),
        "Merge" => json!({"mode": "cos", "axes": 1}),
        "EinsumDense" => json!({"equation": "...x,xy->...y", "output_shape": 2, "bias_axes": "y"}),
        "MultiHeadAttention" | "CachedMultiHeadAttention" => json!({"num_heads": 2, "key_dim": 2}),
        "GroupQueryAttention" | "GroupedQueryAttention" => {
            json!({"head_dim": 2, "num_query_heads": 2, "num_key_value_heads": 1})
        }
        "PositionEmbedding" => json!({"sequence_length": 8}),
        "TokenAndPositionEmbedding" => json!({"vocabulary_size": 9, "sequence_length": 8, "embedding_dim": 2}),
        "TransformerEncoder" | "TransformerDecoder" => json!({"intermediate_dim": 2, "num_heads": 2}),
        _ => json!({}),
    };
    let config = config.as_object_mut().expect("an object");
    config.extend(own.as_object().expect("an object").clone());
    config.clone()
}

/// Values that no training framework writes.
fn extremes() -> Vec<Value> {
    vec![
        json!(null),
        json!(false),
        json!(0),
        json!(-1),
        json!(1),
        json!(3),
        json!(1_000_000),
        json!(u32::MAX),
        json!(1u64 << 53),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(0.5),
        json!(-1e308),
        json!(1e-308),
        json!(""),
        json!("same"),
        json!("{}"),
        json!([]),
        json!([0, 0]),
        json!([-1, -1]),
        json!([1u64 << 31, 1u64 << 31]),
        json!([i64::MAX, i64::MAX, i64::MAX]),
        json!([[1u64 << 40, 1u64 << 40], [1u64 << 40, 1u64 << 40]]),
        json!(vec![1; 2_000]),
        json!({}),
        json!({"class_name": "Dense", "config": {"units": 1u64 << 40}}),
    ]
}

const SHAPES: &[&str] =
    &["?,4", "?,4,4", "?,6,6,4", "?,6,6,6,4", "?,4,6,6,4", "?,3,4,4,4,2", "2,4", "?,?,4", "?,?,?,4", "?"];

/// One, two and three inputs of these shapes.
fn inputs() -> impl Iterator<Item = Vec<TensorType>> {
    let types = |dtype: ValueType| {
        SHAPES.iter().flat_map(move |shape| {
            let shape: SymShape = shape.parse().expect("a shape");
            // SIZE: at most three inputs.
            (1..=3).map(move |n| vec![TensorType { shape: shape.clone(), dtype }; n])
        })
    };
    types(ValueType::Float).chain(types(ValueType::Int32)).chain(types(ValueType::String))
}

/// Lowers a layer, verifies the program, and computes its cost.
fn lower(def: &dyn LayerDef, call: &Call<TensorType>) -> Result<()> {
    let mut shapes: Vec<Vec<usize>> = Vec::new();
    let call = call.try_map(|ty| {
        shapes.push(ty.shape.dims().iter().map(|dim| dim.unwrap_or(2)).collect());
        Ok::<_, tfjs_manifest::Error>((ty.clone(), false))
    })?;
    let Alone { program, .. } = LowerCx::alone_in(Phase::Predict, true, def, &call)?;
    verify(&program)?;
    let made = program.inputs.iter().filter(|input| matches!(input.role, InputRole::Tokens { .. }));
    let length = |&dim| program.dims.known(dim).and_then(|n| usize::try_from(n).ok()).unwrap_or(2);
    shapes.extend(made.map(|input| input.ty.dims.iter().map(length).collect::<Vec<usize>>()));
    let bound = program.bind(&shapes.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
    work(&program, &bound).map(|_| ())
}

/// Parses and lowers a layer class or an operation.
type Run = fn(&str, &Map<String, Value>, &ReadCx<'_>, &Call<TensorType>) -> Result<()>;

fn run_layer(class: &str, config: &Map<String, Value>, cx: &ReadCx<'_>, call: &Call<TensorType>) -> Result<()> {
    lower(Layer::read(class, config, cx)?.layer.def(), call)
}

fn run_op(class: &str, config: &Map<String, Value>, cx: &ReadCx<'_>, call: &Call<TensorType>) -> Result<()> {
    lower(Op::read(class, config, cx)?.def(), call)
}

/// A call that works for the class, and the keys that the class reads.
fn working_call(run: Run, class: &str, config: &Map<String, Value>) -> Option<(Call<TensorType>, BTreeSet<String>)> {
    let producer = Producer::of(Family::Keras3);
    let cx = ReadCx::new(&producer);
    let call = inputs().map(Call::of).find(|call| run(class, config, &cx, call).is_ok())?;
    let asked = cx.asked.borrow().clone();
    Some((call, asked))
}

/// Describes a forbidden outcome for a class with this configuration, if there is one.
fn fault(run: Run, class: &str, config: &Map<String, Value>, call: &Call<TensorType>) -> Option<String> {
    let producer = Producer::of(Family::Keras3);
    match catch_unwind(AssertUnwindSafe(|| run(class, config, &ReadCx::new(&producer), call))) {
        Ok(Err(error)) if error.kind() == Kind::Bug => Some(error.to_string()),
        Ok(_) => None,
        Err(_) => Some("panics".to_string()),
    }
}

/// Puts every extreme value at every key of each class, and after the tensors of its call. Returns the classes without
/// a working call.
#[track_caller]
fn check(classes: &[&'static str], run: Run) -> Vec<&'static str> {
    let extremes = extremes();
    let (mut helpless, mut faults) = (Vec::new(), Vec::new());
    for class in classes {
        let plausible = plausible(class);
        let (call, keys) = working_call(run, class, &plausible).unwrap_or_else(|| {
            helpless.push(*class);
            (Call::of(inputs().next().expect("there are inputs")), plausible.keys().cloned().collect())
        });
        for value in &extremes {
            for key in &keys {
                let mut config = plausible.clone();
                config.insert(key.clone(), value.clone());
                let what = |fault| format!("{class}: {key} = {}: {fault}", shorten(&value.to_string()));
                faults.extend(fault(run, class, &config, &call).map(what));
            }
            let mut call = call.clone();
            call.args.push(Arg::Const(value.clone().into()));
            let what = |fault| format!("{class}: an argument {}: {fault}", shorten(&value.to_string()));
            faults.extend(fault(run, class, &plausible, &call).map(what));
        }
    }
    assert!(faults.is_empty(), "{} of them:\n{}", faults.len(), faults.join("\n"));
    helpless
}

#[test]
fn layers_refuse_extreme_values() {
    let helpless = check(CLASSES, run_layer);
    // In Keras 3, `Wrapper` is an abstract class.
    assert_eq!(helpless, ["Wrapper"], "nothing works with these: say in `plausible` what they need");
}

#[test]
fn operations_refuse_extreme_values() {
    // Some operations need more than tensors, and are only parsed.
    let helpless = check(OPS, run_op);
    assert!(helpless.len() < OPS.len() / 2, "{} of {}: {helpless:?}", helpless.len(), OPS.len());
}
