//! Parses a functional model: named layers, their calls, and its inputs and outputs.

use super::entry::{findings, read_entry};
use super::nodes::{NamedRef, check_calls, read_calls};
use super::single;
use crate::call::Call;
use crate::config::expected;
use crate::def::{LayerBody, LayerEntry, Port, Submodel, SubmodelKind, TensorRef};
use crate::producer::Family;
use crate::read::ReadCx;
use crate::suggest::Hints;
use serde_json::{Map, Value};
use std::collections::{HashMap, HashSet};
use tfjs_manifest::text::shorten;
use tfjs_manifest::{Error, Limits, Result};

/// Parses the layers, then their calls and the model's ports, then the references in these to layers. Each step collects
/// its errors in one report; a step that needs what had an error does not run.
pub(super) fn read(name: &str, config: &Map<String, Value>, cx: &ReadCx<'_>) -> Result<Submodel> {
    let Some(list) = config.get("layers").and_then(Value::as_array) else {
        return Err(Error::unsupported(
            "this is a subclassed model: its file says how to construct it, not what it computes; \
             rebuild it as a functional model before converting",
        ));
    };
    Limits::check("layers", list.len() as u64, cx.limits.layers)?;

    let mut errors = Vec::new();
    let mut layers = read_layers(list, cx, &mut errors);
    let names = ok_or_push(unique_names(&layers), &mut errors);
    // If a layer is missing, every reference to it would be a further error.
    let (Some(names), true) = (names, errors.is_empty()) else { return Err(findings(errors, name)) };

    let calls = read_all_calls(&layers, list, &names, &mut errors);
    let inputs = ok_or_push(read_ports_at(config, "input_layers", "inputLayers"), &mut errors);
    let outputs = ok_or_push(read_ports_at(config, "output_layers", "outputLayers"), &mut errors);
    let (Some(inputs), Some(outputs)) = (inputs, outputs) else { return Err(findings(errors, name)) };

    if outputs.is_empty() {
        errors.push(Error::malformed("a model without outputs computes nothing").at_json("config.output_layers"));
    }
    let lookup = Lookup::new(&layers, &names, &calls, &outputs, cx);
    let inputs = lookup.ports(&inputs, &mut errors);
    let outputs = lookup.ports(&outputs, &mut errors);
    let returned =
        field(config, "output_layers", "outputLayers").map_or_else(Vec::new, |tree| in_order_of_keys(tree, &mut 0));
    let calls = lookup.calls(&calls, &mut errors);
    check_inputs(&inputs, &layers, &mut errors);
    if !errors.is_empty() {
        return Err(findings(errors, name));
    }
    for (entry, calls) in layers.iter_mut().zip(calls) {
        single::check_calls(&entry.name, &entry.class_name, &calls, cx);
        entry.calls = calls;
    }
    Ok(Submodel { name: name.to_string(), kind: SubmodelKind::Functional, inputs, outputs, returned, layers })
}

fn ok_or_push<T>(result: Result<T>, errors: &mut Vec<Error>) -> Option<T> {
    result.map_err(|error| errors.push(error)).ok()
}

fn read_layers(list: &[Value], cx: &ReadCx<'_>, errors: &mut Vec<Error>) -> Vec<LayerEntry> {
    let read = |(i, value)| read_entry(value, cx).map_err(|error| error.at_json(format!("config.layers[{i}]")));
    list.iter().enumerate().filter_map(|indexed| ok_or_push(read(indexed), errors)).collect()
}

/// The calls of each layer. Those of a layer with an error are kept if they can be read, so that references to them are
/// not further errors.
fn read_all_calls(
    layers: &[LayerEntry],
    list: &[Value],
    names: &HashMap<String, usize>,
    errors: &mut Vec<Error>,
) -> Vec<Vec<Call<NamedRef>>> {
    let mut all = Vec::with_capacity(list.len());
    for (entry, value) in layers.iter().zip(list) {
        let nodes = value.get("inbound_nodes").or_else(|| value.get("inboundNodes")).filter(|v| !v.is_null());
        let read = nodes.map_or(Ok(Vec::new()), |nodes| read_calls(nodes, &|n| names.contains_key(n)));
        let read = read.and_then(|calls| match (&entry.body, calls.len()) {
            (LayerBody::Input(_), 1..) => {
                Err(Error::malformed("an InputLayer has no inputs, expected an empty `inbound_nodes`"))
            }
            _ => Ok(calls),
        });
        let calls = ok_or_push(read.map_err(|e| e.at_layer(&entry.name)), errors).unwrap_or_default();
        errors.extend(check_calls(&calls).err().map(|e| e.at_layer(&entry.name)));
        all.push(calls);
    }
    all
}

