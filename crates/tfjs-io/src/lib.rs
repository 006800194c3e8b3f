//! Reads and writes the files of TensorFlow.js models: folders, HTTP, archives, object stores, memory, custom handlers.
//!
//! A model's URL or path resolves to an [`IoHandler`], which loads its JSON and returns a [`WeightSource`].
//! [`fetch_weights`] then fetches the weight files, several at a time, directly into the memory of a
//! [`WeightSink`](tfjs_manifest::WeightSink). The caller passes the paths of the weight files; this crate contains no
//! tensors and no layers.
//!
//! Loading fails rather than guesses: every status and every length is checked, paths cannot leave the
//! model's folder, and redirects send no secrets to other hosts.
//!
//! # Layers
//! Each module depends only on the modules above it:
//!
//! | module | content |
//! |---|---|
//! | `base` | [`Files`], the trait that every backend implements; URLs, paths, checksums, progress, plain options |
//! | `place` | the backends with their configurations: memory, `data:` URLs, folders, web servers, object stores |
//! | `wrap` | [`Files`] around other [`Files`]: retries, checksums, a prefix, the files in an archive |
//! | `fetch` | reads files into a sink, or opens them for later |
//! | `model` | [`IoHandler`] and the handlers, [`IoOptions`] and [`IoCx`], the cache, the list of a model's own files |
//! | `registry` | the default schemes |
//! | `store` | [`ModelStore`]: lists, copies, moves and removes models of any registry |
//!
//! Your own [`Files`] must implement `open` only. To keep its models in the cache, give its handler a URL:
//! [`FilesHandler::with_cache_url`]. Wrappers around the files of a handler need not forward anything for the cache.
//!
//! For `wasm32-unknown-unknown` the crate builds without default features. It then loads models from memory, from
//! `data:` URLs and from your own [`Files`].
//!
//! ```
//! use tfjs_io::{IoCx, IoOptions, MemoryStore, ModelUrl, Registry, SaveArtifacts, fetch_weights};
//! use tfjs_manifest::{GroupSink, Segment, WeightSink};
//!
//! /// Sixteen bytes of one weight, lent to the transport.
//! struct Kernel([u8; 16]);
//!
//! impl WeightSink for Kernel {
//!     fn groups(&mut self) -> Vec<GroupSink<'_>> {
//!         vec![GroupSink::Segments(vec![Segment::Fill(&mut self.0)])]
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> tfjs_io::Result<()> {
//! let store = MemoryStore::new();
//! let registry = Registry::default().with("mem", store.clone());
//! let cx = IoCx::with_registry(IoOptions::default(), registry.clone());
//! let handler = registry.resolve(&ModelUrl::parse("mem://digits")?)?;
//!
//! let weights = vec![("w.bin".to_owned(), vec![7; 16].into())];
//! handler.save(SaveArtifacts::new("{}", weights), &cx).await?;
//!
//! let artifacts = handler.load(&cx).await?;
//! assert_eq!(&artifacts.model_json[..], b"{}");
//! // The groups of files are what the manifest in the JSON says.
//! let groups = [vec!["w.bin".to_owned()]];
//! let kernel = fetch_weights(&artifacts.weights, &groups, Kernel([0; 16]), &cx).await?;
//! assert_eq!(kernel.0, [7; 16]);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//! - `archive` (default): models in `.zip`, `.tar` and `.tar.gz` files, in memory, on disk and at URLs.
//! - `cache`: remote models kept on disk, for loads with [`IoOptions::with_cache`].
//! - `http` (default): `http://` and `https://`, on hyper and rustls.
//! - `native-roots`: [`Roots::System`], the certificates that the system trusts.
//! - `s3`, `gcs`, `azure`: `s3://`, `gs://` and `az://`, over the same connections.
//! - `object-store`: any store of the crate `object_store` that the caller passes in.
//!
//! # Runtimes
//! The traits depend on no executor. Disk and HTTP need a tokio runtime with its timer enabled; without one they fail
//! with an error of kind [`Misuse`](tfjs_manifest::Kind::Misuse).

#![deny(missing_docs, unsafe_code)]

mod base;
mod fetch;
mod model;
mod place;
mod registry;
mod store;
mod wrap;

pub use base::checksums::Checksums;
pub use base::files::{
    Body, BoxFuture, ByteRange, Files, FolderEntry, LocalFile, OpenOptions, Opened, Purpose, Validator,
};
pub use base::network::{Proxy, Roots, SaveMethod, Signature, Signer, Timeouts};
pub use base::path::shard_components;
pub use base::progress::{Phase, Progress, ProgressCallback};
pub use base::retry::Retry;
pub use base::url::{MODEL_JSON, ModelUrl};
#[cfg(feature = "cache")]
pub use model::cache::{Cache, CachedModel};
pub use model::checksums::load_artifacts;
pub use model::cx::IoCx;
pub use model::handler::{IoHandler, ModelArtifacts, SaveArtifacts, SaveResult, WeightSource};
#[cfg(feature = "archive")]
pub use model::handlers::archive::ArchiveHandler;
#[cfg(not(target_family = "wasm"))]
pub use model::handlers::file::FileHandler;
pub use model::handlers::files::FilesHandler;
#[cfg(feature = "http")]
pub use model::handlers::http::HttpHandler;
pub use model::handlers::memory::{MemoryHandler, MemoryStore};
pub use model::options::{IoOptions, WeightUrlConverter};
pub use model::own::ModelInfo;
pub use model::save::save;
pub use model::scheme::{Registry, Scheme};
pub use model::weights::{fetch_weights, open_weights};
#[cfg(not(target_family = "wasm"))]
pub use place::file::{FolderFiles, write_file, write_file_from};
pub use place::memory::MemoryFiles;
#[cfg(feature = "object-store")]
pub use place::object::ObjectFiles;
#[cfg(feature = "cloud")]
pub use place::object::ObjectScheme;
pub use store::{ListedModel, ModelStore};
#[cfg(feature = "archive")]
pub use wrap::archive::ArchiveFiles;
pub use wrap::checked::CheckedFiles;
pub use wrap::prefixed::PrefixedFiles;

pub use bytes::Bytes;
pub use futures_util::stream::BoxStream;
pub use tfjs_manifest::{Error, Result};
