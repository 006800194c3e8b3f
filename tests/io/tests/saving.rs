//! Saving to folders, to memory and over HTTP: errors, the files that remain after them, and the requests to servers.

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use io_harness::fault_server::{FaultServer, Reply};
use io_harness::form_server::{FormServer, Part, parts};
use io_harness::load::{check_error, load};
use io_harness::sink::{TestSink, pattern};
use serde_json::{Value, json};
use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};
use tfjs_io::{
    Body, Files, FolderFiles, IoCx, IoOptions, MemoryFiles, MemoryStore, Registry, Result, SaveArtifacts, SaveMethod,
    Timeouts, save,
};
use tfjs_manifest::{Error, Kind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Artifacts with these weight files, one group each.
fn artifacts(files: &[(&str, Bytes)]) -> SaveArtifacts {
    let group = |(i, (path, bytes)): (usize, &(&str, Bytes))| json!({"paths": [path], "weights": [{"name": format!("w{i}"), "shape": [bytes.len()], "dtype": "uint8"}]});
    let groups: Vec<Value> = files.iter().enumerate().map(group).collect();
    let json = json!({"modelTopology": {}, "weightsManifest": groups}).to_string();
    SaveArtifacts::new(json, files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.clone())).collect())
}

fn one(text: &'static str) -> SaveArtifacts {
    artifacts(&[("w.bin", Bytes::from_static(text.as_bytes()))])
}

/// Every file and folder below a folder, with its contents; files that are removed meanwhile are left out.
fn tree(folder: &Path) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(&next).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if path.is_dir() {
                out.push((format!("{name}/"), String::new()));
                folders.push(path);
            } else if let Ok(content) = fs::read(&path) {
                out.push((name, String::from_utf8_lossy(&content).into_owned()));
            }
        }
    }
    out.sort();
    out
}

fn stream_of(chunks: Vec<Result<Bytes>>) -> Body {
    Body::Stream(stream::iter(chunks).boxed())
}

fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// A folder with a model, over which a failing save is tried.
struct Before {
    dir: tempfile::TempDir,
    files: FolderFiles,
    was: Vec<(String, String)>,
}

impl Before {
    fn new() -> Before {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("model.json"), "{}").unwrap();
        fs::write(dir.path().join("w.bin"), "1").unwrap();
        let files = FolderFiles::new(dir.path());
        let was = tree(dir.path());
        Before { dir, files, was }
    }

    /// The files of the save: one that replaces another, one in a new folder, one with this body, and the JSON.
    fn files(last: Body) -> Vec<(String, Body)> {
        vec![
            ("w.bin".to_owned(), text("2").into()),
            ("new/deep/x.bin".to_owned(), text("2").into()),
            ("y.bin".to_owned(), last),
            ("model.json".to_owned(), text("{2}").into()),
        ]
    }

    #[track_caller]
    fn check(&self) {
        assert_eq!(tree(self.dir.path()), self.was);
    }
}

#[tokio::test]
async fn a_disk_that_is_full_half_way_leaves_what_was_there() {
    let before = Before::new();
    let full = stream_of(vec![Ok(text("half")), Err(Error::fetch("no space left on device"))]);
    let result = before.files.put_all(Before::files(full)).await;
    check_error(result, Kind::Fetch, "y.bin", "no space left");
    before.check();
}

