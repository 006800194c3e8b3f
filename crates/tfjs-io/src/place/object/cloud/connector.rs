//! Sends the requests of `object_store` over this crate's own connections, so that TLS, proxies and time-outs have one
//! configuration. Does not follow redirects: a store that sends one is misconfigured.

use crate::place::http::{Failure, Http, Stage};
use crate::place::object::error::NO_CREDENTIALS;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use http::header::{self, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Frame;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;
use tfjs_manifest::Error;

/// The time-out of the machine's metadata service. If there is one, it is in the same network and fast.
const METADATA: Duration = Duration::from_secs(2);

/// Most bytes that are read of an error response.
const ERROR_BYTES: usize = 64 << 10;

/// Makes clients for `object_store`.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    http: Http,
    /// Whether compressed objects are requested as they are stored. Otherwise Google's stores decode them and do not
    /// send their length.
    as_stored: bool,
}

impl Connector {
    pub(super) fn new(http: &Http) -> Self {
        Connector { http: http.clone(), as_stored: false }
    }

    #[cfg(feature = "gcs")]
    pub(super) fn asking_as_stored(mut self) -> Self {
        self.as_stored = true;
        self
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let value = |key| options.get_config_value(&key);
        Ok(HttpClient::new(Service {
            connector: self.clone(),
            allow_http: value(ClientConfigKey::AllowHttp).as_deref() == Some("true"),
            // Options for the store have no time-out (see `settings::client_options`); those for metadata have one.
            metadata: value(ClientConfigKey::ConnectTimeout).is_some(),
        }))
    }
}

#[derive(Debug)]
struct Service {
    connector: Connector,
    allow_http: bool,
    /// Whether this client requests credentials from the machine's metadata service.
    metadata: bool,
}

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if self.metadata {
            return match tokio::time::timeout(METADATA, self.send(request)).await {
                Ok(Ok(answer)) => Ok(answer),
                // Not retried: most machines are not in a cloud.
                Ok(Err(e)) => Err(HttpError::new(HttpErrorKind::Unknown, Error::fetch(NO_CREDENTIALS).with_source(e))),
                Err(_) => Err(HttpError::new(HttpErrorKind::Unknown, Error::fetch(NO_CREDENTIALS))),
            };
        }
        self.send(request).await
    }
}

impl Service {
    async fn send(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let failed = |e: Error| HttpError::new(HttpErrorKind::Unknown, e);
        let safe = request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) || is_loopback(request.uri());
        if !safe && !self.allow_http {
            return Err(failed(Error::misuse(
                "the store's endpoint is `http://`, which is neither encrypted nor authenticated; allow it with \
                `allow_http`, or in the environment with `AWS_ALLOW_HTTP=true` (or the variable of another cloud)",
            )));
        }
        // Lists have a query; they are text, and may be compressed for the transfer.
        let is_object = request.method() == Method::GET && request.uri().query().is_none();
        let headers = request.headers_mut();
        headers
            .entry(header::USER_AGENT)
            .or_insert(HeaderValue::from_static(concat!("tfjs-rs/", env!("CARGO_PKG_VERSION"))));
        if is_object && self.connector.as_stored {
            headers.entry(header::ACCEPT_ENCODING).or_insert(HeaderValue::from_static("gzip"));
        }
        let client = self.connector.http.client().map_err(failed)?;
        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        let answer = client.forward_anywhere(request).await.map_err(|e| match client.is_over() {
            true => failed(e.error),
            false => http_error(e),
        })?;
        if let Some(region) = other_region(&answer) {
            return Err(failed(Error::fetch(format!(
                "the bucket is in another region, `{region}`; set it with `with_region` or AWS_REGION"
            ))));
        }
        let (parts, body) = answer.into_parts();
        let bytes = client.body(body).map_err(|e| HttpError::new(HttpErrorKind::Interrupted, e));
        let bytes = match parts.status.is_success() {
            true => bytes.boxed(),
            false => limited(bytes).boxed(),
        };
        Ok(Response::from_parts(parts, HttpResponseBody::new(Shared(Mutex::new(bytes)))))
    }
}

/// Whether the host is a loopback address or `localhost`.
fn is_loopback(uri: &http::Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let literal = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let address = literal.parse::<std::net::IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |ip| ip.is_loopback())
}

/// The region of an Amazon bucket, if the response says that the bucket is in another region.
fn other_region<T>(answer: &Response<T>) -> Option<String> {
    let moved = matches!(answer.status(), StatusCode::MOVED_PERMANENTLY | StatusCode::TEMPORARY_REDIRECT);
    let region = answer.headers().get("x-amz-bucket-region").filter(|_| moved)?.to_str().ok()?;
    Some(region.chars().take(40).collect())
}

/// Converts a failure for `object_store`, which decides by the kind whether to retry.
fn http_error(failure: Failure) -> HttpError {
    let kind = match failure.stage {
        Stage::Connect => HttpErrorKind::Connect,
        Stage::Unsent => HttpErrorKind::Request,
        Stage::Interrupted => HttpErrorKind::Interrupted,
        Stage::TimedOut => HttpErrorKind::Timeout,
        Stage::Final => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, failure.error)
}

type Stream<T> = BoxStream<'static, Result<T, HttpError>>;

/// The first bytes of an error response.
fn limited(
    bytes: impl futures_util::Stream<Item = Result<Bytes, HttpError>>,
) -> impl futures_util::Stream<Item = Result<Bytes, HttpError>> {
    bytes.scan(ERROR_BYTES, |left, chunk| {
        let chunk = chunk.map(|mut chunk| {
            chunk.truncate(*left);
            *left -= chunk.len();
            chunk
        });
        let end = matches!(&chunk, Ok(chunk) if chunk.is_empty());
        std::future::ready((!end).then_some(chunk))
    })
}

/// Makes a body `Sync`, which `object_store` requires. It is never shared between threads.
struct Shared(Mutex<Stream<Bytes>>);

impl hyper::body::Body for Shared {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let stream = self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        stream.poll_next_unpin(cx).map_ok(Frame::data)
    }
}