/// The inputs of a model are InputLayers, each listed once.
fn check_inputs(inputs: &[Port], layers: &[LayerEntry], errors: &mut Vec<Error>) {
    let mut seen = HashSet::new();
    for port in inputs {
        if !seen.insert(port.tensor.layer) {
            errors.push(Error::malformed("listed twice in `input_layers`").at_layer(&port.name));
        }
        if !matches!(layers[port.tensor.layer].body, LayerBody::Input(_)) {
            errors.push(Error::malformed("listed in `input_layers` but not an InputLayer").at_layer(&port.name));
        }
    }
}

fn unique_names(layers: &[LayerEntry]) -> Result<HashMap<String, usize>> {
    let mut names = HashMap::with_capacity(layers.len());
    for (i, entry) in layers.iter().enumerate() {
        if names.insert(entry.name.clone(), i).is_some() {
            return Err(Error::malformed("two layers of a model have this name").at_layer(&entry.name));
        }
    }
    Ok(names)
}

/// An input or output as listed in the file.
struct NamedPort {
    key: Option<String>,
    tensor: NamedRef,
}

/// A value of the configuration, in either spelling.
fn field<'a>(config: &'a Map<String, Value>, key: &str, camel: &str) -> Option<&'a Value> {
    config.get(key).or_else(|| config.get(camel)).filter(|value| !value.is_null())
}

/// The ports at a key of the configuration.
fn read_ports_at(config: &Map<String, Value>, key: &str, camel: &str) -> Result<Vec<NamedPort>> {
    let value = field(config, key, camel);
    let value = value.ok_or_else(|| Error::malformed(format!("missing `{key}`")).at_json("config"))?;
    read_ports(value).map_err(|e| e.at_json(key).at_json("config"))
}

/// Reads `["x", 0, 0]` for a single one, a list of these for several, an object of these for models built from a dict.
fn read_ports(value: &Value) -> Result<Vec<NamedPort>> {
    if let Some(tensor) = NamedRef::read(value) {
        return Ok(vec![NamedPort { key: None, tensor }]);
    }
    match value {
        Value::Array(items) => {
            let nested: Result<Vec<Vec<NamedPort>>> =
                items.iter().enumerate().map(|(i, v)| read_ports(v).map_err(|e| e.at_json(format!("[{i}]")))).collect();
            Ok(nested?.into_iter().flatten().collect())
        }
        Value::Object(map) => {
            let mut ports = Vec::new();
            for (key, value) in map {
                for port in read_ports(value)? {
                    ports.push(NamedPort { key: Some(key.clone()), ..port });
                }
            }
            Ok(ports)
        }
        other => Err(expected("`[layer, node, tensor]`", other)),
    }
}

/// The indices of the ports of a tree, where `next` is the index of the first one, in the order in which Keras flattens
/// it: that of the file, but objects by their sorted keys.
fn in_order_of_keys(tree: &Value, next: &mut usize) -> Vec<usize> {
    if NamedRef::read(tree).is_some() {
        *next += 1;
        return vec![*next - 1];
    }
    match tree {
        Value::Array(items) => items.iter().flat_map(|item| in_order_of_keys(item, next)).collect(),
        Value::Object(map) => {
            let mut entries: Vec<(&String, Vec<usize>)> =
                map.iter().map(|(key, item)| (key, in_order_of_keys(item, next))).collect();
            entries.sort_by_key(|(key, _)| *key);
            entries.into_iter().flat_map(|(_, indices)| indices).collect()
        }
        _ => Vec::new(),
    }
}

/// The source of a reference.
#[derive(Clone, Copy, Debug)]
enum Of {
    /// An argument of a call.
    Call = 0,
    /// An input or output of the model.
    Model = 1,
}

