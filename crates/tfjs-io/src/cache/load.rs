//! The road of a load through the cache: the JSON first, asked for by its validator; then the weight files, which
//! are on disk already or are written there as they pass by.
//!
//! A cache that cannot be used (its folder read-only, its disk full) costs a warning and the network's time,
//! never a load. Offline there is no network, and the same is an error.

use super::Cache;
use super::entry::{Entry, Kept};
use super::fill::{AtHand, Filling};
use super::key;
use super::lock::{Lock, Turn, turn};
use super::record::{Blob, Record, Tag};
use crate::cx::IoCx;
use crate::files::{Body, BoxFuture, Files, OpenOptions, Opened, Purpose};
use crate::handler::read_model_json;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;
use tfjs_manifest::{Error, Result};

/// One load of a model that has a place in the cache.
pub(crate) struct CachedLoad<'a> {
    cache: &'a Cache,
    entry: Entry,
    json_url: String,
    files: &'a dyn Files,
    json_name: &'a str,
    weights: Arc<dyn Files>,
    cx: &'a IoCx,
}

impl<'a> CachedLoad<'a> {
    /// The load of this model, if the options have a cache and the model has a URL.
    pub(crate) fn of(files: &'a dyn Files, json_name: &'a str, weights: &Arc<dyn Files>, cx: &'a IoCx) -> Option<Self> {
        let cache = cx.options().cache.as_ref()?;
        let json_url = files.url(json_name)?;
        let key = key::entry(&json_url, &weights.url("").unwrap_or_default());
        let entry = Entry::new(&cache.folder, key, &cx.options().limits);
        Some(CachedLoad { cache, entry, json_url, files, json_name, weights: weights.clone(), cx })
    }

    /// The JSON, and the weights as they go with it.
    pub(crate) async fn run(self) -> Result<(Bytes, Arc<dyn Files>)> {
        let asked = SystemTime::now();
        let json = match self.cache.offline {
            true => self.json_on_disk().await?,
            false => self.json(asked).await?,
        };
        let text = json.text.clone();
        let trust = Trust { json, asked, offline: self.cache.offline, check_weights: self.cache.check_weights };
        if self.weights.url("").is_none() {
            return Ok((text, self.weights));
        }
        let CachedLoad { cache, entry, weights, cx, .. } = self;
        let files = CachedFiles { cache: cache.clone(), entry, inner: weights, trust: Arc::new(trust), cx: cx.clone() };
        Ok((text, Arc::new(files)))
    }

    async fn json_on_disk(&self) -> Result<Record> {
        let entry = self.entry.clone();
        // What is complete, even if the server was seen to have something newer.
        let found =
            crate::blocking::run(move || Ok(entry.read(Kept::Model).or_else(|| entry.read(Kept::Head)))).await?;
        let Some((record, _)) = found else {
            return Err(not_here().in_file(self.files.location(self.json_name)));
        };
        self.report(record).await
    }

    /// The JSON the server has now. Of several who ask at a time one asks the server.
    async fn json(&self, asked: SystemTime) -> Result<Record> {
        let lock = match self.turn(asked).await {
            Ok(Turn::Found(record, _)) => return self.report(record).await,
            Ok(Turn::Mine(lock)) => Some(lock),
            Err(error) => {
                self.cx.warn(unused(error));
                None
            }
        };
        let known = if lock.is_some() { self.known().await? } else { None };
        let mut options = OpenOptions::new(Purpose::Json);
        if let Some(tag) = known.as_ref().and_then(|record| record.facts.validator.as_ref()) {
            options = options.with_if_none_match(tag.validator());
        }
        let opened = self.files.open(self.json_name, options).await?;
        let unchanged = matches!(opened.body, Body::Unchanged);
        if let Some(record) = known.filter(|_| unchanged) {
            self.keep(record.clone(), lock).await;
            return self.report(record).await;
        }
        let validator = opened.validator.as_ref().and_then(Tag::of);
        let text = read_model_json(opened, self.cx).await?;
        let url = self.files.location(self.json_name);
        let record = Record::new(url, key::url(&self.json_url), validator, text);
        self.keep(record.clone(), lock).await;
        Ok(record)
    }

    async fn turn(&self, asked: SystemTime) -> Result<Turn<Record>> {
        let entry = self.entry.clone();
        crate::blocking::run(move || entry.prepare()).await?;
        let entry = self.entry.clone();
        let look = move || {
            let (record, checked) = entry.read(Kept::Head)?;
            is_since(asked, checked).then_some(record)
        };
        turn(self.entry.lock_path(Kept::Head), look).await
    }

    /// The JSON that was fetched last, whatever the server has now.
    async fn known(&self) -> Result<Option<Record>> {
        let entry = self.entry.clone();
        let known =
            crate::blocking::run(move || Ok(entry.read(Kept::Head).or_else(|| entry.read(Kept::Model)))).await?;
        Ok(known.map(|(mut record, _)| {
            record.facts.files.clear();
            record
        }))
    }

