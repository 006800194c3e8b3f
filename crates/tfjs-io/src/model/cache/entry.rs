//! One model's place in the cache: two records, the lock of each, and the weight files they name.
//!
//! ```text
//! v1/locks/<key>.head  <key>.model      locks; never removed
//! v1/models/<key>/head                  the JSON that the server sent last
//!                 model                 a JSON whose weight files are all cached
//!                 <sha256> ...          the files of `model`
//! ```
//!
//! There are two records, because a request for the JSON must not wait for loads that read the weights, nor block them,
//! and because `model` must not change until another model is complete.

use super::disk::{self, io_error};
use super::hash::Sha256;
use super::lock::Lock;
use super::record::{Blob, Record};
use crate::base::disk::{Links, open_regular};
use crate::base::files::{Body, LocalFile, Opened};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use tempfile::TempPath;
use tfjs_manifest::{Error, Limits, Result};

/// Most bytes of a record, not counting its JSON. Enough for 65 536 files, the most a model may have.
const FACTS_BYTES: u64 = 64 << 20;

/// Which record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Head,
    Model,
}

impl Kept {
    fn name(self) -> &'static str {
        match self {
            Kept::Head => "head",
            Kept::Model => "model",
        }
    }
}

/// A model's place in the cache. Its files need not exist.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    cache: PathBuf,
    locks: PathBuf,
    folder: PathBuf,
    key: String,
    most: u64,
}

/// A new file of a model, before it is renamed to its place.
#[derive(Debug)]
pub(super) struct NewFile {
    pub(super) path: String,
    pub(super) blob: Blob,
    pub(super) part: TempPath,
}

/// All entries in a cache's folder.
pub(super) fn all(cache: &Path) -> Vec<Entry> {
    if disk::check_folder(&cache.join("v1")).is_err() {
        return Vec::new();
    }
    let entries = disk::entries(&models(cache)).into_iter();
    let entries = entries.filter(|(key, metadata)| metadata.is_dir() && Sha256::parse(key).is_some());
    entries.map(|(key, _)| Entry::at(cache, key, &Limits::default())).collect()
}

fn models(cache: &Path) -> PathBuf {
    cache.join("v1/models")
}

/// Whether this program uses such a name for a file in a model's folder. Other files are never removed.
fn is_ours(name: &str) -> bool {
    Sha256::parse(name).is_some()
        || [Kept::Head, Kept::Model].iter().any(|which| which.name() == name || disk::is_part(name, which.name()))
}

impl Entry {
    pub(super) fn new(cache: &Path, key: Sha256, limits: &Limits) -> Self {
        Self::at(cache, key.to_string(), limits)
    }

    fn at(cache: &Path, key: String, limits: &Limits) -> Self {
        let most = limits.model_json_bytes.saturating_add(FACTS_BYTES);
        let (locks, folder) = (cache.join("v1/locks"), models(cache).join(&key));
        Entry { cache: cache.to_owned(), locks, folder, key, most }
    }

    pub(super) fn lock_path(&self, which: Kept) -> PathBuf {
        self.locks.join(format!("{}.{}", self.key, which.name()))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn blob_path(&self, blob: &Blob) -> PathBuf {
        self.folder.join(blob.sha256.to_string())
    }

    /// Creates the folders that do not exist. Links in their places, and folders of other users, are errors.
    pub(super) fn prepare(&self) -> Result<()> {
        disk::make_root(&self.cache)?;
        let own = [&self.cache.join("v1"), &self.locks, &models(&self.cache), &self.folder];
        own.into_iter().try_for_each(|folder| disk::make_folder(folder))
    }

    /// Whether the folders exist, belong to this user and are not links.
    fn is_sound(&self) -> bool {
        let own = [&self.cache.join("v1"), &models(&self.cache), &self.folder];
        disk::check_root(&self.cache).is_ok() && own.into_iter().all(|folder| disk::check_folder(folder).is_ok())
    }

    /// Names and metadata of the files in the folder that the cache wrote.
    fn ours(&self) -> impl Iterator<Item = (String, fs::Metadata)> {
        let entries = if self.is_sound() { disk::entries(&self.folder) } else { Vec::new() };
        entries.into_iter().filter(|(name, _)| is_ours(name))
    }

    /// Opens one of its files.
    fn open_own(&self, name: &str) -> Result<(File, u64)> {
        if !self.is_sound() {
            return Err(Error::fetch("this folder of the cache does not exist, is a link or belongs to another user")
                .in_file(self.folder.display()));
        }
        let path = self.folder.join(name);
        open_regular(&path, &path, Links::NotBelow(&self.cache))
    }

    /// A record, and when it was last known to be current. Needs no lock, because records are replaced atomically.
    pub(super) fn read(&self, which: Kept) -> Option<(Record, SystemTime)> {
        let (bytes, checked) = disk::read_whole(self.open_own(which.name()).ok()?, self.most)?;
        Some((Record::decode(bytes)?, checked))
    }

    /// Writes a record, under its lock.
    pub(super) fn write(&self, which: Kept, record: &Record) -> Result<()> {
        self.prepare()?;
        for (name, _) in self.ours().filter(|(name, _)| disk::is_part(name, which.name())) {
            // Left by a process that died, because this process holds the lock.
            let _ = disk::remove_from(&self.folder, &name);
        }
        disk::write_whole(&self.folder.join(which.name()), which.name(), &record.encode())
    }

    /// Records that a record is current, under its lock. An error is ignored: it only costs another request.
    pub(super) fn touch(&self, which: Kept) {
        if self.is_sound() {
            let _ = disk::open_to_write(&self.folder.join(which.name()), false)
                .and_then(|file| file.set_modified(SystemTime::now()));
        }
    }

    /// Whether a file is unchanged: by its length and time, or by its hash if `by_hash` is set or its time differs, as
    /// after the cache was copied.
    pub(super) fn is_whole(&self, blob: &Blob, by_hash: bool) -> bool {
        let path = self.blob_path(blob);
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            return false;
        };
        if !metadata.is_file() || metadata.len() != blob.len {
            return false;
        }
        if !by_hash && disk::modified(&metadata) == blob.modified {
            return true;
        }
        let hash = self.open_own(&blob.sha256.to_string()).ok().and_then(|(file, _)| Sha256::of_file(&file).ok());
        hash == Some(blob.sha256)
    }

