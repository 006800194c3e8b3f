//! The cache: requests to the server, cached files, and loads from the cache.

use futures_util::StreamExt;
use io_harness::cached::{
    Fixture, JSON, LENGTHS, OTHER_JSON, blobs, files_below, load, load_any, load_from, shard, weights,
};
use io_harness::fault_server::{FaultServer, Reply};
use io_harness::load::{check_error, groups};
use io_harness::sink::TestSink;
use io_harness::site::Site;
use std::fs;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tfjs_io::{
    Body, BoxFuture, Bytes, Cache, Files, FilesHandler, IoCx, IoHandler, IoOptions, MemoryFiles, ModelArtifacts,
    ModelUrl, OpenOptions, Opened, Progress, Registry, Result, Validator, WeightSource, fetch_weights, open_weights,
};
use tfjs_manifest::{Error, Kind, TensorLayout};

const ALL: [&str; 3] = ["200 /m/a.bin", "200 /m/b.bin", "200 /m/model.json"];
const NONE: [&str; 0] = [];

/// Loads, and checks the weights and the server's log of responses.
async fn check(model: &Fixture, expected: &[&str]) {
    let (warnings, log) = model.load().await;
    assert_eq!(warnings, NONE);
    assert_eq!(log, expected);
}

#[tokio::test]
async fn a_second_load_asks_whether_the_json_has_changed_and_for_nothing_else() {
    let model = Fixture::new().await;
    check(&model, &ALL).await;
    check(&model, &["304 /m/model.json"]).await;
}

#[tokio::test]
async fn without_a_cache_in_the_options_nothing_is_kept() {
    let model = Fixture::new().await;
    for _ in 0..2 {
        load(&model.url(), IoOptions::default()).await.unwrap();
        assert_eq!(model.site.log(), ALL);
    }
}

#[tokio::test]
async fn with_a_new_json_only_files_that_have_changed_are_fetched() {
    let model = Fixture::new().await;
    model.site.put("/m/b.bin", vec![0; LENGTHS[1]], "ETag: \"0\"");
    let _ = load_any(&*handler(&model.url()), options(&model)).await.unwrap();
    assert_eq!(model.site.log(), ALL);
    let old = blobs(&model.folder());
    let model =
        Fixture { site: model.site.with("/m/model.json", OTHER_JSON).with("/m/b.bin", shard("b.bin")), ..model };
    check(&model, &["200 /m/b.bin", "200 /m/model.json", "304 /m/a.bin"]).await;
    check(&model, &["304 /m/model.json"]).await;
    // Files that the model no longer names are removed.
    let new = blobs(&model.folder());
    assert_eq!((old.len(), new.len()), (2, 2));
    assert_eq!(old.iter().filter(|path| new.contains(path)).count(), 1);
}

fn handler(url: &str) -> Arc<dyn IoHandler> {
    Registry::default().resolve(&ModelUrl::parse(url).unwrap()).unwrap()
}

fn options(model: &Fixture) -> IoOptions {
    IoOptions::default().with_cache(model.cache())
}

// The model was uploaded again: the JSON has the same bytes, but the weights may differ.
#[tokio::test]
async fn the_same_json_with_another_validator_is_another_state() {
    let model = Fixture::new().await;
    model.load().await;
    model.site.put("/m/model.json", JSON, "ETag: \"uploaded anew\"");
    check(&model, &["200 /m/model.json", "304 /m/a.bin", "304 /m/b.bin"]).await;
    check(&model, &["304 /m/model.json"]).await;
}

#[tokio::test]
async fn a_server_without_validators_is_asked_for_everything() {
    let model = Fixture::new().await;
    for name in ["model.json", "a.bin", "b.bin"] {
        let bytes = if name == "model.json" { JSON.as_bytes().to_vec() } else { shard(name) };
        model.site.put(&format!("/m/{name}"), bytes, "");
    }
    check(&model, &ALL).await;
    check(&model, &ALL).await;
    // Files with a validator are requested conditionally.
    let model = Fixture { site: model.site.with("/m/a.bin", shard("a.bin")), ..model };
    check(&model, &ALL).await;
    check(&model, &["200 /m/b.bin", "200 /m/model.json", "304 /m/a.bin"]).await;
}

