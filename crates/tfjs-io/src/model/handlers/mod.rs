//! The handlers of this crate. Each finds a model's JSON in its place, or writes there; [`load`](super::load) does the
//! rest of a load.

#[cfg(feature = "archive")]
pub(crate) mod archive;
pub(crate) mod data;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod file;
pub(crate) mod files;
#[cfg(feature = "http")]
pub(crate) mod http;
pub(crate) mod memory;
#[cfg(feature = "cloud")]
pub(crate) mod object;
#[cfg(all(feature = "archive", not(target_family = "wasm")))]
mod zip;
