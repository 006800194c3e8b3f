//! Turns bodies in memory, on disk and on the network into streams of chunks.

use super::blocking;
use super::disk::read_at;
use super::files::{Body, LocalFile};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use tfjs_manifest::{Error, Result};

/// Largest chunk in bytes that is copied at once on an async thread.
const CHUNK: usize = 1 << 20;

/// The body as a stream. At most `len` bytes of a file on disk are read.
pub(crate) fn into_stream(body: Body, len: Option<u64>) -> BoxStream<'static, Result<Bytes>> {
    match body {
        // Some streams panic when they are polled after their end.
        Body::Stream(stream) => stream.fuse().boxed(),
        Body::Bytes(bytes) => memory_stream(bytes),
        Body::File(file) => file_stream(file, len),
        Body::Unchanged => stream::iter([Err(Error::bug("a file that did not change has no body"))]).boxed(),
    }
}

fn memory_stream(bytes: Bytes) -> BoxStream<'static, Result<Bytes>> {
    stream::unfold(bytes, |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        yield_now().await;
        let chunk = rest.split_to(rest.len().min(CHUNK));
        Some((Ok(chunk), rest))
    })
    .boxed()
}

fn file_stream(local: LocalFile, len: Option<u64>) -> BoxStream<'static, Result<Bytes>> {
    let left = len.unwrap_or(u64::MAX);
    stream::try_unfold((Arc::new(local.file), 0u64, left), |(file, at, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let reader = file.clone();
        let most = left.min(CHUNK as u64) as usize;
        let chunk = blocking::run(move || {
            let mut buffer = vec![0; most];
            let n =
                read_at(&reader, &mut buffer, at).map_err(|e| Error::fetch("cannot read the file").with_source(e))?;
            buffer.truncate(n);
            Ok(buffer)
        })
        .await?;
        let n = chunk.len() as u64;
        Ok((n > 0).then(|| (Bytes::from(chunk), (file, at + n, left - n))))
    })
    .boxed()
}

/// Yields once to other tasks, on any executor.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
