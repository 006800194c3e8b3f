//! The handler of a model whose files are in any implementation of [`Files`].

use crate::base::files::{Body, BoxFuture, Files};
use crate::base::path::shard_components;
use crate::model::cx::IoCx;
use crate::model::handler::{IoHandler, ModelArtifacts, SaveArtifacts, SaveResult, WeightSource};
use crate::model::load::{CacheUrls, Json, Origin, load};
use crate::model::own::former_files;
use std::sync::Arc;
use tfjs_manifest::Result;

/// The handler of a model whose files are in a [`Files`].
#[derive(Clone, Debug)]
pub struct FilesHandler {
    files: Arc<dyn Files>,
    json_name: String,
    cache_url: Option<String>,
}

impl FilesHandler {
    /// The model whose JSON is the file `json_name`. Paths of weight files are relative to the root of `files`.
    pub fn new(files: Arc<dyn Files>, json_name: impl Into<String>) -> Self {
        FilesHandler { files, json_name: json_name.into(), cache_url: None }
    }

    /// Sets the URL of the place, which is the model's key in the [cache](crate::IoOptions::cache) of a load that has
    /// one. It must be unique to the place; the path of a file is appended to it unchanged. Default: none, and the
    /// model is never cached.
    #[must_use]
    pub fn with_cache_url(mut self, url: impl Into<String>) -> Self {
        self.cache_url = Some(url.into());
        self
    }

    /// The place that contains the files.
    pub fn place(&self) -> &Arc<dyn Files> {
        &self.files
    }

    /// The name of the model's JSON there.
    pub fn json_name(&self) -> &str {
        &self.json_name
    }
}

impl IoHandler for FilesHandler {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            let urls = self
                .cache_url
                .as_ref()
                .map(|base| CacheUrls { json: format!("{base}{}", self.json_name), weights: base.clone() });
            let json = Json::File { files: &*self.files, name: &self.json_name, urls };
            let weights = WeightSource::Files(self.files.clone());
            load(Origin { location: self.location(), json, weights, query: None }, cx).await
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
            // Last, so that a model whose JSON can be read is complete.
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
