//! Models on disk and in memory: loads, refusals, and the files after saving.

use bytes::Bytes;
use io_harness::load::{check_error, groups, load, load_with};
use io_harness::sink::{TestSink, pattern};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tfjs_io::{
    Body, BoxFuture, Files, FilesHandler, FolderFiles, IoCx, IoHandler, IoOptions, MemoryFiles, MemoryHandler,
    MemoryStore, ModelUrl, OpenOptions, Opened, Progress, Registry, Result, SaveArtifacts, WeightSource, fetch_weights,
};
use tfjs_manifest::{Error, Kind, Limits};

/// A folder `m` with a `model.json`, and files with consecutive parts of one pattern.
struct Model {
    dir: tempfile::TempDir,
}

impl Model {
    fn new(cuts: &[(&str, usize)]) -> Model {
        let dir = tempfile::tempdir().unwrap();
        let model = Model { dir };
        fs::create_dir(model.folder()).unwrap();
        fs::write(model.path("model.json"), "{}").unwrap();
        let all = pattern(cuts.iter().map(|(_, n)| n).sum());
        let mut rest = &all[..];
        for (name, len) in cuts {
            let path = model.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, rest.split_off(..*len).unwrap()).unwrap();
        }
        model
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("m")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    async fn load(&self, files: &[&[&str]], sink: TestSink) -> Result<TestSink> {
        self.load_with(files, sink, IoOptions::default()).await
    }

    async fn load_with(&self, files: &[&[&str]], sink: TestSink, options: IoOptions) -> Result<TestSink> {
        load(self.folder().to_str().unwrap(), files, sink, options).await.map(|(_, sink)| sink)
    }
}

#[tokio::test]
async fn a_folder_a_path_and_a_url_are_the_same_model() {
    let model = Model::new(&[("a.bin", 10), ("sub/b c.bin", 0), ("c.bin", 33)]);
    let files: &[&[&str]] = &[&["a.bin", "sub/b c.bin", "./c.bin"]];
    let folder = model.folder().display().to_string();
    for name in
        [folder.clone(), format!("{folder}/"), format!("{folder}/model.json"), format!("file://{folder}/model.json")]
    {
        let sink = TestSink::new().group(&[1, 20]).skip(2).piece(20);
        let (json, sink) = load(&name, files, sink, IoOptions::default()).await.unwrap();
        assert_eq!(&json[..], b"{}");
        let expected = pattern(43);
        assert_eq!(sink.bytes(0), [&expected[..21], &expected[23..]].concat(), "{name}");
    }
}

#[tokio::test]
async fn large_files_are_read_in_pieces_by_threads() {
    let sizes = [9 << 20, 3, 17 << 20];
    let model = Model::new(&[("a", sizes[0]), ("b", sizes[1]), ("c", sizes[2]), ("s", 5)]);
    let sink = TestSink::new().group(&[(20 << 20) + 1, (6 << 20) + 2]).growing(5);
    let sink = model.load(&[&["a", "b", "c"], &["s"]], sink).await.unwrap();
    let expected = pattern(sizes.iter().sum::<usize>() + 5);
    assert!(sink.bytes(0) == expected[..expected.len() - 5]);
    assert_eq!(sink.bytes(1), expected[expected.len() - 5..]);
}

#[tokio::test]
async fn more_files_than_are_kept_open_are_opened_again() {
    let names: Vec<String> = (0..300).map(|i| format!("w{i}")).collect();
    let cuts: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 7)).collect();
    let model = Model::new(&cuts);
    let files: Vec<&str> = names.iter().map(String::as_str).collect();
    let sink = model.load(&[&files], TestSink::new().group(&[1000, 1100])).await.unwrap();
    assert_eq!(sink.bytes(0), pattern(2100));
}

