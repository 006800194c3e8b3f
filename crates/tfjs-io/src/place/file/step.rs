//! The changes that a save makes on disk, each one system call. A test can make any of them fail.

use super::root::{Kind, Root, Spot};
use std::fs::File;
use std::io;
use std::path::Path;

/// Creates one folder.
pub(super) fn create_dir(at: &Spot) -> io::Result<()> {
    fault::check()?;
    at.create_dir(false)
}

/// Creates one folder that only its owner can open.
pub(super) fn create_private_dir(at: &Spot) -> io::Result<()> {
    fault::check()?;
    at.create_dir(true)
}

/// Creates an empty file. Fails if there is a file or a link of this name.
pub(super) fn create_new(at: &Spot) -> io::Result<File> {
    fault::check()?;
    at.create_new()
}

/// Syncs the bytes of a file to disk.
pub(super) fn sync(file: &File) -> io::Result<()> {
    fault::check()?;
    file.sync_all()
}

/// Syncs the names in a folder to disk. Errors are ignored, because some systems do not support it; there the order of
/// renames after a power cut is undefined.
pub(super) fn sync_folder(root: &Root, path: &Path) -> io::Result<()> {
    fault::check()?;
    let _ = root.folder(path).and_then(|folder| folder.sync());
    Ok(())
}

/// Renames a file to a name that does not exist.
pub(super) fn rename_new(from: &Spot, to: &Spot) -> io::Result<()> {
    fault::check()?;
    from.rename_new(to)
}

/// Renames a file, replacing a file of that name.
pub(super) fn rename_over(from: &Spot, to: &Spot) -> io::Result<()> {
    fault::check()?;
    from.rename_over(to)
}

/// Removes a file or a link.
pub(super) fn remove_file(at: &Spot) -> io::Result<()> {
    fault::check()?;
    at.remove_file()
}

/// Removes an empty folder.
pub(super) fn remove_dir(at: &Spot) -> io::Result<()> {
    fault::check()?;
    at.remove_dir()
}

/// Removes a folder below `root` with its contents, or a link or a file in its place. Links are removed, not followed.
pub(super) fn remove_tree(root: &Root, path: &Path) -> io::Result<()> {
    let at = root.spot(path)?;
    if at.kind()? != Kind::Folder {
        return remove_file(&at);
    }
    for (path, kind) in root.all_below(path)?.into_iter().rev() {
        let at = root.spot(&path)?;
        match kind {
            Kind::Folder => remove_dir(&at)?,
            Kind::File | Kind::Other => remove_file(&at)?,
        }
    }
    remove_dir(&at)
}

/// Faults that a test injects.
#[cfg(test)]
pub(super) mod fault {
    use std::cell::Cell;
    use std::io;

    #[derive(Clone, Copy)]
    pub(crate) enum Fault {
        None,
        /// This many calls succeed, the next one fails, and those after it succeed.
        Once(usize),
        /// This many calls succeed, and all later ones fail without effect, as if the process had died.
        Crash(usize),
    }

    /// What another process does after this many calls.
    type Meanwhile = (usize, Box<dyn FnOnce()>);

    thread_local!(static FAULT: Cell<Fault> = const { Cell::new(Fault::None) });
    thread_local!(static MEANWHILE: Cell<Option<Meanwhile>> = const { Cell::new(None) });

    /// Runs `act` once, after this many calls, right before the next one.
    pub(crate) fn meanwhile(calls: usize, act: impl FnOnce() + 'static) {
        MEANWHILE.set(Some((calls, Box::new(act))));
    }

    /// Whether `act` has run; if not, it never will.
    pub(crate) fn has_acted() -> bool {
        MEANWHILE.take().is_none()
    }

    pub(crate) fn set(fault: Fault) {
        FAULT.set(fault);
    }

    /// Whether the injected fault has happened.
    pub(crate) fn happened() -> bool {
        matches!(FAULT.get(), Fault::None | Fault::Crash(0))
    }

    pub(super) fn check() -> io::Result<()> {
        match MEANWHILE.take() {
            Some((0, act)) => act(),
            waits => MEANWHILE.set(waits.map(|(calls, act)| (calls - 1, act))),
        }
        let (next, fails) = match FAULT.get() {
            Fault::None => (Fault::None, false),
            Fault::Once(0) => (Fault::None, true),
            Fault::Crash(0) => (Fault::Crash(0), true),
            Fault::Once(left) => (Fault::Once(left - 1), false),
            Fault::Crash(left) => (Fault::Crash(left - 1), false),
        };
        FAULT.set(next);
        if fails { Err(io::Error::other("a fault injected by the test")) } else { Ok(()) }
    }
}

#[cfg(not(test))]
mod fault {
    #[inline(always)]
    #[allow(clippy::unnecessary_wraps, reason = "as in tests")]
    pub(super) fn check() -> std::io::Result<()> {
        Ok(())
    }
}
