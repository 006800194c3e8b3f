//! Everything a caller can say about a load.

use candle_core::Device;
use std::collections::HashMap;
use tfjs_candle::{BuildOptions, CustomLayers, Engine};
use tfjs_io::{Checksums, IoOptions, Progress, Registry};
use tfjs_manifest::Limits;
use tfjs_topology::producer::Producer;
use tfjs_topology::types::SymShape;

/// Everything a caller can say about a load. The default loads what TensorFlow.js's `loadLayersModel` loads.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Every weight of the model must be in the file and every weight of the file in the model. Default true;
    /// otherwise both are warnings of the report, and what is missing is filled with zeros or ones.
    pub strict: bool,
    /// Who wrote the file, where its own word is wrong or missing.
    pub producer: Option<Producer>,
    /// Shapes of inputs, batch included, by name: for files that do not say them, or to fix unknown ones.
    pub input_shapes: HashMap<String, SymShape>,
    /// Layers of the caller's own.
    pub custom_layers: CustomLayers,
    /// Where weights live and predictions run; the CPU by default.
    pub device: Option<Device>,
    /// What runs predictions; the native engine on the CPU by default.
    pub engine: Option<Engine>,
    /// Threads of the native engine; all cores by default.
    pub threads: Option<usize>,
    /// Whether the optimizer's weights are kept, to be saved again with
    /// [`SaveOptions::with_optimizer`](crate::SaveOptions::with_optimizer); not by default: predicting needs none.
    pub keep_optimizer: bool,
    /// Leaves weights on disk until they are first wanted, which for the native engine is the first prediction; the
    /// files stay open and must stay as they are. For models on disk, and through a cache for remote ones. Default
    /// false.
    pub lazy: bool,
    /// The budgets, of files and of models.
    pub limits: Limits,
    /// Headers, prefixes, timeouts, progress: everything about the transport.
    pub io: IoOptions,
    /// The schemes that are known.
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

    /// The shape of an input, batch first, `None` where it may vary.
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

    /// A header for every request of this load.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.io = self.io.with_header(name, value);
        self
    }

    /// Where the weight files are, if not beside the model.
    #[must_use]
    pub fn with_weight_path_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.io = self.io.with_weight_path_prefix(prefix);
        self
    }

    /// The SHA-256 sum that `model.json` or a weight file must have: see [`IoOptions::with_sha256`].
    #[must_use]
    pub fn with_sha256(mut self, path: impl AsRef<str>, sha256: impl AsRef<str>) -> Self {
        self.io = self.io.with_sha256(path, sha256);
        self
    }

    /// The SHA-256 sums that the model's files must have.
    #[must_use]
    pub fn with_checksums(mut self, checksums: Checksums) -> Self {
        self.io = self.io.with_checksums(checksums);
        self
    }

    /// Keeps remote models on disk; see [`Cache`](crate::Cache).
    #[cfg(feature = "cache")]
    #[must_use]
    pub fn with_cache(mut self, cache: crate::Cache) -> Self {
        self.io = self.io.with_cache(cache);
        self
    }

    /// Called as bytes arrive.
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
