//! Models in archives: loading from every source, archives written by real tools, and saving.

use bytes::Bytes;
use io_harness::archives::{ZipEntry, gzip, tar, zip};
use io_harness::fault_server::{FaultServer, Reply};
use io_harness::load::{check_error, load, load_with};
use io_harness::sink::{TestSink, pattern};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tfjs_io::{
    ArchiveFiles, ArchiveHandler, Files, FilesHandler, IoCx, IoHandler, IoOptions, MemoryFiles, MemoryHandler,
    ModelUrl, OpenOptions, Phase, Registry, SaveArtifacts, WeightSource, fetch_weights,
};
use tfjs_manifest::{Kind, Limits};

/// Lengths of the two weight files of the small model, which are one group.
const A: usize = 5;
const B: usize = (1 << 20) + 12_345;

/// The JSON of a model with these weights.
fn model_json() -> String {
    let weights = format!(r#"{{"name": "w", "shape": [{}], "dtype": "uint8"}}"#, A + B);
    let group = format!(r#"{{"paths": ["./a.bin", "w/b.bin"], "weights": [{weights}]}}"#);
    format!(r#"{{"modelTopology": {{"a": 1}}, "weightsManifest": [{group}]}}"#)
}

fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let all = pattern(A + B);
    let named = |name: &str| format!("{folder}{name}");
    vec![
        (named("model.json"), model_json().into_bytes()),
        (named("w/b.bin"), all[A..].to_vec()),
        (named("a.bin"), all[..A].to_vec()),
        (named("metadata.json"), b"{\"labels\": []}".to_vec()),
    ]
}

fn as_zip(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let entries = files.iter().enumerate().map(|(i, (name, data))| match i % 2 {
        0 => ZipEntry::stored(name, data),
        _ => ZipEntry::deflated(name, data),
    });
    zip(&entries.collect::<Vec<_>>())
}

fn as_tar(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    tar(&files.iter().map(|(name, data)| (&name[..], &data[..])).collect::<Vec<_>>())
}

fn sink() -> TestSink {
    TestSink::new().group(&[4, 4 << 10]).skip(1 << 10).piece(A + B - 4 - (5 << 10))
}

const GROUPS: &[&[&str]] = &[&["./a.bin", "w/b.bin"]];

#[track_caller]
fn check_loaded(loaded: &(Bytes, TestSink)) {
    let all = pattern(A + B);
    assert_eq!(loaded.0, model_json().as_bytes());
    assert!(loaded.1.bytes(0) == [&all[..4 + (4 << 10)], &all[4 + (5 << 10)..]].concat());
}

async fn check_url(url: &str) {
    let loaded = load(url, GROUPS, sink(), IoOptions::default()).await.unwrap_or_else(|e| panic!("{url}: {e:?}"));
    check_loaded(&loaded);
}

async fn check_path(path: &Path) {
    check_url(path.to_str().unwrap()).await;
}

#[tokio::test]
async fn a_path_that_ends_so_is_an_archive() {
    let dir = tempfile::tempdir().unwrap();
    for folder in ["", "digits/", "a/b/c/"] {
        let files = files(folder);
        for (name, bytes) in [
            ("m.zip", as_zip(&files)),
            ("M.ZIP", as_zip(&files)),
            ("m.tar", as_tar(&files)),
            ("m.tar.gz", gzip(&as_tar(&files))),
            ("m.TGZ", gzip(&as_tar(&files))),
        ] {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            check_path(&path).await;
            check_url(&format!("file://{}", path.display())).await;
        }
    }
}

#[tokio::test]
async fn a_file_that_begins_so_is_an_archive_by_any_name() {
    let dir = tempfile::tempdir().unwrap();
    for bytes in [as_zip(&files("m/")), as_tar(&files("m/")), gzip(&as_tar(&files("m/")))] {
        for name in ["model", "model.json", "m.zip"] {
            fs::write(dir.path().join(name), &bytes).unwrap();
            check_path(&dir.path().join(name)).await;
        }
    }
}

#[tokio::test]
async fn a_folder_is_one_whatever_it_is_called() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("m.zip");
    fs::create_dir_all(folder.join("w")).unwrap();
    for (name, bytes) in files("") {
        fs::write(folder.join(name), bytes).unwrap();
    }
    check_path(&folder).await;
    check_path(&folder.join("model.json")).await;
}

#[tokio::test]
async fn what_macos_and_teachable_machine_add_is_no_model() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = files("my model/");
    files[0].0 = "my model/my-model.json".to_owned();
    for name in ["__MACOSX/my model/._my-model.json", "my model/._a.bin", "my model/.DS_Store", "my model/"] {
        files.push((name.to_owned(), Vec::new()));
    }
    fs::write(dir.path().join("m.zip"), as_zip(&files)).unwrap();
    check_path(&dir.path().join("m.zip")).await;
}

