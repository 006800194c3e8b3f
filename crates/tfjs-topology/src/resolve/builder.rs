//! Builds the flat graph: inlines submodels, infers types, makes slots, spends the node budget.

use super::order::execution_order;
use crate::call::{Arg, Call};
use crate::config::to_snake_case;
use crate::def::{LayerBody, LayerEntry, Submodel, SubmodelKind};
use crate::graph::{
    Callee, GraphLayer, GraphPort, LayerId, ModelGraph, ModelScope, Node, SlotId, ValueId, ValueInfo, WeightSlot,
};
use crate::layer::WeightDecl;
use crate::types::TensorType;
use std::collections::HashMap;
use tfjs_manifest::{Error, Limits, Result};

/// The models around a layer.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// Their names below the root, joined by `/`, ending in one if not empty.
    pub path: String,
    /// Their object path, as `.keras` files write it, ending in `/` if not empty.
    pub object_path: String,
    /// What the names of weights may carry.
    pub models: Vec<ModelScope>,
}

impl Scope {
    pub(super) fn root(model: &Submodel) -> Self {
        Scope { path: String::new(), object_path: String::new(), models: vec![model_scope(model)] }
    }

    fn inside(&self, entry: &LayerEntry, model: &Submodel, object: &str) -> Self {
        let mut models = self.models.clone();
        models.push(ModelScope { name: entry.name.clone(), ..model_scope(model) });
        Scope {
            path: format!("{}{}/", self.path, entry.name),
            object_path: format!("{}{object}/", self.object_path),
            models,
        }
    }
}

fn model_scope(model: &Submodel) -> ModelScope {
    ModelScope { name: model.name.clone(), sequential: model.kind == SubmodelKind::Sequential }
}

