//! Servers that fail, send wrong data, stall or attack: each case is an error of the right kind that names the file.

use io_harness::fault_server::{FaultServer, Reply, Request};
use io_harness::load::{check_error, load};
use io_harness::sink::TestSink;
use std::io::Write;
use std::time::{Duration, Instant};
use tfjs_io::{IoOptions, Retry, Timeouts};
use tfjs_manifest::{Error, Kind, Limits};

/// Options without retries.
fn once() -> IoOptions {
    IoOptions::default().with_retry(Retry::never())
}

/// A server with a valid `model.json`, and this reply for the shard `w.bin` of ten bytes.
async fn shard(reply: Reply) -> FaultServer {
    FaultServer::start(move |request: &Request| match request.target.as_str() {
        "/m/model.json" => Reply::ok("{}"),
        "/m/first.bin" => Reply::ok("0123456789"),
        _ => reply.clone(),
    })
    .await
}

/// Loads the shard `w.bin`, expecting ten bytes; checks the error.
async fn check_shard(reply: Reply, kind: Kind, says: &str) -> Error {
    check_shard_with(reply, once(), kind, says).await
}

async fn check_shard_with(reply: Reply, options: IoOptions, kind: Kind, says: &str) -> Error {
    let server = shard(reply).await;
    let sink = TestSink::new().group(&[4, 16]);
    let result = load(&server.url("/m/model.json"), &[&["first.bin", "w.bin"]], sink, options).await;
    check_error(result, kind, "/m/w.bin", says)
}

async fn check_json(reply: Reply, options: IoOptions, kind: Kind, says: &str) -> Error {
    let server = FaultServer::start(move |_: &Request| reply.clone()).await;
    let result = load(&server.url("/m/model.json"), &[], TestSink::new(), options).await;
    check_error(result, kind, "/m/model.json", says)
}

#[tokio::test]
async fn a_missing_json_names_its_url_and_status() {
    let reply = Reply::status("404 Not Found", &["Content-Type: text/html"], "<html>");
    check_json(reply, once(), Kind::Fetch, "404 Not Found; check the URL").await;
}

#[tokio::test]
async fn an_html_page_is_no_json() {
    let reply = Reply::status("200 OK", &["Content-Type: text/html"], "\n <!doctype html>");
    check_json(reply, once(), Kind::Fetch, "returned HTML or XML").await;
}

// TensorFlow.js would decode the error page as weights.
#[tokio::test]
async fn a_missing_shard_is_never_weights() {
    check_shard(Reply::status("404 Not Found", &[], "0123456789"), Kind::Fetch, "404 Not Found").await;
}

#[tokio::test]
async fn an_html_page_is_no_shard() {
    let reply = Reply::status("200 OK", &["Content-Type: text/html; charset=utf-8"], "0123456789");
    check_shard(reply, Kind::Fetch, "returned an HTML page").await;
}

#[tokio::test]
async fn a_failing_server_and_a_forbidden_file_say_what_to_do() {
    check_shard(Reply::status("500 Internal Server Error", &[], ""), Kind::Fetch, "500").await;
    check_shard(Reply::status("503 Service Unavailable", &[], ""), Kind::Fetch, "try again later").await;
    check_shard(Reply::status("403 Forbidden", &[], ""), Kind::Fetch, "set credentials").await;
    check_shard(Reply::status("204 No Content", &[], ""), Kind::Fetch, "204").await;
    check_shard(Reply::status("206 Partial Content", &[], "0123456789"), Kind::Fetch, "206").await;
    check_shard(Reply::status("304 Not Modified", &[], ""), Kind::Fetch, "304").await;
    check_shard(Reply::status("416 Range Not Satisfiable", &[], ""), Kind::Fetch, "416").await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let reply = Reply::head("200 OK", &["Content-Length: 10"]).then("01234").close();
    check_shard(reply, Kind::Fetch, "the connection was lost").await;
    let reply = Reply::head("200 OK", &["Transfer-Encoding: chunked"]).then("5\r\n01234\r\n").close();
    check_shard(reply, Kind::Fetch, "the connection was lost").await;
}