#[tokio::test]
async fn one_of_several_models_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.tar");
    fs::write(&path, as_tar(&[files("a/"), files("b/")].concat())).unwrap();
    let path = path.to_str().unwrap();
    let result = load(path, GROUPS, sink(), IoOptions::default()).await;
    check_error(result, Kind::Fetch, "m.tar", "several models: `a/model.json`, `b/model.json`; name one");
    check_url(&format!("{path}!/b/model.json")).await;
    let result = load(&format!("{path}!/c/model.json"), GROUPS, sink(), IoOptions::default()).await;
    check_error(result, Kind::Fetch, "m.tar!/c/model.json", "no such file in the archive; it has `a/a.bin`");
    // The URL may name any file of the archive.
    let (json, _) =
        load(&format!("{path}!/a/metadata.json"), &[], TestSink::new(), IoOptions::default()).await.unwrap();
    assert_eq!(&json[..], b"{\"labels\": []}");
}

#[tokio::test]
async fn errors_name_the_file_in_the_archive() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.zip");
    fs::write(&path, as_zip(&files("m/"))).unwrap();
    let path = path.to_str().unwrap();
    let result = load(path, &[&["a.bin", "c.bin"]], sink(), IoOptions::default()).await;
    check_error(result, Kind::Fetch, "m.zip!/m/c.bin", "no such file in the archive");
    let result = load(path, &[&["a.bin", "../model.json"]], sink(), IoOptions::default()).await;
    check_error(result, Kind::Malformed, "../model.json", "leaves the model's folder");
    let result = load(path, &[&["a.bin"]], sink(), IoOptions::default()).await;
    check_error(result, Kind::Mismatch, "m.zip!/m/a.bin", "");
    let missing = load("no/such.zip", &[], TestSink::new(), IoOptions::default()).await;
    check_error(missing, Kind::Fetch, "such.zip", "no such file");
}

#[tokio::test]
async fn a_url_whose_path_ends_so_is_fetched_once() {
    for (name, bytes) in [
        ("m.zip", as_zip(&files("m/"))),
        ("m.tar", as_tar(&files(""))),
        ("m.tar.gz", gzip(&as_tar(&files("m/")))),
        ("M.Tgz", gzip(&as_tar(&files("")))),
    ] {
        let server = FaultServer::start(move |_| Reply::ok(&bytes)).await;
        check_url(&server.url(&format!("/a/{name}?token=1/2.json"))).await;
        let requests = server.requests();
        assert_eq!(requests.len(), 1, "{name}");
        assert_eq!(requests[0].target, format!("/a/{name}?token=1/2.json"));
        assert_eq!(requests[0].header("accept-encoding"), Some("identity"));
    }
}

#[tokio::test]
async fn one_of_several_models_at_a_url_is_named() {
    let bytes = as_zip(&[files("a/"), files("b/")].concat());
    let server = FaultServer::start(move |_| Reply::ok(&bytes)).await;
    check_url(&server.url("/m.zip!/b/model.json?t=1")).await;
    assert_eq!(server.targets(), ["/m.zip?t=1"]);
}

