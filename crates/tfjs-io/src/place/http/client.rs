//! Sending requests and following redirects, with time-outs. Bodies are read in [`answer`](super::answer).

use super::HttpConfig;
use super::answer;
use super::connect::{Pool, pool};
use super::decode::decoded;
use super::failure::{self, Failure, Stage};
use super::policy::{Reach, Refused, is_private};
use super::proxy::Proxies;
use super::redirect;
use super::request;
use super::tls;
use crate::base::blocking;
use crate::base::deadline::load_is_over;
use crate::base::files::{OpenOptions, Opened};
use crate::base::inflation::Inflation;
use crate::base::network::{Signer, Timeouts};
use crate::base::url::without_secrets;
use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpInfo;
use std::fmt;
use std::time::{Duration, Instant};
use tfjs_manifest::{Error, Limits, Result};

/// Most redirects that one request follows.
pub(super) const HOPS: usize = 5;

/// The message for a server that does not respond in time.
const SILENT: &str = "the server did not answer";

/// The body of a request. Its error type is the caller's.
pub(crate) type RequestBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// The connections of one load.
pub(crate) struct HttpClient {
    any: Pool,
    no_link_local: Pool,
    public: Pool,
    proxies: Proxies,
    headers: HeaderMap,
    signer: Option<Signer>,
    /// The addresses that the caller's own URLs may reach.
    reach: Reach,
    pub(super) limits: Limits,
    pub(super) inflation: Inflation,
    pub(super) timeouts: Timeouts,
    /// The deadline of the whole load.
    pub(super) deadline: Option<Instant>,
}

impl HttpClient {
    pub(super) fn new(config: &HttpConfig) -> Result<Self> {
        // Timers and sockets need tokio, and would panic without it.
        blocking::runtime("URLs are fetched")?;
        let timeouts = config.timeouts.clone();
        let tls = tls::config(config)?;
        let proxies = Proxies::new(&config.proxy)?;
        let pool = |reach| pool(reach, &timeouts, &proxies, tls.clone());
        Ok(HttpClient {
            any: pool(Reach::Any),
            no_link_local: pool(Reach::NoLinkLocal),
            public: pool(Reach::Public),
            headers: request::user_headers(&config.headers)?,
            signer: config.signer.clone(),
            reach: if config.public_only { Reach::Public } else { Reach::Any },
            deadline: config.deadline.instant(),
            limits: config.limits.clone(),
            inflation: Inflation::default(),
            proxies,
            timeouts,
        })
    }

    /// Requests a URL and follows redirects.
    pub(crate) async fn get(&self, url: &str, options: &OpenOptions) -> Result<Opened> {
        let hop = self.follow(url, options).await?;
        match (options.range, answer::has_no_such_part(&hop.response, options)) {
            // An empty file has no first range, and that of a compressed file cannot be decoded: request the whole
            // file.
            (Some(range), true) if range.start == 0 => {
                let whole = OpenOptions { range: None, if_range: None, ..options.clone() };
                let hop = self.follow(url, &whole).await?;
                self.opened(url, hop, &whole).await
            }
            _ => self.opened(url, hop, options).await,
        }
    }

    async fn opened(&self, url: &str, hop: Hop, options: &OpenOptions) -> Result<Opened> {
        let encoded = answer::encoding(hop.response.headers()).is_some();
        let (response, packed) = decoded(hop.response).await;
        let packed = encoded.then_some(packed);
        let opened = answer::open(response, packed, without_secrets(url), options, self);
        opened.map_err(|e| redirected(e, &hop.uri, hop.number))
    }

    /// The first response that is not a redirect.
    async fn follow(&self, url: &str, options: &OpenOptions) -> Result<Hop> {
        let (mut uri, mut headers) = self.target(url)?;
        let first = uri.clone();
        // After a redirect to another origin, the caller's secrets are not sent again, even if a redirect leads back.
        let mut away = false;
        let mut reach = self.reach;
        for number in 0..=HOPS {
            let mut hop_headers = headers.clone();
            if !away {
                uri = self.signed(uri, &mut hop_headers).await?;
            }
            self.check(reach, &uri).map_err(|e| redirected(e, &uri, number))?;
            let request = request::get(&uri, &hop_headers, options, no_body())?;
            let response = self.send(request, reach).await.map_err(|e| redirected(e.error, &uri, number))?;
            if !answer::is_redirect(response.status()) {
                return Ok(Hop { uri, number, response });
            }
            let location = response.headers().get(header::LOCATION);
            let location = location.and_then(|l| std::str::from_utf8(l.as_bytes()).ok());
            let Some(location) = location else {
                return Err(Error::fetch(format!("the server answered {} without a `Location`", response.status())));
            };
            let next = redirect::target(&uri, location)?;
            if !away && !redirect::same_origin(&first, &next) {
                away = true;
                headers.clear();
                if reach == Reach::Any {
                    reach = if self.is_private(&uri, &response) { Reach::NoLinkLocal } else { Reach::Public };
                }
            }
            uri = next;
        }
        Err(Error::fetch(format!("the server redirects more than {HOPS} times; check the URL")))
    }

    /// Parses a URL of the caller, and returns it with the caller's headers.
    pub(super) fn target(&self, url: &str) -> Result<(Uri, HeaderMap)> {
        let (uri, user_info) = request::parse(url)?;
        let mut headers = self.headers.clone();
        if let Some(basic) = user_info.filter(|_| !headers.contains_key(header::AUTHORIZATION)) {
            headers.insert(header::AUTHORIZATION, basic);
        }
        Ok((uri, headers))
    }

