//! Writing a model to a folder: every file beside its place first, then all of them into place, the
//! model's JSON last. After an error the folder holds what it held before.

use super::folder::cannot;
use crate::handler::{SaveArtifacts, SaveResult};
use crate::shard_path::shard_components;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tfjs_manifest::{Error, Limits, Result};

/// What files that are being written begin with.
const STAGED: &str = ".tfjs-";

/// Whether a file of this name is one that is being written, or was when a process died.
pub(super) fn is_staged(name: &str) -> bool {
    name.starts_with(STAGED)
}

pub(super) fn save(folder: &Path, json_name: &str, artifacts: &SaveArtifacts, limits: &Limits) -> Result<SaveResult> {
    let mut made = MadeFolders::default();
    let mut staged = Vec::new();
    for (path, bytes) in &artifacts.weights {
        let parts = shard_components(path, limits)?;
        let target = parts.iter().fold(folder.to_owned(), |folder, part| folder.join(part));
        made.create(super::folder_of(&target))?;
        staged.push(Staged::with(&target, bytes)?);
    }
    made.create(folder)?;
    staged.push(Staged::with(&folder.join(json_name), &artifacts.model_json)?);
    // Nothing that was there has been touched so far.
    let mut replaced = Vec::new();
    for file in staged {
        replaced.push(file.replace()?);
    }
    for file in &mut replaced {
        file.keep();
    }
    made.keep();
    let location = folder.join(json_name).display().to_string();
    Ok(SaveResult::new(location, artifacts.weights.len() + 1, artifacts.bytes()))
}

/// A file being written beside its place. Dropped, it is gone.
#[derive(Debug)]
pub(super) struct Staged {
    file: File,
    at: Temporary,
    target: PathBuf,
}

impl Staged {
    /// An empty file that will be at `target`.
    pub(super) fn new(target: &Path) -> Result<Staged> {
        if target.is_dir() {
            return Err(Error::fetch("cannot write the file: it is a folder").in_file(target.display()));
        }
        let at = beside(target)?;
        let options = fs::OpenOptions::new().write(true).create_new(true).open(&at);
        let file = options.map_err(|e| cannot("write", e).in_file(target.display()))?;
        Ok(Staged { file, at: Temporary(Some(at)), target: target.to_owned() })
    }

    fn with(target: &Path, bytes: &[u8]) -> Result<Written> {
        let mut staged = Staged::new(target)?;
        staged.file.write_all(bytes).map_err(|e| cannot("write", e).in_file(target.display()))?;
        staged.written()
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Into its place, on disk.
    pub(super) fn commit(self) -> Result<()> {
        self.written()?.replace()?.keep();
        Ok(())
    }

    /// Its bytes are on disk, and the file is closed: a model may have more files than a process may have open.
    fn written(self) -> Result<Written> {
        let Staged { file, at, target } = self;
        // A rename that reaches the disk before the bytes would leave an empty file after a crash.
        file.sync_all().map_err(|e| cannot("write", e).in_file(target.display()))?;
        Ok(Written { at, target })
    }
}

/// A whole file beside its place. Dropped, it is gone.
#[derive(Debug)]
struct Written {
    at: Temporary,
    target: PathBuf,
}

impl Written {
    /// Into its place, until it is decided to keep it.
    fn replace(mut self) -> Result<Replaced> {
        let error = |e| cannot("write", e).in_file(self.target.display());
        let mut before = Temporary(None);
        if self.target.exists() {
            let path = beside(&self.target)?;
            // A link, so that the file is in its place at every moment; a copy where there are no links.
            fs::hard_link(&self.target, &path).or_else(|_| fs::copy(&self.target, &path).map(drop)).map_err(error)?;
            before = Temporary(Some(path));
        }
        if let Some(at) = &self.at.0 {
            fs::rename(at, &self.target).map_err(error)?;
        }
        self.at.0 = None;
        Ok(Replaced { target: self.target, before, kept: false })
    }
}

/// A file in its place, and the one that was there before. Dropped without being kept, it is undone.
struct Replaced {
    target: PathBuf,
    before: Temporary,
    kept: bool,
}

impl Replaced {
    fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // On the way out with an error already; there is nothing better to do with another.
        let _ = match self.before.0.take() {
            Some(before) => fs::rename(before, &self.target),
            None => fs::remove_file(&self.target),
        };
    }
}

