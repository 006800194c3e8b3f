//! Random tests of the store: random folders with models, other files and links, random operations, and
//! failures at every call of the backend. No byte outside the models' own files may change, and a model that loads
//! must be complete.

use futures_util::StreamExt;
use io_harness::tree::{self, Tree};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tfjs_io::{
    Body, BoxFuture, Bytes, Files, FilesHandler, FolderEntry, FolderFiles, IoHandler, ModelStore, ModelUrl,
    OpenOptions, Opened, Registry, Result,
};
use tfjs_manifest::Error;

/// Number of cases of each test; `TFJS_STORE_CASES` sets another.
const CASES: u64 = 60;

fn cases() -> u64 {
    std::env::var("TFJS_STORE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES)
}

/// A small pseudorandom generator (Steele, Lea, Flood: SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

/// Names that both models and other files use.
const NAMES: &[&str] =
    &["a.bin", "A.bin", "b.bin", "sub/a.bin", "sub/deep/c.bin", "Makefile", ".git/config", "n.json", "out/a.bin"];
const JSONS: &[&str] = &["model.json", "n.json", "sub/model.json"];

/// A model: the name of its JSON, and the bytes of all files. All files contain `tag`, so that two models always
/// differ.
#[derive(Clone, Debug)]
struct Model {
    json: String,
    files: BTreeMap<String, Vec<u8>>,
}

impl Model {
    fn random(random: &mut Random, json: &str, tag: usize) -> Model {
        let folder = json.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let mut files = BTreeMap::new();
        let mut groups: Vec<Value> = Vec::new();
        for g in 0..1 + random.below(2) {
            let paths: BTreeSet<&str> = (0..1 + random.below(2)).map(|_| random.of(NAMES)).collect();
            let bytes = |path: &str| format!("{tag:03} {path}").into_bytes();
            let honest = !random.chance(5);
            let total: usize = paths.iter().map(|path| bytes(path).len()).sum();
            let dtype = if random.chance(8) { "string" } else { "uint8" };
            let shape = if honest { total } else { total + 1 };
            groups.push(
                json!({"paths": paths, "weights": [{"name": format!("w{g}"), "shape": [shape], "dtype": dtype}]}),
            );
            files.extend(paths.iter().map(|path| (format!("{folder}{path}"), bytes(path))));
        }
        let text = json!({"modelTopology": {"tag": tag}, "weightsManifest": groups}).to_string();
        files.insert(json.to_owned(), text.into_bytes());
        Model { json: json.to_owned(), files }
    }

    /// All files that its JSON names.
    fn named(text: &[u8]) -> Option<Vec<String>> {
        let value: Value = serde_json::from_slice(text).ok()?;
        let groups = value.get("weightsManifest")?.as_array()?.clone();
        let paths = groups.iter().filter_map(|group| group["paths"].as_array()).flatten();
        Some(paths.filter_map(|path| path.as_str().map(str::to_owned)).collect())
    }
}

/// A folder in a random state.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn random(random: &mut Random) -> World {
        let world = World { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(world.dir.path().join("m")).unwrap();
        fs::create_dir(world.dir.path().join("outside")).unwrap();
        fs::write(world.dir.path().join("outside/a.bin"), "mine").unwrap();
        for name in NAMES.iter().filter(|_| random.chance(4)) {
            world.write(name, format!("mine {name}").as_bytes());
        }
        #[cfg(unix)]
        for (target, name) in
            [("../outside", "out"), ("a.bin", "b.bin"), ("model.json", "l.json"), ("nowhere", "a.bin")]
        {
            if random.chance(6) {
                let _ = std::os::unix::fs::symlink(target, world.root().join(name));
            }
        }
        if random.chance(8) {
            world.write("broken.json", b"{\"weightsManifest\": ");
        }
        for json in JSONS {
            if random.chance(2) {
                continue;
            }
            let tag = random.below(100);
            let mut model = Model::random(random, json, tag);
            if random.chance(4) {
                let lost = random.of(NAMES);
                model.files.remove(lost);
            }
            for (name, bytes) in &model.files {
                world.write(name, bytes);
            }
        }
        world
    }

    fn root(&self) -> std::path::PathBuf {
        self.dir.path().join("m")
    }

    /// Writes a file, unless the path cannot be created.
    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.root().join(name);
        let Some(folder) = path.parent() else { return };
        let is_link = path.symlink_metadata().is_ok_and(|m| m.is_symlink());
        if !is_link
            && fs::create_dir_all(folder).is_ok()
            && folder.canonicalize().is_ok_and(|f| f.starts_with(self.dir.path().canonicalize().unwrap().join("m")))
        {
            let _ = fs::write(path, bytes);
        }
    }

    fn tree(&self) -> Tree {
        tree::of(self.dir.path())
    }
}

