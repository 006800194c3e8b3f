//! `mem://name`: models saved in memory, as a scheme. A value of the caller's, not a global.

use super::MemoryFiles;
use crate::cx::IoCx;
use crate::files::{BoxFuture, Files};
use crate::handler::{FilesHandler, IoHandler, ModelArtifacts, SaveArtifacts, SaveResult};
use crate::registry::Scheme;
use crate::url::{MODEL_JSON, ModelUrl};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tfjs_manifest::{Error, Result};

/// Models in memory, by name. Clones share them.
///
/// Registered as a scheme, `registry.with("mem", store.clone())`, it makes `mem://name` a place to save
/// to and load from.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    models: Arc<Mutex<BTreeMap<String, MemoryFiles>>>,
}

impl MemoryStore {
    /// No models yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The names of the models, sorted.
    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// The files of a model, its JSON under [`MODEL_JSON`].
    pub fn get(&self, name: &str) -> Option<MemoryFiles> {
        self.lock().get(name).cloned()
    }

    /// Puts a model there, whole, in place of one of the same name.
    pub fn insert(&self, name: impl Into<String>, files: MemoryFiles) {
        self.lock().insert(name.into(), files);
    }

    /// Removes a model.
    pub fn remove(&self, name: &str) -> Option<MemoryFiles> {
        self.lock().remove(name)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, MemoryFiles>> {
        // Maps of whole models are whole whatever happened to another thread.
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self, name: &str, url: &str) -> Result<MemoryFiles> {
        self.get(name).ok_or_else(|| {
            let names: Vec<String> = self.names().iter().take(8).map(|n| format!("`{n}`")).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Error::fetch(format!("no model of this name in memory; there are: {known}")).in_file(url)
        })
    }
}

/// The name in `mem://name`.
fn name_of(url: &ModelUrl) -> String {
    let text = url.as_url().unwrap_or_default();
    let name = text.split_once("://").map_or(text, |(_, name)| name);
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
        Ok(Arc::new(self.found(&name_of(folder), &folder.to_string())?))
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
            // Those who are loading keep the files they have.
            self.store.insert(self.name.clone(), files.with(MODEL_JSON, artifacts.model_json));
            Ok(result)
        })
    }

    fn location(&self) -> String {
        self.location.clone()
    }
}
