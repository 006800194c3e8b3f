//! Writes layers for a target; see [`LayerDef::encode`](crate::layer::LayerDef::encode).

use super::types::Types;
use super::{At, EncodeCx, Encoding, model};
use crate::activation::Activation;
use crate::def::{LayerBody, LayerEntry};
use crate::lower::lower_entry;
use crate::registry::{Layer, built_in_name};
use crate::types::TensorType;
use serde_json::{Map, Value};
use tfjs_ir::prim::activate::Activation as Function;
use tfjs_manifest::Result;

/// The class and configuration of a layer.
pub(super) fn encode_layer(
    layer: &Layer,
    config: &Map<String, Value>,
    at: At<'_>,
    cx: &EncodeCx<'_>,
) -> Result<(String, Map<String, Value>)> {
    if let Layer::Custom(def) = layer {
        cx.warn(&at, "a class of your own, which TensorFlow.js needs to be registered under this name");
        let mut out = Encoding { config: config.clone(), at, cx };
        def.encode(cx.target, &mut out)?;
        return Ok((at.class.to_string(), out.config));
    }
    let mut out = Encoding::new(config, at, cx);
    layer.def().encode(cx.target, &mut out)?;
    let class = built_in_name(at.class);
    if !layer.is_in_tensorflow_js(class) {
        cx.warn(&at, "TensorFlow.js has no layer of this class");
        return Ok((at.class.to_string(), out.config));
    }
    Ok((class.to_string(), out.config))
}

/// Writes a layer or model inside a wrapper. The types of its inputs are given if known.
pub(super) fn encode_held(
    entry: &LayerEntry,
    path: &str,
    calls: &[Vec<TensorType>],
    cx: &EncodeCx<'_>,
) -> Result<Map<String, Value>> {
    match &entry.body {
        LayerBody::Layer(layer) => {
            let (class, config) = encode_layer(layer, &entry.config, At { path, class: &entry.class_name, calls }, cx)?;
            Ok(Map::from_iter([("class_name".to_string(), class.into()), ("config".to_string(), config.into())]))
        }
        LayerBody::Model(_) => {
            let inner = calls.first().and_then(|inputs| lower_entry(entry, inputs, cx.limits).ok());
            let types = inner.map(|graph| Types::of(&graph, &format!("{path}/"))).unwrap_or_default();
            model::encode_entry(entry, path, &types, cx)
        }
        LayerBody::Input(_) | LayerBody::Op(_) => model::encode_entry(entry, path, &Types::default(), cx),
    }
}

/// Warns of the one activation that TensorFlow.js writes but cannot read, because it looks for `geluNew`.
pub(super) fn check_unreadable(config: &Map<String, Value>, at: &At<'_>, cx: &EncodeCx<'_>) {
    let new = Activation::Elementwise(Function::GeluTanh {});
    if config.get("activation").is_some_and(|value| Activation::from_value(value, &cx.read).is_ok_and(|a| a == new)) {
        cx.warn(at, "TensorFlow.js writes the activation `gelu_new` but cannot read it");
    }
}