    /// Opens a file that [`is_whole`](Self::is_whole).
    pub(super) fn open(&self, blob: &Blob, location: String) -> Result<Opened> {
        let path = self.blob_path(blob);
        let (file, len) = self.open_own(&blob.sha256.to_string())?;
        if len != blob.len {
            let error = format!("expected {} bytes in the cache, found {len}; load again", blob.len);
            return Err(Error::mismatch(error).in_file(path.display()));
        }
        Ok(Opened::new(location, Body::File(LocalFile::new(file, Some(path)))).with_len(len))
    }

    /// A temporary file for a new file of this model.
    pub(super) fn new_part(&self) -> Result<tempfile::NamedTempFile> {
        self.prepare()?;
        disk::new_part(&self.folder, Kept::Model.name())
    }

    /// Moves the files to their places, and then writes the record that lists them. [`Kept::Model`] is locked meanwhile.
    pub(super) fn commit(&self, record: &mut Record, new: Vec<NewFile>) -> Result<()> {
        self.prepare()?;
        let mut seen: BTreeMap<Sha256, u64> = record.facts.files.values().map(|b| (b.sha256, b.modified)).collect();
        for NewFile { path, mut blob, part } in new {
            // Files with the same bytes are stored once.
            match seen.get(&blob.sha256) {
                Some(modified) => blob.modified = *modified,
                None => {
                    let place = self.blob_path(&blob);
                    part.persist(&place).map_err(|e| io_error("cannot write to the cache", &place, e.error))?;
                    seen.insert(blob.sha256, blob.modified);
                }
            }
            record.facts.files.insert(path, blob);
        }
        disk::sync_folder(&self.folder);
        self.write(Kept::Model, record)?;
        self.tidy(Some(record));
        Ok(())
    }

    /// Removes files that no record names, under the lock of [`Kept::Model`]: those of former models, and those left by
    /// processes that died.
    pub(super) fn tidy(&self, record: Option<&Record>) {
        let named: BTreeSet<String> =
            record.iter().flat_map(|r| r.facts.files.values()).map(|blob| blob.sha256.to_string()).collect();
        for (name, _) in self.ours() {
            let others = [Kept::Head, Kept::Model].iter().any(|which| which.name() == name);
            if !others && !disk::is_part(&name, Kept::Head.name()) && !named.contains(&name) {
                // After an error the file counts as used space, and its removal is tried again later.
                let _ = disk::remove_from(&self.folder, &name);
            }
        }
    }

    /// Whether there are files that no record names. May be wrong while another process writes.
    pub(super) fn is_untidy(&self) -> bool {
        let names: Vec<String> = self.ours().map(|(name, _)| name).collect();
        let has = |which: Kept| names.iter().any(|name| name == which.name());
        names.iter().any(|name| disk::is_part(name, Kept::Model.name()))
            || (!has(Kept::Model) && names.len() > usize::from(has(Kept::Head)))
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.ours().map(|(_, metadata)| metadata.len()).sum()
    }

    /// When a load last used the model or requested its JSON.
    pub(super) fn used(&self) -> SystemTime {
        let times = [Kept::Head, Kept::Model]
            .map(|which| fs::symlink_metadata(self.lock_path(which)).and_then(|m| m.modified()));
        times.into_iter().flatten().max().unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// Removes the model, unless a load uses it. Returns whether it was removed. Files that the cache did not write
    /// stay.
    pub(super) fn remove(&self) -> Result<bool> {
        self.prepare()?;
        let Some(_head) = Lock::exclusive(&self.lock_path(Kept::Head))? else {
            return Ok(false);
        };
        let Some(_model) = Lock::exclusive(&self.lock_path(Kept::Model))? else {
            return Ok(false);
        };
        // First the records, without which the other files are not a model.
        let records = [Kept::Model, Kept::Head].map(|which| which.name().to_owned());
        let others = self.ours().map(|(name, _)| name).filter(|name| !records.contains(name));
        for name in records.iter().cloned().chain(others) {
            match disk::remove_from(&self.folder, &name) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    return Err(io_error("cannot remove a model from the cache", &self.folder.join(name), e));
                }
                _ => {}
            }
        }
        let _ = fs::remove_dir(&self.folder);
        Ok(true)
    }
}
