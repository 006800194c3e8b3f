//! The result of lowering a file: the call table, the slots, the program.

use super::LowerCx;
use super::call::{Edge, RAGGED};
use super::scope::Scoped;
use super::tensor::{KerasTensor, element};
use crate::call::Call;
use crate::def::{LayerBody, LayerEntry, ModelDef, Port, Submodel};
use crate::graph::{GraphPort, ModelGraph, port_named};
use crate::ops::narrow::Narrow;
use crate::types::{SymShape, TensorType};
use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use tfjs_ir::{Dim, Program, Type, Value};
use tfjs_manifest::{Error, Limits, Result, Setting, Warnings};

/// The phase that a model is lowered for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Prediction.
    #[default]
    Predict,
    /// Training: dropout drops, batch normalization uses the batch and updates its statistics.
    Train,
}

/// Options of lowering.
#[derive(Clone, Debug, Default)]
pub struct LowerOptions {
    /// Shapes of inputs, including the batch, by name: required if the file does not declare them.
    pub input_shapes: HashMap<String, SymShape>,
    /// The limits.
    pub limits: Limits,
    /// The phase.
    pub phase: Phase,
}

/// A model: the calls of its layers and the program they compute.
#[derive(Clone)]
pub struct Model {
    /// The layers, their calls, and the slots of their weights.
    pub graph: ModelGraph,
    /// The program. Its inputs are the graph's, then a seed if it draws random numbers; its slots are the
    /// graph's.
    pub program: Program,
    /// The program's value for each value of the graph.
    pub values: Vec<Value>,
    /// The opaque functions of custom layers, which only a runtime can call.
    pub opaques: Vec<Arc<dyn Any + Send + Sync>>,
    /// Findings that do not stop the model from loading.
    pub warnings: Warnings,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("graph", &self.graph).field("program", &self.program).finish_non_exhaustive()
    }
}

/// Lowers a model.
///
/// # Errors
/// A cycle, an input that a layer rejects, a window larger than its input, a missing input shape, a graph that exceeds
/// its limits: each naming the layer.
///
/// A batch size that the file fixes is ignored unless a layer needs it, because the producers predict with any size.
/// Layers with states need it.
pub fn lower(def: &ModelDef, options: &LowerOptions) -> Result<Model> {
    if fixes_one_batch(def, options)
        && let Ok((model, false)) = lower_with(def, options, Batch::Open)
    {
        return Ok(model);
    }
    lower_with(def, options, Batch::AsWritten).map(|(model, _)| model)
}

/// Whether the batch size that a file fixes is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batch {
    Open,
    AsWritten,
}

/// Whether the file, and not the caller, fixes the batch size of all inputs at one number.
fn fixes_one_batch(def: &ModelDef, options: &LowerOptions) -> bool {
    let batch = |shape: &SymShape| shape.dims().first().copied().flatten();
    let declared = def.root.inputs.iter().filter_map(|port| match &def.root.layers.get(port.tensor.layer)?.body {
        LayerBody::Input(Some(ty)) => batch(&ty.shape),
        _ => None,
    });
    let mut sizes: Vec<usize> = declared.collect();
    sizes.dedup();
    sizes.len() == 1 && options.input_shapes.values().all(|shape| batch(shape).is_none())
}

