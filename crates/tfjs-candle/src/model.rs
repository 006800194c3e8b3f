//! The model: a graph, its weights, an engine; `predict(&self)` from any number of threads.

use crate::custom::CustomLayers;
use crate::engine::native::{Concrete, LazyPlan, NativePlan};
use crate::engine::{Engine, portable};
use crate::input::{self, Inputs};
use crate::optimizer::{self, OptimizerWeights};
use crate::output::Outputs;
use crate::report::LoadReport;
use crate::run::{OrBug, RunCx};
use crate::value::{Data, Strings, Value};
use crate::weights::{PackedPlace, Weights};
use candle_core::{Device, Tensor};
use serde_json::Value as Json;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use tfjs_manifest::{Error, Limits, ModelJson, Result, Shape, WeightReader, WeightsManifest};
use tfjs_topology::bind::{Binding, Bound, TensorId};
use tfjs_topology::def::ModelDef;
use tfjs_topology::graph::{GraphLayer, GraphPort, ModelGraph, SlotId};
use tfjs_topology::types::{SymShape, TensorType, ValueType};
use tfjs_weights::{Destinations, HostTensor, Wanted};

/// How a model is built from a file's parts.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BuildOptions {
    /// Where weights live and predictions run; the CPU by default.
    pub device: Option<Device>,
    /// What runs predictions; the native engine on the CPU by default.
    pub engine: Option<Engine>,
    /// Layers of the caller's own.
    pub custom_layers: CustomLayers,
    /// The budgets.
    pub limits: Limits,
    /// Threads of the native engine; all cores by default.
    pub threads: Option<usize>,
    /// Whether the weights of the optimizer are kept, to be saved again; not by default: predicting needs none.
    pub keep_optimizer: bool,
}

impl BuildOptions {
    /// The engine asked for, or the one that is made for the device.
    fn engine(&self) -> Engine {
        let on_cpu = self.device.as_ref().is_none_or(Device::is_cpu);
        self.engine.unwrap_or(if on_cpu { Engine::Native } else { Engine::Portable })
    }
}

/// A model whose weights have destinations but no bytes yet.
#[derive(Debug)]
pub struct Prepared {
    json: ModelJson,
    def: ModelDef,
    graph: ModelGraph,
    binding: Binding,
    options: BuildOptions,
}

/// Decides where the bytes of each weight go, before any is fetched.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the weights take more memory than allowed or to be had.
pub fn prepare(
    json: ModelJson,
    def: ModelDef,
    graph: ModelGraph,
    binding: Binding,
    options: BuildOptions,
) -> Result<(Prepared, Destinations<PackedPlace>)> {
    let prepared = Prepared { json, def, graph, binding, options };
    let Prepared { graph, binding, options, .. } = &prepared;
    let wanted: HashMap<TensorId, SlotId> = binding
        .slots
        .iter()
        .enumerate()
        .filter_map(|(slot, bound)| match bound {
            Bound::Tensor(id, _) => Some((*id, SlotId(slot))),
            Bound::Filled => None,
        })
        .collect();
    let manifest = prepared.manifest();
    let kept: HashSet<TensorId> = optimizer::ids(&manifest).filter(|_| options.keep_optimizer).collect();
    let layout = manifest.layout(&options.limits)?;
    let packed = match options.engine() {
        Engine::Native => NativePlan::places(graph),
        Engine::Portable => HashMap::new(),
    };
    let packed = RefCell::new(packed);
    let destinations = Destinations::with_places(&layout, &manifest, |group, index| {
        let id = TensorId { group, index };
        let Some(slot) = wanted.get(&id) else {
            return Ok(if kept.contains(&id) { Wanted::Values } else { Wanted::Not });
        };
        Ok(packed.borrow_mut().remove(slot).map_or(Wanted::Values, Wanted::Place))
    })?;
    Ok((prepared, destinations))
}