#[tokio::test]
async fn a_date_is_a_validator_too() {
    let model = Fixture::new().await;
    model.site.put("/m/model.json", JSON, "Last-Modified: Tue, 15 Nov 1994 12:45:26 GMT");
    check(&model, &ALL).await;
    check(&model, &["304 /m/model.json"]).await;
}

#[tokio::test]
async fn retrained_weights_under_the_same_json_are_seen_by_those_who_check() {
    let model = Fixture::new().await;
    model.site.put("/m/b.bin", vec![0; LENGTHS[1]], "ETag: \"0\"");
    load_any(&*handler(&model.url()), options(&model)).await.unwrap();
    let model = Fixture { site: model.site.with("/m/b.bin", shard("b.bin")), ..model };
    model.site.log();
    // Loads old weights, as documented.
    let (_, sink, _) = load_any(&*handler(&model.url()), options(&model)).await.unwrap();
    assert_ne!(sink.bytes(0), weights());
    assert_eq!(model.site.log(), ["304 /m/model.json"]);
    model.load_with(model.cache().with_check_weights(true)).await.unwrap();
    assert_eq!(model.site.log(), ["200 /m/b.bin", "304 /m/a.bin", "304 /m/model.json"]);
}

#[tokio::test]
async fn credentials_and_signatures_are_not_the_model_and_not_in_the_cache() {
    let model = Fixture::new().await;
    let host = model.url().trim_start_matches("http://").to_owned();
    let load = |url: String| load(Box::leak(url.into_boxed_str()), options(&model));
    load(format!("http://me:hunter2@{host}?X-Amz-Signature=hunter2&X-Amz-Date=1&token=hunter2")).await.unwrap();
    assert_eq!(model.site.log(), ALL);
    load(format!("http://{host}?X-Amz-Signature=hunter3&X-Amz-Date=2#x")).await.unwrap();
    assert_eq!(model.site.log(), ["304 /m/model.json"]);
    // Another query value means another model, and the value may be a secret.
    load(format!("http://{host}?key=hunter4")).await.unwrap();
    assert_eq!(model.site.log(), ALL);
    for path in files_below(&model.folder()) {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains("hunter") && !path.display().to_string().contains("hunter"), "{}", path.display());
    }
    assert_eq!(model.cache().list().len(), 2);
    assert!(!format!("{:?}", model.cache().list()).contains("hunter"));
}

#[tokio::test]
async fn offline_loads_what_was_loaded_before_and_lists_what_was_not() {
    let model = Fixture::new().await;
    let offline = || model.cache().with_offline(true);
    let nothing = model.load_with(offline()).await;
    check_error(nothing, Kind::Fetch, "/m/model.json", "not in the cache, and the load is offline");
    // Loads the JSON only, as `tfjs inspect` does.
    handler(&model.url()).load(&IoCx::new(options(&model))).await.unwrap();
    let error = model.load_with(offline()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Fetch, "2 of 2 weight files are not in the cache, and the load is offline")
    );
    let missing: Vec<&str> = error.details().iter().filter_map(|e| e.place().file.as_deref()).collect();
    assert!(missing[0].ends_with("/m/a.bin") && missing[1].ends_with("/m/b.bin"), "{error}");
    model.load().await;
    model.load_with(offline()).await.unwrap();
    // A new JSON on the server, even if it was loaded, does not change offline loads.
    let model = Fixture { site: model.site.with("/m/model.json", OTHER_JSON), ..model };
    handler(&model.url()).load(&IoCx::new(options(&model))).await.unwrap();
    model.site.log();
    let cache = model.cache().with_offline(true);
    let (json, _) = load_from(&*handler(&model.url()), IoOptions::default().with_cache(cache)).await.unwrap();
    assert_eq!(json, JSON);
    assert_eq!(model.site.log(), NONE);
}

