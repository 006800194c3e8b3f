//! Replaces several files in one operation. A reader that opens the last file first always sees all of the old files,
//! all of the new ones, or none.
//!
//! The old last file is moved aside first, then the other files to replace. The new last file is moved in when all
//! others are in their places. After an error everything is moved back; after a crash, the next save does it
//! ([`operation`](super::operation)).

use super::before::Before;
use super::folder::cannot;
use super::operation::{Operation, Side};
use super::root::{Root, Spot};
use super::step;
use crate::base::files::not_ours;
use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// Which files may be replaced.
#[derive(Debug)]
pub(super) enum Former {
    /// Any file with the name of a new one.
    Any,
    /// Only these existing files. Those that no new file replaces are removed. The last one makes the others usable.
    Only(Vec<PathBuf>),
}

impl Former {
    /// Checks that no other file is at this path.
    pub(super) fn check(&self, place: &Path, path: &Path) -> Result<()> {
        match place.symlink_metadata() {
            Ok(found) if found.is_dir() => {
                Err(Error::fetch("cannot write the file: it is a folder").in_file(place.display()))
            }
            Ok(_) => match self {
                Former::Only(paths) if !paths.iter().any(|former| former == path) => Err(not_ours(place.display())),
                _ => Ok(()),
            },
            Err(_) => Ok(()),
        }
    }

    /// The files to move aside, in reverse order, each with whether it is the last one.
    fn going<'a>(&'a self, new: &'a [PathBuf], root: &Path) -> Vec<(&'a Path, bool)> {
        let mut seen = HashSet::new();
        let (paths, is_there): (&[PathBuf], fn(&Path) -> bool) = match self {
            Former::Any => (new, |place| place.symlink_metadata().is_ok()),
            Former::Only(paths) => (paths, |_| true),
        };
        let going = paths.iter().rev().enumerate().map(|(i, path)| (path.as_path(), i == 0));
        going.filter(|(path, _)| is_there(&root.join(path)) && seen.insert(path.to_path_buf())).collect()
    }
}

/// Moves the files `new` of an operation into their places, in order. The last one makes the others usable.
///
/// # Errors
/// Besides those of the file system, a former file that is not as it was `before`.
pub(super) fn exchange(mut operation: Operation, former: &Former, before: &Before, new: &[PathBuf]) -> Result<()> {
    let root = Arc::clone(operation.root());
    let mut done = Done { moved: Vec::new(), made: MadeFolders::below(&root) };
    let result = match new {
        [path] if is_alone(former, path) => place_one(&operation, former, before, path, &mut done),
        _ => {
            operation.keep(true);
            place_all(&operation, former, before, new, &mut done)
        }
    };
    let Err(error) = result else {
        operation.keep(false);
        done.made.keep();
        drop(operation);
        former.paths().iter().for_each(|path| remove_empty(&root, path));
        return Ok(());
    };
    match done.undo(&operation) {
        Ok(()) => {
            operation.keep(false);
            Err(error)
        }
        Err(worse) => {
            let said = "the save failed, and the former files could not be restored; the next save into this folder tries \
            again";
            let place = root.path().display();
            Err(Error::several(said, vec![error, cannot("write", worse).in_file(&place)]).in_file(place))
        }
    }
}

/// Whether one file is written that replaces at most a file of the same name, for which a rename is enough.
fn is_alone(former: &Former, path: &Path) -> bool {
    match former {
        Former::Any => true,
        Former::Only(paths) => paths.iter().all(|former| former == path),
    }
}

fn place_one(operation: &Operation, former: &Former, before: &Before, path: &Path, done: &mut Done) -> Result<()> {
    let (root, slot) = (operation.root(), operation.slot(Side::New, true, path));
    let (folder, place) = (folder_in(path), root.place(path));
    root.check(path)?;
    let spots = done.made.create(folder).and_then(|()| Ok((operation.at().spot(&slot)?, root.spot(path)?)));
    let (from, to) = spots.map_err(|e| cannot("write", e).in_file(place.display()))?;
    let renamed = match former {
        Former::Only(paths) if paths.is_empty() => move_new(&from, &to),
        _ => {
            before.check(path, &place).map_err(|e| e.in_file(place.display()))?;
            step::rename_over(&from, &to)
        }
    };
    renamed.and_then(|()| step::sync_folder(root, folder)).map_err(|e| in_the_way(e, &place))
}