/// Leaves the bytes of all weights in their files, to be read when they are wanted.
pub fn prepare_lazy(
    json: ModelJson,
    def: ModelDef,
    graph: ModelGraph,
    binding: Binding,
    options: BuildOptions,
) -> Prepared {
    Prepared { json, def, graph, binding, options }
}

impl Prepared {
    /// Builds the model from filled destinations.
    ///
    /// # Errors
    /// Weights that do not decode, naming the weight; a device that refuses.
    pub fn finish(self, filled: Destinations<PackedPlace>, mut report: LoadReport) -> Result<LayersModel> {
        let mut arrived = filled.arrived()?;
        let optimizer = optimizer::take(&self.manifest(), &mut arrived)?;
        let mut weights = Weights::new(&self.graph, &self.binding, &self.manifest(), arrived, &self.device())?;
        let native = match self.native()? {
            false => None,
            true => Some(NativePlan::compile(&self.graph, &mut weights, self.options.threads)?),
        };
        report.portable_layers = native.as_ref().map(|plan| plan.portable_layers(&self.graph)).unwrap_or_default();
        Ok(self.build(weights, optimizer, native.map(LazyPlan::compiled), report))
    }

    /// Builds the model without its weights: each is read when it is first wanted, which for the native engine is
    /// the first prediction. Predictions then block on files, and fail if those are no longer the same. An optimizer's
    /// weights that are to be kept are read now.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for weights in one group with strings.
    pub fn finish_lazy(self, reader: Arc<dyn WeightReader>, report: LoadReport) -> Result<LayersModel> {
        let manifest = self.manifest();
        let layout = manifest.layout(&self.options.limits)?;
        let weights = Weights::unread(&self.graph, &self.binding, &manifest, &layout, &reader, &self.device())?;
        let optimizer = match self.options.keep_optimizer {
            true => optimizer::read(&manifest, &layout, &*reader)?,
            false => Vec::new(),
        };
        let native = self.native()?.then(|| LazyPlan::new(self.options.threads));
        drop(manifest);
        Ok(self.build(weights, optimizer, native, report))
    }

    fn manifest(&self) -> Cow<'_, WeightsManifest> {
        self.json.weights_manifest.as_ref().map_or_else(Cow::default, Cow::Borrowed)
    }

    fn device(&self) -> Device {
        self.options.device.clone().unwrap_or(Device::Cpu)
    }

    /// Whether the native engine runs it.
    fn native(&self) -> Result<bool> {
        match self.options.engine() {
            Engine::Native if !self.device().is_cpu() => {
                Err(Error::misuse("the native engine runs on the CPU; use the portable engine on other devices"))
            }
            engine => Ok(engine == Engine::Native),
        }
    }

    fn build(
        self,
        weights: Weights,
        optimizer: OptimizerWeights,
        native: Option<LazyPlan>,
        mut report: LoadReport,
    ) -> LayersModel {
        let device = self.device();
        let Prepared { json, def, graph, binding, options } = self;
        let BuildOptions { device: _, engine: _, custom_layers, limits, threads: _, keep_optimizer } = options;
        report.producer = Some(def.producer.clone());
        report.weight_bytes = layout_bytes(&graph);
        for bound in &binding.slots {
            if let Bound::Tensor(_, rule) = bound {
                *report.matched.entry(*rule).or_insert(0) += 1;
            }
        }
        let name_of = |id: &TensorId| {
            let spec = json.weights_manifest.as_ref()?.groups().get(id.group)?.weights.get(id.index)?;
            (!(keep_optimizer && spec.is_optimizer())).then(|| spec.name.clone())
        };
        report.unused = binding.unused.iter().filter_map(name_of).collect();
        report.warnings.extend(def.warnings.iter().cloned());
        report.warnings.extend(binding.warnings.iter().cloned());
        let checked = Mutex::default();
        LayersModel {
            shared: Arc::new(Shared {
                json,
                def,
                graph,
                weights,
                optimizer,
                device,
                native,
                custom_layers,
                limits,
                report,
                checked,
            }),
        }
    }
}