#[tokio::test]
async fn offline_no_road_leads_to_the_network() {
    let model = Fixture::new().await;
    model.load().await;
    model.site.log();
    let folder = model.server.url("/m/");
    let options = || IoOptions::default().with_cache(model.cache().with_offline(true));
    let converted = options().with_weight_url_converter(move |path| Ok(format!("{folder}{path}")));
    check_error(load(&model.url(), converted).await, Kind::Fetch, "/m/model.json", "offline");
    let elsewhere = options().with_weight_path_prefix(model.server.url("/w/"));
    check_error(load(&model.url(), elsewhere).await, Kind::Fetch, "/m/model.json", "offline");
    assert_eq!(model.site.log(), NONE);
}

#[tokio::test]
async fn weights_elsewhere_are_another_model() {
    let model = Fixture::new().await;
    let site = model.site.clone().with("/w/a.bin", shard("a.bin")).with("/w/b.bin", shard("b.bin"));
    model.load().await;
    site.log();
    let elsewhere = || options(&model).with_weight_path_prefix(model.server.url("/w/"));
    load(&model.url(), elsewhere()).await.unwrap();
    assert_eq!(site.log(), ["200 /m/model.json", "200 /w/a.bin", "200 /w/b.bin"]);
    load(&model.url(), elsewhere()).await.unwrap();
    assert_eq!(site.log(), ["304 /m/model.json"]);
    check(&model, &["304 /m/model.json"]).await;
}

#[tokio::test]
async fn weights_on_disk_and_those_with_names_of_their_own_are_not_kept() {
    let model = Fixture::new().await;
    let weights = model.dir.path().join("w");
    fs::create_dir(&weights).unwrap();
    for name in ["a.bin", "b.bin"] {
        fs::write(weights.join(name), shard(name)).unwrap();
    }
    let local = || options(&model).with_weight_path_prefix(format!("file://{}", weights.display()));
    load(&model.url(), local()).await.unwrap();
    load(&model.url(), local()).await.unwrap();
    assert_eq!(model.site.log(), ["200 /m/model.json", "304 /m/model.json"]);
    let folder = model.server.url("/m/");
    let converted = || {
        let folder = folder.clone();
        options(&model).with_weight_url_converter(move |path| Ok(format!("{folder}{path}")))
    };
    load(&model.url(), converted()).await.unwrap();
    load(&model.url(), converted()).await.unwrap();
    let expected =
        ["200 /m/a.bin", "200 /m/a.bin", "200 /m/b.bin", "200 /m/b.bin", "304 /m/model.json", "304 /m/model.json"];
    assert_eq!(model.site.log(), expected);
    assert_eq!(blobs(&model.folder()).len(), 0);
}

#[tokio::test]
async fn models_on_disk_and_in_memory_are_never_copied() {
    let model = Fixture::new().await;
    let folder = model.dir.path().join("m");
    fs::create_dir(&folder).unwrap();
    let files = [("model.json", JSON.as_bytes().to_vec()), ("a.bin", shard("a.bin")), ("b.bin", shard("b.bin"))];
    for (name, bytes) in &files {
        fs::write(folder.join(name), bytes).unwrap();
    }
    load(folder.to_str().unwrap(), options(&model)).await.unwrap();
    let memory: MemoryFiles = files.into_iter().collect();
    load_from(&FilesHandler::new(Arc::new(memory), "model.json"), options(&model)).await.unwrap();
    assert!(!model.folder().exists());
}

/// A backend of the caller that logs the opened files.
#[derive(Debug)]
struct Hub {
    files: MemoryFiles,
    opened: Mutex<Vec<String>>,
}

impl Hub {
    fn new() -> Arc<Hub> {
        let files = MemoryFiles::new().with("model.json", JSON.as_bytes());
        let files = files.with("a.bin", shard("a.bin")).with("b.bin", shard("b.bin"));
        Arc::new(Hub { files, opened: Mutex::default() })
    }

