//! Manages a cache: lists, removes and verifies models, and enforces the maximum size. Does not load models.

use super::entry::{self, Entry, Kept};
use super::lock::Lock;
use super::record::Record;
use super::{Cache, key};
use crate::base::url::ModelUrl;
use std::time::SystemTime;
use tfjs_manifest::{Error, Result};

/// A model in a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachedModel {
    /// Its URL, without secrets.
    pub url: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// When a load last used it.
    pub last_used: SystemTime,
}

impl Cache {
    /// The models in the cache, by URL. Blocks, as all functions here.
    pub fn list(&self) -> Vec<CachedModel> {
        let all = entry::all(&self.folder);
        let models = all.iter().filter_map(|entry| Some(model(entry, &entry.read(Kept::Model)?.0)));
        let mut models: Vec<CachedModel> = models.collect();
        models.sort_by(|a, b| a.url.cmp(&b.url));
        models
    }

    /// Removes the models at this URL, which may be one from [`list`](Self::list). Returns their number.
    ///
    /// # Errors
    /// [`Kind::Fetch`](tfjs_manifest::Kind::Fetch) if a load uses one, or it cannot be removed.
    pub fn remove(&self, url: &str) -> Result<usize> {
        let whole = ModelUrl::parse(url)?.split().map(|(folder, name, query)| format!("{folder}{name}{query}"));
        let key = key::url(whole.as_deref().unwrap_or(url));
        let mut count = 0;
        for entry in entry::all(&self.folder) {
            let Some((record, _)) = entry.read(Kept::Model).or_else(|| entry.read(Kept::Head)) else { continue };
            if record.facts.url_sha256 != key && record.facts.url != url {
                continue;
            }
            if !entry.remove()? {
                return Err(in_use().in_file(record.facts.url));
            }
            count += 1;
        }
        Ok(count)
    }

    /// Removes everything.
    ///
    /// # Errors
    /// As [`remove`](Self::remove), after everything else was removed.
    pub fn clear(&self) -> Result<()> {
        let mut left = Vec::new();
        for entry in entry::all(&self.folder) {
            let url = entry.read(Kept::Model).map(|(record, _)| record.facts.url);
            match entry.remove() {
                Ok(true) => {}
                Ok(false) => left.push(in_use().in_file(url.unwrap_or_else(|| entry.folder().display().to_string()))),
                Err(error) => left.push(error),
            }
        }
        match left.is_empty() {
            true => Ok(()),
            false => Err(Error::several("some models are still in the cache", left)),
        }
    }

    /// Reads every byte, and removes the models that have changed since they were stored. Returns those models.
    ///
    /// # Errors
    /// As [`remove`](Self::remove).
    pub fn verify(&self) -> Result<Vec<CachedModel>> {
        let mut damaged = Vec::new();
        for entry in entry::all(&self.folder) {
            let Some(lock) = Lock::shared(&entry.lock_path(Kept::Model))? else {
                // A load is writing it, and checks what it writes.
                continue;
            };
            let Some((record, _)) = entry.read(Kept::Model) else { continue };
            if record.facts.files.values().all(|blob| entry.is_whole(blob, true)) {
                continue;
            }
            let found = model(&entry, &record);
            drop(lock);
            if !entry.remove()? {
                return Err(in_use().in_file(found.url));
            }
            damaged.push(found);
        }
        Ok(damaged)
    }

    /// Removes models until the cache is within its maximum size, and files left by processes that died. Errors are
    /// ignored: the removal is tried again later.
    pub(super) fn shrink(&self) {
        let mut all: Vec<(SystemTime, u64, Entry)> = Vec::new();
        for entry in entry::all(&self.folder) {
            if entry.is_untidy()
                && let Ok(Some(_lock)) = Lock::exclusive(&entry.lock_path(Kept::Model))
            {
                entry.tidy(entry.read(Kept::Model).map(|(record, _)| record).as_ref());
            }
            all.push((entry.used(), entry.bytes(), entry));
        }
        let Some(most) = self.max_bytes else { return };
        let mut bytes = all.iter().fold(0u64, |sum, (_, bytes, _)| sum.saturating_add(*bytes));
        all.sort_by_key(|(used, ..)| *used);
        for (_, size, entry) in all {
            if bytes <= most {
                return;
            }
            if let Ok(true) = entry.remove() {
                bytes = bytes.saturating_sub(size);
            }
        }
    }
}

fn model(entry: &Entry, record: &Record) -> CachedModel {
    CachedModel { url: record.facts.url.clone(), bytes: entry.bytes(), last_used: entry.used() }
}

fn in_use() -> Error {
    Error::fetch("a load is using this model; try again when it has ended")
}
