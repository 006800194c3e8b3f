//! Models: handlers that load and save them, the context of a load, and the steps that all loads share (JSON, archives,
//! weights at another place, checksums, the cache). Depends on places and wrappers. The default schemes are in
//! [`registry`](crate::registry).

#[cfg(feature = "cache")]
pub(crate) mod cache;
pub(crate) mod checksums;
pub(crate) mod cx;
mod elsewhere;
pub(crate) mod handler;
pub(crate) mod handlers;
mod json;
mod load;
pub(crate) mod options;
pub(crate) mod own;
pub(crate) mod save;
pub(crate) mod scheme;
pub(crate) mod weights;

#[cfg(feature = "http")]
use crate::{base::url::ModelUrl, wrap::archive::Named};
#[cfg(feature = "http")]
use std::sync::Arc;

/// The handler of the archive at this URL; `None` if the URL's path does not name one.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if this build cannot read archives.
#[cfg(feature = "http")]
pub(crate) fn archive_at(url: &ModelUrl) -> tfjs_manifest::Result<Option<Arc<dyn handler::IoHandler>>> {
    if url.as_url().and_then(Named::in_url).is_none() {
        return Ok(None);
    }
    #[cfg(feature = "archive")]
    return Ok(Some(Arc::new(handlers::archive::ArchiveHandler::new(url.clone()))));
    #[cfg(not(feature = "archive"))]
    return Err(crate::wrap::archive::needs_feature().in_file(url));
}
