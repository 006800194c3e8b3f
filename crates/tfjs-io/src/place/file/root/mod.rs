//! The folder that a save changes, and the paths below it. Another process may put a link in the place of a folder
//! between the check of a path and its use. So the folder of each path is opened first, without following such a link,
//! and system calls get the open folder and a name in it.

#[cfg(unix)]
mod descriptors;
#[cfg(not(unix))]
mod paths;

#[cfg(unix)]
pub(super) use descriptors::{Folder, Spot, is_own};
#[cfg(not(unix))]
pub(super) use paths::{Folder, Spot, is_own};

use super::folder::check_inside;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use tfjs_manifest::Result;

/// What an entry of a folder is; a link is `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
    Other,
}

/// An open folder whose contents are changed. It stays the same folder even if others rename it.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    /// The path without links.
    real: PathBuf,
    allow_symlinks: bool,
    folder: Folder,
}

impl Root {
    /// Opens the folder at this path, which may be a link. Without `allow_symlinks`, folders that are links to outside
    /// of it are errors.
    pub(super) fn open(path: &Path, allow_symlinks: bool) -> io::Result<Root> {
        let at = if path == Path::new("") { Path::new(".") } else { path };
        let (folder, real) = (Folder::open(at)?, at.canonicalize()?);
        Ok(Root { path: path.to_owned(), real, allow_symlinks, folder })
    }

    /// Opens a folder in this one. Links in it are never followed to outside of it.
    pub(super) fn below(&self, name: &OsStr) -> io::Result<Root> {
        let (folder, real) = (self.folder.below(name)?, self.real.join(name));
        Ok(Root { path: self.path.join(name), real, allow_symlinks: false, folder })
    }

    /// Whether the folder belongs to the user of this process.
    pub(super) fn is_own(&self) -> bool {
        self.folder.is_own()
    }

    /// The path of the folder, as the caller gave it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where this path below the folder is, for messages.
    pub(super) fn place(&self, path: &Path) -> PathBuf {
        self.path.join(path)
    }

    /// Checks that the folder of this path is inside, which gives a better error than to open it.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        if self.allow_symlinks {
            return Ok(());
        }
        check_inside(&self.path, super::folder_of(&self.place(path)))
    }

    /// Opens the existing folder at this path below.
    pub(super) fn folder(&self, path: &Path) -> io::Result<Folder> {
        if self.allow_symlinks {
            return Folder::open(&self.real.join(path));
        }
        let real = self.real.join(path).canonicalize()?;
        let inside = real.strip_prefix(&self.real);
        let inside = inside.map_err(|_| io::Error::other("a folder is now a link out of the model's folder"))?;
        // All links were resolved above, so a link found now was created since.
        inside.iter().try_fold(self.folder.again()?, |folder, name| folder.below(name))
    }

    /// The name of this path in its folder, which is opened.
    pub(super) fn spot(&self, path: &Path) -> io::Result<Spot> {
        let name = path.components().next_back().ok_or(ErrorKind::InvalidInput)?;
        let folder = self.folder(path.parent().unwrap_or(Path::new("")))?;
        Ok(folder.spot(name.as_os_str()))
    }

    /// The paths of everything below the folder at this path, with each folder before its contents. Empty if there is no
    /// folder.
    ///
    /// # Errors
    /// A link or a file in its place; a folder that cannot be listed.
    pub(super) fn all_below(&self, path: &Path) -> io::Result<Vec<(PathBuf, Kind)>> {
        let mut out = Vec::new();
        let mut folders = vec![path.to_owned()];
        while let Some(path) = folders.pop() {
            let entries = match self.spot(&path).and_then(|spot| spot.open_folder()?.entries()) {
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                other => other?,
            };
            for (name, kind) in entries {
                let path = path.join(name);
                if kind == Kind::Folder {
                    folders.push(path.clone());
                }
                out.push((path, kind));
            }
        }
        Ok(out)
    }

    /// The names in this folder.
    pub(super) fn entries(&self) -> io::Result<Vec<(OsString, Kind)>> {
        self.folder.entries()
    }
}