#[tokio::test]
async fn archives_at_urls_fail_as_files_do() {
    let load = async |reply: Reply, options: IoOptions| {
        let server = FaultServer::start(move |_| reply.clone()).await;
        load(&server.url("/m.zip?sig=secret"), GROUPS, sink(), options).await
    };
    let error = load(Reply::status("404 Not Found", &[], ""), IoOptions::default()).await;
    let error = check_error(error, Kind::Fetch, "/m.zip?sig=…", "404");
    assert!(!format!("{error:?}").contains("secret"));
    let page = load(Reply::ok("<!doctype html>"), IoOptions::default()).await;
    check_error(page, Kind::Malformed, "/m.zip?sig=…", "not an archive");
    let mut limits = Limits::default();
    limits.archive_bytes = 1000;
    let options = IoOptions::default().with_limits(limits);
    let large = load(Reply::ok(vec![0; 1001]), options.clone()).await;
    check_error(large, Kind::Limit, "/m.zip?sig=…", "limit `archive_bytes`: allowed 1000, asked 1001");
    let chunks: Vec<&[u8]> = vec![&[0; 600]; 9];
    let large = load(Reply::chunked(&chunks), options).await;
    check_error(large, Kind::Limit, "/m.zip?sig=…", "limit `archive_bytes`: allowed 1000");
}

#[tokio::test]
async fn the_weights_of_an_archive_can_be_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files("") {
        fs::create_dir_all(dir.path().join("w")).unwrap();
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let path = dir.path().join("m.zip");
    fs::write(&path, zip(&[ZipEntry::stored("model.json", model_json().as_bytes())])).unwrap();
    let options = IoOptions::default().with_weight_path_prefix(dir.path().to_str().unwrap());
    check_loaded(&load(path.to_str().unwrap(), GROUPS, sink(), options).await.unwrap());
}

#[tokio::test]
async fn bytes_in_memory_are_an_archive_too() {
    for bytes in [as_zip(&files("m/")), as_tar(&files("")), gzip(&as_tar(&files("")))] {
        let handler = ArchiveHandler::from_bytes(bytes.clone());
        check_loaded(&load_with(&handler, GROUPS, sink(), IoOptions::default()).await.unwrap());
        let files = ArchiveFiles::from_bytes("m", bytes, &Limits::default()).unwrap();
        assert_eq!(files.verify().unwrap(), (A + B + model_json().len() + 14) as u64);
        check_loaded(&load_with(&ArchiveHandler::from(files), GROUPS, sink(), IoOptions::default()).await.unwrap());
    }
}

#[tokio::test]
async fn an_archive_is_a_place_of_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.zip");
    fs::write(&path, as_zip(&files("m/"))).unwrap();
    let files = ArchiveFiles::open(&path, &Limits::default()).await.unwrap();
    assert_eq!(files.names(), ["m/a.bin", "m/metadata.json", "m/model.json", "m/w/b.bin"]);
    assert_eq!(files.list("m/m").await.unwrap(), ["m/metadata.json", "m/model.json"]);
    assert_eq!(files.model_json().unwrap(), "m/model.json");
    let opened = files.open("m/w/b.bin", OpenOptions::default()).await.unwrap();
    assert_eq!((opened.len, opened.ranges), (Some(B as u64), false));
    assert!(opened.location.ends_with("m.zip!/m/w/b.bin"));
    let refused = files.put("m/x", Bytes::new().into()).await;
    check_error(refused, Kind::Unsupported, "m/x", "cannot be written to");
    let handler = FilesHandler::new(Arc::new(files), "m/metadata.json");
    assert!(handler.location().ends_with("m.zip!/m/metadata.json"));
}

#[tokio::test]
async fn a_large_tar_gz_is_inflated_beside_the_memory() {
    // More than is kept in memory while inflating.
    let large = pattern(20 << 20);
    let bytes = gzip(&tar(&[("w.bin", &large), ("model.json", b"{}")]));
    let server = FaultServer::start(move |_| Reply::ok(&bytes)).await;
    let sink = TestSink::new().group(&[20 << 20]);
    let (_, sink) = load(&server.url("/m.tgz"), &[&["w.bin"]], sink, IoOptions::default()).await.unwrap();
    assert!(sink.bytes(0) == large);
}

