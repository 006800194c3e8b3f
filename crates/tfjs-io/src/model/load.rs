//! The part of a load that all handlers share: the JSON, or the archive that contains it; weight files at another
//! place, if the options name one; the cache, if the options have one.

use super::cx::IoCx;
use super::elsewhere::weights_elsewhere;
use super::handler::{ModelArtifacts, WeightSource};
use super::json::{read_json, read_model_json};
use crate::base::files::{Files, OpenOptions, Opened, Purpose};
#[cfg(feature = "archive")]
use crate::wrap::{archive::ArchiveFiles, prefixed::PrefixedFiles};
use bytes::Bytes;
use std::sync::Arc;
use tfjs_manifest::Result;

/// A model that a handler has found.
pub(crate) struct Origin<'a> {
    /// The model's name in messages.
    pub(crate) location: String,
    pub(crate) json: Json<'a>,
    /// The weights, unless the options name another place. Ignored for an archive, which contains its weights.
    pub(crate) weights: WeightSource,
    /// The query of the model's URL; `None` for a local model.
    pub(crate) query: Option<&'a str>,
}

/// The JSON of a model.
pub(crate) enum Json<'a> {
    /// Its text.
    Text(Bytes),
    /// Its open file.
    Opened(Opened),
    /// Its file in a place. With `urls`, the JSON and the weights can be cached.
    File { files: &'a dyn Files, name: &'a str, urls: Option<CacheUrls> },
    /// An open archive, and the name of the JSON in it, if one was given.
    Archive { opened: Opened, inside: Option<String> },
    /// An archive whose index has been read.
    #[cfg(feature = "archive")]
    InArchive(ArchiveFiles),
}

/// The URLs that make the key of a model in a cache.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "cache"), allow(dead_code, reason = "only a cache compares them"))]
pub(crate) struct CacheUrls {
    /// The URL of the JSON, secrets included.
    pub(crate) json: String,
    /// The URL of the folder of the weights.
    pub(crate) weights: String,
}

/// Loads the model at this origin.
pub(crate) async fn load(origin: Origin<'_>, cx: &IoCx) -> Result<ModelArtifacts> {
    let Origin { location, json, weights, query } = origin;
    let elsewhere = weights_elsewhere(cx, query)?;
    let json = match json {
        Json::Text(text) => text,
        Json::Opened(opened) => read_json(opened, cx).await?,
        Json::File { files, name, urls: None } => {
            let opened = files.open(name, OpenOptions::new(Purpose::Json)).await?;
            read_json(opened, cx).await?
        }
        Json::File { files, name, urls: Some(urls) } => {
            let weights_url = match &elsewhere {
                Some(elsewhere) => elsewhere.cache_url.clone(),
                None => Some(urls.weights),
            };
            let weights = elsewhere.map_or(weights, |elsewhere| WeightSource::Files(elsewhere.files));
            let (json, weights) = load_file(files, name, &urls.json, weights, weights_url, cx).await?;
            return Ok(ModelArtifacts::new(location, json, weights));
        }
        Json::Archive { opened, inside } => return archive(opened, inside, elsewhere.map(|e| e.files), cx).await,
        #[cfg(feature = "archive")]
        Json::InArchive(files) => return in_archive(files, None, elsewhere.map(|e| e.files), cx).await,
    };
    let weights = elsewhere.map_or(weights, |elsewhere| WeightSource::Files(elsewhere.files));
    Ok(ModelArtifacts::new(location, json, weights))
}

/// Loads a JSON from a place with URLs, through the cache if the options have one.
#[cfg_attr(not(feature = "cache"), allow(unused_variables, reason = "only a cache needs URLs"))]
async fn load_file(
    files: &dyn Files,
    name: &str,
    json_url: &str,
    weights: WeightSource,
    weights_url: Option<String>,
    cx: &IoCx,
) -> Result<(Bytes, WeightSource)> {
    #[cfg(feature = "cache")]
    if let Some(cache) = &cx.options().cache {
        let urls = (json_url, weights_url.as_deref());
        return super::cache::CachedLoad::new(cache, files, name, urls, weights, cx).run().await;
    }
    let opened = files.open(name, OpenOptions::new(Purpose::Json)).await?;
    Ok((read_model_json(opened, cx).await?, weights))
}

#[cfg(feature = "archive")]
async fn archive(
    opened: Opened,
    inside: Option<String>,
    elsewhere: Option<Arc<dyn Files>>,
    cx: &IoCx,
) -> Result<ModelArtifacts> {
    let files = ArchiveFiles::fetch(opened, &cx.options().limits, cx.reporter()).await?;
    in_archive(files, inside, elsewhere, cx).await
}

#[cfg(not(feature = "archive"))]
async fn archive(
    opened: Opened,
    _inside: Option<String>,
    _elsewhere: Option<Arc<dyn Files>>,
    _cx: &IoCx,
) -> Result<ModelArtifacts> {
    Err(crate::wrap::archive::needs_feature().in_file(opened.location))
}

/// Loads the model in an archive. Its weights are beside its JSON, unless the options name another place.
#[cfg(feature = "archive")]
async fn in_archive(
    files: ArchiveFiles,
    inside: Option<String>,
    elsewhere: Option<Arc<dyn Files>>,
    cx: &IoCx,
) -> Result<ModelArtifacts> {
    let name = inside.map_or_else(|| files.model_json(), Ok)?;
    let opened = files.open(&name, OpenOptions::new(Purpose::Json)).await?;
    let location = opened.location.clone();
    let json = read_json(opened, cx).await?;
    let weights = elsewhere.unwrap_or_else(|| match name.rfind('/') {
        Some(at) => Arc::new(PrefixedFiles::new(Arc::new(files), &name[..=at])),
        None => Arc::new(files),
    });
    Ok(ModelArtifacts::new(location, json, WeightSource::Files(weights)))
}