    /// Keeps the JSON for the next one who asks.
    async fn keep(&self, record: Record, lock: Option<Lock>) {
        let Some(lock) = lock else { return };
        let entry = self.entry.clone();
        let kept = crate::blocking::run(move || {
            lock.touch();
            match entry.read(Kept::Head).is_some_and(|(known, _)| known.is_as(&record)) {
                true => entry.touch(Kept::Head),
                false => entry.write(Kept::Head, &record)?,
            }
            Ok(())
        });
        if let Err(error) = kept.await {
            self.cx.warn(unused(error));
        }
    }

    /// The JSON of a record as if it had been fetched: within the limits, and reported.
    async fn report(&self, record: Record) -> Result<Record> {
        let opened = Opened::new(self.files.location(self.json_name), Body::Bytes(record.text.clone()));
        read_model_json(opened, self.cx).await?;
        Ok(record)
    }
}

/// What a load knows of its model's JSON, and whether files on disk belong to it.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) json: Record,
    /// When the load began.
    asked: SystemTime,
    offline: bool,
    check_weights: bool,
}

impl Trust {
    /// Whether the files of this record are this model's without asking the server for each.
    ///
    /// Equal text is not enough: retrained weights have the same JSON. So the server must have called the JSON
    /// the same, or the files must have come after this load began, for another one.
    pub(super) fn covers(&self, record: &Record, checked: SystemTime) -> bool {
        let (ours, theirs) = (&self.json.facts, &record.facts);
        let same_state = ours.validator.is_some() && ours.validator == theirs.validator && !self.check_weights;
        ours.sha256 == theirs.sha256 && (self.offline || same_state || is_since(self.asked, checked))
    }
}

/// Whether something happened after another, by a clock that may have been set back meanwhile.
fn is_since(asked: SystemTime, checked: SystemTime) -> bool {
    asked <= checked && checked <= SystemTime::now()
}

/// The weights of a model that has a place in the cache.
#[derive(Debug)]
struct CachedFiles {
    cache: Cache,
    entry: Entry,
    inner: Arc<dyn Files>,
    trust: Arc<Trust>,
    cx: IoCx,
}

impl CachedFiles {
    /// The files on disk that are wanted and whole; the others as `None`. Blocks.
    fn on_disk(entry: &Entry, trust: &Trust, paths: &[String], by_hash: bool) -> Found {
        let record = entry.read(Kept::Model).filter(|(record, checked)| trust.covers(record, *checked));
        let mut files = record.map(|(record, _)| record.facts.files).unwrap_or_default();
        let mut whole = |path: &String| files.remove(path).filter(|blob| entry.is_whole(blob, by_hash));
        paths.iter().map(|path| (path.clone(), whole(path))).collect()
    }

    /// What is on disk, if that is enough; else the lock under which the rest may be brought there.
    async fn turn(&self, paths: &[&str], enough: fn(&Found) -> bool) -> Result<Turn<Found>> {
        let (entry, trust, by_hash) = (self.entry.clone(), self.trust.clone(), self.cache.verify);
        let paths: Vec<String> = paths.iter().map(|&path| path.to_owned()).collect();
        let look = move || Some(Self::on_disk(&entry, &trust, &paths, by_hash)).filter(enough);
        turn(self.entry.lock_path(Kept::Model), look).await
    }

    fn at_hand(&self, found: Found, lock: Lock) -> Arc<dyn Files> {
        lock.touch();
        let files = found.into_iter().filter_map(|(path, blob)| Some((path, blob?))).collect();
        let beyond = (!self.cache.offline).then(|| self.inner.clone());
        Arc::new(AtHand::new(self.entry.clone(), files, self.inner.clone(), beyond, lock))
    }

    async fn begin_offline(&self, paths: &[&str]) -> Result<Arc<dyn Files>> {
        let Turn::Found(found, lock) = self.turn(paths, |_| true).await? else {
            return Err(Error::bug("a cache that is offline wants to be filled"));
        };
        let missing: Vec<&String> = found.iter().filter(|(_, blob)| blob.is_none()).map(|(path, _)| path).collect();
        if missing.is_empty() {
            return Ok(self.at_hand(found, lock));
        }
        let headline =
            format!("{} of {} weight files are not in the cache, and it is offline", missing.len(), found.len());
        Err(Error::several(
            headline,
            missing.iter().map(|path| not_here().in_file(self.inner.location(path))).collect(),
        ))
    }
}

/// Files of a model, by path.
type Found = BTreeMap<String, Option<Blob>>;

/// What is said of a file that would have to be fetched.
pub(crate) fn not_here() -> Error {
    Error::fetch(
        "not in the cache, which is offline; load the model once without `Cache::with_offline` and TFJS_OFFLINE",
    )
}

/// What is said of a cache that cannot be used.
pub(super) fn unused(error: Error) -> String {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("the model was loaded without the cache: {error}{cause}")
}

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
                Ok(Turn::Found(found, lock)) => Ok(Some(self.at_hand(found, lock))),
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
