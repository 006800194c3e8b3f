//! The files of one folder on disk, and nothing outside it.

use super::exchange::Former;
use crate::files::{Body, BoxFuture, Files, FolderEntry, LocalFile, OpenOptions, Opened, Validator};
use crate::shard_path::shard_components;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use tfjs_manifest::{Error, Limits, Result};

/// The files of a folder on disk. Paths that leave it are refused, links that lead out of it too, and
/// whatever is not a regular file: no device, pipe or folder is ever opened.
#[derive(Clone, Debug)]
pub struct FolderFiles {
    folder: PathBuf,
    limits: Limits,
    allow_symlinks: bool,
    /// The one file that the caller named, not a manifest: its name is taken as it is, and it may be a link.
    named: Option<String>,
}

impl FolderFiles {
    /// The files of this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        FolderFiles { folder: folder.into(), limits: Limits::default(), allow_symlinks: false, named: None }
    }

    /// With another limit for paths.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether links may lead out of the folder.
    #[must_use]
    pub fn with_allow_symlinks(mut self, allow: bool) -> Self {
        self.allow_symlinks = allow;
        self
    }

    pub(super) fn with_named(mut self, name: &str) -> Self {
        self.named = Some(name.to_owned());
        self
    }

    fn is_named(&self, path: &str) -> bool {
        self.named.as_deref() == Some(path)
    }

    /// Where a path is, by its name alone.
    fn path(&self, path: &str) -> Result<PathBuf> {
        Ok(self.folder.join(self.inside(path)?))
    }

    /// The same, seen from the folder.
    fn inside(&self, path: &str) -> Result<PathBuf> {
        match self.is_named(path) {
            true => Ok(PathBuf::from(path)),
            false => Ok(shard_components(path, &self.limits)?.into_iter().collect()),
        }
    }

    async fn write(&self, former: Former, files: Vec<(String, Body)>) -> Result<()> {
        let files = files.into_iter().map(|(path, body)| Ok((self.inside(&path)?, body)));
        let files: Vec<_> = files.collect::<Result<_>>()?;
        super::save::write_all(self.folder.clone(), self.allow_symlinks, former, files).await
    }
}

impl Files for FolderFiles {
    /// Always the whole file: a file on disk is read at offsets.
    fn open<'a>(&'a self, path: &'a str, _options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let (this, named, path) = (self.clone(), self.is_named(path), self.path(path)?);
            crate::blocking::run(move || match named {
                true => open(&path, &path, Links::Any),
                false => open_inside(&this.folder, &path, this.allow_symlinks),
            })
            .await
        })
    }

    fn put<'a>(&'a self, path: &'a str, body: Body) -> BoxFuture<'a, Result<()>> {
        self.put_all(vec![(path.to_owned(), body)])
    }

    /// All or none of them. Folders are made where they are missing.
    fn put_all<'a>(&'a self, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.write(Former::Any, files))
    }

    /// At every moment, a crash included, the former files are there whole, the new ones, or no last one.
    fn replace<'a>(&'a self, former: Vec<String>, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let former: Vec<PathBuf> = former.iter().map(|path| self.inside(path)).collect::<Result<_>>()?;
            self.write(Former::Only(former), files).await
        })
    }

    /// First what processes left that died in the middle of a save is completed or undone: whoever asks is about to
    /// decide what may be replaced.
    fn entries<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FolderEntry>>> {
        Box::pin(async move {
            let this = self.clone();
            let path = if folder.is_empty() { self.folder.clone() } else { self.path(folder)? };
            crate::blocking::run(move || {
                if !this.allow_symlinks {
                    check_inside(&this.folder, &path)?;
                }
                super::operation::sweep(&this.folder, this.allow_symlinks);
                entries(&path).map_err(|e| cannot_list(e, &path))
            })
            .await
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let (folder, prefix) = (self.folder.clone(), prefix.to_owned());
            crate::blocking::run(move || {
                let mut out = Vec::new();
                walk(&folder, "", &mut out).map_err(|e| cannot_list(e, &folder))?;
                out.retain(|path| path.starts_with(&prefix));
                out.sort();
                Ok(out)
            })
            .await
        })
    }

    /// Folders that this leaves empty are removed as well, except the outermost.
    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let (this, path) = (self.clone(), self.path(path)?);
            crate::blocking::run(move || {
                let folder = super::folder_of(&path);
                if !this.allow_symlinks {
                    check_inside(&this.folder, folder)?;
                }
                std::fs::remove_file(&path).map_err(|e| cannot("remove", e).in_file(path.display()))?;
                for empty in folder.ancestors().take_while(|f| *f != this.folder && f.starts_with(&this.folder)) {
                    // Refused if something is in it, as it should be.
                    if std::fs::remove_dir(empty).is_err() {
                        break;
                    }
                }
                Ok(())
            })
            .await
        })
    }

    fn location(&self, path: &str) -> String {
        self.path(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string())
    }
}

