//! The files of one folder on disk, and nothing outside it.

use super::exchange::{Former, remove_empty};
use super::root::Root;
use super::step;
use crate::base::disk::{Links, not_there, open_regular};
use crate::base::files::{Body, BoxFuture, Files, FolderEntry, LocalFile, OpenOptions, Opened, Validator};
use crate::base::path::shard_components;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use tfjs_manifest::{Error, Limits, Result};

/// The files of a folder on disk. Paths and links that lead out of it are errors. Only regular files are opened, never
/// a device, pipe or folder.
#[derive(Clone, Debug)]
pub struct FolderFiles {
    folder: PathBuf,
    limits: Limits,
    allow_symlinks: bool,
    /// The file that the caller named: its name is not checked like a path from a manifest, and it may be a link.
    named: Option<String>,
}

impl FolderFiles {
    /// The files of this folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        FolderFiles { folder: folder.into(), limits: Limits::default(), allow_symlinks: false, named: None }
    }

    /// Sets the limits; only those of paths apply.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets whether links may lead out of the folder.
    #[must_use]
    pub fn with_allow_symlinks(mut self, allow: bool) -> Self {
        self.allow_symlinks = allow;
        self
    }

    pub(crate) fn with_named(mut self, name: &str) -> Self {
        self.named = Some(name.to_owned());
        self
    }

    fn is_named(&self, path: &str) -> bool {
        self.named.as_deref() == Some(path)
    }

    /// The path on disk, without resolving links.
    fn path(&self, path: &str) -> Result<PathBuf> {
        Ok(self.folder.join(self.inside(path)?))
    }

    /// The path relative to the folder.
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
    /// Always opens the whole file; a file on disk can be read at offsets.
    fn open<'a>(&'a self, path: &'a str, _options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let (this, named, path) = (self.clone(), self.is_named(path), self.path(path)?);
            crate::base::blocking::run(move || match named {
                true => open(&path, &path, Links::Any),
                false => open_inside(&this.folder, &path, this.allow_symlinks),
            })
            .await
        })
    }

    fn put<'a>(&'a self, path: &'a str, body: Body) -> BoxFuture<'a, Result<()>> {
        self.put_all(vec![(path.to_owned(), body)])
    }

    /// Writes all files or none. Creates missing folders.
    fn put_all<'a>(&'a self, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(self.write(Former::Any, files))
    }

    /// At any time, even after a crash, there are all former files, all new files, or no last file.
    fn replace<'a>(&'a self, former: Vec<String>, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let former: Vec<PathBuf> = former.iter().map(|path| self.inside(path)).collect::<Result<_>>()?;
            self.write(Former::Only(former), files).await
        })
    }

    /// First completes or undoes saves of processes that died, because the caller decides from this list which files
    /// may be replaced.
    fn entries<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FolderEntry>>> {
        Box::pin(async move {
            let this = self.clone();
            let path = if folder.is_empty() { self.folder.clone() } else { self.path(folder)? };
            crate::base::blocking::run(move || {
                if !this.allow_symlinks {
                    check_inside(&this.folder, &path)?;
                }
                if let Ok(root) = Root::open(&this.folder, this.allow_symlinks) {
                    super::operation::sweep(&Arc::new(root));
                }
                entries(&path).map_err(|e| cannot_list(e, &path))
            })
            .await
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let (folder, prefix) = (self.folder.clone(), prefix.to_owned());
            crate::base::blocking::run(move || {
                let mut out = Vec::new();
                walk(&folder, "", &mut out).map_err(|e| cannot_list(e, &folder))?;
                out.retain(|path| path.starts_with(&prefix));
                out.sort();
                Ok(out)
            })
            .await
        })
    }

    fn canonical<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            let (folder, whole, path) = (self.folder.clone(), self.path(path)?, path.to_owned());
            crate::base::blocking::run(move || Ok(canonical(&folder, &whole).unwrap_or(path))).await
        })
    }

    /// Also removes folders that are empty afterwards, except the root.
    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let (folder, allow_symlinks, path) = (self.folder.clone(), self.allow_symlinks, self.inside(path)?);
            crate::base::blocking::run(move || remove(&folder, allow_symlinks, &path)).await
        })
    }

    fn location(&self, path: &str) -> String {
        self.path(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string())
    }
}

/// Removes the file at this path below a folder, and folders that are empty afterwards.
pub(super) fn remove(folder: &Path, allow_symlinks: bool, path: &Path) -> Result<()> {
    let error = |e| cannot("remove", e).in_file(folder.join(path).display());
    let root = Root::open(folder, allow_symlinks).map_err(error)?;
    root.check(path)?;
    root.spot(path).and_then(|at| step::remove_file(&at)).map_err(error)?;
    remove_empty(&root, path);
    Ok(())
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
    // All links were resolved above, so a link found now was created since.
    open(&real, path, Links::NotBelow(&root))
}

/// Opens a file on disk. `shown` is its name in messages.
pub(crate) fn open(path: &Path, shown: &Path, links: Links<'_>) -> Result<Opened> {
    let (file, len) = open_regular(path, shown, links)?;
    let modified = file.metadata().ok().and_then(|m| m.modified().ok());
    let age = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let validator = Validator::weak(format!("{len}-{}", age.map_or(0, |t| t.as_nanos())));
    let body = Body::File(LocalFile::new(file, Some(path.to_owned())));
    let mut opened = Opened::new(shown.display().to_string(), body).with_len(len).with_validator(validator);
    opened.modified = modified;
    Ok(opened.with_ranges(true))
}

/// Checks that the folder, after links are resolved, is inside the root. Components that do not exist yet are skipped.
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

/// The path of a file relative to a folder, after links of both are resolved; `None` if it is not below the folder. The
/// file need not exist.
fn canonical(folder: &Path, path: &Path) -> Option<String> {
    let root = folder.canonicalize().ok()?;
    let real = match path.canonicalize() {
        Ok(real) => real,
        Err(_) => super::folder_of(path).canonicalize().ok()?.join(path.file_name()?),
    };
    let names = real.strip_prefix(root).ok()?.iter().map(|name| name.to_str());
    Some(names.collect::<Option<Vec<&str>>>()?.join("/"))
}

fn cannot_list(source: std::io::Error, folder: &Path) -> Error {
    Error::fetch("cannot list the folder").in_file(folder.display()).with_source(source)
}

pub(super) fn cannot(what: &str, source: std::io::Error) -> Error {
    Error::fetch(format!("cannot {what} the file")).with_source(source)
}

/// The entries of a folder, except subfolders.
fn entries(folder: &Path) -> std::io::Result<Vec<FolderEntry>> {
    let all = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut out = Vec::new();
    for entry in all {
        let entry = entry?;
        let metadata = match entry.metadata() {
            // Removed in the meantime.
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

/// Lists the regular files below a folder, without following links and without the files of saves in progress.
fn walk(folder: &Path, prefix: &str, out: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        // A name that is not UTF-8 cannot be in a manifest.
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
