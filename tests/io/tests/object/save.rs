//! Saving to S3: whole models, large objects in parts, and failed saves, which leave the old model unchanged.

use super::s3::bytes;
use super::s3_server::{Fault, S3Server, Seen, quick};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use io_harness::load::{check_error, load_with};
use io_harness::sink::{TestSink, pattern};
use serde_json::json;
use std::time::Duration;
use tfjs_io::{Body, Files, IoCx, ModelUrl, ObjectFiles, OpenOptions, Result, SaveArtifacts, Scheme};
use tfjs_manifest::{Error, Kind};

const MIB: usize = 1 << 20;

fn files(server: &S3Server, folder: &str) -> ObjectFiles {
    server.scheme().folder(&format!("s3://models/{folder}"), &IoCx::new(quick())).unwrap()
}

fn weights(names: &[&str], content: &str) -> Vec<(String, Bytes)> {
    names.iter().map(|name| (name.to_string(), Bytes::from(format!("{content} {name}")))).collect()
}

/// The JSON of a model with these weight files.
fn json_of(weights: &[(String, Bytes)]) -> String {
    let group = |(path, bytes): &(String, Bytes)| json!({"paths": [path], "weights": [{"name": path, "shape": [bytes.len()], "dtype": "uint8"}]});
    json!({"weightsManifest": weights.iter().map(group).collect::<Vec<_>>()}).to_string()
}

/// A body of this length, followed by an error if there is one.
fn body(len: usize, end: Option<Error>) -> Body {
    let chunks: Vec<Result<Bytes>> =
        pattern(len).chunks(700_001).map(|c| Ok(Bytes::copy_from_slice(c))).chain(end.map(Err)).collect();
    Body::Stream(stream::iter(chunks).boxed())
}

#[tokio::test]
async fn what_is_saved_loads() {
    let server = S3Server::start().await;
    let cx = IoCx::new(quick());
    for content in ["first", "second"] {
        let handler = server.scheme().handler(&ModelUrl::parse("s3://models/new/digits").unwrap()).unwrap();
        let files = weights(&["w1.bin", "sub/w 2%.bin"], content);
        let text = json_of(&files);
        let artifacts = SaveArtifacts::new(text.clone(), files);
        let saved = handler.save(artifacts, &cx).await.unwrap();
        assert_eq!(saved.location, "s3://models/new/digits/model.json");
        assert_eq!(saved.files, 3);
        assert_eq!(server.names(), ["new/digits/model.json", "new/digits/sub/w 2%.bin", "new/digits/w1.bin"]);
        let first = format!("{content} w1.bin");
        let second = format!("{content} sub/w 2%.bin");
        let sink = TestSink::new().group(&[first.len(), second.len()]);
        let (loaded, sink) = load_with(&*handler, &[&["w1.bin", "sub/w 2%.bin"]], sink, quick()).await.unwrap();
        assert_eq!(&loaded[..], text.as_bytes());
        assert_eq!(sink.bytes(0), format!("{first}{second}").as_bytes());
    }
    let puts: Vec<Seen> = server.seen().into_iter().filter(|s| s.method == "PUT").collect();
    let uploads = puts.iter().filter(|s| s.header("x-amz-copy-source").is_none());
    for upload in uploads {
        let expected = if upload.target.ends_with(".json") { "application/json" } else { "application/octet-stream" };
        assert_eq!(upload.header("content-type"), Some(expected), "{}", upload.target);
    }
    let last = puts.last().unwrap();
    assert_eq!(last.target, "/models/new/digits/model.json", "the last file completes the rest");
}

#[tokio::test]
async fn a_large_object_is_sent_in_parts() {
    let server = S3Server::start().await;
    let files = files(&server, "big");
    for (name, body, len) in [
        ("stream.bin", body(33 * MIB + 5, None), 33 * MIB + 5),
        ("exact.bin", body(32 * MIB, None), 32 * MIB),
        ("bytes.bin", Body::Bytes(pattern(17 * MIB).into()), 17 * MIB),
        ("small.bin", body(3 * MIB, None), 3 * MIB),
    ] {
        files.put(name, body).await.unwrap();
        let opened = files.open(name, OpenOptions::default()).await.unwrap();
        assert_eq!(opened.len, Some(len as u64), "{name}");
        assert!(bytes(opened).await == pattern(len), "{name}");
        let parts = server.lines().iter().filter(|l| l.contains(name) && l.contains("partNumber=")).count();
        assert_eq!(parts, if len < 16 * MIB { 0 } else { len.div_ceil(16 * MIB) }, "{name}");
    }
}

