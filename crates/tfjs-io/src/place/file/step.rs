//! The changes that a save makes on disk, each one system call. A test can make any of them fail.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Creates one folder.
pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    fault::check()?;
    fs::create_dir(path)
}

/// Creates one folder that only its owner can open.
pub(super) fn create_private_dir(path: &Path) -> io::Result<()> {
    fault::check()?;
    let mut folder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}

/// Creates an empty file. Fails if there is a file or a link of this name.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    fault::check()?;
    fs::OpenOptions::new().write(true).create_new(true).open(path)
}

/// Syncs the bytes of a file to disk.
pub(super) fn sync(file: &File) -> io::Result<()> {
    fault::check()?;
    file.sync_all()
}

/// Syncs the names in a folder to disk. Errors are ignored, because some systems do not support it; there the order of
/// renames after a power cut is undefined.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    fault::check()?;
    #[cfg(unix)]
    if let Ok(folder) = File::open(path) {
        let _ = folder.sync_all();
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Renames a file to a name that does not exist.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    fault::check()?;
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // The file system does not support it atomically.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::PERM) => {}
            result => return result.map_err(io::Error::from),
        }
    }
    match fs::symlink_metadata(to) {
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        Err(e) if e.kind() == ErrorKind::NotFound => fs::rename(from, to),
        Err(e) => Err(e),
    }
}

/// Renames a file, replacing a file of that name.
pub(super) fn rename_over(from: &Path, to: &Path) -> io::Result<()> {
    fault::check()?;
    fs::rename(from, to)
}

/// Removes a file or a link.
pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    fault::check()?;
    fs::remove_file(path)
}

/// Removes an empty folder.
pub(super) fn remove_dir(path: &Path) -> io::Result<()> {
    fault::check()?;
    fs::remove_dir(path)
}

/// Removes a temporary folder with its contents. Links in it are removed, not followed.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    fault::check()?;
    fs::remove_dir_all(path)
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

    thread_local!(static FAULT: Cell<Fault> = const { Cell::new(Fault::None) });

    pub(crate) fn set(fault: Fault) {
        FAULT.set(fault);
    }

    /// Whether the injected fault has happened.
    pub(crate) fn happened() -> bool {
        matches!(FAULT.get(), Fault::None | Fault::Crash(0))
    }

    pub(super) fn check() -> io::Result<()> {
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
