//! The files in a `.zip`, `.tar` or `.tar.gz`. Files are never unpacked to the paths in an archive.
//!
//! [`index`] lists the entries of an archive, read by [`zip`] or [`tar`] within the limits; [`entry`] reads the bytes
//! of one file and checks them; [`source`] holds the archive's own bytes, in memory or on disk; [`spool`] fetches an
//! archive from elsewhere.

#[cfg(any(feature = "archive", feature = "http", not(target_family = "wasm")))]
mod name;

#[cfg(feature = "archive")]
mod entry;
#[cfg(feature = "archive")]
mod files;
#[cfg(feature = "archive")]
mod index;
#[cfg(feature = "archive")]
mod source;
#[cfg(feature = "archive")]
mod spool;
#[cfg(feature = "archive")]
mod tar;
#[cfg(feature = "archive")]
mod zip;

#[cfg(feature = "archive")]
pub use files::ArchiveFiles;
#[cfg(any(feature = "archive", feature = "http", not(target_family = "wasm")))]
pub(crate) use name::Named;
#[cfg(feature = "archive")]
pub(crate) use source::begins_as_archive;

/// The error of a build that cannot read archives.
#[cfg(not(feature = "archive"))]
pub(crate) fn needs_feature() -> tfjs_manifest::Error {
    tfjs_manifest::Error::unsupported("archives need the feature `archive`, which this build lacks")
}
