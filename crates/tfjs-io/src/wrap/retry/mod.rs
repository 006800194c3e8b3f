//! Files that are fetched again when fetching them fails, and resumed at the byte where the failure was if possible.
//! Knows no transport.
//!
//! The bytes before and after a failure are joined only if they are known to be of the same file. A place with ranges
//! is asked for the rest, on the condition that the file is still the same. Otherwise the file is fetched again from its
//! beginning, and the bytes that came before are skipped.

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

/// Another place's files, opened and read with the tries that the options allow.
///
/// [Transient](Error::is_transient) errors are tried again; all others are final.
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

/// A body that outlives the streams it comes in. All positions are in the file.
struct Resumed {
    files: Arc<dyn Files>,
    path: String,
    options: OpenOptions,
    tries: Tries,
    location: String,
    file_len: Option<u64>,
    validator: Option<Validator>,
    /// Whether the rest may be asked for alone.
    ranges: bool,
    stream: BoxStream<'static, Result<Bytes>>,
    /// The next byte to hand out.
    at: u64,
    /// One past the last byte, if that is known.
    end: Option<u64>,
    /// Bytes of this stream that an earlier one brought.
    skip: u64,
    /// Whether this stream goes on after `end`.
    cut: bool,
    /// New bytes of this stream.
    brought: u64,
    /// The checksum of the bytes returned so far; only if there is no validator.
    sum: Option<Hasher>,
    /// The checksum of the skipped bytes.
    skipped: Hasher,
}

impl Resumed {
    /// The same open file, with a body that is resumed.
    fn over(mut opened: Opened, files: Arc<dyn Files>, path: &str, options: OpenOptions, tries: Tries) -> Opened {
        let Opened { location, offset, len, file_len, validator, ranges, body: Body::Stream(_), .. } = &opened else {
            return opened;
        };
        let ends = len.and_then(|len| offset.checked_add(len));
        // A server may answer with less than it was asked for; the rest is the next try's business.
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
                    Error::fetch("the body ended before the length it was announced with").transient()
                }
                None => return Ok(None),
            };
            self.resume(error).await.map_err(|e| e.in_file(&self.location))?;
        }
    }

    /// The part of a chunk that was not handed out before; `None` if that is nothing.
    fn new_bytes(&mut self, mut chunk: Bytes) -> Result<Option<Bytes>> {
        if self.skip > 0 {
            let old = self.skip.min(chunk.len() as u64);
            self.skip -= old;
            if let Some(sum) = &self.sum {
                // Not longer than the chunk, so it is a `usize`.
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
                // The rest of the file is not wanted.
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

    /// Tries until there is a stream again.
    async fn resume(&mut self, mut error: Error) -> Result<()> {
        // A connection that failed is given up before another one is made.
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
            return Err(Error::fetch(format!("asked for bytes from {}, they begin at {}", self.at, opened.offset)));
        };
        let ends = opened.len.and_then(|len| opened.offset.checked_add(len));
        self.cut = self.end.is_some_and(|end| ends.is_none_or(|ends| ends > end));
        self.skip = skip;
        self.skipped = Hasher::new();
        self.stream = into_stream(opened.body, opened.len);
        Ok(())
    }

    /// Whether what comes now is of the file that came before; without a validator the bytes have to show it.
    fn is_same(&self, opened: &Opened) -> bool {
        let same_len = self.file_len.zip(opened.file_len).is_none_or(|(then, now)| then == now);
        let same_validator = match (&self.validator, &opened.validator) {
            (None, _) => true,
            (Some(then), Some(now)) => then == now,
            // A part of a file that was asked for by its validator.
            (Some(_), None) => opened.offset == self.at && self.at > 0,
        };
        same_len && same_validator
    }

    fn changed(&self) -> Error {
        changed().in_file(&self.location)
    }
}
