//! Requests: headers, connections, redirects and the time all of it may take. Bodies are read elsewhere.

use super::answer::{self, Decoded};
use super::policy::{REFUSED, Reach, Resolver, is_private};
use super::redirect;
use crate::files::{OpenOptions, Opened, Purpose};
use crate::options::{IoOptions, Timeouts};
use crate::url::without_secrets;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{HttpConnector, HttpInfo};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use std::fmt;
use std::time::{Duration, Instant};
use tfjs_manifest::{Error, Result};
use tower::Service;
use tower_http::decompression::Decompression;

/// Redirects followed by one request.
pub(super) const HOPS: usize = 5;

/// Who asks, unless the caller's headers say otherwise.
pub(super) const USER_AGENT: &str = concat!("tfjs-rs/", env!("CARGO_PKG_VERSION"));

/// The body of a request. Its error is the caller's own.
pub(crate) type RequestBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

type Pool = Client<HttpsConnector<HttpConnector<Resolver>>, RequestBody>;

/// The connections of one load.
pub(crate) struct HttpClient {
    any: Pool,
    no_link_local: Pool,
    public: Pool,
    headers: HeaderMap,
    pub(super) timeouts: Timeouts,
    /// When the whole load must be over.
    pub(super) deadline: Option<Instant>,
}

impl HttpClient {
    pub(crate) fn new(options: &IoOptions) -> Result<Self> {
        // Timers and sockets need tokio, and would panic without it.
        crate::blocking::runtime("URLs are fetched")?;
        let timeouts = options.timeouts.clone();
        let tls = tls_config()?;
        let pool = |reach| pool(reach, &timeouts, tls.clone());
        Ok(HttpClient {
            any: pool(Reach::Any),
            no_link_local: pool(Reach::NoLinkLocal),
            public: pool(Reach::Public),
            headers: user_headers(&options.headers)?,
            deadline: timeouts.total.and_then(|total| Instant::now().checked_add(total)),
            timeouts,
        })
    }

    /// Asks for a URL and follows its redirects.
    pub(crate) async fn get(&self, url: &str, options: &OpenOptions) -> Result<Opened> {
        let (mut uri, mut headers) = self.target(url)?;
        let first = uri.clone();
        let mut reach = Reach::Any;
        for hop in 0..=HOPS {
            let response = self.ask(&uri, &headers, options, reach).await.map_err(|e| redirected(e, &uri, hop))?;
            if !answer::is_redirect(response.status()) {
                let opened = answer::open(response, without_secrets(url), options, self);
                return opened.map_err(|e| redirected(e, &uri, hop));
            }
            let location = response.headers().get(header::LOCATION);
            let location = location.and_then(|l| std::str::from_utf8(l.as_bytes()).ok());
            let Some(location) = location else {
                return Err(Error::fetch(format!("the server answered {}, but says not where to", response.status())));
            };
            let next = redirect::target(&uri, location)?;
            if reach == Reach::Any && !redirect::same_origin(&first, &next) {
                // Once away from the caller's server, its secrets are never sent again, even if the next
                // redirect leads back.
                headers.clear();
                let from_private = response.extensions().get::<HttpInfo>().map(|i| is_private(i.remote_addr().ip()));
                reach = if from_private == Some(true) { Reach::NoLinkLocal } else { Reach::Public };
            }
            if !reach.allows_host(next.host().unwrap_or_default()) {
                return Err(redirected(Error::fetch(REFUSED), &next, 1));
            }
            uri = next;
        }
        Err(Error::fetch(format!("the server redirects more than {HOPS} times; check the URL")))
    }

    /// What a URL of the caller's is asked for with: its user is a header.
    pub(super) fn target(&self, url: &str) -> Result<(Uri, HeaderMap)> {
        let (uri, user_info) = parse(url)?;
        let mut headers = self.headers.clone();
        if let Some(basic) = user_info.filter(|_| !headers.contains_key(header::AUTHORIZATION)) {
            headers.insert(header::AUTHORIZATION, basic);
        }
        Ok((uri, headers))
    }

    /// As [`forward`](Self::forward), for long bodies: the caller watches the time.
    pub(super) async fn send(&self, request: Request<RequestBody>) -> Result<Response<Incoming>> {
        self.pool(Reach::Any).request(request).await.map_err(cannot_connect)
    }