    fn log(&self) -> Vec<String> {
        let mut log = std::mem::take(&mut *self.opened.lock().unwrap());
        log.sort();
        log
    }
}

impl Files for Hub {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let opened = self.files.open(path, options).await?;
            let what = if matches!(opened.body, Body::Unchanged) { "same" } else { "new" };
            self.opened.lock().unwrap().push(format!("{what} {path}"));
            Ok(opened)
        })
    }
}

#[tokio::test]
async fn any_place_with_a_url_is_cached() {
    let model = Fixture::new().await;
    let hub = Hub::new();
    let without = FilesHandler::new(hub.clone(), "model.json");
    load_from(&without, options(&model)).await.unwrap();
    assert_eq!(hub.log(), ["new a.bin", "new b.bin", "new model.json"]);
    assert_eq!(model.cache().list(), []);
    let handler = without.with_cache_url("hub://models/");
    load_from(&handler, options(&model)).await.unwrap();
    assert_eq!(hub.log(), ["new a.bin", "new b.bin", "new model.json"]);
    load_from(&handler, options(&model)).await.unwrap();
    assert_eq!(hub.log(), ["same model.json"]);
    assert_eq!(model.cache().list()[0].url, "model.json");
    let offline = IoOptions::default().with_cache(model.cache().with_offline(true));
    load_from(&handler, offline).await.unwrap();
    assert_eq!(hub.log(), NONE);
    assert_eq!(model.cache().remove("hub://models/model.json").unwrap(), 1);
}

/// A wrapper that changes the bytes of the files inside, as decryption would.
#[derive(Debug)]
struct Decrypted(Arc<dyn Files>);

fn crypt(bytes: Vec<u8>) -> Vec<u8> {
    bytes.iter().map(|b| b ^ 0x55).collect()
}

impl Files for Decrypted {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let mut opened = self.0.open(path, options).await?;
            let mut bytes = Vec::new();
            match opened.body {
                Body::File(mut local) => drop(local.file.read_to_end(&mut bytes).unwrap()),
                Body::Stream(mut stream) => {
                    while let Some(chunk) = stream.next().await {
                        bytes.extend_from_slice(&chunk?);
                    }
                }
                other => panic!("{other:?}"),
            }
            opened.body = Body::Bytes(crypt(bytes).into());
            Ok(opened)
        })
    }
}

struct DecryptedModel(Arc<dyn IoHandler>);

impl IoHandler for DecryptedModel {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            let mut artifacts = self.0.load(cx).await?;
            if let WeightSource::Files(files) = artifacts.weights {
                artifacts.weights = WeightSource::Files(Arc::new(Decrypted(files)));
            }
            Ok(artifacts)
        })
    }
}

#[tokio::test]
async fn below_a_place_that_decrypts_the_cache_keeps_what_is_encrypted() {
    let model = Fixture::new().await;
    let site = ["a.bin", "b.bin"]
        .into_iter()
        .fold(model.site.clone(), |site, name| site.with(&format!("/m/{name}"), crypt(shard(name))));
    let handler = DecryptedModel(handler(&model.url()));
    load_from(&handler, options(&model)).await.unwrap();
    assert_eq!(site.log(), ALL);
    load_from(&handler, options(&model)).await.unwrap();
    assert_eq!(site.log(), ["304 /m/model.json"]);
    let mut kept: Vec<Vec<u8>> = blobs(&model.folder()).iter().map(|path| fs::read(path).unwrap()).collect();
    kept.sort_by_key(|bytes| std::cmp::Reverse(bytes.len()));
    assert!(kept == [crypt(shard("a.bin")), crypt(shard("b.bin"))]);
}

