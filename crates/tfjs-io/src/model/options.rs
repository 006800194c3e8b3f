//! The caller's options for fetching and storing. Values only.

use crate::base::checksums::Checksums;
use crate::base::files::BoxFuture;
use crate::base::network::{Proxy, Roots, SaveMethod, Signature, Signer, Timeouts};
use crate::base::progress::{Progress, ProgressCallback};
use crate::base::retry::Retry;
use std::fmt;
use std::sync::Arc;
use tfjs_manifest::{Limits, Result};

/// Converts the path of a weight file in the manifest to its URL or path.
pub type WeightUrlConverter = Arc<dyn Fn(&str) -> BoxFuture<'static, Result<String>> + Send + Sync>;

/// Options for fetching and storing. All have defaults.
#[derive(Clone)]
#[non_exhaustive]
pub struct IoOptions {
    /// Limits for untrusted models. Default: [`Limits::default`].
    pub limits: Limits,
    /// Headers of every HTTP request, for the JSON and the weights. They are not sent to another origin after a
    /// redirect. Default: none.
    pub headers: Vec<(String, String)>,
    /// The folder of the weight files, if not the model's: see
    /// [`with_weight_path_prefix`](Self::with_weight_path_prefix).
    pub weight_path_prefix: Option<String>,
    /// Converts paths of weight files: see [`with_weight_url_converter`](Self::with_weight_url_converter).
    pub weight_url_converter: Option<WeightUrlConverter>,
    /// Called with the progress of a load.
    pub on_progress: Option<ProgressCallback>,
    /// Concurrent requests for weights of a load; at least 1. Default 8.
    pub concurrency: usize,
    /// Weight files larger than this many bytes are fetched in parallel parts, if the server supports ranges and sends
    /// a strong validator. Default 16 MiB.
    pub split_over: u64,
    /// Length of these parts in bytes, at least 64 KiB. Default 8 MiB.
    pub range_bytes: u64,
    /// Network time-outs.
    pub timeouts: Timeouts,
    /// Retries of transient errors.
    pub retry: Retry,
    /// The HTTP method for saving a model. Default POST, as in TensorFlow.js.
    pub save_method: SaveMethod,
    /// The certificate authorities that are trusted for servers. Default: [`Roots::Bundled`].
    pub roots: Roots,
    /// Certificates that are trusted in addition, in PEM: see
    /// [`with_root_certificate`](Self::with_root_certificate).
    pub root_certificates: Vec<Vec<u8>>,
    /// The proxy. Default: the environment's.
    pub proxy: Proxy,
    /// Signs requests: see [`with_signer`](Self::with_signer).
    pub signer: Option<Signer>,
    /// Whether only the public internet is reached over HTTP: see [`with_public_only`](Self::with_public_only).
    /// Default: no.
    pub public_only: bool,
    /// Whether links on disk may lead out of the model's folder, as those of download caches do.
    /// Default: no.
    pub allow_symlinks: bool,
    /// SHA-256 sums that the model's files must have. Default: none.
    pub checksums: Checksums,
    /// The cache of remote models on disk. Default: none.
    #[cfg(feature = "cache")]
    pub cache: Option<super::cache::Cache>,
}

impl Default for IoOptions {
    fn default() -> Self {
        IoOptions {
            limits: Limits::default(),
            headers: Vec::new(),
            weight_path_prefix: None,
            weight_url_converter: None,
            on_progress: None,
            concurrency: 8,
            split_over: 16 << 20,
            range_bytes: 8 << 20,
            timeouts: Timeouts::default(),
            retry: Retry::default(),
            save_method: SaveMethod::default(),
            roots: Roots::default(),
            root_certificates: Vec::new(),
            proxy: Proxy::default(),
            signer: None,
            public_only: false,
            allow_symlinks: false,
            checksums: Checksums::new(),
            #[cfg(feature = "cache")]
            cache: None,
        }
    }
}

