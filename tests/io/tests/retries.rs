//! Servers that fail for a while: which requests are retried, with which headers, and when the load fails.

use io_harness::fault_server::{FaultServer, Reply, Request};
use io_harness::load::{check_error, load};
use io_harness::sink::{TestSink, pattern};
use std::io::Write;
use std::time::{Duration, Instant};
use tfjs_io::{IoOptions, Retry, Timeouts};
use tfjs_manifest::{Error, Kind};

/// Bytes of the weight file in these tests.
const LEN: usize = 1000;

const MILLISECOND: Duration = Duration::from_millis(1);

/// Options with short delays between retries, for fast tests.
fn quick() -> IoOptions {
    IoOptions::default().with_retry(Retry::default().with_delays(MILLISECOND, 20 * MILLISECOND))
}

/// A server with a valid `model.json`; `reply` gives the responses for the weight file.
async fn server(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> FaultServer {
    FaultServer::start(move |request| if request.target == "/model.json" { Reply::ok("{}") } else { reply(request) })
        .await
}

async fn load_from(server: &FaultServer, options: IoOptions) -> Result<Vec<u8>, Error> {
    let sink = TestSink::new().group(&[300, LEN - 300]);
    let (_, sink) = load(&server.url("/model.json"), &[&["w.bin"]], sink, options).await?;
    Ok(sink.bytes(0))
}

/// Checks that the weight file arrives completely after this number of requests for it, and returns these.
async fn check_loads(
    reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    options: IoOptions,
    requests: usize,
) -> Vec<Request> {
    let server = server(reply).await;
    assert_eq!(load_from(&server, options).await.unwrap(), pattern(LEN));
    let asked = server.requests().split_off(1);
    assert_eq!(asked.len(), requests, "{asked:?}");
    asked
}

/// Checks that the load fails after this number of requests for the weight file.
async fn check_fails(
    reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    options: IoOptions,
    requests: usize,
    kind: Kind,
    says: &str,
) -> Error {
    let server = server(reply).await;
    let error = check_error(load_from(&server, options).await, kind, "/w.bin", says);
    assert_eq!(server.requests().len(), 1 + requests, "{error}");
    error
}

/// The file with an entity tag and ranges.
fn file(request: &Request) -> Reply {
    Reply::file(request, &pattern(LEN), "\"a\"", &[])
}

/// The file without an entity tag and ranges.
fn plain() -> Reply {
    Reply::ok(pattern(LEN))
}

#[tokio::test]
async fn a_refused_connection_is_tried_until_the_port_opens() {
    let first = server(|_| Reply::default()).await;
    let url = first.url("/model.json");
    let address = first.stop().await;
    let later = async {
        tokio::time::sleep(150 * MILLISECOND).await;
        FaultServer::start_at(address, |request| match request.target.as_str() {
            "/model.json" => Reply::ok("{}"),
            _ => plain(),
        })
        .await
    };
    let options = quick().with_retry(Retry::default().with_tries(50).with_delays(20 * MILLISECOND, 20 * MILLISECOND));
    let loading = load(&url, &[&["w.bin"]], TestSink::new().group(&[LEN]), options);
    let (result, _server) = tokio::join!(loading, later);
    assert_eq!(result.unwrap().1.bytes(0), pattern(LEN));
}

#[tokio::test]
async fn a_body_that_breaks_off_goes_on_where_it_was() {
    let reply = |request: &Request| match request.earlier {
        0 => file(request).cut(600).close(),
        1 => file(request).cut(300).close(),
        _ => file(request),
    };
    let asked = check_loads(reply, quick(), 3).await;
    let ranges: Vec<_> = asked.iter().map(|r| (r.header("range"), r.header("if-range"))).collect();
    let tag = Some("\"a\"");
    assert_eq!(ranges, [(None, None), (Some("bytes=600-"), tag), (Some("bytes=900-"), tag)]);
}

#[tokio::test]
async fn a_body_that_is_reset_goes_on_where_it_was() {
    let reply = |request: &Request| match request.earlier {
        // The pause lets the bytes arrive: a reset discards bytes that were not read yet.
        0 => file(request).cut(600).pause(100 * MILLISECOND).reset(),
        _ => file(request),
    };
    let asked = check_loads(reply, quick(), 2).await;
    assert_eq!(asked[1].header("range"), Some("bytes=600-"));
}

#[tokio::test]
async fn a_body_in_chunks_goes_on_where_it_was() {
    let reply = |request: &Request| match request.earlier {
        0 => Reply::head("200 OK", &["Transfer-Encoding: chunked", "ETag: \"a\"", "Accept-Ranges: bytes"])
            .then("1f4\r\n")
            .then(pattern(500))
            .then("\r\n")
            .close(),
        _ => file(request),
    };
    let asked = check_loads(reply, quick(), 2).await;
    assert_eq!(asked[1].header("range"), Some("bytes=500-"));
}

#[tokio::test]
async fn without_ranges_a_truncated_body_comes_again_from_its_beginning() {
    let reply = |request: &Request| match request.earlier {
        0 => plain().cut(600).close(),
        1 => plain().cut(100).close(),
        _ => plain(),
    };
    let asked = check_loads(reply, quick(), 3).await;
    assert!(asked.iter().all(|r| r.range().is_none()));
}

#[tokio::test]
async fn a_weak_tag_is_good_for_no_range() {
    let reply = |request: &Request| {
        let whole = Reply::file(request, &pattern(LEN), "W/\"a\"", &[]);
        if request.earlier == 0 { whole.cut(600).close() } else { whole }
    };
    let asked = check_loads(reply, quick(), 2).await;
    assert_eq!(asked[1].range(), None);
}

#[tokio::test]
async fn an_old_date_is_good_for_a_range_and_a_new_one_is_not() {
    let dated = |date: &'static str| {
        move |request: &Request| {
            let headers = ["Accept-Ranges: bytes", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", date];
            match request.range() {
                None if request.earlier == 0 => Reply::status("200 OK", &headers, pattern(LEN)).cut(600).close(),
                None => Reply::status("200 OK", &headers, pattern(LEN)),
                Some((first, _)) => {
                    let range = format!("Content-Range: bytes {first}-{}/{LEN}", LEN - 1);
                    let headers = [&headers[..], &[&range]].concat();
                    Reply::status("206 Partial Content", &headers, &pattern(LEN)[first..])
                }
            }
        }
    };
    let asked = check_loads(dated("Date: Sun, 06 Nov 1994 08:59:37 GMT"), quick(), 2).await;
    assert_eq!(asked[1].header("if-range"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    let asked = check_loads(dated("Date: Sun, 06 Nov 1994 08:49:50 GMT"), quick(), 2).await;
    assert_eq!(asked[1].range(), None);
}

#[tokio::test]
async fn a_server_that_ignores_ranges_sends_all_of_it_again() {
    let reply = |request: &Request| {
        let whole = Reply::status("200 OK", &["Accept-Ranges: bytes", "ETag: \"a\""], pattern(LEN));
        if request.earlier == 0 { whole.cut(600).close() } else { whole }
    };
    let asked = check_loads(reply, quick(), 2).await;
    assert_eq!(asked[1].header("range"), Some("bytes=600-"));
}

#[tokio::test]
async fn a_redirect_is_followed_again_to_the_rest() {
    let server = FaultServer::start(|request| match request.target.as_str() {
        "/model.json" => Reply::ok("{}"),
        "/w.bin" => Reply::redirect("/stored"),
        _ if request.earlier == 0 => file(request).cut(600).close(),
        _ => file(request),
    })
    .await;
    assert_eq!(load_from(&server, quick()).await.unwrap(), pattern(LEN));
    assert_eq!(server.targets()[1..], ["/w.bin", "/stored", "/w.bin", "/stored"]);
    assert_eq!(server.requests()[4].header("range"), Some("bytes=600-"));
}

#[tokio::test]
async fn a_slow_loris_is_left_for_another_connection() {
    let timeouts = Timeouts::default().with_min_rate(1000, 300 * MILLISECOND);
    let reply = |request: &Request| match request.earlier {
        0 => (0..50).fold(file(request).cut(0), |reply, i| reply.then(&pattern(LEN)[i..=i]).pause(50 * MILLISECOND)),
        _ => file(request),
    };
    let asked = check_loads(reply, quick().with_timeouts(timeouts), 2).await;
    assert!(asked[1].range().unwrap().0 > 0);
}

#[tokio::test]
async fn a_server_that_stalls_is_asked_again() {
    let timeouts = Timeouts::default().with_headers(100 * MILLISECOND).with_idle(100 * MILLISECOND);
    let reply = |request: &Request| match request.earlier {
        0 => Reply::default().pause(Duration::from_secs(50)),
        1 => file(request).cut(600).pause(Duration::from_secs(50)),
        _ => file(request),
    };
    let asked = check_loads(reply, quick().with_timeouts(timeouts), 3).await;
    assert_eq!(asked[2].header("range"), Some("bytes=600-"));
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    for status in ["503 Service Unavailable", "502 Bad Gateway", "504 Gateway Timeout", "500 x", "408 x", "429 x"] {
        let reply = move |request: &Request| match request.earlier {
            0 | 1 => Reply::status(status, &[], "busy"),
            _ => plain(),
        };
        check_loads(reply, quick(), 3).await;
    }
}

#[tokio::test]
async fn the_wait_a_server_asks_for_is_kept() {
    let reply = |request: &Request| match request.earlier {
        0 => Reply::status("429 Too Many Requests", &["Retry-After: 1"], ""),
        1 => {
            let dates = ["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: Sun, 06 Nov 1994 08:49:38 GMT"];
            Reply::status("503 Service Unavailable", &dates, "")
        }
        _ => plain(),
    };
    let start = Instant::now();
    check_loads(reply, quick(), 3).await;
    assert!(start.elapsed() >= Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_wait_that_is_too_long_is_an_error_at_once() {
    let reply = |_: &Request| Reply::status("429 Too Many Requests", &["Retry-After: 3600"], "");
    let start = Instant::now();
    let says = "the server asks to wait 3600s, but `Retry::longest_retry_after` is 30s";
    let error = check_fails(reply, quick(), 1, Kind::Fetch, says).await;
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!((error.is_transient(), error.retry_after()), (true, Some(Duration::from_secs(3600))));
}

#[tokio::test]
async fn what_is_final_is_asked_for_once() {
    let once = |reply: Reply, kind: Kind, says: &'static str| async move {
        let error = check_fails(move |_| reply.clone(), quick(), 1, kind, says).await;
        assert!(!error.is_transient(), "{error:?}");
    };
    for status in ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "501 Not Implemented"] {
        once(Reply::status(status, &[], ""), Kind::Fetch, status).await;
    }
    once(Reply::status("200 OK", &["Content-Type: text/html"], pattern(LEN)), Kind::Fetch, "returned an HTML page")
        .await;
    once(Reply::ok(pattern(LEN + 1)), Kind::Mismatch, "found 1001").await;
    once(Reply::ok(pattern(LEN - 1)), Kind::Mismatch, "1 bytes short").await;
    once(Reply::raw("SSH-2.0-OpenSSH\r\n\r\n").close(), Kind::Fetch, "response is not valid HTTP").await;
    once(Reply::redirect("http://169.254.169.254/"), Kind::Fetch, "private or link-local addresses are not allowed")
        .await;
}

#[tokio::test]
async fn a_server_that_never_answers_well_is_given_up() {
    let says = "try again later (tried 5 times)";
    let error = check_fails(|_| Reply::status("503 x", &[], ""), quick(), 5, Kind::Fetch, says).await;
    assert_eq!((error.is_transient(), error.retry_after()), (true, None));
    let never = quick().with_retry(Retry::never());
    let error = check_fails(|_| Reply::status("503 x", &[], ""), never, 1, Kind::Fetch, "try again later").await;
    assert!(!error.message().contains("tried"), "{error}");
    let error = check_fails(|_| Reply::default().close(), quick(), 5, Kind::Fetch, "(tried 5 times)").await;
    // The cause is the error of the connection.
    let cause = format!("{:?}", std::error::Error::source(&error).unwrap());
    assert!(cause.contains("IncompleteMessage"), "{cause}");
}

#[tokio::test]
async fn a_server_that_sends_a_byte_at_a_time_does_not_go_on_for_ever() {
    let server = server(|request| file(request).cut(1).close()).await;
    let retry = Retry::default().with_delays(MILLISECOND, 50 * MILLISECOND).with_total(400 * MILLISECOND);
    let start = Instant::now();
    let result = load_from(&server, quick().with_retry(retry)).await;
    check_error(result, Kind::Fetch, "/w.bin", "later than `Retry::total` allows (tried");
    assert!(start.elapsed() < Duration::from_secs(5));
    let requests = server.requests().len();
    assert!((3..100).contains(&requests), "{requests}");
}

#[tokio::test]
async fn the_deadline_of_the_load_holds_during_a_wait() {
    let timeouts = Timeouts::default().with_total(500 * MILLISECOND);
    let retry = Retry::default().with_delays(Duration::from_secs(5), Duration::from_secs(5));
    let options = quick().with_timeouts(timeouts).with_retry(retry);
    let start = Instant::now();
    let says = "the load took longer than `Timeouts::total`";
    let error = check_fails(|_| Reply::status("503 x", &[], ""), options, 1, Kind::Fetch, says).await;
    assert!(start.elapsed() < Duration::from_secs(2));
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("503"), "{error:?}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn dropping_a_load_that_waits_stops_it() {
    let server = server(|_| Reply::status("503 x", &[], "")).await;
    let wait = 1500 * MILLISECOND;
    let options = quick().with_retry(Retry::default().with_delays(wait, wait));
    tokio::time::timeout(400 * MILLISECOND, load_from(&server, options)).await.unwrap_err();
    assert_eq!(server.requests().len(), 2);
    tokio::time::sleep(wait).await;
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_server_that_restarts_half_way_is_waited_for() {
    let first = server(|request| file(request).cut(600).pause(Duration::from_secs(50))).await;
    let url = first.url("/model.json");
    let options = quick().with_retry(Retry::default().with_tries(50).with_delays(20 * MILLISECOND, 20 * MILLISECOND));
    let restart = async {
        while first.bytes_sent() < 600 {
            tokio::time::sleep(5 * MILLISECOND).await;
        }
        tokio::time::sleep(50 * MILLISECOND).await;
        let address = first.stop().await;
        tokio::time::sleep(100 * MILLISECOND).await;
        FaultServer::start_at(address, file).await
    };
    let loading = load(&url, &[&["w.bin"]], TestSink::new().group(&[LEN]), options);
    let (result, second) = tokio::join!(loading, restart);
    assert_eq!(result.unwrap().1.bytes(0), pattern(LEN));
    let asked = second.requests();
    assert_eq!(asked.iter().map(|r| r.header("range")).collect::<Vec<_>>(), [Some("bytes=600-")]);
}

const CHANGED: &str = "the file changed while it was fetched";

#[tokio::test]
async fn a_file_that_changes_between_tries_is_refused() {
    let reply = |request: &Request| match request.earlier {
        0 => file(request).cut(600).close(),
        _ => Reply::file(request, &pattern(LEN), "\"b\"", &[]),
    };
    check_fails(reply, quick(), 2, Kind::Mismatch, CHANGED).await;
    // Another entity tag, from a server without `If-Range`.
    let reply = |request: &Request| match request.earlier {
        0 => file(request).cut(600).close(),
        _ => {
            let range = format!("Content-Range: bytes 600-999/{LEN}");
            Reply::status("206 Partial Content", &["ETag: \"b\"", &range], &pattern(LEN)[600..])
        }
    };
    check_fails(reply, quick(), 2, Kind::Mismatch, CHANGED).await;
    // The same entity tag, another length.
    let reply = |request: &Request| match request.earlier {
        0 => file(request).cut(600).close(),
        _ => Reply::file(request, &pattern(LEN + 1), "\"a\"", &[]),
    };
    check_fails(reply, quick(), 2, Kind::Mismatch, CHANGED).await;
    // Now shorter than the bytes received so far.
    let reply = |request: &Request| match request.earlier {
        0 => file(request).cut(600).close(),
        _ => Reply::file(request, &pattern(500), "\"a\"", &[]),
    };
    check_fails(reply, quick(), 2, Kind::Mismatch, "does not have this range").await;
}

#[tokio::test]
async fn a_file_without_tag_that_changes_between_tries_is_refused() {
    let changed = |request: &Request| match request.earlier {
        0 => plain().cut(600).close(),
        _ => {
            let mut bytes = pattern(LEN);
            bytes[599] ^= 1;
            Reply::ok(bytes)
        }
    };
    check_fails(changed, quick(), 2, Kind::Mismatch, CHANGED).await;
    // Now shorter than the bytes received so far.
    let shorter = |request: &Request| match request.earlier {
        0 => Reply::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n").then(pattern(600)).close(),
        _ => Reply::chunked(&[&pattern(400)]),
    };
    check_fails(shorter, quick(), 2, Kind::Mismatch, CHANGED).await;
}

#[tokio::test]
async fn a_range_that_was_not_asked_for_is_refused() {
    let reply = |request: &Request| match request.earlier {
        0 => file(request).cut(600).close(),
        _ => {
            let range = format!("Content-Range: bytes 599-999/{LEN}");
            Reply::status("206 Partial Content", &["ETag: \"a\"", &range], &pattern(LEN)[599..])
        }
    };
    check_fails(reply, quick(), 2, Kind::Fetch, "requested bytes from 600").await;
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn an_encoded_body_that_breaks_off_comes_again_whole() {
    let reply = |request: &Request| {
        let headers = ["Content-Encoding: gzip", "ETag: \"a\"", "Accept-Ranges: bytes"];
        let whole = Reply::status("200 OK", &headers, gzip(&pattern(LEN)));
        if request.earlier == 0 { whole.cut(700).close() } else { whole }
    };
    let asked = check_loads(reply, quick(), 2).await;
    assert_eq!(asked[1].range(), None);
}

#[tokio::test]
async fn the_json_is_tried_again_and_resumed_as_well() {
    let json = format!("{{\"a\": \"{}\"}}", "x".repeat(5000));
    let body = json.clone();
    let server = FaultServer::start(move |request| {
        let whole = Reply::file(request, body.as_bytes(), "\"a\"", &[]);
        match request.earlier {
            0 => Reply::status("503 x", &[], ""),
            1 => whole.cut(600).close(),
            _ => whole,
        }
    })
    .await;
    let (loaded, _) = load(&server.url("/model.json"), &[], TestSink::new(), quick()).await.unwrap();
    assert_eq!(loaded, json);
    let requests = server.requests();
    assert_eq!(requests[2].header("range"), Some("bytes=600-"));
    // A byte range of a compressed body could not be decoded.
    assert_eq!(requests[2].header("accept-encoding"), Some("identity"));
}
