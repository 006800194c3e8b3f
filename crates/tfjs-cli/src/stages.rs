//! Loads a model, completely or stage by stage, for commands that stop after a stage.

use crate::clock::Clock;
use crate::progress::Bar;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tfjs::parts::io::{BoxFuture, IoCx, ModelArtifacts, ModelUrl, load_artifacts};
use tfjs::parts::manifest::ModelJson;
use tfjs::parts::topology::def::ModelDef;
use tfjs::parts::topology::lower::{self, Model};
use tfjs::{Error, IoHandler, LayersModel, LoadOptions, Result, Retry};
use tokio::runtime::{Handle, Runtime};

/// Loads a model, with a progress bar, in the time that is left.
pub(crate) fn load(model: &str, options: LoadOptions, clock: Clock) -> Result<LayersModel> {
    let (options, _bar) = Bar::watch(limited(options, clock));
    Driver::new()?.block_on(tfjs::load_layers_model(model, options))
}

fn limited(mut options: LoadOptions, clock: Clock) -> LoadOptions {
    options.io = clock.limit(options.io);
    options
}

/// A model's JSON, and the source of its weights.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) artifacts: ModelArtifacts,
    pub(crate) cx: IoCx,
    /// The runtime of the connections in `artifacts` and `cx`.
    pub(crate) driver: Driver,
    clock: Clock,
    _bar: Bar,
}

impl Fetched {
    /// Parses the envelope.
    ///
    /// Weights inside it are moved to the source of the weights.
    pub(crate) fn json(&mut self, options: &LoadOptions) -> Result<ModelJson> {
        let json = ModelJson::from_slice(&self.artifacts.model_json, &options.limits);
        let mut json = json.map_err(|e| self.place(e))?;
        let of_handler = std::mem::take(&mut self.artifacts.weights);
        self.artifacts.weights = tfjs::weight_source(of_handler, json.take_inline());
        Ok(json)
    }

    /// The warnings of the transport so far, such as a cache that could not be used.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.cx.take_warnings()
    }

    /// Builds the model from the JSON that has been fetched, without fetching it again.
    pub(crate) fn load(&self, options: LoadOptions) -> Result<LayersModel> {
        let handler: Arc<dyn IoHandler> = Arc::new(AsFetched(self.artifacts.clone()));
        let (options, _bar) = Bar::watch(limited(options, self.clock));
        self.driver.block_on(tfjs::load_layers_model(handler, options))
    }

    /// Adds this file to an error without a file.
    pub(crate) fn place(&self, error: Error) -> Error {
        error.in_file(&self.artifacts.location)
    }
}

/// A handler that returns artifacts that have been fetched already.
struct AsFetched(ModelArtifacts);

impl IoHandler for AsFetched {
    fn load<'a>(&'a self, _cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }

    fn location(&self) -> String {
        self.0.location.clone()
    }
}

/// Fetches a model's JSON.
pub(crate) fn fetch(model: &str, options: &LoadOptions, clock: Clock) -> Result<Fetched> {
    let handler = options.registry.resolve(&ModelUrl::parse(model)?)?;
    let (options, bar) = Bar::watch(limited(options.clone(), clock));
    let cx = IoCx::with_registry(options.io.with_limits(options.limits), options.registry.clone());
    let driver = Driver::new()?;
    let artifacts = driver.block_on(load_artifacts(&*handler, &cx))?;
    Ok(Fetched { artifacts, cx, driver, clock, _bar: bar })
}

/// The longest wait for an optional file.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// An optional file.
pub(crate) enum Optional {
    Fetched(ModelArtifacts),
    /// It did not arrive in time.
    Late,
}

/// Fetches an optional file: tries once, and waits at most [`PATIENCE`].
pub(crate) fn fetch_optional(handler: &dyn IoHandler, options: &LoadOptions, clock: Clock) -> Result<Optional> {
    let io =
        clock.limit(options.io.clone()).with_limits(options.limits.clone()).with_retry(Retry::default().with_tries(1));
    let cx = IoCx::with_registry(io, options.registry.clone());
    Driver::new()?.block_on(async {
        match tokio::time::timeout(PATIENCE, load_artifacts(handler, &cx)).await {
            Ok(artifacts) => artifacts.map(Optional::Fetched),
            Err(_) => Ok(Optional::Late),
        }
    })
}

/// Lowers a model to the calls of its layers and its program.
pub(crate) fn lower(def: &ModelDef, options: &LoadOptions) -> Result<Model> {
    lower::lower(def, &tfjs::lower_options(options))
}

/// A tokio runtime, which also works if the caller is inside another one.
#[derive(Debug)]
pub(crate) struct Driver {
    /// `None` only during drop.
    runtime: Option<Runtime>,
}

impl Driver {
    pub(crate) fn new() -> Result<Driver> {
        // As in `tfjs::blocking`: one thread receives while this one copies the received bytes to their destinations.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|e| Error::fetch("cannot start a runtime for the load").with_source(e))?;
        Ok(Driver { runtime: Some(runtime) })
    }

    /// Runs a future to its end. Connections live as long as this driver, so later futures can use them.
    pub(crate) fn block_on<T: Send>(&self, future: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let Some(runtime) = &self.runtime else { return Err(Error::bug("the runtime was used after its end")) };
        if Handle::try_current().is_err() {
            return runtime.block_on(future);
        }
        // A worker of another runtime must not block on this one, but a separate thread may.
        thread::scope(|scope| match scope.spawn(|| runtime.block_on(future)).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A blocking shutdown is not allowed inside another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
