//! What single layer classes say differently, and what TensorFlow.js computes differently of them.

use super::types::Types;
use super::{At, EncodeCx, common, known, model, recurrent};
use crate::def::LayerBody;
use crate::inner::Inner;
use crate::layers::wrap::time_distributed::TimeDistributed;
use crate::registry::Layer;
use crate::types::TensorType;
use serde_json::{Map, Value, json};
use tfjs_manifest::Result;

/// Class and configuration of a layer Keras wrote.
pub(super) fn encode_layer(
    layer: &Layer,
    config: &Map<String, Value>,
    at: &At<'_>,
    cx: &EncodeCx<'_>,
) -> Result<(String, Map<String, Value>)> {
    let mut out = common::translate(config, at, cx);
    let class = match at.class.rsplit_once('>') {
        Some(("Keras" | "keras" | "keras.layers", name)) => name,
        _ => at.class,
    };
    if let Layer::TimeDistributed(wrapper) = layer {
        out.insert("layer".to_string(), wrapped(wrapper, at, cx)?);
    }
    if !known::LAYERS.contains(&class) {
        cx.warn(at, "TensorFlow.js knows no layer of this class");
        return Ok((at.class.to_string(), out));
    }
    translate(class, &mut out, at, cx);
    Ok((class.to_string(), out))
}

/// What a `TimeDistributed` holds, with the types of one step where they are known.
fn wrapped(wrapper: &TimeDistributed, at: &At<'_>, cx: &EncodeCx<'_>) -> Result<Value> {
    let entry = wrapper.inner.entry();
    let steps: Vec<Vec<TensorType>> = at.calls.iter().map(|inputs| inputs.iter().map(one_step).collect()).collect();
    let path = format!("{}/{}", at.path, entry.name);
    if matches!(entry.body, LayerBody::Model(_)) {
        let types = steps.first().and_then(|inputs| inner_types(&wrapper.inner, inputs)).unwrap_or_default();
        // The graph of the inner model has paths of its own.
        return model::encode_entry(entry, "", &types, cx).map(Value::Object);
    }
    match &entry.body {
        LayerBody::Layer(inner) if !matches!(inner, Layer::Custom(_)) => {
            let at = At { path: &path, class: &entry.class_name, calls: &steps };
            let (class, config) = encode_layer(inner, &entry.config, &at, cx)?;
            Ok(json!({ "class_name": class, "config": config }))
        }
        _ => model::encode_entry(entry, &path, &Types::default(), cx).map(Value::Object),
    }
}

fn inner_types(inner: &Inner, inputs: &[TensorType]) -> Option<Types> {
    inner.graph(inputs).ok().map(|graph| Types::of(&graph))
}

/// The input of one time step.
fn one_step(ty: &TensorType) -> TensorType {
    let mut dims = ty.shape.0.clone();
    if dims.len() > 1 {
        dims.remove(1);
    }
    ty.with_shape(dims)
}