#[tokio::test]
async fn progress_of_files_is_true_to_the_byte() {
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let record = seen.clone();
    let model = Model::new(&[("a", 9 << 20), ("b", 0), ("c", 9 << 20)]);
    let options = IoOptions::default().with_on_progress(move |p| record.lock().unwrap().push(p.clone()));
    let sink = TestSink::new().group(&[10 << 20]).skip(8 << 20);
    model.load_with(&[&["a", "b", "c"]], sink, options).await.unwrap();
    let seen = seen.lock().unwrap();
    let last = seen.last().unwrap();
    assert_eq!((last.bytes_done, last.bytes_total), (18 << 20, Some(18 << 20)));
    assert_eq!((last.files_done, last.files_total, last.fraction()), (3, 3, 1.0));
}

#[tokio::test]
async fn a_missing_model_a_missing_shard_and_a_folder_without_json_are_named() {
    let model = Model::new(&[("a", 4)]);
    let files: &[&[&str]] = &[&["a", "b"]];
    check_error(model.load(files, TestSink::new().group(&[8])).await, Kind::Fetch, "m/b", "no such file");
    fs::remove_file(model.path("model.json")).unwrap();
    check_error(model.load(files, TestSink::new()).await, Kind::Fetch, "m/model.json", "no `model.json`");
    let result = load("/no/such/model.json", &[], TestSink::new(), IoOptions::default()).await;
    check_error(result, Kind::Fetch, "/no/such/model.json", "no such file");
}

#[tokio::test]
async fn truncated_and_oversized_shards_are_seen_before_a_byte_is_read() {
    let model = Model::new(&[("a", 4), ("b", 4)]);
    let files: &[&[&str]] = &[&["a", "b"]];
    let long = model.load(files, TestSink::new().group(&[7])).await;
    check_error(long, Kind::Mismatch, "m/b", "weight group 0: expected 3 more bytes at most, found 4");
    let short = model.load(files, TestSink::new().group(&[9])).await;
    check_error(short, Kind::Mismatch, "m/b", "weight group 0: the files end 1 bytes short");
    let strings = model.load(files, TestSink::new().growing(7)).await;
    check_error(strings, Kind::Limit, "m/b", "string_bytes");
}

#[tokio::test]
async fn a_model_json_over_the_limit_is_refused() {
    let model = Model::new(&[]);
    let mut limits = Limits::default();
    limits.model_json_bytes = 1;
    let result = model.load_with(&[], TestSink::new(), IoOptions::default().with_limits(limits)).await;
    check_error(result, Kind::Limit, "m/model.json", "limit `model_json_bytes`: allowed 1, asked 2");
}