    async fn ask(
        &self,
        uri: &Uri,
        headers: &HeaderMap,
        options: &OpenOptions,
        reach: Reach,
    ) -> Result<Response<Decoded>> {
        let mut request = Request::new(no_body());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = uri.clone();
        let all = request.headers_mut();
        all.extend(headers.clone());
        all.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        all.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        // Weights are dense, and compressed they would lose their length and their ranges.
        all.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static(match options.purpose {
                Purpose::Json => "gzip, br, zstd",
                Purpose::Weights => "identity",
            }),
        );
        if let Some(range) = options.range {
            all.insert(header::RANGE, range_header(range)?);
            if let Some(validator) = &options.if_range {
                let value = HeaderValue::from_str(validator.as_str());
                all.insert(header::IF_RANGE, value.map_err(|e| Error::bug("a validator is no header").with_source(e))?);
            }
        }
        if let Some(validator) = &options.if_none_match {
            let value = HeaderValue::from_str(validator.as_str());
            all.insert(
                header::IF_NONE_MATCH,
                value.map_err(|e| Error::bug("a validator is no header").with_source(e))?,
            );
        }
        let mut pool = Decompression::new(self.pool(reach).clone());
        self.answer(pool.call(request)).await
    }

    /// Sends a request as it is, and gives the answer as it is: no header is added, no redirect followed, nothing
    /// decoded. For those who speak a protocol of their own over the same connections.
    #[allow(dead_code)] // TODO(part-object)
    pub(crate) async fn forward(&self, request: Request<RequestBody>) -> Result<Response<Incoming>> {
        self.answer(self.pool(Reach::Any).request(request)).await
    }

    fn pool(&self, reach: Reach) -> &Pool {
        match reach {
            Reach::Any => &self.any,
            Reach::NoLinkLocal => &self.no_link_local,
            Reach::Public => &self.public,
        }
    }

    /// The headers of an answer, in time.
    async fn answer<T>(
        &self,
        answer: impl Future<Output = std::result::Result<T, hyper_util::client::legacy::Error>>,
    ) -> Result<T> {
        let (limit, what) = self.within(self.timeouts.headers, "the server did not answer");
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => answer.map_err(cannot_connect),
            Err(_) => Err(timed_out(what, limit)),
        }
    }

    /// The time that may pass before the deadline of the load, and what to say if it does.
    pub(super) fn within(&self, limit: Duration, what: &'static str) -> (Duration, &'static str) {
        within(limit, what, self.deadline)
    }
}

pub(super) fn within(limit: Duration, what: &'static str, deadline: Option<Instant>) -> (Duration, &'static str) {
    match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
        Some(left) if left < limit => (left, "the time for the whole load is over"),
        _ => (limit, what),
    }
}

pub(super) fn timed_out(what: &str, limit: Duration) -> Error {
    if what.starts_with("the time") {
        return Error::fetch(format!("timed out: {what}; see `Timeouts::total`"));
    }
    Error::fetch(format!("timed out: {what} for {limit:?}; see `Timeouts`"))
}

/// Says where a redirect led, unless the URL was answered itself.
fn redirected(error: Error, uri: &Uri, hop: usize) -> Error {
    if hop == 0 {
        return error;
    }
    let target = without_secrets(&uri.to_string());
    let mut out = Error::new(error.kind(), format!("{} (redirected to `{target}`)", error.message()));
    if let Some(source) = std::error::Error::source(&error) {
        out = out.with_source(source.to_string());
    }
    out
}

fn cannot_connect(error: hyper_util::client::legacy::Error) -> Error {
    let mut source: Option<&dyn std::error::Error> = Some(&error);
    while let Some(e) = source {
        let text = e.to_string();
        if text == REFUSED {
            return Error::fetch(REFUSED);
        }
        source = e.source();
    }
    let message = match error.is_connect() {
        true => "cannot connect to the server",
        false => "the server did not answer a request as HTTP says",
    };
    Error::fetch(message).with_source(error)
}

fn tls_config() -> Result<rustls::ClientConfig> {
    use hyper_rustls::ConfigBuilderExt;
    // Named, not the process's default: a graph with two providers has none.
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::bug("the TLS provider lacks the default versions").with_source(e))?;
    Ok(config.with_webpki_roots().with_no_client_auth())
}

