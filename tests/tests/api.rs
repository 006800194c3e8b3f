//! All sources of a model, the report of a load, and cancelling a load.

use harness::small::{Small, check_error, two_to_one};
use io_harness::archives::{ZipEntry, zip};
use io_harness::fault_server::{FaultServer, Reply};
use io_harness::sha256;
use serde_json::json;
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tfjs::parts::io::{
    BoxFuture, Bytes, IoCx, IoHandler, MemoryHandler, MemoryStore, ModelArtifacts, Registry, SaveArtifacts,
    WeightSource,
};
use tfjs::{ArchiveHandler, Checksums, Error, Input, Kind, LayersModel, LoadOptions, Result, Source};

#[track_caller]
fn check_predicts(model: &LayersModel) {
    let output = model.predict(Input::new([10.0, 100.0], [1, 2]).unwrap()).unwrap().into_single().unwrap();
    assert_eq!(output.to_vec2::<f32>().unwrap(), [[321.0]]);
}

fn weights() -> Bytes {
    Bytes::from(two_to_one().files[0].1.clone())
}

fn in_folder(model: &Small) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(folder.path().join("model.json"), model.text()).expect("it can be written");
    for (name, bytes) in &model.files {
        std::fs::write(folder.path().join(name), bytes).expect("it can be written");
    }
    folder
}

fn load(source: impl Into<Source>) -> Result<LayersModel> {
    tfjs::blocking::load_layers_model(source, LoadOptions::new())
}

#[test]
fn from_memory() {
    let source = Source::handler(MemoryHandler::new(two_to_one().text(), WeightSource::from(weights())));
    let model = load(source).unwrap();
    check_predicts(&model);
    assert_eq!(model.report().location, "memory");
}

#[test]
fn from_a_path_a_folder_and_a_file_url() {
    let folder = in_folder(&two_to_one());
    let path = folder.path().join("model.json");
    let text = path.to_str().expect("a plain path").to_string();
    check_predicts(&load(text.as_str()).unwrap());
    check_predicts(&load(folder.path().to_str().unwrap()).unwrap());
    check_predicts(&load(format!("file://{text}")).unwrap());
    check_predicts(&load(Source::try_from(path.as_path()).unwrap()).unwrap());
    check_predicts(&load(Source::try_from(folder.path().to_path_buf()).unwrap()).unwrap());
}

#[test]
fn a_path_that_is_not_there_and_a_scheme_nobody_knows() {
    check_error(load("no/such/model.json"), Kind::Fetch, "no/such/model.json", "");
    check_error(
        load("gopher://h/model.json"),
        Kind::Misuse,
        "gopher://h/model.json",
        "unknown scheme `gopher`; known are",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_server() {
    let model = two_to_one();
    let (text, bytes) = (model.text(), weights());
    let server = FaultServer::start(move |request| match request.target.as_str() {
        "/m/model.json" => Reply::ok(&text),
        "/m/w.bin" => Reply::ok(&bytes),
        _ => Reply::status("404 Not Found", &[], ""),
    })
    .await;
    let model = tfjs::load_layers_model(server.url("/m/model.json"), LoadOptions::new()).await.unwrap();
    check_predicts(&model);
    assert_eq!(model.report().location, server.url("/m/model.json"));
    let error = tfjs::load_layers_model(server.url("/n/model.json"), LoadOptions::new()).await;
    check_error(error, Kind::Fetch, "/n/model.json", "404");
}

/// A minimal handler.
struct Vault(AtomicUsize);

impl IoHandler for Vault {
    fn load<'a>(&'a self, _cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            Ok(ModelArtifacts::new(
                "vault",
                two_to_one().text(),
                WeightSource::Whole(vec![weights().slice(..5), weights().slice(5..)]),
            ))
        })
    }
}

#[test]
fn from_a_handler_of_ones_own() {
    let vault = Arc::new(Vault(AtomicUsize::new(0)));
    let model = load(Source::from(vault.clone() as Arc<dyn IoHandler>)).unwrap();
    check_predicts(&model);
    assert_eq!((model.report().location.as_str(), vault.0.load(Ordering::SeqCst)), ("vault", 1));
}

/// A handler that fails with a custom error.
struct Broken;

impl IoHandler for Broken {
    fn load<'a>(&'a self, _cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async { Err(Error::custom("the key is lost")) })
    }
}