#[tokio::test]
async fn a_large_object_that_fails_leaves_the_old_one_and_no_parts() {
    let server = S3Server::start().await;
    server.write("big/w.bin", "old");
    let files = files(&server, "big");
    let failed = files.put("w.bin", body(33 * MIB, Some(Error::fetch("the source is gone")))).await;
    assert_eq!(failed.unwrap_err().message(), "the source is gone");
    assert_eq!(server.objects(), [("big/w.bin".to_owned(), b"old".to_vec())]);
    assert!(server.lines().iter().any(|l| l.starts_with("DELETE") && l.contains("uploadId=")), "{:?}", server.lines());

    // The save is dropped instead.
    let slow = body(20 * MIB, None);
    let Body::Stream(slow) = slow else { unreachable!() };
    let slow = Body::Stream(slow.chain(stream::pending()).boxed());
    let dropped = tokio::time::timeout(Duration::from_secs(3), files.put("w.bin", slow)).await;
    assert!(dropped.is_err());
    for _ in 0..100 {
        if server.lines().iter().filter(|l| l.starts_with("DELETE") && l.contains("uploadId=")).count() == 2 {
            assert_eq!(server.objects(), [("big/w.bin".to_owned(), b"old".to_vec())]);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the second upload is not aborted: {:?}", server.lines());
}

/// Saves over an older model, with faults; its two files must be unchanged, and there must be no others.
async fn check_kept(faults: impl Fn(&Seen) -> Option<Fault> + Send + Sync + 'static, says: &str) -> S3Server {
    let server = S3Server::with_faults(faults).await;
    server.write("m/model.json", json_of(&[("w.bin".to_owned(), Bytes::from_static(b"old weights"))]));
    server.write("m/w.bin", "old weights");
    let before = server.objects();
    let handler = server.scheme().handler(&ModelUrl::parse("s3://models/m").unwrap()).unwrap();
    let artifacts = SaveArtifacts::new("{}", weights(&["w.bin", "new.bin"], "new"));
    let error = handler.save(artifacts, &IoCx::new(quick())).await.unwrap_err();
    assert!(error.to_string().contains(says), "{error}");
    let place = error.place().file.as_deref().unwrap();
    assert!(!place.contains(".tfjs-"), "an error is about the caller's files: {place}");
    assert_eq!(server.objects(), before, "{:#?}", server.lines());
    server
}

fn refused() -> Fault {
    Fault::Answer(403, &[], "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
}

fn is_copy_to(seen: &Seen, key: &str) -> bool {
    seen.header("x-amz-copy-source").is_some() && seen.target.ends_with(key)
}

#[tokio::test]
async fn a_save_that_fails_leaves_what_was_there() {
    // An upload fails.
    check_kept(|seen| (seen.method == "PUT" && seen.target.ends_with("new.bin")).then(refused), "denies access").await;
    // The last copy to its final key fails, after the others succeeded.
    let last = |seen: &Seen| (is_copy_to(seen, "model.json") && seen.earlier == 0).then(refused);
    let server = check_kept(last, "denies access").await;
    assert!(server.seen().iter().any(|s| is_copy_to(s, "/w.bin")), "{:?}", server.lines());
    // A backup copy fails.
    let aside = |seen: &Seen| seen.target.contains("/.tfjs-") && seen.header("x-amz-copy-source").is_some();
    check_kept(move |seen| aside(seen).then(refused), "denies access").await;
}

#[tokio::test]
async fn what_cannot_be_put_back_is_kept_aside() {
    let server = S3Server::with_faults(|seen| is_copy_to(seen, "/model.json").then(refused)).await;
    server.write("m/model.json", "old json");
    let files = files(&server, "m");
    let all = [("w.bin", "w"), ("model.json", "new")].map(|(n, b)| (n.to_owned(), Body::Bytes(b.into())));
    let error = files.put_all(all.into()).await.unwrap_err();
    assert!(error.to_string().contains("could not be restored"), "{error}");
    let aside: Vec<(String, Vec<u8>)> = server.objects().into_iter().filter(|(n, _)| n.contains(".tfjs-")).collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(aside[0].1, b"old json");
    assert_eq!(files.list("").await.unwrap(), [""; 0], "it is not listed, and there is no JSON beside other weights");
}

#[tokio::test]
async fn a_body_that_fails_leaves_what_was_there() {
    let server = S3Server::start().await;
    server.write("m/model.json", "old json");
    let before = server.objects();
    let files = files(&server, "m");
    let broken = vec![
        ("a.bin".to_owned(), Body::Bytes("a".into())),
        ("model.json".to_owned(), body(10, Some(Error::fetch("the source is gone")))),
    ];
    assert_eq!(files.put_all(broken).await.unwrap_err().message(), "the source is gone");
    assert_eq!(server.objects(), before);
}

#[tokio::test]
async fn a_save_that_is_dropped_leaves_what_was_there() {
    let server = S3Server::start().await;
    server.write("m/model.json", "old json");
    let before = server.objects();
    let files = files(&server, "m");
    let endless = Body::Stream(stream::pending().boxed());
    let all = vec![("a.bin".to_owned(), Body::Bytes("a".into())), ("model.json".to_owned(), endless)];
    assert!(tokio::time::timeout(Duration::from_millis(500), files.put_all(all)).await.is_err());
    for _ in 0..100 {
        if server.objects() == before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:?}", server.names());
}

#[tokio::test]
async fn paths_that_leave_the_folder_are_not_saved() {
    let server = S3Server::start().await;
    let files = files(&server, "m");
    let result = files.put("../x.bin", Body::Bytes("x".into())).await;
    check_error(result, Kind::Malformed, "../x.bin", "leaves the model's folder");
    let handler = server.scheme().handler(&ModelUrl::parse("s3://models/m").unwrap()).unwrap();
    let result = handler.save(SaveArtifacts::new("{}", weights(&["../x.bin"], "")), &IoCx::new(quick())).await;
    check_error(result, Kind::Misuse, "../x.bin", "leaves the model's folder");
    assert!(server.seen().is_empty());
}