/// A file that is removed when it is no longer needed.
#[derive(Debug)]
struct Temporary(Option<PathBuf>);

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            // A leftover begins with a dot and says whose it is.
            let _ = fs::remove_file(path);
        }
    }
}

/// Folders made on the way. Dropped without being kept, those that are empty are gone again.
#[derive(Default)]
struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    fn create(&mut self, folder: &Path) -> Result<()> {
        let missing: Vec<PathBuf> =
            folder.ancestors().take_while(|f| *f != Path::new("") && !f.exists()).map(Path::to_owned).collect();
        fs::create_dir_all(folder)
            .map_err(|e| Error::fetch("cannot make the folder").with_source(e).in_file(folder.display()))?;
        self.0.extend(missing.into_iter().rev());
        Ok(())
    }

    fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // Refused if something is in it, as it should be.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// A name of our own in the same folder, so that renaming stays on one file system.
fn beside(target: &Path) -> Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = target.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Error::misuse("expected a file's name").in_file(target.display()))?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Names may be 255 bytes long.
    let end = name.char_indices().map(|(i, c)| i + c.len_utf8()).take_while(|&end| end <= 100).last().unwrap_or(0);
    Ok(target.with_file_name(format!("{STAGED}{}-{count}-{}", std::process::id(), &name[..end])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn artifacts(json: &'static str, files: &[(&str, &'static str)]) -> SaveArtifacts {
        let weights = files.iter().map(|(p, b)| ((*p).to_owned(), Bytes::from_static(b.as_bytes()))).collect();
        SaveArtifacts::new(json, weights)
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn run(folder: &Path, artifacts: &SaveArtifacts) -> Result<SaveResult> {
        save(folder, "model.json", artifacts, &Limits::default())
    }

    #[test]
    fn files_replace_those_before_and_leave_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("a/b");
        run(&folder, &artifacts("{}", &[("w.bin", "1"), ("sub/x.bin", "2")])).unwrap();
        let result = run(&folder, &artifacts("{\"a\":1}", &[("w.bin", "33")])).unwrap();
        assert_eq!((result.files, result.bytes), (2, 9));
        assert_eq!(names(&folder), ["model.json", "sub", "w.bin"]);
        assert_eq!(fs::read_to_string(folder.join("w.bin")).unwrap(), "33");
        assert_eq!(fs::read_to_string(folder.join("model.json")).unwrap(), "{\"a\":1}");
    }

    #[test]
    fn a_failed_save_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), &artifacts("{}", &[("w.bin", "1")])).unwrap();
        // The last file cannot be written, because a folder has its name.
        fs::create_dir(dir.path().join("z.bin")).unwrap();
        let error = run(dir.path(), &artifacts("{2}", &[("w.bin", "2"), ("new/y.bin", "2"), ("z.bin", "2")]));
        assert!(error.unwrap_err().place().file.as_deref().unwrap().ends_with("z.bin"));
        assert_eq!(names(dir.path()), ["model.json", "w.bin", "z.bin"]);
        assert_eq!(fs::read_to_string(dir.path().join("w.bin")).unwrap(), "1");
        assert_eq!(fs::read_to_string(dir.path().join("model.json")).unwrap(), "{}");
    }

    #[test]
    fn a_replacement_that_is_not_kept_is_undone() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        fs::write(&old, "1").unwrap();
        let first = Staged::with(&old, b"2").unwrap().replace().unwrap();
        let second = Staged::with(&new, b"2").unwrap().replace().unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "2");
        drop((first, second));
        assert_eq!(fs::read_to_string(&old).unwrap(), "1");
        assert_eq!(names(dir.path()), ["old"]);
    }
}
