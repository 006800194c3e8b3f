//! Reads the text of a model's JSON within its limit, and detects HTML pages.

use super::cx::IoCx;
use crate::base::files::Opened;
use crate::base::progress::Phase;
use crate::base::stream::into_stream;
use bytes::Bytes;
use futures_util::StreamExt;
use std::sync::Arc;
use tfjs_manifest::{Error, Limits, Result};

/// Reads the body of a JSON file, within the limit.
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
        // Most models arrive in one chunk, which is not copied.
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

/// Reads the body of a JSON file from a server, with an error if it is an HTML page.
pub(crate) async fn read_model_json(opened: Opened, cx: &IoCx) -> Result<Bytes> {
    let location = opened.location.clone();
    let json = read_json(opened, cx).await?;
    if json.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<') {
        return Err(
            Error::fetch("the server returned HTML or XML instead of a model's JSON; check the URL").in_file(location)
        );
    }
    Ok(json)
}
