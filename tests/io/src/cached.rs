//! A small model on a server and a cache, for all tests of the cache.

use crate::fault_server::FaultServer;
use crate::load::groups;
use crate::sink::{TestSink, pattern};
use crate::site::Site;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tfjs_io::{Cache, IoCx, IoHandler, IoOptions, ModelUrl, Registry, Result, fetch_weights};

/// The JSON of the model.
pub const JSON: &str = "{\"v\":1}";
/// The JSON after a change of the model.
pub const OTHER_JSON: &str = "{\"v\":2}";

/// Lengths of `a.bin` and `b.bin`.
pub const LENGTHS: [usize; 2] = [100_000, 23];

/// A server with a model at `/m/model.json` with the weight files `a.bin` and `b.bin`, and an empty cache.
#[derive(Debug)]
pub struct Fixture {
    /// The server's files.
    pub site: Site,
    /// The server.
    pub server: FaultServer,
    /// The parent of the cache's folder, which is named `cache`.
    pub dir: tempfile::TempDir,
}

/// The bytes of both weight files.
pub fn weights() -> Vec<u8> {
    pattern(LENGTHS.iter().sum())
}

/// The bytes of one weight file.
pub fn shard(name: &str) -> Vec<u8> {
    let all = weights();
    match name {
        "a.bin" => all[..LENGTHS[0]].to_vec(),
        _ => all[LENGTHS[0]..].to_vec(),
    }
}

impl Fixture {
    /// All files have entity tags.
    pub async fn new() -> Fixture {
        let site = Site::new().with("/m/model.json", JSON);
        let site = ["a.bin", "b.bin"].into_iter().fold(site, |s, name| s.with(&format!("/m/{name}"), shard(name)));
        Self::of(site).await
    }

    /// A fixture with the files of this server.
    pub async fn of(site: Site) -> Fixture {
        let server = site.serve().await;
        Fixture { site, server, dir: tempfile::tempdir().expect("a folder for a test") }
    }

    /// The model's URL.
    pub fn url(&self) -> String {
        self.server.url("/m/model.json")
    }

    /// The cache's folder.
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// The cache.
    pub fn cache(&self) -> Cache {
        Cache::new(self.folder()).with_offline(false)
    }

    /// Loads through the cache, checks every byte, and returns the warnings and the server's log of responses.
    pub async fn load(&self) -> (Vec<String>, Vec<String>) {
        let warnings = self.load_with(self.cache()).await.expect("the model loads");
        (warnings, self.site.log())
    }

    /// Loads through a cache, checks every byte, and returns the warnings.
    pub async fn load_with(&self, cache: Cache) -> Result<Vec<String>> {
        load(&self.url(), IoOptions::default().with_cache(cache)).await
    }
}

/// Loads the model at this URL, checks every byte, and returns the warnings.
pub async fn load(url: &str, options: IoOptions) -> Result<Vec<String>> {
    let handler = Registry::default().resolve(&ModelUrl::parse(url)?)?;
    load_from(&*handler, options).await.map(|(_, warnings)| warnings)
}

/// Loads the model of a handler, checks every byte of its weights, and returns its JSON and the warnings.
pub async fn load_from(handler: &dyn IoHandler, options: IoOptions) -> Result<(String, Vec<String>)> {
    let (json, sink, warnings) = load_any(handler, options).await?;
    assert!(sink.bytes(0) == weights(), "the weights differ from the server's");
    Ok((json, warnings))
}

/// The same, without checking the weights.
pub async fn load_any(handler: &dyn IoHandler, options: IoOptions) -> Result<(String, TestSink, Vec<String>)> {
    let cx = IoCx::new(options);
    let whole = async {
        let artifacts = handler.load(&cx).await?;
        let sink = TestSink::new().group(&[77, LENGTHS[0] + LENGTHS[1] - 77]);
        let sink = fetch_weights(&artifacts.weights, &groups(&[&["a.bin", "b.bin"]]), sink, &cx).await?;
        Ok((String::from_utf8_lossy(&artifacts.model_json).into_owned(), sink, cx.take_warnings()))
    };
    tokio::time::timeout(Duration::from_secs(60), whole).await.expect("a load ends within a minute")
}

/// All files below a folder, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => folders.push(entry.path()),
                false => out.push(entry.path()),
            }
        }
    }
    out.sort();
    out
}

/// The weight files in a cache: those whose names are hashes.
pub fn blobs(folder: &Path) -> Vec<PathBuf> {
    let is_hash = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit())
    };
    files_below(&folder.join("v1/models")).into_iter().filter(is_hash).collect()
}

/// Temporary files in a cache: still being written, or left behind.
pub fn parts(folder: &Path) -> Vec<PathBuf> {
    files_below(folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "part")).collect()
}
