//! Models in one file: a `.zip`, `.tar` or `.tar.gz` of a model's folder. Nothing is ever unpacked to a place
//! that an archive names.
//!
//! [`index`] is what an archive says it holds, made by [`zip`] or [`tar`] within the limits; [`entry`] gives the
//! bytes of one file and checks them; [`source`] is where an archive's own bytes are, in memory or on disk.

mod name;

#[cfg(feature = "archive")]
mod entry;
#[cfg(feature = "archive")]
mod fetch;
#[cfg(feature = "archive")]
mod files;
#[cfg(feature = "archive")]
mod handler;
#[cfg(feature = "archive")]
mod index;
#[cfg(feature = "archive")]
mod source;
#[cfg(feature = "archive")]
mod tar;
#[cfg(feature = "archive")]
mod zip;

#[cfg(feature = "archive")]
pub use {files::ArchiveFiles, handler::ArchiveHandler};

pub(crate) use name::Named;

use crate::handler::IoHandler;
use crate::url::ModelUrl;
use std::sync::Arc;
use tfjs_manifest::Result;
#[cfg(feature = "archive")]
pub(crate) use {fetch::load, source::begins_as_archive};

/// The handler of this URL, if its path names an archive; for schemes whose files can be opened.
///
/// # Errors
/// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if this build cannot read archives.
#[cfg(feature = "archive")]
pub(crate) fn of_url(url: &ModelUrl) -> Result<Option<Arc<dyn IoHandler>>> {
    let named = url.as_url().and_then(Named::in_url);
    Ok(named.map(|_| Arc::new(ArchiveHandler::new(url.clone())) as Arc<dyn IoHandler>))
}

#[cfg(not(feature = "archive"))]
pub(crate) fn of_url(url: &ModelUrl) -> Result<Option<Arc<dyn IoHandler>>> {
    match url.as_url().and_then(Named::in_url) {
        None => Ok(None),
        Some(_) => Err(needs_feature().in_file(url)),
    }
}

/// What a build without archives says of one.
#[cfg(not(feature = "archive"))]
pub(crate) fn needs_feature() -> tfjs_manifest::Error {
    tfjs_manifest::Error::unsupported("archives need the feature `archive`, which this build lacks")
}
