//! Loading from `gs://` and `az://`: the read requests of their protocols, as `object_store` sends them.

use io_harness::fault_server::{FaultServer, Reply, Request};
use io_harness::load::{check_error, load_with};
use io_harness::sink::{TestSink, pattern};
use std::io::Write;
use tfjs_io::{IoCx, IoOptions, ModelUrl, ObjectScheme, Retry, Scheme};
use tfjs_manifest::Kind;

/// The path, percent-decoded.
fn decoded(target: &str) -> String {
    let path = target.split('?').next().unwrap_or(target);
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|h| u8::from_str_radix(std::str::from_utf8(h).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// A response as both stores send it, also for a range.
fn object(request: &Request, bytes: &[u8]) -> Reply {
    const HEADERS: [&str; 2] = ["ETag: \"0x8D1\"", "Last-Modified: Wed, 21 Oct 2026 07:28:00 GMT"];
    let range = request.header("range").or(request.header("x-ms-range"));
    let range = range.and_then(|r| r.strip_prefix("bytes=")?.split_once('-'));
    match range.and_then(|(start, end)| Some((start.parse::<usize>().ok()?, end.parse::<usize>().ok()?))) {
        Some((start, end)) => {
            let range = format!("Content-Range: bytes {start}-{end}/{}", bytes.len());
            Reply::status("206 Partial Content", &[HEADERS[0], HEADERS[1], &range], &bytes[start..=end])
        }
        None => Reply::status("200 OK", &HEADERS, bytes),
    }
}

async fn serve(root: &'static str, check: impl Fn(&Request) -> bool + Send + Sync + 'static) -> FaultServer {
    FaultServer::start(move |request| {
        if !check(request) {
            let xml = "<Error><Code>AuthenticationFailed</Code><Message>No access.\nRequestId:1</Message></Error>";
            return Reply::status("403 Forbidden", &[], xml);
        }
        match decoded(&request.target).strip_prefix(root) {
            Some("m/model.json") => object(request, b"{}"),
            Some("m/a b%2F.bin") => object(request, &pattern(1000)),
            _ => Reply::status("404 Not Found", &[], "<Error><Code>NoSuchKey</Code></Error>"),
        }
    })
    .await
}

fn options() -> IoOptions {
    IoOptions::default().with_retry(Retry::never())
}

/// Loads a model, and reads a missing file.
async fn check(scheme: &ObjectScheme, url: &str, shown: &str) {
    let handler = scheme.handler(&ModelUrl::parse(url).unwrap()).unwrap();
    let sink = TestSink::new().group(&[1000]);
    let (json, sink) = load_with(&*handler, &[&["a b%2F.bin"]], sink, options()).await.unwrap();
    assert_eq!(&json[..], b"{}");
    assert_eq!(sink.bytes(0), pattern(1000));
    let result = load_with(&*handler, &[&["nothing.bin"]], TestSink::new().group(&[1000]), options()).await;
    check_error(result, Kind::Fetch, &format!("{shown}nothing.bin"), "no such object (404 Not Found, NoSuchKey)");
}

fn gcs(server: &FaultServer) -> ObjectScheme {
    let nothing: [(&str, &str); 0] = [];
    ObjectScheme::gcs().with_endpoint(server.url("").as_str()).with_allow_http(true).with_environment(nothing)
}

fn azure(server: &FaultServer) -> ObjectScheme {
    let nothing: [(&str, &str); 0] = [];
    ObjectScheme::azure().with_endpoint(server.url("").as_str()).with_allow_http(true).with_environment(nothing)
}

#[tokio::test]
async fn google_anonymous_and_with_a_token() {
    let server = serve("/bucket/", |r| r.header("authorization").is_none()).await;
    check(&gcs(&server).with_anonymous(true), "gs://bucket/m/model.json", "gs://bucket/m/").await;
    let server = serve("/bucket/", |r| r.header("authorization") == Some("Bearer token1")).await;
    let scheme = gcs(&server).with_config("google_bearer_token", "token1");
    check(&scheme, "gcs://bucket/m", "gcs://bucket/m/").await;
    let emulator = serve("/bucket/", |r| r.header("authorization").is_none()).await;
    for host in [emulator.url(""), emulator.url("").replace("http://", "")] {
        let scheme = ObjectScheme::gcs().with_environment([("STORAGE_EMULATOR_HOST", host.as_str())]);
        check(&scheme, "gs://bucket/m", "gs://bucket/m/").await;
    }
    let handler = gcs(&server).with_anonymous(true).handler(&ModelUrl::parse("gs://bucket/m").unwrap()).unwrap();
    let result = handler.load(&IoCx::new(options())).await;
    let error = check_error(result, Kind::Fetch, "gs://bucket/m/model.json", "the store denies access (403");
    assert!(error.message().contains("GOOGLE_APPLICATION_CREDENTIALS"), "{error}");
}

#[tokio::test]
async fn google_objects_stored_compressed_are_decoded() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&pattern(5000)).unwrap();
    let packed = gzip.finish().unwrap();
    // Without `Accept-Encoding: gzip`, Google's stores decompress objects, and send no length.
    let server = FaultServer::start(move |r| match r.header("accept-encoding") == Some("gzip") {
        true => Reply::status(
            "200 OK",
            &["ETag: \"1\"", "Last-Modified: Wed, 21 Oct 2026 07:28:00 GMT", "Content-Encoding: gzip"],
            &packed,
        ),
        false => Reply::chunked(&[b"unpacked"]),
    })
    .await;
    let handler = gcs(&server).with_anonymous(true).handler(&ModelUrl::parse("gs://bucket/m").unwrap()).unwrap();
    let artifacts = handler.load(&IoCx::new(options())).await.unwrap();
    assert!(artifacts.model_json[..] == pattern(5000));
}

