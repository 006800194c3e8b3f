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
use super::folder::cannot;
use super::root::{Kind, Root, is_own};
use super::step;
use crate::base::path::is_hidden;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tfjs_manifest::{Error, Result};

/// Prefix of the names of these folders.
const PREFIX: &str = ".tfjs-";

/// The names of two files in such a folder.
const LOCK: &str = "lock";
const GO: &str = "go";

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
    root: Arc<Root>,
    at: Arc<Root>,
    /// The name of `at` in `root`.
    name: PathBuf,
    _lock: File,
    keep: bool,
}

impl Operation {
    /// Begins a save into the existing folder `root`.
    pub(super) fn begin(root: &Arc<Root>) -> Result<Operation> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let error = |e| cannot("write", e).in_file(root.path().display());
        for _ in 0..TRIES {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = PathBuf::from(format!("{PREFIX}{}-{count}", std::process::id()));
            match root.spot(&name).and_then(|spot| step::create_private_dir(&spot)) {
                // Left by a former process with the same number.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => continue,
                other => other.map_err(error)?,
            }
            let at = match root.below(name.as_os_str()) {
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                other => Arc::new(other.map_err(error)?),
            };
            match lock(&at) {
                Ok(Some(lock)) => return Ok(Operation { root: Arc::clone(root), at, name, _lock: lock, keep: false }),
                Ok(None) => {}
                Err(e) => {
                    remove(root, &at, &name);
                    return Err(error(e));
                }
            }
        }
        Err(Error::fetch("cannot write to the folder: other processes remove the temporary folders of this one")
            .in_file(root.path().display()))
    }

    /// The folder that is written to.
    pub(super) fn root(&self) -> &Arc<Root> {
        &self.root
    }

    /// The temporary folder of this operation.
    pub(super) fn at(&self) -> &Arc<Root> {
        &self.at
    }

    /// The path in the operation's folder of a file with this path below the root.
    pub(super) fn slot(&self, side: Side, last: bool, path: &Path) -> PathBuf {
        Path::new(subfolder(side, last)).join(path)
    }

    /// Creates `go`: from now on, the new files are completed even if this process dies.
    pub(super) fn go(&self) -> io::Result<()> {
        step::sync_folder(&self.at, Path::new(""))?;
        step::create_new(&self.at.spot(Path::new(GO))?).and_then(|file| step::sync(&file))?;
        step::sync_folder(&self.at, Path::new(""))
    }

    /// Removes `go`: from now on, a sweep restores the old files.
    pub(super) fn stay(&self) -> io::Result<()> {
        absent(self.at.spot(Path::new(GO)).and_then(|go| step::remove_file(&go)))
    }

    /// Sets whether this folder contains former files, and must not be removed on drop.
    pub(super) fn keep(&mut self, keep: bool) {
        self.keep = keep;
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if !self.keep {
            remove(&self.root, &self.at, &self.name);
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
fn lock(at: &Root) -> io::Result<Option<File>> {
    let spot = at.spot(Path::new(LOCK));
    let created = spot.and_then(|spot| Ok((step::create_new(&spot)?, spot)));
    let (file, spot) = match created {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(None),
        // A file system without locks: other processes cannot lock it either, so they do not sweep.
        Err(TryLockError::Error(_)) => Ok(Some(file)),
        Ok(()) => Ok(spot.kind().is_ok().then_some(file)),
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
fn remove(root: &Root, at: &Root, name: &Path) {
    let mut gone = [Side::Old, Side::New].into_iter().flat_map(|side| [subfolder(side, false), subfolder(side, true)]);
    let remove_file = |name| absent(at.spot(Path::new(name)).and_then(|spot| step::remove_file(&spot)));
    // After an error, the next save sweeps the rest.
    let _ = gone
        .try_for_each(|name| absent(step::remove_tree(at, Path::new(name))))
        .and_then(|()| remove_file(GO))
        .and_then(|()| remove_file(LOCK))
        .and_then(|()| step::remove_dir(&root.spot(name)?));
}

/// Completes or undoes the saves of processes that died. After an error, the folder is left for the next sweep.
pub(super) fn sweep(root: &Arc<Root>) {
    for (name, kind) in root.entries().into_iter().flatten() {
        if kind != Kind::Folder || !name.to_str().is_some_and(is_ours) {
            continue;
        }
        let Ok(at) = root.below(&name) else { continue };
        let name = Path::new(&name);
        match at.spot(Path::new(LOCK)).and_then(|lock| lock.open()) {
            // Another user may write to the same folder, for example to `/tmp`, and make such a folder.
            Ok(lock) if !is_own(&lock) || !at.is_own() => {}
            Ok(lock) if lock.try_lock().is_ok() => {
                if finish(&at, root).is_ok() {
                    remove(root, &at, name);
                }
            }
            Ok(_) => {}
            // Its process has just created it, or died right then. The removal fails, as intended, if it is not empty.
            Err(_) => drop(root.spot(name).and_then(|at| at.remove_dir())),
        }
    }
}

/// Moves the new or the old files of a process that died into their places.
fn finish(at: &Root, root: &Arc<Root>) -> Result<()> {
    let is_complete = at.spot(Path::new(GO)).and_then(|go| go.kind()).is_ok();
    let side = if is_complete { Side::New } else { Side::Old };
    let error = |e| cannot("write", e).in_file(root.path().display());
    for last in [false, true] {
        let from = Path::new(subfolder(side, last));
        for (slot, _) in at.all_below(from).map_err(error)?.into_iter().filter(|(_, kind)| *kind == Kind::File) {
            let path = slot.strip_prefix(from).map_err(|_| Error::bug("a file that is not below its folder"))?;
            if path.iter().any(|name| name.to_str().is_none_or(is_hidden)) {
                return Err(Error::malformed("a save does not write such a file").in_file(path.display()));
            }
            root.check(path)?;
            let mut made = MadeFolders::below(root);
            let made_folders = made.create(path.parent().unwrap_or(Path::new("")));
            made_folders.and_then(|()| move_new(&at.spot(&slot)?, &root.spot(path)?)).map_err(error)?;
            made.keep();
        }
        step::sync_folder(root, Path::new("")).map_err(error)?;
    }
    Ok(())
}
