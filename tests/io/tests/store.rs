//! The model store: listing, the files after copies and moves at both ends, and files that it never changes.

use bytes::Bytes;
use futures_util::StreamExt;
use io_harness::fault_server::{FaultServer, Reply};
use io_harness::form_server::FormServer;
use io_harness::load::check_error;
use io_harness::sink::pattern;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tfjs_io::{
    Body, BoxFuture, Files, FilesHandler, IoCx, IoHandler, IoOptions, MemoryFiles, MemoryHandler, MemoryStore,
    ModelStore, ModelUrl, ObjectFiles, OpenOptions, Opened, Registry, Result, WeightSource,
};
use tfjs_manifest::{Error, Kind};

/// A JSON with one group of these files, with this number of bytes.
fn model(paths: &[&str], bytes: usize) -> String {
    let weights = json!([{"name": "w", "shape": [bytes], "dtype": "uint8"}]);
    let json = json!({"modelTopology": {}, "weightsManifest": [{"paths": paths, "weights": weights}]});
    json.to_string()
}

/// A folder, a store for it and `mem://`, and the models in memory.
struct Home {
    dir: tempfile::TempDir,
    memory: MemoryStore,
    store: ModelStore,
}

impl Home {
    fn new() -> Home {
        Self::with("mem2", |_: &ModelUrl| Err(Error::bug("not used")))
    }

    fn with(scheme: &str, what: impl tfjs_io::Scheme + 'static) -> Home {
        let memory = MemoryStore::new();
        let registry = Registry::default().with("mem", memory.clone()).with(scheme, what);
        Home { dir: tempfile::tempdir().unwrap(), memory, store: ModelStore::new(registry) }
    }

    /// A model of two files, `a.bin` and `sub/b.bin`, in this folder.
    fn put(&self, folder: &str) -> String {
        self.write(&format!("{folder}/model.json"), model(&["./a.bin", "sub/b.bin"], 9));
        self.write(&format!("{folder}/a.bin"), "12345");
        self.write(&format!("{folder}/sub/b.bin"), "6789");
        self.url(folder)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn url(&self, path: &str) -> String {
        self.path(path).display().to_string()
    }

    /// The names of all files.
    fn names(&self) -> Vec<String> {
        fn walk(folder: &Path, root: &Path, out: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => walk(&path, root, out),
                    false => out.push(path.strip_prefix(root).unwrap().display().to_string()),
                }
            }
        }
        let mut out = Vec::new();
        walk(self.dir.path(), self.dir.path(), &mut out);
        out.sort();
        out
    }
}

/// The names of the files of the model that `put` writes to this folder.
fn two(folder: &str) -> Vec<String> {
    ["a.bin", "model.json", "sub/b.bin"].map(|name| format!("{folder}/{name}")).to_vec()
}

#[tokio::test]
async fn the_sizes_are_tensorflow_js_s() {
    // The sizes that TensorFlow.js computed when it saved this model: see `goldens/http_save.mjs`.
    let (topology, specs, data) = (600, 101, 32);
    let body = String::from_utf8_lossy(include_bytes!("../goldens/http_save.body"));
    let json = body.split("\r\n").find(|line| line.starts_with('{')).unwrap();
    let home = Home::new();
    home.write("m/model.json", json);
    let info = home.store.info(&home.url("m")).await.unwrap();
    assert_eq!((info.topology_bytes, info.weight_spec_bytes, info.weight_bytes), (topology, specs, Some(data)));
    assert_eq!((info.format.as_deref(), info.weight_files), (Some("layers-model"), 1));
    assert!(info.saved.unwrap().elapsed().unwrap().as_secs() < 600);
}

