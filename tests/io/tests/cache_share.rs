//! Many loads of one model through one cache, in one process and in several: one of them fetches it. Cancelled loads
//! leave no files.

use io_harness::cached::{Fixture, JSON, blobs, files_below, load, parts, shard};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tfjs_io::{Cache, IoOptions, Timeouts};
use tfjs_manifest::Kind;

const ALL: [&str; 3] = ["200 /m/a.bin", "200 /m/b.bin", "200 /m/model.json"];

/// Twenty loads that run concurrently.
async fn check_twenty(model: Fixture) {
    let one = || async { load(&model.url(), IoOptions::default().with_cache(model.cache())).await };
    let loads = futures_util::future::join_all((0..20).map(|_| one())).await;
    assert!(loads.iter().all(|load| load.as_ref().is_ok_and(Vec::is_empty)), "{loads:?}");
    assert_eq!(model.site.log(), ALL);
    assert_eq!(parts(&model.folder()), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn twenty_loads_at_a_time_ask_for_each_file_once() {
    check_twenty(Fixture::new().await).await;
}

#[tokio::test]
async fn a_server_without_validators_is_asked_once_for_each_too() {
    let model = Fixture::new().await;
    for name in ["a.bin", "b.bin"] {
        model.site.put(&format!("/m/{name}"), shard(name), "");
    }
    model.site.put("/m/model.json", JSON, "");
    check_twenty(model).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_tasks_on_many_threads_fetch_a_model_once() {
    let model = Fixture::new().await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (url, options) = (model.url(), IoOptions::default().with_cache(model.cache()));
            tokio::spawn(async move { load(&url, options).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap(), Vec::<String>::new());
    }
    assert_eq!(fetched(&model), ALL);
}

/// The responses with a body; loads that begin later may request the JSON conditionally.
fn fetched(model: &Fixture) -> Vec<String> {
    model.site.log().into_iter().filter(|line| !line.starts_with("304")).collect()
}

/// The code of the other processes: loads the model that the environment names.
#[test]
fn another_process() {
    let Ok(url) = std::env::var("TFJS_TEST_URL") else { return };
    let cache = Cache::new(std::env::var_os("TFJS_TEST_CACHE").unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runtime.block_on(load(&url, IoOptions::default().with_cache(cache)));
    println!("loaded: {result:?}");
}

fn spawn(model: &Fixture, offline: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["cache_share::another_process", "--exact", "--nocapture"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.env("TFJS_TEST_URL", model.url()).env("TFJS_TEST_CACHE", model.folder()).env("TFJS_OFFLINE", offline);
    command.spawn().unwrap()
}

async fn said(child: Child) -> String {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_fetch_a_model_once() {
    let model = Fixture::new().await;
    let children: Vec<Child> = (0..6).map(|_| spawn(&model, "0")).collect();
    for child in children {
        let said = said(child).await;
        assert!(said.contains("loaded: Ok([])"), "{said}");
    }
    assert_eq!(fetched(&model), ALL);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_can_say_offline() {
    let model = Fixture::new().await;
    let said_before = said(spawn(&model, "1")).await;
    assert!(said_before.contains("not in the cache, and the load is offline"), "{said_before}");
    model.load().await;
    let said_after = said(spawn(&model, "1")).await;
    assert!(said_after.contains("loaded: Ok([])"), "{said_after}");
    assert_eq!(model.site.log(), Vec::<String>::new());
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what} within half a minute");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_is_dropped_stops_its_traffic_and_leaves_no_file() {
    let model = Fixture::new().await;
    model.site.stall("/m/a.bin", true);
    let (url, options) = (model.url(), IoOptions::default().with_cache(model.cache()));
    let task = tokio::spawn(async move { load(&url, options).await });
    until("a file is being written", || parts(&model.folder()).iter().any(|p| p.metadata().is_ok_and(|m| m.len() > 0)))
        .await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    until("traffic stops", || model.server.replying() == 0).await;
    until("files go", || parts(&model.folder()).is_empty()).await;
    assert_eq!((blobs(&model.folder()).len(), model.cache().list().len()), (0, 0));
    model.site.stall("/m/a.bin", false);
    model.site.log();
    let (warnings, log) = model.load().await;
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(log, ["200 /m/a.bin", "200 /m/b.bin", "304 /m/model.json"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_that_waits_for_another_can_be_dropped_and_takes_over_if_that_one_is() {
    let model = Fixture::new().await;
    model.site.stall("/m/a.bin", true);
    let start = || {
        let (url, options) = (model.url(), IoOptions::default().with_cache(model.cache()));
        tokio::spawn(async move { load(&url, options).await })
    };
    let first = start();
    until("the first one fetches", || !parts(&model.folder()).is_empty()).await;
    let (second, third) = (start(), start());
    tokio::time::sleep(Duration::from_millis(300)).await;
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    assert!(!third.is_finished());
    model.site.stall("/m/a.bin", false);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(third.await.unwrap().unwrap(), Vec::<String>::new());
    let fetched: Vec<String> = model.site.log().into_iter().filter(|line| line == "200 /m/a.bin").collect();
    assert_eq!(fetched.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_another_load_counts_as_time_of_this_one() {
    let model = Fixture::new().await;
    model.site.stall("/m/a.bin", true);
    let (url, options) = (model.url(), IoOptions::default().with_cache(model.cache()));
    let first = tokio::spawn(async move { load(&url, options).await });
    until("the first one fetches", || !parts(&model.folder()).is_empty()).await;
    let timeouts = Timeouts::default().with_total(Duration::from_millis(500));
    let options = IoOptions::default().with_cache(model.cache()).with_timeouts(timeouts);
    let start = Instant::now();
    let error = load(&model.url(), options).await.unwrap_err();
    assert!(error.kind() == Kind::Fetch && error.to_string().contains("timed out"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(20));
    first.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_leaves_a_cache_that_works_and_is_cleaned_up_after() {
    let model = Fixture::new().await;
    model.site.stall("/m/a.bin", true);
    let mut child = spawn(&model, "0");
    until("the process fetches", || parts(&model.folder()).iter().any(|p| p.metadata().is_ok_and(|m| m.len() > 0)))
        .await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!parts(&model.folder()).is_empty());
    model.site.stall("/m/a.bin", false);
    let (warnings, _) = model.load().await;
    assert_eq!(warnings, Vec::<String>::new());
    assert!(parts(&model.folder()).is_empty(), "{:?}", files_below(&model.folder()));
    assert_eq!(model.load().await.1, ["304 /m/model.json"]);
}