/// Lowers the model. Also returns whether a layer keeps states, which need the batch size.
fn lower_with(def: &ModelDef, options: &LowerOptions, batch: Batch) -> Result<(Model, bool)> {
    let LowerOptions { input_shapes, limits, phase } = options;
    let mut cx = LowerCx::new(limits, *phase, def.producer.obeys_training());
    (cx.graph.keras1, cx.graph.backend) = (def.producer.is_keras1(), def.producer.backend);
    cx.calls_by_depth = !def.producer.is_tfjs();
    cx.flat_inputs = !def.producer.is_keras3();
    cx.account.charge(def.built_bytes)?;
    let mut ports = Vec::new();
    let mut edges = Vec::new();
    let names = unique(def.root.inputs.iter().map(|p| p.name.clone()).collect());
    let keys = other_names(&def.root.inputs, &names);
    let shapes = shapes_of_inputs(&names, &keys, input_shapes)?;
    for (((port, name), key), shape) in def.root.inputs.iter().zip(names).zip(keys).zip(shapes) {
        let mut ty = root_input(&def.root, port.tensor.layer, shape, &name)?;
        if let (Batch::Open, Some(size)) = (batch, ty.shape.0.first_mut()) {
            *size = None;
        }
        let mut edge = cx.root_edge(&name, ty).map_err(|e| e.at_value(&name))?;
        let written = def.root.layers.get(port.tensor.layer).and_then(|entry| entry.config.get("dtype")?.as_str());
        edge.tensor.narrow = written.and_then(Narrow::of_name);
        ports.extend(edge.id.map(|value| GraphPort { name, key, value }));
        edges.push(edge);
    }
    let outputs = cx.inline(&def.root, &Scoped::root(&def.root), None, edges)?;
    let names = unique(def.root.outputs.iter().map(|p| p.name.clone()).collect());
    let keys = other_names(&def.root.outputs, &names);
    let named = names.into_iter().zip(keys).zip(outputs);
    let keeps_states = cx.keeps_states || !cx.states.is_empty();
    let LowerCx { builder, mut graph, values, opaques, warnings, .. } = cx;
    graph.name = def.root.name.clone();
    graph.inputs = ports;
    let mut results = Vec::new();
    for ((name, key), edge) in named {
        let value = edge.id.ok_or_else(|| Error::bug("an output of the model inside of a wrapper"))?;
        if edge.tensor.imaginary.is_some() {
            return Err(Error::unsupported("an output of complex numbers is not supported").at_value(&name));
        }
        if edge.tensor.ragged {
            return Err(Error::unsupported(RAGGED).at_value(&name));
        }
        results.push((name.clone(), edge.tensor.value));
        graph.outputs.push(GraphPort { name, key, value });
    }
    let program = builder.finish(results)?;
    Ok((Model { graph, program, values, opaques, warnings }, keeps_states))
}

/// The keys of ports that have another name: of a model built from a dictionary. A key of several ports names none.
fn other_names(ports: &[Port], names: &[String]) -> Vec<Option<String>> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for key in ports.iter().filter_map(|port| port.key.as_deref()) {
        *counts.entry(key).or_default() += 1;
    }
    let of_one = |key: &&String| counts.get(key.as_str()) == Some(&1);
    let key = |(port, name): (&Port, &String)| port.key.as_ref().filter(|key| *key != name).filter(of_one).cloned();
    ports.iter().zip(names).map(key).collect()
}

/// The shapes that the caller gives, in the order of the inputs.
fn shapes_of_inputs<'a>(
    names: &[String],
    keys: &[Option<String>],
    given: &'a HashMap<String, SymShape>,
) -> Result<Vec<Option<&'a SymShape>>> {
    // SIZE: the number of inputs in the file.
    let mut shapes = vec![None; names.len()];
    for (name, shape) in given {
        let ports = names.iter().map(String::as_str).zip(keys.iter().map(Option::as_deref));
        let known = || names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let Some(place) = port_named(ports, name).and_then(|i| shapes.get_mut(i)) else {
            return Err(Error::misuse(format!("a shape is given for input `{name}`, the model has {}", known())));
        };
        if place.replace(shape).is_some() {
            return Err(Error::misuse(format!("two shapes are given for input `{name}`, the model has {}", known())));
        }
    }
    Ok(shapes)
}

impl LowerCx<'_> {
    /// An input of the model. Its unknown batch is the program's batch symbol; every other unknown axis is its own
    /// symbol.
    pub(super) fn root_edge(&mut self, name: &str, ty: TensorType) -> Result<Edge> {
        ty.check_size(self.limits)?;
        let mut dims: Vec<Dim> = Vec::with_capacity(ty.shape.rank());
        for (axis, dim) in ty.shape.dims().iter().enumerate() {
            dims.push(match dim {
                Some(n) => self.builder.number(*n),
                None if axis == 0 => self.builder.dims().symbol("batch"),
                None => self.builder.dims().symbol(&format!("{name}.{axis}")),
            });
        }
        let value = self.builder.input(name, Type::new(element(ty.dtype), dims))?;
        let tensor = KerasTensor::from(value);
        Ok(Edge { id: Some(self.new_value(&tensor, ty, None)), tensor })
    }
}

