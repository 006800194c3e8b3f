//! Parses the calls of a layer, `inbound_nodes`, in the form of Keras 1 and 2 and in that of Keras 3.
//!
//! Keras 2: a call is a list of `[layer, node, tensor, kwargs]`; a call of an operation is a single such entry.
//! Keras 3: a call is `{"args": [...], "kwargs": {...}}` with `__keras_tensor__` objects at any depth.

use crate::call::{Arg, Call};
use crate::config::expected;
use serde_json::Value;
use std::collections::HashSet;
use tfjs_manifest::{Error, Result};

/// A reference to a tensor in the file: layer, node and tensor index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedRef {
    pub layer: String,
    pub node: usize,
    pub tensor: usize,
}

impl NamedRef {
    /// `["layer", 0, 0]`, with anything after it.
    pub(super) fn read(value: &Value) -> Option<NamedRef> {
        let items = value.as_array()?;
        let [layer, node, tensor, ..] = &items[..] else { return None };
        let index =
            |v: &Value| v.as_u64().or_else(|| v.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0).map(|n| n as u64));
        Some(NamedRef {
            layer: layer.as_str()?.to_string(),
            node: index(node)?.try_into().ok()?,
            tensor: index(tensor)?.try_into().ok()?,
        })
    }
}

/// Parses the calls of a layer; `is_layer` distinguishes names of layers from other strings.
pub(super) fn read_calls(nodes: &Value, is_layer: &dyn Fn(&str) -> bool) -> Result<Vec<Call<NamedRef>>> {
    let list = nodes.as_array().ok_or_else(|| expected("a list of calls", nodes))?;
    list.iter()
        .enumerate()
        .map(|(i, node)| read_call(node, is_layer).map_err(|e| e.at_json(format!("inbound_nodes[{i}]"))))
        .collect()
}

/// Checks calls that could be parsed. A call without tensors is invalid, because producers disagree on whether it is
/// counted.
pub(super) fn check_calls(calls: &[Call<NamedRef>]) -> Result<()> {
    match calls.iter().position(|call| call.tensors().is_empty()) {
        Some(i) => Err(Error::malformed("a call without any tensor").at_json(format!("inbound_nodes[{i}]"))),
        None => Ok(()),
    }
}

fn read_call(node: &Value, is_layer: &dyn Fn(&str) -> bool) -> Result<Call<NamedRef>> {
    match node {
        Value::Object(map) if map.contains_key("args") || map.contains_key("kwargs") => keras3_call(node),
        // A call with a dict of tensors.
        Value::Object(map) => {
            let mut keywords = Keywords::default();
            let items = map
                .iter()
                .map(|(k, v)| Ok((k.clone(), keras2_entry(v, is_layer, &mut keywords)?)))
                .collect::<Result<Vec<_>>>()?;
            Ok(Call { args: vec![Arg::Dict(items)], kwargs: keywords.list })
        }
        Value::Array(items) => {
            // The call of an operation is one entry, not a list of entries.
            let flat = items.first().is_some_and(Value::is_string);
            let entries = if flat { std::slice::from_ref(node) } else { &items[..] };
            let mut keywords = Keywords::default();
            let args = entries
                .iter()
                .enumerate()
                .map(|(i, e)| keras2_entry(e, is_layer, &mut keywords).map_err(|e| e.at_json(format!("[{i}]"))))
                .collect::<Result<Vec<_>>>()?;
            Ok(Call { args, kwargs: keywords.list })
        }
        other => Err(expected("a call", other)),
    }
}

/// The keyword arguments of a call. Every entry of a call repeats them; the first one is used.
#[derive(Default)]
struct Keywords<'a> {
    list: Vec<(String, Arg<NamedRef>)>,
    names: HashSet<&'a str>,
}