#[tokio::test]
async fn paths_that_leave_the_folder_are_refused() {
    let model = Model::new(&[("a", 4)]);
    fs::write(model.dir.path().join("secret"), "1234").unwrap();
    let absolute = model.dir.path().join("secret").display().to_string();
    for path in
        ["../secret", "x/../../secret", "%2e%2e/secret", "..\\secret", &absolute, "file:///secret", "C:\\secret"]
    {
        let result = model.load(&[&[path]], TestSink::new().group(&[4])).await;
        check_error(result, Kind::Malformed, "secret", "inside the model's folder");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn links_out_of_the_folder_are_refused_unless_allowed() {
    use std::os::unix::fs::symlink;
    let model = Model::new(&[("a", 4)]);
    fs::write(model.dir.path().join("secret"), pattern(4)).unwrap();
    symlink("../secret", model.path("link")).unwrap();
    symlink("..", model.path("up")).unwrap();
    symlink("a", model.path("inside")).unwrap();
    for path in ["link", "up/secret"] {
        let result = model.load(&[&[path]], TestSink::new().group(&[4])).await;
        check_error(result, Kind::Malformed, path, "a link out of the model's folder");
        let options = IoOptions::default().with_allow_symlinks(true);
        let sink = model.load_with(&[&[path]], TestSink::new().group(&[4]), options).await.unwrap();
        assert_eq!(sink.bytes(0), pattern(4));
    }
    model.load(&[&["inside"]], TestSink::new().group(&[4])).await.unwrap();
    // The model and its folder may be links, because the caller named them.
    symlink(model.folder(), model.dir.path().join("alias")).unwrap();
    let alias = model.dir.path().join("alias").display().to_string();
    load(&alias, &[&["a"]], TestSink::new().group(&[4]), IoOptions::default()).await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn only_regular_files_are_opened() {
    let model = Model::new(&[("a", 4)]);
    let made = std::process::Command::new("mkfifo").arg(model.path("pipe")).status();
    assert!(made.unwrap().success());
    fs::create_dir(model.path("folder")).unwrap();
    for (path, what) in [("pipe", "a device or pipe"), ("folder", "a folder")] {
        let result = model.load(&[&[path]], TestSink::new().group(&[4])).await;
        check_error(result, Kind::Fetch, path, &format!("expected a regular file, found {what}"));
    }
    let options = IoOptions::default().with_allow_symlinks(true);
    std::os::unix::fs::symlink("/dev/zero", model.path("zero")).unwrap();
    let result = model.load_with(&[&["zero"]], TestSink::new().group(&[4]), options).await;
    check_error(result, Kind::Fetch, "zero", "found a device or pipe");
    let result = load(model.path("pipe").to_str().unwrap(), &[], TestSink::new(), IoOptions::default()).await;
    check_error(result, Kind::Fetch, "pipe", "found a device or pipe");
}

#[tokio::test]
async fn a_prefix_on_disk_is_joined_and_a_converter_may_name_any_path() {
    let model = Model::new(&[("other/a", 4)]);
    let folder = model.path("other").display().to_string();
    let options = IoOptions::default().with_weight_path_prefix(&folder);
    model.load_with(&[&["a"]], TestSink::new().group(&[4]), options.clone()).await.unwrap();
    let options = options.with_async_weight_url_converter(move |path| {
        let path = format!("{folder}/{}", path.trim_end_matches(".bin"));
        Box::pin(async move { Ok(path) })
    });
    model.load_with(&[&["a.bin"]], TestSink::new().group(&[4]), options).await.unwrap();
}

/// Files on disk, except `b`, which is in memory.
#[derive(Debug)]
struct Mixed(FolderFiles, MemoryFiles, Mutex<Vec<String>>);

impl Files for Mixed {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        self.2.lock().unwrap().push(path.to_owned());
        if path == "b" { self.1.open(path, options) } else { self.0.open(path, options) }
    }
}

#[tokio::test]
async fn files_on_disk_and_others_may_be_mixed_and_each_is_opened_once() {
    let model = Model::new(&[("a", 5), ("c", 3 << 20)]);
    let all = pattern(5 + (3 << 20));
    let memory = MemoryFiles::new().with("b", &b"xyz"[..]);
    let files = Arc::new(Mixed(FolderFiles::new(model.folder()), memory, Mutex::default()));
    let sink = TestSink::new().group(&[4, 4 + (3 << 20)]);
    let source = WeightSource::Files(files.clone());
    let sink = fetch_weights(&source, &groups(&[&["a", "b", "c"]]), sink, &IoCx::default()).await.unwrap();
    assert!(sink.bytes(0) == [&all[..5], b"xyz", &all[5..]].concat());
    assert_eq!(*files.2.lock().unwrap(), ["a", "b", "c"]);
}

/// A folder that is changed while its files are opened.
struct Meddled<F>(FolderFiles, &'static str, F);

impl<F: Fn() + Send + Sync> Files for Meddled<F> {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        if path == self.1 {
            (self.2)();
        }
        self.0.open(path, options)
    }
}

impl<F> std::fmt::Debug for Meddled<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meddled")
    }
}