/// The calls of a layer or model inside a wrapper, for inputs of these types, as a separate graph.
///
/// # Errors
/// Those of the inner layer.
pub(crate) fn lower_entry(entry: &LayerEntry, inputs: &[TensorType], limits: &Limits) -> Result<ModelGraph> {
    let mut cx = LowerCx::new(limits, Phase::Predict, false);
    let named = inputs.iter().enumerate().map(|(i, ty)| cx.root_edge(&format!("{}:{i}", entry.name), ty.clone()));
    let edges = named.collect::<Result<Vec<Edge>>>()?;
    match &entry.body {
        LayerBody::Model(model) => cx.inline(model, &Scoped::root(model), None, edges)?,
        _ => cx.call(entry, &Scoped::default(), "", &Call::of(edges))?,
    };
    Ok(cx.graph)
}

/// Makes names unique: the first occurrence of each name is unchanged, later ones get the first suffix of `:1`, `:2`,
/// ... that does not occur in the file. `f`, `f`, `f:1` become `f`, `f:2`, `f:1`.
fn unique(names: Vec<String>) -> Vec<String> {
    let of_file: HashSet<&str> = names.iter().map(String::as_str).collect();
    // The last number of each name.
    let mut numbers: HashMap<&str, u64> = HashMap::new();
    let mut made: HashSet<String> = HashSet::new();
    let mut unique = Vec::with_capacity(names.len());
    for name in &names {
        let mut candidate = name.clone();
        match numbers.get_mut(name.as_str()) {
            None => drop(numbers.insert(name, 0)),
            Some(number) => loop {
                *number += 1;
                candidate = format!("{name}:{number}");
                if !of_file.contains(candidate.as_str()) && made.insert(candidate.clone()) {
                    break;
                }
            },
        }
        unique.push(candidate);
    }
    unique
}

fn root_input(root: &Submodel, layer: usize, given: Option<&SymShape>, name: &str) -> Result<TensorType> {
    let declared = match root.layers.get(layer).map(|entry| &entry.body) {
        Some(LayerBody::Input(declared)) => declared.clone(),
        _ => return Err(Error::malformed("listed as an input but not an InputLayer").at_value(name)),
    };
    match (declared, given) {
        (Some(ty), None) => Ok(ty),
        (Some(ty), Some(shape)) => {
            if ty.shape.rank() != shape.rank() {
                let message = format!("the file declares shape {}, the caller gives {shape}", ty.shape);
                return Err(Error::misuse(message).at_value(name));
            }
            Ok(TensorType { shape: shape.clone(), ..ty })
        }
        (None, Some(shape)) => Ok(TensorType::float(shape.clone())),
        (None, None) => {
            let message = format!("the file does not say the input's shape; give it with {}", Setting::InputShape);
            Err(Error::unsupported(message).at_value(name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &[&str], expect: &[&str]) {
        assert_eq!(unique(names.iter().map(|&name| name.to_owned()).collect()), expect);
    }

    #[test]
    fn repeated_names_are_numbered_until_free() {
        check(&["f", "g"], &["f", "g"]);
        check(&["f", "f", "f"], &["f", "f:1", "f:2"]);
        check(&["f", "f", "f:1"], &["f", "f:2", "f:1"]);
        check(&["f:1", "f", "f"], &["f:1", "f", "f:2"]);
        check(&["f", "f:1", "f", "f:1", "f"], &["f", "f:1", "f:2", "f:1:1", "f:3"]);
        check(&["f", "f", "f:1", "f:1", "f:1:1"], &["f", "f:2", "f:1", "f:1:2", "f:1:1"]);
        check(&["", "", ":1"], &["", ":2", ":1"]);
    }

    #[test]
    fn many_names_that_collide_take_no_time() {
        // All suffixes of `f` up to the last are taken.
        let names: Vec<String> = (0..50_000).flat_map(|i| ["f".to_owned(), format!("f:{i}")]).collect();
        let unique: HashSet<String> = unique(names).into_iter().collect();
        assert_eq!(unique.len(), 100_000);
    }
}