#[tokio::test]
async fn every_model_below_a_folder_is_listed() {
    let home = Home::new();
    home.put("x/digits");
    home.write("x/other.json", model(&["w"], 1));
    home.write("x/broken/model.json", "<html>");
    home.write("x/package.json", "{\"name\": \"no model\"}");
    home.write("x/notes.json", "not even JSON");
    home.write("x/graph/model.json", json!({"format": "graph-model", "modelTopology": {"node": []}}).to_string());
    let models = home.store.list(&home.url("x")).await.unwrap();
    let urls: Vec<_> = models.iter().map(|m| m.url.as_path().unwrap().to_owned()).collect();
    let expected = ["x/broken/model.json", "x/digits/model.json", "x/graph/model.json", "x/other.json"];
    assert_eq!(urls, expected.map(|path| home.path(path)));
    let sizes: Vec<_> = models.iter().map(|m| m.info.as_ref().map(|i| (i.weight_files, i.weight_bytes)).ok()).collect();
    assert_eq!(sizes, [None, Some((2, Some(9))), Some((0, Some(0))), Some((1, Some(1)))]);
    assert_eq!(models[0].info.as_ref().unwrap_err().kind(), Kind::Malformed);
    for listed in models.into_iter().filter(|m| m.info.is_ok()) {
        // The listed URLs can be used.
        assert_eq!(home.store.info(&listed.url.to_string()).await.unwrap(), listed.info.unwrap());
    }
    check_error(home.store.list(&home.url("nowhere")).await, Kind::Fetch, "nowhere", "cannot list the folder");
}

#[tokio::test]
async fn models_in_memory_are_listed_and_a_web_server_lists_nothing() {
    let home = Home::new();
    let files = || MemoryFiles::new().with("model.json", model(&[], 0)).with("x.json", "{}");
    home.memory.insert("b", files());
    home.memory.insert("a/b", files());
    let list = async |url: &str| -> Vec<String> {
        home.store.list(url).await.unwrap().iter().map(|m| m.url.to_string()).collect()
    };
    assert_eq!(list("mem://").await, ["mem://a/b/model.json", "mem://b/model.json"]);
    assert_eq!(list("mem://a").await, ["mem://a/b/model.json"]);
    home.store.info("mem://a/b/model.json").await.unwrap();
    let server = FaultServer::start(|_| Reply::ok("{}")).await;
    let result = home.store.list(&server.url("/m/")).await;
    check_error(result, Kind::Unsupported, "/m/", "cannot be listed");
}

#[tokio::test]
async fn a_model_is_copied_from_everywhere_to_everywhere() {
    let home = Home::new();
    let (store, first) = (&home.store, home.put("a"));
    let server = FaultServer::start(|request| match request.target.as_str() {
        "/m/model.json?k=1" => Reply::ok(model(&["./a.bin", "sub/b.bin"], 9)),
        "/m/a.bin?k=1" => Reply::chunked(&[b"12", b"345"]),
        "/m/sub/b.bin?k=1" => Reply::ok("6789"),
        _ => Reply::status("404 Not Found", &[], ""),
    })
    .await;
    let info = store.copy(&first, "mem://m").await.unwrap();
    assert_eq!((info.weight_files, info.weight_bytes), (2, Some(9)));
    store.copy("mem://m", "mem://n/deep").await.unwrap();
    store.copy("mem://n/deep", &home.url("b/new.json")).await.unwrap();
    store.copy(&home.url("b/new.json"), &format!("file://{}/", home.url("c"))).await.unwrap();
    store.copy(&server.url("/m/?k=1"), &home.url("d/e")).await.unwrap();
    assert_eq!(home.memory.names(), ["m", "n/deep"]);
    assert_eq!(home.memory.get("n/deep").unwrap().names(), ["a.bin", "model.json", "sub/b.bin"]);
    let b = ["b/a.bin", "b/new.json", "b/sub/b.bin"].map(str::to_owned).to_vec();
    assert_eq!(home.names(), [two("a"), b, two("c"), two("d/e")].concat());
    for folder in ["b", "c", "d/e"] {
        assert_eq!(home.read(&format!("{folder}/a.bin")) + &home.read(&format!("{folder}/sub/b.bin")), "123456789");
    }
    assert_eq!(home.read("b/new.json"), home.read("a/model.json"));
    assert_eq!(home.read("d/e/model.json"), home.read("a/model.json"));
}

