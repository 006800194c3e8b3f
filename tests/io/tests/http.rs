//! Successful loads over HTTP: URLs, queries, headers, redirects, encodings, progress, concurrency.

use io_harness::fault_server::{FaultServer, Reply, Request};
use io_harness::load::{check_error, load};
use io_harness::sink::{TestSink, pattern};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tfjs_io::{IoOptions, Phase, Progress};
use tfjs_manifest::Kind;

/// Serves `{}` as the JSON, and for `w<i>.bin` the part of a pattern given by the query `?<from>-<to>`.
fn slices(request: &Request) -> Reply {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    if path.ends_with(".json") {
        return Reply::ok("{}");
    }
    let numbers = path.rsplit('/').next().and_then(|name| name.strip_suffix(".bin"));
    let range = numbers.and_then(|n| n.split_once('-')).and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    match range {
        Some((from, to)) if from <= to => Reply::ok(&pattern(to)[from..]),
        _ => Reply::status("404 Not Found", &[], query),
    }
}

#[tokio::test]
async fn shards_land_where_they_belong_however_tensors_are_cut() {
    let server = FaultServer::start(slices).await;
    let files: &[&[&str]] = &[&["0-7.bin", "7-7.bin", "7-1000.bin", "1000-1003.bin"], &[], &["0-40.bin"]];
    let sink = TestSink::new().group(&[3, 5, 0, 490]).skip(5).piece(500).group(&[]).group(&[40]);
    let (json, sink) = load(&server.url("/m/model.json"), files, sink, IoOptions::default()).await.unwrap();
    assert_eq!(&json[..], b"{}");
    let expected = pattern(1003);
    assert_eq!(sink.bytes(0), [&expected[..498], &expected[503..]].concat());
    assert_eq!(sink.bytes(2), pattern(40));
}

#[tokio::test]
async fn unknown_lengths_and_unknown_sizes_come_in_order() {
    let server = FaultServer::start(|request| match request.target.as_str() {
        "/model.json" => Reply::ok("{}"),
        // The first file is slow, so the others arrive before their position is known.
        "/a" => Reply::head("200 OK", &["Transfer-Encoding: chunked"])
            .pause(Duration::from_millis(150))
            .then("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
        "/b" => Reply::chunked(&[b"fg", b"hij"]),
        "/c" => Reply::ok("klmno"),
        _ => Reply::raw("HTTP/1.0 200 OK\r\n\r\npqrst").close(),
    })
    .await;
    let files: &[&[&str]] = &[&["a", "b", "c", "d"], &["a", "b", "c", "d"]];
    let sink = TestSink::new().group(&[7, 13]).growing(20);
    let (_, sink) = load(&server.url("/model.json"), files, sink, IoOptions::default()).await.unwrap();
    assert_eq!(sink.bytes(0), b"abcdefghijklmnopqrst");
    assert_eq!(sink.bytes(1), b"abcdefghijklmnopqrst");
}

#[tokio::test]
async fn the_query_follows_to_every_shard_and_a_trailing_slash_means_model_json() {
    let server = FaultServer::start(slices).await;
    let sink = || TestSink::new().group(&[8]);
    load(&server.url("/a/b/?t=1/2&s=x#f"), &[&["./0-8.bin"]], sink(), IoOptions::default()).await.unwrap();
    assert_eq!(server.targets(), ["/a/b/model.json?t=1/2&s=x", "/a/b/0-8.bin?t=1/2&s=x"]);
}

#[tokio::test]
async fn a_path_with_a_query_of_its_own_is_asked_for_as_it_is_written() {
    let server = FaultServer::start(slices).await;
    let files: &[&[&str]] = &[&["0-8.bin?Signature=a%2Bb1%3D&Expires=16", "8-16.bin"]];
    let sink = TestSink::new().group(&[16]);
    load(&server.url("/m/model.json?t=1"), files, sink, IoOptions::default()).await.unwrap();
    let asked = ["/m/model.json?t=1", "/m/0-8.bin?Signature=a%2Bb1%3D&Expires=16", "/m/8-16.bin?t=1"];
    assert_eq!(server.targets(), asked);

    let files: &[&[&str]] = &[&["8-0.bin?Signature=s3cret"]];
    let result = load(&server.url("/m/model.json"), files, TestSink::new().group(&[8]), IoOptions::default()).await;
    let error = check_error(result, Kind::Fetch, "/m/8-0.bin?Signature=…", "404");
    assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
}

#[tokio::test]
async fn a_prefix_is_used_verbatim_and_a_converter_overrides_it() {
    let server = FaultServer::start(slices).await;
    let sink = || TestSink::new().group(&[8]);
    let url = server.url("/m/model.json?q=1");
    let options = IoOptions::default().with_weight_path_prefix(server.url("/alt/1"));
    load(&url, &[&["0-18.bin"]], TestSink::new().group(&[8]), options.clone()).await.unwrap();
    let base = server.url("/conv/");
    let options = options.with_weight_url_converter(move |path| Ok(format!("{base}{path}?sig=z")));
    load(&url, &[&["0-8.bin"]], sink(), options).await.unwrap();
    assert_eq!(server.targets()[1..], ["/alt/10-18.bin?q=1", "/m/model.json?q=1", "/conv/0-8.bin?sig=z"]);

    let relative = IoOptions::default().with_weight_path_prefix("shards/");
    check_error(load(&url, &[&["0-8.bin"]], sink(), relative).await, Kind::Misuse, "shards/", "has no scheme");
}

#[tokio::test]
async fn shards_may_come_from_disk_if_the_caller_says_so() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("0-8.bin"), pattern(8)).unwrap();
    let server = FaultServer::start(slices).await;
    let options = IoOptions::default().with_weight_path_prefix(format!("file://{}", dir.path().display()));
    let sink = TestSink::new().group(&[8]);
    let (_, sink) = load(&server.url("/model.json"), &[&["0-8.bin"]], sink, options).await.unwrap();
    assert_eq!(sink.bytes(0), pattern(8));
    assert_eq!(server.targets(), ["/model.json"]);
}

