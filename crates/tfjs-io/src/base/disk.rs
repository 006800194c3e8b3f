//! Opens and reads regular files on disk. Devices, pipes and unexpected links are never opened.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use tfjs_manifest::{Error, Result};

/// Which links may be followed when a file is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Links<'a> {
    /// All links.
    Any,
    /// All links, except one at the last component of the path.
    #[cfg_attr(target_family = "wasm", allow(dead_code, reason = "only folders on disk need it"))]
    NotAtTheEnd,
    /// No links below this folder. Systems other than Linux treat it as `NotAtTheEnd`.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux looks at the folder"))]
    NotBelow(&'a Path),
}

/// Opens a regular file.
pub(crate) fn open_regular(path: &Path, shown: &Path, links: Links<'_>) -> Result<(File, u64)> {
    let error = |e| not_there(e).in_file(shown.display());
    // Checked before opening: opening a pipe waits for a writer, and opening a device may have side effects.
    check_regular(&std::fs::metadata(path).map_err(error)?, shown)?;
    let file = open_unlinked(path, links).map_err(error)?;
    let metadata = file.metadata().map_err(error)?;
    check_regular(&metadata, shown)?;
    Ok((file, metadata.len()))
}

/// Opens a file that may have been replaced since it was checked. Does not wait on a pipe, and follows only the links
/// that `links` allows.
#[cfg(unix)]
fn open_unlinked(path: &Path, links: Links<'_>) -> std::io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    #[cfg(target_os = "linux")]
    if let Links::NotBelow(root) = links
        && let Ok(inside) = path.strip_prefix(root)
        && let Some(file) = open_below(root, inside)?
    {
        return Ok(file);
    }
    let flags = match links {
        Links::Any => OFlags::NONBLOCK,
        Links::NotAtTheEnd | Links::NotBelow(_) => OFlags::NONBLOCK | OFlags::NOFOLLOW,
    };
    std::fs::OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

#[cfg(not(unix))]
fn open_unlinked(path: &Path, _: Links<'_>) -> std::io::Result<File> {
    File::open(path)
}

/// Opens the path `inside` below a folder, with an error if a component is a link. `None` if `openat2` is not
/// available: the kernel is older than 5.6, or a sandbox blocks the call.
#[cfg(target_os = "linux")]
fn open_below(root: &Path, inside: &Path) -> std::io::Result<Option<File>> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
    use rustix::io::Errno;
    let folder = openat(CWD, root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(folder, inside, flags, Mode::empty(), resolve) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::TOOBIG) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

fn check_regular(metadata: &std::fs::Metadata, shown: &Path) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let what = if metadata.is_dir() { "a folder" } else { "a device or pipe" };
    Err(Error::fetch(format!("expected a regular file, found {what}")).in_file(shown.display()))
}

pub(crate) fn not_there(source: std::io::Error) -> Error {
    // The system's own words would repeat the first two.
    match source.kind() {
        ErrorKind::NotFound => Error::fetch("no such file"),
        ErrorKind::PermissionDenied => Error::fetch("permission denied"),
        _ => Error::fetch("cannot open the file").with_source(source),
    }
}

/// Reads at an offset without using the file's cursor, so that threads can share the file.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, buffer, offset);
    // Moves the cursor, but nothing depends on the cursor.
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
    #[cfg(not(any(unix, windows)))]
    {
        let _ = (file, buffer, offset);
        Err(ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use tfjs_manifest::Kind;

    /// A link that is created between the check of a path and its opening.
    #[test]
    fn a_link_made_since_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("m");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("sub/w.bin"), "0123").unwrap();
        fs::create_dir(root.with_file_name("other")).unwrap();
        fs::write(root.with_file_name("other").join("w.bin"), "secret").unwrap();
        let open = |inside: &str, links| open_regular(&root.join(inside), &root.join(inside), links);
        assert_eq!(open("sub/w.bin", Links::NotBelow(&root)).unwrap().1, 4);

        symlink("../../other/w.bin", root.join("sub/link")).unwrap();
        for links in [Links::NotAtTheEnd, Links::NotBelow(&root)] {
            assert_eq!(open("sub/link", links).unwrap_err().kind(), Kind::Fetch, "{links:?}");
        }
        assert_eq!(open("sub/link", Links::Any).unwrap().1, 6);

        fs::rename(root.join("sub"), root.join("former")).unwrap();
        symlink("../other", root.join("sub")).unwrap();
        assert_eq!(open("sub/w.bin", Links::NotAtTheEnd).unwrap().1, 6);
        #[cfg(target_os = "linux")]
        match open_below(&root, Path::new("sub/w.bin")) {
            // Systems without the call only check the path before opening it.
            Ok(None) => {}
            Ok(Some(_)) => panic!("a link was followed"),
            Err(_) => assert_eq!(open("sub/w.bin", Links::NotBelow(&root)).unwrap_err().kind(), Kind::Fetch),
        }
    }
}
