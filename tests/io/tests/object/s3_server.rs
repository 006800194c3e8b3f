//! A real S3 server in this process, `s3s` over a temporary folder, behind faults that a test asks for. Its
//! buckets are folders there.

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
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tfjs_io::{IoOptions, ObjectScheme, Retry};
use tokio::net::TcpListener;

pub const KEY: &str = "AKIDTEST";
pub const SECRET: &str = "hunter2secret";

/// What a client sent.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    /// How many requests of this method for this target came before.
    pub earlier: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This answer, without asking the server.
    Answer(u16, &'static [(&'static str, &'static str)], &'static str),
    /// The connection breaks after so many bytes of the body.
    Cut(usize),
    /// The rest of the body after so many bytes comes late.
    Stall(usize, Duration),
}

type Faults = Arc<dyn Fn(&Seen) -> Option<Fault> + Send + Sync>;

/// A running server with the bucket `models`; dropped, it stops.
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
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
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

    /// A scheme that leads here, with the right credentials and nothing from this process's environment.
    pub fn scheme(&self) -> ObjectScheme {
        self.scheme_without_credentials()
            .with_config("aws_access_key_id", KEY)
            .with_config("aws_secret_access_key", SECRET)
    }

    pub fn scheme_without_credentials(&self) -> ObjectScheme {
        let nothing: [(&str, &str); 0] = [];
        ObjectScheme::s3().with_endpoint(self.endpoint()).with_allow_http(true).with_environment(nothing)
    }

    /// The place of an object of the bucket on disk.
    pub fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join("models").join(key)
    }

    /// Puts an object there without asking the server.
    pub fn write(&self, key: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// All objects of the bucket, with what is in them.
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

/// Retries that do not make tests wait.
pub fn quick() -> IoOptions {
    let retry = Retry::default().with_delays(Duration::from_millis(2), Duration::from_millis(5));
    IoOptions::default().with_retry(retry)
}

async fn answer(
    service: S3Service,
    log: Arc<Mutex<Vec<Seen>>>,
    faults: Faults,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let target = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let mut seen =
        Seen { method: request.method().to_string(), target, headers: request.headers().clone(), earlier: 0 };
    {
        let mut log = log.lock().unwrap();
        seen.earlier = log.iter().filter(|s| s.method == seen.method && s.target == seen.target).count();
        log.push(seen.clone());
    }
    let fault = faults(&seen);
    if let Some(Fault::Answer(status, headers, body)) = fault {
        // Read, so that the client is not cut off while it sends.
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

/// The answer with its true length, but with a body that breaks off or stalls.
async fn broken(response: Response<Body>, at: usize, stall: Option<Duration>) -> Response<Body> {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let (head, tail) = (bytes.slice(..at.min(bytes.len())), bytes.slice(at.min(bytes.len())..));
    let steps = stream::unfold(0, move |step| {
        let (head, tail) = (head.clone(), tail.clone());
        async move {
            let frame: Option<std::io::Result<Bytes>> = match (step, stall) {
                (0, _) => Some(Ok(head)),
                (1, None) => {
                    // What came before is to arrive before the break does.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Some(Err(std::io::Error::other("cut")))
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
