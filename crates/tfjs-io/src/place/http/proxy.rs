//! Makes connections, directly or through a proxy. [`policy`](super::policy) decides which hosts may be reached.

use super::policy::Resolver;
use crate::base::network::Proxy;
use crate::base::url::{check_authority, has_valid_port, without_secrets};
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tfjs_manifest::{Error, Result};
use tokio::net::TcpStream;
use tower::Service;

type BoxError = Box<dyn StdError + Send + Sync>;

/// Selects the proxy for a URL.
#[derive(Clone, Debug)]
pub(super) struct Proxies {
    matcher: Option<Arc<Matcher>>,
    /// Whether loopback addresses go through the proxy too.
    loopback: bool,
    /// The environment variables with proxies that cannot be used, for `http` and for `https`. The matcher has
    /// [`STAND_IN`] for them.
    unusable: [Option<&'static str>; 2],
}

/// A proxy that is never used.
const STAND_IN: &str = "http://proxy.invalid";

impl Proxies {
    pub(super) fn new(proxy: &Proxy) -> Result<Self> {
        let variable = |name: &str| Some(std::env::var_os(name)?.to_string_lossy().into_owned());
        match proxy {
            Proxy::None => Ok(Proxies { matcher: None, loopback: false, unusable: [None; 2] }),
            Proxy::Environment => Ok(Proxies::of_environment(variable)),
            Proxy::Url(url) if !is_usable(url) => Err(unusable(url)),
            Proxy::Url(url) => {
                let matcher = Some(Arc::new(Matcher::builder().all(url.as_str()).build()));
                Ok(Proxies { matcher, loopback: true, unusable: [None; 2] })
            }
        }
    }

    /// The proxies that these variables name, by the rules of curl.
    fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, variable(name)?)));
        // A web server gives the header `Proxy` of a request to its CGI programs as `HTTP_PROXY`.
        if variable("REQUEST_METHOD").is_some() {
            return Proxies { matcher: None, loopback: false, unusable: [None; 2] };
        }
        let mut unusable = [None; 2];
        let mut of = |scheme: usize, names| {
            let set = |names| first(names).filter(|(_, url)| !url.is_empty());
            let (name, url) = set(names).or_else(|| set(["ALL_PROXY", "all_proxy"]))?;
            let usable = is_usable(&url);
            unusable[scheme] = (!usable).then_some(name);
            Some(if usable { url } else { STAND_IN.to_owned() })
        };
        let http = of(0, ["HTTP_PROXY", "http_proxy"]).unwrap_or_default();
        let https = of(1, ["HTTPS_PROXY", "https_proxy"]).unwrap_or_default();
        let no = first(["NO_PROXY", "no_proxy"]).map_or_else(String::new, |(_, hosts)| hosts);
        let matcher = Matcher::builder().http(http).https(https).no(no).build();
        Proxies { matcher: Some(Arc::new(matcher)), loopback: false, unusable }
    }

    /// Checks that a request for this URL can be sent.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for a proxy in the environment that cannot be used, and for a port
    /// above 65535.
    pub(super) fn check(&self, uri: &Uri) -> Result<()> {
        if uri.authority().is_some_and(|authority| !has_valid_port(authority.as_str())) {
            return Err(Error::misuse("expected a port of at most 65535"));
        }
        let [http, https] = self.unusable;
        let name = if uri.scheme_str() == Some("https") { https } else { http };
        match name.filter(|_| self.of(uri).is_some()) {
            Some(name) => Err(Error::misuse(format!("the proxy in the variable `{name}` cannot be used; {SUPPORTED}"))),
            None => Ok(()),
        }
    }

    /// The proxy for a URL.
    fn of(&self, uri: &Uri) -> Option<Intercept> {
        let direct = !self.loopback && is_loopback(uri.host().unwrap_or_default());
        self.matcher.as_ref().filter(|_| !direct)?.intercept(uri)
    }

    /// Whether a proxy hides the address of the server.
    pub(super) fn hide(&self, uri: &Uri) -> bool {
        self.of(uri).is_some()
    }

    /// The credentials to add to a request that a proxy forwards. Those of a tunnel are sent when it is established.
    pub(super) fn authorization(&self, uri: &Uri) -> Option<HeaderValue> {
        let proxy = self.of(uri).filter(|proxy| way(proxy) == Some(Way::Http) && uri.scheme_str() == Some("http"))?;
        proxy.basic_auth().cloned()
    }
}