/// How a prediction is made.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct PredictOptions {
    /// Examples at a time; all at once by default.
    pub batch_size: Option<usize>,
    /// Another engine than the model's.
    pub engine: Option<Engine>,
}

impl PredictOptions {
    /// Examples at a time.
    #[must_use]
    pub fn with_batch_size(mut self, examples: usize) -> Self {
        self.batch_size = Some(examples);
        self
    }

    /// Another engine than the model's.
    #[must_use]
    pub fn with_engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }
}

/// A loaded model. Cloning is cheap and shares everything; any number of threads may predict at once.
#[derive(Clone, Debug)]
pub struct LayersModel {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    json: ModelJson,
    def: ModelDef,
    graph: ModelGraph,
    weights: Weights,
    optimizer: OptimizerWeights,
    device: Device,
    /// What the native engine runs; without it, the portable one runs.
    native: Option<LazyPlan>,
    custom_layers: CustomLayers,
    limits: Limits,
    report: LoadReport,
    /// What inference says of input shapes that passed it, so that a service infers each shape once.
    checked: Mutex<HashMap<Vec<Vec<usize>>, Arc<Concrete>>>,
}

/// Input shapes remembered as checked; past this many, the memory starts anew.
const CHECKED_SHAPES: usize = 64;

impl LayersModel {
    /// Predicts: one input, several in the model's order, or by name.
    ///
    /// # Errors
    /// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for inputs that are not the model's, with the input's
    /// name, what was expected and what found; what a layer refuses of inputs of these shapes.
    pub fn predict(&self, inputs: impl Into<Inputs>) -> Result<Outputs> {
        self.predict_with(inputs, &PredictOptions::default())
    }

    /// Predicts by the names of the model's inputs, in any order.
    ///
    /// # Errors
    /// As for [`predict`](LayersModel::predict).
    pub fn predict_named<S: Into<String>, T: Into<crate::Input>>(
        &self,
        inputs: impl IntoIterator<Item = (S, T)>,
    ) -> Result<Outputs> {
        self.predict(inputs.into_iter().collect::<Inputs>())
    }

    /// Predicts with options.
    ///
    /// # Errors
    /// As for [`predict`](LayersModel::predict); [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for a batch of 0.
    pub fn predict_with(&self, inputs: impl Into<Inputs>, options: &PredictOptions) -> Result<Outputs> {
        let shared = &*self.shared;
        let values = input::check(&shared.graph, inputs.into(), &shared.device)?;
        let engine = options.engine.unwrap_or(self.engine());
        let total = values.first().and_then(|v| v.dims().first().copied()).unwrap_or(1);
        let outputs = match options.batch_size {
            Some(0) => return Err(Error::misuse("a batch size of 0")),
            Some(size) if size < total => {
                self.check_free_batch(size)?;
                self.in_batches(&values, total, size, engine)?
            }
            _ => self.run(&values, engine)?,
        };
        Ok(Outputs::new(shared.graph.outputs.iter().map(|p| p.name.clone()), outputs))
    }

    /// A model made for one size of batch cannot be given another, not even in parts.
    fn check_free_batch(&self, size: usize) -> Result<()> {
        let graph = &self.shared.graph;
        let fixed = graph.inputs.iter().find_map(|p| Some((p, graph.ty(p.value).shape.dims().first().copied()??)));
        match fixed {
            Some((port, batch)) => {
                Err(Error::misuse(format!("the batch is fixed at {batch}, asked for {size} at a time"))
                    .at_value(&port.name))
            }
            None => Ok(()),
        }
    }

    fn in_batches(&self, values: &[Value], total: usize, size: usize, engine: Engine) -> Result<Vec<Value>> {
        let mut batches = Vec::with_capacity(total.div_ceil(size));
        for start in (0..total).step_by(size) {
            let part = values.iter().map(|v| narrow(v, start, size.min(total - start))).collect::<Result<Vec<_>>>()?;
            batches.push(self.run(&part, engine)?);
        }
        let outputs = batches.first().map_or(0, Vec::len);
        (0..outputs).map(|i| concat(batches.iter().map(|b| &b[i]))).collect()
    }