#[tokio::test]
async fn weights_in_one_piece_are_one_file() {
    let whole = |json: String| {
        let pieces = WeightSource::Whole(vec![Bytes::from("123"), Bytes::from("45")]);
        move |_: &ModelUrl| -> Result<Arc<dyn IoHandler>> {
            Ok(Arc::new(MemoryHandler::new(json.clone(), pieces.clone())))
        }
    };
    let home = Home::with("own", whole(model(&["w.bin"], 5)));
    home.store.copy("own://x", &home.url("m")).await.unwrap();
    assert_eq!(home.read("m/w.bin"), "12345");
    let home = Home::with("own", whole(model(&["w.bin", "v.bin"], 5)));
    let result = home.store.copy("own://x", &home.url("m")).await;
    check_error(result, Kind::Unsupported, "memory", "cannot be split");
    // A handler without files can be a source of a copy, but not a target, and cannot be removed.
    let result = home.store.copy(&home.put("a"), "own://x").await;
    check_error(result, Kind::Unsupported, "memory", "cannot save");
    check_error(home.store.rename("own://x", &home.url("m")).await, Kind::Unsupported, "memory", "one by one");
    check_error(home.store.remove("own://x").await, Kind::Unsupported, "memory", "one by one");
    assert_eq!(home.names(), two("a"));
}

#[tokio::test]
async fn nothing_is_moved_from_a_web_server_or_removed_there() {
    let home = Home::new();
    let server = FaultServer::start(|_| Reply::ok("{}")).await;
    let url = server.url("/m/model.json");
    check_error(home.store.rename(&url, &home.url("b")).await, Kind::Unsupported, "/m/model.json", "one by one");
    check_error(home.store.remove(&url).await, Kind::Unsupported, "/m/model.json", "one by one");
    assert_eq!(server.requests().len(), 0);
}

#[track_caller]
fn check_nothing_else(home: &Home, folder: &str) {
    assert_eq!(home.names(), two(folder));
}

#[tokio::test]
async fn weights_too_short_too_long_or_missing_are_not_copied() {
    let home = Home::new();
    let first = home.put("a");
    for (content, says) in
        [("678", "weight group 0: expected 9 bytes in its files, found 8"), ("67890123456", "found more")]
    {
        home.write("a/sub/b.bin", content);
        let result = home.store.copy(&first, &home.url("b")).await;
        check_error(result, Kind::Mismatch, "sub/b.bin", says);
        check_nothing_else(&home, "a");
    }
    home.write("a/sub/b.bin", "67891");
    check_error(home.store.rename(&first, "mem://m").await, Kind::Mismatch, "a/a.bin", "expected 9 bytes");
    assert_eq!(home.memory.names(), [""; 0]);
    fs::remove_file(home.path("a/a.bin")).unwrap();
    check_error(home.store.copy(&first, &home.url("b")).await, Kind::Fetch, "a.bin", "no such file");
    assert_eq!(home.names(), ["a/model.json", "a/sub/b.bin"]);
}

#[tokio::test]
async fn a_server_that_lies_of_lengths_or_breaks_off_leaves_the_target() {
    let home = Home::new();
    home.put("b");
    for (reply, kind) in [
        (Reply::head("200 OK", &["Content-Length: 9"]).then("1234").close(), Kind::Fetch),
        (Reply::chunked(&[b"12345", b"6789012345"]), Kind::Mismatch),
        (Reply::status("500 Internal Server Error", &[], ""), Kind::Fetch),
    ] {
        let server = FaultServer::start(move |request| match request.target.ends_with(".json") {
            true => Reply::ok(model(&["w.bin"], 9)),
            false => reply.clone(),
        })
        .await;
        let options = IoOptions::default().with_retry(tfjs_io::Retry::never());
        let result = home.store.clone().with_io(options).copy(&server.url("/m.json"), &home.url("b")).await;
        check_error(result, kind, "/w.bin", "");
        check_nothing_else(&home, "b");
        assert_eq!(home.read("b/a.bin"), "12345");
    }
}