#[tokio::test]
async fn a_target_that_is_a_folder_leaves_what_was_there() {
    let before = Before::new();
    fs::create_dir(before.dir.path().join("y.bin")).unwrap();
    let was = tree(before.dir.path());
    let result = before.files.put_all(Before::files(text("2").into())).await;
    check_error(result, Kind::Fetch, "y.bin", "it is a folder");
    assert_eq!(tree(before.dir.path()), was);
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_cannot_be_written_leaves_what_was_there() {
    use std::os::unix::fs::PermissionsExt;
    let before = Before::new();
    let locked = before.dir.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(locked.join("x"), "").is_ok() {
        // Permissions do not apply to the superuser.
        return;
    }
    let was = tree(before.dir.path());
    let mut files = Before::files(text("2").into());
    files.insert(2, ("locked/z.bin".to_owned(), text("2").into()));
    check_error(before.files.put_all(files).await, Kind::Fetch, "z.bin", "cannot write");
    assert_eq!(tree(before.dir.path()), was);
}

#[tokio::test]
async fn a_save_that_nobody_waits_for_leaves_what_was_there() {
    let before = Before::new();
    let endless = Body::Stream(stream::iter([Ok(text("half"))]).chain(stream::pending()).boxed());
    let saving = before.files.put_all(Before::files(endless));
    assert!(tokio::time::timeout(Duration::from_millis(300), saving).await.is_err());
    before.check();
    // The save is dropped at many moments, also while threads are working: all files are saved, or none.
    for step in 0..40 {
        let saving = before.files.put_all(Before::files(stream_of(vec![Ok(text("h")), Ok(text("alf"))])));
        let dropped = tokio::time::timeout(Duration::from_micros(50 * step), saving).await.is_err();
        // Waits for the threads to finish.
        let deadline = Instant::now() + Duration::from_secs(20);
        let saved = loop {
            let is = tree(before.dir.path());
            let contents: Vec<&str> = is.iter().map(|(_, content)| content.as_str()).collect();
            match contents[..] {
                ["{2}", "", "", "2", "2", "half"] => break true,
                _ if is == before.was => break false,
                _ => assert!(Instant::now() < deadline, "{is:?}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(saved || dropped, "a save that came to its end left nothing");
        if saved {
            return;
        }
    }
}

#[tokio::test]
async fn a_panic_half_way_leaves_what_was_there() {
    let before = Before::new();
    let panics =
        Body::Stream(stream::iter([Ok(text("half"))]).chain(stream::once(async { panic!("half-way") })).boxed());
    let result = AssertUnwindSafe(before.files.put_all(Before::files(panics))).catch_unwind().await;
    assert!(result.is_err());
    before.check();
}

#[tokio::test]
async fn a_save_through_a_handler_is_all_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("a/b");
    let url = target.display().to_string();
    save(&url, one("1"), &IoCx::default()).await.unwrap();
    fs::create_dir(target.join("z.bin")).unwrap();
    let was = tree(dir.path());
    let broken = artifacts(&[("w.bin", text("2")), ("new/y.bin", text("2")), ("z.bin", text("2"))]);
    check_error(save(&url, broken, &IoCx::default()).await, Kind::Fetch, "z.bin", "it is a folder");
    assert_eq!(tree(dir.path()), was);
    save(&url, one("333"), &IoCx::default()).await.unwrap();
    assert_eq!(fs::read_to_string(target.join("w.bin")).unwrap(), "333");
}

#[tokio::test]
async fn a_file_that_is_no_json_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let photo = dir.path().join("photo.png");
    fs::write(&photo, "png").unwrap();
    let result = save(photo.to_str().unwrap(), one("1"), &IoCx::default()).await;
    check_error(result, Kind::Misuse, "photo.png", "expected a folder or a file that ends in `.json`");
    assert_eq!(fs::read_to_string(&photo).unwrap(), "png");
}

#[tokio::test]
async fn the_callers_own_name_for_the_json_is_taken_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v1:%2e.json");
    let saved = save(path.to_str().unwrap(), one("1"), &IoCx::default()).await.unwrap();
    assert_eq!((saved.files, saved.location), (2, path.display().to_string()));
    let (json, _) =
        load(path.to_str().unwrap(), &[&["w.bin"]], TestSink::new().group(&[1]), IoOptions::default()).await.unwrap();
    assert_eq!(json, one("1").model_json);
}

#[cfg(unix)]
#[tokio::test]
async fn nothing_is_written_or_removed_through_a_link_out_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let (inside, outside) = (dir.path().join("m"), dir.path().join("out"));
    fs::create_dir_all(&inside).unwrap();
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("w.bin"), "1").unwrap();
    std::os::unix::fs::symlink("../out", inside.join("sub")).unwrap();
    let files = FolderFiles::new(&inside);
    for path in ["sub/w.bin", "sub/deep/w.bin"] {
        check_error(
            files.put(path, text("2").into()).await,
            Kind::Malformed,
            "sub",
            "a link out of the model's folder",
        );
    }
    check_error(files.remove("sub/w.bin").await, Kind::Malformed, "sub", "a link out of the model's folder");
    let linked = artifacts(&[("sub/w.bin", text("2"))]);
    let saved = save(inside.to_str().unwrap(), linked.clone(), &IoCx::default()).await;
    check_error(saved, Kind::Malformed, "sub", "allow symlinks");
    assert_eq!(tree(&outside), [("w.bin".to_owned(), "1".to_owned())]);
    assert_eq!(fs::read_dir(&inside).unwrap().count(), 1);

    fs::remove_file(outside.join("w.bin")).unwrap();
    let cx = IoCx::new(IoOptions::default().with_allow_symlinks(true));
    save(inside.to_str().unwrap(), linked, &cx).await.unwrap();
    assert_eq!(tree(&outside), [("w.bin".to_owned(), "2".to_owned())]);
}

