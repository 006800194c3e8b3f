//! What a caller can say about how bytes are fetched and stored. Values only: nothing here acts.

use crate::files::BoxFuture;
use crate::progress::Progress;
use crate::retry::Retry;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tfjs_manifest::{Limits, Result};

/// Called with the progress of a load, about twenty times a second at most, from any thread. It must not
/// block: bytes wait for it.
pub type ProgressCallback = Arc<dyn Fn(&Progress) + Send + Sync>;

/// Makes the URL or path of a weight file from its path in the manifest.
pub type WeightUrlConverter = Arc<dyn Fn(&str) -> BoxFuture<'static, Result<String>> + Send + Sync>;

/// How to fetch and store. Everything has a default.
#[derive(Clone)]
#[non_exhaustive]
pub struct IoOptions {
    /// Budgets. Default: [`Limits::default`].
    pub limits: Limits,
    /// Headers of every HTTP request, model JSON and weights alike. They never follow a redirect to
    /// another origin. Default: none.
    pub headers: Vec<(String, String)>,
    /// Where the weight files are, if not beside the model: see
    /// [`with_weight_path_prefix`](Self::with_weight_path_prefix).
    pub weight_path_prefix: Option<String>,
    /// Names each weight file: see [`with_weight_url_converter`](Self::with_weight_url_converter).
    pub weight_url_converter: Option<WeightUrlConverter>,
    /// Told about progress.
    pub on_progress: Option<ProgressCallback>,
    /// Weight files fetched at a time; at least 1. Default 8.
    pub concurrency: usize,
    /// How long to wait for a network.
    pub timeouts: Timeouts,
    /// How often to try again.
    pub retry: Retry,
    /// How a model is sent to a server to be saved. Default POST, as TensorFlow.js sends it.
    pub save_method: SaveMethod,
    /// Whether links on disk may lead out of the model's folder, as those of download caches do.
    /// Default: no.
    pub allow_symlinks: bool,
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
            timeouts: Timeouts::default(),
            retry: Retry::default(),
            save_method: SaveMethod::default(),
            allow_symlinks: false,
        }
    }
}

impl IoOptions {
    /// Other budgets.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// One more HTTP header for every request.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Where the weight files are, if not beside the model.
    ///
    /// A URL is used as TensorFlow.js does: the file's path is appended to it as it is, without a `/`
    /// between them (`http://h/alt` and `w.bin` make `http://h/altw.bin`), and the model's query follows.
    /// A folder on disk is joined. A model from HTTP takes a prefix with a scheme only, `file://` included,
    /// because there a relative one could mean either.
    #[must_use]
    pub fn with_weight_path_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.weight_path_prefix = Some(prefix.into());
        self
    }

    /// Names each weight file: the path in the manifest, which has been checked, becomes a URL (or for a
    /// model on disk a path). Overrides the prefix; no query is appended.
    #[must_use]
    pub fn with_weight_url_converter(self, convert: impl Fn(&str) -> Result<String> + Send + Sync + 'static) -> Self {
        self.with_async_weight_url_converter(move |path| Box::pin(std::future::ready(convert(path))))
    }

    /// [`with_weight_url_converter`](Self::with_weight_url_converter) for names that must be asked for,
    /// such as signed URLs. It is called when the file's turn has come.
    #[must_use]
    pub fn with_async_weight_url_converter(
        mut self,
        convert: impl Fn(&str) -> BoxFuture<'static, Result<String>> + Send + Sync + 'static,
    ) -> Self {
        self.weight_url_converter = Some(Arc::new(convert));
        self
    }

    /// A callback for progress.
    #[must_use]
    pub fn with_on_progress(mut self, callback: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(callback));
        self
    }

    /// Another number of weight files at a time.
    #[must_use]
    pub fn with_concurrency(mut self, files: usize) -> Self {
        self.concurrency = files;
        self
    }

    /// Other time-outs.
    #[must_use]
    pub fn with_timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Another number of tries, and other waits between them.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Another HTTP method for saving.
    #[must_use]
    pub fn with_save_method(mut self, method: SaveMethod) -> Self {
        self.save_method = method;
        self
    }

    /// Whether links on disk may lead out of the model's folder.
    #[must_use]
    pub fn with_allow_symlinks(mut self, allow: bool) -> Self {
        self.allow_symlinks = allow;
        self
    }
}

/// Headers and callbacks are not shown: they hold secrets.
impl fmt::Debug for IoOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IoOptions {
            limits,
            headers,
            weight_path_prefix,
            weight_url_converter,
            on_progress,
            concurrency,
            timeouts,
            retry,
            save_method,
            allow_symlinks,
        } = self;
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("IoOptions")
            .field("limits", limits)
            .field("headers", &names)
            .field("weight_path_prefix", &weight_path_prefix.as_deref().map(crate::url::without_secrets))
            .field("weight_url_converter", &weight_url_converter.is_some())
            .field("on_progress", &on_progress.is_some())
            .field("concurrency", concurrency)
            .field("timeouts", timeouts)
            .field("retry", retry)
            .field("save_method", save_method)
            .field("allow_symlinks", allow_symlinks)
            .finish()
    }
}

/// The HTTP method that saves a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaveMethod {
    /// POST.
    #[default]
    Post,
    /// PUT.
    Put,
}

/// How long to wait for a network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For a connection. Default 10 s.
    pub connect: Duration,
    /// From a request to the headers of its answer, the connection included. Default 30 s.
    pub headers: Duration,
    /// For the next bytes of a body. Default 30 s.
    pub idle: Duration,
    /// For a whole load, from its first request on. Default: none.
    pub total: Option<Duration>,
    /// Bytes a second below which a body is given up, measured over [`rate_window`](Self::rate_window) of
    /// waiting. Default 1024; 0 for none.
    pub min_rate: u64,
    /// Default 30 s.
    pub rate_window: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(10),
            headers: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            total: None,
            min_rate: 1024,
            rate_window: Duration::from_secs(30),
        }
    }
}

impl Timeouts {
    /// Another time for a connection.
    #[must_use]
    pub fn with_connect(mut self, time: Duration) -> Self {
        self.connect = time;
        self
    }

    /// Another time until the headers.
    #[must_use]
    pub fn with_headers(mut self, time: Duration) -> Self {
        self.headers = time;
        self
    }

    /// Another time for the next bytes.
    #[must_use]
    pub fn with_idle(mut self, time: Duration) -> Self {
        self.idle = time;
        self
    }

    /// A time for the whole load.
    #[must_use]
    pub fn with_total(mut self, time: Duration) -> Self {
        self.total = Some(time);
        self
    }

    /// Another least rate, in bytes a second over so much waiting.
    #[must_use]
    pub fn with_min_rate(mut self, bytes_per_second: u64, window: Duration) -> Self {
        self.min_rate = bytes_per_second;
        self.rate_window = window;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let options = IoOptions::default()
            .with_header("Authorization", "Bearer hunter2")
            .with_weight_path_prefix("http://h/?sig=hunter2");
        let text = format!("{options:?}");
        assert!(text.contains("Authorization") && !text.contains("hunter2"), "{text}");
    }
}
