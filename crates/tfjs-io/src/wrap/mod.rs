//! `Files` around other `Files`: retries, checksums, decompression, a prefix, and the files inside an archive.
//! Independent of transports and models.

pub(crate) mod archive;
pub(crate) mod checked;
pub(crate) mod gunzip;
pub(crate) mod prefixed;
#[cfg(feature = "http")]
pub(crate) mod retry;