    fn run(&self, values: &[Value], engine: Engine) -> Result<Vec<Value>> {
        let shared = &*self.shared;
        let concrete = self.concrete(values)?;
        let cx = RunCx { weights: &[], training: false, custom: &shared.custom_layers };
        match (engine, &shared.native) {
            (Engine::Native, Some(plan)) => {
                let plan = plan.get(&shared.graph, &shared.weights)?;
                plan.run(&shared.graph, &shared.weights, &cx, values, &concrete)
            }
            (Engine::Native, None) => Err(Error::misuse(
                "the model was loaded for the portable engine; load it with the native one to use that",
            )),
            (Engine::Portable, _) => {
                portable::run_with(&shared.graph, &cx, values, &|slot| shared.weights.tensor(slot))
            }
        }
    }

    /// Infers with the concrete shapes: what a layer refuses of them is refused before an engine meets it.
    fn concrete(&self, values: &[Value]) -> Result<Arc<Concrete>> {
        let shared = &*self.shared;
        let shapes: Vec<Vec<usize>> = values.iter().map(|v| v.dims().to_vec()).collect();
        let lock = || shared.checked.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(known) = lock().get(&shapes) {
            return Ok(known.clone());
        }
        let with_dims = |(port, dims): (&GraphPort, &Vec<usize>)| {
            shared.graph.ty(port.value).with_shape(dims.iter().copied().map(Some).collect::<Vec<_>>())
        };
        let types: Vec<TensorType> = shared.graph.inputs.iter().zip(&shapes).map(with_dims).collect();
        let concrete = Concrete::new(shared.graph.infer(&types, &shared.limits)?);
        let mut checked = lock();
        if checked.len() >= CHECKED_SHAPES {
            checked.clear();
        }
        Ok(checked.entry(shapes).or_insert(concrete).clone())
    }

    /// Adds the time of a phase to the report, while nobody else has the model yet.
    #[doc(hidden)]
    pub fn note_time(&mut self, phase: &'static str, time: std::time::Duration) {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.report.times.push((phase, time));
        }
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.shared.graph.name
    }

    /// The inputs: name, shape, element type.
    pub fn inputs(&self) -> impl Iterator<Item = Port<'_>> {
        self.ports(&self.shared.graph.inputs)
    }

    /// The outputs: name, shape, element type.
    pub fn outputs(&self) -> impl Iterator<Item = Port<'_>> {
        self.ports(&self.shared.graph.outputs)
    }

    fn ports<'a>(&'a self, ports: &'a [GraphPort]) -> impl Iterator<Item = Port<'a>> {
        ports.iter().map(|port| {
            let ty = self.shared.graph.ty(port.value);
            Port { name: &port.name, shape: &ty.shape, dtype: ty.dtype }
        })
    }

    /// Every layer that is called, nested models flattened.
    pub fn layers(&self) -> &[GraphLayer] {
        &self.shared.graph.layers
    }

    /// The weights, by their names in the file.
    pub fn weights(&self) -> &Weights {
        &self.shared.weights
    }

    /// A weight by its name in the file.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if there is none.
    pub fn weight(&self, name: &str) -> Result<Tensor> {
        self.shared.weights.get(name)
    }

    /// The weights of the optimizer the model was trained with, by their names in the file and in its order, if they
    /// were [kept](BuildOptions::keep_optimizer).
    pub fn optimizer_weights(&self) -> &[(String, HostTensor)] {
        &self.shared.optimizer
    }

    /// The `userDefinedMetadata` of the file.
    pub fn metadata(&self) -> Option<&Json> {
        self.shared.json.user_defined_metadata.as_ref()
    }

    /// The training configuration of the file, as written.
    pub fn training_config(&self) -> Option<&Json> {
        self.shared.json.training_config()
    }

    /// What loading did and noticed.
    pub fn report(&self) -> &LoadReport {
        &self.shared.report
    }

    /// The envelope, without the weights.
    pub fn json(&self) -> &ModelJson {
        &self.shared.json
    }

    /// The topology as the file defines it.
    pub fn def(&self) -> &ModelDef {
        &self.shared.def
    }

    /// The resolved graph.
    pub fn graph(&self) -> &ModelGraph {
        &self.shared.graph
    }

    pub(crate) fn custom_layers(&self) -> &CustomLayers {
        &self.shared.custom_layers
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Where the weights live and predictions run.
    pub fn device(&self) -> &Device {
        &self.shared.device
    }

    /// What runs predictions.
    pub fn engine(&self) -> Engine {
        if self.shared.native.is_some() { Engine::Native } else { Engine::Portable }
    }

    /// The layers, their output shapes and numbers of parameters, as Keras's `model.summary()` prints them, in
    /// lines of `width` characters (65 or 98, if `None`).
    pub fn summary(&self, width: Option<usize>) -> String {
        tfjs_topology::summary::summary(&self.shared.def, &self.shared.graph, width)
    }

    /// What runs, step by step, as JSON.
    ///
    /// # Errors
    /// Those of reading the weights, for a model that was loaded lazily and has not predicted yet.
    pub fn plan_json(&self) -> Result<Json> {
        let graph = &self.shared.graph;
        Ok(match &self.shared.native {
            Some(plan) => plan.get(graph, &self.shared.weights)?.to_json(graph),
            None => {
                let layers = graph.nodes.iter().map(|node| graph.layer(node).path.as_str());
                let step = |layer| serde_json::json!({ "engine": "portable", "kernel": null, "layers": [layer] });
                serde_json::json!({ "steps": layers.map(step).collect::<Vec<_>>() })
            }
        })
    }
}

