//! Object stores: any store of the crate `object_store` as a place with files, and the schemes `s3`, `gs` and
//! `az` over this crate's own connections.
//!
//! A store knows keys, not folders, and every write of one object is atomic. What a model needs beyond that,
//! several objects written as one, is made of copies here.

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
