//! A correct HTTPS server with HTTP/1.1 and HTTP/2, and certificates generated for each test.

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ETAG, IF_RANGE, LOCATION, RANGE};
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// A running server; dropping this stops it.
#[derive(Debug)]
pub struct TlsServer {
    address: SocketAddr,
    root: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    connections: AtomicUsize,
    requests: Mutex<Vec<(Version, String)>>,
}

/// The server's certificate.
#[derive(Clone, Copy, Debug)]
pub enum Certificate {
    /// A valid one.
    Good,
    /// One for another host name.
    WrongName,
    /// An expired one.
    Expired,
}

impl TlsServer {
    /// Serves this file at every path except `/model.json`, with ranges; a request with the query `?to=URL` is
    /// redirected to that URL. `protocols` are offered by ALPN.
    pub async fn start(certificate: Certificate, protocols: &[&str], file: Vec<u8>) -> TlsServer {
        let (mut config, root) = config(certificate);
        config.alpn_protocols = protocols.iter().map(|p| p.as_bytes().to_vec()).collect();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (shared, file) = (Arc::new(Shared::default()), Bytes::from(file));
        let (state, acceptor) = (shared.clone(), TlsAcceptor::from(Arc::new(config)));
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let (state, acceptor, file) = (state.clone(), acceptor.clone(), file.clone());
                state.connections.fetch_add(1, Ordering::SeqCst);
                open.spawn(async move {
                    // A client that does not trust the certificate disconnects.
                    let Ok(tls) = acceptor.accept(tcp).await else { return };
                    let service = hyper::service::service_fn(|request| {
                        let response = answer(&request, &file, &state);
                        async { Ok::<_, Infallible>(response) }
                    });
                    let http = auto::Builder::new(TokioExecutor::new());
                    let _ = http.serve_connection(TokioIo::new(tls), service).await;
                });
            }
        });
        TlsServer { address, root, shared, task }
    }

    /// The URL of a path on this server.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of the authority that signed the server's, in PEM.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Connections so far, including failed handshakes.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Protocol and path of all requests so far.
    pub fn requests(&self) -> Vec<(Version, String)> {
        self.shared.requests.lock().expect("no test panics under this lock").clone()
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(request: &Request<Incoming>, file: &Bytes, state: &Shared) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let mut all = state.requests.lock().expect("no test panics under this lock");
    all.push((request.version(), path.clone()));
    if let Some(target) = request.uri().query().and_then(|query| query.strip_prefix("to=")) {
        let response = Response::builder().status(StatusCode::FOUND).header(LOCATION, target);
        return response.body(Full::default()).expect("the test's URL is a header");
    }
    if path == "/model.json" {
        return Response::new(Full::new(Bytes::from_static(b"{}")));
    }
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let range = header(RANGE).and_then(|r| r.strip_prefix("bytes=")?.split_once('-'));
    let same = header(IF_RANGE).is_none_or(|tag| tag == "\"a\"");
    let builder = Response::builder().header(ETAG, "\"a\"").header("accept-ranges", "bytes");
    let response = match range.filter(|_| same) {
        None => builder.body(file.clone()),
        Some((first, last)) => {
            let first: usize = first.parse().expect("the client sends numbers");
            let end = last.parse().map_or(file.len(), |last: usize| file.len().min(last + 1));
            let range = format!("bytes {first}-{}/{}", end - 1, file.len());
            builder.status(StatusCode::PARTIAL_CONTENT).header("content-range", range).body(file.slice(first..end))
        }
    };
    response.expect("the headers are good").map(Full::new)
}

fn config(certificate: Certificate) -> (ServerConfig, String) {
    let key = || KeyPair::generate().expect("ring makes keys");
    let (root_key, key) = (key(), key());
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = root.self_signed(&root_key).expect("parameters are good").pem();
    let issuer = Issuer::new(root, root_key);
    let name = if matches!(certificate, Certificate::WrongName) { "another.example" } else { "localhost" };
    let mut leaf = CertificateParams::new([name.to_owned()]).expect("a name is one");
    if matches!(certificate, Certificate::Expired) {
        leaf.not_after = rcgen::date_time_ymd(2001, 1, 1);
    }
    let leaf = leaf.signed_by(&key, &issuer).expect("parameters are good");
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key.into())
        .expect("the key is the certificate's");
    (config, pem)
}
