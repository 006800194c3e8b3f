//! Files on a web server, by their URLs.

use super::Http;
use crate::base::files::{BoxFuture, Files, OpenOptions, Opened};
use crate::base::path::shard_components;
use crate::base::url::without_secrets;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tfjs_manifest::Result;

/// The characters of a query that are percent-encoded in a URL; all others are sent unchanged.
const NOT_IN_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// The characters of a path that are percent-encoded in a URL. Not `%`, because paths in manifests may be encoded
/// already.
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

/// The files whose URLs begin with a prefix and end with a query.
#[derive(Clone, Debug)]
pub(crate) struct HttpFiles {
    http: Http,
    prefix: String,
    query: String,
}

impl HttpFiles {
    pub(crate) fn new(http: Http, prefix: impl Into<String>, query: impl Into<String>) -> Self {
        HttpFiles { http, prefix: prefix.into(), query: query.into() }
    }

    /// The URL of a weight file. A path with its own query, such as a signature, keeps it; other paths get the query of
    /// the model.
    fn shard_url(&self, path: &str) -> Result<String> {
        let parts = shard_components(path, &self.http.config().limits)?;
        let whole = parts.join("/");
        let (path, query) = match whole.split_once('?') {
            Some((path, query)) => (path, format!("?{}", utf8_percent_encode(query, NOT_IN_QUERY))),
            None => (whole.as_str(), self.query.clone()),
        };
        Ok(format!("{}{}{query}", self.prefix, utf8_percent_encode(path, NOT_IN_PATH)))
    }
}

impl Files for HttpFiles {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move { open(&self.http, &self.shard_url(path)?, &options).await })
    }

    fn location(&self, path: &str) -> String {
        self.shard_url(path).map_or_else(|_| path.to_owned(), |url| without_secrets(&url))
    }
}

/// One file, whatever path is opened: the caller's URL is used unchanged.
#[derive(Clone, Debug)]
pub(crate) struct HttpFile {
    http: Http,
    url: String,
}

impl HttpFile {
    pub(crate) fn new(http: Http, url: impl Into<String>) -> Self {
        HttpFile { http, url: url.into() }
    }
}

impl Files for HttpFile {
    fn open<'a>(&'a self, _path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move { open(&self.http, &self.url, &options).await })
    }

    fn location(&self, _path: &str) -> String {
        without_secrets(&self.url)
    }
}

async fn open(http: &Http, url: &str, options: &OpenOptions) -> Result<Opened> {
    let opened = async { http.client()?.get(url, options).await };
    opened.await.map_err(|e| e.in_file(without_secrets(url)))
}
