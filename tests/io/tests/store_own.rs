//! Ownership of files: copies, saves, moves and removals do not change files that a manifest names but that belong, or
//! may belong, to others.

use bytes::Bytes;
use io_harness::archives::{ZipEntry, zip};
use io_harness::fault_server::{FaultServer, Reply};
use io_harness::load::check_error;
use io_harness::tree::{self, Tree};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use tfjs_io::{IoCx, MemoryFiles, MemoryStore, ModelInfo, ModelStore, Registry, Result, SaveArtifacts, save};
use tfjs_manifest::Kind;

/// A JSON with these groups: paths, and the bytes of the weights, or `None` for strings.
fn manifest(groups: &[(&[&str], Option<usize>)]) -> String {
    let group = |(i, (paths, bytes)): (usize, &(&[&str], Option<usize>))| {
        let (shape, dtype) = bytes.map_or((1, "string"), |bytes| (bytes, "uint8"));
        json!({"paths": paths, "weights": [{"name": format!("w{i}"), "shape": [shape], "dtype": dtype}]})
    };
    let groups: Vec<Value> = groups.iter().enumerate().map(group).collect();
    json!({"modelTopology": {}, "weightsManifest": groups}).to_string()
}

fn model(paths: &[&str], bytes: usize) -> String {
    manifest(&[(paths, Some(bytes))])
}

/// A folder with the tested folder `m`, and models in memory to copy.
struct Home {
    dir: tempfile::TempDir,
    memory: MemoryStore,
    store: ModelStore,
}

impl Home {
    fn new() -> Home {
        let memory = MemoryStore::new();
        let store = ModelStore::new(Registry::default().with("mem", memory.clone()));
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("m")).unwrap();
        Home { dir, memory, store }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn url(&self, path: &str) -> String {
        self.path(path).display().to_string()
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn tree(&self) -> Tree {
        tree::of(&self.path("m"))
    }

    /// Puts a model into memory, with one group of these files, each with the text `new`; returns its URL.
    fn new_model(&self, paths: &[&str]) -> &'static str {
        let files: MemoryFiles = paths.iter().map(|path| (*path, "new")).collect();
        self.memory.insert("new", files.with("model.json", model(paths, 3 * paths.len())));
        "mem://new"
    }

    /// Removes and moves the model at `m/model.json`: both are refused, and no file changes.
    async fn check_stays(&self, kind: Kind, place: &str, says: &str) {
        self.check_stays_at("m/model.json", kind, place, says).await;
    }

    async fn check_stays_at(&self, json: &str, kind: Kind, place: &str, says: &str) {
        let (before, url) = (self.tree(), self.url(json));
        check_error(self.store.remove(&url).await, kind, place, says);
        assert_eq!(self.tree(), before);
        assert!(self.store.rename(&url, &self.url("moved")).await.is_err());
        assert_eq!(self.tree(), before);
        assert!(!self.path("moved").exists(), "what cannot be removed is not copied");
    }

    /// Copies a model of these files to `m/model.json`, and saves one there: both are refused, and no file changes.
    async fn check_refused(&self, paths: &[&str], kind: Kind, place: &str, says: &str) {
        let before = self.tree();
        check_error(self.copy(paths).await, kind, place, says);
        assert_eq!(self.tree(), before);
        let weights = paths.iter().map(|path| ((*path).to_owned(), Bytes::from_static(b"new"))).collect();
        let artifacts = SaveArtifacts::new(model(paths, 3 * paths.len()), weights);
        check_error(save(&self.url("m"), artifacts, &IoCx::default()).await, kind, place, says);
        assert_eq!(self.tree(), before);
    }

    async fn copy(&self, paths: &[&str]) -> Result<ModelInfo> {
        self.store.copy(self.new_model(paths), &self.url("m")).await
    }
}

// Creating and replacing files.