impl IoOptions {
    /// Sets the limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds an HTTP header to every request.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the folder of the weight files, if it is not the model's folder.
    ///
    /// As in TensorFlow.js, the file's path is appended to a URL without a `/` between them (`http://h/alt` and `w.bin`
    /// make `http://h/altw.bin`), followed by the model's query. A path on disk is joined with `/`. For a model from
    /// HTTP the prefix must have a scheme (which may be `file://`), because a relative one would be ambiguous.
    #[must_use]
    pub fn with_weight_path_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.weight_path_prefix = Some(prefix.into());
        self
    }

    /// Sets a function that converts the path of a weight file in the manifest, which has been checked, to a URL (or,
    /// for a model on disk, a path). Overrides the prefix; no query is appended.
    #[must_use]
    pub fn with_weight_url_converter(self, convert: impl Fn(&str) -> Result<String> + Send + Sync + 'static) -> Self {
        self.with_async_weight_url_converter(move |path| Box::pin(std::future::ready(convert(path))))
    }

    /// [`with_weight_url_converter`](Self::with_weight_url_converter) with an asynchronous function, for URLs that must
    /// be requested first, such as signed ones. It is called right before the file is fetched.
    #[must_use]
    pub fn with_async_weight_url_converter(
        mut self,
        convert: impl Fn(&str) -> BoxFuture<'static, Result<String>> + Send + Sync + 'static,
    ) -> Self {
        self.weight_url_converter = Some(Arc::new(convert));
        self
    }

    /// Sets the progress callback.
    #[must_use]
    pub fn with_on_progress(mut self, callback: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(callback));
        self
    }

    /// Sets the number of concurrent requests for weights.
    #[must_use]
    pub fn with_concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests;
        self
    }

    /// Sets the length above which weight files are fetched in parts; `u64::MAX` for never.
    #[must_use]
    pub fn with_split_over(mut self, bytes: u64) -> Self {
        self.split_over = bytes;
        self
    }

    /// Sets the length of the parts of large weight files.
    #[must_use]
    pub fn with_range_bytes(mut self, bytes: u64) -> Self {
        self.range_bytes = bytes;
        self
    }

    /// Sets the time-outs.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets the number of tries and the waits between them.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sets the HTTP method for saving.
    #[must_use]
    pub fn with_save_method(mut self, method: SaveMethod) -> Self {
        self.save_method = method;
        self
    }

    /// Sets the trusted certificate authorities.
    #[must_use]
    pub fn with_roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Adds certificates of trusted authorities, one or several in one PEM text.
    #[must_use]
    pub fn with_root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates.push(pem.into());
        self
    }

    /// Sets the proxy.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Sets a function that signs HTTP requests. It is called with the URL right before each request is sent, for every
    /// try and every part of a file. Only requests to the server that the caller named are signed, not redirects to
    /// another server. An error ends the load and is not retried.
    #[must_use]
    pub fn with_signer(self, sign: impl Fn(&str) -> Result<Signature> + Send + Sync + 'static) -> Self {
        self.with_async_signer(move |url| Box::pin(std::future::ready(sign(url))))
    }

    /// [`with_signer`](Self::with_signer) with an asynchronous function, for signatures that must be requested.
    #[must_use]
    pub fn with_async_signer(
        mut self,
        sign: impl Fn(&str) -> BoxFuture<'static, Result<Signature>> + Send + Sync + 'static,
    ) -> Self {
        self.signer = Some(Arc::new(sign));
        self
    }

    /// Sets whether HTTP reaches the public internet only, for services that load models their users name. If set, no
    /// URL, not even the caller's own, reaches a private, loopback or link-local address, or a cloud's metadata
    /// service; the addresses that a name resolves to and the target of every redirect are checked. If not set, this
    /// applies to redirects from the internet only.
    ///
    /// A proxy resolves names itself and must apply the same rule: here only literal addresses are checked. Other
    /// schemes are not affected: give such a service a [`Registry`](crate::Registry) without `file`. The endpoints of
    /// object stores are configuration, which URLs cannot change, and may be private.
    #[must_use]
    pub fn with_public_only(mut self, public_only: bool) -> Self {
        self.public_only = public_only;
        self
    }

    /// Sets whether links on disk may lead out of the model's folder.
    #[must_use]
    pub fn with_allow_symlinks(mut self, allow: bool) -> Self {
        self.allow_symlinks = allow;
        self
    }

    /// Sets the SHA-256 sums that the model's files must have.
    #[must_use]
    pub fn with_checksums(mut self, checksums: Checksums) -> Self {
        self.checksums = checksums;
        self
    }

    /// Adds the SHA-256 sum of one file, in hexadecimal digits: `model.json`, or a weight file by its path in the
    /// manifest.
    #[must_use]
    pub fn with_sha256(mut self, path: impl AsRef<str>, sha256: impl AsRef<str>) -> Self {
        self.checksums = self.checksums.with(path, sha256);
        self
    }

    /// Sets the cache: remote models are stored on disk, and loaded from there as long as the server reports no change.
    #[cfg(feature = "cache")]
    #[must_use]
    pub fn with_cache(mut self, cache: super::cache::Cache) -> Self {
        self.cache = Some(cache);
        self
    }
}

/// Does not show values of headers, which are secrets, and callbacks.
impl fmt::Debug for IoOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IoOptions {
            limits,
            headers,
            weight_path_prefix,
            weight_url_converter,
            on_progress,
            concurrency,
            split_over,
            range_bytes,
            timeouts,
            retry,
            save_method,
            roots,
            root_certificates,
            proxy,
            signer,
            public_only,
            allow_symlinks,
            checksums,
            #[cfg(feature = "cache")]
            cache,
        } = self;
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let mut out = f.debug_struct("IoOptions");
        #[cfg(feature = "cache")]
        out.field("cache", cache);
        out.field("limits", limits)
            .field("headers", &names)
            .field("weight_path_prefix", &weight_path_prefix.as_deref().map(crate::base::url::without_secrets))
            .field("weight_url_converter", &weight_url_converter.is_some())
            .field("on_progress", &on_progress.is_some())
            .field("concurrency", concurrency)
            .field("split_over", split_over)
            .field("range_bytes", range_bytes)
            .field("timeouts", timeouts)
            .field("retry", retry)
            .field("save_method", save_method)
            .field("roots", roots)
            .field("root_certificates", &root_certificates.len())
            .field("proxy", proxy)
            .field("signer", &signer.is_some())
            .field("public_only", public_only)
            .field("allow_symlinks", allow_symlinks)
            .field("checksums", checksums)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let options = IoOptions::default()
            .with_header("Authorization", "Bearer hunter2")
            .with_weight_path_prefix("http://h/?sig=hunter2")
            .with_proxy(Proxy::Url("http://me:hunter2@proxy:3128".into()));
        let text = format!("{options:?}");
        assert!(text.contains("Authorization") && !text.contains("hunter2"), "{text}");
        let signature = Signature::new().with_header("X-Sig", "hunter2").with_url("http://h/?sig=hunter2");
        let text = format!("{signature:?}");
        assert!(text.contains("X-Sig") && !text.contains("hunter2"), "{text}");
    }
}
