//! Reading from S3: models, ranges, validators, unusual keys, lists, signed URLs.

use super::s3_server::{S3Server, quick};
use futures_util::TryStreamExt;
use io_harness::archives::{ZipEntry, gzip, tar, zip};
use io_harness::load::{check_error, load_with};
use io_harness::sink::{TestSink, pattern};
use std::time::Duration;
use tfjs_io::{
    Body, ByteRange, Files, IoCx, IoOptions, ModelUrl, OpenOptions, Opened, Purpose, Registry, Scheme, Validator,
};
use tfjs_manifest::Kind;

const SHARDS: &[&[&str]] = &[&["group1-shard1of2.bin", "sub/group1-shard2of2.bin"]];

async fn with_model() -> S3Server {
    let server = S3Server::start().await;
    server.write("digits/model.json", "{}");
    server.write("digits/group1-shard1of2.bin", &pattern(1000)[..600]);
    server.write("digits/sub/group1-shard2of2.bin", &pattern(1000)[600..]);
    server
}

pub async fn bytes(opened: Opened) -> Vec<u8> {
    match opened.body {
        Body::Stream(stream) => stream.try_collect::<Vec<_>>().await.unwrap().concat(),
        other => panic!("expected a stream, found {other:?}"),
    }
}

#[tokio::test]
async fn a_model_loads_by_the_url_of_its_json_or_folder() {
    let server = with_model().await;
    let registry = Registry::default().with("s3", server.scheme());
    for url in ["s3://models/digits/model.json", "s3://models/digits", "s3://models/digits/"] {
        let handler = registry.resolve(&ModelUrl::parse(url).unwrap()).unwrap();
        assert_eq!(handler.location(), "s3://models/digits/model.json");
        let sink = TestSink::new().group(&[3, 490]).skip(7).piece(500);
        let (json, sink) = load_with(&*handler, SHARDS, sink, quick()).await.unwrap();
        assert_eq!(&json[..], b"{}");
        assert_eq!(sink.bytes(0), [&pattern(1000)[..493], &pattern(1000)[500..]].concat());
    }
    assert!(server.seen().iter().all(|s| s.header("user-agent").is_some_and(|a| a.starts_with("tfjs-rs/"))));
}

#[tokio::test]
async fn an_archive_in_a_bucket_is_a_model() {
    let server = S3Server::start().await;
    let weights = pattern(1000);
    let [first, last] = [&weights[..600], &weights[600..]];
    let entries = [("digits/model.json", &b"{}"[..]), ("digits/a.bin", first), ("digits/b.bin", last)];
    server.write("m.zip", zip(&entries.map(|(name, data)| ZipEntry::deflated(name, data))));
    server.write("m.tar.gz", gzip(&tar(&entries)));
    let registry = Registry::default().with("s3", server.scheme());
    for url in ["s3://models/m.zip", "s3://models/m.tar.gz", "s3://models/m.zip!/digits/model.json"] {
        let handler = registry.resolve(&ModelUrl::parse(url).unwrap()).unwrap();
        let sink = TestSink::new().group(&[1000]);
        let cx = IoCx::with_registry(quick(), registry.clone());
        let artifacts = handler.load(&cx).await.unwrap();
        assert_eq!(&artifacts.model_json[..], b"{}");
        let groups = [vec!["a.bin".to_owned(), "b.bin".to_owned()]];
        let sink = tfjs_io::fetch_weights(&artifacts.weights, &groups, sink, &cx).await.unwrap();
        assert_eq!(sink.bytes(0), weights, "{url}");
    }
    let missing = registry.resolve(&ModelUrl::parse("s3://models/none.zip").unwrap()).unwrap();
    let result = missing.load(&IoCx::with_registry(quick(), registry)).await;
    check_error(result, Kind::Fetch, "s3://models/none.zip", "404");
}

#[tokio::test]
async fn an_endpoint_is_configuration_and_may_be_private() {
    let server = with_model().await;
    let registry = Registry::default().with("s3", server.scheme());
    let cx = IoCx::with_registry(quick().with_public_only(true), registry.clone());
    let load = async |url: &str| registry.resolve(&ModelUrl::parse(url).unwrap()).unwrap().load(&cx).await;
    assert_eq!(&load("s3://models/digits").await.unwrap().model_json[..], b"{}");
    let direct = format!("{}/models/digits/model.json", server.endpoint());
    check_error(load(&direct).await, Kind::Fetch, "digits/model.json", "or with `public_only`");
}