#[tokio::test]
async fn a_copy_does_not_replace_files_that_are_no_model_s() {
    let home = Home::new();
    home.write("m/Makefile", "all:");
    home.write("m/sub/conftest.py", "mine");
    home.check_refused(&["w.bin", "Makefile"], Kind::Misuse, "m/Makefile", "does not belong to the model").await;
    home.check_refused(&["sub/conftest.py"], Kind::Misuse, "conftest.py", "does not belong to the model").await;
    // Also refused if there is another model.
    home.write("m/model.json", model(&["w.bin"], 3));
    home.write("m/w.bin", "old");
    home.check_refused(&["w.bin", "Makefile"], Kind::Misuse, "m/Makefile", "does not belong to the model").await;
    // Files of the old model are not replaced if their lengths differ from its manifest.
    home.write("m/model.json", model(&["w.bin", "Makefile"], 3));
    home.check_refused(&["Makefile"], Kind::Mismatch, "", "expected 3 bytes in its files, found 7").await;
    // The length of an empty file does not identify it.
    home.write("m/model.json", manifest(&[(&["w.bin"], Some(3)), (&["__init__.py"], Some(0))]));
    home.write("m/__init__.py", "");
    home.check_refused(&["__init__.py"], Kind::Mismatch, "__init__.py", "an empty file").await;
}

#[tokio::test]
async fn a_served_model_does_not_replace_files_or_write_hidden_ones() {
    let home = Home::new();
    home.write("m/.git/config", "[core]");
    home.write("m/Makefile", "all:");
    for (path, kind) in
        [(".git/config", Kind::Unsupported), ("sub/.envrc", Kind::Unsupported), ("Makefile", Kind::Misuse)]
    {
        let server = FaultServer::start(move |request| match request.target.ends_with(".json") {
            true => Reply::ok(model(&["w.bin", path], 8)),
            false => Reply::ok("evil"),
        })
        .await;
        let before = home.tree();
        check_error(home.store.copy(&server.url("/model.json"), &home.url("m")).await, kind, path, "");
        assert_eq!(home.tree(), before);
        assert_eq!(server.requests().len(), 1, "what cannot be written is not fetched");
    }
}

#[tokio::test]
async fn names_that_begin_with_a_dot_are_written_nowhere() {
    let home = Home::new();
    let hidden = "begin with a dot";
    for path in [".bashrc", ".git/config", "a/.ssh/authorized_keys", "./.envrc", "\u{200c}.git/hooks/post-checkout"] {
        home.check_refused(&[path], Kind::Unsupported, "", hidden).await;
        for to in [home.url("m.zip"), "mem://other".to_owned(), home.url("m/sub/other.json")] {
            let result = home.store.copy(home.new_model(&[path]), &to).await;
            check_error(result, Kind::Unsupported, "", hidden);
        }
    }
    for to in ["m/.model.json", ".m.zip"] {
        let result = home.store.copy(home.new_model(&["w.bin"]), &home.url(to)).await;
        check_error(result, Kind::Unsupported, to, hidden);
    }
    assert_eq!((home.memory.names(), home.tree().len()), (vec!["new".to_owned()], 0));
    assert_eq!(fs::read_dir(home.dir.path()).unwrap().count(), 1);
    // A hidden folder is allowed if the caller names it.
    home.store.copy(home.new_model(&["w.bin"]), &home.url(".models/digits")).await.unwrap();
}

#[tokio::test]
async fn names_with_a_meaning_for_a_shell_are_not_copied() {
    let home = Home::new();
    for path in ["-rf", "sub/~/x", "git~1/config", "w.bin ", "x.json"] {
        home.check_refused(&[path], Kind::Unsupported, path, "never written").await;
        let to = home.url("m/model.zip");
        check_error(home.store.copy(home.new_model(&[path]), &to).await, Kind::Unsupported, path, "never written");
    }
    assert_eq!(home.tree().len(), 0);
    // A model that has such files is removed whole.
    home.write("m/model.json", model(&["-x"], 3));
    home.write("m/-x", "123");
    home.store.remove(&home.url("m")).await.unwrap();
    assert_eq!(home.tree().len(), 0);
}

#[tokio::test]
async fn names_that_differ_in_case_alone_are_one() {
    let home = Home::new();
    home.check_refused(&["MODEL.json"], Kind::Misuse, "MODEL.json", "has the same name as the model's JSON").await;
    home.write("m/b.json", model(&["W.bin"], 3));
    home.check_refused(&["w.BIN"], Kind::Misuse, "w.BIN", "belongs to another model").await;
    home.write("m/model.json", model(&["w.bin"], 3));
    home.write("m/w.bin", "old");
    home.store.remove(&home.url("m")).await.unwrap();
    assert!(home.path("m/w.bin").exists());
}

