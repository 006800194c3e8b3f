//! The options of a load.

use candle_core::Device;
use std::collections::HashMap;
use tfjs_candle::{BuildOptions, CustomLayers, Engine};
use tfjs_io::{Checksums, IoOptions, Progress, Registry};
use tfjs_manifest::Limits;
use tfjs_topology::producer::Producer;
use tfjs_topology::types::SymShape;

/// The options of a load. The defaults load the same models as TensorFlow.js's `loadLayersModel`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Whether every weight of the model must be in the file, and every weight of the file in the model. Default true.
    /// If false, both are warnings in the report, and missing weights are filled with zeros or ones.
    pub strict: bool,
    /// The producer of the file, if the file does not name it or names a wrong one.
    pub producer: Option<Producer>,
    /// Shapes of inputs by name, including the batch: for files without them, or to fix unknown dimensions.
    pub input_shapes: HashMap<String, SymShape>,
    /// Custom layers.
    pub custom_layers: CustomLayers,
    /// The device for weights and predictions. Default: the CPU.
    pub device: Option<Device>,
    /// The engine that runs predictions. Default: the native engine on the CPU.
    pub engine: Option<Engine>,
    /// Threads of the native engine. Default: all cores.
    pub threads: Option<usize>,
    /// Whether the optimizer's weights are kept, to save them again with
    /// [`SaveOptions::with_optimizer`](crate::SaveOptions::with_optimizer). Default false: predictions do not need
    /// them.
    pub keep_optimizer: bool,
    /// Whether weights stay on disk until they are first used, which is the first prediction for the native engine. The
    /// files stay open and must not change. For models on disk, and, with a cache, for remote models. Default false.
    pub lazy: bool,
    /// The limits for files and models.
    pub limits: Limits,
    /// The options of the transport: headers, prefixes, timeouts, progress.
    pub io: IoOptions,
    /// The URL schemes.
    pub registry: Registry,
}

impl Default for LoadOptions {
    fn default() -> Self {
        LoadOptions {
            strict: true,
            producer: None,
            input_shapes: HashMap::new(),
            custom_layers: CustomLayers::default(),
            device: None,
            engine: None,
            threads: None,
            keep_optimizer: false,
            lazy: false,
            limits: Limits::default(),
            io: IoOptions::default(),
            registry: Registry::default(),
        }
    }
}

impl LoadOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// See [`strict`](LoadOptions::strict).
    #[must_use]
    pub fn with_strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// See [`producer`](LoadOptions::producer).
    #[must_use]
    pub fn with_producer(mut self, producer: Producer) -> Self {
        self.producer = Some(producer);
        self
    }

    /// Sets the shape of an input, including the batch as the first dimension. `None` is an open dimension.
    #[must_use]
    pub fn with_input_shape(mut self, name: impl Into<String>, shape: impl Into<Vec<Option<usize>>>) -> Self {
        self.input_shapes.insert(name.into(), SymShape::new(shape));
        self
    }

    /// See [`custom_layers`](LoadOptions::custom_layers).
    #[must_use]
    pub fn with_custom_layers(mut self, layers: CustomLayers) -> Self {
        self.custom_layers = layers;
        self
    }

    /// See [`device`](LoadOptions::device).
    #[must_use]
    pub fn with_device(mut self, device: Device) -> Self {
        self.device = Some(device);
        self
    }

    /// See [`engine`](LoadOptions::engine).
    #[must_use]
    pub fn with_engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// See [`threads`](LoadOptions::threads).
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// See [`keep_optimizer`](LoadOptions::keep_optimizer).
    #[must_use]
    pub fn with_keep_optimizer(mut self, keep: bool) -> Self {
        self.keep_optimizer = keep;
        self
    }

    /// See [`lazy`](LoadOptions::lazy).
    #[must_use]
    pub fn with_lazy(mut self, lazy: bool) -> Self {
        self.lazy = lazy;
        self
    }

    /// See [`limits`](LoadOptions::limits).
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// See [`io`](LoadOptions::io).
    #[must_use]
    pub fn with_io(mut self, io: IoOptions) -> Self {
        self.io = io;
        self
    }

    /// See [`registry`](LoadOptions::registry).
    #[must_use]
    pub fn with_registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Adds a header to every request of this load.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.io = self.io.with_header(name, value);
        self
    }

    /// Sets the folder of the weight files, if they are not beside the model; see
    /// [`IoOptions::with_weight_path_prefix`].
    #[must_use]
    pub fn with_weight_path_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.io = self.io.with_weight_path_prefix(prefix);
        self
    }

    /// Adds the SHA-256 sum that `model.json` or a weight file must have; see [`IoOptions::with_sha256`].
    #[must_use]
    pub fn with_sha256(mut self, path: impl AsRef<str>, sha256: impl AsRef<str>) -> Self {
        self.io = self.io.with_sha256(path, sha256);
        self
    }

    /// Sets the SHA-256 sums that the model's files must have.
    #[must_use]
    pub fn with_checksums(mut self, checksums: Checksums) -> Self {
        self.io = self.io.with_checksums(checksums);
        self
    }

    /// Sets the cache for remote models; see [`Cache`](crate::Cache).
    #[cfg(feature = "cache")]
    #[must_use]
    pub fn with_cache(mut self, cache: crate::Cache) -> Self {
        self.io = self.io.with_cache(cache);
        self
    }

    /// Sets a callback for the progress of the load.
    #[must_use]
    pub fn with_on_progress(mut self, callback: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.io = self.io.with_on_progress(callback);
        self
    }

    pub(crate) fn io_options(&self) -> IoOptions {
        self.io.clone().with_limits(self.limits.clone())
    }

    pub(crate) fn build_options(&self) -> BuildOptions {
        let mut build = BuildOptions::default();
        build.device.clone_from(&self.device);
        build.engine = self.engine;
        build.custom_layers = self.custom_layers.clone();
        build.limits = self.limits.clone();
        build.threads = self.threads;
        build.keep_optimizer = self.keep_optimizer;
        build
    }
}
