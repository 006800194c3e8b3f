//! A cache of models on disk, for loads whose options have one. Only remote models are cached: those for which the
//! handler gives a URL.
//!
//! A load uses it in two steps. [`CachedLoad`] reads the JSON, and replaces the weight files by [`CachedFiles`]. When
//! the weights are fetched, [`Caching`] begins a transfer, and the load's context connects it with these files: they
//! are read from disk, or written to disk while they are fetched, and become part of the cache once every byte has been
//! checked against the manifest.

mod disk;
mod entry;
mod fill;
mod hash;
mod key;
mod load;
mod lock;
mod manage;
mod part;
mod place;
mod record;
mod weights;

pub(crate) use load::CachedLoad;
pub(crate) use weights::{CachedFiles, Caching, InUse};

pub use manage::CachedModel;

use std::path::{Path, PathBuf};
use tfjs_manifest::Result;

/// A cache of remote models in a folder, to be given to a load with
/// [`IoOptions::with_cache`](crate::IoOptions::with_cache). Any number of loads, caches and processes may use one
/// folder at a time; if several load the same model, one of them fetches it.
///
/// # Requests
/// Every load requests the model's JSON, with its last `ETag` or `Last-Modified`, and fetches it if it has changed.
/// If it has not changed, the weights are not requested. If it has changed, or the server sends neither header, each
/// weight file is requested with its own validator. **Retraining may change the weights and leave every byte of the
/// JSON as it is.** A server that computes its `ETag` from the bytes, as S3 does, then reports it as unchanged: where
/// models are overwritten in place, use [`with_check_weights`](Self::with_check_weights).
///
/// # Contents
/// A model is stored once all its files have arrived with the lengths in its manifest, and is replaced as a whole. Its
/// key is its URL and that of its weights, without user name, password, the query parameters of a signature (Amazon's,
/// Google's, Azure's, CloudFront's) and `token`, `access_token`, `api_key`: if a server sends different models to
/// different users, use a folder for each user. With a
/// [`weight_url_converter`](crate::IoOptions::weight_url_converter) only the JSON is stored.
///
/// # Failures
/// If the folder cannot be written to, the model is loaded without the cache, with a warning
/// ([`IoCx::take_warnings`](crate::IoCx::take_warnings)). The same happens if a folder inside it is a link or belongs
/// to another user, and if another load holds the lock for more than 30 seconds, or a quarter of [`Timeouts::total`](crate::Timeouts::total); after two seconds the wait is reported
/// ([`Phase::Waiting`](crate::Phase::Waiting)). Damaged files are fetched again. A load that is dropped leaves no
/// files.
///
/// ```no_run
/// # use tfjs_io::{Cache, IoOptions};
/// # fn main() -> tfjs_io::Result<()> {
/// let cache = Cache::new(Cache::default_folder()?).with_max_bytes(10 << 30);
/// let options = IoOptions::default().with_cache(cache);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    max_bytes: Option<u64>,
    offline: bool,
    verify: bool,
    check_weights: bool,
}

impl Cache {
    /// The cache in this folder, which is created when a model is stored, readable by its owner only. It is offline if
    /// the environment variable `TFJS_OFFLINE` is set to anything but `0`, `false`, `no` or `off`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Cache { folder: folder.into(), max_bytes: None, offline: place::offline(), verify: false, check_weights: false }
    }

    /// The cache in the [`default_folder`](Self::default_folder), if `TFJS_CACHE_DIR` or `TFJS_OFFLINE` is set; `None`
    /// otherwise.
    ///
    /// # Errors
    /// As [`default_folder`](Self::default_folder).
    pub fn from_env() -> Result<Option<Self>> {
        match place::is_named() || place::offline() {
            true => Ok(Some(Cache::new(Cache::default_folder()?))),
            false => Ok(None),
        }
    }

    /// The folder for all programs of this user: the environment variable `TFJS_CACHE_DIR`, else `tfjs` in the
    /// platform's folder for caches (`$XDG_CACHE_HOME` or `~/.cache`; `~/Library/Caches`; `%LOCALAPPDATA%`).
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if the environment does not give a folder.
    pub fn default_folder() -> Result<PathBuf> {
        place::default_folder()
    }

    /// The maximum size in bytes. Beyond it, the least recently used models are removed, except models that a load is
    /// using and the one that was just fetched. Default: no maximum.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Whether to load without the network; files that are not in the cache are an error that lists them. Overrides
    /// `TFJS_OFFLINE`. Such a load sends no HTTP request at all; models on disk and in memory load as usual.
    #[must_use]
    pub fn with_offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// Whether the SHA-256 of every weight file is checked at each use. Otherwise it is checked only in
    /// [`verify`](Self::verify), and if the file's modification time has changed. The JSON is always checked. Default:
    /// no.
    #[must_use]
    pub fn with_verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Whether each weight file is requested with its own validator even if the JSON has not changed. Default: no.
    #[must_use]
    pub fn with_check_weights(mut self, check: bool) -> Self {
        self.check_weights = check;
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether loads do not use the network.
    pub fn is_offline(&self) -> bool {
        self.offline
    }
}
