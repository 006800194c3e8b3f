//! Implements [`Files`] for the files in an archive, which are read in place.

use super::entry::EntryReader;
use super::index::{Content, Index};
use super::source::{Format, HEAD, Source};
use super::tar::Inflating;
use crate::base::blocking::CancelOnDrop;
use crate::base::disk::{Links, open_regular};
use crate::base::files::{Body, BoxFuture, Files, OpenOptions, Opened, Purpose};
use crate::base::path::shard_components;
use crate::base::progress::Reporter;
use bytes::Bytes;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tfjs_manifest::{Error, Limits, Result};

/// The files of a `.zip`, `.tar` or `.tar.gz`. Clones share them.
///
/// The format is detected from the bytes. Files are read in place, inflated and checked as they stream. A `.tar.gz`,
/// which does not allow random access, is inflated when it is opened: in memory up to 16 MiB, otherwise to a temporary
/// file. Links, devices and encrypted files are not listed, and opening one is an error.
///
/// ```no_run
/// # use tfjs_io::{ArchiveFiles, Files, Result};
/// # async fn example() -> Result<()> {
/// let files = ArchiveFiles::open("digits.zip", &Default::default()).await?;
/// assert_eq!(files.names(), ["metadata.json", "model.json", "weights.bin"]);
/// let opened = files.open("weights.bin", Default::default()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ArchiveFiles {
    source: Source,
    index: Arc<Index>,
}

impl ArchiveFiles {
    /// The archive at this path.
    ///
    /// # Errors
    /// [`Kind::Malformed`](tfjs_manifest::Kind::Malformed) for a file that is not a complete archive, and for an
    /// archive with entries outside its folder, two entries of one name, or entries that share bytes;
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) for more entries or bytes than the limits allow.
    #[cfg(not(target_family = "wasm"))]
    pub async fn open(path: impl Into<PathBuf>, limits: &Limits) -> Result<Self> {
        let path = path.into();
        let location = path.display().to_string();
        let source = crate::base::blocking::run(move || {
            let file = open_regular(&path, &path, Links::Any)?.0;
            Source::disk(file).map_err(|e| e.in_file(path.display()))
        });
        Self::from_source(location, source.await?, limits.clone()).await
    }

    /// An archive in memory; `location` is its name in messages. A compressed tar is inflated here, which may take a
    /// while.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(location: impl Into<String>, bytes: impl Into<Bytes>, limits: &Limits) -> Result<Self> {
        Self::read(&location.into(), Source::Memory(bytes.into()), limits, &AtomicBool::new(false))
    }

    /// The archive in an open file of another place. A stream is fetched to its end.
    pub(crate) async fn fetch(opened: Opened, limits: &Limits, reporter: &Reporter) -> Result<Self> {
        let location = opened.location.clone();
        let source = super::spool::fetch(opened, limits, reporter).await.map_err(|e| e.in_file(&location))?;
        Self::from_source(location, source, limits.clone()).await
    }

    /// Reads the index on a blocking thread. Dropping the future cancels it.
    async fn from_source(location: String, source: Source, limits: Limits) -> Result<Self> {
        let cancelled = CancelOnDrop::default();
        let flag = cancelled.0.clone();
        crate::base::blocking::run(move || Self::read(&location, source, &limits, &flag)).await
    }

    fn read(location: &str, source: Source, limits: &Limits, cancelled: &AtomicBool) -> Result<Self> {
        let mut index = Index::new(location, limits);
        let source = index_of(source, &mut index, limits, cancelled).map_err(|e| e.in_file(location))?;
        Ok(ArchiveFiles { source, index: Arc::new(index) })
    }

    /// The names of all files, sorted.
    pub fn names(&self) -> Vec<String> {
        self.index.names().map(str::to_owned).collect()
    }

    /// The name of the model's JSON: `model.json`; else the only `model.json` in any folder; else the only file that
    /// ends in `.json`, not counting a `metadata.json`.
    ///
    /// # Errors
    /// [`Kind::Fetch`](tfjs_manifest::Kind::Fetch), with a list of the candidates or files, if there is none or
    /// several.
    pub fn model_json(&self) -> Result<String> {
        self.index.model_json().map(str::to_owned)
    }

    /// Reads every file to its end, which checks lengths and checksums. Returns the number of bytes. Blocks.
    ///
    /// # Errors
    /// The error of the first damaged file.
    pub fn verify(&self) -> Result<u64> {
        let mut count = 0u64;
        for name in self.index.names() {
            let mut reader = self.reader(name)?;
            while let Some(chunk) = reader.chunk().map_err(|e| e.in_file(self.index.place(name)))? {
                count = count.saturating_add(chunk.len() as u64);
            }
        }
        Ok(count)
    }

    fn reader(&self, name: &str) -> Result<EntryReader> {
        let entry = self.index.get(name).ok_or_else(|| self.index.missing(name))?;
        EntryReader::new(&self.source, entry).map_err(|e| e.in_file(self.index.place(name)))
    }

    /// Whether [`names`](Self::names) has every file, except those that macOS adds.
    pub(crate) fn is_whole(&self) -> bool {
        self.index.is_whole()
    }

    /// The archive's name in messages.
    pub(crate) fn archive_location(&self) -> &str {
        self.index.location()
    }
}

/// Reads the index. Returns the archive, decompressed if it was a `.tar.gz`.
fn index_of(source: Source, index: &mut Index, limits: &Limits, cancelled: &AtomicBool) -> Result<Source> {
    let head = source.head(HEAD)?;
    match Format::of(&head) {
        Some(Format::Zip) => super::zip::read(&source, index)?,
        Some(Format::Tar) => super::tar::read(&source, index)?,
        Some(Format::Gzip) => {
            let mut inflating = Inflating::new(&source, limits);
            while inflating.step()? {
                if cancelled.load(Ordering::Relaxed) {
                    return Err(Error::fetch("the load was cancelled"));
                }
            }
            let source = inflating.finish()?;
            super::tar::read(&source, index)?;
            return Ok(source);
        }
        None if super::tar::begins(&head) => super::tar::read(&source, index)?,
        None => super::zip::read(&source, index).map_err(|e| match index.is_empty() {
            true => Error::malformed("not an archive: neither zip nor tar nor gzip").with_source(e),
            false => e,
        })?,
    }
    Ok(source)
}

impl Files for ArchiveFiles {
    /// Always opens the whole file.
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let name = shard_components(path, self.index.limits())?.join("/");
            let entry = self.index.get(&name).ok_or_else(|| self.index.missing(&name))?;
            if let (Content::Deflated { packed, .. }, Purpose::Weights) = (&entry.content, options.purpose) {
                self.index.check_inflation(*packed, entry.len).map_err(|e| e.in_file(self.index.place(&name)))?;
            }
            let body = match &entry.content {
                Content::Stored { at, crc: None } => self.source.slice(*at, entry.len).map(Body::Bytes),
                _ => None,
            };
            let body = match body {
                Some(body) => body,
                None => Body::Stream(self.reader(&name)?.into_stream()),
            };
            Ok(Opened::new(self.index.place(&name), body).with_len(entry.len))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        let names = self.index.names().filter(|name| name.starts_with(prefix)).map(str::to_owned).collect();
        Box::pin(std::future::ready(Ok(names)))
    }

    fn location(&self, path: &str) -> String {
        self.index.place(path)
    }
}

impl fmt::Debug for ArchiveFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ArchiveFiles").field(&self.index.location()).finish()
    }
}
