//! HTTPS: trusted certificates, errors for others, and HTTP/1.1 and HTTP/2.

use io_harness::fault_server::{FaultServer, Reply};
use io_harness::load::{check_error, load};
use io_harness::proxy::ProxyServer;
use io_harness::sink::{TestSink, pattern};
use io_harness::tls_server::{Certificate, TlsServer};
use tfjs_io::{IoOptions, Proxy, Result, Roots};
use tfjs_manifest::Kind;

const LEN: usize = 300_000;
const BOTH: &[&str] = &["h2", "http/1.1"];

async fn load_from(server: &TlsServer, options: IoOptions) -> Result<Vec<u8>> {
    let files: &[&[&str]] = &[&["a.bin", "b.bin"]];
    let sink = TestSink::new().group(&[2 * LEN]);
    Ok(load(&server.url("/model.json"), files, sink, options).await?.1.bytes(0))
}

async fn check_version(protocols: &[&str], version: &str) {
    let server = TlsServer::start(Certificate::Good, protocols, pattern(LEN)).await;
    let options = IoOptions::default().with_root_certificate(server.root());
    assert!(load_from(&server, options).await.unwrap() == pattern(LEN).repeat(2));
    let requests = server.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|(v, _)| format!("{v:?}") == version), "{requests:?}");
}

#[tokio::test]
async fn http_2_is_spoken_where_the_server_can_and_http_1_elsewhere() {
    check_version(BOTH, "HTTP/2.0").await;
    check_version(&["http/1.1"], "HTTP/1.1").await;
    check_version(&[], "HTTP/1.1").await;
}

#[tokio::test]
async fn parts_of_a_large_file_share_one_connection_of_http_2() {
    let server = TlsServer::start(Certificate::Good, BOTH, pattern(LEN)).await;
    let options = IoOptions::default().with_root_certificate(server.root());
    let options = options.with_split_over(100_000).with_range_bytes(65_536);
    assert!(load_from(&server, options).await.unwrap() == pattern(LEN).repeat(2));
    assert_eq!(server.requests().len(), 1 + 2 * 5);
    assert_eq!(server.connections(), 1);
}

/// An invalid certificate is a permanent error: one connection, no request.
async fn check_refused(certificate: Certificate, trusted: bool, says: &str) {
    let server = TlsServer::start(certificate, BOTH, Vec::new()).await;
    let options = IoOptions::default();
    let options = if trusted { options.with_root_certificate(server.root()) } else { options };
    let result = load_from(&server, options).await;
    let error = check_error(result, Kind::Fetch, "/model.json", "TLS failed; check the server's certificate");
    let chain = std::iter::successors(std::error::Error::source(&error), |e| e.source());
    let chain: Vec<String> = chain.map(|e| e.to_string()).collect();
    assert!(chain.join("; ").contains(says), "{chain:?}");
    assert_eq!((server.connections(), server.requests().len()), (1, 0));
}

#[tokio::test]
async fn a_wrong_certificate_is_an_error_and_not_tried_again() {
    check_refused(Certificate::Good, false, "UnknownIssuer").await;
    check_refused(Certificate::WrongName, true, "not valid for name").await;
    check_refused(Certificate::Expired, true, "expired").await;
}

#[tokio::test]
async fn only_given_certificates_can_be_trusted() {
    let server = TlsServer::start(Certificate::Good, BOTH, pattern(LEN)).await;
    let none = IoOptions::default().with_roots(Roots::None);
    check_error(load_from(&server, none.clone()).await, Kind::Fetch, "/model.json", "TLS failed");
    load_from(&server, none.with_root_certificate(server.root())).await.unwrap();
}

#[tokio::test]
async fn what_is_no_certificate_is_misuse() {
    let server = TlsServer::start(Certificate::Good, BOTH, Vec::new()).await;
    let options = IoOptions::default().with_root_certificate("hello");
    check_error(load_from(&server, options).await, Kind::Misuse, "/model.json", "root certificate in PEM");
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_not_followed() {
    let plain = FaultServer::start(|_| Reply::ok("{}")).await;
    let server = TlsServer::start(Certificate::Good, BOTH, Vec::new()).await;
    for target in [plain.url("/model.json"), plain.other_url("/model.json")] {
        let options = IoOptions::default().with_root_certificate(server.root());
        let url = server.url(&format!("/m/model.json?to={target}"));
        let result = load(&url, &[], TestSink::new(), options).await;
        check_error(result, Kind::Fetch, "/m/model.json?to=…", "redirects from https to http, which is not followed");
    }
    assert!(plain.requests().is_empty());
}

#[tokio::test]
async fn https_goes_through_a_tunnel() {
    let server = TlsServer::start(Certificate::Good, BOTH, pattern(LEN)).await;
    let proxy = ProxyServer::start(server.address()).await;
    for (scheme, asked) in [("http", "CONNECT localhost:"), ("socks5", "SOCKS localhost:")] {
        let options = IoOptions::default().with_root_certificate(server.root());
        let options = options.with_proxy(Proxy::Url(proxy.url(scheme, "me:p%40ss@")));
        assert!(load_from(&server, options).await.unwrap() == pattern(LEN).repeat(2));
        let seen = proxy.seen();
        let last = seen.last().unwrap();
        assert!(last.starts_with(asked), "{last}");
        assert!(last.ends_with(if scheme == "http" { " Basic bWU6cEBzcw==" } else { " me:p@ss" }), "{last}");
    }
}