#[cfg(unix)]
#[tokio::test]
async fn what_has_a_new_file_s_name_is_in_the_way_whatever_it_is() {
    use std::os::unix::fs::symlink;
    let home = Home::new();
    home.write("theirs", "mine");
    for target in ["../theirs", "nowhere", "/dev/null"] {
        let link = home.path("m/w.bin");
        symlink(target, &link).unwrap();
        home.check_refused(&["w.bin"], Kind::Misuse, "w.bin", "does not belong to the model").await;
        fs::remove_file(&link).unwrap();
    }
    let pipe = home.path("m/model.json");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    home.check_refused(&["w.bin"], Kind::Misuse, "model.json", "does not belong to the model").await;
    fs::remove_file(pipe).unwrap();
    home.write("m/sub", "a file");
    assert!(home.copy(&["sub/w.bin"]).await.is_err());
    assert_eq!(fs::read_to_string(home.path("m/sub")).unwrap(), "a file");
}

#[cfg(unix)]
#[tokio::test]
async fn links_and_hard_links_of_a_former_model_are_not_written_through() {
    let home = Home::new();
    home.write("m/elsewhere/w.bin", "old");
    home.write("m/elsewhere/model.json", model(&["w.bin"], 3));
    fs::hard_link(home.path("m/elsewhere/w.bin"), home.path("m/w.bin")).unwrap();
    std::os::unix::fs::symlink("elsewhere/model.json", home.path("m/model.json")).unwrap();
    home.copy(&["w.bin"]).await.unwrap();
    assert_eq!(fs::read_to_string(home.path("m/w.bin")).unwrap(), "new");
    assert_eq!(fs::read_to_string(home.path("m/elsewhere/w.bin")).unwrap(), "old");
    assert_eq!(fs::read_to_string(home.path("m/elsewhere/model.json")).unwrap(), model(&["w.bin"], 3));
    // The length of a link's target does not identify a weight file.
    fs::remove_file(home.path("m/w.bin")).unwrap();
    std::os::unix::fs::symlink("elsewhere/w.bin", home.path("m/w.bin")).unwrap();
    home.check_refused(&["w.bin"], Kind::Mismatch, "w.bin", "found a link").await;
    home.check_stays(Kind::Mismatch, "w.bin", "found a link").await;
}

#[tokio::test]
async fn an_archive_is_replaced_by_a_model_only_if_one_is_in_it() {
    let home = Home::new();
    home.write("m/thesis.zip", "PK, or so it says");
    let before = home.tree();
    let copied = home.store.copy(home.new_model(&["w.bin"]), &home.url("m/thesis.zip")).await;
    assert!(copied.unwrap_err().message().contains("is not a model, so it is not replaced"));
    assert_eq!(home.tree(), before);
    for _ in 0..2 {
        home.store.copy(home.new_model(&["w.bin"]), &home.url("m/model.zip")).await.unwrap();
    }
}

#[tokio::test]
async fn an_archive_with_other_files_in_it_is_not_replaced() {
    let json = model(&["w.bin"], 3);
    let [model, weights] = [ZipEntry::stored("model.json", json.as_bytes()), ZipEntry::stored("w.bin", b"old")];
    let [thesis, package] = [ZipEntry::stored("thesis.docx", b"mine"), ZipEntry::stored("package.json", b"{\"a\": 1}")];
    for (entries, kind, says) in [
        (&[package, thesis.clone()][..], Kind::Malformed, "is not a model, so it is not replaced"),
        (&[model.clone(), weights.clone(), thesis][..], Kind::Misuse, "`thesis.docx`, so it is not replaced"),
        (&[model.clone(), ZipEntry::stored("w.bin", b"mine")][..], Kind::Mismatch, "expected 3 bytes"),
    ] {
        let home = Home::new();
        home.write("m/model.zip", zip(entries));
        let before = home.tree();
        let copied = home.store.copy(home.new_model(&["w.bin"]), &home.url("m/model.zip")).await;
        check_error(copied, kind, "", says);
        assert_eq!(home.tree(), before);
    }
    #[cfg(unix)]
    {
        let home = Home::new();
        home.write("elsewhere.zip", zip(&[model, weights]));
        std::os::unix::fs::symlink("../elsewhere.zip", home.path("m/model.zip")).unwrap();
        let copied = home.store.copy(home.new_model(&["w.bin"]), &home.url("m/model.zip")).await;
        check_error(copied, Kind::Misuse, "model.zip", "does not belong to the model");
    }
}