#[tokio::test]
async fn progress_has_a_phase_for_the_archive() {
    let bytes = as_zip(&files("m/"));
    let len = bytes.len() as u64;
    let server = FaultServer::start(move |_| Reply::ok(&bytes)).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let all = seen.clone();
    let options = IoOptions::default().with_on_progress(move |p| all.lock().unwrap().push(p.clone()));
    load(&server.url("/m.zip"), GROUPS, sink(), options).await.unwrap();
    let seen = seen.lock().unwrap();
    let last = |phase| seen.iter().rfind(|p| p.phase == phase).unwrap();
    assert_eq!((last(Phase::Archive).bytes_done, last(Phase::Archive).bytes_total), (len, Some(len)));
    assert_eq!(last(Phase::ModelJson).bytes_done, model_json().len() as u64);
    assert_eq!((last(Phase::Weights).bytes_done, last(Phase::Weights).fraction()), ((A + B) as u64, 1.0));
    assert_eq!(seen[0].phase, Phase::Archive);
}

#[tokio::test]
async fn an_archive_that_changes_while_it_is_read_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.tar");
    fs::write(&path, as_tar(&files(""))).unwrap();
    let cx = IoCx::default();
    let handler = Registry::default().resolve(&ModelUrl::from_path(&path)).unwrap();
    let artifacts = handler.load(&cx).await.unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, b"more").unwrap();
    let groups = io_harness::load::groups(GROUPS);
    let result = fetch_weights(&artifacts.weights, &groups, sink(), &cx).await;
    // Several files are read at a time, so the error may name any of them.
    check_error(result, Kind::Mismatch, ".bin", "the archive changed while it was read");
}

fn made(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/archives").join(name)
}

/// Checks the contents that `make.sh` put into each archive.
async fn check_made(name: &str, weights: &str) {
    let sink = TestSink::new().group(&[1024]);
    let loaded = load(made(name).to_str().unwrap(), &[&[weights]], sink, IoOptions::default()).await;
    let (json, sink) = loaded.unwrap_or_else(|e| panic!("{name}: {e:?}"));
    assert_eq!(&json[..], b"{}");
    assert_eq!(sink.bytes(0), (0..1024).map(|i| i as u8).collect::<Vec<u8>>(), "{name}");
}

#[tokio::test]
async fn what_real_tools_make_loads() {
    for name in [
        "info-zip.zip",
        "info-zip-stored.zip",
        "info-zip-stream.zip",
        "self-extracting.zip",
        "python.zip",
        "python-zip64.zip",
        "gnu-v7.tar",
        "gnu-oldgnu.tar",
        "gnu-gnu.tar",
        "gnu-ustar.tar",
        "gnu-posix.tar",
        "gnu.tar.gz",
    ] {
        check_made(name, "weights.bin").await;
    }
    let long = "weights-of-a-name-that-is-too-long-for-the-header-of-a-tar/".repeat(3) + "weights.bin";
    check_made("python-gnu-long.tar", &long).await;
    check_made("python-pax-long.tar", &long).await;
}

#[tokio::test]
async fn what_real_tools_encrypt_or_compress_otherwise_is_refused_by_name() {
    let load = async |name: &str| {
        load(made(name).to_str().unwrap(), &[&["weights.bin"]], TestSink::new().group(&[1024]), IoOptions::default())
            .await
    };
    let refused = async |name| ArchiveFiles::open(made(name), &Limits::default()).await;
    check_error(load("info-zip-encrypted.zip").await, Kind::Unsupported, "zip!/m/model.json", "is encrypted");
    let files = refused("info-zip-encrypted.zip").await.unwrap();
    let result = files.open("m/weights.bin", OpenOptions::default()).await;
    check_error(result, Kind::Unsupported, "info-zip-encrypted.zip!/m/weights.bin", "is encrypted");
    for (name, method) in [("python-bzip2.zip", "bzip2"), ("python-lzma.zip", "lzma")] {
        let files = refused(name).await.unwrap();
        let result = files.open("m/weights.bin", OpenOptions::default()).await;
        check_error(result, Kind::Unsupported, "m/weights.bin", &format!("compressed with {method}"));
    }
}