#[tokio::test]
async fn a_model_is_not_copied_or_moved_onto_itself() {
    let home = Home::new();
    let first = home.put("a");
    fs::create_dir(home.path("x")).unwrap();
    let mut names = vec![first.clone(), format!("{first}/"), home.url("a/model.json"), home.url("x/../a")];
    names.push(format!("file://{first}/model.json"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("a", home.path("alias")).unwrap();
        names.push(home.url("alias"));
    }
    for to in names {
        check_error(home.store.copy(&first, &to).await, Kind::Misuse, "", "are the same model");
        check_error(home.store.rename(&first, &to).await, Kind::Misuse, "", "are the same model");
    }
    home.store.copy(&first, "mem://m").await.unwrap();
    check_error(home.store.rename("mem://m", "mem://m/model.json").await, Kind::Misuse, "", "are the same model");
    assert_eq!(home.memory.names(), ["m"]);
    assert_eq!(home.read("a/a.bin"), "12345");
}

#[tokio::test]
async fn a_copy_replaces_the_former_model_whole_and_nothing_else() {
    let home = Home::new();
    let first = home.put("a");
    // The former model has a file of the same name, one of its own, and one that it shares with a neighbour.
    home.write("b/model.json", model(&["a.bin", "old/c.bin", "shared.bin"], 3));
    home.write("b/neighbour.json", model(&["shared.bin"], 1));
    for name in ["a.bin", "old/c.bin", "shared.bin", "notes.txt"] {
        home.write(&format!("b/{name}"), "x");
    }
    home.store.copy(&first, &home.url("b")).await.unwrap();
    let names = ["a.bin", "model.json", "neighbour.json", "notes.txt", "shared.bin", "sub/b.bin"];
    assert_eq!(home.names()[3..], names.map(|name| format!("b/{name}")));
    assert!(!home.path("b/old").exists());
    assert_eq!(home.read("b/a.bin"), "12345");
    home.store.copy(&first, "mem://m").await.unwrap();
    home.store.copy(&home.url("b/neighbour.json"), "mem://m").await.unwrap();
    assert_eq!(home.memory.get("m").unwrap().names(), ["model.json", "shared.bin"]);
}

#[tokio::test]
async fn weights_of_a_neighbour_are_not_written_over() {
    let home = Home::new();
    let first = home.put("a");
    home.write("b/neighbour.json", model(&["a.bin"], 1));
    home.write("b/a.bin", "x");
    for to in [home.url("b"), home.url("a/again.json")] {
        let result = home.store.copy(&first, &to).await;
        check_error(result, Kind::Misuse, "bin", "belongs to another model in this folder");
    }
    // A JSON that is not a model is not replaced either.
    home.write("c/model.json", "{\"a\": 1}");
    let result = home.store.copy(&first, &home.url("c")).await;
    check_error(result, Kind::Malformed, "c/model.json", "is not a model, so it is not replaced");
    // The manifest names its own JSON as a weight file.
    home.write("e/model.json", model(&["model.json"], 1));
    let result = home.store.copy(&first, &home.url("e")).await;
    check_error(result, Kind::Mismatch, "e/model.json", "expected 1 bytes in its files");
    home.write("d/package.json", "{}");
    home.store.copy(&first, &home.url("d")).await.unwrap();
    assert_eq!((home.read("b/a.bin"), home.read("c/model.json")), ("x".into(), "{\"a\": 1}".into()));
}

#[tokio::test]
async fn a_model_is_moved_and_its_neighbours_stay() {
    let home = Home::new();
    let first = home.put("a");
    home.write("a/notes.txt", "mine");
    home.write("a/neighbour.json", model(&["sub/b.bin"], 4));
    let info = home.store.rename(&first, &home.url("b/c")).await.unwrap();
    assert_eq!((info.weight_files, info.weight_bytes), (2, Some(9)));
    let left = ["a/neighbour.json", "a/notes.txt", "a/sub/b.bin"].map(str::to_owned).to_vec();
    assert_eq!(home.names(), [left, two("b/c")].concat());
    home.store.rename(&home.url("b/c"), "mem://m").await.unwrap();
    home.store.rename("mem://m", "mem://n").await.unwrap();
    assert_eq!(home.memory.names(), ["n"]);
    assert!(!home.path("b/c/sub").exists());
}

#[tokio::test]
async fn a_model_is_removed_and_no_file_it_does_not_name() {
    let home = Home::new();
    let first = home.put("a");
    home.write("a/notes.txt", "mine");
    let info = home.store.remove(&first).await.unwrap();
    assert_eq!(info.weight_files, 2);
    assert_eq!(home.names(), ["a/notes.txt"]);
    check_error(home.store.remove(&first).await, Kind::Fetch, "a/model.json", "no such file");
    home.memory.insert("m", MemoryFiles::new().with("model.json", model(&["w"], 1)).with("w", "1"));
    home.store.remove("mem://m").await.unwrap();
    assert_eq!(home.memory.names(), [""; 0]);
}

#[tokio::test]
async fn a_model_that_lacks_its_files_can_be_removed() {
    let home = Home::new();
    let first = home.put("a");
    fs::remove_file(home.path("a/a.bin")).unwrap();
    // The remaining file of the group may belong to another model.
    check_error(home.store.remove(&first).await, Kind::Mismatch, "a.bin", "but this one is missing");
    fs::remove_file(home.path("a/sub/b.bin")).unwrap();
    home.store.remove(&first).await.unwrap();
    assert_eq!(home.names(), [""; 0]);
}

#[tokio::test]
async fn a_manifest_cannot_have_other_files_removed() {
    let home = Home::new();
    home.write("secret", "x");
    home.write("m/other/model.json", model(&[], 0));
    home.write("m/neighbour.json", model(&[], 0));
    for path in ["../secret", "%2e%2e/secret", "/etc/passwd", "x/../../secret"] {
        home.write("m/model.json", model(&[path], 1));
        let result = home.store.remove(&home.url("m")).await;
        let error = check_error(result, Kind::Malformed, "", "inside the model's folder");
        assert_eq!(error.place().json.as_deref(), Some("weightsManifest[0].paths[0]"));
        check_error(home.store.copy(&home.url("m"), "mem://m").await, Kind::Malformed, "", "inside the model's folder");
        assert_eq!(home.read("secret"), "x");
        assert!(home.path("m/model.json").exists());
    }
    // The JSON of another model is not removed as a weight file, even if its length fits.
    let len = home.read("m/neighbour.json").len();
    home.write("m/model.json", model(&["neighbour.json"], len));
    home.store.remove(&home.url("m")).await.unwrap();
    assert!(home.path("m/neighbour.json").exists() && !home.path("m/model.json").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn links_out_of_the_folder_are_not_followed() {
    let home = Home::new();
    home.write("out/b.bin", "6789");
    home.write("a/model.json", model(&["sub/b.bin"], 4));
    std::os::unix::fs::symlink("../out", home.path("a/sub")).unwrap();
    let (store, first) = (&home.store, home.url("a"));
    check_error(store.copy(&first, &home.url("b")).await, Kind::Malformed, "sub/b.bin", "a link out");
    check_error(store.rename(&first, &home.url("b")).await, Kind::Malformed, "a/sub", "a link out");
    assert!(!home.path("b").exists());
    // Nothing is removed through a link either.
    check_error(store.remove(&first).await, Kind::Malformed, "a/sub", "a link out");
    assert!(home.path("out/b.bin").exists() && home.path("a/model.json").exists());
}

/// A backend of the caller, in memory, whose writes behave as a test chooses.
#[derive(Clone, Debug)]
struct Own {
    files: MemoryFiles,
    spoil: bool,
    opened: Arc<Mutex<Vec<String>>>,
}

impl Own {
    fn new(spoil: bool) -> Own {
        Own { files: MemoryFiles::new(), spoil, opened: Arc::default() }
    }

    fn scheme(&self) -> impl tfjs_io::Scheme + 'static {
        let files = Arc::new(self.clone());
        move |_: &ModelUrl| -> Result<Arc<dyn IoHandler>> {
            Ok(Arc::new(FilesHandler::new(files.clone(), "model.json")))
        }
    }
}

impl Files for Own {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        self.opened.lock().unwrap().push(path.to_owned());
        self.files.open(path, options)
    }

    fn put<'a>(&'a self, path: &'a str, body: Body) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.files.put(path, body).await?;
            if self.spoil && path == "a.bin" {
                self.files.put(path, Bytes::from_static(b"12x45").into()).await?;
            }
            Ok(())
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        self.files.list(prefix)
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        self.files.remove(path)
    }
}