#[tokio::test]
async fn a_hit_is_read_from_files_on_disk() {
    let model = Fixture::new().await;
    model.load().await;
    let cx = IoCx::new(options(&model));
    let artifacts = handler(&model.url()).load(&cx).await.unwrap();
    let WeightSource::Files(files) = artifacts.weights else { panic!("expected files") };
    let renamed = Arc::new(Renamed { files, opened: Mutex::default() });
    let groups = groups(&[&["a.bin.enc", "b.bin.enc"]]);
    let sink = TestSink::new().group(&[LENGTHS[0] + LENGTHS[1]]);
    let sink = fetch_weights(&WeightSource::Files(renamed.clone()), &groups, sink, &cx).await.unwrap();
    assert!(sink.bytes(0) == weights());
    let opened = std::mem::take(&mut *renamed.opened.lock().unwrap());
    let expected = ["a.bin", "b.bin"].map(|name| (true, model.server.url(&format!("/m/{name}"))));
    assert_eq!(opened, expected);
}

/// A wrapper that uses other names for the files inside, and logs which of them are on disk.
#[derive(Debug)]
struct Renamed {
    files: Arc<dyn Files>,
    opened: Mutex<Vec<(bool, String)>>,
}

impl Files for Renamed {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let opened = self.files.open(path.strip_suffix(".enc").unwrap(), options).await?;
            let on_disk = matches!(opened.body, Body::File(_));
            self.opened.lock().unwrap().push((on_disk, opened.location.clone()));
            Ok(opened)
        })
    }
}

#[tokio::test]
async fn below_a_place_with_other_names_the_cache_works_offline_too() {
    let model = Fixture::new().await;
    let load = async |options: IoOptions| {
        let cx = IoCx::new(options);
        let artifacts = handler(&model.url()).load(&cx).await.unwrap();
        let WeightSource::Files(files) = artifacts.weights else { panic!("expected files") };
        let renamed = WeightSource::Files(Arc::new(Renamed { files, opened: Mutex::default() }));
        let sink = TestSink::new().group(&[LENGTHS[0] + LENGTHS[1]]);
        let sink = fetch_weights(&renamed, &groups(&[&["a.bin.enc", "b.bin.enc"]]), sink, &cx).await.unwrap();
        assert!(sink.bytes(0) == weights());
        assert_eq!(cx.take_warnings(), NONE);
        model.site.log()
    };
    assert_eq!(load(options(&model)).await, ALL);
    assert_eq!(load(options(&model)).await, ["304 /m/model.json"]);
    assert_eq!(load(IoOptions::default().with_cache(model.cache().with_offline(true))).await, NONE);
}

#[tokio::test]
async fn a_transfer_that_is_not_of_the_models_weights_leaves_the_cache_alone() {
    let model = Fixture::new().await;
    model.load().await;
    let cx = IoCx::new(IoOptions::default().with_cache(model.cache().with_offline(true)));
    let artifacts = handler(&model.url()).load(&cx).await.unwrap();
    let other = WeightSource::from(MemoryFiles::new().with("other.bin", vec![7; 4]));
    let sink = TestSink::new().group(&[4]);
    let sink = fetch_weights(&other, &groups(&[&["other.bin"]]), sink, &cx).await.unwrap();
    assert_eq!(sink.bytes(0), [7; 4]);
    drop(artifacts);
    check(&model, &["304 /m/model.json"]).await;
}

#[tokio::test]
async fn progress_is_true_to_the_byte_with_and_without_a_hit() {
    let model = Fixture::new().await;
    let total = (LENGTHS[0] + LENGTHS[1]) as u64;
    for _ in 0..2 {
        let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
        let record = seen.clone();
        let options = options(&model).with_on_progress(move |p| record.lock().unwrap().push(p.clone()));
        load(&model.url(), options).await.unwrap();
        let last = seen.lock().unwrap().last().cloned().unwrap();
        assert_eq!((last.bytes_done, last.bytes_total, last.files_done), (total, Some(total), 2));
    }
}

