//! The few operations on disk a cache consists of: private folders, files that appear whole, reads and writes
//! at offsets. Links are never followed.

pub(super) use crate::fetch::read_at;
use crate::file::{Links, open_regular};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::NamedTempFile;
use tfjs_manifest::{Error, Result};

/// What names of files end in that are being written.
const PART: &str = ".part";

pub(super) fn io_error(what: &str, path: &Path, source: io::Error) -> Error {
    Error::fetch(what).in_file(path.display()).with_source(source)
}

/// Makes a folder that only its owner can look into, as far as the platform can.
pub(super) fn make_folder(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|e| io_error("cannot make the folder of the cache", path, e))
}

/// A new file in a folder, for its owner only, that is gone when it is dropped. Names begin with `owner`.
pub(super) fn new_part(folder: &Path, owner: &str) -> Result<NamedTempFile> {
    let part = tempfile::Builder::new().prefix(&format!("{owner}-")).suffix(PART).tempfile_in(folder);
    part.map_err(|e| io_error("cannot write to the cache", folder, e))
}

/// Whether a name is that of a file which this owner is writing, or was when it died.
pub(super) fn is_part(name: &str, owner: &str) -> bool {
    name.strip_prefix(owner).is_some_and(|rest| rest.starts_with('-') && rest.ends_with(PART))
}

/// Writes a file: it is there whole, or as it was before. Its time of modification is that of this call; what the
/// system notes by itself may be some milliseconds old.
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

/// Puts what was renamed in a folder on disk. Not every system can; a crash then costs a download.
pub(super) fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    #[cfg(not(unix))]
    let _ = folder;
}

/// The bytes of a regular file, if it has at most so many.
pub(super) fn read_whole(path: &Path, most: u64) -> Option<(Vec<u8>, SystemTime)> {
    let (file, len) = open_regular(path, path, Links::NotAtTheEnd).ok()?;
    let modified = file.metadata().and_then(|m| m.modified()).ok()?;
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).ok()?;
    (len <= most && bytes.len() as u64 == len).then_some((bytes, modified))
}

/// Names and facts of everything in a folder; nothing if there is none.
pub(super) fn entries(folder: &Path) -> Vec<(String, fs::Metadata)> {
    let all = fs::read_dir(folder).into_iter().flatten().flatten();
    all.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.metadata().ok()?))).collect()
}

/// Nanoseconds since 1970.
pub(super) fn modified(metadata: &fs::Metadata) -> u64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

/// Writes at an offset without moving any cursor, so that threads can share the file.
pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_all_at(file, bytes, offset);
    #[cfg(windows)]
    {
        let (mut bytes, mut offset) = (bytes, offset);
        while !bytes.is_empty() {
            // Moves the cursor, which nobody uses.
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
