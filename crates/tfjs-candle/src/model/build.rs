//! Builds a model from the parts of a file: destinations of weights first, the rest once the weights are there.

use super::bind::Shapes;
use super::predict::predicting;
use super::{LayersModel, Shared};
use crate::custom::CustomLayers;
use crate::engine::Engine;
use crate::native::{LazyPlan, NativePlan, Selection};
use crate::optimizer::{self, OptimizerWeights};
use crate::report::LoadReport;
use crate::weights::{PackedPlace, Weights};
use candle_core::Device;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};
use tfjs_manifest::{Limits, ModelJson, Result, Warnings, WeightReader, WeightsManifest};
use tfjs_topology::bind::{Binding, Bound, TensorId};
use tfjs_topology::def::ModelDef;
use tfjs_topology::graph::{ModelGraph, SlotId};
use tfjs_topology::lower::Model;
use tfjs_weights::{Destinations, Wanted};

/// Options for building a model.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BuildOptions {
    /// The device of the weights and predictions; the CPU by default.
    pub device: Option<Device>,
    /// The engine of predictions; the native engine on the CPU by default.
    pub engine: Option<Engine>,
    /// Custom layers.
    pub custom_layers: CustomLayers,
    /// The limits.
    pub limits: Limits,
    /// Threads of the native engine; all cores by default.
    pub threads: Option<usize>,
    /// Whether the weights of the optimizer are kept, for saving them again. By default they are not, because
    /// predictions do not need them.
    pub keep_optimizer: bool,
}

/// A model whose weights have destinations but no bytes yet.
#[derive(Debug)]
pub struct Prepared {
    json: ModelJson,
    def: ModelDef,
    model: Model,
    binding: Binding,
    options: BuildOptions,
    /// The kernels of the native engine; `None` for the candle engine.
    selection: Option<Arc<Selection>>,
}

/// Decides where the bytes of each weight go, before any are fetched.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the weights take more memory than allowed or available.
pub fn prepare(
    json: ModelJson,
    def: ModelDef,
    model: Model,
    binding: Binding,
    options: BuildOptions,
) -> Result<(Prepared, Destinations<PackedPlace>)> {
    let prepared = Prepared::new(json, def, model, binding, options)?;
    let Prepared { binding, options, selection, .. } = &prepared;
    // What a weight is put together of has no place of an engine's.
    let wanted: HashMap<TensorId, Option<SlotId>> = binding
        .slots
        .iter()
        .enumerate()
        .flat_map(|(slot, bound)| {
            let whole = matches!(bound, Bound::Tensor(..)).then_some(SlotId(slot));
            bound.tensors().iter().map(move |&id| (id, whole))
        })
        .collect();
    let manifest = prepared.manifest();
    let kept: HashSet<TensorId> = optimizer::ids(&manifest).filter(|_| options.keep_optimizer).collect();
    let layout = manifest.layout(&options.limits)?;
    let packed = RefCell::new(selection.as_ref().map(|selection| NativePlan::places(selection)).unwrap_or_default());
    let destinations = Destinations::with_places(&layout, &manifest, |group, index| {
        let id = TensorId { group, index };
        let Some(slot) = wanted.get(&id) else {
            return Ok(if kept.contains(&id) { Wanted::Values } else { Wanted::Not });
        };
        let place = slot.and_then(|slot| packed.borrow_mut().remove(&slot));
        Ok(place.map_or(Wanted::Values, Wanted::Place))
    })?;
    Ok((prepared, destinations))
}

/// Prepares a model whose weights stay in their files until they are needed.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) for a program that is too large.
pub fn prepare_lazy(
    json: ModelJson,
    def: ModelDef,
    model: Model,
    binding: Binding,
    options: BuildOptions,
) -> Result<Prepared> {
    Prepared::new(json, def, model, binding, options)
}

impl Prepared {
    fn new(json: ModelJson, def: ModelDef, model: Model, binding: Binding, options: BuildOptions) -> Result<Self> {
        check_filled(&model, &binding, &options.limits)?;
        let selection = match Engine::on(options.device.as_ref().unwrap_or(&Device::Cpu), options.engine)? {
            Engine::Native => Some(NativePlan::select(&predicting(&model.program))?),
            Engine::Candle => None,
        };
        Ok(Prepared { json, def, model, binding, options, selection })
    }