#[tokio::test]
async fn a_copy_that_differs_keeps_the_original() {
    let own = Own::new(true);
    let home = Home::with("own", own.scheme());
    let result = home.store.rename(&home.put("a"), "own://x").await;
    check_error(result, Kind::Mismatch, "a.bin", "the copy differs from the original after");
    assert_eq!(home.names(), two("a"));
}

#[tokio::test]
async fn two_names_of_one_place_lose_nothing() {
    let own = Own::new(false);
    let home = Home::with("own", own.scheme());
    home.store.copy(&home.put("a"), "own://x").await.unwrap();
    let names = own.files.names();
    // All URLs of this scheme lead to the same files, which the URLs do not show.
    let error = home.store.rename("own://x", "own://y").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Misuse, "{error:?}");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("are the same model"));
    assert_eq!(own.files.names(), names);
    home.store.copy("own://x", &home.url("b")).await.unwrap();
    assert_eq!(home.names(), [two("a"), two("b")].concat());
}

#[tokio::test]
async fn a_scheme_of_ones_own_is_as_good() {
    let own = Own::new(false);
    let home = Home::with("own", own.scheme());
    home.store.rename(&home.put("a"), "own://x").await.unwrap();
    assert_eq!(home.names(), [""; 0]);
    home.store.rename("own://x", &home.url("b")).await.unwrap();
    assert_eq!(own.files.names(), [""; 0]);
    assert_eq!(home.names(), two("b"));
}

