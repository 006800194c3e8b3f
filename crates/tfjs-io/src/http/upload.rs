//! Saving to a server: the form that TensorFlow.js's `io.http` handler sends. Of the answer only the status counts.
//!
//! The reference is `save` in TensorFlow.js's `io/http.ts`. The form has two files whatever the model's are called:
//! `model.json`, and `model.weights.bin` with the weights of all groups, one behind the other. So the manifest is
//! rewritten to one group with this one file, which means the same: neither groups nor files have a padding between
//! them.

use super::client::{HOPS, RequestBody};
use super::request::USER_AGENT;
use super::{answer, redirect};
use crate::cx::IoCx;
use crate::handler::{SaveArtifacts, SaveResult};
use crate::options::SaveMethod;
use crate::shard_path::shard_components;
use crate::url::without_secrets;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;
use tfjs_manifest::{Error, Limits, Result, WeightsManifest, json as reader};

/// The name of the JSON in the form.
const MODEL_JSON: &str = "model.json";

/// The name of the weights in the form.
const WEIGHTS: &str = "model.weights.bin";

/// Bytes handed to the connection at a time; as long as these go out, the server is not silent.
const CHUNK: usize = 64 << 10;

/// Sends a model to a URL.
pub(super) async fn upload(url: &str, artifacts: SaveArtifacts, cx: &IoCx) -> Result<SaveResult> {
    let location = without_secrets(url);
    send(url, artifacts, cx)
        .await
        .map_err(|e| e.in_file(&location))
        .map(|(files, bytes)| SaveResult::new(&location, files, bytes))
}

