//! The form that TensorFlow.js's `io.http` handler sends to save a model. Only the status of the response matters.
//!
//! The reference is `save` in TensorFlow.js's `io/http.ts`. The form always has two files: `model.json`, and
//! `model.weights.bin` with the concatenated weights of all groups.

use super::client::{HOPS, RequestBody};
use super::request::USER_AGENT;
use super::{Http, answer, redirect};
use crate::base::network::SaveMethod;
use crate::base::url::without_secrets;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;
use tfjs_manifest::{Error, Result};

/// The name of the JSON in the form.
pub(crate) const MODEL_JSON: &str = "model.json";

/// The name of the weights in the form.
pub(crate) const WEIGHTS: &str = "model.weights.bin";

/// Bytes passed to the connection at a time. Each piece that is sent restarts the time-out.
const CHUNK: usize = 64 << 10;

/// Sends a model to a URL: its JSON, and the bytes of its weights, if it has any.
pub(crate) async fn send_model(
    http: &Http,
    url: &str,
    json: Bytes,
    weights: Option<Vec<Bytes>>,
    method: SaveMethod,
) -> Result<()> {
    let client = http.client()?;
    let (mut uri, headers) = client.target(url)?;
    let form = Form::new(json, weights);

    for _ in 0..=HOPS {
        let mut headers = headers.clone();
        uri = client.signed(uri, &mut headers).await?;
        let response = client.forward(request(&form, &uri, headers, method)?).await.map_err(|e| e.error)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        if !answer::is_redirect(status) {
            return Err(refused(status, form.length()));
        }
        let next = new_place(&response, &uri)?;
        // Only 307 and 308 repeat the request with its body, and the model is meant for this server only.
        let same = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        if !same || !redirect::same_origin(&uri, &next) {
            let next = without_secrets(&next.to_string());
            return Err(Error::fetch(format!(
                "the server answered {status} with a redirect to `{next}`, which is not followed when saving; save to that URL if it is right"
            )));
        }
        uri = next;
    }
    Err(Error::fetch(format!("the server redirects more than {HOPS} times; check the URL")))
}

fn new_place(response: &Response<Incoming>, uri: &http::Uri) -> Result<http::Uri> {
    let location = response.headers().get(header::LOCATION);
    let location = location.and_then(|l| std::str::from_utf8(l.as_bytes()).ok());
    let location = location
        .ok_or_else(|| Error::fetch(format!("the server answered {} without a `Location`", response.status())))?;
    redirect::target(uri, location)
}

fn refused(status: StatusCode, length: u64) -> Error {
    let hint = match status.as_u16() {
        401 | 403 => "; set credentials in a header".to_owned(),
        404 | 405 | 410 => "; check that this URL accepts models with this method".to_owned(),
        411 | 413 => format!("; it does not accept a request of {length} bytes"),
        408 | 429 | 502..=504 => "; the server is busy or down, try again later".to_owned(),
        _ => String::new(),
    };
    Error::fetch(format!("the server answered {status}{hint}"))
}

fn request(form: &Form, uri: &http::Uri, user: HeaderMap, method: SaveMethod) -> Result<Request<RequestBody>> {
    if user.contains_key(header::CONTENT_TYPE) {
        return Err(Error::misuse("header `content-type` is set by the upload itself"));
    }
    let mut request = Request::new(form.body());
    *request.method_mut() = match method {
        SaveMethod::Post => Method::POST,
        SaveMethod::Put => Method::PUT,
    };
    *request.uri_mut() = uri.clone();
    let headers = request.headers_mut();
    headers.extend(user);
    headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
    headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    let content_type = HeaderValue::from_str(&format!("multipart/form-data; boundary={}", form.boundary));
    headers.insert(header::CONTENT_TYPE, content_type.map_err(|e| Error::bug("no content type").with_source(e))?);
    Ok(request)
}

fn length(pieces: &[Bytes]) -> u64 {
    pieces.iter().map(|piece| piece.len() as u64).sum()
}

/// A form with files, by RFC 7578, as browsers write it.
struct Form {
    boundary: String,
    pieces: Vec<Bytes>,
}

impl Form {
    fn new(json: Bytes, weights: Option<Vec<Bytes>>) -> Form {
        // 128 random bits, which the content does not contain, so it need not be searched.
        let random = || RandomState::new().hash_one(Instant::now());
        let boundary = format!("----formdata-tfjs-{:016x}{:016x}", random(), random());
        let mut form = Form { boundary, pieces: Vec::new() };
        form.file(MODEL_JSON, "application/json", vec![json]);
        if let Some(weights) = weights {
            form.file(WEIGHTS, "application/octet-stream", weights);
        }
        form.pieces.push(format!("--{}--\r\n", form.boundary).into());
        form
    }

    fn file(&mut self, name: &str, content_type: &str, content: Vec<Bytes>) {
        let head = format!(
            "--{}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\nContent-Type: {content_type}\r\n\r\n",
            self.boundary
        );
        self.pieces.push(head.into());
        self.pieces.extend(content);
        self.pieces.push(Bytes::from_static(b"\r\n"));
    }

    fn length(&self) -> u64 {
        length(&self.pieces)
    }

    /// The form as a body, without copying.
    fn body(&self) -> RequestBody {
        let body = FormBody { pieces: self.pieces.iter().rev().cloned().collect(), left: self.length() };
        body.map_err(|never: Infallible| match never {}).boxed_unsync()
    }
}

struct FormBody {
    /// In reverse order.
    pieces: Vec<Bytes>,
    left: u64,
}

impl Body for FormBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        while self.pieces.last().is_some_and(Bytes::is_empty) {
            self.pieces.pop();
        }
        let chunk = self.pieces.last_mut().map(|piece| piece.split_to(piece.len().min(CHUNK)));
        self.left -= chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_differ() {
        let form = |json: &'static str| Form::new(Bytes::from_static(json.as_bytes()), None);
        let (a, b) = (form("{}"), form("{}"));
        assert!(a.boundary != b.boundary && a.boundary.len() <= 70);
    }
}