#[tokio::test]
async fn weights_may_be_under_a_prefix_in_a_bucket() {
    let server = with_model().await;
    server.write("alt/1w.bin", pattern(8));
    let registry = Registry::default().with("s3", server.scheme());
    let options = quick().with_weight_path_prefix("s3://models/alt/1");
    let cx = IoCx::with_registry(options, registry.clone());
    let handler = registry.resolve(&ModelUrl::parse("s3://models/digits/model.json").unwrap()).unwrap();
    let artifacts = handler.load(&cx).await.unwrap();
    let groups = [vec!["w.bin".to_owned()]];
    let sink = tfjs_io::fetch_weights(&artifacts.weights, &groups, TestSink::new().group(&[8]), &cx).await.unwrap();
    assert_eq!(sink.bytes(0), pattern(8));

    let relative = quick().with_weight_path_prefix("alt/");
    let result = handler.load(&IoCx::with_registry(relative, registry)).await;
    check_error(result, Kind::Misuse, "alt/", "has no scheme");
}

#[tokio::test]
async fn ranges_are_served_as_asked() {
    let server = S3Server::start().await;
    server.write("a/w.bin", pattern(100));
    server.write("a/empty.bin", "");
    let files = server.scheme().folder("s3://models/a", &IoCx::new(quick())).unwrap();
    for (start, end, expected) in
        [(10, Some(20), 10..20), (90, None, 90..100), (95, Some(1000), 95..100), (0, None, 0..100)]
    {
        let options = OpenOptions::new(Purpose::Weights).with_range(ByteRange { start, end });
        let opened = files.open("w.bin", options).await.unwrap();
        assert_eq!((opened.offset, opened.file_len), (start, Some(100)));
        assert_eq!(opened.len, Some(expected.len() as u64));
        assert!(opened.ranges && opened.validator.is_some());
        assert_eq!(bytes(opened).await, &pattern(100)[expected]);
    }
    let options = OpenOptions::default().with_range(ByteRange { start: 0, end: None });
    assert_eq!(bytes(files.open("empty.bin", options).await.unwrap()).await, b"");
    let empty = OpenOptions::default().with_range(ByteRange { start: 5, end: Some(5) });
    check_error(files.open("w.bin", empty).await, Kind::Misuse, "a/w.bin", "an empty range");
    let beyond = OpenOptions::default().with_range(ByteRange { start: 200, end: None });
    check_error(files.open("w.bin", beyond).await, Kind::Fetch, "a/w.bin", "416");
}

#[tokio::test]
async fn validators_tell_a_changed_object() {
    let server = S3Server::start().await;
    server.write("w.bin", pattern(100));
    let files = server.scheme().folder("s3://models", &IoCx::new(quick())).unwrap();
    let validator = files.open("w.bin", OpenOptions::default()).await.unwrap().validator.unwrap();
    assert!(validator.is_strong());
    let if_new = OpenOptions::default().with_if_none_match(validator.clone());
    let opened = files.open("w.bin", if_new.clone()).await.unwrap();
    assert!(matches!(opened.body, Body::Unchanged), "{opened:?}");
    let range = OpenOptions::default().with_range(ByteRange { start: 4, end: Some(8) });
    let part = files.open("w.bin", range.clone().with_if_range(validator.clone())).await.unwrap();
    assert_eq!(bytes(part).await, &pattern(100)[4..8]);

    server.write("w.bin", pattern(50));
    assert_eq!(files.open("w.bin", if_new).await.unwrap().file_len, Some(50));
    let whole = files.open("w.bin", range.clone().with_if_range(validator)).await.unwrap();
    assert_eq!((whole.offset, whole.len), (0, Some(50)));
    assert_eq!(bytes(whole).await, pattern(50));
    let other = files.open("w.bin", range.with_if_range(Validator::weak("W/\"x\""))).await.unwrap();
    assert_eq!(other.len, Some(50));
}

#[tokio::test]
async fn keys_are_taken_as_they_are() {
    let server = S3Server::start().await;
    let names = ["a b.bin", "50%.bin", "é ü%20ñ.bin", "x+y=z&q.bin", "[1]{2}~*^|.bin", "a#b.bin", "quo\"te's.bin"];
    for name in names {
        server.write(&format!("sp ecial%2F/{name}"), name);
    }
    let files = server.scheme().folder("s3://models/sp ecial%2F", &IoCx::new(quick())).unwrap();
    for name in names {
        let opened = files.open(name, OpenOptions::default()).await.unwrap();
        assert_eq!(bytes(opened).await, name.as_bytes(), "{name}");
    }
    let mut listed = names.map(str::to_owned);
    listed.sort();
    assert_eq!(files.list("").await.unwrap(), listed);
    for path in ["../w.bin", "%2e%2e/w.bin", "a/../../x", "/w.bin", "s3://other/w.bin"] {
        let before = server.seen().len();
        assert_eq!(files.open(path, OpenOptions::default()).await.unwrap_err().kind(), Kind::Malformed, "{path}");
        assert_eq!(server.seen().len(), before, "nothing is asked for {path}");
    }
}

