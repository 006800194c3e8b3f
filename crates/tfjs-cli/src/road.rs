//! The road from a name to a model, whole or stage by stage, for commands that stop on the way.

use crate::progress::Bar;
use std::thread;
use tfjs::parts::io::{Bytes, IoCx, ModelUrl, WeightSource};
use tfjs::parts::manifest::ModelJson;
use tfjs::parts::topology::def::ModelDef;
use tfjs::parts::topology::graph::ModelGraph;
use tfjs::parts::topology::resolve::{self, ResolveOptions};
use tfjs::{Error, LayersModel, LoadOptions, Result};

/// Loads a model, with a bar if that takes a while.
pub(crate) fn load(model: &str, options: LoadOptions) -> Result<LayersModel> {
    let (options, _bar) = Bar::watch(options);
    block_on(tfjs::load_layers_model(model, options))
}

/// A model's JSON, and where its weights can be had.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) location: String,
    pub(crate) text: Bytes,
    pub(crate) weights: WeightSource,
    pub(crate) cx: IoCx,
}

impl Fetched {
    /// The envelope.
    pub(crate) fn json(&self, options: &LoadOptions) -> Result<ModelJson> {
        ModelJson::from_slice(&self.text, &options.limits).map_err(|e| self.place(e))
    }

    /// The error, in this file unless it knows better.
    pub(crate) fn place(&self, error: Error) -> Error {
        error.in_file(&self.location)
    }
}

/// Fetches a model's JSON, or any file of a model's folder by its name.
pub(crate) fn fetch(model: &str, options: &LoadOptions) -> Result<Fetched> {
    let cx = IoCx::with_registry(options.io.clone().with_limits(options.limits.clone()), options.registry.clone());
    let handler = options.registry.resolve(&ModelUrl::parse(model)?)?;
    let artifacts = block_on(handler.load(&cx))?;
    Ok(Fetched { location: artifacts.location, text: artifacts.model_json, weights: artifacts.weights, cx })
}

/// The flat graph.
pub(crate) fn resolve(def: &ModelDef, options: &LoadOptions) -> Result<ModelGraph> {
    let mut with = ResolveOptions::default();
    with.input_shapes.clone_from(&options.input_shapes);
    with.limits.clone_from(&options.limits);
    resolve::resolve(def, &with)
}

/// Runs a future to its end, also where the caller is itself inside a runtime.
pub(crate) fn block_on<T: Send>(future: impl Future<Output = Result<T>> + Send) -> Result<T> {
    if tokio::runtime::Handle::try_current().is_err() {
        return run(future);
    }
    thread::scope(|scope| match scope.spawn(|| run(future)).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

fn run<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| Error::fetch("cannot start a runtime for the load").with_source(e))?.block_on(future)
}
