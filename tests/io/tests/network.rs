//! Network options of the caller: proxies, signatures, addresses that are not allowed, and conditional requests.

use io_harness::fault_server::{FaultServer, Reply, Request};
use io_harness::load::{check_error, load};
use io_harness::proxy::ProxyServer;
use io_harness::sink::{TestSink, pattern};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tfjs_io::{
    Body, ByteRange, Files, IoCx, IoOptions, ModelUrl, OpenOptions, Proxy, Purpose, Registry, Result, Retry, Signature,
    Validator, WeightSource,
};
use tfjs_manifest::{Error, Kind};

const LEN: usize = 1000;

/// A valid model, also for requests that reach the server by a proxy.
fn model(request: &Request) -> Reply {
    if request.target.contains("model.json") { Reply::ok("{}") } else { file(request) }
}

fn file(request: &Request) -> Reply {
    Reply::file(request, &pattern(LEN), "\"a\"", &[])
}

async fn load_from(url: &str, options: IoOptions) -> Result<Vec<u8>> {
    let delay = Duration::from_millis(1);
    let options = options.with_retry(Retry::default().with_tries(3).with_delays(delay, delay));
    Ok(load(url, &[&["w.bin"]], TestSink::new().group(&[LEN]), options).await?.1.bytes(0))
}

fn through(proxy: &ProxyServer, scheme: &str, user: &str) -> IoOptions {
    IoOptions::default().with_proxy(Proxy::Url(proxy.url(scheme, user)))
}

#[tokio::test]
async fn http_is_forwarded_by_a_proxy_that_resolves_the_name() {
    let server = FaultServer::start(model).await;
    let proxy = ProxyServer::start(server.address()).await;
    let options = through(&proxy, "http", "me:p%40ss@");
    assert_eq!(load_from("http://model.invalid/model.json?a=1", options).await.unwrap(), pattern(LEN));
    assert_eq!(server.targets(), ["http://model.invalid/model.json?a=1", "http://model.invalid/w.bin?a=1"]);
    let told = Some("Basic bWU6cEBzcw==");
    assert!(server.requests().iter().all(|r| r.header("proxy-authorization") == told));
}

#[tokio::test]
async fn http_goes_through_socks() {
    let server = FaultServer::start(model).await;
    let proxy = ProxyServer::start(server.address()).await;
    for scheme in ["socks5", "socks5h"] {
        let options = through(&proxy, scheme, "");
        assert_eq!(load_from("http://model.invalid/model.json", options).await.unwrap(), pattern(LEN));
    }
    assert!(proxy.seen().iter().all(|seen| seen == "SOCKS model.invalid:80"), "{:?}", proxy.seen());
    // The targets are not absolute URLs, as they would be in requests to a proxy.
    assert!(server.requests().iter().all(|r| r.target.starts_with('/')));
}

#[tokio::test]
async fn a_proxy_that_is_not_there_or_wants_a_password_says_so() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://me:hunter2@{}", listener.local_addr().unwrap())
    };
    let options = IoOptions::default().with_proxy(Proxy::Url(closed));
    let result = load_from("http://model.invalid/model.json", options).await;
    let error = check_error(result, Kind::Fetch, "/model.json", "cannot connect to the server");
    let text = format!("{error:?}");
    assert!(text.contains("ThroughProxy") && !text.contains("hunter2"), "{text}");

    let server = FaultServer::start(|_| Reply::status("407 Proxy Authentication Required", &[], "")).await;
    let options = IoOptions::default().with_proxy(Proxy::Url(server.url("/")));
    let result = load_from("http://model.invalid/model.json", options.clone()).await;
    check_error(result, Kind::Fetch, "/model.json", "add a user and a password to the proxy's URL");
    let result = load_from("https://model.invalid/model.json", options).await;
    check_error(result, Kind::Fetch, "/model.json", "the proxy requires a user and a password");
    // Neither request is retried.
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_proxy_does_not_lead_a_redirect_to_the_cloud_s_secrets() {
    let server = FaultServer::start(|request| match request.target.rsplit('/').next() {
        Some("model.json") => Reply::redirect("http://169.254.169.254/latest/meta-data/"),
        Some("number") => Reply::redirect("http://2852039166/latest/meta-data/"),
        Some("private") => Reply::redirect("http://10.0.0.1/"),
        _ => Reply::redirect("http://localhost/"),
    })
    .await;
    let proxy = ProxyServer::start(server.address()).await;
    for name in ["model.json", "number", "private", "localhost"] {
        let url = format!("http://model.invalid/{name}");
        let result = load_from(&url, through(&proxy, "http", "")).await;
        check_error(result, Kind::Fetch, name, "private or link-local addresses are not allowed");
    }
    assert_eq!(server.requests().len(), 4);
}

