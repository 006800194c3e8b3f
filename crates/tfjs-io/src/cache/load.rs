//! The first half of a load through the cache: the JSON, asked for by its validator, and what it says about the
//! files on disk.
//!
//! A cache that cannot be used (its folder read-only, its disk full) costs a warning and the network's time,
//! never a load. Offline there is no network, and the same is an error.

use super::Cache;
use super::entry::{Entry, Kept};
use super::key;
use super::lock::{Lock, Patience, Turn, turn};
use super::record::{Record, Tag};
use super::weights::CachedFiles;
use crate::cx::IoCx;
use crate::files::{Body, Files, OpenOptions, Opened, Purpose};
use crate::handler::read_model_json;
use bytes::Bytes;
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
        let (json, usable) = match self.cache.offline {
            true => (self.json_on_disk().await?, true),
            false => self.json(asked).await?,
        };
        let text = json.text.clone();
        let trust = Trust { json, asked, offline: self.cache.offline, check_weights: self.cache.check_weights };
        if !usable || self.weights.url("").is_none() {
            return Ok((text, self.weights));
        }
        let CachedLoad { cache, entry, weights, cx, .. } = self;
        let files = CachedFiles::new(cache.clone(), entry, Arc::new(trust), weights, cx.clone());
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

    /// The JSON the server has now, and whether the cache can be used: nobody waits for it twice. Of several who ask
    /// at a time one asks the server.
    async fn json(&self, asked: SystemTime) -> Result<(Record, bool)> {
        let lock = match self.turn(asked).await {
            Ok(Turn::Found(record, _)) => return Ok((self.report(record).await?, true)),
            Ok(Turn::Mine(lock)) => Some(lock),
            Err(error) => {
                self.cx.warn(unused(error));
                None
            }
        };
        let usable = lock.is_some();
        let known = if usable { self.known().await? } else { None };
        let mut options = OpenOptions::new(Purpose::Json);
        if let Some(tag) = known.as_ref().and_then(|record| record.facts.validator.as_ref()) {
            options = options.with_if_none_match(tag.validator());
        }
        let opened = self.files.open(self.json_name, options).await?;
        let unchanged = matches!(opened.body, Body::Unchanged);
        if let Some(record) = known.filter(|_| unchanged) {
            self.keep(record.clone(), lock).await;
            return Ok((self.report(record).await?, true));
        }
        let validator = opened.validator.as_ref().and_then(Tag::of);
        let text = read_model_json(opened, self.cx).await?;
        let url = self.files.location(self.json_name);
        let record = Record::new(url, key::url(&self.json_url), validator, text);
        self.keep(record.clone(), lock).await;
        Ok((record, usable))
    }

    async fn turn(&self, asked: SystemTime) -> Result<Turn<Record>> {
        let entry = self.entry.clone();
        crate::blocking::run(move || entry.prepare()).await?;
        let entry = self.entry.clone();
        let look = move || {
            let (record, checked) = entry.read(Kept::Head)?;
            is_since(asked, checked).then_some(record)
        };
        turn(self.entry.lock_path(Kept::Head), Patience::default(), self.cx, look).await
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

/// What is said of a file that would have to be fetched.
pub(crate) fn not_here() -> Error {
    Error::fetch(
        "not in the cache, which is offline; load the model once without `Cache::with_offline` and TFJS_OFFLINE",
    )
}

/// What is said of a cache that cannot be used.
pub(super) fn unused(error: Error) -> String {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("the cache could not be used: {error}{cause}")
}