/// Checks the result of an operation on `m/<json>`. `new` is the model that it would write.
fn check(what: &str, json: &str, before: &Tree, after: &Tree, new: Option<&Model>) {
    let key = |name: &str| format!("m/{name}");
    let after: Tree =
        after.iter().filter(|(name, _)| !name.contains("/.tfjs-")).map(|(n, b)| (n.clone(), b.clone())).collect();
    let folder = json.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let old_json = before.get(&key(json));
    let old_named = old_json.and_then(|text| Model::named(text)).unwrap_or_default();
    let old: BTreeSet<String> =
        old_named.iter().map(|path| key(&format!("{folder}{path}"))).chain([key(json)]).collect();
    for (name, bytes) in before {
        let own = old.contains(name) && old_json.is_some();
        let hidden = name.split('/').any(|part| part.starts_with('.'));
        if after.get(name) != Some(bytes) {
            assert!(own && !hidden, "{what}: `{name}` does not belong to the model, but changed");
        }
    }
    for (name, bytes) in &after {
        let created = new.is_some_and(|new| new.files.iter().any(|(n, b)| key(n) == *name && b == bytes));
        assert!(
            before.get(name) == Some(bytes) || created,
            "{what}: `{name}` was created, but does not belong to the new model"
        );
        assert!(
            before.get(name) == Some(bytes) || !name.split('/').any(|part| part.starts_with('.')),
            "{what}: {name}"
        );
    }
    // Other models are unchanged, except those in folders above, which are not searched.
    for other in JSONS.iter().filter(|other| **other != json && (folder.is_empty() || other.starts_with(&folder))) {
        let Some(text) = before.get(&key(other)) else { continue };
        let folder = other.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        for path in Model::named(text).unwrap_or_default() {
            let name = key(&format!("{folder}{path}"));
            // The caller named this JSON, so it may change even if another model names it.
            let spared = name == key(json) || !before.contains_key(&name);
            assert!(spared || before.get(&name) == after.get(&name), "{what}: {other} lost `{name}`");
        }
    }
    // The JSON and all files that it names are those of the old or of the new model.
    let Some(text) = after.get(&key(json)) else { return };
    match new.filter(|new| new.files.get(json) == Some(text)) {
        Some(new) => {
            for (name, bytes) in &new.files {
                assert_eq!(after.get(&key(name)), Some(bytes), "{what}: a mixture at `{name}`");
            }
        }
        None => {
            assert_eq!(Some(text), old_json, "{what}: another JSON");
            for name in &old {
                assert_eq!(after.get(name), before.get(name), "{what}: a mixture at `{name}`");
            }
        }
    }
}

/// The files of a folder, with failures chosen by a test.
#[derive(Clone, Debug)]
struct Faulty {
    inner: Arc<dyn Files>,
    /// Whether to replace files one by one, as the default of `Files::replace` does, instead of atomically.
    plain: bool,
    /// Calls before the failing one; negative after it.
    left: Arc<AtomicI64>,
    /// Whether all later calls fail as well, as if the process had died.
    for_ever: bool,
}

impl Faulty {
    fn call(&self) -> Result<()> {
        let left = self.left.fetch_sub(1, Ordering::Relaxed);
        match left == 0 || (left < 0 && self.for_ever) {
            true => Err(Error::fetch("a fault injected by the test")),
            false => Ok(()),
        }
    }

    /// Wraps a body, whose chunks count as calls and may fail.
    fn body(&self, path: &str, body: Body) -> Body {
        let (this, path) = (self.clone(), path.to_owned());
        let chunks = Opened::new(path, body).into_stream();
        Body::Stream(chunks.map(move |chunk| this.call().and(chunk)).boxed())
    }
}

