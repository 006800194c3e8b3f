//! Network options: trusted certificates, proxies, signatures, time-outs.

use super::files::BoxFuture;
use super::url::without_secrets;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tfjs_manifest::Result;

/// The certificate authorities that are trusted for `https://` servers.
///
/// Certificates of [`IoOptions::with_root_certificate`](crate::IoOptions::with_root_certificate) are trusted as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Roots {
    /// The authorities that Mozilla trusts; the list is compiled in.
    #[default]
    Bundled,
    /// The authorities that the operating system trusts, such as a company's own. Needs the feature `native-roots`.
    System,
    /// No authorities.
    None,
}

/// The proxy for HTTP requests.
///
/// `https://` is tunnelled through an HTTP proxy, which cannot read it. The proxy resolves host names.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// The proxies of the environment: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, in upper or lower case, as
    /// curl reads them. Loopback addresses never go through a proxy.
    #[default]
    Environment,
    /// No proxy, even if the environment sets one.
    None,
    /// This one for every URL: `http://`, `socks5://` or `socks5h://`, with user and password if it needs them.
    Url(String),
}

/// User and password are not shown.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Proxy::Environment => f.write_str("Environment"),
            Proxy::None => f.write_str("None"),
            Proxy::Url(url) => write!(f, "Url({})", without_secrets(url)),
        }
    }
}

/// Signs the request for a URL.
pub type Signer = Arc<dyn Fn(&str) -> BoxFuture<'static, Result<Signature>> + Send + Sync>;

/// The signature of a request.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Signature {
    /// Headers of this request, before all others of their names.
    pub headers: Vec<(String, String)>,
    /// Another URL, which is requested instead. If it is on another server, only the headers above are sent there.
    pub url: Option<String>,
}

impl Signature {
    /// No signature: the request is sent unchanged.
    pub fn new() -> Self {
        Signature::default()
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the URL to request instead.
    #[must_use]
    pub fn with_url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }
}

/// Does not show the values of headers, which are secrets.
impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let url = self.url.as_deref().map(without_secrets);
        f.debug_struct("Signature").field("headers", &names).field("url", &url).finish()
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

/// Network time-outs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// To establish a connection. Default 10 s.
    pub connect: Duration,
    /// From a request to the headers of the response, including the connection. Default 30 s.
    pub headers: Duration,
    /// For the next bytes of a body. Default 30 s.
    pub idle: Duration,
    /// For a whole load, counted from its first request. Default: none.
    pub total: Option<Duration>,
    /// Minimum rate of a body in bytes per second, measured over [`rate_window`](Self::rate_window) of waiting; a
    /// slower body times out. 0 means no minimum. Default 1024.
    pub min_rate: u64,
    /// The time over which [`min_rate`](Self::min_rate) is measured. Default 30 s.
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
    /// Sets [`connect`](Self::connect).
    #[must_use]
    pub fn with_connect(mut self, time: Duration) -> Self {
        self.connect = time;
        self
    }

    /// Sets [`headers`](Self::headers).
    #[must_use]
    pub fn with_headers(mut self, time: Duration) -> Self {
        self.headers = time;
        self
    }

    /// Sets [`idle`](Self::idle).
    #[must_use]
    pub fn with_idle(mut self, time: Duration) -> Self {
        self.idle = time;
        self
    }

    /// Sets [`total`](Self::total).
    #[must_use]
    pub fn with_total(mut self, time: Duration) -> Self {
        self.total = Some(time);
        self
    }

    /// Sets [`min_rate`](Self::min_rate) and [`rate_window`](Self::rate_window).
    #[must_use]
    pub fn with_min_rate(mut self, bytes_per_second: u64, window: Duration) -> Self {
        self.min_rate = bytes_per_second;
        self.rate_window = window;
        self
    }
}

/// The error of an offline load that needs a request, or a file that is not in the cache.
#[cfg(any(feature = "http", feature = "cache"))]
pub(crate) fn offline() -> tfjs_manifest::Error {
    tfjs_manifest::Error::fetch(format!(
        "not in the cache, and the load is offline; load the model once without {} and TFJS_OFFLINE",
        tfjs_manifest::Setting::Offline
    ))
}
