//! The trait of handlers, which load a model's artifacts and may save them, and the artifacts. Independent of
//! transports.
//!
//! The reference is TensorFlow.js's `io/types.ts`, `IOHandler` and `ModelArtifacts`.

use super::cx::IoCx;
use super::handlers::files::FilesHandler;
use crate::base::files::{BoxFuture, Files};
use crate::base::path::{check_new, shard_components};
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// Loads a model from somewhere, and perhaps saves one there.
///
/// Paths and URLs have handlers already. Implement this trait for models from other sources:
///
/// ```
/// use tfjs_io::{BoxFuture, IoCx, IoHandler, ModelArtifacts, Result, WeightSource};
///
/// struct Vault;
///
/// impl IoHandler for Vault {
///     fn load<'a>(&'a self, _cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
///         Box::pin(async {
///             let json = br#"{"modelTopology": {}, "weightsManifest": []}"#.to_vec();
///             Ok(ModelArtifacts::new("vault", json, WeightSource::None))
///         })
///     }
/// }
/// ```
pub trait IoHandler: Send + Sync {
    /// Fetches the model's JSON and returns it with the source of its weights.
    ///
    /// # Errors
    /// Any error of fetching the JSON; weights are fetched later.
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>>;

    /// Stores a model. After an error, a model that was stored there before is unchanged.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if the handler cannot save.
    fn save<'a>(&'a self, artifacts: SaveArtifacts, cx: &'a IoCx) -> BoxFuture<'a, Result<SaveResult>> {
        let _ = (artifacts, cx);
        let error = Error::unsupported("this handler cannot save models").in_file(self.location());
        Box::pin(std::future::ready(Err(error)))
    }

    /// The model's files, if they can be written and removed one by one. Moving and removing a model require it;
    /// copying uses it if possible, and [`save`](Self::save) otherwise.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if the handler has no such files.
    fn files<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<FilesHandler>> {
        let _ = cx;
        let error = "the files of this place cannot be written or removed one by one";
        Box::pin(std::future::ready(Err(Error::unsupported(error).in_file(self.location()))))
    }

    /// The model's name in messages.
    fn location(&self) -> String {
        "custom handler".to_owned()
    }
}

/// A fetched model: its JSON, and the source of its weights.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModelArtifacts {
    /// The model's name in messages: its URL without secrets, or its path.
    pub location: String,
    /// The text of `model.json`.
    pub model_json: Bytes,
    /// The weights.
    pub weights: WeightSource,
}

impl ModelArtifacts {
    /// The artifacts of a model.
    pub fn new(location: impl Into<String>, model_json: impl Into<Bytes>, weights: WeightSource) -> Self {
        ModelArtifacts { location: location.into(), model_json: model_json.into(), weights }
    }
}

/// The source of the bytes of the weight files.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum WeightSource {
    /// The model has no weight files.
    #[default]
    None,
    /// In memory: the concatenation of all files of all groups, in the manifest's order, split into any number of
    /// buffers. This is TensorFlow.js's `weightData`.
    Whole(Vec<Bytes>),
    /// In files, by their paths in the manifest.
    Files(Arc<dyn Files>),
}

/// A model to be saved: its JSON, and the files its manifest names.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SaveArtifacts {
    /// The text of `model.json`.
    pub model_json: Bytes,
    /// The weight files: path in the manifest, bytes.
    pub weights: Vec<(String, Bytes)>,
}

impl SaveArtifacts {
    /// A model's JSON and its weight files.
    pub fn new(model_json: impl Into<Bytes>, weights: Vec<(String, Bytes)>) -> Self {
        SaveArtifacts { model_json: model_json.into(), weights }
    }

    /// The total size in bytes.
    pub fn bytes(&self) -> u64 {
        let weights: u64 = self.weights.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        weights + self.model_json.len() as u64
    }

    /// Checks that the caller's paths are inside the folder, distinct and different from the model's JSON, like the
    /// paths of a manifest.
    pub(crate) fn check(&self, json_name: &str, cx: &IoCx) -> Result<()> {
        let misuse = |e: Error| Error::misuse(e.message()).in_file(e.place().file.clone().unwrap_or_default());
        let mut seen = HashSet::new();
        for (path, _) in &self.weights {
            let parts = shard_components(path, &cx.options().limits).map_err(misuse)?;
            let name = parts.join("/");
            if name.to_lowercase() == json_name.to_lowercase() {
                return Err(same_as_json().in_file(path));
            }
            check_new(path).map_err(|e| e.in_file(path))?;
            if !seen.insert(name) {
                return Err(Error::misuse("two files have the same name").in_file(path));
            }
        }
        Ok(())
    }
}

/// The error of a weight file with the name of the model's JSON.
pub(crate) fn same_as_json() -> Error {
    Error::misuse("a weight file in the manifest has the same name as the model's JSON; choose another name")
}

/// The result of saving a model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SaveResult {
    /// The model's name in messages; a model that can be loaded again by its path or URL has that name.
    pub location: String,
    /// Files written.
    pub files: usize,
    /// Bytes written.
    pub bytes: u64,
}

impl SaveResult {
    /// A result with this location and these counts.
    pub fn new(location: impl Into<String>, files: usize, bytes: u64) -> Self {
        SaveResult { location: location.into(), files, bytes }
    }
}