fn place_all(operation: &Operation, former: &Former, before: &Before, new: &[PathBuf], done: &mut Done) -> Result<()> {
    let (root, at) = (operation.root(), operation.at());
    let failed = |e| cannot("write", e).in_file(root.path().display());
    new.iter().chain(former.paths()).try_for_each(|path| root.check(path))?;
    for (path, last) in former.going(new, root.path()) {
        let (slot, place) = (operation.slot(Side::Old, last, path), root.place(path));
        make_slot(at, &slot).map_err(|e| cannot("write", e).in_file(place.display()))?;
        let moved = root.spot(path).and_then(|from| move_new(&from, &at.spot(&slot)?));
        moved.map_err(|e| went_wrong(e, &place))?;
        let unchanged = before.check(path, &at.place(&slot)).map_err(|e| e.in_file(place.display()));
        done.moved.push(Moved { slot, path: path.to_owned(), side: Side::Old });
        unchanged?;
        if last {
            step::sync_folder(root, Path::new("")).map_err(failed)?;
        }
    }
    let staged = new.iter().enumerate().map(|(i, path)| operation.slot(Side::New, i + 1 == new.len(), path));
    let staged: HashSet<PathBuf> = staged.map(|slot| folder_in(&slot).to_owned()).collect();
    let synced = staged.iter().try_for_each(|folder| step::sync_folder(at, folder));
    let synced = synced.and_then(|()| done.sync(operation, Side::Old));
    synced.and_then(|()| operation.go()).map_err(failed)?;
    for (i, path) in new.iter().enumerate() {
        let last = i + 1 == new.len();
        let (slot, place) = (operation.slot(Side::New, last, path), root.place(path));
        if last {
            done.sync(operation, Side::New).map_err(failed)?;
        }
        let made = done.made.create(folder_in(path));
        made.map_err(|e| cannot("write", e).in_file(place.display()))?;
        let moved = at.spot(&slot).and_then(|from| move_new(&from, &root.spot(path)?));
        moved.map_err(|e| in_the_way(e, &place))?;
        done.moved.push(Moved { slot, path: path.clone(), side: Side::New });
    }
    step::sync_folder(root, Path::new("")).map_err(failed)
}