/// Loads these files, of seven bytes each, and calls the function when the last one is opened.
async fn load_meddled(
    model: &Model,
    names: &[&'static str],
    meddle: impl Fn() + Send + Sync + 'static,
) -> Result<TestSink> {
    let last = names[names.len() - 1];
    let source = WeightSource::Files(Arc::new(Meddled(FolderFiles::new(model.folder()), last, meddle)));
    let sink = TestSink::new().group(&[7 * names.len()]);
    fetch_weights(&source, &groups(&[names]), sink, &IoCx::default()).await
}

#[tokio::test]
async fn a_file_that_changes_between_its_opening_and_its_reading_is_an_error() {
    let names = ["a", "b"];
    let cuts = names.map(|name| (name, 7));
    let changes: [fn(&Path); 3] = [
        |path| drop(fs::File::options().write(true).open(path).unwrap().set_len(3)),
        |path| fs::write(path, "longer than it was").unwrap(),
        |path| {
            fs::write(path, "0123456").unwrap();
            let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
            fs::File::options().write(true).open(path).unwrap().set_modified(later).unwrap();
        },
    ];
    for change in changes {
        let model = Model::new(&cuts);
        let path = model.path("a");
        let result = load_meddled(&model, &names, move || change(&path)).await;
        check_error(result, Kind::Mismatch, "m/a", "the file changed while it was read");
    }
    let model = Model::new(&cuts);
    assert_eq!(load_meddled(&model, &names, || {}).await.unwrap().bytes(0), pattern(14));
}

#[cfg(unix)]
#[tokio::test]
async fn a_closed_file_exchanged_for_a_pipe_or_a_link_is_an_error_and_not_waited_for() {
    let names: Vec<&'static str> = (0..300).map(|i| &*format!("w{i}").leak()).collect();
    let cuts: Vec<_> = names.iter().map(|name| (*name, 7)).collect();
    let model = Model::new(&cuts);
    let path = model.path("w298");
    let pipe = move || {
        fs::remove_file(&path).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    };
    let result = load_meddled(&model, &names, pipe).await;
    check_error(result, Kind::Fetch, "m/w298", "expected a regular file, found a device or pipe");
    let model = Model::new(&cuts);
    let path = model.path("w298");
    fs::write(model.dir.path().join("secret"), "0123456").unwrap();
    let link = move || {
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("../secret", &path).unwrap();
    };
    let result = load_meddled(&model, &names, link).await;
    check_error(result, Kind::Mismatch, "m/w298", "the file changed while it was read");
}

#[tokio::test]
async fn weights_in_memory_come_whole_or_by_name() {
    let whole = MemoryHandler::new(
        "{}",
        WeightSource::Whole(vec![pattern(10)[..3].to_vec().into(), pattern(10)[3..].to_vec().into()]),
    );
    let files: &[&[&str]] = &[&["a", "b"], &["c"]];
    let (_, sink) =
        load_with(&whole, files, TestSink::new().group(&[4]).growing(6), IoOptions::default()).await.unwrap();
    assert_eq!([sink.bytes(0), sink.bytes(1)].concat(), pattern(10));

    let check = async |sink: TestSink, kind: Kind, says: &str| {
        check_error(load_with(&whole, files, sink, IoOptions::default()).await, kind, "weight data", says);
    };
    check(TestSink::new().group(&[4]).group(&[5]), Kind::Mismatch, "expected 9 bytes of weights").await;
    check(TestSink::new().group(&[4]).group(&[7]), Kind::Mismatch, "found 10").await;
    check(TestSink::new().group(&[4]).growing(5), Kind::Limit, "string_bytes").await;
    check(TestSink::new().growing(9).growing(9), Kind::Unsupported, "cannot be separated").await;

    let none = MemoryHandler::new("{}", WeightSource::None);
    let result = load_with(&none, files, TestSink::new().group(&[4]).group(&[]), IoOptions::default()).await;
    assert_eq!(result.unwrap_err().kind(), Kind::Misuse);
}

#[tokio::test]
async fn a_store_in_memory_is_a_scheme() {
    let store = MemoryStore::new();
    let registry = Registry::default().with("mem", store.clone());
    let handler = registry.resolve(&ModelUrl::parse("mem://digits").unwrap()).unwrap();
    let cx = IoCx::with_registry(IoOptions::default(), registry.clone());
    check_error(handler.load(&cx).await, Kind::Fetch, "mem://digits", "there are: none");
    let saved = SaveArtifacts::new("{}", vec![("w.bin".to_owned(), Bytes::from(pattern(9)))]);
    let result = handler.save(saved, &cx).await.unwrap();
    assert_eq!((result.files, result.bytes, &result.location[..]), (2, 11, "mem://digits"));
    let (_, sink) =
        load_with(&*handler, &[&["w.bin"]], TestSink::new().group(&[9]), IoOptions::default()).await.unwrap();
    assert_eq!(sink.bytes(0), pattern(9));
    assert_eq!(store.names(), ["digits"]);
}

#[tokio::test]
async fn saving_to_a_folder_and_loading_again() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("new/model");
    let saved = SaveArtifacts::new("{\"a\": 1}", vec![("w.bin".to_owned(), Bytes::from(pattern(9)))]);
    let check = async |handler: &dyn IoHandler, json: &Path| {
        handler.save(saved.clone(), &IoCx::default()).await.unwrap();
        let (text, sink) =
            load(json.to_str().unwrap(), &[&["w.bin"]], TestSink::new().group(&[9]), IoOptions::default())
                .await
                .unwrap();
        assert_eq!((&text[..], sink.bytes(0)), (&b"{\"a\": 1}"[..], pattern(9)));
    };
    check(&tfjs_io::FileHandler::new(&target), &target).await;
    let other = dir.path().join("other/x.json");
    check(&tfjs_io::FileHandler::new(&other), &other).await;
    fs::create_dir(dir.path().join("put")).unwrap();
    let files = Arc::new(FolderFiles::new(dir.path().join("put")));
    check(&FilesHandler::new(files.clone(), "model.json"), &dir.path().join("put")).await;
    assert_eq!(files.list("").await.unwrap(), ["model.json", "w.bin"]);
    files.remove("w.bin").await.unwrap();
    assert_eq!(files.list("w").await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn saving_outside_the_folder_or_over_the_json_is_misuse() {
    let dir = tempfile::tempdir().unwrap();
    let handler = tfjs_io::FileHandler::new(dir.path());
    for path in ["../x", "/x", "model.json", "./model.json"] {
        let artifacts = SaveArtifacts::new("{}", vec![(path.to_owned(), Bytes::new())]);
        check_error(handler.save(artifacts, &IoCx::default()).await, Kind::Misuse, path, "");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_put_that_fails_leaves_what_was_there() {
    let model = Model::new(&[("a", 4)]);
    let files = FolderFiles::new(model.folder());
    let chunks = vec![Ok(Bytes::from_static(b"half")), Err(Error::fetch("the connection was lost"))];
    let body = Body::Stream(Box::pin(futures_util::stream::iter(chunks)));
    assert_eq!(files.put("a", body).await.unwrap_err().message(), "the connection was lost");
    assert_eq!(fs::read(model.path("a")).unwrap(), pattern(4));
    assert_eq!(fs::read_dir(model.folder()).unwrap().count(), 2);
}

struct Closed;

impl IoHandler for Closed {
    fn load<'a>(&'a self, _cx: &'a IoCx) -> BoxFuture<'a, Result<tfjs_io::ModelArtifacts>> {
        Box::pin(async { Err(Error::custom("the vault is closed")) })
    }
}

#[tokio::test]
async fn a_handler_of_ones_own_can_fail_and_cannot_save() {
    let error = Closed.load(&IoCx::default()).await.unwrap_err();
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the vault is closed");
    let result = Closed.save(SaveArtifacts::new("{}", vec![]), &IoCx::default()).await;
    check_error(result, Kind::Unsupported, "custom handler", "cannot save");
}

#[test]
fn reading_files_without_a_runtime_is_misuse_and_no_panic() {
    let handler = tfjs_io::FileHandler::new("x");
    let cx = IoCx::default();
    let mut future = handler.load(&cx);
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut task) {
        std::task::Poll::Ready(result) => assert_eq!(result.unwrap_err().kind(), Kind::Misuse),
        std::task::Poll::Pending => panic!("expected an answer at once"),
    }
}