impl Files for Faulty {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            self.call()?;
            self.inner.open(path, options).await
        })
    }

    fn put<'a>(&'a self, path: &'a str, body: Body) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.call()?;
            self.inner.put(path, self.body(path, body)).await
        })
    }

    fn replace<'a>(&'a self, former: Vec<String>, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.call()?;
            let files: Vec<_> = files.into_iter().map(|(path, body)| (path.clone(), self.body(&path, body))).collect();
            if !self.plain {
                return self.inner.replace(former, files).await;
            }
            let new: BTreeSet<String> = files.iter().map(|(path, _)| path.clone()).collect();
            if !files.is_empty() {
                self.put_all(files).await?;
            }
            for path in former.iter().rev().filter(|path| !new.contains(*path)) {
                self.remove(path).await?;
            }
            Ok(())
        })
    }

    fn entries<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FolderEntry>>> {
        Box::pin(async move {
            self.call()?;
            self.inner.entries(folder).await
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            self.call()?;
            self.inner.list(prefix).await
        })
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            self.call()?;
            self.inner.remove(path).await
        })
    }

    fn location(&self, path: &str) -> String {
        self.inner.location(path)
    }
}

/// A store in which `faulty` URLs lead to the folder `m`, and `mem` URLs to a model to copy.
fn store(root: &Path, model: &Model, plain: bool, left: i64, for_ever: bool) -> (ModelStore, Arc<AtomicI64>) {
    let left = Arc::new(AtomicI64::new(left));
    let faulty = Faulty { inner: Arc::new(FolderFiles::new(root)), plain, left: left.clone(), for_ever };
    let scheme = move |url: &ModelUrl| -> Result<Arc<dyn IoHandler>> {
        let path = url.as_url().and_then(|url| url.strip_prefix("faulty://")).unwrap_or_default().to_owned();
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let files = tfjs_io::PrefixedFiles::new(Arc::new(faulty.clone()), prefix);
        Ok(Arc::new(FilesHandler::new(Arc::new(files), name)))
    };
    let folder = model.json.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let memory = tfjs_io::MemoryStore::new();
    let files = model.files.iter().map(|(name, bytes)| {
        let name = if *name == model.json { "model.json" } else { name.strip_prefix(&folder).unwrap_or(name) };
        (name.to_owned(), Bytes::from(bytes.clone()))
    });
    memory.insert("new", files.collect());
    (ModelStore::new(Registry::empty().with("faulty", scheme).with("mem", memory)), left)
}

/// Runs an operation; returns its name and result.
async fn run(store: &ModelStore, operation: usize, json: &str) -> (&'static str, Result<()>) {
    let url = format!("faulty://{json}");
    match operation {
        0 => ("remove", store.remove(&url).await.map(drop)),
        1 => ("move", store.rename(&url, "mem://moved").await.map(drop)),
        _ => ("copy", store.copy("mem://new", &url).await.map(drop)),
    }
}

/// Runs random operations, without faults or with a fault at each call in turn, and checks the results.
async fn check_cases(plain: bool, for_ever: Option<bool>, seed: u64) {
    let (mut done, mut refused) = (0, 0);
    for case in 0..cases() {
        let seed = seed.wrapping_mul(1 << 32) + case;
        for fault in 0.. {
            let mut random = Random(seed);
            let world = World::random(&mut random);
            let json = random.of(JSONS);
            let model = Model::random(&mut random, json, 100 + random_tag(case));
            let operation = random.below(4);
            let left = if for_ever.is_some() { fault } else { i64::MAX };
            let (store, left) = store(&world.root(), &model, plain, left, for_ever.unwrap_or(false));
            let before = world.tree();
            let (name, result) = run(&store, operation, json).await;
            let what = format!("case {case}, fault {fault}, {name} {json} ({result:?})");
            check(&what, json, &before, &world.tree(), (operation >= 2).then_some(&model));
            match result {
                Ok(()) => done += 1,
                Err(_) => refused += 1,
            }
            if left.load(Ordering::Relaxed) >= 0 {
                break;
            }
        }
    }
    // Both outcomes must be frequent, or the cases would not test much.
    assert!(done * 10 > cases() && refused * 10 > cases(), "{done} done, {refused} refused");
}

fn random_tag(case: u64) -> usize {
    (case % 800) as usize
}

#[tokio::test]
async fn no_byte_outside_the_model_s_own_files_changes() {
    check_cases(false, None, 1).await;
}

#[tokio::test]
async fn a_failure_at_any_call_leaves_the_old_model_the_new_one_or_none() {
    check_cases(false, Some(false), 2).await;
}

#[tokio::test]
async fn a_place_that_fails_for_ever_leaves_the_old_model_the_new_one_or_none() {
    check_cases(false, Some(true), 3).await;
}

#[tokio::test]
async fn a_place_without_a_way_of_its_own_to_replace_files_mixes_no_models() {
    check_cases(true, Some(false), 4).await;
    check_cases(true, Some(true), 5).await;
}
