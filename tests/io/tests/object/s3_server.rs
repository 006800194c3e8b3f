//! A real S3 server in this process, `s3s` over a temporary folder, with faults chosen by a test. Its
//! buckets are folders.

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use s3s::Body;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tfjs_io::{IoOptions, ObjectScheme, Retry};

pub const KEY: &str = "AKIDTEST";
pub const SECRET: &str = "hunter2secret";

/// A request of a client.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    /// The number of earlier requests with this method and target.
    pub earlier: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A fault of the server.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Responds with this status, headers and body, without calling the server.
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
    /// The connection breaks after this number of bytes of the body.
    Cut(usize),
    /// The connection is closed without a response.
    HangUp,
    /// The body of the request is read with a pause before every piece, and discarded.
    SlowRead(Duration),
    /// The body pauses for this time after this number of bytes.
    Stall(usize, Duration),
}

type Faults = Arc<dyn Fn(&Seen) -> Option<Fault> + Send + Sync>;

/// A running server with the bucket `models`; dropping this stops it.
pub struct S3Server {
    address: SocketAddr,
    folder: tempfile::TempDir,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl S3Server {
    pub async fn start() -> S3Server {
        S3Server::with_faults(|_| None).await
    }

    pub async fn with_faults(faults: impl Fn(&Seen) -> Option<Fault> + Send + Sync + 'static) -> S3Server {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("models")).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = builder.build();
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        // A small buffer, so that a client must wait for the server to read.
        socket.set_recv_buffer_size(64 << 10).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, faults): (_, Faults) = (seen.clone(), Arc::new(faults));
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (service, log, faults) = (service.clone(), log.clone(), faults.clone());
                let answer = service_fn(move |request| answer(service.clone(), log.clone(), faults.clone(), request));
                open.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        S3Server { address, folder, seen, task }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A scheme for this server, with the right credentials and without this process's environment.
    pub fn scheme(&self) -> ObjectScheme {
        self.scheme_without_credentials()
            .with_config("aws_access_key_id", KEY)
            .with_config("aws_secret_access_key", SECRET)
    }

    pub fn scheme_without_credentials(&self) -> ObjectScheme {
        let nothing: [(&str, &str); 0] = [];
        ObjectScheme::s3().with_endpoint(self.endpoint()).with_allow_http(true).with_environment(nothing)
    }

    /// The path of an object of the bucket on disk.
    pub fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join("models").join(key)
    }

    /// Writes an object to disk, without a request.
    pub fn write(&self, key: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// All objects of the bucket with their contents.
    pub fn objects(&self) -> Vec<(String, Vec<u8>)> {
        fn walk(folder: &Path, prefix: &str, out: &mut Vec<(String, Vec<u8>)>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
                match entry.file_type().unwrap().is_dir() {
                    true => walk(&entry.path(), &format!("{name}/"), out),
                    false => out.push((name, std::fs::read(entry.path()).unwrap())),
                }
            }
        }
        let mut out = Vec::new();
        walk(&self.path(""), "", &mut out);
        out.sort();
        out
    }

    pub fn names(&self) -> Vec<String> {
        self.objects().into_iter().map(|(name, _)| name).collect()
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The requests so far, as `GET /models/x`.
    pub fn lines(&self) -> Vec<String> {
        self.seen().iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Options with short delays between retries, for fast tests.
pub fn quick() -> IoOptions {
    let retry = Retry::default().with_delays(Duration::from_millis(2), Duration::from_millis(5));
    IoOptions::default().with_retry(retry)
}

async fn answer(
    service: S3Service,
    log: Arc<Mutex<Vec<Seen>>>,
    faults: Faults,
    request: Request<Incoming>,
) -> io::Result<Response<Body>> {
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let mut seen =
        Seen { method: request.method().to_string(), target, headers: request.headers().clone(), earlier: 0 };
    {
        let mut log = log.lock().unwrap();
        seen.earlier = log.iter().filter(|s| s.method == seen.method && s.target == seen.target).count();
        log.push(seen.clone());
    }
    let fault = faults(&seen);
    if let Some(Fault::HangUp) = fault {
        return Err(io::Error::other("hang up"));
    }
    if let Some(Fault::SlowRead(pause)) = fault {
        let mut body = request.into_body();
        while body.frame().await.is_some() {
            tokio::time::sleep(pause).await;
        }
        let mut response = Response::new(Body::empty());
        response.headers_mut().insert("etag", "\"x\"".parse().unwrap());
        return Ok(response);
    }
    if let Some(Fault::Answer(status, headers, body)) = fault {
        // Reads the request first, so that the client can finish sending.
        let _ = request.into_body().collect().await;
        let mut response = Response::new(Body::from(body.to_owned()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        return Ok(response);
    }
    let response = hyper::service::Service::call(&service, request).await.unwrap();
    Ok(match fault {
        Some(Fault::Cut(at)) => broken(response, at, None).await,
        Some(Fault::Stall(at, time)) => broken(response, at, Some(time)).await,
        _ => response,
    })
}

/// The response with the right length, but with a body that breaks or stalls.
async fn broken(response: Response<Body>, at: usize, stall: Option<Duration>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let (head, tail) = (bytes.slice(..at.min(bytes.len())), bytes.slice(at.min(bytes.len())..));
    let steps = stream::unfold(0, move |step| {
        let (head, tail) = (head.clone(), tail.clone());
        async move {
            let frame: Option<io::Result<Bytes>> = match (step, stall) {
                (0, _) => Some(Ok(head)),
                (1, None) => {
                    // Lets the bytes arrive before the connection breaks.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Some(Err(io::Error::other("cut")))
                }
                (1, Some(time)) => {
                    tokio::time::sleep(time).await;
                    Some(Ok(tail))
                }
                _ => None,
            };
            frame.map(|frame| (frame.map(Frame::data), step + 1))
        }
    });
    Response::from_parts(parts, Body::http_body_unsync(StreamBody::new(steps)))
}