#[tokio::test]
async fn objects_are_listed_and_removed() {
    let server = with_model().await;
    server.write("digits2/model.json", "{}");
    let cx = IoCx::new(quick());
    let all = server.scheme().folder("s3://models", &cx).unwrap();
    let folder = server.scheme().folder("s3://models/digits/", &cx).unwrap();
    assert_eq!(all.list("digits").await.unwrap().len(), 4);
    assert_eq!(folder.list("").await.unwrap(), ["group1-shard1of2.bin", "model.json", "sub/group1-shard2of2.bin"]);
    assert_eq!(folder.list("sub/gr").await.unwrap(), ["sub/group1-shard2of2.bin"]);
    assert_eq!(folder.list("nothing/").await.unwrap(), Vec::<String>::new());
    folder.remove("sub/group1-shard2of2.bin").await.unwrap();
    assert!(!server.path("digits/sub/group1-shard2of2.bin").exists());
    let again = folder.remove("sub/group1-shard2of2.bin").await;
    check_error(again, Kind::Fetch, "s3://models/digits/sub/group1-shard2of2.bin", "no such object");
}

#[tokio::test]
async fn a_missing_object_or_bucket_is_named() {
    let server = with_model().await;
    let load = async |url: &str| {
        let handler = server.scheme().handler(&ModelUrl::parse(url).unwrap()).unwrap();
        load_with(&*handler, SHARDS, TestSink::new().group(&[1000]), quick()).await
    };
    std::fs::remove_file(server.path("digits/sub/group1-shard2of2.bin")).unwrap();
    let error = load("s3://models/digits").await;
    check_error(
        error,
        Kind::Fetch,
        "s3://models/digits/sub/group1-shard2of2.bin",
        "no such object (404 Not Found, NoSuchKey",
    );
    let error = load("s3://nothing/digits").await;
    check_error(error, Kind::Fetch, "s3://nothing/digits/model.json", "NoSuch");
}

#[tokio::test]
async fn urls_that_cannot_be_are_misuse_and_never_a_panic() {
    let server = S3Server::start().await;
    let cx = IoCx::new(quick());
    for (url, says) in [
        ("s3://models/m/model.json?versionId=1", "cannot have a query"),
        ("s3:///m/model.json", "the name of a bucket"),
        ("s3://mo dels/m", "the name of a bucket"),
        ("s3://me:hunter2@models/m", "without user, password"),
        ("s3://me@models/m", "the name of a bucket"),
        ("s3://models//m/model.json", "the key of a folder"),
        ("s3://models/a/../model.json", "the key of a folder"),
    ] {
        let loaded = async {
            let handler = server.scheme().handler(&ModelUrl::parse(url)?)?;
            handler.load(&cx).await
        };
        let error = loaded.await.unwrap_err();
        assert_eq!(error.kind(), Kind::Misuse, "{url}: {error}");
        assert!(error.to_string().contains(says) && error.place().file.is_some(), "{url}: {error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert_eq!(server.scheme().folder(url, &cx).unwrap_err().kind(), Kind::Misuse, "{url}");
    }
    assert!(server.seen().is_empty());
    // The name of a bucket is not read as the name of a file.
    assert_eq!(
        server.scheme().handler(&ModelUrl::parse("s3://x.json").unwrap()).unwrap().location(),
        "s3://x.json/model.json"
    );
}

#[tokio::test]
async fn a_signed_url_is_an_ordinary_load_over_http() {
    let server = with_model().await;
    let files = server.scheme().folder("s3://models/digits", &IoCx::new(quick())).unwrap();
    let json = files.sign_get("model.json", Duration::from_secs(60)).await.unwrap();
    assert!(json.starts_with(&server.endpoint()) && json.contains("X-Amz-Signature="), "{json}");
    assert!(!json.contains(super::s3_server::SECRET));

    let signer = files.clone();
    let options = IoOptions::default().with_async_weight_url_converter(move |path| {
        let (signer, path) = (signer.clone(), path.to_owned());
        Box::pin(async move { signer.sign_get(&path, Duration::from_secs(60)).await })
    });
    let handler = Registry::default().resolve(&ModelUrl::parse(&json).unwrap()).unwrap();
    assert!(!handler.location().contains(&json[json.len() - 20..]), "{}", handler.location());
    let (_, sink) = load_with(&*handler, SHARDS, TestSink::new().group(&[1000]), options).await.unwrap();
    assert_eq!(sink.bytes(0), pattern(1000));

    // A signature is valid for one URL, so the shards cannot be loaded with it.
    let result = load_with(&*handler, SHARDS, TestSink::new().group(&[1000]), IoOptions::default()).await;
    assert_eq!(result.unwrap_err().kind(), Kind::Fetch);
    let old = files.sign_get("model.json", Duration::from_secs(0)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let handler = Registry::default().resolve(&ModelUrl::parse(&old).unwrap()).unwrap();
    let error = handler.load(&IoCx::default()).await.unwrap_err();
    assert!(error.message().contains("403") || error.message().contains("400"), "{error}");
}
