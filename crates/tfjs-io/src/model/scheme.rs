//! URL schemes and their handlers. A registry is a value; there is no global one. The default schemes are in
//! [`registry`](crate::registry).

use super::cx::IoCx;
use super::handler::IoHandler;
use crate::base::files::Files;
use crate::base::url::ModelUrl;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// The handlers and files of a URL scheme. Implemented for closures that return the handler of a URL.
pub trait Scheme: Send + Sync {
    /// The handler of the model at this URL.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for a URL that is invalid for this scheme.
    fn handler(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>>;

    /// The files in a folder, for a `weight_path_prefix` or `weight_url_converter` with this scheme. `folder` is put
    /// before a file's path unchanged, and need not end in `/`. `query` is appended to each URL, if the scheme has
    /// queries.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if the scheme has no folders.
    fn files(&self, folder: &ModelUrl, query: &str, cx: &IoCx) -> Result<Arc<dyn Files>> {
        let _ = (query, cx);
        Err(Error::unsupported("weights cannot be taken from this scheme").in_file(folder))
    }

    /// The URL, credentials included, that identifies the files of a folder in a cache; it must be unique. `None`,
    /// which is the default, if they are never cached.
    fn cache_url(&self, folder: &ModelUrl, query: &str) -> Option<String> {
        let _ = (folder, query);
        None
    }
}

impl<F> Scheme for F
where
    F: Fn(&ModelUrl) -> Result<Arc<dyn IoHandler>> + Send + Sync,
{
    fn handler(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>> {
        self(url)
    }
}

/// Schemes and their handlers. Cheap to clone.
///
/// [`Registry::default`] has `file` (and paths) and `data`. The feature `http` adds `http` and `https`; the features
/// `s3`, `gcs` and `azure` add `s3`, `s3a`; `gs`, `gcs`; and `az`, `azure`, `abfs`, `abfss`.
#[derive(Clone)]
pub struct Registry {
    schemes: BTreeMap<String, Arc<dyn Scheme>>,
}

/// Features, whether this build has them, and the schemes they add.
pub(crate) const FEATURES: &[(&str, bool, &[&str])] = &[
    ("http", cfg!(feature = "http"), &["http", "https"]),
    ("s3", cfg!(feature = "s3"), &["s3", "s3a"]),
    ("gcs", cfg!(feature = "gcs"), &["gs", "gcs"]),
    ("azure", cfg!(feature = "azure"), &["az", "azure", "abfs", "abfss"]),
];

impl Registry {
    /// A registry without schemes.
    pub fn empty() -> Self {
        Registry { schemes: BTreeMap::new() }
    }

    /// Adds a scheme. Replaces one of the same name.
    #[must_use]
    pub fn with(mut self, scheme: &str, what: impl Scheme + 'static) -> Self {
        self.schemes.insert(scheme.to_ascii_lowercase(), Arc::new(what));
        self
    }

    /// Removes a scheme.
    #[must_use]
    pub fn without(mut self, scheme: &str) -> Self {
        self.schemes.remove(&scheme.to_ascii_lowercase());
        self
    }

    /// The names of the schemes, sorted.
    pub fn schemes(&self) -> impl Iterator<Item = &str> {
        self.schemes.keys().map(String::as_str)
    }

    /// The handler of the model at this URL.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse), with a list of the known schemes, if the scheme is unknown;
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported), with the feature to enable, if this build lacks it.
    pub fn resolve(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>> {
        self.scheme(url)?.handler(url)
    }

    /// The files in a folder: see [`Scheme::files`].
    ///
    /// # Errors
    /// Those of [`resolve`](Self::resolve) and of the scheme.
    pub fn files(&self, folder: &ModelUrl, query: &str, cx: &IoCx) -> Result<Arc<dyn Files>> {
        self.scheme(folder)?.files(folder, query, cx)
    }

    /// The URL by which the files of a folder are cached: see [`Scheme::cache_url`].
    pub(super) fn cache_url(&self, folder: &ModelUrl, query: &str) -> Result<Option<String>> {
        Ok(self.scheme(folder)?.cache_url(folder, query))
    }

    fn scheme(&self, url: &ModelUrl) -> Result<&dyn Scheme> {
        let name = url.scheme();
        if let Some(scheme) = self.schemes.get(name) {
            return Ok(&**scheme);
        }
        let of = FEATURES.iter().find(|(_, built_in, schemes)| !built_in && schemes.contains(&name));
        if let Some((feature, _, _)) = of {
            return Err(Error::unsupported(format!(
                "scheme `{name}` needs the feature `{feature}`, which this build lacks"
            ))
            .in_file(url));
        }
        let known: Vec<String> = self.schemes().map(|s| format!("`{s}`")).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(Error::misuse(format!("unknown scheme `{name}`; known are {known}; others can be added to the registry"))
            .in_file(url))
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.schemes()).finish()
    }
}