fn saved() -> SaveArtifacts {
    let weights = files("").into_iter().filter(|(name, _)| name.ends_with(".bin"));
    SaveArtifacts::new(model_json(), weights.map(|(name, bytes)| (name, bytes.into())).collect())
}

#[tokio::test]
async fn saving_to_a_zip_and_loading_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.zip");
    let handler = Registry::default().resolve(&ModelUrl::from_path(&path)).unwrap();
    for _ in 0..2 {
        let result = handler.save(saved(), &IoCx::default()).await.unwrap();
        assert_eq!((result.files, result.bytes), (3, (model_json().len() + A + B) as u64));
        assert_eq!(result.location, path.display().to_string());
        check_path(&path).await;
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let handler = ArchiveHandler::new(ModelUrl::from_path(&path));
    handler.save(saved(), &IoCx::default()).await.unwrap();
    check_loaded(&load_with(&handler, GROUPS, sink(), IoOptions::default()).await.unwrap());
}

#[tokio::test]
async fn a_failed_save_to_a_zip_leaves_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.zip");
    fs::write(&path, as_zip(&files(""))).unwrap();
    let handler = ArchiveHandler::new(ModelUrl::from_path(&path));
    for name in ["../x", "model.json", "/x"] {
        let bad = SaveArtifacts::new("{}", vec![(name.to_owned(), Bytes::new())]);
        check_error(handler.save(bad, &IoCx::default()).await, Kind::Misuse, name, "");
    }
    let long = SaveArtifacts::new("{}", vec![("x".repeat(1025), Bytes::new())]);
    handler.save(long, &IoCx::default()).await.unwrap_err();
    check_path(&path).await;
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let nowhere = ArchiveHandler::new(ModelUrl::from_path(dir.path().join("no/m.zip")));
    check_error(nowhere.save(saved(), &IoCx::default()).await, Kind::Fetch, "m.zip", "cannot write");
}

#[tokio::test]
async fn other_archives_and_places_are_not_written() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["m.tar", "m.tgz", "m.tar.gz"] {
        let handler = Registry::default().resolve(&ModelUrl::from_path(dir.path().join(name))).unwrap();
        check_error(
            handler.save(saved(), &IoCx::default()).await,
            Kind::Unsupported,
            name,
            "expected an archive that ends in `.zip`",
        );
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let handler = Registry::default().resolve(&ModelUrl::parse("http://h/m.zip").unwrap()).unwrap();
    check_error(handler.save(saved(), &IoCx::default()).await, Kind::Unsupported, "/m.zip", "on disk only");
    let handler = ArchiveHandler::from_bytes(Bytes::new());
    check_error(handler.save(saved(), &IoCx::default()).await, Kind::Unsupported, "memory", "on disk only");
}

/// Bytes of `include_bytes!` are used without a copy and without an archive.
#[tokio::test]
async fn static_bytes_are_files() {
    static JSON: &[u8] = b"{\"a\": 1}";
    static WEIGHTS: &[u8] = include_bytes!("../data/archives/info-zip.zip");
    let files = MemoryFiles::new().with("w.bin", Bytes::from_static(WEIGHTS));
    let handler = MemoryHandler::new(Bytes::from_static(JSON), WeightSource::from(files));
    let sink = TestSink::new().group(&[WEIGHTS.len()]);
    let (json, sink) = load_with(&handler, &[&["w.bin"]], sink, IoOptions::default()).await.unwrap();
    assert_eq!((json.as_ptr(), sink.bytes(0)), (JSON.as_ptr(), WEIGHTS.to_vec()));
}