/// The protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Http,
    Socks,
}

fn way(proxy: &Intercept) -> Option<Way> {
    match proxy.uri().scheme_str() {
        Some("http") => Some(Way::Http),
        Some("socks5" | "socks5h") => Some(Way::Socks),
        _ => None,
    }
}

/// What a proxy must be.
const SUPPORTED: &str = "expected `http://`, `socks5://` or `socks5h://`, a host and a port";

/// Whether this is a proxy that can be used; the matcher ignores others.
fn is_usable(url: &str) -> bool {
    let matcher = Matcher::builder().all(url).build();
    let proxy = matcher.intercept(&Uri::from_static("https://h/"));
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    proxy.is_some_and(|proxy| way(&proxy).is_some()) && check_authority(rest).is_ok()
}

fn unusable(url: &str) -> Error {
    // Without a scheme it is not known what is a password.
    let shown = if url.contains("://") { format!("`{}`", without_secrets(url)) } else { "this".to_owned() };
    Error::misuse(format!("{shown} is not a supported proxy; {SUPPORTED}"))
}

fn is_loopback(host: &str) -> bool {
    let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || literal.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Makes connections to a server, directly or through its proxy.
#[derive(Clone)]
pub(super) struct Connector {
    direct: HttpConnector<Resolver>,
    /// For connections to the proxy, which may have any address because the caller chose it.
    to_proxy: HttpConnector,
    proxies: Proxies,
}

impl Connector {
    pub(super) fn new(direct: HttpConnector<Resolver>, to_proxy: HttpConnector, proxies: Proxies) -> Self {
        Connector { direct, to_proxy, proxies }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), BoxError>> {
        // The connectors inside are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let Some(proxy) = self.proxies.of(&to) else {
            let connecting = self.direct.call(to);
            return Box::pin(async move { Ok(Stream { tcp: connecting.await?, forwards: false }) });
        };
        let connecting = through(&proxy, self.to_proxy.clone(), to);
        let name = without_secrets(&proxy.uri().to_string());
        Box::pin(async move { connecting.await.map_err(|source| ThroughProxy { name, source }.into()) })
    }
}

fn through(
    proxy: &Intercept,
    mut tcp: HttpConnector,
    to: Uri,
) -> Pin<Box<dyn Future<Output = std::result::Result<Stream, BoxError>> + Send>> {
    let tunnelled = |tcp| Stream { tcp, forwards: false };
    match (way(proxy), proxy.basic_auth()) {
        (Some(Way::Http), _) if to.scheme_str() != Some("https") => {
            let connecting = tcp.call(proxy.uri().clone());
            Box::pin(async move { Ok(Stream { tcp: connecting.await?, forwards: true }) })
        }
        (Some(Way::Http), auth) => {
            let tunnel = Tunnel::new(proxy.uri().clone(), tcp);
            let mut tunnel = auth.into_iter().cloned().fold(tunnel, Tunnel::with_auth);
            let connecting = tunnel.call(to);
            Box::pin(async move { Ok(tunnelled(connecting.await?)) })
        }
        (Some(Way::Socks), _) => {
            let socks = SocksV5::new(proxy.uri().clone(), tcp);
            let mut socks = match proxy.raw_auth() {
                Some((user, password)) => socks.with_auth(user.to_owned(), password.to_owned()),
                None => socks,
            };
            let connecting = socks.call(with_port(to));
            Box::pin(async move { Ok(tunnelled(connecting.await?)) })
        }
        // `Proxies` has no such proxy.
        (None, _) => {
            let error = unusable(&proxy.uri().to_string());
            Box::pin(async move { Err(error.into()) })
        }
    }
}

/// The URL with an explicit port, because the SOCKS connector assumes the port of TLS.
fn with_port(uri: Uri) -> Uri {
    if uri.port().is_some() || uri.scheme_str() != Some("http") {
        return uri;
    }
    let host = uri.host().unwrap_or_default();
    Uri::builder().scheme("http").authority(format!("{host}:80")).path_and_query("/").build().unwrap_or(uri)
}

