//! Disk operations of the cache: private folders, atomic writes of files, reads and writes at offsets. Links below the
//! folder of the cache are never followed.

pub(super) use crate::base::disk::read_at;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::NamedTempFile;
use tfjs_manifest::{Error, Result};

/// The ending of files that are being written.
const PART: &str = ".part";

pub(super) fn io_error(what: &str, path: &Path, source: io::Error) -> Error {
    Error::fetch(what).in_file(path.display()).with_source(source)
}

/// Creates the folder of a cache and its parents. It may be a link, because the caller chose it.
pub(super) fn make_root(path: &Path) -> Result<()> {
    builder().recursive(true).create(path).map_err(|e| io_error("cannot make the folder of the cache", path, e))?;
    check_root(path)
}

/// Checks that the cache belongs to this user.
pub(super) fn check_root(path: &Path) -> Result<()> {
    check_owner(&fs::metadata(path).map_err(|e| io_error("cannot open the folder of the cache", path, e))?, path)
}

/// Creates a folder inside the cache, unless it exists.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    match builder().create(path) {
        Err(e) if fs::symlink_metadata(path).is_err() => Err(io_error("cannot make the folder of the cache", path, e)),
        _ => check_folder(path),
    }
}

/// Checks that this is a folder of this user and not a link, through which files elsewhere would be written or removed.
pub(super) fn check_folder(path: &Path) -> Result<()> {
    let metadata = fs::symlink_metadata(path).map_err(|e| io_error("cannot open the folder of the cache", path, e))?;
    if !metadata.is_dir() {
        let what = if metadata.is_symlink() { "a link" } else { "a file" };
        let error = format!("expected a folder of the cache, found {what}; remove it, or use another cache");
        return Err(Error::fetch(error).in_file(path.display()));
    }
    check_owner(&metadata, path)
}

/// Checks that this user or the superuser owns the folder; the superuser owns caches that are part of a machine image.
fn check_owner(metadata: &fs::Metadata, path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        let owner = std::os::unix::fs::MetadataExt::uid(metadata);
        let me = rustix::process::geteuid().as_raw();
        if owner != me && owner != 0 {
            let error = format!("this cache belongs to user {owner}, this process to user {me}; use one of your own");
            return Err(Error::fetch(error).in_file(path.display()));
        }
    }
    #[cfg(not(unix))]
    let _ = (metadata, path);
    Ok(())
}

/// Creates folders that only their owner can read, on platforms with modes.
fn builder() -> DirBuilder {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "only Unix has modes"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Removes a file, a link or an empty folder from a folder that is not a link.
pub(super) fn remove_from(folder: &Path, name: &str) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, unlinkat};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = openat(CWD, folder, flags, Mode::empty())?;
        let removed = unlinkat(&folder, name, AtFlags::empty());
        Ok(removed.or_else(|_| unlinkat(&folder, name, AtFlags::REMOVEDIR))?)
    }
    #[cfg(not(unix))]
    {
        let path = folder.join(name);
        match fs::symlink_metadata(folder)?.is_dir() {
            true => fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }
}

/// A temporary file in a folder, readable by its owner only and removed on drop. Its name begins with `owner`.
pub(super) fn new_part(folder: &Path, owner: &str) -> Result<NamedTempFile> {
    let part = tempfile::Builder::new().prefix(&format!("{owner}-")).suffix(PART).tempfile_in(folder);
    part.map_err(|e| io_error("cannot write to the cache", folder, e))
}

/// Whether a file of this name is being written by `owner`, or was left by a process that died.
pub(super) fn is_part(name: &str, owner: &str) -> bool {
    name.strip_prefix(owner).is_some_and(|rest| rest.starts_with('-') && rest.ends_with(PART))
}

/// Writes a file atomically. Its modification time is set to the time of this call, because the one that the system
/// sets may be some milliseconds old.
pub(super) fn write_whole(path: &Path, owner: &str, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    let mut part = new_part(folder, owner)?;
    let written = part.write_all(bytes).and_then(|()| {
        part.as_file().set_modified(SystemTime::now())?;
        part.as_file().sync_all()
    });
    written.map_err(|e| io_error("cannot write to the cache", path, e))?;
    part.persist(path).map_err(|e| io_error("cannot write to the cache", path, e.error))?;
    sync_folder(folder);
    Ok(())
}

/// Opens a file, but no link, to write or to lock it. With `create` it is created if it does not exist.
pub(super) fn open_to_write(path: &Path, create: bool) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(create).truncate(false);
    no_links(&mut options);
    regular(options.open(path)?)
}

/// Opens a file, but no link, to read it.
pub(super) fn open_to_read(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    no_links(options.read(true));
    regular(options.open(path)?)
}

/// Makes opening a link fail, and opening a pipe not block.
fn no_links(options: &mut fs::OpenOptions) {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.bits() as i32);
    }
    #[cfg(not(unix))]
    let _ = options;
}

fn regular(file: File) -> io::Result<File> {
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("expected a regular file")),
    }
}

/// Syncs a folder, so that renames in it survive a crash. Not every system supports it; a crash then costs a download.
pub(super) fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    #[cfg(not(unix))]
    let _ = folder;
}

/// The bytes and modification time of an open file; `None` if it has more than `most` bytes, or not `len`.
pub(super) fn read_whole((file, len): (File, u64), most: u64) -> Option<(Vec<u8>, SystemTime)> {
    let modified = file.metadata().and_then(|m| m.modified()).ok()?;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).ok()?;
    (len <= most && bytes.len() as u64 == len).then_some((bytes, modified))
}

/// Names and metadata of the entries of a folder. Empty if the folder does not exist or is a link.
pub(super) fn entries(folder: &Path) -> Vec<(String, fs::Metadata)> {
    let folder = check_folder(folder).ok().and_then(|()| fs::read_dir(folder).ok());
    let all = folder.into_iter().flatten().flatten();
    all.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.metadata().ok()?))).collect()
}

/// The modification time in nanoseconds since 1970.
pub(super) fn modified(metadata: &fs::Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

/// Writes at an offset without using the file's cursor, so that threads can share the file.
pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_all_at(file, bytes, offset);
    #[cfg(windows)]
    {
        let (mut bytes, mut offset) = (bytes, offset);
        while !bytes.is_empty() {
            // Moves the cursor, but nothing depends on the cursor.
            let n = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[n..];
            offset += n as u64;
        }
        Ok(())
    }
    #[cfg(not(any(unix, windows)))]
    {
        let _ = (file, bytes, offset);
        Err(io::ErrorKind::Unsupported.into())
    }
}
