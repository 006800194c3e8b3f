//! The handler of a model in a bucket.

use super::files::FilesHandler;
use crate::base::files::{BoxFuture, Files};
use crate::base::url::{MODEL_JSON, ModelUrl};
use crate::model::cx::IoCx;
use crate::model::handler::{IoHandler, ModelArtifacts, SaveArtifacts, SaveResult, WeightSource};
use crate::model::load::{Json, Origin, load};
use crate::place::object::{BucketUrl, CloudConfig, ObjectFiles, ObjectScheme};
use std::sync::Arc;
use tfjs_manifest::Result;

impl ObjectScheme {
    /// The objects of the folder at this URL, with the connections of this context.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for an invalid URL or invalid settings.
    pub fn folder(&self, url: &str, cx: &IoCx) -> Result<ObjectFiles> {
        let url = ModelUrl::parse(url)?;
        let mut at = BucketUrl::parse(&url)?;
        if !at.key.is_empty() && !at.key.ends_with('/') {
            at.key.push('/');
        }
        self.files_at(&at, &cloud_config(cx)).map_err(|e| e.in_file(url))
    }
}

pub(crate) fn cloud_config(cx: &IoCx) -> CloudConfig {
    let options = cx.options();
    CloudConfig { http: cx.http().clone(), retry: options.retry.clone(), limits: options.limits.clone() }
}

pub(crate) struct ObjectHandler {
    scheme: ObjectScheme,
    /// The common prefix of the keys of the model's files.
    folder: BucketUrl,
    name: String,
    location: String,
}

impl ObjectHandler {
    /// The model at this URL: its JSON, or a folder with a `model.json`.
    pub(crate) fn new(scheme: ObjectScheme, url: &ModelUrl) -> Result<Self> {
        let BucketUrl { root, bucket, key } = BucketUrl::parse(url)?;
        let (folder, last) = key.rsplit_once('/').map_or(("", &*key), |(folder, last)| (folder, last));
        let is_json = last.get(last.len().saturating_sub(5)..).is_some_and(|end| end.eq_ignore_ascii_case(".json"));
        let (folder, name) = if is_json { (folder, last) } else { (key.trim_end_matches('/'), MODEL_JSON) };
        let slash = if folder.is_empty() { "" } else { "/" };
        let prefix = format!("{folder}{slash}");
        let location = format!("{root}{prefix}{name}");
        let name = name.to_owned();
        Ok(ObjectHandler { scheme, folder: BucketUrl { root, bucket, key: prefix }, name, location })
    }

    fn objects(&self, cx: &IoCx) -> Result<Arc<dyn Files>> {
        let files = self.scheme.files_at(&self.folder, &cloud_config(cx));
        Ok(Arc::new(files.map_err(|e| e.in_file(&self.location))?))
    }
}

impl IoHandler for ObjectHandler {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            let files = self.objects(cx)?;
            let json = Json::File { files: &*files, name: &self.name, urls: None };
            let weights = WeightSource::Files(files.clone());
            load(Origin { location: self.location(), json, weights, query: Some("") }, cx).await
        })
    }

    fn save<'a>(&'a self, artifacts: SaveArtifacts, cx: &'a IoCx) -> BoxFuture<'a, Result<SaveResult>> {
        Box::pin(async move { self.files(cx).await?.save(artifacts, cx).await })
    }

    fn files<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<FilesHandler>> {
        let files = self.objects(cx).map(|objects| FilesHandler::new(objects, &*self.name));
        Box::pin(std::future::ready(files))
    }

    fn location(&self) -> String {
        self.location.clone()
    }
}
