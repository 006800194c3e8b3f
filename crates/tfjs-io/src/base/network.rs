//! Options of networks: trusted certificates, proxies, signatures, time-outs.

use super::files::BoxFuture;
use super::url::without_secrets;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tfjs_manifest::Result;

/// The authorities that are trusted for the certificates of `https://` servers.
///
/// Certificates of [`IoOptions::with_root_certificate`](crate::IoOptions::with_root_certificate) are trusted
/// beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Roots {
    /// The authorities that Mozilla trusts, which are part of this program.
    #[default]
    Bundled,
    /// Those that the system trusts, a company's own included. Needs the feature `native-roots`.
    System,
    /// No other authority.
    None,
}

/// The proxy that HTTP goes through.
///
/// `https://` is tunnelled through an HTTP proxy and stays a secret to it. A proxy resolves names itself.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proxy {
    /// The environment's: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, in either case, as curl
    /// reads them. This machine itself is never reached through them.
    #[default]
    Environment,
    /// None, whatever the environment says.
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
    /// Another URL, which is asked for instead. If it is on another server, only the headers above go there.
    pub url: Option<String>,
}

impl Signature {
    /// Nothing: the request stays as it is.
    pub fn new() -> Self {
        Signature::default()
    }

    /// One more header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Another URL.
    #[must_use]
    pub fn with_url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }
}

/// The values are secrets.
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

/// Time-outs of networks.
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

/// The error of a request that an offline load would have to send, and of a file that its cache does not have.
#[cfg(any(feature = "http", feature = "cache"))]
pub(crate) fn offline() -> tfjs_manifest::Error {
    tfjs_manifest::Error::fetch(format!(
        "not in the cache, which is offline; load the model once without {} and TFJS_OFFLINE",
        tfjs_manifest::Setting::Offline
    ))
}
