//! The model: a program, its weights and an engine. `predict(&self)` can be called from any number of threads.

mod batches;
mod bind;
mod build;
mod predict;
mod session;

pub use build::{BuildOptions, Prepared, prepare, prepare_lazy};
pub use predict::PredictOptions;
pub use session::Session;

use crate::custom::CustomLayers;
use crate::engine::candle::CandleEngine;
use crate::engine::{Engine, OpaqueFunction};
use crate::native::LazyPlan;
use crate::optimizer::OptimizerWeights;
use crate::report::LoadReport;
use crate::weights::Weights;
use bind::Shapes;
use candle_core::{Device, Tensor};
use serde_json::Value as Json;
use std::sync::{Arc, OnceLock};
use tfjs_ir::Program;
use tfjs_manifest::{Limits, ModelJson, Result};
use tfjs_topology::def::ModelDef;
use tfjs_topology::graph::{GraphLayer, GraphPort, ModelGraph};
use tfjs_topology::lower::Model;
use tfjs_topology::types::{SymShape, ValueType};
use tfjs_weights::HostTensor;

/// A loaded model. A clone is cheap and shares everything; any number of threads may predict at once.
#[derive(Clone, Debug)]
pub struct LayersModel {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    json: ModelJson,
    def: ModelDef,
    model: Model,
    functions: Vec<Arc<dyn OpaqueFunction>>,
    weights: Weights,
    optimizer: OptimizerWeights,
    device: Device,
    /// The plan of the native engine; `None` for the candle engine.
    native: Option<LazyPlan>,
    candle: OnceLock<CandleEngine>,
    custom_layers: CustomLayers,
    limits: Limits,
    report: LoadReport,
    shapes: Shapes,
}

impl LayersModel {
    /// Adds the time of a phase to the report, if the model is not shared yet.
    #[doc(hidden)]
    pub fn note_time(&mut self, phase: &'static str, time: std::time::Duration) {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.report.times.push((phase, time));
        }
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.graph().name
    }

    /// The inputs: name, shape, element type.
    pub fn inputs(&self) -> impl Iterator<Item = Port<'_>> {
        self.ports(&self.graph().inputs)
    }

    /// The outputs: name, shape, element type.
    pub fn outputs(&self) -> impl Iterator<Item = Port<'_>> {
        self.ports(&self.graph().outputs)
    }

    fn ports<'a>(&'a self, ports: &'a [GraphPort]) -> impl Iterator<Item = Port<'a>> {
        ports.iter().map(|port| {
            let ty = self.graph().ty(port.value);
            Port { name: &port.name, key: port.key.as_deref(), shape: &ty.shape, dtype: ty.dtype }
        })
    }

    /// Every layer that is called; nested models are flattened.
    pub fn layers(&self) -> &[GraphLayer] {
        &self.graph().layers
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

    /// The weights of the optimizer that the model was trained with, by their names in the file and in its order, if
    /// they were [kept](BuildOptions::keep_optimizer).
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

    /// The report of the load.
    pub fn report(&self) -> &LoadReport {
        &self.shared.report
    }

    /// The JSON of the file, without the weights.
    pub fn json(&self) -> &ModelJson {
        &self.shared.json
    }

    /// The topology as the file defines it.
    pub fn def(&self) -> &ModelDef {
        &self.shared.def
    }

    /// The calls of the layers, and the slots of their weights.
    pub fn graph(&self) -> &ModelGraph {
        &self.shared.model.graph
    }

    /// What the model computes, in primitives.
    pub fn program(&self) -> &Program {
        &self.shared.model.program
    }

    pub(crate) fn custom_layers(&self) -> &CustomLayers {
        &self.shared.custom_layers
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// The device of the weights and predictions.
    pub fn device(&self) -> &Device {
        &self.shared.device
    }

    /// The engine of predictions.
    pub fn engine(&self) -> Engine {
        if self.shared.native.is_some() { Engine::Native } else { Engine::Candle }
    }

    /// The layers, their output shapes and numbers of parameters, as Keras's `model.summary()` prints them, in
    /// lines of `width` characters (65 or 98, if `None`).
    pub fn summary(&self, width: Option<usize>) -> String {
        tfjs_topology::summary::summary(&self.shared.def, self.graph(), width)
    }

    /// The steps that run, as JSON.
    ///
    /// # Errors
    /// Those of reading the weights, for a model that was loaded lazily and has not predicted yet.
    pub fn plan_json(&self) -> Result<Json> {
        match &self.shared.native {
            Some(plan) => Ok(plan.get(&self.shared.weights)?.to_json()),
            None => Ok(self.candle()?.to_json()),
        }
    }
}

/// An input or output of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port<'a> {
    /// Its name.
    pub name: &'a str,
    /// Another name that it has: its key, in a model built from a dictionary.
    pub key: Option<&'a str>,
    /// Its shape, batch first.
    pub shape: &'a SymShape,
    /// Its element type.
    pub dtype: ValueType,
}
