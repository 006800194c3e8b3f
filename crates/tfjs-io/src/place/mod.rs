//! The backends that files can be in: memory, `data:` URLs, folders, web servers, object stores. Each has its own
//! configuration, and knows nothing about models.

pub(crate) mod data;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod file;
#[cfg(feature = "http")]
pub(crate) mod http;
pub(crate) mod memory;
#[cfg(feature = "object-store")]
pub(crate) mod object;
