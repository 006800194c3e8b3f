//! Replaces several files in one operation. A reader that opens the last file first always sees all of the old files,
//! all of the new ones, or none.
//!
//! The old last file is moved aside first, then the other files to replace. The new last file is moved in when all
//! others are in their places. After an error everything is moved back; after a crash, the next save does it
//! ([`operation`](super::operation)).

use super::before::Before;
use super::folder::{cannot, check_inside};
use super::operation::{Operation, Side};
use super::step;
use crate::base::files::not_ours;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
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
pub(super) fn exchange(
    mut operation: Operation,
    allow_symlinks: bool,
    former: &Former,
    before: &Before,
    new: &[PathBuf],
) -> Result<()> {
    let mut done = Done { moved: Vec::new(), made: MadeFolders::default() };
    let result = match new {
        [path] if is_alone(former, path) => place_one(&operation, allow_symlinks, former, before, path, &mut done),
        _ => {
            operation.keep(true);
            place_all(&operation, allow_symlinks, former, before, new, &mut done)
        }
    };
    let Err(error) = result else {
        operation.keep(false);
        done.made.keep();
        let root = operation.root().to_owned();
        drop(operation);
        remove_empty(former, &root);
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
            let worse = cannot("write", worse).in_file(operation.root().display());
            Err(Error::several(said, vec![error, worse]).in_file(operation.root().display()))
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

fn place_one(
    operation: &Operation,
    allow_symlinks: bool,
    former: &Former,
    before: &Before,
    path: &Path,
    done: &mut Done,
) -> Result<()> {
    let (from, place) = (operation.slot(Side::New, true, path), operation.root().join(path));
    let folder = super::folder_of(&place);
    if !allow_symlinks {
        check_inside(operation.root(), folder)?;
    }
    done.made.create(folder).map_err(|e| cannot("write", e).in_file(place.display()))?;
    let renamed = match former {
        Former::Only(paths) if paths.is_empty() => move_new(&from, &place),
        _ => {
            before.check(path, &place).map_err(|e| e.in_file(place.display()))?;
            step::rename_over(&from, &place)
        }
    };
    renamed.and_then(|()| step::sync_folder(folder)).map_err(|e| in_the_way(e, &place))
}

fn place_all(
    operation: &Operation,
    allow_symlinks: bool,
    former: &Former,
    before: &Before,
    new: &[PathBuf],
    done: &mut Done,
) -> Result<()> {
    let root = operation.root();
    for path in new.iter().chain(former.paths()) {
        if !allow_symlinks {
            check_inside(root, super::folder_of(&root.join(path)))?;
        }
    }
    for (path, last) in former.going(new, root) {
        let (slot, place) = (operation.slot(Side::Old, last, path), root.join(path));
        make_slot(&slot).map_err(|e| cannot("write", e).in_file(place.display()))?;
        move_new(&place, &slot).map_err(|e| went_wrong(e, &place))?;
        let unchanged = before.check(path, &slot).map_err(|e| e.in_file(place.display()));
        done.moved.push(Moved { from: place, to: slot, side: Side::Old });
        unchanged?;
        if last {
            step::sync_folder(root).map_err(|e| cannot("write", e).in_file(root.display()))?;
        }
    }
    let staged = new.iter().enumerate().map(|(i, path)| operation.slot(Side::New, i + 1 == new.len(), path));
    let staged: HashSet<PathBuf> = staged.map(|slot| super::folder_of(&slot).to_owned()).collect();
    let synced = staged.iter().try_for_each(|folder| step::sync_folder(folder)).and_then(|()| done.sync(Side::Old));
    synced.and_then(|()| operation.go()).map_err(|e| cannot("write", e).in_file(root.display()))?;
    for (i, path) in new.iter().enumerate() {
        let last = i + 1 == new.len();
        let (slot, place) = (operation.slot(Side::New, last, path), root.join(path));
        if last {
            done.sync(Side::New).map_err(|e| cannot("write", e).in_file(root.display()))?;
        }
        let made = done.made.create(super::folder_of(&place));
        made.map_err(|e| cannot("write", e).in_file(place.display()))?;
        move_new(&slot, &place).map_err(|e| in_the_way(e, &place))?;
        done.moved.push(Moved { from: slot, to: place, side: Side::New });
    }
    step::sync_folder(root).map_err(|e| cannot("write", e).in_file(root.display()))
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

/// A move that has been done.
struct Moved {
    from: PathBuf,
    to: PathBuf,
    side: Side,
}

/// The steps done so far.
struct Done {
    moved: Vec<Moved>,
    made: MadeFolders,
}

impl Done {
    /// Syncs the folders of this side's moves.
    fn sync(&self, side: Side) -> io::Result<()> {
        let moved = self.moved.iter().filter(|moved| moved.side == side);
        let folders: HashSet<&Path> =
            moved.flat_map(|moved| [&moved.from, &moved.to]).filter_map(|p| p.parent()).collect();
        folders.into_iter().try_for_each(step::sync_folder)
    }

    /// Undoes all steps, from the last to the first.
    fn undo(mut self, operation: &Operation) -> io::Result<()> {
        let back = |moved: &Moved| move_new(&moved.to, &moved.from);
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
pub(super) fn move_new(from: &Path, to: &Path) -> io::Result<()> {
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

fn copy_new(from: &Path, to: &Path) -> io::Result<()> {
    let mut out = step::create_new(to)?;
    io::copy(&mut File::open(from)?, &mut out)?;
    step::sync(&out)
}

/// Removes the folders of the former files that are empty now, except the root.
fn remove_empty(former: &Former, root: &Path) {
    for path in former.paths() {
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != Path::new("")) {
            // Fails, as intended, if the folder is not empty.
            if step::remove_dir(&root.join(folder)).is_err() {
                break;
            }
        }
    }
}

/// Creates the folders of a file in an operation's folder.
pub(super) fn make_slot(slot: &Path) -> io::Result<()> {
    let mut made = MadeFolders::default();
    made.create(super::folder_of(slot))?;
    made.keep();
    Ok(())
}

/// Folders that were created. Unless they are kept, empty ones are removed on drop.
#[derive(Debug, Default)]
pub(super) struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    /// Creates a folder and its parents.
    pub(super) fn create(&mut self, folder: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = folder.ancestors().take_while(|f| *f != Path::new("") && !f.exists()).collect();
        for folder in missing.into_iter().rev() {
            match step::create_dir(folder) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists && folder.is_dir() => {}
                Err(e) => return Err(e),
                Ok(()) => self.0.push(folder.to_owned()),
            }
        }
        Ok(())
    }

    pub(super) fn keep(&mut self) {
        self.0.clear();
    }

    fn remove(&mut self) {
        for folder in self.0.drain(..).rev() {
            // Fails, as intended, if the folder is not empty.
            let _ = step::remove_dir(&folder);
        }
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        self.remove();
    }
}