#[tokio::test]
async fn what_fails_its_checks_is_not_kept() {
    let model = Fixture::new().await;
    let json = model.site.clone();
    // An HTML page instead of the JSON, such as a login page.
    json.put("/m/model.json", "<html>", "ETag: \"login\"");
    check_error(model.load_with(model.cache()).await, Kind::Fetch, "/m/model.json", "returned HTML or XML");
    json.put("/m/model.json", JSON, "ETag: \"1\"");
    // One byte shorter than the manifest says, in a valid HTTP response.
    json.put("/m/b.bin", vec![0; LENGTHS[1] - 1], "ETag: \"short\"");
    check_error(model.load_with(model.cache()).await, Kind::Mismatch, "/m/b.bin", "1 bytes short");
    json.put("/m/b.bin", vec![0; LENGTHS[1] + 1], "ETag: \"long\"");
    check_error(model.load_with(model.cache()).await, Kind::Mismatch, "/m/b.bin", "found 24");
    assert_eq!(model.cache().list(), []);
    assert_eq!(blobs(&model.folder()).len(), 0);
    model.site.log();
    let model = Fixture { site: json.with("/m/b.bin", shard("b.bin")), ..model };
    check(&model, &["200 /m/a.bin", "200 /m/b.bin", "304 /m/model.json"]).await;
}

#[tokio::test]
async fn a_model_in_two_loads_of_a_group_each_is_one_model() {
    let model = Fixture::new().await;
    let by_group = || async {
        let cx = IoCx::new(options(&model));
        let artifacts = handler(&model.url()).load(&cx).await.unwrap();
        for (name, len) in ["a.bin", "b.bin"].into_iter().zip(LENGTHS) {
            let sink = TestSink::new().group(&[len]);
            let sink = fetch_weights(&artifacts.weights, &groups(&[&[name]]), sink, &cx).await.unwrap();
            assert_eq!(sink.bytes(0), shard(name));
        }
        assert_eq!(cx.take_warnings(), NONE);
        model.site.log()
    };
    assert_eq!(by_group().await, ALL);
    assert_eq!(by_group().await, ["304 /m/model.json"]);
    check(&model, &["304 /m/model.json"]).await;
}

#[tokio::test]
async fn models_are_listed_verified_removed_and_cleared() {
    let model = Fixture::new().await;
    let site = model.site.clone().with("/n/model.json", JSON);
    let site = ["a.bin", "b.bin"].into_iter().fold(site, |s, name| s.with(&format!("/n/{name}"), shard(name)));
    let other = model.server.url("/n/model.json");
    model.load().await;
    load(&other, options(&model)).await.unwrap();
    site.log();
    let cache = model.cache();
    let list = cache.list();
    assert_eq!(list.iter().map(|m| m.url.clone()).collect::<Vec<_>>(), [model.url(), other.clone()]);
    assert!(
        list.iter()
            .all(|m| m.bytes > weights().len() as u64 && m.last_used.elapsed().unwrap() < Duration::from_secs(60))
    );
    assert_eq!(cache.verify().unwrap(), []);
    assert_eq!(cache.remove(&other).unwrap(), 1);
    assert_eq!(cache.remove(&other).unwrap(), 0);
    assert_eq!(cache.list().len(), 1);
    check(&model, &["304 /m/model.json"]).await;
    cache.clear().unwrap();
    assert_eq!(cache.list(), []);
    assert_eq!(files_below(&model.folder().join("v1/models")).len(), 0);
    check(&model, &ALL).await;
}

