//! The basis of all other modules: the trait `Files`, open files and their bytes, paths and URLs, and plain options.
//! Contains no backend, no transport and nothing about models.

pub(crate) mod blocking;
pub(crate) mod checksums;
#[cfg(feature = "http")]
pub(crate) mod deadline;
pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod inflation;
pub(crate) mod network;
pub(crate) mod path;
pub(crate) mod progress;
pub(crate) mod retry;
pub(crate) mod stream;
pub(crate) mod url;