/// `[layer, node, tensor]`, `[layer, node, tensor, kwargs]`, or `["_CONSTANT_VALUE", -1, value, kwargs]`.
fn keras2_entry<'a>(
    entry: &'a Value,
    is_layer: &dyn Fn(&str) -> bool,
    keywords: &mut Keywords<'a>,
) -> Result<Arg<NamedRef>> {
    let items = entry.as_array().ok_or_else(|| expected("`[layer, node, tensor]`", entry))?;
    // An empty list among the arguments of a function.
    if items.is_empty() {
        return Ok(Arg::Const(Value::Array(Vec::new()).into()));
    }
    // An argument that is a list is written as a list of entries.
    if items.first().is_some_and(Value::is_array) {
        let items = items.iter().map(|item| keras2_entry(item, is_layer, keywords)).collect::<Result<Vec<_>>>()?;
        return Ok(list(items));
    }
    if let Some(Value::Object(map)) = items.get(3) {
        for (key, value) in map {
            if keywords.names.insert(key) {
                keywords.list.push((key.clone(), keras2_kwarg(value, is_layer)));
            }
        }
    }
    if items.first().and_then(Value::as_str) == Some("_CONSTANT_VALUE") {
        return Ok(Arg::Const(items.get(2).cloned().unwrap_or(Value::Null).into()));
    }
    NamedRef::read(entry).map(Arg::Tensor).ok_or_else(|| expected("`[layer, node, tensor]`", entry))
}

fn keras2_kwarg(value: &Value, is_layer: &dyn Fn(&str) -> bool) -> Arg<NamedRef> {
    match NamedRef::read(value) {
        Some(tensor) if is_layer(&tensor.layer) => return Arg::Tensor(tensor),
        _ => {}
    }
    match value {
        Value::Array(items) => {
            if items.first().and_then(Value::as_str) == Some("_CONSTANT_VALUE") {
                return Arg::Const(items.get(2).cloned().unwrap_or(Value::Null).into());
            }
            let items: Vec<_> = items.iter().map(|v| keras2_kwarg(v, is_layer)).collect();
            if items.iter().all(|a| matches!(a, Arg::Const(_))) {
                Arg::Const(value.clone().into())
            } else {
                Arg::List(items)
            }
        }
        // `{"start": [layer, node, tensor], ...}`: a slice in a subscript.
        Value::Object(map) => {
            let items: Vec<_> = map.iter().map(|(key, v)| (key.clone(), keras2_kwarg(v, is_layer))).collect();
            let constant = items.iter().all(|(_, a)| matches!(a, Arg::Const(_)));
            if constant { Arg::Const(value.clone().into()) } else { Arg::Dict(items) }
        }
        other => Arg::Const(other.clone().into()),
    }
}

/// A list of arguments: a constant if all of them are.
fn list(items: Vec<Arg<NamedRef>>) -> Arg<NamedRef> {
    let constants: Option<Vec<Value>> = items
        .iter()
        .map(|item| match item {
            Arg::Const(value) => Some(Value::clone(value)),
            _ => None,
        })
        .collect();
    constants.map_or(Arg::List(items), |values| Arg::Const(Value::Array(values).into()))
}

fn keras3_call(node: &Value) -> Result<Call<NamedRef>> {
    let args = match node.get("args") {
        Some(Value::Array(items)) => {
            items.iter().map(keras3_arg).collect::<Result<Vec<_>>>().map_err(|e| e.at_json("args"))?
        }
        None | Some(Value::Null) => Vec::new(),
        Some(other) => return Err(expected("a list", other).at_json("args")),
    };
    let kwargs = match node.get("kwargs") {
        Some(Value::Object(map)) => map
            .iter()
            .map(|(k, v)| Ok((k.clone(), keras3_arg(v)?)))
            .collect::<Result<Vec<_>>>()
            .map_err(|e: Error| e.at_json("kwargs"))?,
        None | Some(Value::Null) => Vec::new(),
        Some(other) => return Err(expected("an object", other).at_json("kwargs")),
    };
    Ok(Call { args, kwargs })
}