fn pool(reach: Reach, timeouts: &Timeouts, tls: rustls::ClientConfig) -> Pool {
    let mut tcp = HttpConnector::new_with_resolver(Resolver::new(reach));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(timeouts.connect));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        // Measured: the default windows of HTTP/2 cost a quarter of the throughput.
        .http2_initial_stream_window_size(4 << 20)
        .http2_initial_connection_window_size(64 << 20)
        .http2_max_frame_size(1 << 20)
        .build(connector)
}

fn no_body() -> RequestBody {
    Empty::new().map_err(|never: std::convert::Infallible| match never {}).boxed_unsync()
}

/// The caller's headers, without those that are this module's business.
fn user_headers(headers: &[(String, String)]) -> Result<HeaderMap> {
    const OURS: [HeaderName; 8] = [
        header::ACCEPT_ENCODING,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::IF_NONE_MATCH,
        header::IF_RANGE,
        header::RANGE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let mut out = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|e| Error::misuse(format!("`{name}` is not the name of a header")).with_source(e))?;
        if OURS.contains(&name) {
            return Err(Error::misuse(format!("header `{name}` is set by the transfer itself")));
        }
        // Not shown: it may be a secret.
        let mut value = HeaderValue::from_str(value.trim())
            .map_err(|e| Error::misuse(format!("the value of header `{name}` is not one")).with_source(e))?;
        value.set_sensitive(true);
        out.append(name, value);
    }
    Ok(out)
}

fn range_header(range: crate::files::ByteRange) -> Result<HeaderValue> {
    let text = match range.end {
        // The last byte is named, not the one after it.
        Some(end) if end > range.start => format!("bytes={}-{}", range.start, end - 1),
        Some(_) => return Err(Error::misuse("an empty range cannot be asked for")),
        None => format!("bytes={}-", range.start),
    };
    HeaderValue::from_str(&text).map_err(|e| Error::bug("a range is no header").with_source(e))
}

/// The URL without its user, and that user as a header.
fn parse(url: &str) -> Result<(Uri, Option<HeaderValue>)> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let uri: Uri = encoded(&format!("{scheme}://{host}{path}")).parse().map_err(|e| {
        Error::misuse("this is no URL; a name outside ASCII must be written in punycode").with_source(e)
    })?;
    let Some(user) = user else {
        return Ok((uri, None));
    };
    let user: Vec<u8> = percent_decode_str(user).collect();
    let mut basic = HeaderValue::from_str(&format!("Basic {}", base64(&user)))
        .map_err(|e| Error::bug("base64 is no header").with_source(e))?;
    basic.set_sensitive(true);
    Ok((uri, Some(basic)))
}

/// The URL with what cannot be in one percent-encoded, as browsers do.
pub(super) fn encoded(url: &str) -> String {
    const NOT_IN_URL: &AsciiSet =
        &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}').add(b'|').add(b'\\').add(b'^');
    utf8_percent_encode(url, NOT_IN_URL).to_string()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let word = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= chunk.len() { digit as char } else { '=' });
        }
    }
    out
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("timeouts", &self.timeouts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn base64_of_rfc_4648() {
        for (text, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")]
        {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    #[test]
    fn a_user_in_the_url_becomes_a_header() {
        let (uri, basic) = parse("http://me:p%40ss@h:1/a b?q=@").unwrap();
        assert_eq!(uri.to_string(), "http://h:1/a%20b?q=@");
        assert_eq!(basic.unwrap().to_str().unwrap(), "Basic bWU6cEBzcw==");
        assert_eq!(parse("http:///x").unwrap_err().kind(), Kind::Misuse);
    }

    #[test]
    fn headers_of_the_transfer_cannot_be_set() {
        let header = |name: &str, value: &str| user_headers(&[(name.to_owned(), value.to_owned())]);
        assert!(header("Authorization", "Bearer x").is_ok());
        for (name, value) in [("Range", "bytes=0-1"), ("accept-encoding", "gzip"), ("a b", "x"), ("x", "a\r\nb: c")] {
            assert_eq!(header(name, value).unwrap_err().kind(), Kind::Misuse, "{name}");
        }
    }

    #[test]
    fn without_a_runtime_it_is_misuse_and_no_panic() {
        assert_eq!(HttpClient::new(&IoOptions::default()).unwrap_err().kind(), Kind::Misuse);
    }
}