// In HTTP/1.0 without a length, the body ends when the connection is closed.
#[tokio::test]
async fn a_body_without_length_that_is_truncated_is_an_error() {
    check_shard(Reply::raw("HTTP/1.0 200 OK\r\n\r\n01234").close(), Kind::Mismatch, "5 bytes short").await;
}

#[tokio::test]
async fn shards_shorter_or_longer_than_the_manifest_says_are_errors() {
    check_shard(Reply::ok("012345678"), Kind::Mismatch, "weight group 0: the files end 1 bytes short").await;
    check_shard(Reply::ok("0123456789a"), Kind::Mismatch, "expected 10 more bytes at most, found 11").await;
    check_shard(Reply::chunked(&[b"01234", b"56789a"]), Kind::Mismatch, "found").await;
    let lies = Reply::head("200 OK", &["Content-Length: 5"]).then("0123456789");
    check_shard(lies, Kind::Mismatch, "5 bytes short").await;
}

#[tokio::test]
async fn a_wrong_length_is_seen_before_the_body_comes() {
    let reply = Reply::head("200 OK", &["Content-Length: 1000000000000"]).pause(Duration::from_secs(50));
    let start = Instant::now();
    check_shard(reply, Kind::Mismatch, "found 1000000000000").await;
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn an_endless_body_ends_at_what_the_group_needs() {
    let head = Reply::head("200 OK", &["Transfer-Encoding: chunked"]);
    let endless = (0..1000).fold(head, |reply, _| reply.then(format!("1000\r\n{}\r\n", "x".repeat(0x1000))));
    check_shard(endless, Kind::Mismatch, "expected").await;
}

#[tokio::test]
async fn a_group_of_unknown_size_has_a_limit() {
    let server = shard(Reply::chunked(&[b"0123456789", b"x"])).await;
    let sink = || TestSink::new().growing(20);
    let url = server.url("/m/model.json");
    let files: &[&[&str]] = &[&["first.bin", "w.bin"]];
    check_error(load(&url, files, sink(), once()).await, Kind::Limit, "/m/w.bin", "string_bytes");
    let server = shard(Reply::ok("0123456789x")).await;
    let result = load(&server.url("/m/model.json"), files, sink(), once()).await;
    check_error(result, Kind::Limit, "/m/w.bin", "string_bytes");
}

fn gzip_of_zeros(len: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b' '; len]).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_bomb_stops_at_the_limit_after_decoding() {
    let bomb = Reply::status("200 OK", &["Content-Encoding: gzip"], gzip_of_zeros(64 << 20));
    let mut limits = Limits::default();
    limits.model_json_bytes = 1 << 20;
    let options = once().with_limits(limits);
    check_json(bomb.clone(), options.clone(), Kind::Limit, "limit `model_json_bytes`: allowed 1048576").await;
    check_json(Reply::head("200 OK", &["Content-Length: 1048577"]), options, Kind::Limit, "asked 1048577").await;
    check_shard(bomb, Kind::Mismatch, "expected").await;
}

/// 64 MiB of spaces, compressed by Node's `zlib.brotliCompressSync`.
const BROTLI_OF_SPACES: &str = "cbffff3ff82540e2b14020f7fe8fffff7ff04b00c4611180eefd1fffffffe0970088c30200ddfb3ffeffffc12f01108705\
    00baf77ffcffff835f02200e0b0074effff8ffff07bf04401c1600e8defff1ffff0f7e0980382c00d0bdffcbffff3ffc1200715800a07bff07";

