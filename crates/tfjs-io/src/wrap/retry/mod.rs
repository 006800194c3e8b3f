//! Retries failed transfers of files, and resumes them at the byte where they failed if possible. Independent of the
//! transport.
//!
//! The bytes before and after a failure are joined only if they are known to come from the same version of the file.
//! From a place with ranges, the rest is requested on the condition that the file has not changed. Otherwise the file
//! is fetched again from its beginning, and the bytes that have been received are compared by checksum and skipped.

mod tries;

use crate::base::deadline::Deadline;
use crate::base::files::{Body, BoxFuture, ByteRange, Files, OpenOptions, Opened, Validator, changed};
use crate::base::retry::Retry;
use crate::base::stream::into_stream;
use bytes::{Buf, Bytes};
use crc32fast::Hasher;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use std::sync::Arc;
use tfjs_manifest::{Error, Result};
use tries::Tries;

/// The files of another place, with as many tries as the options allow.
///
/// [Transient](Error::is_transient) errors are retried; all others are final.
#[derive(Clone, Debug)]
pub(crate) struct RetryFiles {
    inner: Arc<dyn Files>,
    retry: Retry,
    deadline: Deadline,
}

impl RetryFiles {
    pub(crate) fn new(inner: Arc<dyn Files>, retry: Retry, deadline: Deadline) -> Self {
        RetryFiles { inner, retry, deadline }
    }
}

impl Files for RetryFiles {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let mut tries = Tries::new(self.retry.clone(), self.deadline.instant());
            loop {
                match self.inner.open(path, options.clone()).await {
                    Ok(opened) => return Ok(Resumed::over(opened, self.inner.clone(), path, options, tries)),
                    Err(error) => tries.wait_or_fail(error, 0).await?,
                }
            }
        })
    }

    fn location(&self, path: &str) -> String {
        self.inner.location(path)
    }
}

/// A body that is resumed over several streams. All positions are offsets in the file.
struct Resumed {
    files: Arc<dyn Files>,
    path: String,
    options: OpenOptions,
    tries: Tries,
    location: String,
    file_len: Option<u64>,
    validator: Option<Validator>,
    /// Whether ranges can be requested.
    ranges: bool,
    stream: BoxStream<'static, Result<Bytes>>,
    /// The next byte to return.
    at: u64,
    /// One past the last byte, if known.
    end: Option<u64>,
    /// Bytes of this stream to skip, because they have been returned already.
    skip: u64,
    /// Whether this stream continues after `end`.
    cut: bool,
    /// New bytes that this stream has delivered.
    brought: u64,
    /// The checksum of the bytes returned so far; only if there is no validator.
    sum: Option<Hasher>,
    /// The checksum of the skipped bytes.
    skipped: Hasher,
}

