//! From an open archive, wherever it is, to the artifacts of the model in it.

use super::files::ArchiveFiles;
use super::source::{Source, Spool};
use crate::cx::IoCx;
use crate::fetch::{into_stream, read_json};
use crate::files::{Body, Files, OpenOptions, Opened, Purpose};
use crate::handler::{ModelArtifacts, WeightSource};
use crate::prefixed::PrefixedFiles;
use crate::progress::Phase;
use crate::weights_at::weights_elsewhere;
use futures_util::StreamExt;
use std::sync::Arc;
use tfjs_manifest::{Error, Limits, Result};

/// The model in an archive: `inside` is its JSON, if one was named. `query` is that of a remote archive's URL.
pub(crate) async fn load(
    opened: Opened,
    inside: Option<&str>,
    query: Option<&str>,
    cx: &IoCx,
) -> Result<ModelArtifacts> {
    let location = opened.location.clone();
    let source = fetch(opened, cx).await.map_err(|e| e.in_file(&location))?;
    let files = ArchiveFiles::from_source(location, source, cx.options().limits.clone()).await?;
    load_from(files, inside, query, cx).await
}

/// The same from its files.
pub(super) async fn load_from(
    files: ArchiveFiles,
    inside: Option<&str>,
    query: Option<&str>,
    cx: &IoCx,
) -> Result<ModelArtifacts> {
    let name = match inside {
        Some(name) => name.to_owned(),
        None => files.model_json()?,
    };
    let opened = files.open(&name, OpenOptions::new(Purpose::Json)).await?;
    let location = opened.location.clone();
    let json = read_json(opened, cx).await?;
    let weights: Arc<dyn Files> = match weights_elsewhere(cx, query.is_some(), query.unwrap_or_default())? {
        Some(elsewhere) => elsewhere,
        None => match name.rfind('/') {
            Some(at) => Arc::new(PrefixedFiles::new(Arc::new(files), &name[..=at])),
            None => Arc::new(files),
        },
    };
    Ok(ModelArtifacts::new(location, json, WeightSource::Files(weights)))
}

/// The archive's bytes: in place, or fetched whole.
async fn fetch(opened: Opened, cx: &IoCx) -> Result<Source> {
    let Opened { location, len, body, .. } = opened;
    match body {
        Body::Bytes(bytes) => return Ok(Source::Memory(bytes)),
        Body::File(local) => return crate::blocking::run(move || Source::disk(local.file)).await,
        _ => {}
    }
    let limits = &cx.options().limits;
    Limits::check("archive_bytes", len.unwrap_or(0), limits.archive_bytes)?;
    let (reporter, name) = (cx.reporter(), Arc::from(location));
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
            spool = crate::blocking::run(move || spool.write(&chunk).map(|()| spool)).await?;
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