#[test]
fn the_cause_of_a_handlers_failure_is_kept() {
    let error = check_error(load(Source::handler(Broken)), Kind::Custom, "", "a custom handler or layer failed");
    let cause = std::error::Error::source(&error).expect("the handler's own error");
    assert_eq!(cause.to_string(), "the key is lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_scheme_of_ones_own() {
    let registry = Registry::default().with("mem", MemoryStore::new());
    let cx = IoCx::with_registry(tfjs::IoOptions::default(), registry.clone());
    let handler = registry.resolve(&tfjs::parts::io::ModelUrl::parse("mem://two").unwrap()).unwrap();
    let artifacts = SaveArtifacts::new(two_to_one().text(), vec![("w.bin".to_string(), weights())]);
    handler.save(artifacts, &cx).await.unwrap();
    let options = LoadOptions::new().with_registry(registry);
    check_predicts(&tfjs::load_layers_model("mem://two", options).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn blocking_inside_a_runtime_is_misuse() {
    check_error(load("anything"), Kind::Misuse, "", "await the async function instead");
}

#[tokio::test]
async fn a_runtime_of_one_thread_is_enough() {
    let folder = in_folder(&two_to_one());
    let model = tfjs::load_layers_model(folder.path().to_str().unwrap(), LoadOptions::new()).await.unwrap();
    check_predicts(&model);
}

#[test]
fn awaiting_without_a_runtime_is_misuse_and_no_panic() {
    let folder = in_folder(&two_to_one());
    let memory = || Source::handler(MemoryHandler::new(two_to_one().text(), WeightSource::from(weights())));
    for source in
        [Source::from(folder.path().to_str().unwrap()), memory(), Source::from("http://127.0.0.1:9/model.json")]
    {
        let mut future = pin!(tfjs::load_layers_model(source, LoadOptions::new()));
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => check_error(result, Kind::Misuse, "", "tokio runtime"),
            Poll::Pending => panic!("it would wait for ever"),
        };
    }
}

#[test]
fn from_an_archive_in_memory_and_a_data_url() {
    let model = two_to_one();
    let files: Vec<ZipEntry> = model.files.iter().map(|(name, bytes)| ZipEntry::stored(name, bytes)).collect();
    let archive = zip(&[&[ZipEntry::deflated("model.json", &model.text())], &files[..]].concat());
    let loaded = load(Source::handler(ArchiveHandler::from_bytes(archive))).unwrap();
    check_predicts(&loaded);
    assert_eq!(loaded.report().location, "memory!/model.json");

    let folder = in_folder(&model);
    let prefix = format!("file://{}/", folder.path().display());
    let url = format!("data:application/json,{}", String::from_utf8(model.text()).unwrap().replace('%', "%25"));
    let options = LoadOptions::new().with_weight_path_prefix(prefix);
    check_predicts(&tfjs::blocking::load_layers_model(url.clone(), options).unwrap());
    check_error(load(url), Kind::Misuse, "data:", "cannot be beside a `data:` URL");
}

#[test]
fn only_the_files_whose_sums_are_known() {
    let model = two_to_one();
    let folder = in_folder(&model);
    let path = folder.path().to_str().unwrap();
    let (name, bytes) = &model.files[0];
    let json = sha256(&model.text());
    let load = |json: &str, weights: &str| {
        let options = LoadOptions::new().with_sha256("model.json", json).with_sha256(name, weights);
        tfjs::blocking::load_layers_model(path, options)
    };
    check_predicts(&load(&json, &sha256(bytes)).unwrap());
    let error = load(&json, &sha256(b"")).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    assert!(error.place().file.as_deref().unwrap().ends_with(name), "{error:?}");
    let error = load(&sha256(b""), &sha256(bytes)).unwrap_err();
    assert!(error.place().file.as_deref().unwrap().ends_with("model.json"), "{error:?}");
    let strict = LoadOptions::new().with_checksums(Checksums::new().with("model.json", json).with_strict(true));
    assert_eq!(tfjs::blocking::load_layers_model(path, strict).unwrap_err().kind(), Kind::Mismatch);
}

#[test]
fn the_report_says_what_happened() {
    let mut model = two_to_one();
    model.json["generatedBy"] = json!("keras v2.15.0");
    model.json["modelTopology"]["model_config"]["config"]["layers"][0]["config"]["flavour"] = json!("sweet");
    let progress = Arc::new(Mutex::new(Vec::new()));
    let seen = progress.clone();
    let options = LoadOptions::new().with_on_progress(move |p| seen.lock().unwrap().push(p.fraction()));
    let loaded = model.load_with(options).unwrap();
    let report = loaded.report();
    assert_eq!(report.location, "model.json");
    assert_eq!(report.producer.as_ref().unwrap().to_string(), "Keras 2 (2.15.0)");
    assert_eq!(report.model_json_bytes, model.text().len() as u64);
    assert_eq!((report.files, report.weight_file_bytes, report.weight_bytes), (1, 12, 12));
    assert_eq!(report.matched.values().sum::<usize>(), 2);
    assert!(report.unused.is_empty() && report.reference_layers.is_empty(), "{report:?}");
    assert!(report.warnings.len() == 1 && report.warnings[0].contains("`flavour`"), "{:?}", report.warnings);
    let phases: Vec<&str> = report.times.iter().map(|(phase, _)| *phase).collect();
    assert_eq!(phases, ["model.json", "resolve", "weights", "build"]);
    let progress = progress.lock().unwrap();
    assert_eq!(progress.last().copied(), Some(1.0), "{progress:?}");
    assert!(progress.is_sorted(), "{progress:?}");
}

#[test]
fn quantized_bytes_and_values_are_counted_apart() {
    let mut model = two_to_one();
    for i in 0..2 {
        model.json["weightsManifest"][0]["weights"][i]["quantization"] =
            json!({"dtype": "uint8", "min": 0, "scale": 0.5});
    }
    model.files[0].1 = vec![2, 4, 6];
    let model = model.load().unwrap();
    assert_eq!((model.report().weight_file_bytes, model.report().weight_bytes), (3, 12));
    let output = model.predict(Input::new([1.0, 10.0], [1, 2]).unwrap()).unwrap().into_single().unwrap();
    assert_eq!(output.to_vec2::<f32>().unwrap(), [[24.0]]);
}

#[test]
fn what_the_file_says_can_be_read_back() {
    let mut model = two_to_one();
    model.json["userDefinedMetadata"] = json!({"labels": ["a"]});
    let model = model.load().unwrap();
    assert_eq!(model.metadata(), Some(&json!({"labels": ["a"]})));
    assert_eq!(model.name(), "m");
    assert_eq!(model.inputs().map(|p| format!("{} {}", p.name, p.shape)).collect::<Vec<_>>(), ["d_input [?,2]"]);
    assert_eq!(model.outputs().map(|p| format!("{} {}", p.name, p.shape)).collect::<Vec<_>>(), ["d [?,1]"]);
    assert_eq!(model.weight("d/kernel").unwrap().to_vec2::<f32>().unwrap(), [[2.0], [3.0]]);
    check_error(model.weight("d/kernal"), Kind::Misuse, "", "no weight `d/kernal`");
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_load_stops_its_traffic() {
    let text = two_to_one().text();
    let server = FaultServer::start(move |request| match request.target.as_str() {
        "/model.json" => Reply::ok(&text),
        _ => {
            let head = Reply::head("200 OK", &["Content-Length: 12"]);
            (0..1000).fold(head, |reply, _| reply.then([0; 0]).pause(Duration::from_millis(20)).then(" "))
        }
    })
    .await;
    let url = server.url("/model.json");
    let load = tokio::spawn(async move { tfjs::load_layers_model(url, LoadOptions::new()).await });
    wait_until(|| server.targets().contains(&"/w.bin".to_string()) && server.replying() == 1).await;
    load.abort();
    assert!(load.await.expect_err("it was called off").is_cancelled());
    wait_until(|| server.replying() == 0).await;
}

async fn wait_until(done: impl Fn() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never happened");
}

#[test]
fn every_shipped_model_loads() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let mut loaded = 0;
    for entry in std::fs::read_dir(&models).into_iter().flatten().flatten() {
        if entry.path().join("model.json").exists() {
            let path = entry.path();
            load(path.to_str().expect("plain names")).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            loaded += 1;
        }
    }
    assert!(loaded > 0, "the models are checked in");
}