impl Resumed {
    /// The same open file, with a body that is resumed after transient errors.
    fn over(mut opened: Opened, files: Arc<dyn Files>, path: &str, options: OpenOptions, tries: Tries) -> Opened {
        let Opened { location, offset, len, file_len, validator, ranges, body: Body::Stream(_), .. } = &opened else {
            return opened;
        };
        let ends = len.and_then(|len| offset.checked_add(len));
        // A server may return less than was requested; the next try fetches the rest.
        let asked = options.range.filter(|range| range.start == *offset);
        let wanted = asked.zip(*file_len).map(|(range, all)| range.end.map_or(all, |end| end.min(all)));
        let end = ends.map(|ends| ends.max(wanted.unwrap_or(0)));
        let mut resumed = Resumed {
            files,
            path: path.to_owned(),
            options,
            tries,
            location: location.clone(),
            file_len: *file_len,
            validator: validator.clone(),
            ranges: *ranges,
            stream: stream::empty().boxed(),
            at: *offset,
            end,
            skip: 0,
            cut: false,
            brought: 0,
            sum: validator.is_none().then(Hasher::new),
            skipped: Hasher::new(),
        };
        opened.len = end.map(|end| end.saturating_sub(resumed.at));
        let body = std::mem::replace(&mut opened.body, Body::Unchanged);
        resumed.stream = into_stream(body, None);
        let body = stream::try_unfold(Box::new(resumed), |mut this| async move {
            Ok(this.next().await?.map(|chunk| (chunk, this)))
        });
        opened.body = Body::Stream(body.boxed());
        opened
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let error = match self.stream.next().await {
                Some(Ok(chunk)) => match self.new_bytes(chunk)? {
                    Some(chunk) => return Ok(Some(chunk)),
                    None => continue,
                },
                Some(Err(error)) => error,
                None if self.skip > 0 => return Err(self.changed()),
                None if self.end.is_some_and(|end| self.at < end) => {
                    Error::fetch("the body ended before its announced length").transient()
                }
                None => return Ok(None),
            };
            self.resume(error).await.map_err(|e| e.in_file(&self.location))?;
        }
    }

    /// The part of a chunk that has not been returned before; `None` if it is empty.
    fn new_bytes(&mut self, mut chunk: Bytes) -> Result<Option<Bytes>> {
        if self.skip > 0 {
            let old = self.skip.min(chunk.len() as u64);
            self.skip -= old;
            if let Some(sum) = &self.sum {
                // Not longer than the chunk, so it fits in a `usize`.
                self.skipped.update(&chunk[..old as usize]);
                if self.skip == 0 && self.skipped.clone().finalize() != sum.clone().finalize() {
                    return Err(self.changed());
                }
            }
            chunk.advance(old as usize);
        }
        if let Some(end) = self.end.filter(|_| self.cut) {
            let left = end.saturating_sub(self.at);
            chunk.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            if left <= chunk.len() as u64 {
                // The rest of the file is not needed.
                self.stream = stream::empty().boxed();
            }
        }
        if chunk.is_empty() {
            return Ok(None);
        }
        self.at += chunk.len() as u64;
        self.brought += chunk.len() as u64;
        if let Some(sum) = &mut self.sum {
            sum.update(&chunk);
        }
        Ok(Some(chunk))
    }

    /// Reopens the file, with retries.
    async fn resume(&mut self, mut error: Error) -> Result<()> {
        // Drops the failed connection before opening another one.
        self.stream = stream::empty().boxed();
        loop {
            self.tries.wait_or_fail(error, std::mem::take(&mut self.brought)).await?;
            match self.reopen().await {
                Ok(()) => return Ok(()),
                Err(e) => error = e,
            }
        }
    }

    async fn reopen(&mut self) -> Result<()> {
        let mut options = self.options.clone();
        let strong = self.validator.as_ref().filter(|v| self.ranges && v.is_strong());
        if let Some(validator) = strong {
            let end = self.options.range.and_then(|range| range.end);
            options = options.with_range(ByteRange { start: self.at, end }).with_if_range(validator.clone());
        }
        let opened = self.files.open(&self.path, options).await?;
        if !self.is_same(&opened) {
            return Err(self.changed());
        }
        let Some(skip) = self.at.checked_sub(opened.offset) else {
            return Err(Error::fetch(format!(
                "requested bytes from {}, received bytes from {}",
                self.at, opened.offset
            )));
        };
        let ends = opened.len.and_then(|len| opened.offset.checked_add(len));
        self.cut = self.end.is_some_and(|end| ends.is_none_or(|ends| ends > end));
        self.skip = skip;
        self.skipped = Hasher::new();
        self.stream = into_stream(opened.body, opened.len);
        Ok(())
    }

    /// Whether the reopened file can be the same version. Without a validator, the checksum of the skipped bytes
    /// decides later.
    fn is_same(&self, opened: &Opened) -> bool {
        let same_len = self.file_len.zip(opened.file_len).is_none_or(|(then, now)| then == now);
        let same_validator = match (&self.validator, &opened.validator) {
            (None, _) => true,
            (Some(then), Some(now)) => then == now,
            // A range that was requested with the validator as its condition.
            (Some(_), None) => opened.offset == self.at && self.at > 0,
        };
        same_len && same_validator
    }

    fn changed(&self) -> Error {
        changed().in_file(&self.location)
    }
}
