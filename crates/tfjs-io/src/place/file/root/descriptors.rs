//! Open folders and the names in them on Unix: `openat` and its relatives. Nothing here follows a link, except
//! [`Folder::open`].

use super::Kind;
use rustix::fs::{self as sys, AtFlags, CWD, Dir, FileType, Mode, OFlags};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How folders are opened: on Linux without the permission to list them, which a save does not need.
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC).union(
    #[cfg(target_os = "linux")]
    OFlags::PATH,
    #[cfg(not(target_os = "linux"))]
    OFlags::RDONLY,
);

/// An open folder.
#[derive(Debug)]
pub(in crate::place::file) struct Folder(OwnedFd);

impl Folder {
    /// Opens the folder at this path. Links are followed.
    pub(super) fn open(path: &Path) -> io::Result<Folder> {
        Ok(Folder(sys::openat(CWD, path, FOLDER, Mode::empty())?))
    }

    /// Opens a folder in this one.
    pub(super) fn below(&self, name: &OsStr) -> io::Result<Folder> {
        Ok(Folder(sys::openat(&self.0, name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?))
    }

    pub(super) fn again(&self) -> io::Result<Folder> {
        Ok(Folder(self.0.try_clone()?))
    }

    pub(super) fn spot(self, name: &OsStr) -> Spot {
        Spot { folder: self, name: name.to_owned() }
    }

    pub(super) fn entries(&self) -> io::Result<Vec<(OsString, Kind)>> {
        let mut out = Vec::new();
        for entry in Dir::new(self.readable()?)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => kind_of(&self.0, name)?,
                known => kind(known),
            };
            out.push((name.to_owned(), kind));
        }
        Ok(out)
    }

    /// Whether the folder belongs to the user of this process.
    pub(super) fn is_own(&self) -> bool {
        sys::fstat(&self.0).is_ok_and(|found| found.st_uid == rustix::process::geteuid().as_raw())
    }

    /// Syncs the names in the folder to disk.
    pub(in crate::place::file) fn sync(&self) -> io::Result<()> {
        Ok(sys::fsync(self.readable()?)?)
    }

    /// The folder, opened to list or sync it.
    fn readable(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(sys::openat(&self.0, ".", flags, Mode::empty())?)
    }
}

fn kind(file_type: FileType) -> Kind {
    match file_type {
        FileType::Directory => Kind::Folder,
        FileType::RegularFile => Kind::File,
        _ => Kind::Other,
    }
}

fn kind_of(folder: &OwnedFd, name: &OsStr) -> io::Result<Kind> {
    let found = sys::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(kind(FileType::from_raw_mode(found.st_mode)))
}

/// A name in an open folder, whether there is a file of this name or not.
#[derive(Debug)]
pub(in crate::place::file) struct Spot {
    folder: Folder,
    name: OsString,
}

impl Spot {
    pub(in crate::place::file) fn kind(&self) -> io::Result<Kind> {
        kind_of(&self.folder.0, &self.name)
    }

    pub(in crate::place::file) fn open_folder(&self) -> io::Result<Folder> {
        self.folder.below(&self.name)
    }

    /// Opens a regular file to read it.
    pub(in crate::place::file) fn open(&self) -> io::Result<File> {
        // Before it is opened, because that may have effects on a device.
        if self.kind()? != Kind::File {
            return Err(ErrorKind::InvalidInput.into());
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(sys::openat(&self.folder.0, &self.name, flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(ErrorKind::InvalidInput.into()) }
    }

    /// Creates a folder; with `private`, one that only its owner can open.
    pub(in crate::place::file) fn create_dir(&self, private: bool) -> io::Result<()> {
        let mode = if private { 0o700 } else { 0o777 };
        Ok(sys::mkdirat(&self.folder.0, &self.name, Mode::from_raw_mode(mode))?)
    }

    pub(in crate::place::file) fn create_new(&self) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(sys::openat(&self.folder.0, &self.name, flags, Mode::from_raw_mode(0o666))?.into())
    }

    pub(in crate::place::file) fn rename_new(&self, to: &Spot) -> io::Result<()> {
        #[cfg(any(target_os = "linux", target_vendor = "apple"))]
        {
            use rustix::io::Errno;
            let (from, at, flags) = (&self.folder.0, &to.folder.0, sys::RenameFlags::NOREPLACE);
            match sys::renameat_with(from, &self.name, at, &to.name, flags) {
                // The file system does not support it atomically.
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP | Errno::PERM) => {}
                result => return result.map_err(io::Error::from),
            }
        }
        match to.kind() {
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
            Err(e) if e.kind() == ErrorKind::NotFound => self.rename_over(to),
            Err(e) => Err(e),
        }
    }

    pub(in crate::place::file) fn rename_over(&self, to: &Spot) -> io::Result<()> {
        Ok(sys::renameat(&self.folder.0, &self.name, &to.folder.0, &to.name)?)
    }

    pub(in crate::place::file) fn remove_file(&self) -> io::Result<()> {
        Ok(sys::unlinkat(&self.folder.0, &self.name, AtFlags::empty())?)
    }

    pub(in crate::place::file) fn remove_dir(&self) -> io::Result<()> {
        Ok(sys::unlinkat(&self.folder.0, &self.name, AtFlags::REMOVEDIR)?)
    }
}

/// Whether a file belongs to the user of this process.
pub(in crate::place::file) fn is_own(file: &File) -> bool {
    file.metadata().is_ok_and(|found| found.uid() == rustix::process::geteuid().as_raw())
}
