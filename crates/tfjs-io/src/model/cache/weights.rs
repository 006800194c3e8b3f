//! The second half of a load through the cache: reads the weight files from disk, or fetches them and writes them to
//! disk.
//!
//! The files are part of a model's [`WeightSource`](crate::WeightSource), perhaps inside wrappers of the caller. A
//! transfer is announced through the context of its load ([`Caching`]), so wrappers need not forward anything.

use super::Cache;
use super::entry::{Entry, Kept};
use super::fill::Filling;
use super::load::{Trust, unused};
use super::lock::{Lock, Patience, Turn, turn};
use super::record::Blob;
use crate::base::blocking;
use crate::base::files::{Body, BoxFuture, Files, FolderEntry, OpenOptions, Opened};
use crate::base::network::offline;
use crate::model::cx::IoCx;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tfjs_manifest::{Error, Result};

/// The weights of a model that can be cached. Outside of a transfer they are read from their own place.
#[derive(Debug)]
pub(crate) struct CachedFiles {
    cache: Cache,
    entry: Entry,
    trust: Arc<Trust>,
    inner: Arc<dyn Files>,
    cx: IoCx,
    transfer: Mutex<Option<Transfer>>,
    /// Held while the session of a transfer is chosen.
    deciding: tokio::sync::Mutex<()>,
}

/// A transfer of weights in progress.
#[derive(Clone, Debug)]
struct Transfer {
    /// The paths in the manifest. A wrapper may open the files under other names.
    paths: Arc<[String]>,
    /// The role of the cache; chosen when the first file is opened.
    session: Option<Arc<Session>>,
}

/// The role of the cache in a transfer.
#[derive(Debug)]
enum Session {
    /// All files are in the cache.
    AtHand(AtHand),
    /// The files are fetched and stored.
    Filling(Filling),
    /// The cache cannot be used.
    Unused,
}

impl CachedFiles {
    pub(super) fn new(cache: Cache, entry: Entry, trust: Arc<Trust>, inner: Arc<dyn Files>, cx: IoCx) -> Self {
        CachedFiles {
            cache,
            entry,
            trust,
            inner,
            cx,
            transfer: Mutex::default(),
            deciding: tokio::sync::Mutex::default(),
        }
    }

    fn transfer(&self) -> MutexGuard<'_, Option<Transfer>> {
        // Consistent even after a panic: the value is replaced in one step.
        self.transfer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self) -> Option<Arc<Session>> {
        self.transfer().as_ref()?.session.clone()
    }

    /// The session of the current transfer; `None` outside of one. Opening the first file starts it.
    async fn session_for(&self, path: &str) -> Result<Option<Arc<Session>>> {
        let _one_at_a_time = self.deciding.lock().await;
        let Some(transfer) = self.transfer().clone() else {
            return Ok(None);
        };
        if transfer.session.is_some() {
            return Ok(transfer.session);
        }
        let paths = match transfer.paths.iter().any(|known| known == path) {
            true => transfer.paths.to_vec(),
            // A wrapper has renamed the files.
            false => vec![path.to_owned()],
        };
        let session = Arc::new(self.begin(paths).await?);
        if let Some(transfer) = &mut *self.transfer() {
            transfer.session = Some(session.clone());
        }
        Ok(Some(session))
    }

    async fn begin(&self, paths: Vec<String>) -> Result<Session> {
        if self.cache.offline {
            return self.begin_offline(paths).await.map(Session::AtHand);
        }
        match self.turn(paths, Found::is_complete).await {
            Ok(Turn::Found(found, lock)) => Ok(Session::AtHand(self.at_hand(found, Some(lock)))),
            Ok(Turn::Mine(lock)) => {
                let (cache, entry, trust) = (self.cache.clone(), self.entry.clone(), self.trust.clone());
                let (inner, cx) = (self.inner.clone(), self.cx.clone());
                let begin = move || Ok(Filling::begin(cache, entry, trust, inner, lock, cx));
                blocking::run(begin).await.map(Session::Filling)
            }
            Err(error) => {
                self.cx.warn(unused(error));
                Ok(Session::Unused)
            }
        }
    }

    /// Finds the files on disk. Blocks.
    fn find(entry: &Entry, trust: &Trust, wanted: Vec<String>, by_hash: bool) -> Found {
        let record = entry.read(Kept::Model).filter(|(record, checked)| trust.covers(record, *checked));
        let mut files = record.map(|(record, _)| record.facts.files).unwrap_or_default();
        files.retain(|_, blob| entry.is_whole(blob, by_hash));
        Found { wanted, files }
    }

    /// Waits until `enough` accepts the files on disk, or for the lock under which they may be written.
    async fn turn(&self, paths: Vec<String>, enough: fn(&Found) -> bool) -> Result<Turn<Found>> {
        let entry = self.entry.clone();
        blocking::run(move || entry.prepare()).await?;
        let (entry, trust, by_hash) = (self.entry.clone(), self.trust.clone(), self.cache.verify);
        let look = move || Some(Self::find(&entry, &trust, paths.clone(), by_hash)).filter(enough);
        turn(self.entry.lock_path(Kept::Model), Patience::default(), &self.cx, look).await
    }

    fn at_hand(&self, found: Found, lock: Option<Lock>) -> AtHand {
        if let Some(lock) = &lock {
            lock.touch();
        }
        let (entry, inner, offline) = (self.entry.clone(), self.inner.clone(), self.cache.offline);
        AtHand { entry, files: found.files, inner, offline, _lock: lock }
    }

    async fn begin_offline(&self, paths: Vec<String>) -> Result<AtHand> {
        let (found, lock) = match self.turn(paths.clone(), |_| true).await {
            Ok(Turn::Found(found, lock)) => (found, Some(lock)),
            Ok(Turn::Mine(_)) => return Err(Error::bug("an offline load tried to fill the cache")),
            // Files are complete if they exist, even if another load holds the lock; but they may be removed during
            // the read.
            Err(error) => {
                self.cx.warn(unused(error));
                let (entry, trust, by_hash) = (self.entry.clone(), self.trust.clone(), self.cache.verify);
                (blocking::run(move || Ok(Self::find(&entry, &trust, paths, by_hash))).await?, None)
            }
        };
        let missing = found.wanted.iter().filter(|path| !found.files.contains_key(*path));
        let missing: Vec<Error> = missing.map(|path| offline().in_file(self.inner.location(path))).collect();
        if missing.is_empty() {
            return Ok(self.at_hand(found, lock));
        }
        let (count, all) = (missing.len(), found.wanted.len());
        Err(Error::several(
            format!("{count} of {all} weight files are not in the cache, and the load is offline"),
            missing,
        ))
    }

    /// Opens a file outside of a transfer: from its own place, or, offline, from disk.
    async fn open_alone(&self, path: &str, options: OpenOptions) -> Result<Opened> {
        if !self.cache.offline {
            return self.inner.open(path, options).await;
        }
        let (entry, trust, path) = (self.entry.clone(), self.trust.clone(), path.to_owned());
        let (by_hash, location) = (self.cache.verify, self.inner.location(&path));
        blocking::run(move || match Self::find(&entry, &trust, Vec::new(), by_hash).files.remove(&path) {
            Some(blob) => entry.open(&blob, location),
            None => Err(offline().in_file(location)),
        })
        .await
    }
}