fn keras3_arg(value: &Value) -> Result<Arg<NamedRef>> {
    let all_constant = |args: &[Arg<NamedRef>]| args.iter().all(|a| matches!(a, Arg::Const(_)));
    match value {
        Value::Array(items) => {
            let items = items.iter().map(keras3_arg).collect::<Result<Vec<_>>>()?;
            Ok(if all_constant(&items) { Arg::Const(value.clone().into()) } else { Arg::List(items) })
        }
        Value::Object(map) => match map.get("class_name").and_then(Value::as_str) {
            Some("__keras_tensor__") => {
                let history = value.get("config").and_then(|c| c.get("keras_history"));
                history
                    .and_then(NamedRef::read)
                    .map(Arg::Tensor)
                    .ok_or_else(|| expected("a tensor with its `keras_history`", value))
            }
            Some("__tuple__") if map.contains_key("items") => keras3_arg(&map["items"]),
            Some(_) => Ok(Arg::Const(value.clone().into())),
            None => {
                let items = map.iter().map(|(k, v)| Ok((k.clone(), keras3_arg(v)?))).collect::<Result<Vec<_>>>()?;
                let constant = items.iter().all(|(_, a)| matches!(a, Arg::Const(_)));
                Ok(if constant { Arg::Const(value.clone().into()) } else { Arg::Dict(items) })
            }
        },
        other => Ok(Arg::Const(other.clone().into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(nodes: Value, args: usize, inputs: &[&str], kwargs: &[&str]) {
        let calls = read_calls(&nodes, &|name| name.len() == 1).unwrap();
        let call = &calls[0];
        assert_eq!(call.args.len(), args);
        assert_eq!(call.tensors().iter().map(|t| t.layer.as_str()).collect::<Vec<_>>(), inputs);
        assert_eq!(call.kwargs.iter().map(|(k, _)| k.as_str()).collect::<Vec<_>>(), kwargs);
    }

    #[test]
    fn keras_1_and_2() {
        check(json!([[["a", 0, 0]]]), 1, &["a"], &[]);
        check(json!([[["a", 0, 0, {}], ["b", 1.0, 0, {}]]]), 2, &["a", "b"], &[]);
        check(json!([["a", 0, 0, {"y": ["b", 0, 0], "name": null}]]), 1, &["a", "b"], &["y", "name"]);
        check(json!([["_CONSTANT_VALUE", -1, 2.0, {"y": ["a", 0, 0]}]]), 1, &["a"], &["y"]);
        check(json!([[["a", 0, 0], [["_CONSTANT_VALUE", -1, 2, {}], ["b", 0, 0, {}]]]]), 2, &["a", "b"], &[]);
        let spec = json!([{"start": null, "stop": ["b", 0, 0]}]);
        check(json!([["a", 0, 0, {"slice_spec": spec}]]), 1, &["a", "b"], &["slice_spec"]);
        check(json!([{"u": ["a", 0, 0, {}], "v": ["b", 0, 0, {}]}]), 1, &["a", "b"], &[]);
    }

    #[test]
    fn keras_3() {
        let t = |name: &str| json!({"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}});
        check(json!([{"args": [[t("a"), t("b")]], "kwargs": {"training": false}}]), 1, &["a", "b"], &["training"]);
        check(json!([{"args": [2.0, t("a")], "kwargs": {"mask": t("b")}}]), 2, &["a", "b"], &["mask"]);
    }

    #[test]
    fn invalid_calls() {
        for nodes in [json!({}), json!([3]), json!([[["a", 0]]]), json!([[["a", -1, 0]]]), json!([{"args": 3}])] {
            assert!(read_calls(&nodes, &|_| true).is_err(), "{nodes}");
        }
        for nodes in [json!([[]]), json!([[["a", 0, 0]], []]), json!([{"args": [], "kwargs": {"mask": null}}])] {
            assert!(check_calls(&read_calls(&nodes, &|_| true).unwrap()).is_err(), "{nodes}");
        }
    }
}
