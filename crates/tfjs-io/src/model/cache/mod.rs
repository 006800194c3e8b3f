//! A cache of models on disk, for loads whose options have one. Only remote models are cached: those whose handler
//! names a URL for them.
//!
//! A load goes through it twice. [`CachedLoad`] reads the JSON, and puts [`CachedFiles`] in the place of the weight
//! files. A transfer of the weights is announced by [`Caching`], which the load's context connects with these files:
//! they are then read from disk, or written there while they are fetched, and become a model of the cache once every
//! byte has been checked against the manifest.

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
/// folder at a time; of several that load the same model one fetches it.
///
/// # What is asked for
/// Every load asks for the model's JSON, with the `ETag` or `Last-Modified` it had, and fetches it if it has
/// changed. Weights of a JSON that has not changed are not asked for; with another one, or a server that gives
/// neither header, each file is asked for with its own. **Retrained weights may leave the JSON as it is, byte by
/// byte**, and a server that makes its `ETag` from the bytes, as S3 does, then calls it unchanged: where models
/// are overwritten in place, use [`with_check_weights`](Self::with_check_weights).
///
/// # What is kept
/// A model is kept once all its files have come and have the lengths its manifest says, and is replaced as a
/// whole. It goes by its URL and that of its weights, without user name, password, the query parameters of a
/// signature (Amazon's, Google's, Azure's, CloudFront's) and `token`, `access_token`, `api_key`: a server that
/// gives different models to different users needs a folder for each. With a
/// [`weight_url_converter`](crate::IoOptions::weight_url_converter) only the JSON is kept.
///
/// # What goes wrong
/// A folder that cannot be written to costs a warning ([`IoCx::take_warnings`](crate::IoCx::take_warnings)) and
/// the model is loaded without it. So do a folder below it that is a link or another user's, and a lock that another
/// load holds for more than 30 seconds; after two the wait is reported ([`Phase::Waiting`](crate::Phase::Waiting)).
/// What was damaged is fetched again. A load that is dropped leaves nothing.
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
    /// The cache in this folder, which is made when something is kept, readable by its owner only. It is offline
    /// if the environment variable `TFJS_OFFLINE` is set, and not to `0`, `false`, `no` or `off`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Cache { folder: folder.into(), max_bytes: None, offline: place::offline(), verify: false, check_weights: false }
    }

    /// The cache the environment asks for: in the [`default_folder`](Self::default_folder), if `TFJS_CACHE_DIR` or
    /// `TFJS_OFFLINE` is set.
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
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if the environment tells none.
    pub fn default_folder() -> Result<PathBuf> {
        place::default_folder()
    }

    /// The most bytes to keep. Above, models are removed, those first that were not used for the longest time;
    /// never one that a load is using, and not the one that was just fetched. Default: no bound.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Whether to use no network: what is not in the cache is an error that lists it. Overrides `TFJS_OFFLINE`.
    /// No HTTP request is made by such a load, whatever it is for; models on disk and in memory load as ever.
    #[must_use]
    pub fn with_offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// Whether the SHA-256 of every weight file is checked at each use. Otherwise it is when the file's length is
    /// right but its time of modification is not, and in [`verify`](Self::verify). The JSON is always checked.
    /// Default: no.
    #[must_use]
    pub fn with_verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Whether each weight file is asked for with its own validator even if the JSON has not changed. Default: no.
    #[must_use]
    pub fn with_check_weights(mut self, check: bool) -> Self {
        self.check_weights = check;
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether no network is used.
    pub fn is_offline(&self) -> bool {
        self.offline
    }
}
