//! Writes files to a folder: first to a temporary folder ([`operation`](super::operation)), then they are moved into
//! their places together ([`exchange`](super::exchange)). After an error, or if the future is dropped, the folder is
//! unchanged.

use super::before::Before;
use super::exchange::{Former, MadeFolders, exchange, make_slot};
use super::folder::cannot;
use super::operation::{Operation, Side, sweep};
use super::root::Root;
use super::step;
use crate::base::files::Body;
use crate::base::stream::into_stream;
use bytes::Bytes;
use futures_util::StreamExt;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// Most chunks that are written at once.
const CHUNKS: usize = 64;

/// Writes these files, in order, to their paths below `root`: all or none. Creates missing folders. Without
/// `allow_symlinks`, a folder that is a link to outside `root` is an error.
pub(super) async fn write_all(
    root: PathBuf,
    allow_symlinks: bool,
    former: Former,
    files: Vec<(PathBuf, Body)>,
) -> Result<()> {
    let paths: Vec<PathBuf> = files.iter().map(|(path, _)| path.clone()).collect();
    let mut saving = crate::base::blocking::run(move || Saving::begin(root, allow_symlinks, former, paths)).await?;
    for (_, body) in files {
        saving = on_disk(saving, Saving::next_file).await?;
        let mut chunks = into_stream(body, None).ready_chunks(CHUNKS);
        while let Some(chunks) = chunks.next().await {
            saving = on_disk(saving, move |saving| saving.write(chunks)).await?;
        }
        saving = on_disk(saving, Saving::end_file).await?;
    }
    crate::base::blocking::run(move || saving.commit()).await
}

/// Runs work on a blocking thread, which owns the files in the meantime: if the future is dropped, it removes them.
async fn on_disk(mut saving: Saving, work: impl FnOnce(&mut Saving) -> Result<()> + Send + 'static) -> Result<Saving> {
    crate::base::blocking::run(move || {
        work(&mut saving)?;
        Ok(saving)
    })
    .await
}

/// Writes a file atomically: to a temporary file that is then renamed. After an error, or if the process dies, a former
/// file is unchanged. A new file has the permissions of the former one. A device or a pipe is written to directly.
/// Blocks.
///
/// # Errors
/// [`Kind::Fetch`](tfjs_manifest::Kind::Fetch) if the file cannot be written.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    write_file_from(path, |file| file.write_all(bytes))
}

/// [`write_file`] with a function that writes the bytes, which need not be in memory together.
///
/// # Errors
/// As [`write_file`].
pub fn write_file_from(path: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
    let error = |e| cannot("write", e).in_file(path.display());
    let before = fs::metadata(path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        let mut file = fs::OpenOptions::new().write(true).open(path).map_err(error)?;
        return write(&mut file).map_err(error);
    }
    // A link is kept: its target is replaced.
    let path = if before.is_some() { path.canonicalize().map_err(error)? } else { path.to_owned() };
    write_alone(&path, |_| Former::Any, write)
}

/// Writes a file as [`write_file`] does, with a function that writes its bytes. Replaces the file at this path only if
/// `replaces` is set, and never one that appeared or changed since then.
#[cfg(feature = "archive")]
pub(crate) fn write_file_with(
    path: &Path,
    replaces: bool,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<()> {
    write_alone(path, |name| Former::Only(if replaces { vec![name.to_owned()] } else { Vec::new() }), write)
}

fn write_alone(
    path: &Path,
    former: impl FnOnce(&Path) -> Former,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<()> {
    let error = |e| cannot("write", e).in_file(path.display());
    let name = path.file_name().ok_or_else(|| Error::misuse("expected a file name").in_file(path.display()))?;
    let (root, name) = (super::folder_of(path).to_owned(), PathBuf::from(name));
    // A missing folder is not created: it may be a spelling mistake.
    fs::metadata(&root).map_err(error)?;
    let mut saving = Saving::begin(root, false, former(&name), vec![name])?;
    saving.next_file()?;
    write(saving.file()?).map_err(error)?;
    saving.end_file()?;
    saving.commit()
}

/// Files that are being written. On drop, they and the folders created for them are removed.
#[derive(Debug)]
struct Saving {
    operation: Operation,
    former: Former,
    before: Before,
    /// The final paths of the files below the root; `count` of them have been written.
    paths: Vec<PathBuf>,
    count: usize,
    open: Option<File>,
    // The last field, because folders must be dropped after their contents.
    made: MadeFolders,
}

impl Saving {
    fn begin(root: PathBuf, allow_symlinks: bool, former: Former, paths: Vec<PathBuf>) -> Result<Saving> {
        let error = |e| Error::fetch("cannot create the folder").with_source(e).in_file(root.display());
        let made = MadeFolders::up_to(&root).map_err(error)?;
        let root = Arc::new(Root::open(&root, allow_symlinks).map_err(error)?);
        sweep(&root);
        let operation = Operation::begin(&root)?;
        let before = Before::of(root.path(), &former, &paths);
        Ok(Saving { operation, former, before, paths, count: 0, open: None, made })
    }

    /// The temporary and the final path of the next file.
    fn slot(&self) -> Result<(PathBuf, PathBuf)> {
        let path = self.paths.get(self.count).ok_or_else(|| Error::bug("more files than paths"))?;
        let last = self.count + 1 == self.paths.len();
        Ok((self.operation.slot(Side::New, last, path), self.operation.root().place(path)))
    }

    fn next_file(&mut self) -> Result<()> {
        let (slot, place) = self.slot()?;
        let path = self.paths.get(self.count);
        if let Some(path) = path {
            self.operation.root().check(path)?;
            self.former.check(&place, path)?;
        }
        let (at, error) = (self.operation.at(), |e| cannot("write", e).in_file(place.display()));
        let file = make_slot(at, &slot).and_then(|()| step::create_new(&at.spot(&slot)?)).map_err(error)?;
        if let Some(permissions) = path.and_then(|path| self.before.permissions(path)) {
            file.set_permissions(permissions).map_err(error)?;
        }
        self.open = Some(file);
        Ok(())
    }

    fn file(&mut self) -> Result<&mut File> {
        self.open.as_mut().ok_or_else(|| Error::bug("bytes for no file"))
    }

    fn write(&mut self, chunks: Vec<Result<Bytes>>) -> Result<()> {
        let (_, place) = self.slot()?;
        for chunk in chunks {
            let chunk = chunk.map_err(|e| e.in_file(place.display()))?;
            self.file()?.write_all(&chunk).map_err(|e| cannot("write", e).in_file(place.display()))?;
        }
        Ok(())
    }

    /// Syncs and closes the file. Closing it matters because a model may have more files than a process may open.
    fn end_file(&mut self) -> Result<()> {
        let (_, place) = self.slot()?;
        let file = self.open.take().ok_or_else(|| Error::bug("the end of no file"))?;
        // Otherwise a rename that reaches the disk before the bytes would leave an empty file after a crash.
        step::sync(&file).map_err(|e| cannot("write", e).in_file(place.display()))?;
        self.count += 1;
        Ok(())
    }

    /// Moves all files into their places. Until now, no existing file has been touched.
    fn commit(self) -> Result<()> {
        let Saving { operation, former, before, paths, mut made, .. } = self;
        exchange(operation, &former, &before, &paths)?;
        made.keep();
        Ok(())
    }
}

#[cfg(test)]
#[path = "save_tests.rs"]
mod tests;