/// Runs in a separate process, because the environment is shared by all tests of a process.
#[tokio::test]
#[ignore = "run by the test below, with an environment"]
async fn child_of_an_environment() {
    let url = std::env::var("TEST_URL").unwrap();
    let result = load_from(&url, IoOptions::default()).await;
    if let Err(error) = &result {
        println!("error: {} {error:?}", error.kind());
    }
    println!("loaded: {}", result.is_ok_and(|bytes| bytes == pattern(LEN)));
    let direct = load_from(&url, IoOptions::default().with_proxy(Proxy::None)).await;
    println!("without: {}", direct.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_names_the_proxy() {
    let server = FaultServer::start(model).await;
    let proxy = ProxyServer::start(server.address()).await;
    let child = |url: String, name: &'static str, value: String| async move {
        let mut command = Command::new(std::env::current_exe().unwrap());
        for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"] {
            command.env_remove(variable).env_remove(variable.to_lowercase());
        }
        command.args(["--exact", "network::child_of_an_environment", "--ignored", "--nocapture"]);
        command.env("TEST_URL", url).env(name, value);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let away = "http://model.invalid/model.json".to_owned();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let said = child(away.clone(), name, proxy.url("http", "")).await;
        assert!(said.contains("loaded: true") && said.contains("without: false"), "{name}: {said}");
    }
    for value in ["htp://u:hunter2@proxy", "u:hunt/hunter2@proxy:1", "http://proxy:70000"] {
        let said = child(away.clone(), "http_proxy", value.to_owned()).await;
        let error = said.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        assert!(error.contains("the variable `http_proxy`") && !said.contains("hunter2"), "{said}");
    }
    let seen = proxy.seen().len();
    // Requests to loopback do not use the proxy.
    let said = child(server.url("/model.json"), "HTTP_PROXY", proxy.url("http", "")).await;
    assert!(said.contains("loaded: true") && said.contains("without: true"), "{said}");
    assert_eq!(proxy.seen().len(), seen);
}

