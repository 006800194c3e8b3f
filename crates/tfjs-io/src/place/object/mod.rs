//! Object stores: any store of the crate `object_store` as a place with files, and the schemes `s3`, `gs` and
//! `az` over this crate's own connections.
//!
//! A store has keys, not folders, and the write of one object is atomic. Writing all objects of a model in one
//! operation is implemented here with copies within the store.

mod encoded;
mod error;
mod files;
mod key;
mod replace;
mod upload;

#[cfg(feature = "cloud")]
mod cloud;

#[cfg(feature = "cloud")]
pub use cloud::ObjectScheme;
#[cfg(feature = "cloud")]
pub(crate) use cloud::{BucketUrl, CloudConfig};
pub use files::ObjectFiles;