/// The keys of one class.
fn translate(class: &str, config: &mut Map<String, Value>, at: &At<'_>, cx: &EncodeCx<'_>) {
    match class {
        "Conv1D" | "Conv2D" | "Conv3D" => convolution(class, config, at, cx),
        "DepthwiseConv2D" if any_above_one(config, "dilation_rate") => {
            cx.warn(at, "TensorFlow.js ignores `dilation_rate` of depthwise convolutions");
        }
        "SeparableConv2D" => {
            // Keras 2 writes them as null; TensorFlow.js refuses the layer for having them.
            for key in ["kernel_initializer", "kernel_regularizer", "kernel_constraint"] {
                config.remove(key);
            }
        }
        "ReLU" => {
            for key in ["negative_slope", "threshold"] {
                if number(config, key).is_some_and(|n| n != 0.0) {
                    cx.warn(at, format_args!("TensorFlow.js ignores `{key}`"));
                }
            }
        }
        "LeakyReLU" => {
            if let Some(slope) = config.remove("negative_slope") {
                config.insert("alpha".to_string(), slope);
            }
        }
        "ELU" if number(config, "alpha").is_some_and(|alpha| alpha != 1.0) => {
            cx.warn(at, "TensorFlow.js has ELU with an `alpha` of 1 only");
        }
        "Softmax" => softmax(config, at, cx),
        "BatchNormalization" => batch_normalization(config, at, cx),
        "LayerNormalization" => {
            if flag(config, "rms_scaling") {
                cx.warn(at, "TensorFlow.js knows no `rms_scaling`");
            }
            check_rank(2..=4, at, cx);
        }
        "Concatenate" => concatenate(config, at, cx),
        "Reshape" => reshape(config, at),
        "Flatten" => {
            let fits = |inputs: &Vec<TensorType>| {
                let dims = inputs.first().map(|ty| ty.shape.dims()).unwrap_or_default();
                dims.len() > 2 && dims[1..].iter().all(Option::is_some)
            };
            if !at.calls.iter().all(fits) {
                cx.warn(at, "TensorFlow.js flattens inputs of rank 3 or more whose sizes are known only");
            }
        }
        "GlobalAveragePooling1D" | "GlobalMaxPooling1D" | "GlobalAveragePooling2D" | "GlobalMaxPooling2D" => {
            if flag(config, "keepdims") {
                cx.warn(at, "TensorFlow.js ignores `keepdims`");
            }
            if class.ends_with("1D") {
                check_channels_last(config, at, cx);
            }
        }
        "MaxPooling1D" | "AveragePooling1D" => check_channels_last(config, at, cx),
        "UpSampling2D" => {
            if let Some(how) = config.get("interpolation").and_then(Value::as_str).filter(|how| *how != "nearest") {
                cx.warn(at, format_args!("TensorFlow.js has no `{how}` interpolation, or another one of that name"));
            }
        }
        "Embedding" if flag(config, "mask_zero") => warn_of_masks(at, cx),
        "Masking" => warn_of_masks(at, cx),
        "Bidirectional" => recurrent::bidirectional(config, at, cx),
        "RNN" | "LSTM" | "GRU" | "SimpleRNN" => recurrent::layer(class, config, at, cx),
        _ => {}
    }
}

fn convolution(class: &str, config: &Map<String, Value>, at: &At<'_>, cx: &EncodeCx<'_>) {
    if number(config, "groups").is_some_and(|groups| groups != 1.0) {
        cx.warn(at, "TensorFlow.js has no convolutions in `groups`");
    }
    if any_above_one(config, "strides") && any_above_one(config, "dilation_rate") {
        cx.warn(at, "TensorFlow.js has no convolutions with both strides and dilation");
    }
    if class == "Conv1D" {
        check_channels_last(config, at, cx);
        if config.get("padding").and_then(Value::as_str) == Some("causal") {
            cx.warn(at, "TensorFlow.js loads `causal` padding and cannot predict with it");
        }
    }
}

/// TensorFlow.js leaves a free size unknown even where it follows from the input, so it is written out.
fn reshape(config: &mut Map<String, Value>, at: &At<'_>) {
    let Some(Value::Array(target)) = config.get_mut("target_shape") else { return };
    let is_free = |size: &Value| size.as_i64().is_none_or(|n| n < 0);
    let fixed: Option<u64> =
        target.iter().filter(|size| !is_free(size)).try_fold(1u64, |n, s| n.checked_mul(s.as_u64()?));
    let given = |inputs: &Vec<TensorType>| {
        let dims = inputs.first()?.shape.dims().get(1..)?;
        dims.iter().try_fold(1u64, |n, dim| n.checked_mul((*dim)? as u64))
    };
    let mut sizes = at.calls.iter().map(given);
    let (Some(fixed), Some(Some(first))) = (fixed.filter(|&n| n > 0), sizes.next()) else { return };
    let mut free = target.iter_mut().filter(|size| is_free(size));
    if let (Some(size), None, true) = (free.next(), free.next(), sizes.all(|n| n == Some(first))) {
        *size = (first / fixed).into();
    }
}