/// The same number of spaces in a zstd frame with this window descriptor: RFC 8878, 3.1.1.
fn zstd_of_spaces(window: u8) -> Vec<u8> {
    let blocks = 512;
    // Each block repeats a byte 128 KiB times.
    let block = |i| [u8::from(i + 1 == blocks) | 0b10, 0, 0x10, b' '];
    [0x28, 0xb5, 0x2f, 0xfd, 0, window].into_iter().chain((0..blocks).flat_map(block)).collect()
}

#[tokio::test]
async fn a_bomb_in_every_encoding_stops_at_the_limit() {
    let brotli = BROTLI_OF_SPACES.as_bytes().chunks(2).map(|hex| std::str::from_utf8(hex).unwrap());
    let brotli: Vec<u8> = brotli.map(|hex| u8::from_str_radix(hex, 16).unwrap()).collect();
    let mut limits = Limits::default();
    limits.model_json_bytes = 1 << 20;
    for (encoding, bomb) in [("gzip", gzip_of_zeros(64 << 20)), ("br", brotli), ("zstd", zstd_of_spaces(0x68))] {
        assert!(bomb.len() < 70_000);
        let bomb = Reply::status("200 OK", &[&format!("Content-Encoding: {encoding}")], bomb);
        let options = once().with_limits(limits.clone());
        check_json(bomb.clone(), options, Kind::Limit, "limit `model_json_bytes`: allowed 1048576").await;
        check_shard(bomb, Kind::Mismatch, "expected").await;
    }
}

#[tokio::test]
async fn weights_that_become_many_times_as_long_are_refused() {
    let bomb = Reply::status("200 OK", &["Content-Encoding: gzip"], gzip_of_zeros(64 << 20));
    let server = shard(bomb).await;
    let load_with = |limits: Limits| {
        let sink = TestSink::new().group(&[10, 64 << 20]);
        let url = server.url("/m/model.json");
        async move { load(&url, &[&["first.bin", "w.bin"]], sink, once().with_limits(limits)).await }
    };
    check_error(load_with(Limits::default()).await, Kind::Limit, "/m/w.bin", "limit `inflation");
    let mut limits = Limits::default();
    limits.inflation = 10_000;
    load_with(limits).await.expect("it is allowed");
}

#[tokio::test]
async fn a_window_of_gigabytes_is_not_made() {
    let bomb = Reply::status("200 OK", &["Content-Encoding: zstd"], zstd_of_spaces(0xa8));
    check_json(bomb, once(), Kind::Fetch, "the body cannot be decoded").await;
}

#[tokio::test]
async fn an_endless_json_ends_at_its_limit() {
    let head = Reply::head("200 OK", &["Transfer-Encoding: chunked"]);
    let endless = (0..1000).fold(head, |reply, _| reply.then(format!("10000\r\n{}\r\n", " ".repeat(0x10000))));
    let server = FaultServer::start(move |_: &Request| endless.clone()).await;
    let mut limits = Limits::default();
    limits.model_json_bytes = 1 << 20;
    let result = load(&server.url("/model.json"), &[], TestSink::new(), once().with_limits(limits)).await;
    check_error(result, Kind::Limit, "/model.json", "limit `model_json_bytes`: allowed 1048576");
    assert!(server.bytes_sent() < 32 << 20, "{}", server.bytes_sent());
}

#[tokio::test]
async fn broken_and_unknown_encodings_are_errors() {
    let mut broken = gzip_of_zeros(1000);
    broken.truncate(12);
    check_shard(Reply::status("200 OK", &["Content-Encoding: gzip"], broken), Kind::Fetch, "the connection was lost")
        .await;
    let unknown = Reply::status("200 OK", &["Content-Encoding: compress"], "0123456789");
    check_shard(unknown, Kind::Unsupported, "`compress`").await;
}