#[tokio::test]
async fn memory_takes_all_or_nothing() {
    let store = MemoryStore::new();
    store.insert("m", MemoryFiles::new().with("w.bin", text("1")));
    let registry = Registry::default().with("mem", store.clone());
    let cx = IoCx::with_registry(IoOptions::default(), registry.clone());
    let own = registry.files(&"mem://m".parse().unwrap(), "", &cx).unwrap();
    let plain = MemoryFiles::new().with("w.bin", text("1"));
    for files in [&*own, &plain] {
        let broken = stream_of(vec![Ok(text("half")), Err(Error::fetch("the connection was lost"))]);
        assert!(files.put_all(Before::files(broken)).await.is_err());
        assert_eq!(files.list("").await.unwrap(), ["w.bin"]);
        let whole = stream_of(vec![Ok(text("ha")), Ok(text("lf"))]);
        files.put_all(Before::files(whole)).await.unwrap();
        assert_eq!(files.list("").await.unwrap(), ["model.json", "new/deep/x.bin", "w.bin", "y.bin"]);
    }
    assert_eq!(store.get("m").unwrap().names(), plain.names());
}

#[tokio::test]
async fn one_function_saves_to_every_scheme() {
    let dir = tempfile::tempdir().unwrap();
    let store = MemoryStore::new();
    let server = FormServer::start().await;
    let cx = IoCx::with_registry(IoOptions::default(), Registry::default().with("mem", store.clone()));
    let folder = dir.path().display().to_string();
    for (url, location) in [
        (format!("{folder}/m"), format!("{folder}/m/model.json")),
        (format!("{folder}/n.json"), format!("{folder}/n.json")),
        (format!("file://{folder}/o"), format!("{folder}/o/model.json")),
        ("mem://m".to_owned(), "mem://m".to_owned()),
        (server.url("/200"), server.url("/200")),
    ] {
        let saved = save(&url, one("1"), &cx).await.unwrap();
        assert_eq!((saved.location, saved.files), (location, 2), "{url}");
    }
    assert_eq!(store.get("m").unwrap().names(), ["model.json", "w.bin"]);
    check_error(save("gopher://m", one("1"), &cx).await, Kind::Misuse, "gopher://m", "unknown scheme");
}

/// The parts that TensorFlow.js 4.22 sent: see `goldens/http_save.mjs`.
async fn golden() -> Vec<Part> {
    let body = Bytes::from_static(include_bytes!("../goldens/http_save.body"));
    let end = body.windows(2).position(|w| w == b"\r\n").unwrap();
    let boundary = String::from_utf8(body[2..end].to_vec()).unwrap();
    parts(&format!("multipart/form-data; boundary={boundary}"), body).await
}

#[tokio::test]
async fn the_form_is_tensorflow_js_s() {
    let golden = golden().await;
    let [model, weights] = &golden[..] else { panic!("two parts") };
    // The same model, with other files and names of weights.
    let mut json: Value = serde_json::from_slice(&model.bytes).unwrap();
    json["weightsManifest"][0]["paths"] = json!(["a.bin", "sub/b.bin"]);
    let files =
        vec![("sub/b.bin".to_owned(), weights.bytes.slice(5..)), ("a.bin".to_owned(), weights.bytes.slice(..5))];
    let server = FormServer::start().await;
    let saved = save(&server.url("/200"), SaveArtifacts::new(json.to_string(), files), &IoCx::default()).await.unwrap();
    assert_eq!((saved.files, saved.location), (2, server.url("/200")));
    let forms = server.forms();
    assert_eq!((forms.len(), forms[0].method.as_str()), (1, "POST"));
    assert_eq!(forms[0].parts, golden);
    assert_eq!(saved.bytes, (model.bytes.len() + weights.bytes.len()) as u64);
    assert!(forms[0].header("content-length").is_some() && forms[0].header("transfer-encoding").is_none());
    assert!(forms[0].header("content-type").unwrap().starts_with("multipart/form-data; boundary=----"));
}

