//! Files around other files: retries, checksums, decompression, a prefix, and the files inside an archive. Knows no transport and no
//! model.

pub(crate) mod archive;
pub(crate) mod checked;
pub(crate) mod gunzip;
pub(crate) mod prefixed;
#[cfg(feature = "http")]
pub(crate) mod retry;