#[tokio::test]
async fn a_redirect_loop_ends() {
    let server = FaultServer::start(|_: &Request| Reply::redirect("/m/model.json")).await;
    let result = load(&server.url("/m/model.json"), &[], TestSink::new(), once()).await;
    check_error(result, Kind::Fetch, "/m/model.json", "redirects more than 5 times");
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn redirects_to_metadata_services_other_schemes_and_nowhere_are_refused() {
    // The server has a private address, so it may redirect to other private addresses.
    let private = "connections to private or link-local addresses are not allowed";
    for (location, says) in [
        ("http://169.254.169.254/latest/meta-data/", private),
        ("http://169.254.170.2/v2/credentials", private),
        ("http://[fe80::1]/", private),
        ("http://[fd00:ec2::254]/", private),
        ("http://[::ffff:169.254.169.254]/", private),
        ("http://2852039166/", private),
        ("http://0xa9fea9fe/", private),
        ("http://168.63.129.16/machine", private),
        ("file:///etc/passwd", "invalid URL"),
        ("file://localhost/etc/passwd", "redirects to scheme `file`, expected http or https"),
        ("s3://bucket/model.json", "redirects to scheme `s3`"),
        ("data:,{}", ""),
        ("//", "invalid URL"),
        ("", "without a `Location`"),
    ] {
        let reply = match location.is_empty() {
            true => Reply::status("302 Found", &[], ""),
            false => Reply::redirect(location),
        };
        let start = Instant::now();
        check_json(reply.clone(), once(), Kind::Fetch, says).await;
        check_shard(reply, Kind::Fetch, says).await;
        assert!(start.elapsed() < Duration::from_secs(5), "{location} was tried");
    }
}

#[tokio::test]
async fn a_silent_server_times_out() {
    let fast = Timeouts::default().with_headers(Duration::from_millis(100)).with_idle(Duration::from_millis(100));
    let options = once().with_timeouts(fast);
    let silent = Reply::default().pause(Duration::from_secs(50));
    check_shard_with(silent, options.clone(), Kind::Fetch, "timed out: the server did not answer").await;
    let stalls = Reply::head("200 OK", &["Content-Length: 10"]).then("01234").pause(Duration::from_secs(50));
    check_shard_with(stalls, options, Kind::Fetch, "timed out: no data arrived").await;
}

/// A response whose headers never end, sent line by line.
fn heads_without_end(first: &str, line: &str) -> Reply {
    (0..1000).fold(Reply::raw(first), |reply, _| reply.then(line).pause(Duration::from_millis(20)))
}

#[tokio::test]
async fn headers_that_trickle_time_out_as_a_whole() {
    let fast = Timeouts::default().with_headers(Duration::from_millis(300));
    for reply in [
        heads_without_end("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        heads_without_end("", "HTTP/1.1 103 Early Hints\r\n\r\n"),
        heads_without_end("HTTP/1.1 200 OK\r\nX: ", "y"),
    ] {
        let start = Instant::now();
        let options = once().with_timeouts(fast.clone());
        check_shard_with(reply, options, Kind::Fetch, "timed out: the server did not answer").await;
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let many = (0..1000).fold(Reply::raw("HTTP/1.1 200 OK\r\n"), |reply, i| reply.then(format!("X-{i}: y\r\n")));
    check_shard(many.then("\r\n"), Kind::Fetch, "response is not valid HTTP").await;
    let long = Reply::raw("HTTP/1.1 200 OK\r\nX: ").then("y".repeat(64 << 20)).then("\r\n\r\n");
    let server = shard(long).await;
    let sink = TestSink::new().group(&[20]);
    let result = load(&server.url("/m/model.json"), &[&["first.bin", "w.bin"]], sink, once()).await;
    check_error(result, Kind::Fetch, "/m/w.bin", "response is not valid HTTP");
    assert!(server.bytes_sent() < 32 << 20, "{}", server.bytes_sent());
}

#[tokio::test]
async fn trailers_without_end_are_no_body() {
    let timeouts = Timeouts::default().with_idle(Duration::from_millis(300));
    let body = Reply::head("200 OK", &["Transfer-Encoding: chunked"]).then("a\r\n0123456789\r\n0\r\n");
    let reply = body.and(heads_without_end("", "X: y\r\n"));
    let start = Instant::now();
    check_shard_with(reply, once().with_timeouts(timeouts), Kind::Fetch, "").await;
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// The queue of the listener is full, so further connections get no response.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_that_nobody_takes_times_out() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        waiting.push(stream);
        assert!(waiting.len() < 100, "the queue of a listener has an end");
    }
    let options = once().with_timeouts(Timeouts::default().with_connect(Duration::from_millis(200)));
    let start = Instant::now();
    let result = load(&format!("http://{address}/model.json"), &[], TestSink::new(), options).await;
    check_error(result, Kind::Fetch, "/model.json", "cannot connect to the server");
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// The time-out for headers includes the TLS handshake.
#[tokio::test]
async fn a_handshake_that_does_not_come_times_out() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/model.json", listener.local_addr().unwrap());
    let options = once().with_timeouts(Timeouts::default().with_headers(Duration::from_millis(200)));
    let start = Instant::now();
    let result = load(&url, &[], TestSink::new(), options).await;
    check_error(result, Kind::Fetch, "/model.json", "timed out: the server did not answer");
    assert!(start.elapsed() < Duration::from_secs(5));
}

fn trickle() -> Reply {
    let head = Reply::head("200 OK", &["Content-Length: 10"]);
    (0..10).fold(head, |reply, _| reply.then("x").pause(Duration::from_millis(200)))
}

#[tokio::test]
async fn a_slow_loris_is_below_the_least_rate() {
    let timeouts = Timeouts::default().with_min_rate(1000, Duration::from_millis(500));
    let options = once().with_timeouts(timeouts);
    check_shard_with(trickle(), options, Kind::Fetch, "bytes per second, expected at least 1000").await;
}

#[tokio::test]
async fn a_load_has_a_deadline_if_asked_for() {
    let options = once().with_timeouts(Timeouts::default().with_total(Duration::from_millis(600)));
    check_shard_with(trickle(), options, Kind::Fetch, "the load took longer than `Timeouts::total`").await;
}

#[tokio::test]
async fn a_refused_connection_names_the_url() {
    let url = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/m/model.json?key=secret", listener.local_addr().unwrap())
    };
    let result = load(&url, &[], TestSink::new(), once()).await;
    let error = check_error(result, Kind::Fetch, "/m/model.json?key=…", "cannot connect");
    assert!(std::error::Error::source(&error).is_some());
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}

#[tokio::test]
async fn paths_that_leave_the_folder_are_never_asked_for() {
    let server = shard(Reply::ok("0123456789")).await;
    for path in [
        "../w.bin",
        "/w.bin",
        "%2e%2e/w.bin",
        "http://h/w.bin",
        "//h/w.bin",
        "a\\..\\w.bin",
        "C:\\w.bin",
        "a/../../w.bin",
    ] {
        let sink = TestSink::new().group(&[20]);
        let files: &[&[&str]] = &[&["first.bin", path]];
        let result = load(&server.url("/m/model.json"), files, sink, once()).await;
        let error = check_error(result, Kind::Malformed, "w.bin", "inside the model's folder");
        assert_eq!(error.place().json.as_deref(), Some("weightsManifest[0].paths[1]"));
    }
    assert!(server.targets().iter().all(|target| target == "/m/model.json"));
}

#[tokio::test]
async fn a_group_without_files_and_too_many_files_are_errors() {
    let server = shard(Reply::ok("")).await;
    let url = server.url("/m/model.json");
    let result = load(&url, &[&[]], TestSink::new().group(&[1]), once()).await;
    assert_eq!(result.unwrap_err().kind(), Kind::Mismatch);
    let mut limits = Limits::default();
    limits.files = 1;
    let options = once().with_limits(limits);
    let result = load(&url, &[&["a", "b"]], TestSink::new().group(&[]), options).await;
    assert_eq!(result.unwrap_err().kind(), Kind::Limit);
}