#[tokio::test]
async fn a_model_without_weights_is_a_form_with_one_file() {
    let server = FormServer::start().await;
    let json = r#"{"modelTopology": {"class_name": "Sequential"}}"#;
    let saved = save(&server.url("/200"), SaveArtifacts::new(json, vec![]), &IoCx::default()).await.unwrap();
    assert_eq!((saved.files, saved.bytes), (1, json.len() as u64));
    let forms = server.forms();
    let names: Vec<_> = forms[0].parts.iter().map(|p| (p.name.as_str(), p.content_type.as_str())).collect();
    assert_eq!(names, [("model.json", "application/json")]);
    assert_eq!(&forms[0].parts[0].bytes[..], json.as_bytes());
}

#[tokio::test]
async fn large_weights_arrive_whole_whatever_they_contain() {
    let server = FormServer::start().await;
    let all: Bytes = [&pattern(9 << 20)[..], b"\r\n------formdata-tfjs-\r\n--", &pattern(3)].concat().into();
    let cut = all.len() / 2;
    let files = [("a", all.slice(..cut)), ("b", Bytes::new()), ("c", all.slice(cut..))];
    save(&server.url("/200"), artifacts(&files), &IoCx::default()).await.unwrap();
    assert!(server.forms()[0].parts[1].bytes == all);
}

#[tokio::test]
async fn headers_a_user_in_the_url_and_another_method_are_sent() {
    let server = FormServer::start().await;
    let options = IoOptions::default().with_header("X-Key", "secret").with_save_method(SaveMethod::Put);
    let url = server.url("/201").replace("http://", "http://me:pw@");
    let saved = save(&url, one("1"), &IoCx::new(options)).await.unwrap();
    assert_eq!(saved.location, server.url("/201"));
    let forms = server.forms();
    assert_eq!((forms[0].method.as_str(), forms[0].header("x-key")), ("PUT", Some("secret")));
    assert_eq!(forms[0].header("authorization"), Some("Basic bWU6cHc="));

    let options = IoOptions::default().with_header("Content-Type", "text/plain");
    let refused = save(&url, one("1"), &IoCx::new(options)).await;
    check_error(refused, Kind::Misuse, "/201", "`content-type` is set by the upload itself");
}

#[tokio::test]
async fn other_statuses_are_errors_with_the_url() {
    let server = FormServer::start().await;
    for (path, says) in [
        ("/500", "the server answered 500"),
        ("/413", "it does not accept a request of"),
        ("/403", "set credentials in a header"),
        ("/405", "accepts models with this method"),
        ("/503", "try again later"),
        ("/302?/200", "which is not followed when saving"),
        ("/303?/200", "which is not followed when saving"),
        ("/307", "without a `Location`"),
        ("/307?/307?/307?/307?/307?/307?/307", "/307"),
    ] {
        let result = save(&server.url(path), one("1"), &IoCx::default()).await;
        let place = path.split('?').next().unwrap();
        let error = result.unwrap_err();
        assert_eq!(error.kind(), Kind::Fetch, "{error:?}");
        assert!(error.place().file.as_deref().unwrap().contains(&server.url(place)), "{error}");
        assert!(error.to_string().contains(says), "expected `{says}`: {error}");
    }
    assert_eq!(server.forms().iter().filter(|form| form.target == "/500").count(), 1, "a POST is not sent twice");
}