#[tokio::test]
async fn the_models_least_recently_used_make_room() {
    let site = ["k", "l", "m"].into_iter().fold(Site::new(), |site, folder| {
        let site = site.with(&format!("/{folder}/model.json"), JSON);
        site.with(&format!("/{folder}/a.bin"), shard("a.bin")).with(&format!("/{folder}/b.bin"), shard("b.bin"))
    });
    let model = Fixture::of(site).await;
    let url = |folder: &str| model.server.url(&format!("/{folder}/model.json"));
    // The limit is enough for two models, but not for three.
    let options = || IoOptions::default().with_cache(model.cache().with_max_bytes(weights().len() as u64 * 5 / 2));
    let names = || model.cache().list().into_iter().map(|m| m.url).collect::<Vec<_>>();
    for folder in ["k", "l", "k", "m"] {
        load(&url(folder), options()).await.unwrap();
    }
    assert_eq!(names(), [url("k"), url("m")]);
    // A model in use is kept, although it is the least recently used one.
    let cx = IoCx::new(options());
    let artifacts = handler(&url("k")).load(&cx).await.unwrap();
    let groups = groups(&[&["a.bin", "b.bin"]]);
    let open = open_weights(&artifacts.weights, &groups, &TensorLayout::default(), &cx).await.unwrap();
    load(&url("m"), options()).await.unwrap();
    load(&url("l"), options()).await.unwrap();
    assert_eq!(names(), [url("k"), url("l")]);
    check_error(model.cache().remove(&url("k")), Kind::Fetch, "/k/model.json", "a load is using this model");
    assert_eq!(model.cache().clear().unwrap_err().kind(), Kind::Fetch);
    drop(open);
    model.cache().clear().unwrap();
    assert_eq!(names(), NONE);
    // A model larger than the limit is kept if it is the only one.
    let tiny = || IoOptions::default().with_cache(model.cache().with_max_bytes(1));
    load(&url("k"), tiny()).await.unwrap();
    load(&url("l"), tiny()).await.unwrap();
    assert_eq!(names(), [url("l")]);
}

/// A backend with a hostile validator.
#[derive(Debug)]
struct Liar;

impl Files for Liar {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            if options.if_none_match.is_some() {
                return Err(Error::bug("a validator that is no header was sent back"));
            }
            let bytes = if path == "model.json" { JSON.as_bytes().to_vec() } else { shard(path) };
            let opened = Opened::new(path, Body::Bytes(Bytes::from(bytes)));
            Ok(opened.with_validator(Validator::strong("../../../etc/passwd\r\nX: y\0")))
        })
    }
}

#[tokio::test]
async fn no_text_of_a_server_becomes_a_name_of_a_file() {
    let model = Fixture::new().await;
    for _ in 0..2 {
        let handler = FilesHandler::new(Arc::new(Liar), "model.json").with_cache_url("hub://../../../../etc/\0");
        load_from(&handler, options(&model)).await.unwrap();
    }
    let files = files_below(model.dir.path());
    // Two locks, two records, two files.
    assert_eq!(files.len(), 6, "{files:?}");
    for path in files {
        assert!(path.starts_with(model.folder().join("v1")), "{}", path.display());
        let name = path.file_name().unwrap().to_str().unwrap();
        let stem = name.strip_suffix(".head").or_else(|| name.strip_suffix(".model")).unwrap_or(name);
        let hash = stem.len() == 64 && stem.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(hash || ["head", "model"].contains(&name), "{name}");
    }
}

/// Shorter than the header of gzip data, which is looked for, and without a length in advance.
#[tokio::test]
async fn a_short_file_of_unknown_length_is_loaded_and_cached() {
    for (bytes, loads) in [(&b"abc"[..], true), (b"", false)] {
        let server = FaultServer::start(move |request| match request.target.ends_with(".json") {
            true => Reply::ok(JSON),
            false => Reply::chunked(&[bytes]),
        })
        .await;
        let dir = tempfile::tempdir().unwrap();
        let options = IoOptions::default().with_cache(Cache::new(dir.path().join("cache")).with_offline(false));
        let sink = TestSink::new().group(&[3]);
        let loaded = io_harness::load::load(&server.url("/model.json"), &[&["a.bin"]], sink, options).await;
        match loads {
            true => assert_eq!(loaded.unwrap().1.bytes(0), bytes),
            false => drop(check_error(loaded, Kind::Mismatch, "a.bin", "")),
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_folder_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let model = Fixture::new().await;
    model.load().await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&model.folder()), 0o700);
    for path in blobs(&model.folder()) {
        assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o700, 0o600));
    }
}

#[test]
fn the_default_folder_is_one() {
    // The environment of a test process is not known, so no specific value is expected.
    assert!(
        Cache::default_folder().is_ok_and(|folder| !folder.as_os_str().is_empty())
            || std::env::var_os("HOME").is_none()
    );
}
