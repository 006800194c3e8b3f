//! Parses the calls of a layer, `inbound_nodes`, in the form of Keras 1 and 2 and in that of Keras 3.
//!
//! Keras 2: a call is a list of `[layer, node, tensor, kwargs]`; a call of an operation is a single such entry.
//! Keras 3: a call is `{"args": [...], "kwargs": {...}}` with `__keras_tensor__` objects at any depth.

use crate::call::{Arg, Call};
use crate::config::expected;
use serde_json::Value;
use std::collections::HashSet;
use std::sync::Arc;
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
    if is_wrapped(items) {
        return Ok(keras2_constant(entry));
    }
    NamedRef::read(entry).map(Arg::Tensor).ok_or_else(|| expected("`[layer, node, tensor]`", entry))
}

fn keras2_kwarg(value: &Value, is_layer: &dyn Fn(&str) -> bool) -> Arg<NamedRef> {
    keras2_tensors(value, is_layer).unwrap_or_else(|| keras2_constant(value))
}

/// The argument with the tensors in it; `None` if there are none.
fn keras2_tensors(value: &Value, is_layer: &dyn Fn(&str) -> bool) -> Option<Arg<NamedRef>> {
    match NamedRef::read(value) {
        Some(tensor) if is_layer(&tensor.layer) => return Some(Arg::Tensor(tensor)),
        _ => {}
    }
    match value {
        Value::Array(items) if is_wrapped(items) => None,
        Value::Array(items) => {
            let list = mixed(items, |item| keras2_tensors(item, is_layer), keras2_constant);
            list.map(Arg::List)
        }
        // `{"start": [layer, node, tensor], ...}`: a slice in a subscript.
        Value::Object(map) => {
            let tensors = |(_, item): (&String, &Value)| keras2_tensors(item, is_layer);
            let list = mixed(map, tensors, |(_, item)| keras2_constant(item))?;
            Some(Arg::Dict(map.keys().cloned().zip(list).collect()))
        }
        _ => None,
    }
}

/// An argument without tensors.
fn keras2_constant(value: &Value) -> Arg<NamedRef> {
    Arg::Const(match value {
        Value::Array(items) if is_wrapped(items) => items.get(2).cloned().unwrap_or(Value::Null).into(),
        other => other.clone().into(),
    })
}

/// Whether this is `["_CONSTANT_VALUE", -1, value]`.
fn is_wrapped(items: &[Value]) -> bool {
    items.first().and_then(Value::as_str) == Some("_CONSTANT_VALUE")
}

/// The items of a list or an object as arguments; `None` if no item has a tensor. Constants are copied only once a tensor
/// was found, so that nested ones are not copied at every level.
fn mixed<T: Copy>(
    items: impl IntoIterator<Item = T, IntoIter: Clone>,
    tensors: impl Fn(T) -> Option<Arg<NamedRef>>,
    constant: impl Fn(T) -> Arg<NamedRef>,
) -> Option<Vec<Arg<NamedRef>>> {
    let items = items.into_iter();
    let mut rest = items.clone().enumerate();
    let (before, first) = rest.find_map(|(i, item)| tensors(item).map(|found| (i, found)))?;
    let mut list: Vec<_> = items.take(before).map(&constant).collect();
    list.push(first);
    list.extend(rest.map(|(_, item)| tensors(item).unwrap_or_else(|| constant(item))));
    Some(list)
}

/// A list of arguments: a constant if all of them are.
fn list(items: Vec<Arg<NamedRef>>) -> Arg<NamedRef> {
    if items.iter().any(|item| !matches!(item, Arg::Const(_))) {
        return Arg::List(items);
    }
    let values = items.into_iter().filter_map(|item| match item {
        Arg::Const(value) => Some(Arc::unwrap_or_clone(value)),
        _ => None,
    });
    Arg::Const(Value::Array(values.collect()).into())
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
    check_histories(value)?;
    Ok(keras3_tensors(value).unwrap_or_else(|| keras3_constant(value)))
}

/// Checks that every tensor in an argument has its history.
fn check_histories(value: &Value) -> Result<()> {
    match value {
        Value::Array(items) => items.iter().try_for_each(check_histories),
        Value::Object(map) => match map.get("class_name").and_then(Value::as_str) {
            Some("__keras_tensor__") if history(value).is_none() => {
                Err(expected("a tensor with its `keras_history`", value))
            }
            Some("__tuple__") => map.get("items").map_or(Ok(()), check_histories),
            Some(_) => Ok(()),
            None => map.values().try_for_each(check_histories),
        },
        _ => Ok(()),
    }
}

fn history(value: &Value) -> Option<NamedRef> {
    NamedRef::read(value.get("config")?.get("keras_history")?)
}

/// The argument with the tensors in it; `None` if there are none.
fn keras3_tensors(value: &Value) -> Option<Arg<NamedRef>> {
    match value {
        Value::Array(items) => mixed(items, keras3_tensors, keras3_constant).map(Arg::List),
        Value::Object(map) => match map.get("class_name").and_then(Value::as_str) {
            Some("__keras_tensor__") => history(value).map(Arg::Tensor),
            Some("__tuple__") => keras3_tensors(map.get("items")?),
            Some(_) => None,
            None => {
                let list = mixed(map, |(_, item)| keras3_tensors(item), |(_, item)| keras3_constant(item))?;
                Some(Arg::Dict(map.keys().cloned().zip(list).collect()))
            }
        },
        _ => None,
    }
}

/// An argument without tensors.
fn keras3_constant(value: &Value) -> Arg<NamedRef> {
    match value.get("class_name").and_then(Value::as_str) {
        Some("__tuple__") if value.get("items").is_some() => keras3_constant(&value["items"]),
        _ => Arg::Const(value.clone().into()),
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
