//! Failures of S3: transient errors are retried, interrupted bodies are resumed, and other failures are errors
//! within the time-outs.

use super::s3_server::{Fault, S3Server, Seen, quick};
use io_harness::load::{check_error, load_with};
use io_harness::sink::{TestSink, pattern};
use std::time::{Duration, Instant};
use tfjs_io::{Body, Files, IoCx, IoOptions, ModelUrl, Result, Retry, Scheme, Timeouts};
use tfjs_manifest::Kind;

const LEN: usize = 200_000;

/// A server with a model of one weight file, and these faults for requests of it.
async fn server(faults: impl Fn(&Seen) -> Option<Fault> + Send + Sync + 'static) -> S3Server {
    let server = S3Server::with_faults(move |seen| faults(seen).filter(|_| seen.target.ends_with("w.bin"))).await;
    server.write("m/model.json", "{}");
    server.write("m/w.bin", pattern(LEN));
    server
}

async fn load(server: &S3Server, options: IoOptions) -> Result<Vec<u8>> {
    let handler = server.scheme().handler(&ModelUrl::parse("s3://models/m")?)?;
    let (_, sink) = load_with(&*handler, &[&["w.bin"]], TestSink::new().group(&[LEN]), options).await?;
    Ok(sink.bytes(0))
}

#[tokio::test]
async fn a_busy_store_is_asked_again() {
    let busy = Fault::Answer(503, &[], "<Error><Code>SlowDown</Code><Message>Reduce</Message></Error>");
    let times = busy.clone();
    let server = server(move |seen| (seen.earlier < 2).then(|| times.clone())).await;
    assert_eq!(load(&server, quick()).await.unwrap(), pattern(LEN));
    assert_eq!(server.lines().iter().filter(|l| l.ends_with("w.bin")).count(), 3);

    let server = self::server(move |_| Some(busy.clone())).await;
    let error = load(&server, quick().with_retry(Retry::never())).await;
    check_error(error, Kind::Fetch, "s3://models/m/w.bin", "503 Service Unavailable, SlowDown, Reduce");
    assert_eq!(server.lines().iter().filter(|l| l.ends_with("w.bin")).count(), 1);
}

#[tokio::test]
async fn a_store_that_hangs_up_is_asked_again() {
    let server = server(|seen| (seen.earlier == 0).then_some(Fault::HangUp)).await;
    assert_eq!(load(&server, quick()).await.unwrap(), pattern(LEN));
}

#[tokio::test]
async fn a_store_that_is_not_there_is_an_error() {
    let server = server(|_| None).await;
    // No server listens on this port.
    let scheme = server.scheme().with_endpoint("http://127.0.0.1:1");
    let handler = scheme.handler(&ModelUrl::parse("s3://models/m").unwrap()).unwrap();
    let error = handler.load(&IoCx::new(quick())).await;
    check_error(error, Kind::Fetch, "s3://models/m/model.json", "cannot connect to the server");
}

#[tokio::test]
async fn an_upload_may_take_longer_than_a_server_may_be_silent() {
    const PART: usize = 15 << 20;
    let server = S3Server::with_faults(|_| Some(Fault::SlowRead(Duration::from_millis(20)))).await;
    let timeouts = Timeouts::default().with_headers(Duration::from_secs(3));
    let options = quick().with_timeouts(timeouts).with_retry(Retry::never());
    let files = server.scheme().folder("s3://models/m", &IoCx::new(options)).unwrap();
    let start = Instant::now();
    files.put("w.bin", Body::Bytes(pattern(PART).into())).await.unwrap();
    assert!(start.elapsed() > Duration::from_secs(3), "too fast to show anything: {:?}", start.elapsed());
}

#[tokio::test]
async fn a_body_that_breaks_off_goes_on_where_it_was() {
    let server = server(|seen| (seen.earlier == 0).then_some(Fault::Cut(70_000))).await;
    assert_eq!(load(&server, quick()).await.unwrap(), pattern(LEN));
    let ranges: Vec<Option<String>> = server
        .seen()
        .iter()
        .filter(|s| s.target.ends_with("w.bin"))
        .map(|s| s.header("range").map(Into::into))
        .collect();
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    assert_eq!(ranges[0], None);
    let start: usize =
        ranges[1].as_deref().unwrap().strip_prefix("bytes=").unwrap().split('-').next().unwrap().parse().unwrap();
    assert!(start > 0 && start <= 70_000, "{ranges:?}");
}

#[tokio::test]
async fn a_body_that_always_breaks_off_is_an_error() {
    let server = server(|_| Some(Fault::Cut(10))).await;
    let error =
        check_error(load(&server, quick()).await, Kind::Fetch, "s3://models/m/w.bin", "the connection was lost");
    assert!(std::error::Error::source(&error).is_some(), "{error:?}");
}

#[tokio::test]
async fn a_store_that_stalls_is_given_up() {
    let stall = Fault::Stall(1000, Duration::from_secs(30));
    let server = server(move |_| Some(stall.clone())).await;
    let idle = Timeouts::default().with_idle(Duration::from_millis(300));
    let start = Instant::now();
    let error = load(&server, quick().with_retry(Retry::never()).with_timeouts(idle)).await;
    check_error(error, Kind::Fetch, "s3://models/m/w.bin", "no data arrived");
    let total = Timeouts::default().with_total(Duration::from_millis(500));
    check_error(
        load(&server, quick().with_timeouts(total)).await,
        Kind::Fetch,
        "s3://models/m/w.bin",
        "`Timeouts::total`",
    );
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn nothing_is_tried_again_after_the_deadline() {
    let server = server(|_| Some(Fault::Answer(503, &[], ""))).await;
    let total = Timeouts::default().with_total(Duration::from_millis(300));
    let retry = Retry::default().with_tries(1000).with_delays(Duration::from_millis(50), Duration::from_millis(50));
    let start = Instant::now();
    let error = load(&server, IoOptions::default().with_timeouts(total).with_retry(retry)).await;
    check_error(error, Kind::Fetch, "s3://models/m/w.bin", "`Timeouts::total`");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn another_region_is_named() {
    let moved = Fault::Answer(301, &[("x-amz-bucket-region", "eu-north-1")], "<Error/>");
    let server = server(move |_| Some(moved.clone())).await;
    check_error(load(&server, quick()).await, Kind::Fetch, "s3://models/m/w.bin", "another region, `eu-north-1`");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Fault::Answer(307, &[("location", "http://169.254.169.254/latest/meta-data")], "");
    let server = server(move |_| Some(elsewhere.clone())).await;
    check_error(load(&server, quick()).await, Kind::Fetch, "s3://models/m/w.bin", "307 Temporary Redirect");
}

#[tokio::test]
async fn an_endless_error_is_cut_short() {
    let long: &'static str = Box::leak("x".repeat(3 << 20).into_boxed_str());
    let server = server(move |_| Some(Fault::Answer(400, &[], long))).await;
    let error = check_error(load(&server, quick()).await, Kind::Fetch, "s3://models/m/w.bin", "400 Bad Request");
    assert!(error.to_string().len() < 600, "{}", error.to_string().len());
}

#[tokio::test]
async fn dropping_a_load_stops_its_traffic() {
    let stall = Fault::Stall(1000, Duration::from_secs(30));
    let server = server(move |_| Some(stall.clone())).await;
    let cut = tokio::time::timeout(Duration::from_millis(400), load(&server, quick())).await;
    assert!(cut.is_err());
    let before = server.seen().len();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.seen().len(), before);
}