#[tokio::test]
async fn every_request_is_signed_and_every_try_anew() {
    let server = FaultServer::start(|request| match request.target.as_str() {
        "/model.json" => Reply::redirect("/v2/model.json"),
        "/v2/model.json" => Reply::ok("{}"),
        _ if request.earlier == 0 => Reply::status("503 x", &[], ""),
        _ if request.earlier == 1 => file(request).cut(600).close(),
        _ => file(request),
    })
    .await;
    let count = AtomicUsize::new(0);
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = seen.clone();
    let options = IoOptions::default().with_header("X-Sig", "of old").with_signer(move |url| {
        log.lock().unwrap().push(url.to_owned());
        let number = count.fetch_add(1, Ordering::SeqCst);
        Ok(Signature::new().with_header("X-Sig", number.to_string()))
    });
    assert_eq!(load_from(&server.url("/model.json"), options).await.unwrap(), pattern(LEN));
    let paths = ["/model.json", "/v2/model.json", "/w.bin", "/w.bin", "/w.bin"];
    assert_eq!(*seen.lock().unwrap(), paths.map(|path| server.url(path)));
    let signed: Vec<_> = server.requests().iter().map(|r| r.header("x-sig").unwrap().to_owned()).collect();
    assert_eq!(signed, ["0", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn a_redirect_to_another_server_is_not_signed() {
    let other: Arc<Mutex<String>> = Arc::default();
    let target = other.clone();
    let server = FaultServer::start(move |request| match request.target.as_str() {
        "/model.json" => Reply::redirect(&target.lock().unwrap()),
        _ => model(request),
    })
    .await;
    *other.lock().unwrap() = server.other_url("/there/model.json");
    let options = IoOptions::default().with_signer(|_| Ok(Signature::new().with_header("X-Sig", "s")));
    load_from(&server.url("/model.json"), options).await.unwrap();
    let signed: Vec<_> = server.requests().iter().map(|r| r.header("x-sig").is_some()).collect();
    assert_eq!(signed, [true, false, true]);
}

#[tokio::test]
async fn a_signature_may_be_another_url_and_takes_no_secrets_there() {
    let server = FaultServer::start(model).await;
    let store = server.other_url("/stored");
    let options = IoOptions::default().with_header("X-Api-Key", "k").with_async_signer(move |url| {
        let name = url.rsplit('/').next().unwrap_or_default();
        let url = format!("{store}/{name}?sig=1");
        Box::pin(async { Ok(Signature::new().with_url(url).with_header("X-Sig", "s")) })
    });
    assert_eq!(load_from(&server.url("/model.json"), options).await.unwrap(), pattern(LEN));
    assert_eq!(server.targets(), ["/stored/model.json?sig=1", "/stored/w.bin?sig=1"]);
    assert!(server.requests().iter().all(|r| r.header("x-api-key").is_none() && r.header("x-sig") == Some("s")));
}

#[tokio::test]
async fn an_error_of_the_signer_is_the_load_s() {
    let server = FaultServer::start(model).await;
    let options = IoOptions::default().with_signer(|_| Err(Error::misuse("the key has expired")));
    let result = load_from(&server.url("/model.json"), options).await;
    check_error(result, Kind::Misuse, "/model.json", "the key has expired");
    let options = IoOptions::default().with_signer(|_| Ok(Signature::new().with_header("Range", "bytes=0-1")));
    let result = load_from(&server.url("/model.json"), options).await;
    check_error(result, Kind::Misuse, "/model.json", "header `range`");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn public_only_reaches_no_private_address_by_number_or_name() {
    let server = FaultServer::start(model).await;
    let port = server.address().port();
    let options = || IoOptions::default().with_public_only(true);
    for host in ["127.0.0.1", "localhost", "127.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"] {
        let url = format!("http://{host}:{port}/model.json");
        check_error(load_from(&url, options()).await, Kind::Fetch, "/model.json", "with `public_only`");
    }
    assert!(server.requests().is_empty());
    load_from(&server.url("/model.json"), IoOptions::default()).await.unwrap();
}

/// The machine's own host name, if the system's resolver knows it; not every machine has one.
#[tokio::test]
async fn public_only_reaches_no_private_address_by_a_name_that_resolves_to_it() {
    let own = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let names = [own.trim(), "localhost.localdomain", "ip6-localhost", "ip6-loopback", "loopback"];
    let server = FaultServer::start(model).await;
    for name in names.into_iter().filter(|name| !name.is_empty()) {
        let Ok(mut all) = tokio::net::lookup_host((name, server.address().port())).await else { continue };
        if !all.all(|address| address.ip().is_loopback()) {
            continue;
        }
        let url = format!("http://{name}:{}/model.json", server.address().port());
        let before = server.requests().len();
        let result = load_from(&url, IoOptions::default().with_public_only(true)).await;
        check_error(
            result,
            Kind::Fetch,
            "/model.json",
            "connections to private or link-local addresses are not allowed",
        );
        assert_eq!(server.requests().len(), before);
    }
}

#[tokio::test]
async fn public_only_looks_at_weights_and_proxies_as_well() {
    let server = FaultServer::start(model).await;
    let proxy = ProxyServer::start(server.address()).await;
    let options = through(&proxy, "http", "").with_public_only(true);
    assert_eq!(load_from("http://model.invalid/model.json", options.clone()).await.unwrap(), pattern(LEN));
    let result = load_from("http://10.0.0.1/model.json", options.clone()).await;
    check_error(result, Kind::Fetch, "/model.json", "with `public_only`");
    let options = options.with_weight_path_prefix("http://192.168.0.1/");
    let result = load_from("http://model.invalid/model.json", options).await;
    check_error(result, Kind::Fetch, "/w.bin", "with `public_only`");
}

/// The options of a service that loads models named by its users.
#[tokio::test]
async fn a_registry_without_files_reads_none_whatever_it_is_called() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("model.json"), "{}").unwrap();
    let folder = dir.path().display().to_string();
    let registry = Registry::default().without("file");
    for name in [
        folder.clone(),
        format!("{folder}/model.json"),
        format!("{folder}/model.json?x=.zip"),
        format!("file://{folder}/model.json"),
        format!("FILE://localhost{folder}/"),
        format!("{folder}/m.zip!/model.json"),
        "../model.json".to_owned(),
        "C:\\models\\model.json".to_owned(),
    ] {
        let result = ModelUrl::parse(&name).and_then(|url| registry.resolve(&url));
        assert_eq!(result.err().expect("nothing is on disk").kind(), Kind::Misuse, "{name}");
    }
    let server = FaultServer::start(model).await;
    let handler = registry.resolve(&ModelUrl::parse(&server.url("/model.json")).unwrap()).unwrap();
    let options = IoOptions::default().with_weight_path_prefix(format!("file://{folder}/"));
    let result = handler.load(&IoCx::with_registry(options, registry)).await;
    check_error(result, Kind::Misuse, "", "unknown scheme `file`");
}

/// The files beside a model.
async fn files_of(server: &FaultServer) -> Arc<dyn Files> {
    let handler = Registry::default().resolve(&ModelUrl::parse(&server.url("/model.json")).unwrap()).unwrap();
    match handler.load(&IoCx::default()).await.unwrap().weights {
        WeightSource::Files(files) => files,
        other => panic!("expected files, found {other:?}"),
    }
}

#[tokio::test]
async fn a_file_that_is_still_the_same_is_not_sent() {
    let server = FaultServer::start(|request| match request.header("if-none-match") {
        Some("\"a\"") => Reply::head("304 Not Modified", &["ETag: \"a\""]),
        _ => model(request),
    })
    .await;
    let files = files_of(&server).await;
    let opened = files.open("w.bin", OpenOptions::new(Purpose::Weights)).await.unwrap();
    let validator = opened.validator.unwrap();
    assert_eq!(validator, Validator::strong("\"a\""));
    let options = OpenOptions::new(Purpose::Weights).with_if_none_match(validator.clone());
    let opened = files.open("w.bin", options).await.unwrap();
    assert!(matches!(opened.body, Body::Unchanged), "{opened:?}");
    assert_eq!(opened.validator, Some(validator));
    let options = OpenOptions::new(Purpose::Weights).with_if_none_match(Validator::strong("\"b\""));
    let opened = files.open("w.bin", options).await.unwrap();
    assert!(matches!(opened.body, Body::Stream(_)));
    assert_eq!(opened.len, Some(LEN as u64));
}

#[tokio::test]
async fn a_range_says_where_it_is_and_a_changed_file_comes_whole() {
    let server = FaultServer::start(model).await;
    let files = files_of(&server).await;
    let range = OpenOptions::new(Purpose::Weights).with_range(ByteRange { start: 900, end: None });
    let opened = files.open("w.bin", range.clone().with_if_range(Validator::strong("\"a\""))).await.unwrap();
    assert_eq!((opened.offset, opened.len, opened.file_len), (900, Some(100), Some(1000)));
    let opened = files.open("w.bin", range.with_if_range(Validator::strong("\"b\""))).await.unwrap();
    assert_eq!((opened.offset, opened.len, opened.file_len), (0, Some(1000), Some(1000)));
}