pub(super) struct Builder<'a> {
    limits: &'a Limits,
    graph: ModelGraph,
    /// The instance of each entry of the tree of definitions: a shared layer has one.
    instances: HashMap<*const LayerEntry, LayerId>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Builder { limits, graph: ModelGraph::default(), instances: HashMap::new() }
    }

    /// A value that comes from outside.
    pub(super) fn input(&mut self, ty: TensorType) -> Result<ValueId> {
        ty.check_size(self.limits)?;
        self.graph.values.push(ValueInfo { ty, node: None });
        Ok(ValueId(self.graph.values.len() - 1))
    }

    pub(super) fn finish(mut self, name: String, inputs: Vec<GraphPort>, outputs: Vec<GraphPort>) -> ModelGraph {
        self.graph.name = name;
        self.graph.inputs = inputs;
        self.graph.outputs = outputs;
        self.graph
    }

    /// Appends the calls of a submodel for these inputs and gives its outputs.
    pub(super) fn inline(&mut self, model: &Submodel, scope: &Scope, inputs: &[ValueId]) -> Result<Vec<ValueId>> {
        let mut values: HashMap<(usize, usize), Vec<ValueId>> = HashMap::new();
        if model.inputs.len() != inputs.len() {
            return Err(Error::malformed(format!(
                "model `{}` has {} inputs, found {}",
                model.name,
                model.inputs.len(),
                inputs.len()
            )));
        }
        for (port, &value) in model.inputs.iter().zip(inputs) {
            self.check_input(model, port.tensor.layer, value)?;
            values.insert((port.tensor.layer, 0), vec![value]);
        }
        let objects = object_names(model);
        let lookup = |values: &HashMap<(usize, usize), Vec<ValueId>>, tensor: &crate::def::TensorRef| {
            let of_call = values.get(&(tensor.layer, tensor.call));
            of_call.and_then(|outputs| outputs.get(tensor.tensor)).copied().ok_or_else(|| {
                let from = &model.layers[tensor.layer];
                match (&from.body, of_call) {
                    (LayerBody::Input(_), _) => Error::malformed(format!(
                        "takes the input `{}`, which is not among the model's inputs",
                        from.name
                    )),
                    (_, found) => Error::malformed(format!(
                        "takes output {} of layer `{}`, which has {}",
                        tensor.tensor,
                        from.name,
                        found.map_or(0, Vec::len)
                    )),
                }
            })
        };
        for (layer, call) in execution_order(model)? {
            let entry = &model.layers[layer];
            let path = format!("{}{}", scope.path, entry.name);
            let what = "name_chars (a layer's name and those of the models around it)";
            Limits::check(what, path.chars().count() as u64, self.limits.name_chars).map_err(|e| e.at_layer(&path))?;
            let arguments = entry.calls[call].try_map(|t| lookup(&values, t)).map_err(|e| e.at_layer(&path))?;
            let outputs = match &entry.body {
                LayerBody::Model(inner) => {
                    // A model without layers costs a call all the same, or a nest of them would be free.
                    self.spend(1).map_err(|e| e.at_layer(&path))?;
                    let inputs = model_inputs(inner, &arguments).map_err(|e| e.at_layer(&path))?;
                    self.inline(inner, &scope.inside(entry, inner, &objects[layer]), &inputs)?
                }
                _ => self.call(entry, &path, scope, &objects[layer], arguments)?,
            };
            values.insert((layer, call), outputs);
        }
        let mut outputs = Vec::with_capacity(model.outputs.len());
        for port in &model.outputs {
            outputs.push(lookup(&values, &port.tensor).map_err(|e| {
                Error::malformed(format!("an output of model `{}` {}", model.name, e.message())).at_layer(&port.name)
            })?);
        }
        Ok(outputs)
    }

    /// Appends one call of a layer or an operation.
    pub(super) fn call(
        &mut self,
        entry: &LayerEntry,
        path: &str,
        scope: &Scope,
        object: &str,
        call: Call<ValueId>,
    ) -> Result<Vec<ValueId>> {
        let callee = match &entry.body {
            LayerBody::Layer(layer) => Callee::Layer(layer.clone()),
            LayerBody::Op(op) => Callee::Op(op.clone()),
            LayerBody::Input(_) | LayerBody::Model(_) => return Err(Error::bug("an input or a model is not called")),
        };
        let types = call.try_map(|value| Ok::<_, Error>(self.graph.ty(*value).clone()))?;
        let at = |e: Error| e.at_layer(path);
        let outputs = callee.def().infer(&types).map_err(at)?;
        self.spend(callee.def().expanded(&types).map_err(at)?).map_err(at)?;
        let weights = callee.def().weights(&types).map_err(at)?;
        let mask = callee.def().mask();
        let layer = match self.instances.get(&std::ptr::from_ref(entry)) {
            Some(&layer) => {
                self.check_shared(layer, &weights).map_err(at)?;
                layer
            }
            None => self.add_layer(entry, callee, path, scope, object, weights).map_err(at)?,
        };
        let node = self.graph.nodes.len();
        let mut values = Vec::with_capacity(outputs.len());
        for ty in outputs {
            ty.check_size(self.limits).map_err(at)?;
            self.graph.values.push(ValueInfo { ty, node: Some(node) });
            values.push(ValueId(self.graph.values.len() - 1));
        }
        self.graph.nodes.push(Node { layer, call, mask, outputs: values.clone() });
        Ok(values)
    }

    /// Spends calls from the budget of the whole model.
    fn spend(&mut self, calls: u64) -> Result<()> {
        self.graph.expanded = self.graph.expanded.saturating_add(calls);
        let what = "nodes (calls of layers, shared models and wrappers expanded)";
        Limits::check(what, self.graph.expanded, self.limits.nodes)
    }

    fn add_layer(
        &mut self,
        entry: &LayerEntry,
        callee: Callee,
        path: &str,
        scope: &Scope,
        object: &str,
        weights: Vec<WeightDecl>,
    ) -> Result<LayerId> {
        let layer = LayerId(self.graph.layers.len());
        let trainable = entry.trainable();
        let mut slots = Vec::with_capacity(weights.len());
        let mut counters: HashMap<Vec<String>, usize> = HashMap::new();
        for decl in weights {
            let holder: Vec<String> = decl.scope.iter().map(|s| s.attr.clone()).collect();
            let index = counters.entry(holder).or_insert(0);
            slots.push(SlotId(self.graph.slots.len()));
            Limits::check("tensors", self.graph.slots.len() as u64 + 1, self.limits.tensors)?;
            self.graph.slots.push(WeightSlot {
                layer,
                models: scope.models.clone(),
                layer_name: entry.name.clone(),
                object_path: format!("{}{object}", scope.object_path),
                index: *index,
                trainable: trainable && decl.trainable,
                decl,
            });
            *index += 1;
        }
        self.graph.layers.push(GraphLayer {
            path: path.to_string(),
            name: entry.name.clone(),
            class_name: entry.class_name.clone(),
            config: entry.config.clone(),
            callee,
            slots,
            trainable,
        });
        self.instances.insert(std::ptr::from_ref(entry), layer);
        Ok(layer)
    }

    /// A shared layer must need the same weights at each of its calls.
    fn check_shared(&self, layer: LayerId, weights: &[WeightDecl]) -> Result<()> {
        let known = self.graph.layers[layer.0].slots.iter().map(|slot| &self.graph.slots[slot.0].decl);
        for (known, found) in known.zip(weights) {
            if known.shape != found.shape {
                return Err(Error::malformed(format!(
                    "its calls need different weights: `{}` {} for one, {} for another",
                    found.name, known.shape, found.shape
                )));
            }
        }
        Ok(())
    }

    /// What a nested model's input declares must fit what it is called with.
    fn check_input(&self, model: &Submodel, layer: usize, value: ValueId) -> Result<()> {
        let Some(LayerEntry { name, body: LayerBody::Input(Some(declared)), .. }) = model.layers.get(layer) else {
            return Ok(());
        };
        let found = self.graph.ty(value);
        let dims = |(want, is): (&Option<usize>, &Option<usize>)| want.is_none() || is.is_none() || want == is;
        // The batch is whatever it is called with.
        let fits = declared.shape.rank() == found.shape.rank()
            && declared.shape.dims().iter().zip(found.shape.dims()).skip(1).all(dims);
        if fits {
            return Ok(());
        }
        Err(Error::malformed(format!(
            "input `{name}` of model `{}` is declared as {}, called with {}",
            model.name, declared.shape, found.shape
        )))
    }
}