/// The weights of the new model arrive only after another process changed a file of the former one.
#[tokio::test]
async fn a_former_file_that_changes_during_a_copy_is_kept() {
    for (changes, content) in [("m/w.bin", "a thesis"), ("m/w.bin", "two"), ("m/model.json", "{\"my\": \"settings\"}")]
    {
        let home = Home::new();
        home.write("m/model.json", model(&["w.bin"], 3));
        home.write("m/w.bin", "old");
        let path = home.path(changes);
        let server = FaultServer::start(move |request| match request.target.ends_with(".json") {
            true => Reply::ok(model(&["new.bin"], 3)),
            false => {
                // A new file, as editors write it.
                fs::write(path.with_extension("part"), content).unwrap();
                fs::rename(path.with_extension("part"), &path).unwrap();
                Reply::ok("new")
            }
        })
        .await;
        let copied = home.store.copy(&server.url("/model.json"), &home.url("m")).await;
        check_error(copied, Kind::Misuse, changes, "another process changed this file");
        assert_eq!(fs::read_to_string(home.path(changes)).unwrap(), content);
        assert_eq!(home.tree().into_keys().collect::<Vec<_>>(), ["model.json", "w.bin"]);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_private_model_stays_private_when_it_is_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.write("m/model.json", model(&["w.bin"], 3));
    home.write("m/w.bin", "old");
    for name in ["m/model.json", "m/w.bin"] {
        fs::set_permissions(home.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    home.copy(&["w.bin", "another.bin"]).await.unwrap();
    for name in ["m/model.json", "m/w.bin", "m/another.bin"] {
        let mode = fs::metadata(home.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_model_is_saved_again_and_again_and_what_it_no_longer_has_goes() {
    let home = Home::new();
    home.write("m/notes.txt", "mine");
    for (paths, len) in [(&["a.bin", "b/c.bin"][..], 4), (&["a.bin"], 2), (&["a.bin", "d.bin"], 4)] {
        let weights = paths.iter().map(|path| ((*path).to_owned(), Bytes::from_static(b"12"))).collect();
        save(&home.url("m"), SaveArtifacts::new(model(paths, len), weights), &IoCx::default()).await.unwrap();
        let names: Vec<String> = home.tree().into_keys().collect();
        let mut expected: Vec<&str> = paths.iter().copied().chain(["model.json", "notes.txt"]).collect();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
}

/// The folder is left as by a process that was killed before, or after, it put the first new file into place.
#[tokio::test]
async fn what_a_killed_copy_left_does_not_keep_the_next_one() {
    let [old, new] = [model(&["a.bin", "b.bin"], 6), model(&["b.bin", "c.bin"], 6)];
    let before = [("old/b.bin", "old"), ("old-last/model.json", &*old), ("new/b.bin", "new"), ("new/c.bin", "new")];
    let after = [("go", ""), ("old/a.bin", "old"), ("new/c.bin", "new"), ("new-last/model.json", &*new)];
    for (left, place, says) in [(&before[..], "a.bin", "old"), (&after[..], "b.bin", "new")] {
        let home = Home::new();
        home.write("m/notes.txt", "mine");
        home.write(&format!("m/{place}"), says);
        for (name, content) in left.iter().chain(&[("lock", "")]) {
            home.write(&format!("m/.tfjs-1-0/{name}"), content);
        }
        // The copy first completes or undoes the interrupted one, then replaces the model.
        home.copy(&["b.bin", "d.bin"]).await.unwrap();
        assert_eq!(home.tree().into_keys().collect::<Vec<_>>(), ["b.bin", "d.bin", "model.json", "notes.txt"]);
    }
}

// Removing files.

#[tokio::test]
async fn files_of_other_lengths_than_the_manifest_says_are_not_removed() {
    let home = Home::new();
    home.write("m/thesis.docx", "T".repeat(1000));
    home.write("m/w.bin", "123");
    home.write("m/model.json", model(&["thesis.docx"], 28));
    home.check_stays(Kind::Mismatch, "thesis.docx", "expected 28 bytes in its files, found 1000").await;
    // Each group is checked, before anything is removed.
    home.write("m/model.json", manifest(&[(&["w.bin"], Some(3)), (&["thesis.docx"], Some(28))]));
    home.check_stays(Kind::Mismatch, "thesis.docx", "weight group 1").await;
    // A missing file of a group leaves the others unidentified.
    home.write("m/model.json", model(&["thesis.docx", "missing.bin"], 2000));
    home.check_stays(Kind::Mismatch, "missing.bin", "this one is missing").await;
    home.write("m/model.json", manifest(&[(&["w.bin"], Some(3)), (&["thesis.docx"], None)]));
    home.check_stays(Kind::Mismatch, "model.json", "it has string weights").await;
    home.write("m/model.json", manifest(&[(&["__init__.py"], Some(0))]));
    home.write("m/__init__.py", "");
    home.check_stays(Kind::Mismatch, "__init__.py", "an empty file").await;
    // The length of quantized weights is that of the stored bytes.
    let weight = json!({"name": "w", "shape": [3], "dtype": "float32",
        "quantization": {"dtype": "uint8", "scale": 1.0, "min": 0.0}});
    let groups = json!([{"paths": ["w.bin"], "weights": [weight]}]);
    home.write("m/model.json", json!({"modelTopology": {}, "weightsManifest": groups}).to_string());
    home.store.remove(&home.url("m")).await.unwrap();
    assert_eq!(home.tree().into_keys().collect::<Vec<_>>(), ["__init__.py", "thesis.docx"]);
}

#[tokio::test]
async fn hidden_files_are_not_removed_whatever_their_lengths() {
    let home = Home::new();
    for path in [".ssh/id_ed25519", ".bashrc", "sub/.env"] {
        home.write(&format!("m/{path}"), "KEY");
        home.write("m/model.json", model(&[path], 3));
        home.check_stays(Kind::Unsupported, path, "begin with a dot").await;
    }
    home.write("m/.config.json", model(&["w.bin"], 3));
    home.write("m/w.bin", "123");
    home.check_stays_at("m/.config.json", Kind::Unsupported, ".config.json", "begin with a dot").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_neighbour_that_cannot_be_understood_owns_everything() {
    let home = Home::new();
    home.write("m/model.json", model(&["w.bin"], 3));
    home.write("m/w.bin", "123");
    let says = "may be another model's JSON and cannot be read";
    for content in
        ["{\"weightsManifest\": [", "[1, 2", "", "{\"weightsManifest\": [{\"paths\": [\"../x\"], \"weights\": []}]}"]
    {
        for name in ["b.json", "B.JSON", ".hidden.json"] {
            home.write(&format!("m/{name}"), content);
            home.check_stays(Kind::Malformed, name, says).await;
            home.check_refused(&["w.bin"], Kind::Malformed, name, says).await;
            fs::remove_file(home.path(&format!("m/{name}"))).unwrap();
        }
    }
    // A link with the name of a JSON counts as a model, regardless of its target.
    home.write("other.json", model(&["w.bin"], 3));
    for target in ["../other.json", "model.json", "nowhere", "/dev/null"] {
        std::os::unix::fs::symlink(target, home.path("m/b.json")).unwrap();
        home.check_stays(Kind::Malformed, "m/b.json", says).await;
        home.check_refused(&["w.bin"], Kind::Malformed, "m/b.json", says).await;
        fs::remove_file(home.path("m/b.json")).unwrap();
    }
    assert!(std::process::Command::new("mkfifo").arg(home.path("m/b.json")).status().unwrap().success());
    home.check_stays(Kind::Malformed, "m/b.json", says).await;
    fs::remove_file(home.path("m/b.json")).unwrap();
    // JSON files that are not models do not matter.
    home.write("m/package.json", "{\"name\": \"no model\"}");
    home.write("m/labels.json", "[\"cat\", \"dog\"]");
    home.write("m/folder.json/x", "");
    home.copy(&["w.bin"]).await.unwrap();
    home.store.remove(&home.url("m")).await.unwrap();
    assert!(!home.path("m/w.bin").exists());
}

#[tokio::test]
async fn a_neighbour_over_a_limit_owns_everything() {
    let home = Home::new();
    home.write("m/model.json", model(&["w.bin"], 3));
    home.write("m/w.bin", "123");
    home.write("m/b.json", "[".repeat(200) + &"]".repeat(200));
    home.check_stays(Kind::Limit, "m/b.json", "cannot be read").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_neighbour_is_seen_whatever_else_is_below_the_folder() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    for name in ["a", "b"] {
        home.write(&format!("m/{name}.json"), model(&["w.bin"], 3));
    }
    home.write("m/w.bin", "123");
    home.write("m/locked/x", "");
    fs::set_permissions(home.path("m/locked"), fs::Permissions::from_mode(0o000)).unwrap();
    tree::deep(&home.path("m"));
    home.store.remove(&home.url("m/a.json")).await.unwrap();
    assert!(home.path("m/w.bin").exists() && !home.path("m/a.json").exists());
    let result = home.store.copy(home.new_model(&["w.bin"]), &home.url("m/c.json")).await;
    check_error(result, Kind::Misuse, "w.bin", "belongs to another model");
    fs::set_permissions(home.path("m/locked"), fs::Permissions::from_mode(0o700)).unwrap();
    home.store.remove(&home.url("m/b.json")).await.unwrap();
    assert!(!home.path("m/w.bin").exists());
    tree::remove_deep(&home.path("m"));
}

#[cfg(unix)]
#[tokio::test]
async fn weights_that_a_neighbour_names_through_a_link_are_its_own() {
    let home = Home::new();
    home.write("m/sub/w.bin", "123");
    home.write("m/a.json", model(&["sub/w.bin"], 3));
    for (link, target, path) in [("m/alias", "sub", "alias/w.bin"), ("m/x/up", "..", "x/up/sub/w.bin")] {
        fs::create_dir_all(home.path("m/x")).unwrap();
        std::os::unix::fs::symlink(target, home.path(link)).unwrap();
        home.write("m/b.json", model(&[path], 3));
        home.store.copy(home.new_model(&["new.bin"]), &home.url("m/a.json")).await.unwrap();
        assert!(home.path("m/sub/w.bin").exists());
        home.write("m/a.json", model(&["sub/w.bin"], 3));
        fs::remove_file(home.path("m/new.bin")).unwrap();
        home.store.remove(&home.url("m/a.json")).await.unwrap();
        assert!(home.path("m/sub/w.bin").exists());
        home.write("m/a.json", model(&["sub/w.bin"], 3));
    }
}

#[tokio::test]
async fn a_folder_whose_name_ends_in_white_space_is_another_one() {
    let home = Home::new();
    for name in ["m", "m ", "m\u{a0}"] {
        home.write(&format!("{name}/model.json"), model(&["w.bin"], 3));
        home.write(&format!("{name}/w.bin"), "123");
    }
    for name in ["m ", "m\u{a0}"] {
        home.store.remove(&home.url(name)).await.unwrap();
        assert!(!home.path(&format!("{name}/w.bin")).exists() && home.path("m/w.bin").exists(), "{name:?}");
    }
}

#[tokio::test]
async fn weights_in_a_folder_below_belong_to_the_model_there() {
    let home = Home::new();
    home.write("m/digits/model.json", model(&["w.bin"], 3));
    home.write("m/digits/w.bin", "123");
    home.write("m/model.json", model(&["digits/w.bin"], 3));
    home.check_refused(&["digits/w.bin"], Kind::Misuse, "digits/w.bin", "belongs to another model").await;
    home.store.remove(&home.url("m")).await.unwrap();
    assert_eq!(home.tree().into_keys().collect::<Vec<_>>(), ["digits/model.json", "digits/w.bin"]);
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_cannot_be_listed_keeps_everything() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.write("m/model.json", model(&["w.bin"], 3));
    home.write("m/w.bin", "123");
    let folder = home.path("m");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o300)).unwrap();
    if fs::read_dir(&folder).is_err() {
        let says = "this folder cannot be listed";
        check_error(home.store.remove(&home.url("m")).await, Kind::Fetch, "m", says);
        check_error(home.copy(&["w.bin"]).await, Kind::Fetch, "m", says);
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    assert!(home.path("m/w.bin").exists() && home.path("m/model.json").exists());
    // A file instead of the folder is not treated as an empty folder.
    home.write("m/sub", "a file");
    home.write("m/model.json", model(&["sub/w.bin"], 3));
    home.check_stays(Kind::Fetch, "m/sub", "cannot be listed").await;
}

#[tokio::test]
async fn a_move_compares_lengths_before_it_copies() {
    let home = Home::new();
    home.write("m/model.json", manifest(&[(&["s.bin"], None)]));
    home.write("m/s.bin", b"\x02\0\0\0ab");
    home.check_stays(Kind::Mismatch, "model.json", "it has string weights").await;
    // Moves to other schemes are refused as well.
    let moved = home.store.rename(&home.url("m"), "mem://m").await;
    check_error(moved, Kind::Mismatch, "model.json", "it has string weights");
    assert_eq!(home.memory.names(), [""; 0]);
    home.store.copy(&home.url("m"), "mem://m").await.unwrap();
    check_error(home.store.rename("mem://m", "mem://n").await, Kind::Mismatch, "mem://m/model.json", "string weights");
    assert_eq!(home.memory.names(), ["m"]);
}
