//! Writing files to a folder: all of them are written to a folder of their own first ([`operation`](super::operation)),
//! then put into their places as one ([`exchange`](super::exchange)). After an error, or if the future is
//! dropped, the folder has the files it had before.

use super::exchange::{Former, MadeFolders, exchange, make_slot};
use super::folder::{cannot, check_inside};
use super::operation::{Operation, Side, sweep};
use super::step;
use crate::base::files::Body;
use crate::base::stream::into_stream;
use bytes::Bytes;
use futures_util::StreamExt;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use tfjs_manifest::{Error, Result};

/// The most chunks that are written at once.
const CHUNKS: usize = 64;

/// Writes these files, by their paths below `root`, in their order: all or none. Folders are made where they are
/// missing; unless `allow_symlinks`, none that a link leads to outside `root` is written to.
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

/// Runs work on a thread that may block, which owns the files meanwhile: if the future is dropped, it removes them.
async fn on_disk(mut saving: Saving, work: impl FnOnce(&mut Saving) -> Result<()> + Send + 'static) -> Result<Saving> {
    crate::base::blocking::run(move || {
        work(&mut saving)?;
        Ok(saving)
    })
    .await
}

/// Writes a file beside its place and puts it there whole: after an error, or if the process dies, what was there
/// before is as it was. A device or a pipe is written to as it is. Blocks.
///
/// # Errors
/// [`Kind::Fetch`](tfjs_manifest::Kind::Fetch) if the file cannot be written.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    write_file_with(path, |file| file.write_all(bytes))
}

/// [`write_file`] with a function that writes the bytes.
pub(crate) fn write_file_with(path: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
    let error = |e| cannot("write", e).in_file(path.display());
    let before = fs::metadata(path).ok();
    if before.as_ref().is_some_and(|before| !before.is_file()) {
        let mut file = fs::OpenOptions::new().write(true).open(path).map_err(error)?;
        return write(&mut file).map_err(error);
    }
    // A link stays one: the file that it leads to is written.
    let path = if before.is_some() { path.canonicalize().map_err(error)? } else { path.to_owned() };
    let name = path.file_name().ok_or_else(|| Error::misuse("expected a file's name").in_file(path.display()))?;
    let (root, name) = (super::folder_of(&path).to_owned(), PathBuf::from(name));
    // A folder that was misspelled is not made.
    fs::metadata(&root).map_err(error)?;
    let mut saving = Saving::begin(root, false, Former::Any, vec![name])?;
    saving.next_file()?;
    let file = saving.file()?;
    write(file).map_err(error)?;
    if let Some(before) = before {
        file.set_permissions(before.permissions()).map_err(error)?;
    }
    saving.end_file()?;
    saving.commit()
}

/// Files that are being written. Dropped, they are gone, and the folders made for them.
#[derive(Debug)]
struct Saving {
    operation: Operation,
    allow_symlinks: bool,
    former: Former,
    /// Where the files will be, below the root, and how many have been written.
    paths: Vec<PathBuf>,
    count: usize,
    open: Option<File>,
    // Last: folders go after what is in them.
    made: MadeFolders,
}

impl Saving {
    fn begin(root: PathBuf, allow_symlinks: bool, former: Former, paths: Vec<PathBuf>) -> Result<Saving> {
        let mut made = MadeFolders::default();
        let error = |e| Error::fetch("cannot make the folder").with_source(e).in_file(root.display());
        made.create(&root).map_err(error)?;
        sweep(&root, allow_symlinks);
        let operation = Operation::begin(&root)?;
        Ok(Saving { operation, allow_symlinks, former, paths, count: 0, open: None, made })
    }

    /// Where the next file is written to, and where it will be.
    fn slot(&self) -> Result<(PathBuf, PathBuf)> {
        let path = self.paths.get(self.count).ok_or_else(|| Error::bug("more files than paths"))?;
        let last = self.count + 1 == self.paths.len();
        Ok((self.operation.slot(Side::New, last, path), self.operation.root().join(path)))
    }

    fn next_file(&mut self) -> Result<()> {
        let (slot, place) = self.slot()?;
        if !self.allow_symlinks {
            check_inside(self.operation.root(), super::folder_of(&place))?;
        }
        if let Some(path) = self.paths.get(self.count) {
            self.former.check(&place, path)?;
        }
        let made = make_slot(&slot).and_then(|()| step::create_new(&slot));
        self.open = Some(made.map_err(|e| cannot("write", e).in_file(place.display()))?);
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

    /// Its bytes are on disk, and the file is closed: a model may have more files than a process may have open.
    fn end_file(&mut self) -> Result<()> {
        let (_, place) = self.slot()?;
        let file = self.open.take().ok_or_else(|| Error::bug("the end of no file"))?;
        // A rename that reaches the disk before the bytes would leave an empty file after a crash.
        step::sync(&file).map_err(|e| cannot("write", e).in_file(place.display()))?;
        self.count += 1;
        Ok(())
    }

    /// All of them into place. Nothing that was there has been touched so far.
    fn commit(self) -> Result<()> {
        let Saving { operation, allow_symlinks, former, paths, mut made, .. } = self;
        exchange(operation, allow_symlinks, &former, &paths)?;
        made.keep();
        Ok(())
    }
}

#[cfg(test)]
#[path = "save_tests.rs"]
mod tests;
