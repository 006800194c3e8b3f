//! Open folders and the names in them on systems without `openat`: paths. A link that appears after the check of a path
//! is followed.

use super::Kind;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileType};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The path of a folder.
#[derive(Debug)]
pub(in crate::place::file) struct Folder(PathBuf);

impl Folder {
    /// The folder at this path.
    pub(super) fn open(path: &Path) -> io::Result<Folder> {
        match fs::metadata(path)?.is_dir() {
            true => Ok(Folder(path.to_owned())),
            false => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// A folder in this one.
    pub(super) fn below(&self, name: &OsStr) -> io::Result<Folder> {
        let path = self.0.join(name);
        match fs::symlink_metadata(&path)?.is_dir() {
            true => Ok(Folder(path)),
            false => Err(ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn again(&self) -> io::Result<Folder> {
        Ok(Folder(self.0.clone()))
    }

    pub(super) fn spot(self, name: &OsStr) -> Spot {
        Spot(self.0.join(name))
    }

    pub(super) fn entries(&self) -> io::Result<Vec<(OsString, Kind)>> {
        fs::read_dir(&self.0)?.map(|entry| entry.and_then(|e| Ok((e.file_name(), kind(e.file_type()?))))).collect()
    }

    /// Owners are not checked here.
    pub(super) fn is_own(&self) -> bool {
        true
    }

    /// Folders are not synced here.
    pub(in crate::place::file) fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

fn kind(file_type: FileType) -> Kind {
    match (file_type.is_dir(), file_type.is_file()) {
        (true, _) => Kind::Folder,
        (_, true) => Kind::File,
        _ => Kind::Other,
    }
}

/// The path of a name in a folder, whether there is a file of this name or not.
#[derive(Debug)]
pub(in crate::place::file) struct Spot(PathBuf);

impl Spot {
    pub(in crate::place::file) fn kind(&self) -> io::Result<Kind> {
        Ok(kind(fs::symlink_metadata(&self.0)?.file_type()))
    }

    pub(in crate::place::file) fn open_folder(&self) -> io::Result<Folder> {
        match self.kind()? {
            Kind::Folder => Ok(Folder(self.0.clone())),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// Opens a regular file to read it.
    pub(in crate::place::file) fn open(&self) -> io::Result<File> {
        if self.kind()? == Kind::File { File::open(&self.0) } else { Err(ErrorKind::InvalidInput.into()) }
    }

    /// Creates a folder.
    pub(in crate::place::file) fn create_dir(&self, _private: bool) -> io::Result<()> {
        fs::create_dir(&self.0)
    }

    pub(in crate::place::file) fn create_new(&self) -> io::Result<File> {
        fs::OpenOptions::new().write(true).create_new(true).open(&self.0)
    }

    pub(in crate::place::file) fn rename_new(&self, to: &Spot) -> io::Result<()> {
        match to.kind() {
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
            Err(e) if e.kind() == ErrorKind::NotFound => self.rename_over(to),
            Err(e) => Err(e),
        }
    }

    pub(in crate::place::file) fn rename_over(&self, to: &Spot) -> io::Result<()> {
        fs::rename(&self.0, &to.0)
    }

    pub(in crate::place::file) fn remove_file(&self) -> io::Result<()> {
        fs::remove_file(&self.0)
    }

    pub(in crate::place::file) fn remove_dir(&self) -> io::Result<()> {
        fs::remove_dir(&self.0)
    }
}

/// Owners are not checked here.
pub(in crate::place::file) fn is_own(_file: &File) -> bool {
    true
}