/// A bucket with a folder for each model.
struct Bucket(Arc<object_store::memory::InMemory>);

impl Bucket {
    fn files(&self, url: &ModelUrl) -> Result<Arc<dyn Files>> {
        let folder = url.as_url().unwrap().strip_prefix("bucket://").unwrap().trim_end_matches('/').to_owned();
        Ok(Arc::new(ObjectFiles::new(self.0.clone(), &folder)?.with_root("bucket://")))
    }
}

impl tfjs_io::Scheme for Bucket {
    fn handler(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>> {
        Ok(Arc::new(FilesHandler::new(self.files(url)?, "model.json")))
    }

    fn files(&self, folder: &ModelUrl, _: &str, _: &IoCx) -> Result<Arc<dyn Files>> {
        self.files(folder)
    }
}

#[tokio::test]
async fn buckets_are_kept_like_folders() {
    let home = Home::with("bucket", Bucket(Arc::default()));
    let list = async || -> Vec<String> {
        let models = home.store.list("bucket://").await.unwrap();
        models.iter().map(|m| m.url.to_string()).collect()
    };
    let first = home.put("a");
    home.store.copy(&first, "bucket://x").await.unwrap();
    home.store.rename("bucket://x", "bucket://y/z").await.unwrap();
    assert_eq!(list().await, ["bucket://y/z/model.json"]);
    let info = home.store.info("bucket://y/z").await.unwrap();
    assert!(info.saved.unwrap().elapsed().unwrap().as_secs() < 600);
    home.store.copy("bucket://y/z", &home.url("b")).await.unwrap();
    assert_eq!(home.names(), [two("a"), two("b")].concat());
    home.write("b/sub/b.bin", "678");
    let result = home.store.copy(&home.url("b"), "bucket://y/z").await;
    // Several files are uploaded at a time; the error may name either.
    check_error(result, Kind::Mismatch, ".bin", "expected 9 bytes");
    home.store.rename("bucket://y/z", &home.url("c")).await.unwrap();
    assert_eq!((list().await, home.read("c/sub/b.bin")), (vec![], "6789".to_owned()));
}

#[tokio::test]
async fn what_is_in_an_archive_is_copied_out_of_it_and_stays() {
    let home = Home::new();
    let archive = home.url("m.zip");
    let weights = vec![("a.bin".to_owned(), Bytes::from("12345")), ("sub/b.bin".to_owned(), Bytes::from("6789"))];
    let json = model(&["./a.bin", "sub/b.bin"], 9);
    let artifacts = tfjs_io::SaveArtifacts::new(json, weights);
    tfjs_io::save(&archive, artifacts, &IoCx::default()).await.unwrap();
    assert_eq!(home.store.info(&archive).await.unwrap().weight_bytes, Some(9));
    home.store.copy(&archive, &home.url("a")).await.unwrap();
    assert_eq!(home.names(), [two("a"), vec!["m.zip".to_owned()]].concat());
    let says = "cannot be written or removed one by one";
    check_error(home.store.rename(&archive, &home.url("b")).await, Kind::Unsupported, "m.zip", says);
    check_error(home.store.remove(&archive).await, Kind::Unsupported, "m.zip", says);
    check_error(
        home.store.copy(&home.url("a"), &home.url("n.tar")).await,
        Kind::Unsupported,
        "n.tar",
        "ends in `.zip`",
    );

    home.store.copy(&home.url("a"), &home.url("n.zip")).await.unwrap();
    home.store.copy(&home.url("n.zip"), &home.url("c")).await.unwrap();
    assert_eq!(home.read("c/model.json"), home.read("a/model.json"));
    assert_eq!((home.read("c/a.bin"), home.read("c/sub/b.bin")), ("12345".to_owned(), "6789".to_owned()));
    // If a file cannot be read completely, the old archive is kept.
    home.write("a/sub/b.bin", "678");
    check_error(home.store.copy(&home.url("a"), &home.url("n.zip")).await, Kind::Mismatch, "b.bin", "found 8");
    assert_eq!(home.store.info(&home.url("n.zip")).await.unwrap().weight_bytes, Some(9));
}

#[tokio::test]
async fn a_web_server_is_sent_the_model_as_a_form() {
    let home = Home::new();
    let server = FormServer::start().await;
    home.store.copy(&home.put("a"), &server.url("/201")).await.unwrap();
    let forms = server.forms();
    let [form] = &forms[..] else { panic!("expected one form: {forms:?}") };
    let files: Vec<(&str, &[u8])> = form.parts.iter().map(|part| (part.file_name.as_str(), &part.bytes[..])).collect();
    assert_eq!(files[1], ("model.weights.bin", &b"123456789"[..]));
    assert_eq!(files[0].0, "model.json");
    let result = home.store.copy(&home.url("a"), &server.url("/403")).await;
    check_error(result, Kind::Fetch, "/403", "set credentials");
    check_nothing_else(&home, "a");
}

#[tokio::test]
async fn sums_are_checked_as_the_bytes_pass() {
    let home = Home::new();
    let first = home.put("a");
    let options = IoOptions::default().with_sha256("a.bin", "0".repeat(64));
    let result = home.store.clone().with_io(options).copy(&first, &home.url("b")).await;
    check_error(result, Kind::Mismatch, "a.bin", "the file is not the expected one");
    check_nothing_else(&home, "a");
}

/// A backend that stores files one at a time and discards their bytes, for models larger than memory.
#[derive(Debug, Default)]
struct Counting {
    seen: Mutex<Vec<(String, u64)>>,
    /// The files that were opened at the source.
    opened: Arc<Mutex<Vec<String>>>,
}

impl Files for Counting {
    fn open<'a>(&'a self, path: &'a str, _: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(std::future::ready(Err(Error::fetch("nothing is kept").in_file(path))))
    }

