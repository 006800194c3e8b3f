//! Saving a model where it can be loaded from: by TensorFlow.js, and by [`load_layers_model`](crate::load_layers_model).

use crate::source::Source;
use tfjs_candle::{FileOptions, LayersModel};
use tfjs_io::{IoCx, IoOptions, Registry, SaveArtifacts};
use tfjs_manifest::Result;
use tfjs_weights::StoreAs;

/// Everything a caller can say about saving. The default writes what TensorFlow.js's `model.save` writes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SaveOptions {
    /// How weights are stored and cut into files.
    pub files: FileOptions,
    /// Everything about the transport.
    pub io: IoOptions,
    /// The schemes that are known.
    pub registry: Registry,
}

impl SaveOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Float weights as bytes, pairs of bytes, or half precision, as the Python converter quantizes them. What is
    /// lost is lost.
    #[must_use]
    pub fn with_store(mut self, store: StoreAs) -> Self {
        self.files = self.files.with_store(store);
        self
    }

    /// Weight files of at most this many bytes, named as the Python converter names them; one file by default.
    #[must_use]
    pub fn with_shard_bytes(mut self, bytes: u64) -> Self {
        self.files = self.files.with_shard_bytes(bytes);
        self
    }

    /// Whether the optimizer's weights are saved too, in their group, as they were loaded: TensorFlow.js's
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

/// What was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SaveReport {
    /// Where the model is now; for places that can be loaded from by name, that name.
    pub location: String,
    /// Files written.
    pub files: usize,
    /// Bytes written.
    pub bytes: u64,
    /// What TensorFlow.js 4.22 cannot say, does not know or computes differently: one line each, by layer. A model
    /// saved without warnings is the same model to TensorFlow.js and to this library.
    pub warnings: Vec<String>,
}

/// Saves a model as TensorFlow.js's `model.save` does: a `model.json` and its weights.
///
/// `target` is a folder (made if need be), the path of a `.json` file, a URL of a scheme that can save, or a
/// handler. A web server is sent the form that TensorFlow.js sends, with one file of weights however they are cut.
/// Needs a tokio runtime; [`blocking::save`](crate::blocking::save) brings its own. After an error, what was there
/// before is still there.
///
/// # Errors
/// [`Kind::Unsupported`](crate::Kind::Unsupported) for a target that cannot save or a model TensorFlow.js's JSON
/// cannot hold; whatever keeps the files from being written.
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
    /// As there.
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
