//! Models in memory: a JSON and weights from the caller, and `mem://name`, a scheme to save to and load from.

use super::files::FilesHandler;
use crate::base::files::{Body, BoxFuture, Files, OpenOptions, Opened};
use crate::base::url::{MODEL_JSON, ModelUrl};
use crate::model::cx::IoCx;
use crate::model::handler::{IoHandler, ModelArtifacts, SaveArtifacts, SaveResult, WeightSource};
use crate::model::load::{Json, Origin, load};
use crate::model::scheme::Scheme;
use crate::place::memory::{MemoryFiles, in_memory, normal};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tfjs_manifest::{Error, Result};

/// A model whose JSON and weights are in memory, like TensorFlow.js's `fromMemory`.
#[derive(Clone, Debug)]
pub struct MemoryHandler {
    model_json: Bytes,
    weights: WeightSource,
}

impl MemoryHandler {
    /// A model's JSON and its weights: all of them concatenated, or files by name.
    ///
    /// ```
    /// # use tfjs_io::{Bytes, MemoryFiles, MemoryHandler, WeightSource};
    /// let json = Bytes::from_static(b"{}"); // include_bytes!("model.json")
    /// let weights = Bytes::from_static(b"0123"); // include_bytes!("weights.bin")
    /// let whole = MemoryHandler::new(json.clone(), WeightSource::from(weights.clone()));
    /// let by_name = MemoryHandler::new(json, MemoryFiles::new().with("weights.bin", weights));
    /// ```
    pub fn new(model_json: impl Into<Bytes>, weights: impl Into<WeightSource>) -> Self {
        MemoryHandler { model_json: model_json.into(), weights: weights.into() }
    }
}

impl IoHandler for MemoryHandler {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            let json = Json::Text(self.model_json.clone());
            load(Origin { location: self.location(), json, weights: self.weights.clone(), query: None }, cx).await
        })
    }

    fn location(&self) -> String {
        "memory".to_owned()
    }
}

impl From<Bytes> for WeightSource {
    fn from(bytes: Bytes) -> Self {
        WeightSource::Whole(vec![bytes])
    }
}

impl From<MemoryFiles> for WeightSource {
    fn from(files: MemoryFiles) -> Self {
        WeightSource::Files(Arc::new(files))
    }
}

impl From<Arc<dyn Files>> for WeightSource {
    fn from(files: Arc<dyn Files>) -> Self {
        WeightSource::Files(files)
    }
}

/// Models in memory, by name. Clones share them.
///
/// Register it as a scheme with `registry.with("mem", store.clone())`, to save to and load from `mem://name`.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    models: Arc<Mutex<BTreeMap<String, MemoryFiles>>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// The names of the models, sorted.
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// The files of a model. Its JSON is named [`MODEL_JSON`].
    pub fn get(&self, name: &str) -> Option<MemoryFiles> {
        self.lock().get(name).cloned()
    }

    /// Inserts a model in one step. Replaces a model of the same name.
    pub fn insert(&self, name: impl Into<String>, files: MemoryFiles) {
        self.lock().insert(name.into(), files);
    }

    /// Removes a model.
    pub fn remove(&self, name: &str) -> Option<MemoryFiles> {
        self.lock().remove(name)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, MemoryFiles>> {
        // Consistent even if another thread panicked: models are inserted in one step.
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self, name: &str, url: &str) -> Result<MemoryFiles> {
        self.get(name).ok_or_else(|| self.unknown(url))
    }

    fn unknown(&self, url: &str) -> Error {
        let names: Vec<String> = self.names().iter().take(8).map(|n| format!("`{n}`")).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Error::fetch(format!("no model of this name in memory; there are: {known}")).in_file(url)
    }
}

/// The name in `mem://name`, `mem://name/` or `mem://name/model.json`.
fn name_of(url: &ModelUrl) -> String {
    let text = url.as_url().unwrap_or_default();
    let name = text.split_once("://").map_or(text, |(_, name)| name);
    let name = name.strip_suffix(MODEL_JSON).filter(|rest| rest.ends_with('/')).unwrap_or(name);
    name.trim_end_matches('/').to_owned()
}