    fn put<'a>(&'a self, path: &'a str, body: Body) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let mut len = 0;
            match body {
                Body::Bytes(bytes) => len += bytes.len() as u64,
                Body::Stream(mut chunks) => {
                    while let Some(chunk) = chunks.next().await {
                        let chunk = chunk?;
                        assert!(chunk.len() <= 1 << 20);
                        len += chunk.len() as u64;
                    }
                }
                other => panic!("expected bytes or a stream, found {other:?}"),
            }
            if path != "model.json" {
                // Later files have not been opened yet.
                assert_eq!(self.opened.lock().unwrap().last().map(String::as_str), Some(path));
            }
            self.seen.lock().unwrap().push((path.to_owned(), len));
            Ok(())
        })
    }
}

#[tokio::test]
async fn files_pass_one_after_the_other_in_small_pieces() {
    let source = Own::new(false);
    let paths = ["a", "b", "c"];
    for path in paths {
        source.files.put(path, Body::Bytes(pattern(3 << 20).into())).await.unwrap();
    }
    source.files.put("model.json", Body::Bytes(model(&paths, 9 << 20).into())).await.unwrap();
    let target = Arc::new(Counting { opened: source.opened.clone(), ..Counting::default() });
    let files = target.clone();
    let registry = Registry::empty().with("own", source.scheme()).with("sink", move |_: &ModelUrl| {
        Ok(Arc::new(FilesHandler::new(files.clone(), "model.json")) as Arc<dyn IoHandler>)
    });
    ModelStore::new(registry).copy("own://x", "sink://y").await.unwrap();
    let seen = target.seen.lock().unwrap();
    let sizes: Vec<_> = seen.iter().map(|(path, len)| (path.as_str(), *len)).collect();
    assert_eq!(sizes[..3], paths.map(|path| (path, 3 << 20)));
    assert_eq!(sizes[3].0, "model.json");
}