/// Bytes of all weights as values.
fn layout_bytes(graph: &ModelGraph) -> u64 {
    let bytes = |slot: &tfjs_topology::graph::WeightSlot| {
        slot.decl.shape.elements() as u64 * slot.decl.dtype.size().unwrap_or(0)
    };
    graph.slots.iter().map(bytes).sum()
}

/// An input or output of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its shape, batch first.
    pub shape: &'a SymShape,
    /// Its element type.
    pub dtype: ValueType,
}

fn narrow(value: &Value, start: usize, len: usize) -> Result<Value> {
    Ok(match &value.data {
        Data::Tensor(tensor) => Value::new(tensor.narrow(0, start, len).or_bug()?),
        Data::Strings(strings) => {
            let row = strings.shape().dims()[1..].iter().product::<usize>();
            let items = strings.items()[start * row..(start + len) * row].to_vec();
            let dims: Vec<usize> = std::iter::once(len).chain(strings.shape().dims()[1..].iter().copied()).collect();
            Value::strings(Strings::new(Shape::new(dims)?, items)?)
        }
    })
}

fn concat<'a>(parts: impl Iterator<Item = &'a Value>) -> Result<Value> {
    let parts: Vec<&Value> = parts.collect();
    let tensors: Option<Vec<&Tensor>> = parts.iter().map(|v| v.tensor().ok()).collect();
    if let Some(tensors) = tensors {
        return Tensor::cat(&tensors, 0).or_bug().map(Value::new);
    }
    let mut items = Vec::new();
    let mut dims: Vec<usize> = parts.first().map(|v| v.dims().to_vec()).unwrap_or_default();
    for part in &parts {
        if let Data::Strings(strings) = &part.data {
            items.extend_from_slice(strings.items());
        }
    }
    if let Some(batch) = dims.first_mut() {
        *batch = parts.iter().filter_map(|v| v.dims().first()).sum();
    }
    Ok(Value::strings(Strings::new(Shape::new(dims)?, items)?))
}

/// What a graph's inputs need from the caller before it can be resolved.
pub type InputShapes = HashMap<String, SymShape>;