/// The inputs of a nested model's call in the order of its ports; a dict is matched by key, then by name.
fn model_inputs(model: &Submodel, call: &Call<ValueId>) -> Result<Vec<ValueId>> {
    let [Arg::Dict(items)] = &call.args[..] else {
        return Ok(call.inputs().into_iter().copied().collect());
    };
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (i, (key, _)) in items.iter().enumerate() {
        first.entry(key).or_insert(i);
    }
    model
        .inputs
        .iter()
        .map(|port| {
            let key = port.key.as_ref().unwrap_or(&port.name);
            let found = [key, &port.name].into_iter().filter_map(|name| first.get(name.as_str()).copied()).min();
            found
                .and_then(|i| items[i].1.tensor().copied())
                .ok_or_else(|| Error::malformed(format!("is called without its input `{key}`")))
        })
        .collect()
}

/// The names `.keras` files give the layers of a model: the class in snake case, counted from the second on.
fn object_names(model: &Submodel) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    model
        .layers
        .iter()
        .map(|entry| {
            if matches!(entry.body, LayerBody::Op(_)) {
                return String::new();
            }
            let class = entry.class_name.rsplit('>').next().unwrap_or(&entry.class_name);
            let base = match &entry.body {
                // Old files say `Model` for what is now `Functional`.
                LayerBody::Model(m) if m.kind == SubmodelKind::Functional => "functional".to_string(),
                _ => to_snake_case(class),
            };
            let count = counts.entry(base.clone()).or_insert(0);
            *count += 1;
            if *count == 1 { format!("layers/{base}") } else { format!("layers/{base}_{}", *count - 1) }
        })
        .collect()
}