#[tokio::test]
async fn progress_of_a_copy_is_true_to_the_byte() {
    let home = Home::new();
    let first = home.put("a");
    let seen: Arc<Mutex<Vec<tfjs_io::Progress>>> = Arc::default();
    let record = seen.clone();
    let options = IoOptions::default().with_on_progress(move |p| record.lock().unwrap().push(p.clone()));
    home.store.clone().with_io(options).copy(&first, &home.url("b")).await.unwrap();
    let last = seen.lock().unwrap().last().unwrap().clone();
    assert_eq!((last.bytes_done, last.bytes_total, last.fraction()), (9, Some(9), 1.0));
}

#[tokio::test]
async fn groups_that_share_a_file_and_strings_are_copied() {
    let home = Home::new();
    let weight = |name: &str, dtype: &str| json!([{"name": name, "shape": [2], "dtype": dtype}]);
    let manifest: Value = json!([
        {"paths": ["a"], "weights": weight("x", "uint8")},
        {"paths": ["./a"], "weights": weight("y", "uint8")},
        {"paths": ["s"], "weights": weight("z", "string")},
    ]);
    home.write("m/model.json", json!({"modelTopology": {}, "weightsManifest": manifest}).to_string());
    home.write("m/a", "12");
    home.write("m/s", b"\x01\0\0\0q\x02\0\0\0qq");
    let info = home.store.copy(&home.url("m"), &home.url("n")).await.unwrap();
    assert_eq!((info.weight_files, info.weight_bytes), (2, None));
    assert_eq!(home.names(), ["m/a", "m/model.json", "m/s", "n/a", "n/model.json", "n/s"]);
}

#[tokio::test]
async fn a_copy_that_nobody_waits_for_leaves_what_was_there() {
    let home = Home::new();
    home.put("b");
    let server = FaultServer::start(|request| match request.target.ends_with(".json") {
        true => Reply::ok(model(&["w.bin"], 9)),
        false => Reply::head("200 OK", &["Content-Length: 9"]).then("12").pause(std::time::Duration::from_secs(60)),
    })
    .await;
    let (from, to) = (server.url("/m.json"), home.url("b"));
    let copying = tokio::time::timeout(std::time::Duration::from_millis(300), home.store.copy(&from, &to)).await;
    assert!(copying.is_err());
    check_nothing_else(&home, "b");
}

#[tokio::test]
async fn futures_of_the_store_can_be_sent() {
    fn sent<T: Send>(value: T) -> T {
        value
    }
    let store = ModelStore::default();
    let name = "no/such/model";
    assert!(sent(store.list(name)).await.is_err());
    assert!(sent(store.info(name)).await.is_err());
    assert!(sent(store.copy(name, "no/such/target")).await.is_err());
    assert!(sent(store.rename(name, "no/such/target")).await.is_err());
    assert!(sent(store.remove(name)).await.is_err());
}