fn open_inside(folder: &Path, path: &Path, allow_symlinks: bool) -> Result<Opened> {
    let real = path.canonicalize().map_err(|e| not_there(e).in_file(path.display()))?;
    if allow_symlinks {
        return open(&real, path, Links::NotAtTheEnd);
    }
    let root = folder.canonicalize().map_err(|e| not_there(e).in_file(folder.display()))?;
    if !real.starts_with(&root) {
        return Err(Error::malformed(
            "the weight file is a link out of the model's folder; allow symlinks if this model is trusted",
        )
        .in_file(path.display()));
    }
    // All links were followed above: what is one now was made since.
    open(&real, path, Links::NotBelow(&root))
}

/// Which links may be followed when a file is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Links<'a> {
    /// All of them.
    Any,
    /// The file itself is none.
    NotAtTheEnd,
    /// Nothing below this folder is one. Where the system has no means for that, as for `NotAtTheEnd`.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Linux looks at the folder"))]
    NotBelow(&'a Path),
}

/// `shown` is how messages name the file.
pub(super) fn open(path: &Path, shown: &Path, links: Links<'_>) -> Result<Opened> {
    let (file, len) = open_regular(path, shown, links)?;
    let modified = file.metadata().ok().and_then(|m| m.modified().ok());
    let age = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let validator = Validator::weak(format!("{len}-{}", age.map_or(0, |t| t.as_nanos())));
    let body = Body::File(LocalFile::new(file, Some(path.to_owned())));
    let mut opened = Opened::new(shown.display().to_string(), body).with_len(len).with_validator(validator);
    opened.modified = modified;
    Ok(opened.with_ranges(true))
}

/// Refuses a folder that links lead to outside the root. What is not there yet is no link.
pub(super) fn check_inside(root: &Path, folder: &Path) -> Result<()> {
    let Some(nearest) = folder.ancestors().take_while(|f| f.starts_with(root)).find(|f| f.exists()) else {
        return Ok(());
    };
    let real = |path: &Path| path.canonicalize().map_err(|e| not_there(e).in_file(path.display()));
    if real(nearest)?.starts_with(real(root)?) {
        return Ok(());
    }
    let error = "this folder is a link out of the model's folder; allow symlinks if this model is trusted";
    Err(Error::malformed(error).in_file(nearest.display()))
}

/// Opens a regular file.
pub(crate) fn open_regular(path: &Path, shown: &Path, links: Links<'_>) -> Result<(File, u64)> {
    let error = |e| not_there(e).in_file(shown.display());
    // Looked at before it is opened: opening a pipe waits for a writer, opening a device may do things.
    check_regular(&std::fs::metadata(path).map_err(error)?, shown)?;
    let file = open_unlinked(path, links).map_err(error)?;
    let metadata = file.metadata().map_err(error)?;
    check_regular(&metadata, shown)?;
    Ok((file, metadata.len()))
}

/// In case it was exchanged in between: does not wait, and follows no other links.
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

/// The file at this path below a folder, if there is no link on the way; `None` where the kernel cannot tell: it is
/// older than 5.6, or a sandbox does not let it.
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

fn not_there(source: std::io::Error) -> Error {
    let message = match source.kind() {
        ErrorKind::NotFound => "no such file",
        ErrorKind::PermissionDenied => "permission denied",
        _ => "cannot open the file",
    };
    Error::fetch(message).with_source(source)
}

fn cannot_list(source: std::io::Error, folder: &Path) -> Error {
    Error::fetch("cannot list the folder").in_file(folder.display()).with_source(source)
}

pub(super) fn cannot(what: &str, source: std::io::Error) -> Error {
    Error::fetch(format!("cannot {what} the file")).with_source(source)
}

/// What is in a folder, folders left out.
fn entries(folder: &Path) -> std::io::Result<Vec<FolderEntry>> {
    let all = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut out = Vec::new();
    for entry in all {
        let entry = entry?;
        let metadata = match entry.metadata() {
            // Gone meanwhile.
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            other => other?,
        };
        if !metadata.is_dir() {
            let entry = FolderEntry::new(entry.file_name().to_string_lossy());
            out.push(if metadata.is_file() { entry.with_len(metadata.len()) } else { entry.not_a_file() });
        }
    }
    Ok(out)
}

/// The regular files below a folder, links not followed, and none of ours that are being written.
fn walk(folder: &Path, prefix: &str, out: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        // A name that is no text cannot be in a manifest.
        let Some(name) = name.to_str() else { continue };
        let kind = entry.file_type()?;
        let path = format!("{prefix}{name}");
        if kind.is_dir() && !super::operation::is_ours(name) {
            walk(&entry.path(), &format!("{path}/"), out)?;
        } else if kind.is_file() {
            out.push(path);
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use tfjs_manifest::Kind;

    /// As between the look at a path and its opening.
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
            // A system without the call has no more than the look before.
            Ok(None) => {}
            Ok(Some(_)) => panic!("a link was followed"),
            Err(_) => assert_eq!(open("sub/w.bin", Links::NotBelow(&root)).unwrap_err().kind(), Kind::Fetch),
        }
    }
}