    /// Builds the model from filled destinations.
    ///
    /// # Errors
    /// Weights that do not decode, naming the weight; errors of the device.
    pub fn finish(self, filled: Destinations<PackedPlace>, report: LoadReport) -> Result<LayersModel> {
        let mut arrived = filled.arrived()?;
        let optimizer = optimizer::take(&self.manifest(), &mut arrived)?;
        let graph = &self.model.graph;
        let mut weights = Weights::new(graph, &self.binding, &self.manifest(), arrived, &self.device())?;
        let compile = |selection: &Arc<Selection>| {
            NativePlan::compile(selection.clone(), &mut weights, self.options.threads).map(LazyPlan::compiled)
        };
        let native = self.selection.as_ref().map(compile).transpose()?;
        self.build(weights, optimizer, native, report)
    }

    /// Builds the model without its weights: each is read on first use, which for the native engine is
    /// the first prediction. Predictions then block on reading files, and fail if the files have changed. An
    /// optimizer's weights are read now if they are to be kept.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for weights that share a group with strings.
    pub fn finish_lazy(self, reader: Arc<dyn WeightReader>, report: LoadReport) -> Result<LayersModel> {
        let manifest = self.manifest();
        let layout = manifest.layout(&self.options.limits)?;
        let graph = &self.model.graph;
        let weights = Weights::unread(graph, &self.binding, &manifest, &layout, &reader, &self.device())?;
        let optimizer = match self.options.keep_optimizer {
            true => optimizer::read(&manifest, &layout, &*reader)?,
            false => Vec::new(),
        };
        let native = self.selection.clone().map(|selection| LazyPlan::new(selection, self.options.threads));
        drop(manifest);
        self.build(weights, optimizer, native, report)
    }

    fn manifest(&self) -> Cow<'_, WeightsManifest> {
        self.json.weights_manifest.as_ref().map_or_else(Cow::default, Cow::Borrowed)
    }

    fn device(&self) -> Device {
        self.options.device.clone().unwrap_or(Device::Cpu)
    }

    fn build(
        self,
        weights: Weights,
        optimizer: OptimizerWeights,
        native: Option<LazyPlan>,
        mut report: LoadReport,
    ) -> Result<LayersModel> {
        let device = self.device();
        let Prepared { json, def, model, binding, options, selection } = self;
        if let Some(selection) = &selection {
            report.reference_layers = selection.reference_layers();
            report.opaque_layers = selection.opaque_layers();
        }
        let BuildOptions { device: _, engine: _, custom_layers, limits, threads: _, keep_optimizer } = options;
        report.producer = Some(def.producer.clone());
        report.weight_bytes = weight_bytes(&model.graph);
        for bound in &binding.slots {
            if let Some(rule) = bound.rule() {
                *report.matched.entry(rule).or_insert(0) += 1;
            }
        }
        let name_of = |id: &TensorId| {
            let spec = json.weights_manifest.as_ref()?.groups().get(id.group)?.weights.get(id.index)?;
            (!(keep_optimizer && spec.is_optimizer())).then(|| spec.name.clone())
        };
        report.unused = binding.unused.iter().filter_map(name_of).collect();
        let mut warnings = Warnings::new();
        [&def.warnings, &model.warnings, &binding.warnings].into_iter().for_each(|more| warnings.extend(more));
        report.warnings.extend(warnings.to_lines());
        let functions = crate::custom::functions(&model.opaques)?;
        Ok(LayersModel {
            shared: Arc::new(Shared {
                json,
                def,
                model,
                functions,
                weights,
                optimizer,
                device,
                native,
                candle: OnceLock::new(),
                custom_layers,
                limits,
                report,
                shapes: Shapes::default(),
            }),
        })
    }
}

/// The size of all weights in memory, in bytes.
fn weight_bytes(graph: &ModelGraph) -> u64 {
    let bytes = |slot: &tfjs_topology::graph::WeightSlot| {
        (slot.decl.shape.elements() as u64).saturating_mul(slot.decl.dtype.size().unwrap_or(0))
    };
    graph.slots.iter().map(bytes).fold(0, u64::saturating_add)
}

/// Fails if the weights that are not in the file exceed the memory limit.
fn check_filled(model: &Model, binding: &Binding, limits: &Limits) -> Result<()> {
    let slots = model.graph.slots.iter().zip(&binding.slots).filter(|(_, bound)| matches!(bound, Bound::Filled));
    let mut bytes = 0u64;
    for (slot, _) in slots {
        let own = (slot.decl.shape.elements() as u64).saturating_mul(size_of::<f32>() as u64);
        bytes = bytes.saturating_add(own);
        Limits::check("filled_bytes (weights that the file does not have)", bytes, limits.filled_bytes)
            .map_err(|e| e.at_weight(slot.name()))?;
    }
    Ok(())
}