    /// Signs a request if the caller has set a signer.
    pub(super) async fn signed(&self, uri: Uri, headers: &mut HeaderMap) -> Result<Uri> {
        match &self.signer {
            Some(sign) => request::sign(sign, uri, headers).await,
            None => Ok(uri),
        }
    }

    /// Whether a response came from a private address. Through a proxy, only the URL is known.
    fn is_private(&self, uri: &Uri, response: &Response<Incoming>) -> bool {
        if self.proxies.hide(uri) {
            return !Reach::Public.allows_host(uri.host().unwrap_or_default());
        }
        response.extensions().get::<HttpInfo>().is_some_and(|info| is_private(info.remote_addr().ip()))
    }

    /// Sends a request and returns its response, for other protocols over the same connections: no headers are added,
    /// no redirects are followed, and nothing is decoded. The time-out for the response's headers restarts with every
    /// piece of the request's body that is sent.
    pub(crate) async fn forward(&self, request: Request<RequestBody>) -> Result<Response<Incoming>, Failure> {
        self.forward_within(self.reach, request).await
    }

    /// [`forward`](Self::forward) without a check of the address, for hosts from the configuration, not from a URL.
    #[cfg(feature = "cloud")]
    pub(crate) async fn forward_anywhere(&self, request: Request<RequestBody>) -> Result<Response<Incoming>, Failure> {
        self.forward_within(Reach::Any, request).await
    }

    async fn forward_within(&self, reach: Reach, request: Request<RequestBody>) -> Result<Response<Incoming>, Failure> {
        self.check(reach, request.uri())?;
        let (request, sent) = super::sending::watched(request);
        let mut answer = std::pin::pin!(self.pool(reach).request(self.for_proxy(request)));
        loop {
            let quiet = self.timeouts.headers.saturating_sub(sent.elapsed());
            let patience = Patience::new(quiet, SILENT, self.deadline);
            match tokio::time::timeout(patience.time, &mut answer).await {
                Ok(answer) => return answer.map_err(failure::of_request),
                Err(_) if !self.is_over() && sent.elapsed() < self.timeouts.headers => {}
                Err(_) => return Err(Patience::new(self.timeouts.headers, SILENT, self.deadline).over()),
            }
        }
    }

    /// The bytes of such a response, with time-outs.
    #[cfg(feature = "cloud")]
    pub(crate) fn body(&self, body: Incoming) -> impl futures_util::Stream<Item = Result<Bytes>> + Send + use<> {
        answer::timed(body, self.timeouts.clone(), self.deadline)
    }

    /// Whether the deadline of the whole load has passed.
    pub(crate) fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    fn pool(&self, reach: Reach) -> &Pool {
        match reach {
            Reach::Any => &self.any,
            Reach::NoLinkLocal => &self.no_link_local,
            Reach::Public => &self.public,
        }
    }

    /// Adds the proxy's credentials, if the request needs them.
    fn for_proxy(&self, mut request: Request<RequestBody>) -> Request<RequestBody> {
        if let Some(told) = self.proxies.authorization(request.uri()) {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, told);
        }
        request
    }

    /// Checks that a request for this URL may be sent.
    fn check(&self, reach: Reach, uri: &Uri) -> Result<()> {
        match reach.allows_host(uri.host().unwrap_or_default()) {
            true => self.proxies.check(uri),
            false => Err(Error::fetch(Refused.to_string())),
        }
    }

    /// Sends a request and waits for the headers of the response, with a time-out.
    async fn send(&self, request: Request<RequestBody>, reach: Reach) -> Result<Response<Incoming>, Failure> {
        let answer = self.pool(reach).request(self.for_proxy(request));
        let patience = Patience::new(self.timeouts.headers, SILENT, self.deadline);
        match tokio::time::timeout(patience.time, answer).await {
            Ok(answer) => answer.map_err(failure::of_request),
            Err(_) => Err(patience.over()),
        }
    }
}

/// A response and the URL that returned it.
struct Hop {
    uri: Uri,
    /// The number of redirects before it.
    number: usize,
    response: Response<Incoming>,
}

/// A time-out and its error.
pub(super) struct Patience {
    pub(super) time: Duration,
    /// The event that did not happen; `None` if `time` is the remaining time of the whole load.
    what: Option<&'static str>,
}

impl Patience {
    pub(super) fn new(time: Duration, what: &'static str, deadline: Option<Instant>) -> Self {
        match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
            Some(left) if left < time => Patience { time: left, what: None },
            _ => Patience { time, what: Some(what) },
        }
    }

    pub(super) fn over(&self) -> Failure {
        match self.what {
            None => load_is_over().into(),
            Some(what) => {
                let error = Error::fetch(format!("timed out: {what} for {:?}; see `Timeouts`", self.time));
                Failure::transient(error, Stage::TimedOut)
            }
        }
    }
}

/// Adds the target of the redirects to an error, if there were any.
fn redirected(error: Error, uri: &Uri, number: usize) -> Error {
    if number == 0 {
        return error;
    }
    let target = without_secrets(&uri.to_string());
    let message = format!("{} (redirected to `{target}`)", error.message());
    error.with_message(message)
}

fn no_body() -> RequestBody {
    Empty::new().map_err(|never: std::convert::Infallible| match never {}).boxed_unsync()
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
    fn without_a_runtime_it_is_misuse_and_no_panic() {
        assert_eq!(HttpClient::new(&HttpConfig::default()).unwrap_err().kind(), Kind::Misuse);
    }
}
