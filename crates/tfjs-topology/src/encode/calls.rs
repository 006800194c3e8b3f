//! The calls of a layer in TensorFlow.js's form: `[[["layer", node, tensor, kwargs], ...], ...]`.
//!
//! Calls that this form cannot represent keep the producer's form: those of operations, and those with tensors among
//! the keyword arguments.

use super::numbering::Numbering;
use super::{At, EncodeCx};
use crate::call::{Arg, Call};
use crate::def::{LayerBody, LayerEntry, Submodel, TensorRef};
use serde_json::{Map, Value, json};

/// Writes the calls of the layers of one submodel.
pub(super) struct Calls<'a> {
    pub model: &'a Submodel,
    pub numbering: &'a Numbering,
}

impl Calls<'_> {
    /// `inbound_nodes`.
    pub(super) fn inbound_nodes(&self, layer: usize, at: &At<'_>, cx: &EncodeCx<'_>) -> Value {
        let entry = &self.model.layers[layer];
        let order = &self.numbering.order[layer];
        order.iter().map(|&call| self.node(entry, &entry.calls[call], at, cx)).collect()
    }

    /// `["layer", node, tensor]`.
    pub(super) fn triple(&self, tensor: &TensorRef) -> Value {
        let name = self.model.layers.get(tensor.layer).map_or("", |entry| entry.name.as_str());
        json!([name, self.numbering.node(tensor), tensor.tensor])
    }

    fn node(&self, entry: &LayerEntry, call: &Call<TensorRef>, at: &At<'_>, cx: &EncodeCx<'_>) -> Value {
        if matches!(entry.body, LayerBody::Op(_)) {
            return if cx.producer.is_keras3() { self.keras3(call) } else { self.lambda(call) };
        }
        match self.plain(entry, call, at, cx) {
            Some(node) => node,
            None if cx.producer.is_keras3() => self.keras3(call),
            None => self.keras2(call, self.kwargs(call)),
        }
    }

    /// The call in TensorFlow.js's form; `None`, with a warning, if that would lose an argument.
    fn plain(&self, entry: &LayerEntry, call: &Call<TensorRef>, at: &At<'_>, cx: &EncodeCx<'_>) -> Option<Value> {
        let mut tensors = match (&call.args[..], &entry.body) {
            ([Arg::Dict(items)], LayerBody::Model(inner)) => by_port(inner, items)?,
            _ => call.inputs().into_iter().copied().collect(),
        };
        let mut kwargs = Map::new();
        let mut lost = Vec::new();
        if call.args.iter().any(Arg::has_constant) {
            lost.push("a constant among the inputs");
        }
        for (key, arg) in &call.kwargs {
            match arg {
                Arg::Const(value) if value.is_null() => {}
                Arg::Const(value) if TENSORS.contains(&key.as_str()) => {
                    if !is_null(value) {
                        lost.push("a constant in place of a tensor");
                    }
                }
                Arg::Const(value) if self.reads_as_tensor(value) => lost.push("a list that looks like a tensor"),
                Arg::Const(value) => {
                    if key == "training" && **value == Value::Bool(true) && cx.producer.obeys_training() {
                        cx.warn(at, "TensorFlow.js does not obey `training: true` of a call when it predicts");
                    }
                    kwargs.insert(key.clone(), Value::clone(value));
                }
                // The states of a recurrent layer follow its input.
                arg if key == "initial_state" => {
                    let mut states = Vec::new();
                    arg.collect(&mut states);
                    tensors.extend(states.into_iter().copied());
                }
                _ if key == "mask" => lost.push("an explicit `mask`"),
                _ => lost.push("a tensor among the keyword arguments"),
            }
        }
        if !lost.is_empty() {
            cx.warn(at, format_args!("TensorFlow.js cannot call a layer with {}", lost.join(" or ")));
            return None;
        }
        Some(self.entries(tensors.iter().map(|tensor| self.triple(tensor)), &kwargs))
    }

    /// Whether a constant would be parsed as `["layer", node, tensor]`.
    fn reads_as_tensor(&self, value: &Value) -> bool {
        let items = match value {
            Value::Array(items) => items,
            Value::Object(map) => return map.values().any(|item| self.reads_as_tensor(item)),
            _ => return false,
        };
        match &items[..] {
            [Value::String(name), Value::Number(_), Value::Number(_), ..] => {
                self.model.layers.iter().any(|entry| entry.name == *name)
            }
            items => items.iter().any(|item| self.reads_as_tensor(item)),
        }
    }

    fn entries(&self, triples: impl Iterator<Item = Value>, kwargs: &Map<String, Value>) -> Value {
        let with_kwargs = |triple: Value| match triple {
            Value::Array(mut items) => {
                items.push(Value::Object(kwargs.clone()));
                Value::Array(items)
            }
            other => other,
        };
        triples.map(with_kwargs).collect()
    }

    fn keras2(&self, call: &Call<TensorRef>, kwargs: Map<String, Value>) -> Value {
        let mut flat = Vec::new();
        call.args.iter().for_each(|arg| self.flatten(arg, &mut flat));
        self.entries(flat.into_iter(), &kwargs)
    }

    fn flatten(&self, arg: &Arg<TensorRef>, out: &mut Vec<Value>) {
        match arg {
            Arg::Tensor(tensor) => out.push(self.triple(tensor)),
            Arg::List(items) => items.iter().for_each(|item| self.flatten(item, out)),
            Arg::Dict(items) => items.iter().for_each(|(_, item)| self.flatten(item, out)),
            Arg::Const(value) => out.push(json!(["_CONSTANT_VALUE", -1, **value])),
        }
    }

    /// The call of a Keras 2 operation: one entry, or a list of them for an operation on a list.
    fn lambda(&self, call: &Call<TensorRef>) -> Value {
        match self.keras2(call, self.kwargs(call)) {
            Value::Array(entries) if entries.len() == 1 => entries.into_iter().next().unwrap_or_default(),
            other => other,
        }
    }

    fn kwargs(&self, call: &Call<TensorRef>) -> Map<String, Value> {
        call.kwargs.iter().map(|(key, arg)| (key.clone(), self.keras2_kwarg(arg))).collect()
    }

    fn keras2_kwarg(&self, arg: &Arg<TensorRef>) -> Value {
        match arg {
            Arg::Tensor(tensor) => self.triple(tensor),
            Arg::List(items) => items.iter().map(|item| self.keras2_kwarg(item)).collect(),
            Arg::Dict(items) => items.iter().map(|(key, item)| (key.clone(), self.keras2_kwarg(item))).collect(),
            Arg::Const(value) => Value::clone(value),
        }
    }

    /// `{"args": [...], "kwargs": {...}}`.
    fn keras3(&self, call: &Call<TensorRef>) -> Value {
        let args: Value = call.args.iter().map(|arg| self.keras3_arg(arg)).collect();
        let kwargs: Map<String, Value> =
            call.kwargs.iter().map(|(key, arg)| (key.clone(), self.keras3_arg(arg))).collect();
        json!({ "args": args, "kwargs": kwargs })
    }

    fn keras3_arg(&self, arg: &Arg<TensorRef>) -> Value {
        match arg {
            Arg::Tensor(tensor) => {
                json!({ "class_name": "__keras_tensor__", "config": { "keras_history": self.triple(tensor) } })
            }
            Arg::List(items) => items.iter().map(|item| self.keras3_arg(item)).collect(),
            Arg::Dict(items) => items.iter().map(|(key, item)| (key.clone(), self.keras3_arg(item))).collect(),
            Arg::Const(value) => Value::clone(value),
        }
    }
}

/// Arguments of layers that are tensors.
const TENSORS: [&str; 5] = ["mask", "initial_state", "constants", "count_weights", "countWeights"];

/// Whether a constant is null, or a list of nulls.
fn is_null(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(is_null),
        other => other.is_null(),
    }
}

/// The tensors of a dict in the order of the inputs of the model that is called.
fn by_port(model: &Submodel, items: &[(String, Arg<TensorRef>)]) -> Option<Vec<TensorRef>> {
    let of_port = |port: &crate::def::Port| {
        let key = port.key.as_ref().unwrap_or(&port.name);
        let found = items.iter().find(|(k, _)| k == key || *k == port.name)?;
        found.1.tensor().copied()
    };
    model.inputs.iter().map(of_port).collect()
}
