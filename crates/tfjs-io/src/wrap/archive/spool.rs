//! Gets the bytes of an open archive: in place, or fetched to the end if it is a stream.

use super::source::{Source, Spool};
use crate::base::blocking;
use crate::base::files::{Body, Opened};
use crate::base::progress::{Phase, Reporter};
use crate::base::stream::into_stream;
use futures_util::StreamExt;
use std::sync::Arc;
use tfjs_manifest::{Error, Limits, Result};

/// Gets the archive's bytes.
pub(super) async fn fetch(opened: Opened, limits: &Limits, reporter: &Reporter) -> Result<Source> {
    let Opened { location, len, body, .. } = opened;
    match body {
        Body::Bytes(bytes) => return Ok(Source::Memory(bytes)),
        Body::File(local) => return blocking::run(move || Source::disk(local.file)).await,
        _ => {}
    }
    Limits::check("archive_bytes", len.unwrap_or(0), limits.archive_bytes)?;
    let name = Arc::from(location);
    reporter.begin(Phase::Archive, 1, len);
    reporter.opened(&name);
    let mut spool = Spool::new(limits);
    let mut chunks = into_stream(body, len);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        reporter.bytes(&name, chunk.len() as u64);
        if spool.in_memory(chunk.len()) {
            spool.write(&chunk)?;
        } else {
            spool = blocking::run(move || spool.write(&chunk).map(|()| spool)).await?;
        }
    }
    if let Some(len) = len.filter(|&len| len != spool.len()) {
        let error = format!("expected a body of {len} bytes, as announced, found {}", spool.len());
        return Err(Error::mismatch(error));
    }
    reporter.done(&name);
    reporter.end();
    spool.finish()
}
