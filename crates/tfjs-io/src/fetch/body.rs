//! Bodies as streams, and small bodies as one piece. Knows no weights.

use crate::cx::IoCx;
use crate::files::{Body, LocalFile, Opened};
use crate::progress::Phase;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use tfjs_manifest::{Error, Limits, Result};

/// Longest chunk copied at once on an async thread.
const CHUNK: usize = 1 << 20;

/// The body as a stream; `len` bytes at most come from a file.
pub(crate) fn into_stream(body: Body, len: Option<u64>) -> BoxStream<'static, Result<Bytes>> {
    match body {
        Body::Stream(stream) => stream,
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
        let chunk = crate::blocking::run(move || {
            let mut buffer = vec![0; most];
            let n = super::local::read_at(&reader, &mut buffer, at)
                .map_err(|e| Error::fetch("cannot read the file").with_source(e))?;
            buffer.truncate(n);
            Ok(buffer)
        })
        .await?;
        let n = chunk.len() as u64;
        Ok((n > 0).then(|| (Bytes::from(chunk), (file, at + n, left - n))))
    })
    .boxed()
}

/// The whole body of a JSON file, within the limit.
pub(crate) async fn read_json(opened: Opened, cx: &IoCx) -> Result<Bytes> {
    let Opened { location, len, body, .. } = opened;
    let reporter = cx.reporter();
    let file: Arc<str> = location.as_str().into();
    let limit = cx.options().limits.model_json_bytes;
    let check = |asked| Limits::check("model_json_bytes", asked, limit).map_err(|e| e.in_file(&location));
    reporter.begin(Phase::ModelJson, 1, len);
    reporter.opened(&file);
    check(len.unwrap_or(0))?;
    let mut stream = into_stream(body, len);
    let mut first = Bytes::new();
    let mut all = Vec::new();
    let mut count = 0u64;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| e.in_file(&location))?;
        count += chunk.len() as u64;
        check(count)?;
        reporter.bytes(&file, chunk.len() as u64);
        // The usual model comes in one chunk and is not copied.
        if first.is_empty() && all.is_empty() {
            first = chunk;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&chunk);
        }
    }
    if let Some(len) = len.filter(|&len| len != count) {
        let error = format!("expected a body of {len} bytes, as announced, found {count}");
        return Err(Error::mismatch(error).in_file(&location));
    }
    reporter.done(&file);
    reporter.end();
    Ok(if all.is_empty() { first } else { Bytes::from(all) })
}

/// Lets other tasks run, on any executor.
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