#[tokio::test]
async fn google_without_credentials_that_can_be_read_is_misuse() {
    let server = serve("/bucket/", |_| true).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("adc.json");
    std::fs::write(&file, r#"{"type": "external_account", "audience": "hunter2"}"#).unwrap();
    let scheme = gcs(&server).with_environment([("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap())]);
    let handler = scheme.handler(&ModelUrl::parse("gs://bucket/m").unwrap()).unwrap();
    let error = check_error(
        handler.load(&IoCx::new(options())).await,
        Kind::Misuse,
        "gs://bucket/m/model.json",
        "external_account",
    );
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

/// The public key of the storage emulator.
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

#[tokio::test]
async fn azure_anonymous_with_a_key_and_with_a_signature() {
    let server = serve("/box/", |r| r.header("authorization").is_none() && !r.target.contains("sig=")).await;
    let scheme = azure(&server).with_config("account_name", "me");
    check(&scheme.clone().with_anonymous(true), "az://box/m/model.json", "az://box/m/").await;
    let abfss = "abfss://box@me.dfs.core.windows.net/m";
    check(&azure(&server).with_anonymous(true), abfss, &format!("{abfss}/")).await;

    let keyed = |r: &Request| r.header("authorization").is_some_and(|a| a.starts_with("SharedKey me:"));
    let server = serve("/box/", keyed).await;
    let variables = |key: &'static str| [("AZURE_STORAGE_ACCOUNT", "me"), ("AZURE_STORAGE_KEY", key)];
    check(&azure(&server).with_environment(variables(KEY)), "azure://box/m", "azure://box/m/").await;
    let text = format!("AccountName=me;AccountKey={KEY};BlobEndpoint={}", server.url(""));
    let scheme =
        ObjectScheme::azure().with_allow_http(true).with_environment([("AZURE_STORAGE_CONNECTION_STRING", text)]);
    check(&scheme, "az://box/m", "az://box/m/").await;

    let server = serve("/box/", |r| r.target.contains("sig=hunter2&") || r.target.ends_with("sig=hunter2")).await;
    let scheme = azure(&server).with_config("account_name", "me");
    check(&scheme.clone().with_config("sas_token", "?sv=1&sig=hunter2"), "az://box/m", "az://box/m/").await;
    let wrong = scheme.with_config("sas_token", "sv=1&sig=hunter3");
    let handler = wrong.handler(&ModelUrl::parse("az://box/m").unwrap()).unwrap();
    let says = "the store denies access (403 Forbidden, AuthenticationFailed, No access.); check the account";
    let error = check_error(handler.load(&IoCx::new(options())).await, Kind::Fetch, "az://box/m/model.json", says);
    assert!(!format!("{error:?}{scheme:?}", scheme = wrong).contains("hunter"), "{error:?}");
}

#[tokio::test]
async fn azure_without_an_account_says_what_to_set() {
    let server = serve("/box/", |_| true).await;
    let handler = azure(&server).with_anonymous(true).handler(&ModelUrl::parse("az://box/m").unwrap()).unwrap();
    let error = check_error(handler.load(&IoCx::new(options())).await, Kind::Misuse, "az://box/m/model.json", "ccount");
    assert!(error.message().contains("AZURE_STORAGE_ACCOUNT"), "{error}");
    for url in ["az://bo x/m", "abfss://box@host.example/m", "abfss://b?x@me.dfs.core.windows.net/m"] {
        let loaded = async { azure(&server).handler(&ModelUrl::parse(url)?)?.load(&IoCx::new(options())).await };
        assert_eq!(loaded.await.unwrap_err().kind(), Kind::Misuse, "{url}");
    }
    assert!(server.requests().is_empty());
}