/// The folder of a path below a root; empty for the root.
fn folder_in(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

impl Former {
    fn paths(&self) -> &[PathBuf] {
        match self {
            Former::Any => &[],
            Former::Only(paths) => paths,
        }
    }
}

fn in_the_way(e: io::Error, place: &Path) -> Error {
    match e.kind() {
        ErrorKind::AlreadyExists => not_ours(place.display()),
        _ => cannot("write", e).in_file(place.display()),
    }
}

fn went_wrong(e: io::Error, place: &Path) -> Error {
    match e.kind() {
        ErrorKind::NotFound => {
            Error::fetch("this file of the former model was removed; another process is changing the folder")
                .in_file(place.display())
        }
        _ => cannot("write", e).in_file(place.display()),
    }
}

/// A move that has been done: of a new file from its slot, or of an old file into it.
struct Moved {
    slot: PathBuf,
    path: PathBuf,
    side: Side,
}

/// The steps done so far.
struct Done {
    moved: Vec<Moved>,
    made: MadeFolders,
}

impl Done {
    /// Syncs the folders of this side's moves.
    fn sync(&self, operation: &Operation, side: Side) -> io::Result<()> {
        let moved = self.moved.iter().filter(|moved| moved.side == side);
        let (slots, places): (HashSet<&Path>, HashSet<&Path>) =
            moved.map(|moved| (folder_in(&moved.slot), folder_in(&moved.path))).unzip();
        slots.into_iter().try_for_each(|folder| step::sync_folder(operation.at(), folder))?;
        places.into_iter().try_for_each(|folder| step::sync_folder(operation.root(), folder))
    }

    /// Undoes all steps, from the last to the first.
    fn undo(mut self, operation: &Operation) -> io::Result<()> {
        let back = |moved: &Moved| {
            let (slot, place) = (operation.at().spot(&moved.slot)?, operation.root().spot(&moved.path)?);
            match moved.side {
                Side::New => move_new(&place, &slot),
                Side::Old => move_new(&slot, &place),
            }
        };
        while self.moved.last().is_some_and(|moved| moved.side == Side::New) {
            if let Some(moved) = self.moved.pop() {
                back(&moved)?;
            }
        }
        operation.stay()?;
        self.made.remove();
        self.moved.iter().rev().try_for_each(back)
    }
}

/// Renames a file to a name that does not exist; copies it if the name is on another file system.
pub(super) fn move_new(from: &Spot, to: &Spot) -> io::Result<()> {
    match step::rename_new(from, to) {
        Err(e) if e.kind() == ErrorKind::CrossesDevices => {
            let copied = copy_new(from, to);
            match copied {
                Ok(()) => step::remove_file(from),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => Err(e),
                Err(e) => {
                    let _ = step::remove_file(to);
                    Err(e)
                }
            }
        }
        other => other,
    }
}

fn copy_new(from: &Spot, to: &Spot) -> io::Result<()> {
    let mut out = step::create_new(to)?;
    io::copy(&mut from.open()?, &mut out)?;
    step::sync(&out)
}

/// Removes the folders of a removed file that are empty now, except the root.
pub(super) fn remove_empty(root: &Root, path: &Path) {
    for folder in path.ancestors().skip(1).take_while(|folder| *folder != Path::new("")) {
        // Fails, as intended, if the folder is not empty.
        if root.spot(folder).and_then(|at| step::remove_dir(&at)).is_err() {
            break;
        }
    }
}

/// Creates the folders of a file in an operation's folder.
pub(super) fn make_slot(at: &Arc<Root>, slot: &Path) -> io::Result<()> {
    let mut made = MadeFolders::below(at);
    made.create(folder_in(slot))?;
    made.keep();
    Ok(())
}

/// Folders that were created. Unless they are kept, empty ones are removed on drop.
#[derive(Debug)]
pub(super) struct MadeFolders {
    root: Arc<Root>,
    made: Vec<PathBuf>,
}

impl MadeFolders {
    pub(super) fn below(root: &Arc<Root>) -> MadeFolders {
        MadeFolders { root: Arc::clone(root), made: Vec::new() }
    }

    /// Creates the folder at this path, which the caller chose, and its parents.
    pub(super) fn up_to(path: &Path) -> io::Result<MadeFolders> {
        let is_there = |folder: &&Path| *folder == Path::new("") || folder.exists();
        let nearest = path.ancestors().find(is_there).unwrap_or(Path::new(""));
        let mut made = MadeFolders::below(&Arc::new(Root::open(nearest, true)?));
        made.create(path.strip_prefix(nearest).unwrap_or(path))?;
        Ok(made)
    }

    /// Creates a folder and its parents.
    pub(super) fn create(&mut self, folder: &Path) -> io::Result<()> {
        let is_missing = |path: &Path| self.root.folder(path).is_err_and(|e| e.kind() == ErrorKind::NotFound);
        let missing = folder.ancestors().take_while(|path| *path != Path::new("") && is_missing(path));
        let missing: Vec<&Path> = missing.collect();
        for folder in missing.into_iter().rev() {
            match self.root.spot(folder).and_then(|at| step::create_dir(&at)) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists && self.root.folder(folder).is_ok() => {}
                Err(e) => return Err(e),
                Ok(()) => self.made.push(folder.to_owned()),
            }
        }
        Ok(())
    }

    pub(super) fn keep(&mut self) {
        self.made.clear();
    }

    fn remove(&mut self) {
        for folder in self.made.drain(..).rev() {
            // Fails, as intended, if the folder is not empty.
            let _ = self.root.spot(&folder).and_then(|at| step::remove_dir(&at));
        }
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        self.remove();
    }
}