#[tokio::test]
async fn headers_go_to_every_file_and_weights_are_asked_for_uncompressed() {
    let server = FaultServer::start(slices).await;
    let options = IoOptions::default().with_header("X-Api-Key", "k");
    load(&server.url("/model.json"), &[&["0-8.bin"]], TestSink::new().group(&[8]), options).await.unwrap();
    let requests = server.requests();
    assert!(requests.iter().all(|r| r.header("x-api-key") == Some("k")), "{requests:?}");
    assert_eq!(requests[0].header("accept-encoding"), Some("gzip, br, zstd"));
    assert_eq!(requests[1].header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn a_password_in_the_url_becomes_basic_authorization() {
    let server = FaultServer::start(slices).await;
    let url = server.url("/model.json").replace("http://", "http://me:pw@");
    load(&url, &[&["0-8.bin"]], TestSink::new().group(&[8]), IoOptions::default()).await.unwrap();
    assert!(server.requests().iter().all(|r| r.header("authorization") == Some("Basic bWU6cHc=")));
}

#[tokio::test]
async fn redirects_are_followed_and_shards_stay_where_the_url_was() {
    let server = FaultServer::start(|request| match request.target.as_str() {
        "/m/model.json" => Reply::redirect("../v2/./x.json?a=1"),
        "/v2/x.json?a=1" => Reply::ok("{}"),
        "/m/0-8.bin" => Reply::redirect("/v2/0-8.bin"),
        _ => slices(request),
    })
    .await;
    let options = IoOptions::default().with_header("X-Api-Key", "k");
    let sink = TestSink::new().group(&[8]);
    let (_, sink) = load(&server.url("/m/model.json"), &[&["0-8.bin"]], sink, options).await.unwrap();
    assert_eq!(sink.bytes(0), pattern(8));
    assert_eq!(server.targets(), ["/m/model.json", "/v2/x.json?a=1", "/m/0-8.bin", "/v2/0-8.bin"]);
    assert!(server.requests().iter().all(|r| r.header("x-api-key") == Some("k")));
}

#[tokio::test]
async fn no_header_follows_to_another_origin_or_comes_back_from_there() {
    let other: Arc<Mutex<String>> = Arc::default();
    let target = other.clone();
    let server = FaultServer::start(move |request| match request.target.as_str() {
        "/model.json" => Reply::redirect(&target.lock().unwrap()),
        "/away" => Reply::redirect("/there"),
        "/there" => Reply::ok("{}"),
        _ => slices(request),
    })
    .await;
    *other.lock().unwrap() = server.other_url("/away");
    let options = IoOptions::default()
        .with_header("X-Api-Key", "k")
        .with_header("Authorization", "Bearer k")
        .with_header("Cookie", "k");
    load(&server.url("/model.json"), &[&["0-8.bin"]], TestSink::new().group(&[8]), options).await.unwrap();
    let requests = server.requests();
    let carries =
        |r: &Request| ["x-api-key", "authorization", "cookie"].iter().filter(|h| r.header(h).is_some()).count();
    assert_eq!(requests.iter().map(carries).collect::<Vec<_>>(), [3, 0, 0, 3], "{requests:?}");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn compressed_json_and_compressed_shards_are_decoded() {
    let server = FaultServer::start(|request| {
        let body = if request.target.ends_with("json") { b"{\"a\": 1}".to_vec() } else { pattern(5000) };
        Reply::status("200 OK", &["Content-Encoding: gzip"], gzip(&body))
    })
    .await;
    let sink = TestSink::new().group(&[2000, 8000]);
    let files: &[&[&str]] = &[&["a", "b"]];
    let (json, sink) = load(&server.url("/model.json"), files, sink, IoOptions::default()).await.unwrap();
    assert_eq!(&json[..], b"{\"a\": 1}");
    assert_eq!(sink.bytes(0), pattern(5000).repeat(2));
}

/// Whether servers give lengths or not; the names do not say that the files are compressed.
#[tokio::test]
async fn shards_that_were_compressed_before_they_were_uploaded_are_decompressed() {
    for length in [true, false] {
        let server = FaultServer::start(move |request| {
            let shard = gzip(&pattern(5000));
            match (request.target.ends_with("json"), length) {
                (true, _) => Reply::ok("{}"),
                (false, true) => Reply::ok(&shard),
                (false, false) => Reply::chunked(&[&shard]),
            }
        })
        .await;
        let sink = TestSink::new().group(&[2000, 8000]);
        let files: &[&[&str]] = &[&["a", "b"]];
        let (_, sink) = load(&server.url("/model.json"), files, sink, IoOptions::default()).await.unwrap();
        assert_eq!(sink.bytes(0), pattern(5000).repeat(2), "with a length: {length}");
    }
}

#[tokio::test]
async fn progress_is_monotonic_and_true_to_the_byte() {
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let record = seen.clone();
    let server = FaultServer::start(slices).await;
    let options = IoOptions::default().with_on_progress(move |p| record.lock().unwrap().push(p.clone()));
    let files: &[&[&str]] = &[&["0-300000.bin", "300000-300001.bin", "300001-700000.bin"]];
    let sink = TestSink::new().group(&[700_000]);
    load(&server.url("/model.json"), files, sink, options).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!((seen[0].phase, seen.last().unwrap().phase), (Phase::ModelJson, Phase::Weights));
    let weights: Vec<_> = seen.iter().filter(|p| p.phase == Phase::Weights).collect();
    assert!(weights.windows(2).all(|w| w[0].bytes_done <= w[1].bytes_done && w[0].fraction() <= w[1].fraction()));
    assert!(weights.iter().all(|p| p.bytes_total == Some(700_000) && p.bytes_done <= 700_000));
    assert_eq!((weights[0].bytes_done, weights[0].fraction()), (0, 0.0));
    let last = weights.last().unwrap();
    assert_eq!((last.bytes_done, last.files_done, last.files_total, last.fraction()), (700_000, 3, 3, 1.0));
}

#[tokio::test]
async fn no_more_files_are_fetched_at_a_time_than_asked_for() {
    let server = FaultServer::start(|request| match request.target.as_str() {
        "/model.json" => Reply::ok("{}"),
        _ => Reply::head("200 OK", &["Content-Length: 4"]).pause(Duration::from_millis(30)).then("abcd"),
    })
    .await;
    let files = ["w"; 12];
    let sink = TestSink::new().group(&[48]);
    let options = IoOptions::default().with_concurrency(3);
    load(&server.url("/model.json"), &[&files], sink, options).await.unwrap();
    assert_eq!(server.most_at_once(), 3);
    assert_eq!(server.requests().len(), 13);
}

#[tokio::test]
async fn dropping_a_load_stops_its_traffic() {
    let server = FaultServer::start(|request| match request.target.as_str() {
        "/model.json" => Reply::ok("{}"),
        _ => {
            let head = Reply::head("200 OK", &["Content-Length: 1000000"]);
            (0..1000).fold(head, |reply, _| reply.then([0; 1000]).pause(Duration::from_millis(20)))
        }
    })
    .await;
    let url = server.url("/model.json");
    let files: &[&[&str]] = &[&["a", "b", "c", "d"]];
    let whole = load(&url, files, TestSink::new().group(&[4_000_000]), IoOptions::default().with_concurrency(2));
    tokio::time::timeout(Duration::from_millis(300), whole).await.unwrap_err();
    for _ in 0..100 {
        if server.replying() == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(server.replying(), 0);
    // Two of the four files were requested before the error, and none after it.
    assert_eq!(server.requests().len(), 3);
    assert!(server.bytes_sent() < 200_000, "{}", server.bytes_sent());
}