impl Scheme for MemoryStore {
    fn handler(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>> {
        let name = name_of(url);
        if name.is_empty() {
            return Err(Error::misuse("expected a name after `://`").in_file(url));
        }
        Ok(Arc::new(StoredModel { store: self.clone(), name, location: url.to_string() }))
    }

    fn files(&self, folder: &ModelUrl, _query: &str, _cx: &IoCx) -> Result<Arc<dyn Files>> {
        let url = folder.to_string().trim_end_matches('/').to_owned();
        Ok(Arc::new(StoreFiles { store: self.clone(), name: name_of(folder), url }))
    }
}

/// The files of a model, and of all models whose names begin with its name and a `/`. With an empty name, all files.
#[derive(Debug)]
struct StoreFiles {
    store: MemoryStore,
    name: String,
    url: String,
}

impl StoreFiles {
    fn full(&self, path: &str) -> String {
        match self.name.is_empty() {
            true => normal(path).to_owned(),
            false => format!("{}/{}", self.name, normal(path)),
        }
    }

    /// The model that contains a file, and the file's name in it: this model first, then the one with the longest name.
    fn find(&self, path: &str) -> Result<(MemoryFiles, String)> {
        let own = self.store.get(&self.name);
        if let Some(own) = own.as_ref().filter(|own| own.get(path).is_some()) {
            return Ok((own.clone(), path.to_owned()));
        }
        let full = self.full(path);
        for (name, files) in self.store.lock().iter().rev() {
            if let Some(file) = full.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('/')) {
                return Ok((files.clone(), file.to_owned()));
            }
        }
        own.map(|own| (own, path.to_owned())).ok_or_else(|| self.store.unknown(&self.url))
    }
}

impl Files for StoreFiles {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let (files, file) = self.find(path)?;
            let mut opened = files.open(&file, options).await?;
            opened.location = self.location(path);
            Ok(opened)
        })
    }

    fn put<'a>(&'a self, path: &'a str, body: Body) -> BoxFuture<'a, Result<()>> {
        self.put_all(vec![(path.to_owned(), body)])
    }

    /// Writes all files in one step, or none. A load in progress keeps the former files.
    fn put_all<'a>(&'a self, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if self.name.is_empty() {
                return Err(Error::misuse("expected a model's name after `://`").in_file(&self.url));
            }
            let whole = in_memory(files).await?;
            let mut models = self.store.lock();
            let all = models.get(&self.name).map(MemoryFiles::snapshot).unwrap_or_default();
            all.lock().extend(whole);
            models.insert(self.name.clone(), all);
            Ok(())
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        let below = self.full("");
        let mut paths = Vec::new();
        for (name, files) in self.store.lock().iter() {
            paths.extend(files.names().iter().filter_map(|file| {
                let full = format!("{name}/{file}");
                full.strip_prefix(&below).filter(|path| path.starts_with(prefix)).map(str::to_owned)
            }));
        }
        paths.sort();
        Box::pin(std::future::ready(Ok(paths)))
    }

    /// Removes the file, and the model with its last file.
    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut models = self.store.lock();
            let left = models.get(&self.name).map(MemoryFiles::snapshot).unwrap_or_default();
            if left.lock().remove(normal(path)).is_none() {
                return Err(Error::fetch("no such file in memory").in_file(self.location(path)));
            }
            match left.names().is_empty() {
                true => models.remove(&self.name),
                false => models.insert(self.name.clone(), left),
            };
            Ok(())
        })
    }

    fn location(&self, path: &str) -> String {
        format!("{}/{}", self.url, normal(path))
    }
}

struct StoredModel {
    store: MemoryStore,
    name: String,
    location: String,
}

impl IoHandler for StoredModel {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            let files = self.store.found(&self.name, &self.location)?;
            let mut artifacts = FilesHandler::new(Arc::new(files), MODEL_JSON).load(cx).await?;
            artifacts.location.clone_from(&self.location);
            Ok(artifacts)
        })
    }

    fn save<'a>(&'a self, artifacts: SaveArtifacts, cx: &'a IoCx) -> BoxFuture<'a, Result<SaveResult>> {
        Box::pin(async move {
            artifacts.check(MODEL_JSON, cx)?;
            let result = SaveResult::new(self.location(), artifacts.weights.len() + 1, artifacts.bytes());
            let files: MemoryFiles = artifacts.weights.into_iter().collect();
            // A load in progress keeps the former files.
            self.store.insert(self.name.clone(), files.with(MODEL_JSON, artifacts.model_json));
            Ok(result)
        })
    }

    fn files<'a>(&'a self, _cx: &'a IoCx) -> BoxFuture<'a, Result<FilesHandler>> {
        let url = self.location.strip_suffix(MODEL_JSON).unwrap_or(&self.location).trim_end_matches('/').to_owned();
        let files = StoreFiles { store: self.store.clone(), name: self.name.clone(), url };
        Box::pin(std::future::ready(Ok(FilesHandler::new(Arc::new(files), MODEL_JSON))))
    }

    fn location(&self) -> String {
        self.location.clone()
    }
}