/// The error of a connection through a proxy.
#[derive(Debug)]
struct ThroughProxy {
    name: String,
    source: BoxError,
}

impl fmt::Display for ThroughProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect through the proxy `{}`", self.name)
    }
}

impl StdError for ThroughProxy {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}

/// A connection to a server or to a proxy.
#[derive(Debug)]
pub(super) struct Stream {
    tcp: TokioIo<TcpStream>,
    /// Whether a proxy reads and forwards the requests, as it does for `http://`.
    forwards: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.tcp.connected().proxy(self.forwards)
    }
}

impl Read for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn a_proxy_that_cannot_be_used_is_misuse_and_keeps_its_secret() {
        for url in ["ftp://me:hunter2@h", "https://me:hunter2@h", "socks4://me:hunter2@h", "", "http://"] {
            let error = Proxies::new(&Proxy::Url(url.to_owned())).unwrap_err();
            assert_eq!(error.kind(), Kind::Misuse, "{url}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn a_proxy_of_the_environment_that_cannot_be_used_is_misuse_where_it_would_be_used() {
        for (name, value) in [
            ("http_proxy", "htp://u:hunter2@proxy"),
            ("HTTP_PROXY", "//u:hunter2@proxy"),
            ("all_proxy", "http://u:hunter2@"),
            ("ALL_PROXY", "u:hun/ter2@proxy:1"),
            ("http_proxy", "http://u:hun/hunter2@proxy:1"),
            ("http_proxy", "https://proxy"),
            ("http_proxy", "http://proxy:99999"),
        ] {
            let variable = |asked: &str| match asked {
                "no_proxy" => Some("inside.example".to_owned()),
                _ => (asked == name).then(|| value.to_owned()),
            };
            let proxies = Proxies::of_environment(variable);
            let error = proxies.check(&Uri::from_static("http://model.example/m")).unwrap_err();
            assert_eq!(error.kind(), Kind::Misuse, "{value}");
            assert!(error.message().contains(name) && !format!("{error:?}").contains("ter2"), "{error:?}");
            for direct in ["http://inside.example/m", "http://localhost/m", "http://127.0.0.1/m"] {
                assert!(proxies.check(&direct.parse().unwrap()).is_ok(), "{direct}");
            }
            let https = proxies.check(&Uri::from_static("https://model.example/m"));
            assert_eq!(https.is_err(), name.eq_ignore_ascii_case("ALL_PROXY"), "{value}");
        }
        let proxies = Proxies::of_environment(|name| (name == "https_proxy").then(|| "proxy:1".to_owned()));
        assert!(
            proxies.check(&Uri::from_static("https://h/")).is_ok() && proxies.hide(&Uri::from_static("https://h/"))
        );
        assert!(!proxies.hide(&Uri::from_static("http://h/")));
    }

    #[test]
    fn a_port_that_does_not_exist_is_not_the_usual_one() {
        let proxies = Proxies::new(&Proxy::None).unwrap();
        for url in ["http://h:65536/", "https://[::1]:99999/", "http://u:1@h:99999/"] {
            assert_eq!(proxies.check(&url.parse().unwrap()).unwrap_err().kind(), Kind::Misuse, "{url}");
        }
        for url in ["http://h:65535/", "https://[::1]/", "http://h/"] {
            assert!(proxies.check(&url.parse().unwrap()).is_ok(), "{url}");
        }
        assert_eq!(Proxies::new(&Proxy::Url("http://p:65536".to_owned())).unwrap_err().kind(), Kind::Misuse);
    }

    #[test]
    fn only_a_proxy_that_forwards_is_told_the_password_by_requests() {
        let told = |proxy: &str, url: &'static str| {
            let proxies = Proxies::new(&Proxy::Url(proxy.to_owned())).unwrap();
            proxies.authorization(&Uri::from_static(url)).is_some()
        };
        assert!(told("http://me:pw@p:1", "http://h/"));
        assert!(told("me:pw@p:1", "http://localhost/"));
        assert!(!told("http://me:pw@p:1", "https://h/"));
        assert!(!told("socks5://me:pw@p:1", "http://h/"));
        assert!(!told("http://p:1", "http://h/"));
    }
}
