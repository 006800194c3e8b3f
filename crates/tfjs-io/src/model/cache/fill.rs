//! Fills the cache: weight files are written to disk while they are fetched. They become part of the cache only after
//! the load has checked every byte of every file.
//!
//! A load that fills the cache takes no more memory than one without, and has the same checks, retries and progress.
//! The extra cost is writing the files, reading them once for their hashes, and syncing them to disk.

use super::Cache;
use super::entry::{Entry, Kept, NewFile};
use super::load::{Trust, unused};
use super::lock::Lock;
use super::part::Part;
use super::record::{Blob, Record};
use crate::base::blocking;
use crate::base::files::{Body, BoxFuture, Files, OpenOptions, Opened};
use crate::base::stream::into_stream;
use crate::model::cx::IoCx;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tfjs_manifest::Result;

/// Files that are written to disk while they are fetched. Without [`commit`](Self::commit) they are removed on drop.
#[derive(Debug)]
pub(super) struct Filling {
    cache: Cache,
    entry: Entry,
    trust: Arc<Trust>,
    inner: Arc<dyn Files>,
    /// Complete files on disk; `trusted` tells whether they are known to belong to this model.
    known: BTreeMap<String, Blob>,
    trusted: bool,
    passed: Mutex<BTreeMap<String, Passed>>,
    lock: Arc<Lock>,
    cx: IoCx,
}

#[derive(Debug)]
enum Passed {
    Known(Blob),
    New(Arc<Part>),
}

impl Filling {
    /// Reads the record and checks the files on disk. Blocks.
    pub(super) fn begin(
        cache: Cache,
        entry: Entry,
        trust: Arc<Trust>,
        inner: Arc<dyn Files>,
        lock: Lock,
        cx: IoCx,
    ) -> Self {
        let found = entry.read(Kept::Model);
        entry.tidy(found.as_ref().map(|(record, _)| record));
        let files = found.iter().flat_map(|(record, _)| &record.facts.files);
        let whole = files.filter(|(_, blob)| entry.is_whole(blob, cache.verify));
        let known = whole.map(|(path, blob)| (path.clone(), blob.clone())).collect();
        let trusted = found.is_some_and(|(record, checked)| trust.covers(&record, checked));
        Filling { cache, entry, trust, inner, known, trusted, passed: Mutex::default(), lock: Arc::new(lock), cx }
    }

    async fn open_known(&self, path: &str, blob: &Blob) -> Result<Opened> {
        self.passed().insert(path.to_owned(), Passed::Known(blob.clone()));
        let (entry, blob, location) = (self.entry.clone(), blob.clone(), self.location(path));
        blocking::run(move || entry.open(&blob, location)).await
    }

    /// The same open file; its body is written to disk as it is read.
    fn watched(&self, path: &str, options: &OpenOptions, mut opened: Opened) -> Opened {
        let part = {
            let mut passed = self.passed();
            let part = match passed.get(path) {
                Some(Passed::New(part)) if part.is_of(opened.validator.as_ref()) => part.clone(),
                _ => Arc::new(Part::new(&self.entry, opened.validator.clone(), opened.file_len)),
            };
            passed.insert(path.to_owned(), Passed::New(part.clone()));
            part
        };
        // The end of a range is not the end of the file.
        let whole = options.range.is_none_or(|range| range.end.is_none());
        let body = std::mem::replace(&mut opened.body, Body::Unchanged);
        let watched = Watched { stream: into_stream(body, opened.len), part, at: opened.offset, whole };
        opened.body = Body::Stream(stream::unfold(watched, Watched::next).boxed());
        opened
    }

    /// Adds the fetched files to the cache.
    pub(super) async fn commit(&self) {
        let result = self.result();
        let (cache, entry, lock) = (self.cache.clone(), self.entry.clone(), self.lock.clone());
        let committed = blocking::run(move || {
            let (mut record, new) = result?;
            entry.commit(&mut record, new)?;
            lock.touch();
            cache.shrink();
            Ok(())
        });
        if let Err(error) = committed.await {
            self.cx.warn(unused(error));
        }
    }

    fn passed(&self) -> MutexGuard<'_, BTreeMap<String, Passed>> {
        // Consistent even after a panic: entries are inserted in one step.
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record of all opened files, and the new ones among them.
    fn result(&self) -> Result<(Record, Vec<NewFile>)> {
        let mut record = self.trust.json.clone();
        if self.trusted {
            // A load may open only some of the model's files.
            record.facts.files = self.known.clone();
        }
        let mut new = Vec::new();
        for (path, passed) in std::mem::take(&mut *self.passed()) {
            match passed {
                Passed::Known(blob) => drop(record.facts.files.insert(path, blob)),
                Passed::New(part) => {
                    let (blob, part) = part.take().map_err(|e| e.in_file(self.location(&path)))?;
                    new.push(NewFile { path, blob, part });
                }
            }
        }
        Ok((record, new))
    }
}

impl Files for Filling {
    fn open<'a>(&'a self, path: &'a str, mut options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let known = self.known.get(path).filter(|_| options.range.is_none());
            if let Some(blob) = known {
                if self.trusted {
                    return self.open_known(path, blob).await;
                }
                if let Some(tag) = &blob.validator {
                    options = options.with_if_none_match(tag.validator());
                }
            }
            let opened = self.inner.open(path, options.clone()).await?;
            match (&opened.body, known) {
                (Body::Unchanged, Some(blob)) => self.open_known(path, blob).await,
                (Body::Unchanged, None) => Ok(opened),
                _ => Ok(self.watched(path, &options, opened)),
            }
        })
    }

    fn location(&self, path: &str) -> String {
        self.inner.location(path)
    }
}

/// A body whose chunks are written to disk before they are passed on.
struct Watched {
    stream: BoxStream<'static, Result<Bytes>>,
    part: Arc<Part>,
    at: u64,
    /// Whether the end of the body is the end of the file.
    whole: bool,
}

impl Watched {
    async fn next(mut self) -> Option<(Result<Bytes>, Self)> {
        let (part, at) = (self.part.clone(), self.at);
        let item = self.stream.next().await;
        let written = match &item {
            Some(Ok(chunk)) => {
                self.at = at.saturating_add(chunk.len() as u64);
                let chunk = chunk.clone();
                off_the_worker(move || part.write(&chunk, at)).await
            }
            None if self.whole => off_the_worker(move || part.ended(at)).await,
            // An error ends this stream; a retry opens another one.
            Some(Err(_)) | None => Ok(()),
        };
        match (written, item) {
            (Err(error), _) => Some((Err(error), self)),
            (Ok(()), Some(item)) => Some((item, self)),
            (Ok(()), None) => None,
        }
    }
}

async fn off_the_worker(work: impl FnOnce() + Send + 'static) -> Result<()> {
    blocking::run(|| {
        work();
        Ok(())
    })
    .await
}