/// Resolves the file's references to indices.
struct Lookup<'a> {
    layers: &'a [LayerEntry],
    names: &'a HashMap<String, usize>,
    /// The number of calls of each layer.
    calls: Vec<usize>,
    /// The node index in the file of a layer's first call: in calls, and in the model's outputs.
    first_node: Vec<[usize; 2]>,
    /// Suggestions for layer names.
    hints: Hints,
}

impl<'a> Lookup<'a> {
    fn new(
        layers: &'a [LayerEntry],
        names: &'a HashMap<String, usize>,
        calls: &[Vec<Call<NamedRef>>],
        outputs: &[NamedPort],
        cx: &ReadCx<'_>,
    ) -> Self {
        // A model has a node of its own before it is called. Keras 3 counts it for the outputs of the model but not in
        // calls; otherwise the indices in use show whether it is counted.
        let mut lowest: Vec<Option<usize>> = vec![None; layers.len()];
        let in_calls = calls.iter().flatten().flat_map(|call| call.tensors());
        for named in in_calls.chain(outputs.iter().map(|port| &port.tensor)) {
            if let Some(&i) = names.get(&named.layer) {
                lowest[i] = Some(lowest[i].map_or(named.node, |low| low.min(named.node)));
            }
        }
        let of_layer = layers.iter().zip(lowest);
        let first_node = of_layer
            .map(|(entry, low)| match (&entry.body, cx.producer.family, low) {
                (LayerBody::Model(model), Family::Keras3, _) => {
                    [0, usize::from(model.kind == SubmodelKind::Functional)]
                }
                (LayerBody::Model(_), _, Some(low)) => [usize::from(low > 0); 2],
                _ => [0, 0],
            })
            .collect();
        Lookup { layers, names, calls: calls.iter().map(Vec::len).collect(), first_node, hints: Hints::new(20) }
    }

    fn resolve(&self, named: &NamedRef, of: Of) -> Result<TensorRef> {
        let NamedRef { layer: name, node, tensor } = named;
        let Some(&layer) = self.names.get(name) else {
            let hint = self.hints.nearest(name, self.layers.iter().map(|entry| entry.name.as_str()));
            return Err(Error::malformed(format!(
                "takes an output of layer `{}`, which is not in the model{hint}",
                shorten(name)
            )));
        };
        if matches!(self.layers[layer].body, LayerBody::Input(_)) {
            return match (node, tensor) {
                (0, 0) => Ok(TensorRef { layer, call: 0, tensor: 0 }),
                (1.., _) => {
                    Err(Error::malformed(format!("takes call {node} of the input `{name}`, which is not called")))
                }
                _ => Err(Error::malformed(format!("takes output {tensor} of the input `{name}`, which has one"))),
            };
        }
        let counted = node.checked_sub(self.first_node[layer][of as usize]).filter(|&call| call < self.calls[layer]);
        // For a model that is called once, either index is unambiguous.
        let is_model = matches!(self.layers[layer].body, LayerBody::Model(_));
        match counted.or((is_model && self.calls[layer] == 1 && *node <= 1).then_some(0)) {
            Some(call) => Ok(TensorRef { layer, call, tensor: *tensor }),
            None => Err(Error::malformed(format!(
                "takes an output of call {node} of layer `{name}`, which is called {} times",
                self.calls[layer]
            ))),
        }
    }

    fn calls(&self, named: &[Vec<Call<NamedRef>>], errors: &mut Vec<Error>) -> Vec<Vec<Call<TensorRef>>> {
        let of_layer = |(entry, calls): (&LayerEntry, &Vec<Call<NamedRef>>)| {
            let resolved = calls.iter().map(|call| call.try_map(|named| self.resolve(named, Of::Call)));
            resolved.filter_map(|call| ok_or_push(call.map_err(|e| e.at_layer(&entry.name)), errors)).collect()
        };
        self.layers.iter().zip(named).map(of_layer).collect()
    }

    fn ports(&self, named: &[NamedPort], errors: &mut Vec<Error>) -> Vec<Port> {
        let mut ports = Vec::with_capacity(named.len());
        for NamedPort { key, tensor } in named {
            match self.resolve(tensor, Of::Model) {
                Ok(resolved) => ports.push(Port { name: tensor.layer.clone(), key: key.clone(), tensor: resolved }),
                Err(error) => {
                    errors.push(Error::malformed(format!("an input or output of the model {}", error.message())))
                }
            }
        }
        ports
    }
}
