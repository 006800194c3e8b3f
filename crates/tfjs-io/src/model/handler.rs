//! The trait of handlers, which load a model's artifacts and may save them, and the artifacts. Knows no transport.
//!
//! The reference is TensorFlow.js's `io/types.ts`, `IOHandler` and `ModelArtifacts`.

use super::cx::IoCx;
use super::handlers::files::FilesHandler;
use crate::base::files::{BoxFuture, Files};
use crate::base::path::{check_not_hidden, shard_components};
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// Loads a model from somewhere, and perhaps saves one there.
///
/// Paths and URLs have handlers; implement this for models that have neither:
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
    /// Whatever keeps the JSON from arriving; weights are fetched later.
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>>;

    /// Stores a model. After an error, what was there before is still there.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) unless the handler can save.
    fn save<'a>(&'a self, artifacts: SaveArtifacts, cx: &'a IoCx) -> BoxFuture<'a, Result<SaveResult>> {
        let _ = (artifacts, cx);
        let error = Error::unsupported("this handler cannot save models").in_file(self.location());
        Box::pin(std::future::ready(Err(error)))
    }

    /// The model's files, for a place where they can be written and removed one by one: what moving and removing it
    /// need, and what copying to it takes before [`save`](Self::save).
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) unless the handler has such files.
    fn files<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<FilesHandler>> {
        let _ = cx;
        let error = "this place has no files that could be written or removed one by one";
        Box::pin(std::future::ready(Err(Error::unsupported(error).in_file(self.location()))))
    }

    /// The model as messages name it.
    fn location(&self) -> String {
        "custom handler".to_owned()
    }
}

/// A fetched model: its JSON, and the source of its weights.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ModelArtifacts {
    /// The model as messages name it: its URL without secrets, or its path.
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
    /// Nowhere: the model has no weight files.
    #[default]
    None,
    /// In memory: the concatenation of all files of all groups, in the manifest's order, in any number of
    /// pieces. This is TensorFlow.js's `weightData`.
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

    /// The sum of all files.
    pub fn bytes(&self) -> u64 {
        let weights: u64 = self.weights.iter().map(|(_, bytes)| bytes.len() as u64).sum();
        weights + self.model_json.len() as u64
    }

    /// The caller's paths must be as good as those of a manifest: inside the folder and distinct, and none
    /// of them the model's JSON.
    pub(crate) fn check(&self, json_name: &str, cx: &IoCx) -> Result<()> {
        let misuse = |e: Error| Error::misuse(e.message()).in_file(e.place().file.clone().unwrap_or_default());
        let mut seen = HashSet::from([json_name.to_owned()]);
        for (path, _) in &self.weights {
            let parts = shard_components(path, &cx.options().limits).map_err(misuse)?;
            check_not_hidden(path).map_err(|e| e.in_file(path))?;
            if !seen.insert(parts.join("/")) {
                return Err(Error::misuse("two files of one name cannot be saved").in_file(path));
            }
        }
        Ok(())
    }
}

/// What was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SaveResult {
    /// The model as messages name it; for places that can be loaded from by name, that name.
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
