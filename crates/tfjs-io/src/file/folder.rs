//! The files of one folder on disk, and nothing outside it.

use crate::fetch::into_stream;
use crate::files::{Body, BoxFuture, Files, LocalFile, OpenOptions, Opened, Validator};
use crate::shard_path::shard_components;
use futures_util::StreamExt;
use std::fs::File;
use std::io::{ErrorKind, Write};
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
}

impl FolderFiles {
    /// The files of this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        FolderFiles { folder: folder.into(), limits: Limits::default(), allow_symlinks: false }
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

    /// Where a path is, by its name alone.
    fn path(&self, path: &str) -> Result<PathBuf> {
        let parts = shard_components(path, &self.limits)?;
        Ok(parts.iter().fold(self.folder.clone(), |folder, part| folder.join(part)))
    }
}

impl Files for FolderFiles {
    /// Always the whole file: a file on disk is read at offsets.
    fn open<'a>(&'a self, path: &'a str, _options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let (this, path) = (self.clone(), self.path(path)?);
            crate::blocking::run(move || open_inside(&this.folder, &path, this.allow_symlinks)).await
        })
    }

    fn put<'a>(&'a self, path: &'a str, body: Body) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let path = self.path(path)?;
            let mut chunks = into_stream(body, None);
            let target = path.clone();
            let mut staged = crate::blocking::run(move || super::save::Staged::new(&target)).await?;
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk?;
                let target = path.clone();
                staged = crate::blocking::run(move || {
                    staged.file().write_all(&chunk).map_err(|e| cannot("write", e).in_file(target.display()))?;
                    Ok(staged)
                })
                .await?;
            }
            crate::blocking::run(move || staged.commit()).await
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let (folder, prefix) = (self.folder.clone(), prefix.to_owned());
            crate::blocking::run(move || {
                let mut out = Vec::new();
                walk(&folder, "", &mut out).map_err(|e| cannot("list", e).in_file(folder.display()))?;
                out.retain(|path| path.starts_with(&prefix));
                out.sort();
                Ok(out)
            })
            .await
        })
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let path = self.path(path)?;
            crate::blocking::run(move || {
                std::fs::remove_file(&path).map_err(|e| cannot("remove", e).in_file(path.display()))
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
    if !allow_symlinks {
        let root = folder.canonicalize().map_err(|e| not_there(e).in_file(folder.display()))?;
        if !real.starts_with(&root) {
            return Err(Error::malformed(
                "the weight file is a link out of the model's folder; allow symlinks if this model is trusted",
            )
            .in_file(path.display()));
        }
    }
    let (file, len) = open_regular(&real, path, false)?;
    let modified = file.metadata().ok().and_then(|m| m.modified().ok());
    let modified = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let validator = Validator::weak(format!("{len}-{}", modified.map_or(0, |t| t.as_nanos())));
    let body = Body::File(LocalFile::new(file, Some(real)));
    let opened = Opened::new(path.display().to_string(), body).with_len(len).with_validator(validator);
    Ok(opened.with_ranges(true))
}

/// Opens a regular file; `shown` is how messages name it. `follow`: the last component may be a link.
pub(crate) fn open_regular(path: &Path, shown: &Path, follow: bool) -> Result<(File, u64)> {
    let error = |e| not_there(e).in_file(shown.display());
    // Looked at before it is opened: opening a pipe waits for a writer, opening a device may do things.
    check_regular(&std::fs::metadata(path).map_err(error)?, shown)?;
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        // And in case it was exchanged in between: do not wait, do not follow.
        let flags = OFlags::NONBLOCK | if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        options.custom_flags(flags.bits() as i32);
    }
    #[cfg(not(unix))]
    let _ = follow;
    let file = options.open(path).map_err(error)?;
    let metadata = file.metadata().map_err(error)?;
    check_regular(&metadata, shown)?;
    Ok((file, metadata.len()))
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

pub(super) fn cannot(what: &str, source: std::io::Error) -> Error {
    Error::fetch(format!("cannot {what} the file")).with_source(source)
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
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), out)?;
        } else if kind.is_file() && !super::save::is_staged(name) {
            out.push(path);
        }
    }
    Ok(())
}