async fn send(url: &str, artifacts: SaveArtifacts, cx: &IoCx) -> Result<(usize, u64)> {
    artifacts.check(MODEL_JSON, cx)?;
    let client = cx.http()?;
    let (mut uri, headers) = client.target(url)?;
    let (json, weights) = as_one_file(artifacts, &cx.options().limits)?;
    let files = if weights.is_some() { 2 } else { 1 };
    let bytes = json.len() as u64 + length(weights.as_deref().unwrap_or_default());
    let form = Form::new(json, weights);

    for _ in 0..=HOPS {
        let mut headers = headers.clone();
        uri = client.signed(uri, &mut headers).await?;
        let response = client.forward(request(&form, &uri, headers, cx.options().save_method)?).await.map_err(|e| e.error)?;
        let status = response.status();
        if status.is_success() {
            return Ok((files, bytes));
        }
        if !answer::is_redirect(status) {
            return Err(refused(status, form.length()));
        }
        let next = new_place(&response, &uri)?;
        // What was sent is the caller's, for this server; other statuses would turn it into a request for a page.
        let same = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        if !same || !redirect::same_origin(&uri, &next) {
            let next = without_secrets(&next.to_string());
            return Err(Error::fetch(format!(
                "the server answered {status} and names `{next}`, where a model is not sent on; save to that URL if it is right"
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
        .ok_or_else(|| Error::fetch(format!("the server answered {}, but says not where to", response.status())))?;
    redirect::target(uri, location)
}

fn refused(status: StatusCode, length: u64) -> Error {
    let hint = match status.as_u16() {
        401 | 403 => "; give credentials in a header".to_owned(),
        404 | 405 | 410 => "; check that this URL takes models, and by this method".to_owned(),
        411 | 413 => format!("; it takes no request of {length} bytes"),
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

/// The JSON with a manifest of one file, and that file in pieces; `None` for a model without weights.
fn as_one_file(artifacts: SaveArtifacts, limits: &Limits) -> Result<(Bytes, Option<Vec<Bytes>>)> {
    let SaveArtifacts { model_json, weights } = artifacts;
    let mut model = reader::parse(&model_json, limits)?;
    let mut files = HashMap::new();
    for (path, bytes) in weights {
        files.insert(shard_components(&path, limits)?.join("/"), bytes);
    }
    let groups = model.get("weightsManifest").filter(|manifest| !manifest.is_null());
    let Some(groups) = groups else {
        return match files.into_keys().next() {
            Some(path) => Err(unnamed(&path)),
            None => Ok((model_json, None)),
        };
    };

    let manifest = WeightsManifest::from_value(groups, limits)?;
    let layout = manifest.layout(limits)?;
    let specs = groups.as_array().into_iter().flatten().filter_map(|group| group["weights"].as_array());
    let specs: Vec<Value> = specs.flatten().cloned().collect();
    let mut pieces = Vec::new();
    for (g, (group, layout)) in manifest.groups().iter().zip(layout.groups()).enumerate() {
        let first = pieces.len();
        for path in &group.paths {
            let bytes = files.remove(&shard_components(path, limits)?.join("/"));
            pieces.push(
                bytes.ok_or_else(|| Error::misuse("the manifest names a file that was not given").in_file(path))?,
            );
        }
        let found = length(&pieces[first..]);
        // Bytes too many or too few would shift the weights of all groups behind them.
        if let Some(expected) = layout.total.filter(|&expected| expected != found) {
            let error = format!("weight group {g}: expected {expected} bytes in its files, found {found}");
            return Err(Error::mismatch(error));
        }
    }
    if let Some(path) = files.into_keys().next() {
        return Err(unnamed(&path));
    }
    model["weightsManifest"] = json!([{"paths": [format!("./{WEIGHTS}")], "weights": specs}]);
    Ok((model.to_string().into(), Some(pieces)))
}

fn unnamed(path: &str) -> Error {
    Error::misuse("the manifest does not name this file, and TensorFlow.js's form has no place for others")
        .in_file(path)
}

fn length(pieces: &[Bytes]) -> u64 {
    pieces.iter().map(|piece| piece.len() as u64).sum()
}

/// A form with files, as RFC 7578 says and browsers write it.
struct Form {
    boundary: String,
    pieces: Vec<Bytes>,
}

impl Form {
    fn new(json: Bytes, weights: Option<Vec<Bytes>>) -> Form {
        // 128 bits that nobody can foresee: no content has them, and none has to be searched for them.
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

    /// The form as a body; nothing is copied.
    fn body(&self) -> RequestBody {
        let body = FormBody { pieces: self.pieces.iter().rev().cloned().collect(), left: self.length() };
        body.map_err(|never: Infallible| match never {}).boxed_unsync()
    }
}

struct FormBody {
    /// Last first.
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
    use tfjs_manifest::Kind;

    fn artifacts(json: Value, files: &[(&str, &'static str)]) -> SaveArtifacts {
        let weights = files.iter().map(|(p, b)| ((*p).to_owned(), Bytes::from_static(b.as_bytes()))).collect();
        SaveArtifacts::new(json.to_string(), weights)
    }

    fn group(paths: &[&str], name: &str, bytes: usize) -> Value {
        json!({"paths": paths, "weights": [{"name": name, "shape": [bytes], "dtype": "uint8"}]})
    }

    #[test]
    fn groups_and_shards_become_one_file() {
        let manifest = json!([group(&["b", "./a"], "x", 5), group(&["c"], "y", 1)]);
        let given = artifacts(json!({"x": 1.0, "weightsManifest": manifest}), &[("a", "345"), ("b", "12"), ("c", "6")]);
        let (json, pieces) = as_one_file(given, &Limits::default()).unwrap();
        assert_eq!(pieces.unwrap().concat(), b"123456");
        let json = String::from_utf8(json.to_vec()).unwrap();
        let expected = concat!(
            r#"{"x":1.0,"weightsManifest":[{"paths":["./model.weights.bin"],"weights":["#,
            r#"{"name":"x","shape":[5],"dtype":"uint8"},{"name":"y","shape":[1],"dtype":"uint8"}]}]}"#
        );
        assert_eq!(json, expected);
    }

    #[track_caller]
    fn check_refused(json: Value, files: &[(&str, &'static str)], kind: Kind, says: &str) {
        let error = as_one_file(artifacts(json, files), &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(says), "{error}");
    }

    #[test]
    fn files_and_manifest_must_agree() {
        let manifest = json!({"weightsManifest": [group(&["a"], "x", 2)]});
        check_refused(manifest.clone(), &[], Kind::Misuse, "was not given");
        check_refused(manifest.clone(), &[("a", "12"), ("b", "")], Kind::Misuse, "does not name");
        check_refused(json!({}), &[("a", "12")], Kind::Misuse, "does not name");
        check_refused(manifest, &[("a", "123")], Kind::Mismatch, "expected 2 bytes in its files, found 3");
    }

    #[test]
    fn boundaries_differ() {
        let form = |json: &'static str| Form::new(Bytes::from_static(json.as_bytes()), None);
        let (a, b) = (form("{}"), form("{}"));
        assert!(a.boundary != b.boundary && a.boundary.len() <= 70);
    }
}
