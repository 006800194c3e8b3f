//! Large weight files in parts, several at a time, from servers with correct, wrong or no support of ranges.

use io_harness::fault_server::{FaultServer, Reply, Request};
use io_harness::load::{check_error, load};
use io_harness::sink::{TestSink, pattern};
use std::time::{Duration, Instant};
use tfjs_io::{IoOptions, Retry};
use tfjs_manifest::{Error, Kind};

/// In these tests, files over 128 KiB are fetched in parts of 64 KiB.
const SPLIT: usize = 128 << 10;
const PART: usize = 64 << 10;
/// Not a multiple of the length of a part.
const LEN: usize = (600 << 10) + 7;

const MILLISECOND: Duration = Duration::from_millis(1);

fn options() -> IoOptions {
    IoOptions::default()
        .with_split_over(SPLIT as u64)
        .with_range_bytes(PART as u64)
        .with_retry(Retry::default().with_delays(MILLISECOND, 20 * MILLISECOND))
}

async fn server(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> FaultServer {
    FaultServer::start(move |request| if request.target == "/model.json" { Reply::ok("{}") } else { reply(request) })
        .await
}

fn file(request: &Request) -> Reply {
    Reply::file(request, &pattern(LEN), "\"a\"", &[])
}

async fn load_one(server: &FaultServer, options: IoOptions) -> Result<Vec<u8>, Error> {
    let sink = TestSink::new().group(&[5, 100_000, LEN - 100_005]);
    let (_, sink) = load(&server.url("/model.json"), &[&["w.bin"]], sink, options).await?;
    Ok(sink.bytes(0))
}

/// Checks that the file arrives completely; returns the requests for it.
async fn check_loads(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Vec<Request> {
    let server = server(reply).await;
    assert!(load_one(&server, options()).await.unwrap() == pattern(LEN));
    server.requests().split_off(1)
}

async fn check_fails(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static, kind: Kind, says: &str) {
    let server = server(reply).await;
    check_error(load_one(&server, options()).await, kind, "/w.bin", says);
}

/// The requested ranges, in order of their first byte.
fn ranges(requests: &[Request]) -> Vec<(usize, usize)> {
    let mut all: Vec<_> = requests.iter().map(|r| r.range().unwrap()).map(|(a, b)| (a, b.unwrap() + 1)).collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn a_large_file_comes_in_parts_and_every_byte_is_asked_for_once() {
    let server = server(|request| match request.header("if-range") {
        // Slow enough that concurrent requests overlap.
        Some(tag) => {
            assert_eq!(tag, "\"a\"");
            Reply::default().pause(100 * MILLISECOND).and(file(request))
        }
        None => file(request),
    })
    .await;
    assert!(load_one(&server, options().with_concurrency(4)).await.unwrap() == pattern(LEN));
    assert_eq!(server.most_at_once(), 4);
    let ranges = ranges(&server.requests()[1..]);
    assert_eq!(ranges[0], (0, SPLIT));
    assert!(ranges.windows(2).all(|w| w[0].1 == w[1].0), "{ranges:?}");
    assert!(ranges[1..].iter().all(|(a, b)| b - a == PART || *b == LEN), "{ranges:?}");
    assert_eq!(ranges.last().unwrap().1, LEN);
}

#[tokio::test]
async fn a_large_file_of_gzip_data_is_fetched_whole_and_decompressed() {
    let packed = io_harness::archives::gzip(&pattern(LEN));
    assert!(packed.len() > SPLIT, "it would come in parts: {}", packed.len());
    check_loads(move |request| Reply::file(request, &packed, "\"a\"", &[])).await;
}

#[tokio::test]
async fn files_of_groups_without_weights_are_not_asked_for() {
    let server = server(|request| match request.target.as_str() {
        "/a" => Reply::file(request, &pattern(LEN), "\"a\"", &[]),
        _ => Reply::status("404 Not Found", &[], ""),
    })
    .await;
    let files: &[&[&str]] = &[&["empty"], &["a"]];
    let sink = TestSink::new().group(&[]).group(&[LEN]);
    let (_, sink) = load(&server.url("/model.json"), files, sink, options()).await.unwrap();
    assert!(sink.bytes(1) == pattern(LEN));
}

#[tokio::test]
async fn requests_are_counted_over_all_files() {
    let server = server(|request| Reply::default().pause(100 * MILLISECOND).and(file(request))).await;
    let files: &[&[&str]] = &[&["a", "b"], &["c"]];
    let sink = TestSink::new().group(&[2 * LEN]).group(&[LEN]);
    let (_, sink) = load(&server.url("/model.json"), files, sink, options().with_concurrency(3)).await.unwrap();
    assert!(sink.bytes(0) == pattern(LEN).repeat(2) && sink.bytes(1) == pattern(LEN));
    assert_eq!(server.most_at_once(), 3);
}

#[tokio::test]
async fn ordinary_files_of_a_large_group_take_one_request_each() {
    let server = server(|request| Reply::file(request, &pattern(SPLIT), "\"a\"", &[])).await;
    let sink = TestSink::new().group(&[3 * SPLIT]);
    let (_, sink) = load(&server.url("/model.json"), &[&["a", "b", "c"]], sink, options()).await.unwrap();
    assert!(sink.bytes(0) == pattern(SPLIT).repeat(3));
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_small_group_and_one_request_at_a_time_need_no_parts() {
    let server = server(|request| Reply::file(request, &pattern(SPLIT), "\"a\"", &[])).await;
    load(&server.url("/model.json"), &[&["a"]], TestSink::new().group(&[SPLIT]), options()).await.unwrap();
    let sink = TestSink::new().group(&[2 * SPLIT]);
    load(&server.url("/model.json"), &[&["a", "a"]], sink, options().with_concurrency(1)).await.unwrap();
    assert!(server.requests().iter().all(|r| r.range().is_none()));
}

#[tokio::test]
async fn an_empty_file_has_no_first_part() {
    let server = server(|request| match request.target.as_str() {
        "/empty" => Reply::file(request, b"", "\"e\"", &[]),
        _ => file(request),
    })
    .await;
    let sink = TestSink::new().group(&[LEN]);
    let (_, sink) = load(&server.url("/model.json"), &[&["empty", "w.bin"]], sink, options()).await.unwrap();
    assert!(sink.bytes(0) == pattern(LEN));
}

#[tokio::test]
async fn a_server_that_ignores_ranges_sends_all_in_one() {
    let asked = check_loads(|_| Reply::ok(pattern(LEN))).await;
    assert_eq!(asked.len(), 1);
}

#[tokio::test]
async fn a_server_that_refuses_ranges_is_asked_for_all() {
    let asked = check_loads(|request| match request.range() {
        Some(_) => Reply::status("416 Range Not Satisfiable", &[], ""),
        None => Reply::ok(pattern(LEN)),
    })
    .await;
    assert_eq!(asked.len(), 2);
}

/// The first part, with these headers instead of the right ones.
fn first_part(request: &Request, headers: &[&str], body: &[u8]) -> Reply {
    match request.range() {
        Some(_) => Reply::status("206 Partial Content", headers, body),
        None => Reply::ok(pattern(LEN)),
    }
}

#[tokio::test]
async fn parts_that_cannot_be_joined_are_not() {
    let range = format!("Content-Range: bytes 0-{}/{LEN}", SPLIT - 1);
    let unknown = format!("Content-Range: bytes 0-{}/*", SPLIT - 1);
    for headers in
        [vec![range.clone()], vec![range.clone(), "ETag: W/\"a\"".into()], vec![unknown, "ETag: \"a\"".into()]]
    {
        let asked = check_loads(move |request| {
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            first_part(request, &headers, &pattern(SPLIT))
        })
        .await;
        assert_eq!(asked.iter().map(|r| r.range().is_some()).collect::<Vec<_>>(), [true, false]);
    }
    let encoded = check_loads(move |request| {
        first_part(request, &[&range, "ETag: \"a\"", "Content-Encoding: gzip"], &pattern(SPLIT))
    })
    .await;
    assert_eq!(encoded.len(), 2);
}

#[tokio::test]
async fn what_one_file_shows_is_remembered_for_the_next() {
    let server = server(|request| Reply::file(request, &pattern(LEN), "W/\"a\"", &[])).await;
    let sink = TestSink::new().group(&[3 * LEN]);
    // The files are fetched one after the other.
    let options = options().with_concurrency(2);
    load(&server.url("/model.json"), &[&["a", "b", "c"]], sink, options).await.unwrap();
    let parts = server.requests().iter().filter(|r| r.range().is_some()).count();
    assert!((1..3).contains(&parts), "{parts}");
}

#[tokio::test]
async fn a_server_may_answer_with_less_than_it_was_asked_for() {
    let asked = check_loads(|request| {
        let mut request = request.clone();
        let most = PART / 2;
        let (first, _) = request.range().unwrap();
        request.headers.retain(|(name, _)| name != "range");
        request.headers.push(("range".into(), format!("bytes={first}-{}", first + most - 1)));
        file(&request)
    })
    .await;
    let firsts: std::collections::BTreeSet<_> = asked.iter().map(|r| r.range().unwrap().0).collect();
    assert_eq!(firsts.len(), asked.len(), "asked for something twice");
}

#[tokio::test]
async fn a_part_that_breaks_off_goes_on_where_it_was() {
    let asked = check_loads(|request| match request.range() {
        Some((first, Some(_))) if first == SPLIT + PART => file(request).cut(1000).close(),
        _ => file(request),
    })
    .await;
    let ranges = ranges(&asked);
    assert!(ranges.contains(&(SPLIT + PART + 1000, SPLIT + 2 * PART)), "{ranges:?}");
}

#[tokio::test]
async fn a_part_that_cannot_be_had_ends_the_load() {
    let start = Instant::now();
    let reply = |request: &Request| match request.range() {
        Some((first, _)) if first == SPLIT + PART => Reply::status("404 Not Found", &[], ""),
        Some((0, _)) => file(request),
        _ => Reply::default().pause(Duration::from_secs(50)),
    };
    check_fails(reply, Kind::Fetch, "404 Not Found").await;
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn a_file_that_changes_between_its_parts_is_refused() {
    let tag = |request: &Request| if request.range().unwrap().0 >= SPLIT + PART { "\"b\"" } else { "\"a\"" };
    check_fails(
        move |request| Reply::file(request, &pattern(LEN), tag(request), &[]),
        Kind::Mismatch,
        "the file changed while it was fetched",
    )
    .await;
    let longer = |request: &Request| {
        let len = if request.range().unwrap().0 >= SPLIT + PART { LEN + 1 } else { LEN };
        Reply::file(request, &pattern(len), "\"a\"", &[])
    };
    check_fails(longer, Kind::Mismatch, "the file changed while it was fetched").await;
}

#[tokio::test]
async fn a_part_that_is_not_the_one_asked_for_is_refused() {
    let whole = |request: &Request| match request.range().unwrap() {
        (0, _) => file(request),
        _ => Reply::status("200 OK", &["ETag: \"a\""], pattern(LEN)),
    };
    check_fails(whole, Kind::Fetch, "the server supported ranges before").await;
    let shifted = |request: &Request| match request.range().unwrap() {
        (0, _) => file(request),
        (first, _) => {
            let range = format!("Content-Range: bytes {}-{}/{LEN}", first + 1, first + PART);
            Reply::status("206 Partial Content", &["ETag: \"a\"", &range], &pattern(LEN)[..PART])
        }
    };
    check_fails(shifted, Kind::Fetch, "requested bytes from").await;
    let short = |request: &Request| match request.range().unwrap() {
        (0, _) => file(request),
        (first, last) => {
            let range = format!("Content-Range: bytes {first}-{}/{LEN}", last.unwrap());
            Reply::status("206 Partial Content", &["ETag: \"a\"", &range], &pattern(LEN)[..PART - 1])
        }
    };
    check_fails(short, Kind::Fetch, "and a body of").await;
}

#[tokio::test]
async fn a_large_file_that_is_not_of_the_model_is_refused_before_its_parts_are_fetched() {
    let server = server(|request| Reply::file(request, &pattern(LEN + 1), "\"a\"", &[])).await;
    check_error(load_one(&server, options()).await, Kind::Mismatch, "/w.bin", "found 614408");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn files_of_unknown_length_do_not_block_large_ones() {
    for concurrency in 1..5 {
        let server = server(|request| match request.target.as_str() {
            "/large" => Reply::default().pause(100 * MILLISECOND).and(file(request)),
            _ => Reply::chunked(&[&pattern(PART), b"x"]),
        })
        .await;
        let files = ["chunks", "large", "chunks", "large", "large", "chunks"];
        let sink = TestSink::new().group(&[3 * (PART + 1 + LEN)]);
        let options = options().with_concurrency(concurrency);
        let (_, sink) = load(&server.url("/model.json"), &[&files], sink, options).await.unwrap();
        let expected =
            files.map(|name| if name == "large" { pattern(LEN) } else { [pattern(PART), b"x".to_vec()].concat() });
        assert!(sink.bytes(0) == expected.concat());
        assert!(server.most_at_once() <= concurrency);
    }
}

#[tokio::test]
async fn dropping_a_load_stops_all_parts() {
    let server = server(|request| match request.range().unwrap() {
        (0, _) => file(request),
        _ => file(request).cut(1000).pause(Duration::from_secs(50)),
    })
    .await;
    tokio::time::timeout(300 * MILLISECOND, load_one(&server, options())).await.unwrap_err();
    let asked = server.requests().len();
    for _ in 0..100 {
        if server.replying() == 0 {
            break;
        }
        tokio::time::sleep(20 * MILLISECOND).await;
    }
    assert_eq!((server.replying(), server.requests().len()), (0, asked));
}