/// TensorFlow.js's own default is the axis 1, and it computes over the last axis only.
fn softmax(config: &mut Map<String, Value>, at: &At<'_>, cx: &EncodeCx<'_>) {
    let axis = match config.get("axis") {
        None | Some(Value::Null) => json!(-1),
        Some(Value::Array(axes)) if axes.len() == 1 => axes[0].clone(),
        Some(axis) => axis.clone(),
    };
    if !is_last(&axis, at) {
        cx.warn(at, "TensorFlow.js has softmax over the last axis only");
    }
    config.insert("axis".to_string(), axis);
}

fn batch_normalization(config: &mut Map<String, Value>, at: &At<'_>, cx: &EncodeCx<'_>) {
    let axis = match config.get("axis") {
        None | Some(Value::Null) => json!(-1),
        Some(Value::Array(axes)) if axes.len() == 1 => axes[0].clone(),
        Some(axis) => axis.clone(),
    };
    if !is_last(&axis, at) {
        cx.warn(at, "TensorFlow.js normalizes other axes than the last wrongly");
    }
    check_rank(2..=4, at, cx);
    config.insert("axis".to_string(), axis);
}

/// TensorFlow.js takes every negative axis for the last: counted from the front it is understood.
fn concatenate(config: &mut Map<String, Value>, at: &At<'_>, cx: &EncodeCx<'_>) {
    let axis = config.get("axis").and_then(Value::as_i64).unwrap_or(-1);
    let counted = match (axis, at.rank()) {
        (-1, _) | (0.., _) => axis,
        (_, Some(rank)) if axis + rank as i64 >= 0 => axis + rank as i64,
        _ => {
            cx.warn(at, "TensorFlow.js takes every negative `axis` for the last");
            axis
        }
    };
    config.insert("axis".to_string(), counted.into());
}

fn is_last(axis: &Value, at: &At<'_>) -> bool {
    match (axis.as_i64(), at.rank()) {
        (Some(-1), _) => true,
        (Some(axis), Some(rank)) => axis == rank as i64 - 1,
        _ => false,
    }
}

fn check_rank(ranks: std::ops::RangeInclusive<usize>, at: &At<'_>, cx: &EncodeCx<'_>) {
    if let Some(rank) = at.rank().filter(|rank| !ranks.contains(rank)) {
        cx.warn(at, format_args!("TensorFlow.js normalizes ranks 2 to 4 only, not {rank}"));
    }
}

fn check_channels_last(config: &Map<String, Value>, at: &At<'_>, cx: &EncodeCx<'_>) {
    if config.get("data_format").and_then(Value::as_str) == Some("channels_first") {
        cx.warn(at, "TensorFlow.js ignores `channels_first` of layers over one dimension");
    }
}

fn warn_of_masks(at: &At<'_>, cx: &EncodeCx<'_>) {
    cx.warn(at, "the mask it makes: TensorFlow.js hands it to layers Keras does not, and does not to others");
}

/// A number, bare or as Keras writes numpy's.
pub(super) fn number(config: &Map<String, Value>, key: &str) -> Option<f64> {
    let value = config.get(key)?;
    value.as_f64().or_else(|| value.get("value")?.as_f64())
}

pub(super) fn flag(config: &Map<String, Value>, key: &str) -> bool {
    config.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn any_above_one(config: &Map<String, Value>, key: &str) -> bool {
    let above = |value: &Value| value.as_f64().is_some_and(|n| n > 1.0);
    match config.get(key) {
        Some(Value::Array(items)) => items.iter().any(above),
        Some(value) => above(value),
        None => false,
    }
}
