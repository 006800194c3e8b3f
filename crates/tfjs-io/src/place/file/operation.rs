//! The temporary folder of a save, `.tfjs-<process>-<number>` beside the model's JSON, and the recovery ("sweep") of
//! the folders of processes that died.
//!
//! ```text
//! lock        held by the process that saves; another process that gets the lock sweeps the folder
//! new/        the new files, complete and synced, under their final paths
//! new-last/   the new last file, which makes the others usable
//! old/        the replaced files, under their former paths
//! old-last/   the former last file, which was moved first
//! go          if it exists, a sweep completes the new files; otherwise it restores the old ones
//! ```
//!
//! A sweep moves files of this folder to paths that do not exist, and never replaces a file. So a forged folder with
//! such a name, for example from an archive, can do no harm.

use super::exchange::{MadeFolders, move_new};
use super::folder::{cannot, check_inside};
use super::step;
use crate::base::disk::{Links, open_regular};
use crate::base::path::is_hidden;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tfjs_manifest::{Error, Result};

/// Prefix of the names of these folders.
const PREFIX: &str = ".tfjs-";

/// Most names to try: another process may sweep a new folder before its lock is taken.
const TRIES: usize = 16;

/// Whether a name is the name of such a folder.
pub(super) fn is_ours(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let rest = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-'));
    rest.is_some_and(|(process, count)| number(process) && number(count))
}

/// The new or the old files of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    New,
    Old,
}

/// A save in progress. Its folder is removed on drop, unless it contains former files (see [`keep`](Self::keep)).
#[derive(Debug)]
pub(super) struct Operation {
    root: PathBuf,
    at: PathBuf,
    _lock: File,
    keep: bool,
}

impl Operation {
    /// Begins a save into the existing folder `root`.
    pub(super) fn begin(root: &Path) -> Result<Operation> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let error = |e| cannot("write", e).in_file(root.display());
        for _ in 0..TRIES {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let at = root.join(format!("{PREFIX}{}-{count}", std::process::id()));
            match step::create_private_dir(&at) {
                // Left by a former process with the same number.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                other => other.map_err(error)?,
            }
            match lock(&at) {
                Ok(Some(lock)) => return Ok(Operation { root: root.to_owned(), at, _lock: lock, keep: false }),
                Ok(None) => {}
                Err(e) => {
                    remove(&at);
                    return Err(error(e));
                }
            }
        }
        Err(Error::fetch("cannot write to the folder: other processes remove the temporary folders of this one")
            .in_file(root.display()))
    }

    /// The folder that is written to.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The path in the operation's folder of a file with this path below the root.
    pub(super) fn slot(&self, side: Side, last: bool, path: &Path) -> PathBuf {
        self.at.join(subfolder(side, last)).join(path)
    }

    /// Creates `go`: from now on, the new files are completed even if this process dies.
    pub(super) fn go(&self) -> io::Result<()> {
        step::sync_folder(&self.at)?;
        step::create_new(&self.at.join("go")).and_then(|file| step::sync(&file))?;
        step::sync_folder(&self.at)
    }

    /// Removes `go`: from now on, a sweep restores the old files.
    pub(super) fn stay(&self) -> io::Result<()> {
        absent(step::remove_file(&self.at.join("go")))
    }

    /// Sets whether this folder contains former files, and must not be removed on drop.
    pub(super) fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if !self.keep {
            remove(&self.at);
        }
    }
}

fn subfolder(side: Side, last: bool) -> &'static str {
    match (side, last) {
        (Side::New, false) => "new",
        (Side::New, true) => "new-last",
        (Side::Old, false) => "old",
        (Side::Old, true) => "old-last",
    }
}

/// Creates the lock file and locks it; `None` if another process is sweeping this folder.
fn lock(at: &Path) -> io::Result<Option<File>> {
    let path = at.join("lock");
    let file = match step::create_new(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        // A file system without locks: other processes cannot lock it either, so they do not sweep.
        Err(fs::TryLockError::Error(_)) => Ok(Some(file)),
        Ok(()) => Ok(path.exists().then_some(file)),
    }
}

/// Treats a file that did not exist as removed.
fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Removes such a folder. `go` is removed after the old files, so that an interrupted removal never restores some of
/// them.
fn remove(at: &Path) {
    let mut gone = [Side::Old, Side::New].into_iter().flat_map(|side| [subfolder(side, false), subfolder(side, true)]);
    // After an error, the next save sweeps the rest.
    let _ = gone
        .try_for_each(|name| absent(step::remove_tree(&at.join(name))))
        .and_then(|()| absent(step::remove_file(&at.join("go"))))
        .and_then(|()| absent(step::remove_file(&at.join("lock"))))
        .and_then(|()| step::remove_dir(at));
}

/// Completes or undoes the saves of processes that died. After an error, the folder is left for the next sweep.
pub(super) fn sweep(root: &Path, allow_symlinks: bool) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let ours = entry.file_name().to_str().is_some_and(is_ours) && entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !ours {
            continue;
        }
        let at = entry.path();
        let lock = at.join("lock");
        match open_regular(&lock, &lock, Links::NotAtTheEnd) {
            Ok((file, _)) if !is_own(&file, &at) => {}
            Ok((file, _)) if file.try_lock().is_ok() => {
                if finish(&at, root, allow_symlinks).is_ok() {
                    remove(&at);
                }
            }
            Ok(_) => {}
            // Its process has just created it, or died right then. The removal fails, as intended, if it is not empty.
            Err(_) => drop(fs::remove_dir(&at)),
        }
    }
}

/// Whether a temporary folder and its lock belong to the user of this process. Another user may write to the same folder,
/// for example to `/tmp`, and make such a folder with links in it.
fn is_own(lock: &File, at: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let owner = rustix::process::geteuid().as_raw();
        let owners = [lock.metadata(), fs::symlink_metadata(at)];
        owners.iter().all(|found| found.as_ref().is_ok_and(|found| found.uid() == owner))
    }
    #[cfg(not(unix))]
    {
        let _ = (lock, at);
        true
    }
}

/// Moves the new or the old files of a process that died into their places.
fn finish(at: &Path, root: &Path, allow_symlinks: bool) -> Result<()> {
    let side = if at.join("go").exists() { Side::New } else { Side::Old };
    let error = |e| cannot("write", e).in_file(root.display());
    for last in [false, true] {
        let from = at.join(subfolder(side, last));
        for path in files_below(&from).map_err(error)? {
            if path.iter().any(|name| name.to_str().is_none_or(is_hidden)) {
                return Err(Error::malformed("a save does not write such a file").in_file(path.display()));
            }
            let place = root.join(&path);
            if !allow_symlinks {
                check_inside(root, super::folder_of(&place))?;
            }
            let mut made = MadeFolders::default();
            made.create(super::folder_of(&place)).and_then(|()| move_new(&from.join(&path), &place)).map_err(error)?;
            made.keep();
        }
        step::sync_folder(root).map_err(error)?;
    }
    Ok(())
}

/// The paths of the regular files below a folder. Empty if the folder does not exist.
///
/// # Errors
/// A link in its place, which could lead to a folder of others; a folder that cannot be listed.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    if fs::symlink_metadata(folder).is_ok_and(|found| !found.is_dir()) {
        return Err(ErrorKind::NotADirectory.into());
    }
    let mut out = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(path) = folders.pop() {
        let entries = match fs::read_dir(folder.join(&path)) {
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            let path = path.join(entry.file_name());
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                out.push(path);
            }
        }
    }
    Ok(out)
}
