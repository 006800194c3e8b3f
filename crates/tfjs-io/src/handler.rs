//! What a user sees: a handler that loads a model's artifacts, and may save them. Knows no transport.
//!
//! The reference is TensorFlow.js's `io/types.ts`, `IOHandler` and `ModelArtifacts`.

use crate::cx::IoCx;
use crate::fetch::read_json;
use crate::files::{Body, BoxFuture, Files, OpenOptions, Opened, Purpose};
use crate::shard_path::{check_not_hidden, shard_components};
use crate::store::former_files;
use crate::weights_at::weights_elsewhere;
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// Loads a model from somewhere, and perhaps saves one there.
///
/// Everything else can be had from a path or URL; implement this for what cannot:
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
    /// Fetches the model's JSON and says where its weights can be had.
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

/// A model as it was fetched: its JSON, and where its weights can be had.
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

/// Where the bytes of the weight files can be had.
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
    /// So many files and bytes, there.
    pub fn new(location: impl Into<String>, files: usize, bytes: u64) -> Self {
        SaveResult { location: location.into(), files, bytes }
    }
}

/// The handler of a model whose files are in a [`Files`].
#[derive(Clone, Debug)]
pub struct FilesHandler {
    files: Arc<dyn Files>,
    json_name: String,
}

impl FilesHandler {
    /// The model whose JSON is the file `json_name`; its weight files are named beside it.
    pub fn new(files: Arc<dyn Files>, json_name: impl Into<String>) -> Self {
        FilesHandler { files, json_name: json_name.into() }
    }

    /// The place its files are in.
    pub fn place(&self) -> &Arc<dyn Files> {
        &self.files
    }

    /// The name of the model's JSON there.
    pub fn json_name(&self) -> &str {
        &self.json_name
    }
}

/// The JSON of a model that is a file in `files`, and its weights, which are said to be in `weights`: the road of
/// every model that is not on this machine, and where the cache is, if there is one.
pub(crate) async fn fetch_model(
    files: &dyn Files,
    json_name: &str,
    weights: Arc<dyn Files>,
    cx: &IoCx,
) -> Result<(Bytes, Arc<dyn Files>)> {
    #[cfg(feature = "cache")]
    if let Some(load) = crate::cache::CachedLoad::of(files, json_name, &weights, cx) {
        return load.run().await;
    }
    let opened = files.open(json_name, OpenOptions::new(Purpose::Json)).await?;
    let json = match files.url(json_name) {
        Some(_) => read_model_json(opened, cx).await?,
        // No server that could have sent a page in its place.
        None => read_json(opened, cx).await?,
    };
    Ok((json, weights))
}

/// The text of a JSON that comes from elsewhere.
pub(crate) async fn read_model_json(opened: Opened, cx: &IoCx) -> Result<Bytes> {
    let location = opened.location.clone();
    let json = read_json(opened, cx).await?;
    if json.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<') {
        return Err(Error::fetch(
            "the server answered with a page of HTML or XML, not with a model's JSON; check the URL",
        )
        .in_file(location));
    }
    Ok(json)
}

impl IoHandler for FilesHandler {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            let weights = match weights_elsewhere(cx, false, "")? {
                Some(elsewhere) => elsewhere,
                None => self.files.clone(),
            };
            let (json, weights) = fetch_model(&*self.files, &self.json_name, weights, cx).await?;
            Ok(ModelArtifacts::new(self.location(), json, WeightSource::Files(weights)))
        })
    }

    fn save<'a>(&'a self, artifacts: SaveArtifacts, cx: &'a IoCx) -> BoxFuture<'a, Result<SaveResult>> {
        Box::pin(async move {
            artifacts.check(&self.json_name, cx)?;
            let result = SaveResult::new(self.location(), artifacts.weights.len() + 1, artifacts.bytes());
            let limits = &cx.options().limits;
            let weights = artifacts.weights.into_iter().map(|(path, bytes)| {
                let name = shard_components(&path, limits)?.join("/");
                Ok((name, Body::Bytes(bytes)))
            });
            let mut files = weights.collect::<Result<Vec<(String, Body)>>>()?;
            let names: Vec<String> = files.iter().map(|(name, _)| name.clone()).collect();
            let former = former_files(self, &names, cx).await?;
            // Last: a model whose JSON can be read is complete.
            files.push((self.json_name.clone(), Body::Bytes(artifacts.model_json)));
            self.files.replace(former, files).await?;
            Ok(result)
        })
    }

    fn files<'a>(&'a self, _cx: &'a IoCx) -> BoxFuture<'a, Result<FilesHandler>> {
        Box::pin(std::future::ready(Ok(self.clone())))
    }

    fn location(&self) -> String {
        self.files.location(&self.json_name)
    }
}
