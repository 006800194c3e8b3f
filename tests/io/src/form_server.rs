//! An HTTP server for forms with files, which it parses with a library that is independent of the code under test.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// A request with a form.
#[derive(Clone, Debug)]
pub struct Form {
    /// The method, such as `POST`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The parts, in order.
    pub parts: Vec<Part>,
}

/// One part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The field's name.
    pub name: String,
    /// The file's name.
    pub file_name: String,
    /// The content's type.
    pub content_type: String,
    /// The content.
    pub bytes: Bytes,
}

impl Form {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// Parses the parts of a form.
pub async fn parts(content_type: &str, body: Bytes) -> Vec<Part> {
    let boundary = multer::parse_boundary(content_type).expect("a form has a boundary");
    let whole = futures_util::stream::iter([Ok::<_, Infallible>(body)]);
    let mut form = multer::Multipart::new(whole, boundary);
    let mut parts = Vec::new();
    while let Some(field) = form.next_field().await.expect("a well-formed form") {
        parts.push(Part {
            name: field.name().unwrap_or_default().to_owned(),
            file_name: field.file_name().unwrap_or_default().to_owned(),
            content_type: field.content_type().map(ToString::to_string).unwrap_or_default(),
            bytes: field.bytes().await.expect("a part that ends"),
        });
    }
    parts
}

/// A running server; dropping this stops it.
#[derive(Debug)]
pub struct FormServer {
    address: SocketAddr,
    forms: Arc<Mutex<Vec<Form>>>,
    task: tokio::task::JoinHandle<()>,
}

impl FormServer {
    /// Starts a server whose status and `Location` are given by the target of the request: `/201`, `/307?/there`.
    pub async fn start() -> FormServer {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let forms = Arc::new(Mutex::new(Vec::new()));
        let seen = forms.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = seen.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| take(request, seen.clone()));
                    // Some tests make the client close early.
                    let _ =
                        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        FormServer { address, forms, task }
    }

    /// The URL of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The same with the host name `localhost`, which is another origin.
    pub fn other_url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.address.port())
    }

    /// All received forms.
    pub fn forms(&self) -> Vec<Form> {
        self.forms.lock().expect("no test panics under this lock").clone()
    }
}

impl Drop for FormServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(request: Request<Incoming>, seen: Arc<Mutex<Vec<Form>>>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let text = |v: &hyper::header::HeaderValue| String::from_utf8_lossy(v.as_bytes()).into_owned();
    let headers: Vec<_> = head.headers.iter().map(|(n, v)| (n.to_string(), text(v))).collect();
    let content_type = headers.iter().find(|(n, _)| n == "content-type").map(|(_, v)| v.clone()).unwrap_or_default();
    let parts = parts(&content_type, body.collect().await?.to_bytes()).await;
    let form = Form { method: head.method.to_string(), target: target.clone(), headers, parts };
    seen.lock().expect("no test panics under this lock").push(form);
    let (status, location) = target[1..].split_once('?').unwrap_or((&target[1..], ""));
    let mut answer = Response::builder().status(status.parse().unwrap_or(404u16));
    if !location.is_empty() {
        answer = answer.header("location", location);
    }
    Ok(answer.body(Full::default()).expect("a status and a location make an answer"))
}
