//! Saves a model, so that TensorFlow.js and [`load_layers_model`](crate::load_layers_model) can load it.

use crate::source::Source;
use tfjs_candle::{FileOptions, LayersModel};
use tfjs_io::{IoCx, IoOptions, Registry, SaveArtifacts};
use tfjs_manifest::Result;
use tfjs_weights::StoreAs;

/// The options of a save. The defaults write the same files as TensorFlow.js's `model.save`.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SaveOptions {
    /// How weights are stored and split into files.
    pub files: FileOptions,
    /// The options of the transport.
    pub io: IoOptions,
    /// The URL schemes.
    pub registry: Registry,
}

impl SaveOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how float weights are stored: as float32, or as uint8, uint16 or float16 like the Python converter, with a
    /// loss of precision.
    #[must_use]
    pub fn with_store(mut self, store: StoreAs) -> Self {
        self.files = self.files.with_store(store);
        self
    }

    /// Splits the weights into files of at most this many bytes, with the Python converter's names. Default: one file.
    #[must_use]
    pub fn with_shard_bytes(mut self, bytes: u64) -> Self {
        self.files = self.files.with_shard_bytes(bytes);
        self
    }

    /// Sets whether the optimizer's weights are saved too, unchanged and in their group, like TensorFlow.js's
    /// `includeOptimizer`. The model must have been loaded with
    /// [`keep_optimizer`](crate::LoadOptions::keep_optimizer).
    #[must_use]
    pub fn with_optimizer(mut self, optimizer: bool) -> Self {
        self.files = self.files.with_optimizer(optimizer);
        self
    }

    /// See [`io`](SaveOptions::io).
    #[must_use]
    pub fn with_io(mut self, io: IoOptions) -> Self {
        self.io = io;
        self
    }

    /// See [`registry`](SaveOptions::registry).
    #[must_use]
    pub fn with_registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }
}

/// The result of saving a model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SaveReport {
    /// The location of the saved model; if it can be loaded by its path or URL, that path or URL.
    pub location: String,
    /// Files written.
    pub files: usize,
    /// Bytes written.
    pub bytes: u64,
    /// What TensorFlow.js 4.22 does not support or computes differently, one line each, by layer. A model saved without
    /// warnings gives the same predictions in TensorFlow.js and in this library.
    pub warnings: Vec<String>,
}

/// Saves a model as TensorFlow.js's `model.save` does: a `model.json` and its weights.
///
/// `target` is a folder (created if necessary), the path of a `.json` file, a URL of a scheme that can save, or a
/// handler. A web server receives the same form as from TensorFlow.js, always with one file of weights.
/// Needs a tokio runtime; [`blocking::save`](crate::blocking::save) creates its own. After an error, an existing model
/// is unchanged.
///
/// # Errors
/// [`Kind::Unsupported`](crate::Kind::Unsupported) for a target that cannot save, or a model that TensorFlow.js's JSON
/// cannot represent; any error of writing the files.
pub async fn save(model: &LayersModel, target: impl Into<Source>, options: SaveOptions) -> Result<SaveReport> {
    let SaveOptions { files, io, registry } = options;
    let handler = target.into().resolve(&registry)?;
    let model = model.clone();
    let (artifacts, warnings) = crate::load::off_the_worker(move || {
        let files = model.to_artifacts(&files)?;
        let weights = files.weights.into_iter().map(|(path, bytes)| (path, bytes.into())).collect();
        Ok((SaveArtifacts::new(files.json.to_vec(), weights), files.warnings))
    })
    .await?;
    let saved = handler.save(artifacts, &IoCx::with_registry(io, registry)).await?;
    Ok(SaveReport { location: saved.location, files: saved.files, bytes: saved.bytes, warnings })
}

/// `model.save(target, options)`.
pub trait Save {
    /// Saves the model; see [`save`].
    ///
    /// # Errors
    /// As [`save`].
    fn save(
        &self,
        target: impl Into<Source> + Send,
        options: SaveOptions,
    ) -> impl Future<Output = Result<SaveReport>> + Send;
}

impl Save for LayersModel {
    async fn save(&self, target: impl Into<Source> + Send, options: SaveOptions) -> Result<SaveReport> {
        save(self, target.into(), options).await
    }
}
