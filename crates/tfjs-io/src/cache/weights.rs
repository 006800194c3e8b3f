//! The second half of a load through the cache: the weight files, at hand on disk, or to be brought there.

use super::Cache;
use super::entry::{Entry, Kept};
use super::fill::Filling;
use super::load::{Trust, not_here, unused};
use super::lock::{Lock, Patience, Turn, turn};
use super::record::Blob;
use crate::cx::IoCx;
use crate::files::{Body, BoxFuture, Files, FolderEntry, OpenOptions, Opened};
use std::collections::BTreeMap;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// The weights of a model that has a place in the cache.
#[derive(Debug)]
pub(super) struct CachedFiles {
    cache: Cache,
    entry: Entry,
    trust: Arc<Trust>,
    inner: Arc<dyn Files>,
    cx: IoCx,
}

impl CachedFiles {
    pub(super) fn new(cache: Cache, entry: Entry, trust: Arc<Trust>, inner: Arc<dyn Files>, cx: IoCx) -> Self {
        CachedFiles { cache, entry, trust, inner, cx }
    }

    /// The files on disk that are wanted and whole; the others as `None`. Blocks.
    fn on_disk(entry: &Entry, trust: &Trust, paths: &[String], by_hash: bool) -> Found {
        let record = entry.read(Kept::Model).filter(|(record, checked)| trust.covers(record, *checked));
        let files = record.map(|(record, _)| record.facts.files).unwrap_or_default();
        let whole = |path: &String| files.get(path).filter(|blob| entry.is_whole(blob, by_hash)).cloned();
        paths.iter().map(|path| (path.clone(), whole(path))).collect()
    }

    /// What is on disk, if that is enough; else the lock under which the rest may be brought there.
    async fn turn(&self, paths: &[&str], enough: fn(&Found) -> bool) -> Result<Turn<Found>> {
        let entry = self.entry.clone();
        crate::blocking::run(move || entry.prepare()).await?;
        let (entry, trust, by_hash) = (self.entry.clone(), self.trust.clone(), self.cache.verify);
        let paths: Vec<String> = paths.iter().map(|&path| path.to_owned()).collect();
        let look = move || Some(Self::on_disk(&entry, &trust, &paths, by_hash)).filter(enough);
        turn(self.entry.lock_path(Kept::Model), Patience::default(), &self.cx, look).await
    }

    fn at_hand(&self, found: Found, lock: Option<Lock>) -> Arc<dyn Files> {
        if let Some(lock) = &lock {
            lock.touch();
        }
        let files = found.into_iter().filter_map(|(path, blob)| Some((path, blob?))).collect();
        let (inner, offline) = (self.inner.clone(), self.cache.offline);
        Arc::new(AtHand { entry: self.entry.clone(), files, inner, offline, _lock: lock })
    }

    async fn begin_offline(&self, paths: &[&str]) -> Result<Arc<dyn Files>> {
        let (found, lock) = match self.turn(paths, |_| true).await {
            Ok(Turn::Found(found, lock)) => (found, Some(lock)),
            Ok(Turn::Mine(_)) => return Err(Error::bug("a cache that is offline wants to be filled")),
            // Files of a model are whole or not there, whoever holds the lock; they may go while they are read.
            Err(error) => {
                self.cx.warn(unused(error));
                let (entry, trust, by_hash) = (self.entry.clone(), self.trust.clone(), self.cache.verify);
                let paths: Vec<String> = paths.iter().map(|&path| path.to_owned()).collect();
                (crate::blocking::run(move || Ok(Self::on_disk(&entry, &trust, &paths, by_hash))).await?, None)
            }
        };
        let missing = found.iter().filter(|(_, blob)| blob.is_none());
        let missing: Vec<Error> = missing.map(|(path, _)| not_here().in_file(self.inner.location(path))).collect();
        if missing.is_empty() {
            return Ok(self.at_hand(found, lock));
        }
        let (count, all) = (missing.len(), found.len());
        Err(Error::several(format!("{count} of {all} weight files are not in the cache, which is offline"), missing))
    }
}

/// Files of a model, by path.
type Found = BTreeMap<String, Option<Blob>>;

impl Files for CachedFiles {
    /// Outside of a load: the file itself, or offline the one in the cache.
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            if !self.cache.offline {
                return self.inner.open(path, options).await;
            }
            let (entry, trust, paths) = (self.entry.clone(), self.trust.clone(), [path.to_owned()]);
            let (by_hash, location) = (self.cache.verify, self.inner.location(path));
            crate::blocking::run(move || match Self::on_disk(&entry, &trust, &paths, by_hash).remove(&paths[0]) {
                Some(Some(blob)) => entry.open(&blob, location),
                _ => Err(not_here().in_file(location)),
            })
            .await
        })
    }

    fn begin_load<'a>(&'a self, paths: &'a [&'a str]) -> BoxFuture<'a, Result<Option<Arc<dyn Files>>>> {
        Box::pin(async move {
            if self.cache.offline {
                return self.begin_offline(paths).await.map(Some);
            }
            match self.turn(paths, |found| found.values().all(Option::is_some)).await {
                Ok(Turn::Found(found, lock)) => Ok(Some(self.at_hand(found, Some(lock)))),
                Ok(Turn::Mine(lock)) => {
                    let (cache, entry, trust) = (self.cache.clone(), self.entry.clone(), self.trust.clone());
                    let (inner, cx) = (self.inner.clone(), self.cx.clone());
                    let begin = move || Ok(Filling::begin(cache, entry, trust, inner, lock, cx));
                    Ok(Some(Arc::new(crate::blocking::run(begin).await?)))
                }
                Err(error) => {
                    self.cx.warn(unused(error));
                    Ok(None)
                }
            }
        })
    }

    fn put<'a>(&'a self, path: &'a str, body: Body) -> BoxFuture<'a, Result<()>> {
        self.inner.put(path, body)
    }

    fn put_all<'a>(&'a self, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        self.inner.put_all(files)
    }

    fn replace<'a>(&'a self, former: Vec<String>, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        self.inner.replace(former, files)
    }

    fn entries<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FolderEntry>>> {
        self.inner.entries(folder)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        self.inner.list(prefix)
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        self.inner.remove(path)
    }

    fn location(&self, path: &str) -> String {
        self.inner.location(path)
    }

    fn url(&self, path: &str) -> Option<String> {
        self.inner.url(path)
    }
}

/// Files that are on disk, and stay there while this exists and has the lock.
#[derive(Debug)]
struct AtHand {
    entry: Entry,
    files: BTreeMap<String, Blob>,
    inner: Arc<dyn Files>,
    offline: bool,
    _lock: Option<Lock>,
}

impl Files for AtHand {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let location = self.location(path);
            match self.files.get(path).cloned() {
                Some(blob) => {
                    let entry = self.entry.clone();
                    crate::blocking::run(move || entry.open(&blob, location)).await
                }
                None if self.offline => Err(not_here().in_file(location)),
                // Nobody spoke of it before.
                None => self.inner.open(path, options).await,
            }
        })
    }

    fn location(&self, path: &str) -> String {
        self.inner.location(path)
    }
}
