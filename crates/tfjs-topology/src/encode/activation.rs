//! Activations by the names TensorFlow.js has for them.

use super::{At, EncodeCx};
use crate::activation::Activation;
use serde_json::{Map, Value};
use tfjs_ir::prim::activate::Activation as Function;

/// The one activation TensorFlow.js writes and does not read: it looks for `geluNew`.
pub(super) fn check_unreadable(config: &Map<String, Value>, at: &At<'_>, cx: &EncodeCx<'_>) {
    let is_new = |value: &Value| {
        matches!(Activation::from_value(value, &cx.read), Ok(Activation::Elementwise(Function::GeluTanh {})))
    };
    if config.get("activation").is_some_and(is_new) {
        cx.warn(at, "TensorFlow.js writes the activation `gelu_new` and does not find it again");
    }
}

/// Translates the activation at `key`. An absent one stays absent, a null is no activation.
pub(super) fn translate(config: &mut Map<String, Value>, key: &str, at: &At<'_>, cx: &EncodeCx<'_>) {
    let Some(value) = config.get_mut(key) else { return };
    if value.is_null() {
        *value = "linear".into();
        return;
    }
    match Activation::from_value(value, &cx.read) {
        Ok(Activation::HARD_SIGMOID_RELU6) => cx.warn(
            at,
            format_args!("`{key}` is Keras 3's hard_sigmoid, relu6(x + 3) / 6; TensorFlow.js's is clip(0.2 x + 0.5)"),
        ),
        Ok(activation) => match activation.tensorflow_js_name() {
            Some(name) => *value = name.into(),
            None => cx.warn(at, format_args!("TensorFlow.js has no activation {value}, its `{key}`")),
        },
        Err(_) => cx.warn(at, format_args!("TensorFlow.js has no activation {value}, its `{key}`")),
    }
}
