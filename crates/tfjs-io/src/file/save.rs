//! Writing several files to a folder as one: every file beside its place first, then all of them into place,
//! in order. After an error, or if nobody waits for the end any more, the folder holds what it held before.

use super::folder::{cannot, check_inside};
use crate::fetch::into_stream;
use crate::files::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tfjs_manifest::{Error, Result};

/// What files that are being written begin with.
const STAGED: &str = ".tfjs-";

/// Chunks that have arrived already are written in one go, up to so many.
const CHUNKS: usize = 64;

/// Whether a file of this name is one that is being written, or was when a process died.
pub(super) fn is_staged(name: &str) -> bool {
    name.starts_with(STAGED)
}

/// Writes these files in their order, all or none. Folders are made where they are missing; unless
/// `allow_symlinks`, none that a link leads to outside `root` is written to.
pub(super) async fn write_all(root: PathBuf, allow_symlinks: bool, files: Vec<(PathBuf, Body)>) -> Result<()> {
    let mut staging = Staging { root, allow_symlinks, open: None, written: Vec::new(), made: MadeFolders::default() };
    for (target, body) in files {
        staging = on_disk(staging, move |staging| staging.begin(&target)).await?;
        let mut chunks = into_stream(body, None).ready_chunks(CHUNKS);
        while let Some(chunks) = chunks.next().await {
            staging = on_disk(staging, move |staging| staging.write(chunks)).await?;
        }
        staging = on_disk(staging, Staging::end).await?;
    }
    crate::blocking::run(move || staging.commit()).await
}

/// The files go with the work: if nobody waits for it any more, the thread that has them cleans up.
async fn on_disk(
    mut staging: Staging,
    work: impl FnOnce(&mut Staging) -> Result<()> + Send + 'static,
) -> Result<Staging> {
    crate::blocking::run(move || {
        work(&mut staging)?;
        Ok(staging)
    })
    .await
}

/// Files beside their places. Dropped, they are gone, and the folders made for them.
struct Staging {
    root: PathBuf,
    allow_symlinks: bool,
    open: Option<Staged>,
    written: Vec<Written>,
    // Last: folders go after the files in them.
    made: MadeFolders,
}

impl Staging {
    fn begin(&mut self, target: &Path) -> Result<()> {
        let folder = super::folder_of(target);
        if !self.allow_symlinks {
            check_inside(&self.root, folder)?;
        }
        self.made.create(folder)?;
        self.open = Some(Staged::new(target)?);
        Ok(())
    }

    fn write(&mut self, chunks: Vec<Result<Bytes>>) -> Result<()> {
        let staged = self.open.as_mut().ok_or_else(|| Error::bug("bytes for no file"))?;
        for chunk in chunks {
            let chunk = chunk.map_err(|e| e.in_file(staged.target.display()))?;
            staged.file.write_all(&chunk).map_err(|e| cannot("write", e).in_file(staged.target.display()))?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let staged = self.open.take().ok_or_else(|| Error::bug("the end of no file"))?;
        self.written.push(staged.written()?);
        Ok(())
    }

    /// All of them into place. Nothing that was there has been touched so far.
    fn commit(self) -> Result<()> {
        let Staging { written, mut made, .. } = self;
        let mut replaced = AllReplaced(Vec::new());
        for file in written {
            replaced.0.push(file.replace()?);
        }
        replaced.keep();
        made.keep();
        Ok(())
    }
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

    #[cfg(feature = "archive")]
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Into its place, alone.
    #[cfg(feature = "archive")]
    pub(super) fn commit(self) -> Result<()> {
        self.written()?.replace()?.kept = true;
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

/// Files in their places, undone from the last to the first unless they are kept.
struct AllReplaced(Vec<Replaced>);

impl AllReplaced {
    fn keep(&mut self) {
        self.0.iter_mut().for_each(|file| file.kept = true);
    }
}

impl Drop for AllReplaced {
    fn drop(&mut self) {
        // Two of one name: what the first one replaced is what was there.
        while let Some(last) = self.0.pop() {
            drop(last);
        }
    }
}

/// A file in its place, and the one that was there before. Dropped without being kept, it is undone.
struct Replaced {
    target: PathBuf,
    before: Temporary,
    kept: bool,
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

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn replaced(target: &Path, bytes: &[u8]) -> Replaced {
        let mut staged = Staged::new(target).unwrap();
        staged.file.write_all(bytes).unwrap();
        staged.written().unwrap().replace().unwrap()
    }

    #[test]
    fn a_replacement_that_is_not_kept_is_undone() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        fs::write(&old, "1").unwrap();
        let all = AllReplaced(vec![replaced(&old, b"2"), replaced(&new, b"2"), replaced(&old, b"3")]);
        assert_eq!(fs::read_to_string(&old).unwrap(), "3");
        drop(all);
        assert_eq!(fs::read_to_string(&old).unwrap(), "1");
        assert_eq!(names(dir.path()), ["old"]);
    }

    #[test]
    fn a_panic_half_way_leaves_no_file_and_no_folder() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("a/b");
        let target = root.join("w");
        let panicked = std::panic::catch_unwind(move || {
            let mut staging =
                Staging { root, allow_symlinks: false, open: None, written: Vec::new(), made: MadeFolders::default() };
            staging.begin(&target).unwrap();
            staging.write(vec![Ok(Bytes::from_static(b"half"))]).unwrap();
            staging.end().unwrap();
            staging.begin(&target).unwrap();
            panic!("half-way");
        });
        assert!(panicked.is_err());
        assert_eq!(names(dir.path()), [""; 0]);
    }
}
