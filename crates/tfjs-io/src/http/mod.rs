//! `http://` and `https://`: one stack, hyper and rustls, with every status, length and redirect checked.
//!
//! The reference is TensorFlow.js's `io/http.ts`, which checks neither the status nor the length of a
//! weight file.

mod answer;
mod client;
mod connect;
mod decode;
mod failure;
mod policy;
mod proxy;
mod redirect;
mod request;
mod sending;
mod tls;
mod upload;

pub(crate) use client::HttpClient;
#[cfg(feature = "cloud")]
pub(crate) use failure::{Failure, Stage};

use crate::cx::IoCx;
use crate::fetch::RetryFiles;
use crate::files::{BoxFuture, Files, OpenOptions, Opened};
use crate::handler::{IoHandler, ModelArtifacts, SaveArtifacts, SaveResult, WeightSource, fetch_model};
use crate::registry::Scheme;
use crate::shard_path::shard_components;
use crate::url::{ModelUrl, without_secrets};
use crate::weights_at::weights_elsewhere;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// The schemes `http` and `https`.
pub(crate) struct HttpScheme;

impl Scheme for HttpScheme {
    fn handler(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>> {
        if let Some(archive) = crate::archive::of_url(url)? {
            return Ok(archive);
        }
        Ok(Arc::new(HttpHandler::new(url.clone())?))
    }

    fn files(&self, folder: &ModelUrl, query: &str, cx: &IoCx) -> Result<Arc<dyn Files>> {
        let prefix = folder.as_url().ok_or_else(|| Error::misuse("expected a URL").in_file(folder))?;
        Ok(Arc::new(HttpFiles { prefix: prefix.to_owned(), query: query.to_owned(), urls: urls(cx), cx: cx.clone() }))
    }
}

/// The handler of a model at an `http://` or `https://` URL.
///
/// Weight files are beside the model's JSON, at the URL that was given (not where it may have been
/// redirected to), and inherit its query. A user name and password in the URL are sent as basic
/// authorization.
#[derive(Clone, Debug)]
pub struct HttpHandler {
    url: ModelUrl,
}

impl HttpHandler {
    /// The model at this URL; one that ends in `/` means the `model.json` there.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for any other scheme.
    pub fn new(url: ModelUrl) -> Result<Self> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::misuse("expected an `http://` or `https://` URL").in_file(url));
        }
        Ok(HttpHandler { url })
    }

    fn parts(&self) -> Result<(String, String, String)> {
        self.url.split().ok_or_else(|| Error::bug("a URL without parts").in_file(&self.url))
    }
}

impl IoHandler for HttpHandler {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            let (prefix, name, query) = self.parts()?;
            let url = format!("{prefix}{name}{query}");
            let location = without_secrets(&url);
            let weights = match weights_elsewhere(cx, true, &query)? {
                Some(elsewhere) => elsewhere,
                None => HttpScheme.files(&ModelUrl::parse(&prefix)?, &query, cx)?,
            };
            let json = HttpFile { url, urls: urls(cx) };
            let (json, weights) = fetch_model(&json, &name, weights, cx).await?;
            Ok(ModelArtifacts::new(location, json, WeightSource::Files(weights)))
        })
    }

    /// Sends the form that TensorFlow.js sends to the URL as it is, by [`save_method`](crate::IoOptions::save_method):
    /// a file `model.json`, and a file `model.weights.bin` with all weights. A status other than 2xx is an error, and
    /// so is a redirect, except 307 and 308 within the same origin. What may have arrived is not sent twice.
    fn save<'a>(&'a self, artifacts: SaveArtifacts, cx: &'a IoCx) -> BoxFuture<'a, Result<SaveResult>> {
        Box::pin(async move { upload::upload(self.url.as_url().unwrap_or_default(), artifacts, cx).await })
    }

    fn location(&self) -> String {
        match self.parts() {
            Ok((prefix, name, query)) => without_secrets(&format!("{prefix}{name}{query}")),
            Err(_) => self.url.to_string(),
        }
    }
}

/// What a path's characters must not be in a URL. `%` stays: manifests may be encoded already.
const NOT_IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'^');

/// Files named by their URLs, fetched again if that may help.
fn urls(cx: &IoCx) -> Arc<dyn Files> {
    Arc::new(RetryFiles::new(Arc::new(Urls { cx: cx.clone() }), cx))
}

/// Files named by their URLs.
#[derive(Clone, Debug)]
struct Urls {
    cx: IoCx,
}

impl Files for Urls {
    fn open<'a>(&'a self, url: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let opened = async { self.cx.http()?.get(url, &options).await };
            opened.await.map_err(|e| e.in_file(without_secrets(url)))
        })
    }

    fn location(&self, url: &str) -> String {
        without_secrets(url)
    }
}

/// The files whose URLs begin with a prefix and end with a query.
#[derive(Clone, Debug)]
struct HttpFiles {
    prefix: String,
    query: String,
    urls: Arc<dyn Files>,
    cx: IoCx,
}

impl HttpFiles {
    fn shard_url(&self, path: &str) -> Result<String> {
        let parts = shard_components(path, &self.cx.options().limits)?;
        let path = parts.join("/");
        Ok(format!("{}{}{}", self.prefix, utf8_percent_encode(&path, NOT_IN_PATH), self.query))
    }
}

impl Files for HttpFiles {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move { self.urls.open(&self.shard_url(path)?, options).await })
    }

    fn location(&self, path: &str) -> String {
        self.shard_url(path).map_or_else(|_| path.to_owned(), |url| self.urls.location(&url))
    }

    fn url(&self, path: &str) -> Option<String> {
        match path {
            "" => Some(format!("{}{}", self.prefix, self.query)),
            path => self.shard_url(path).ok(),
        }
    }
}

/// One file, whatever it is called: the caller's own URL is taken as it is.
#[derive(Clone, Debug)]
struct HttpFile {
    url: String,
    urls: Arc<dyn Files>,
}

impl Files for HttpFile {
    fn open<'a>(&'a self, _path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        self.urls.open(&self.url, options)
    }

    fn location(&self, _path: &str) -> String {
        without_secrets(&self.url)
    }

    fn url(&self, _path: &str) -> Option<String> {
        Some(self.url.clone())
    }
}