/// Files of a model on disk.
struct Found {
    /// The paths that a load needs.
    wanted: Vec<String>,
    /// The files that are complete on disk.
    files: BTreeMap<String, Blob>,
}

impl Found {
    fn is_complete(&self) -> bool {
        self.wanted.iter().all(|path| self.files.contains_key(path))
    }
}

impl Files for CachedFiles {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            match self.session_for(path).await?.as_deref() {
                Some(Session::AtHand(files)) => files.open(path, options).await,
                Some(Session::Filling(files)) => files.open(path, options).await,
                Some(Session::Unused) => self.inner.open(path, options).await,
                None => self.open_alone(path, options).await,
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

    fn canonical<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<String>> {
        self.inner.canonical(path)
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        self.inner.remove(path)
    }

    fn location(&self, path: &str) -> String {
        self.inner.location(path)
    }
}

/// The use of the cache in one transfer. If it is dropped before the transfer is complete, nothing is stored.
#[derive(Debug)]
pub(crate) struct Caching(Option<Arc<CachedFiles>>);

impl Caching {
    /// Announces that the files of these groups are about to be opened.
    pub(crate) fn begin(groups: &[Vec<String>], cx: &IoCx) -> Self {
        let files = cx.cached();
        if let Some(files) = &files {
            *files.transfer() = Some(Transfer { paths: groups.iter().flatten().cloned().collect(), session: None });
        }
        Caching(files)
    }

    /// Stores the fetched files. To be called when every file has arrived completely and matches the manifest.
    pub(crate) async fn complete(self) {
        if let Some(session) = self.0.as_ref().and_then(|files| files.session())
            && let Session::Filling(files) = &*session
        {
            files.commit().await;
        }
    }

    /// Whether the files are in the cache or are being stored in it.
    pub(crate) fn is_active(&self) -> bool {
        let session = self.0.as_ref().and_then(|files| files.session());
        session.is_some_and(|session| !matches!(*session, Session::Unused))
    }

    /// Ends the transfer without storing anything.
    pub(crate) fn cancel(self) {}

    /// Ends the transfer, but keeps its files in use.
    pub(crate) fn in_use(self) -> InUse {
        InUse { _session: self.0.as_ref().and_then(|files| files.session()) }
    }
}

impl Drop for Caching {
    fn drop(&mut self) {
        if let Some(files) = &self.0 {
            *files.transfer() = None;
        }
    }
}

/// Prevents the removal of files from the cache while it exists.
#[derive(Debug)]
pub(crate) struct InUse {
    _session: Option<Arc<Session>>,
}

/// Files on disk, which are not removed while the lock is held.
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
                    blocking::run(move || entry.open(&blob, location)).await
                }
                None if self.offline => Err(offline().in_file(location)),
                // A file that was not announced for this transfer.
                None => self.inner.open(path, options).await,
            }
        })
    }

    fn location(&self, path: &str) -> String {
        self.inner.location(path)
    }
}