#[tokio::test]
async fn the_form_follows_307_and_308_within_the_origin_only() {
    let server = FormServer::start().await;
    for status in ["/307", "/308"] {
        let options = IoOptions::default().with_header("X-Key", "secret");
        save(&server.url(&format!("{status}?/200")), one("1"), &IoCx::new(options)).await.unwrap();
        let last = server.forms().pop().unwrap();
        assert_eq!((last.method.as_str(), last.target.as_str(), last.parts.len()), ("POST", "/200", 2));
        assert_eq!(last.header("x-key"), Some("secret"));
    }
    let before = server.forms().len();
    let away = server.url(&format!("/307?{}", server.other_url("/200")));
    let error = save(&away, one("1"), &IoCx::default()).await.unwrap_err();
    assert!(error.to_string().contains("save to that URL if it is right"), "{error}");
    assert_eq!(server.forms().len(), before + 1, "the other origin was asked nothing");
}

/// Starts a server that serves one connection with this function; returns its URL and the task with the result.
async fn server<F: Future + Send>(
    serve: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> (String, JoinHandle<F::Output>)
where
    F::Output: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/m", listener.local_addr().unwrap());
    (url, tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await }))
}

#[tokio::test]
async fn an_early_refusal_is_heard() {
    let (url, serving) = server(async |mut stream: TcpStream| {
        stream.read_exact(&mut [0; 100]).await.unwrap();
        let refusal = "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(refusal.as_bytes()).await.unwrap();
        // Stops reading, but keeps the connection open.
        stream
    })
    .await;
    let large = artifacts(&[("w", pattern(32 << 20).into())]);
    let result = save(&url, large, &IoCx::default()).await;
    check_error(result, Kind::Fetch, "/m", "413 Payload Too Large; it does not accept a request of 3355");
    drop(serving.await.unwrap());
}

#[tokio::test]
async fn a_connection_that_breaks_is_an_error_and_nothing_is_sent_twice() {
    let server = FaultServer::start(|_| Reply::default().close()).await;
    let result = save(&server.url("/m"), one("1"), &IoCx::default()).await;
    check_error(result, Kind::Fetch, "/m", "lost before a response");
    assert_eq!(server.requests().len(), 1);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let result = save(&format!("http://{closed}/m"), one("1"), &IoCx::default()).await;
    check_error(result, Kind::Fetch, "/m", "cannot connect");
}

#[tokio::test]
async fn a_server_that_takes_nothing_or_says_nothing_is_given_up() {
    let short = Duration::from_millis(300);
    let large = artifacts(&[("w", pattern(32 << 20).into())]);
    for (timeouts, says) in [
        (Timeouts::default().with_headers(short), "the server did not answer for 300ms"),
        (Timeouts::default().with_total(short), "`Timeouts::total`"),
    ] {
        // Accepts the connection and reads nothing.
        let (url, serving) = server(async |stream: TcpStream| stream).await;
        let cx = IoCx::new(IoOptions::default().with_timeouts(timeouts));
        let saving = tokio::time::timeout(Duration::from_secs(10), save(&url, large.clone(), &cx));
        check_error(saving.await.unwrap(), Kind::Fetch, "/m", says);
        drop(serving.await.unwrap());
    }
    // Reads everything, and sends no response.
    let (url, serving) =
        server(async |mut stream: TcpStream| tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.unwrap()).await;
    let cx = IoCx::new(IoOptions::default().with_timeouts(Timeouts::default().with_headers(short)));
    check_error(save(&url, large, &cx).await, Kind::Fetch, "/m", "the server did not answer for 300ms");
    // After the failure, the connection is closed.
    drop(cx);
    let taken = tokio::time::timeout(Duration::from_secs(10), serving).await.unwrap().unwrap();
    assert!(taken > 32 << 20);
}

#[tokio::test]
async fn files_the_manifest_does_not_name_cannot_be_sent() {
    let server = FormServer::start().await;
    let mut extra = one("1");
    extra.weights.push(("more.bin".to_owned(), Bytes::new()));
    check_error(save(&server.url("/200"), extra, &IoCx::default()).await, Kind::Misuse, "more.bin", "does not name");
    let mut short = one("12");
    short.weights[0].1 = text("1");
    check_error(save(&server.url("/200"), short, &IoCx::default()).await, Kind::Mismatch, "/200", "expected 2 bytes");
    assert_eq!(server.forms().len(), 0);
}
