//! The first half of a load through the cache: requests the JSON with its validator, which decides whether the files on
//! disk belong to it.
//!
//! If the cache cannot be used (its folder is read-only, its disk full), the load warns and uses the network alone.
//! Offline, a cache that cannot be used is an error.

use super::Cache;
use super::entry::{Entry, Kept};
use super::key;
use super::lock::{Lock, Patience, Turn, turn};
use super::record::{Record, Tag};
use super::weights::CachedFiles;
use crate::base::blocking;
use crate::base::files::{Body, Files, OpenOptions, Opened, Purpose};
use crate::base::network::offline;
use crate::model::cx::IoCx;
use crate::model::handler::WeightSource;
use crate::model::json::read_model_json;
use bytes::Bytes;
use std::sync::Arc;
use std::time::SystemTime;
use tfjs_manifest::{Error, Result};

/// One load of a model through the cache.
pub(crate) struct CachedLoad<'a> {
    cache: &'a Cache,
    entry: Entry,
    json_url: &'a str,
    files: &'a dyn Files,
    json_name: &'a str,
    /// The weights, and whether they can be cached.
    weights: (WeightSource, bool),
    cx: &'a IoCx,
}

impl<'a> CachedLoad<'a> {
    /// The load of the model whose JSON is `json_name` in `files`. The pair has the URL of the JSON, and that of the
    /// folder of its weights; without the latter, weights are not cached.
    pub(crate) fn new(
        cache: &'a Cache,
        files: &'a dyn Files,
        json_name: &'a str,
        (json_url, weights_url): (&'a str, Option<&str>),
        weights: WeightSource,
        cx: &'a IoCx,
    ) -> Self {
        let key = key::entry(json_url, weights_url.unwrap_or_default());
        let entry = Entry::new(&cache.folder, key, &cx.options().limits);
        CachedLoad { cache, entry, json_url, files, json_name, weights: (weights, weights_url.is_some()), cx }
    }

    /// Loads the JSON. Returns it with the weights, which are read through the cache during a transfer.
    pub(crate) async fn run(self) -> Result<(Bytes, WeightSource)> {
        let asked = SystemTime::now();
        let (json, usable) = match self.cache.offline {
            true => (self.json_on_disk().await?, true),
            false => self.json(asked).await?,
        };
        let text = json.text.clone();
        let trust = Trust { json, asked, offline: self.cache.offline, check_weights: self.cache.check_weights };
        let CachedLoad { cache, entry, weights, cx, .. } = self;
        let inner = match weights {
            (WeightSource::Files(inner), true) if usable => inner,
            (weights, _) => return Ok((text, weights)),
        };
        let files = Arc::new(CachedFiles::new(cache.clone(), entry, Arc::new(trust), inner, cx.clone()));
        cx.note_cached(&files);
        Ok((text, WeightSource::Files(files)))
    }

    async fn json_on_disk(&self) -> Result<Record> {
        let entry = self.entry.clone();
        // A complete model comes first, even if a newer JSON was seen on the server.
        let found = blocking::run(move || Ok(entry.read(Kept::Model).or_else(|| entry.read(Kept::Head)))).await?;
        let Some((record, _)) = found else {
            return Err(offline().in_file(self.files.location(self.json_name)));
        };
        self.report(record).await
    }

    /// The current JSON of the server, and whether the cache can be used: a load that has given up waiting for the lock
    /// does not wait again. Of several concurrent loads, one requests the JSON.
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
        let record = Record::new(url, key::url(self.json_url), validator, text);
        self.keep(record.clone(), lock).await;
        Ok((record, usable))
    }

    async fn turn(&self, asked: SystemTime) -> Result<Turn<Record>> {
        let entry = self.entry.clone();
        blocking::run(move || entry.prepare()).await?;
        let entry = self.entry.clone();
        let look = move || {
            let (record, checked) = entry.read(Kept::Head)?;
            is_since(asked, checked).then_some(record)
        };
        turn(self.entry.lock_path(Kept::Head), Patience::default(), self.cx, look).await
    }

    /// The JSON that was fetched last; it may be out of date.
    async fn known(&self) -> Result<Option<Record>> {
        let entry = self.entry.clone();
        let known = blocking::run(move || Ok(entry.read(Kept::Head).or_else(|| entry.read(Kept::Model)))).await?;
        Ok(known.map(|(mut record, _)| {
            record.facts.files.clear();
            record
        }))
    }

    /// Stores the JSON for later loads.
    async fn keep(&self, record: Record, lock: Option<Lock>) {
        let Some(lock) = lock else { return };
        let entry = self.entry.clone();
        let kept = blocking::run(move || {
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

    /// Treats the JSON of a record as if it had been fetched: checks the limits and reports progress.
    async fn report(&self, record: Record) -> Result<Record> {
        let opened = Opened::new(self.files.location(self.json_name), Body::Bytes(record.text.clone()));
        read_model_json(opened, self.cx).await?;
        Ok(record)
    }
}

/// The JSON of a load, and the rule that decides whether files on disk belong to it.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) json: Record,
    /// When the load began.
    asked: SystemTime,
    offline: bool,
    check_weights: bool,
}

impl Trust {
    /// Whether the files of this record can be used without a request for each.
    ///
    /// Equal JSON is not enough, because retrained weights can have the same JSON. Either the server must have sent the
    /// same validator for the JSON, or another load must have fetched the files after this load began.
    pub(super) fn covers(&self, record: &Record, checked: SystemTime) -> bool {
        let (ours, theirs) = (&self.json.facts, &record.facts);
        let same_state = ours.validator.is_some() && ours.validator == theirs.validator && !self.check_weights;
        ours.sha256 == theirs.sha256 && (self.offline || same_state || is_since(self.asked, checked))
    }
}

/// Whether `checked` is between `asked` and now. A time in the future means that the clock was set back.
fn is_since(asked: SystemTime, checked: SystemTime) -> bool {
    asked <= checked && checked <= SystemTime::now()
}

/// The warning about a cache that cannot be used.
pub(super) fn unused(error: Error) -> String {
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("the cache could not be used: {error}{cause}")
}
