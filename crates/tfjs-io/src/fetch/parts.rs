//! Limits the number of concurrent requests, and fetches large files in parts.

use super::FetchConfig;
use super::pieces::Pieces;
use super::streams::{Incoming, read_exactly};
use crate::base::files::{BoxFuture, ByteRange, Files, OpenOptions, Opened, Purpose, Validator, changed};
use crate::base::progress::Reporter;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tfjs_manifest::{Error, Result};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Shortest part in bytes that is worth a request.
const LEAST_PART: u64 = 64 << 10;

/// The requests of one load.
#[derive(Debug)]
pub(super) struct Requests {
    permits: Semaphore,
    at_once: usize,
    split_over: u64,
    part: u64,
    /// Whether large files are requested in parts. Set to false once a server returns a part that cannot be joined with
    /// others.
    split: AtomicBool,
}

impl Requests {
    pub(super) fn new(config: &FetchConfig) -> Self {
        let at_once = config.concurrency.clamp(1, Semaphore::MAX_PERMITS);
        Requests {
            permits: Semaphore::new(at_once),
            at_once,
            split_over: config.split_over.max(LEAST_PART),
            part: config.range_bytes.max(LEAST_PART),
            split: AtomicBool::new(at_once > 1),
        }
    }

    /// Most concurrent requests.
    pub(super) fn at_once(&self) -> usize {
        self.at_once
    }

    /// Waits for a permit for a request and its body, in FIFO order.
    pub(super) async fn permit(&self) -> Result<SemaphorePermit<'_>> {
        self.permits.acquire().await.map_err(|e| Error::bug("the semaphore of requests is closed").with_source(e))
    }

    /// The options for opening a file of a group of this size. If the file may be large, only its first part is
    /// requested: a small file arrives whole all the same, and a large one is split before more of it is sent.
    pub(super) fn first(&self, group: Option<u64>) -> OpenOptions {
        let options = OpenOptions::new(Purpose::Weights);
        match group {
            Some(size) if size > self.split_over && self.split.load(Ordering::Relaxed) => {
                options.with_range(ByteRange { start: 0, end: Some(self.split_over) })
            }
            _ => options,
        }
    }

    /// Classifies the response to such a request.
    pub(super) fn judge(&self, opened: &Opened) -> Answer {
        match (opened.len, opened.file_len, &opened.validator) {
            (None, ..) => Answer::Whole,
            (len, file_len, _) if len == file_len => Answer::Whole,
            (Some(len), Some(file_len), Some(validator)) if validator.is_strong() && opened.ranges => {
                Answer::Part { len, file_len, validator: validator.clone() }
            }
            _ => {
                self.split.store(false, Ordering::Relaxed);
                Answer::Useless
            }
        }
    }
}

/// How much of a file a response contains.
pub(super) enum Answer {
    /// The whole file.
    Whole,
    /// Its first part; other parts can be joined.
    Part { len: u64, file_len: u64, validator: Validator },
    /// A part without a strong validator or support for ranges: other parts cannot be joined safely.
    Useless,
}

/// A file whose first part is open.
pub(super) struct Split<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) reporter: &'a Reporter,
    pub(super) requests: &'a Requests,
    pub(super) path: &'a str,
    pub(super) group: usize,
    pub(super) validator: Validator,
    pub(super) file_len: u64,
    pub(super) name: Arc<str>,
}

impl<'a> Split<'a> {
    /// Reads the first part, of `len` bytes, whose permit is `permit`, and fetches the other parts concurrently.
    pub(super) async fn fetch(
        &self,
        first: Incoming<'_>,
        len: u64,
        permit: SemaphorePermit<'_>,
        mut share: Pieces<'_>,
    ) -> Result<()> {
        let mut running: FuturesUnordered<BoxFuture<'_, Result<()>>> = FuturesUnordered::new();
        let piece = share.take(len).ok_or_else(|| Error::bug("a part is longer than its file"))?;
        running.push(Box::pin(self.read(first, len, piece, permit)));
        // Started as permits allow, because a huge file in small parts would be millions of futures.
        loop {
            while share.len() > 0 && running.len() < self.requests.at_once() {
                let start = self.file_len - share.len();
                let piece = share.take(share.len().min(self.requests.part)).unwrap_or_default();
                running.push(Box::pin(self.part(start, piece)));
            }
            match running.next().await {
                Some(result) => result?,
                None => return Ok(()),
            }
        }
    }

    async fn part(&self, start: u64, piece: Pieces<'_>) -> Result<()> {
        let len = piece.len();
        let permit = self.requests.permit().await?;
        let range = ByteRange { start, end: start.checked_add(len) };
        let options = OpenOptions::new(Purpose::Weights).with_range(range).with_if_range(self.validator.clone());
        let opened = self.files.open(self.path, options).await?;
        let same_len = opened.file_len.is_none_or(|len| len == self.file_len);
        if !same_len || opened.validator.as_ref().is_some_and(|v| *v != self.validator) {
            return Err(changed());
        }
        if opened.offset != start || opened.len != Some(len) {
            return Err(Error::fetch(format!(
                "requested {len} bytes from {start}, the response has {} from {}; the server supported ranges before",
                opened.len.map_or("an unknown number".to_owned(), |len| len.to_string()),
                opened.offset
            )));
        }
        let body = Incoming::new(opened.body, opened.len, &self.name, self.reporter);
        self.read(body, len, piece, permit).await
    }

    async fn read(
        &self,
        mut body: Incoming<'_>,
        len: u64,
        mut piece: Pieces<'_>,
        _permit: SemaphorePermit<'_>,
    ) -> Result<()> {
        read_exactly(&mut piece, len, self.group, &mut body).await
    }
}
