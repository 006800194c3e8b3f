//! Lowers one call of a layer: its entry in the call table, its instance, its masks, and its primitives.

use super::scope::{Place, Scoped};
use super::{Frame, Instance, KerasTensor, LowerCx};
use crate::call::{Arg, Call};
use crate::def::{LayerBody, LayerEntry};
use crate::graph::{Callee, GraphLayer, LayerId, Node, ValueId, ValueInfo};
use crate::layer::Scope;
use crate::ops::narrow;
use serde_json::Value as Json;
use tfjs_ir::{ElementType, Origin};
use tfjs_manifest::account::text_bytes;
use tfjs_manifest::{Error, Limits, Result};

/// A Keras tensor, and its index in the call table; inside a wrapper it has none.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) tensor: KerasTensor,
    pub(super) id: Option<ValueId>,
}

/// Where rows of different lengths cannot go.
pub(super) const RAGGED: &str = "rows of different lengths, of a `TextVectorization` with `ragged`, are not supported here: they go into \
                                 `Embedding`, `Dense`, `Dropout`, global pools over time and recurrent layers that return \
                                 their last output";

impl LowerCx<'_> {
    /// Lowers a call of a layer or an operation of the model.
    pub(super) fn call(
        &mut self,
        entry: &LayerEntry,
        scope: &Scoped,
        object: &str,
        call: &Call<Edge>,
    ) -> Result<Vec<Edge>> {
        let path = format!("{}{}", scope.path, entry.name);
        self.call_at(entry, &path, scope, object, call).map_err(|e| e.at_layer(&path))
    }

    fn call_at(
        &mut self,
        entry: &LayerEntry,
        path: &str,
        scope: &Scoped,
        object: &str,
        call: &Call<Edge>,
    ) -> Result<Vec<Edge>> {
        let callee = callee(entry)?;
        self.spend(1)?;
        let layer = self.layer(entry, &callee, path, scope, object)?;
        let instance = self.instance(0, entry, layer);
        let node = self.graph.nodes.len();
        let origin = Origin { layer: path.into(), call: u32::try_from(node).ok(), ..Origin::default() };
        let outer = self.builder.set_origin(origin)?;
        let frame = Frame { instance, taken: 0, prefix: Vec::new(), trainable: entry.trainable() };
        let tensors = call.try_map(|edge| Ok::<_, Error>(edge.tensor.clone()))?;
        let outputs = self.lowered(frame, &callee, tensors);
        self.builder.restore_origin(outer);
        self.record(layer, call, outputs?)
    }

    /// Lowers a layer or a model inside a wrapper, as part of the call of the wrapper. `scope` is the object that
    /// holds its weights.
    ///
    /// # Errors
    /// Those of the inner layer.
    pub fn lower_inner(
        &mut self,
        entry: &LayerEntry,
        scope: Scope,
        call: Call<KerasTensor>,
    ) -> Result<Vec<KerasTensor>> {
        let outer = self.frames.last().ok_or_else(|| Error::bug("a wrapper outside of a call"))?;
        let mut prefix = outer.prefix.clone();
        prefix.push(scope);
        let (holder, trainable) = (outer.instance + 1, entry.trainable());
        match &entry.body {
            LayerBody::Model(model) => {
                let inputs = call.inputs().into_iter().map(|t| Edge { tensor: t.clone(), id: None }).collect();
                let training = self.enter_training(&call)?;
                let outputs = self.inline(model, &Scoped::root(model), Some((holder, &prefix)), inputs);
                self.leave_training(training);
                let outputs = outputs?;
                Ok(model
                    .returned
                    .iter()
                    .filter_map(|&index| outputs.get(index))
                    .map(|edge| edge.tensor.clone())
                    .collect())
            }
            _ => self.inner_call(holder, entry, prefix, trainable, call),
        }
    }

    /// Lowers a call of a layer inside a wrapper or a wrapped model.
    pub(super) fn inner_call(
        &mut self,
        holder: usize,
        entry: &LayerEntry,
        prefix: Vec<Scope>,
        trainable: bool,
        call: Call<KerasTensor>,
    ) -> Result<Vec<KerasTensor>> {
        self.spend(1)?;
        let callee = callee(entry)?;
        let layer = self.known[holder - 1].layer;
        let instance = self.instance(holder, entry, layer);
        self.lowered(Frame { instance, taken: 0, prefix, trainable }, &callee, call)
    }

    fn lowered(&mut self, frame: Frame, callee: &Callee, call: Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        if !callee.def().takes_complex() && call.tensors().iter().any(|tensor| tensor.imaginary.is_some()) {
            let message = "a complex tensor is not supported here: take its `abs`, `real`, `imag` or `angle` first";
            return Err(Error::unsupported(message));
        }
        if !callee.def().takes_ragged() && call.tensors().iter().any(|tensor| tensor.ragged) {
            return Err(Error::unsupported(RAGGED));
        }
        let call = self.with_constants(callee, call)?;
        let call = self.with_explicit_mask(self.without_forgotten(call)?)?;
        let training = self.enter_training(&call)?;
        self.frames.push(frame);
        // DIFFERENCE: in TensorFlow.js a mask reaches every later layer; here each layer decides whether to pass it on.
        let outputs = callee.def().lower(self, &call);
        let outputs = outputs.and_then(|outputs| narrow::passed_on(self, callee, &call, outputs));
        self.frames.pop();
        self.leave_training(training);
        // This includes the layers inside wrappers, which are in no call table.
        for tensor in outputs.iter().flatten() {
            self.keras_type(self.ty(tensor.value)).check_size(self.limits)?;
        }
        outputs
    }

    /// Whether a layer, not an operation, added a node.
    pub(crate) fn is_of_layer(&self, node: &tfjs_ir::Node) -> bool {
        let origin = self.builder.program().origins.get(node.origin.index());
        let call = origin.and_then(|origin| self.graph.nodes.get(usize::try_from(origin.call?).ok()?));
        call.is_some_and(|call| matches!(self.graph.layer(call).callee, Callee::Layer(_)))
    }

    /// Applies the `training` argument of a call to the calls inside it, if the producer uses it.
    pub(super) fn enter_training<T>(&mut self, call: &Call<T>) -> Result<bool> {
        let given = match call.kwarg("training") {
            Some(Arg::Const(value)) => match &**value {
                Json::Bool(training) => Some(*training),
                Json::Number(n) => Some(n.as_f64() != Some(0.0)),
                _ => None,
            },
            None => None,
            Some(_) => return Err(Error::unsupported("`training` is a tensor, which is not supported")),
        };
        let obeyed = given.filter(|_| self.obeys_training);
        self.training.extend(obeyed);
        Ok(obeyed.is_some())
    }

    pub(super) fn leave_training(&mut self, entered: bool) {
        if entered {
            self.training.pop();
        }
    }

    /// Spends calls from the model's budget.
    pub(super) fn spend(&mut self, calls: u64) -> Result<()> {
        self.graph.expanded = self.graph.expanded.saturating_add(calls);
        let what = "nodes (calls of layers, shared models and wrappers expanded)";
        Limits::check(what, self.graph.expanded, self.limits.nodes)
    }

    /// The layer of a call in the call table; it is added on the first call.
    fn layer(
        &mut self,
        entry: &LayerEntry,
        callee: &Callee,
        path: &str,
        scope: &Scoped,
        object: &str,
    ) -> Result<LayerId> {
        if let Some(&instance) = self.instances.get(&(0, std::ptr::from_ref(entry))) {
            return Ok(self.known[instance].layer);
        }
        self.account.charge_many::<GraphLayer>(1)?;
        self.account.charge(text_bytes(path) + text_bytes(object))?;
        let layer = LayerId(self.graph.layers.len());
        let object_path = format!("{}{object}", scope.object_path);
        self.places.insert(layer, Place { models: scope.models.clone(), object_path });
        self.graph.layers.push(GraphLayer {
            path: path.to_string(),
            name: entry.name.clone(),
            class_name: entry.class_name.clone(),
            config: entry.config.clone(),
            callee: callee.clone(),
            slots: Vec::new(),
            trainable: entry.trainable(),
        });
        Ok(layer)
    }

    /// The instance of an entry inside its holder: 0 is the model, `i + 1` is instance `i`.
    fn instance(&mut self, holder: usize, entry: &LayerEntry, layer: LayerId) -> usize {
        let known = &mut self.known;
        *self.instances.entry((holder, std::ptr::from_ref(entry))).or_insert_with(|| {
            known.push(Instance { layer, slots: Vec::new() });
            known.len() - 1
        })
    }

    /// Adds a call to the call table.
    fn record(&mut self, layer: LayerId, call: &Call<Edge>, outputs: Vec<KerasTensor>) -> Result<Vec<Edge>> {
        let node = self.graph.nodes.len();
        self.pay(call.bytes(), outputs.len())?;
        let mut edges = Vec::with_capacity(outputs.len());
        for tensor in outputs {
            let ty = self.keras_type(self.ty(tensor.value));
            ty.check_size(self.limits)?;
            edges.push(Edge { id: Some(self.new_value(&tensor, ty, Some(node))), tensor });
        }
        let id = |edge: &Edge| edge.id.ok_or_else(|| Error::bug("a call of the model with a value of a wrapper"));
        let call = call.try_map(id)?;
        let outputs = edges.iter().filter_map(|edge| edge.id).collect();
        self.graph.nodes.push(Node { layer, call, outputs });
        Ok(edges)
    }

    /// Spends the memory of a call: its arguments and outputs, and what it added to the program, of which passes and engines
    /// make more copies.
    fn pay(&mut self, arguments: u64, outputs: usize) -> Result<()> {
        const COPIES: u64 = 8;
        let built = self.builder.bytes();
        self.account.charge((built - self.paid).saturating_mul(COPIES))?;
        self.paid = built;
        self.account.charge_many::<Node>(1)?;
        self.account.charge(arguments)?;
        self.account.charge_many::<(ValueId, ValueInfo)>(outputs)
    }

    /// Adds a value to the call table.
    pub(super) fn new_value(
        &mut self,
        tensor: &KerasTensor,
        ty: crate::types::TensorType,
        node: Option<usize>,
    ) -> ValueId {
        self.graph.values.push(ValueInfo { ty, node, masked: tensor.mask.is_some() });
        self.values.push(tensor.value);
        ValueId(self.graph.values.len() - 1)
    }

    /// The call without the masks that an attention layer removed.
    fn without_forgotten(&self, call: Call<KerasTensor>) -> Result<Call<KerasTensor>> {
        if self.forgotten.is_empty() {
            return Ok(call);
        }
        call.try_map(|tensor| {
            let mask = tensor.mask.filter(|_| !self.forgotten.contains(&tensor.value));
            Ok(tensor.clone().with_mask(mask))
        })
    }

    /// Applies the keyword argument `mask` of Keras 3, which replaces the masks of the inputs.
    fn with_explicit_mask(&mut self, mut call: Call<KerasTensor>) -> Result<Call<KerasTensor>> {
        let given = match call.kwarg("mask") {
            Some(Arg::Tensor(mask)) => vec![Some(mask.value)],
            Some(Arg::List(masks)) => masks.iter().map(|mask| mask.tensor().map(|mask| mask.value)).collect(),
            _ => return Ok(call),
        };
        let mut masks = Vec::with_capacity(given.len());
        for mask in given {
            masks.push(mask.map(|mask| self.truth(mask)).transpose()?);
        }
        let mut masks = masks.into_iter();
        for arg in &mut call.args {
            set_masks(arg, &mut masks);
        }
        Ok(call)
    }

    fn truth(&mut self, mask: tfjs_ir::Value) -> Result<tfjs_ir::Value> {
        if self.ty(mask).element == ElementType::String {
            return Err(Error::malformed("expected a mask, found strings"));
        }
        self.cast(mask, ElementType::Bool)
    }
}

fn callee(entry: &LayerEntry) -> Result<Callee> {
    match &entry.body {
        LayerBody::Layer(layer) => Ok(Callee::Layer(layer.clone())),
        LayerBody::Op(op) => Ok(Callee::Op(op.clone())),
        LayerBody::Input(_) | LayerBody::Model(_) => Err(Error::bug("an input or a model is not called")),
    }
}

fn set_masks(arg: &mut Arg<KerasTensor>, masks: &mut impl Iterator<Item = Option<tfjs_ir::Value>>) {
    match arg {
        Arg::Tensor(tensor) => {
            if let Some(mask) = masks.next() {
                tensor.mask = mask;
            }
        }
        Arg::List(items) => items.iter_mut().for_each(|a| set_masks(a, masks)),
        Arg::Dict(items) => items.iter_mut().for_each(|(_, a)| set_masks(a, masks)),
        Arg::Const(_) => {}
    }
}
