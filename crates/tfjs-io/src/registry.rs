//! Which handler a URL's scheme means. A value: there is no global registry.

use crate::cx::IoCx;
use crate::files::Files;
use crate::handler::IoHandler;
use crate::url::ModelUrl;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// What a scheme can do. A closure from URL to handler is one.
pub trait Scheme: Send + Sync {
    /// The handler of the model at this URL.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for a URL that this scheme cannot mean.
    fn handler(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>>;

    /// The files in a folder, for a `weight_path_prefix` or `weight_url_converter` that names this scheme.
    /// `folder` is what comes before a file's path, as it is: it need not end in `/`. `query` is appended
    /// to each URL, if the scheme has such.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) unless the scheme has folders.
    fn files(&self, folder: &ModelUrl, query: &str, cx: &IoCx) -> Result<Arc<dyn Files>> {
        let _ = (query, cx);
        Err(Error::unsupported("weights cannot be taken from this scheme").in_file(folder))
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
/// [`Registry::default`] knows `file` (and paths) and `data`, with the feature `http` also `http` and `https`, and with
/// `s3`, `gcs` and `azure` the schemes of these: `s3`, `s3a`; `gs`, `gcs`; `az`, `azure`, `abfs`, `abfss`.
#[derive(Clone)]
pub struct Registry {
    schemes: BTreeMap<String, Arc<dyn Scheme>>,
}

/// Features, whether this build has them, and the schemes they bring.
const FEATURES: &[(&str, bool, &[&str])] = &[
    ("http", cfg!(feature = "http"), &["http", "https"]),
    ("s3", cfg!(feature = "s3"), &["s3", "s3a"]),
    ("gcs", cfg!(feature = "gcs"), &["gs", "gcs"]),
    ("azure", cfg!(feature = "azure"), &["az", "azure", "abfs", "abfss"]),
];

impl Default for Registry {
    fn default() -> Self {
        let registry = Registry::empty().with("data", crate::data_url::DataScheme);
        #[cfg(not(target_family = "wasm"))]
        let registry = registry.with("file", crate::file::FileScheme);
        #[cfg(feature = "http")]
        let registry = registry.with("http", crate::http::HttpScheme).with("https", crate::http::HttpScheme);
        #[cfg(feature = "s3")]
        let registry = registry.with_all("s3", crate::object::ObjectScheme::s3());
        #[cfg(feature = "gcs")]
        let registry = registry.with_all("gcs", crate::object::ObjectScheme::gcs());
        #[cfg(feature = "azure")]
        let registry = registry.with_all("azure", crate::object::ObjectScheme::azure());
        registry
    }
}

impl Registry {
    /// No scheme at all.
    pub fn empty() -> Self {
        Registry { schemes: BTreeMap::new() }
    }

    /// With one more scheme; one of the same name is replaced.
    #[must_use]
    pub fn with(mut self, scheme: &str, what: impl Scheme + 'static) -> Self {
        self.schemes.insert(scheme.to_ascii_lowercase(), Arc::new(what));
        self
    }

    /// With all schemes of a feature.
    #[cfg(feature = "cloud")]
    fn with_all(self, feature: &str, what: impl Scheme + Clone + 'static) -> Self {
        let schemes = FEATURES.iter().find(|(name, _, _)| *name == feature).map_or(&[][..], |(_, _, schemes)| schemes);
        schemes.iter().fold(self, |registry, scheme| registry.with(scheme, what.clone()))
    }

    /// Without a scheme.
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
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse), with the known schemes, if this one is not among
    /// them; [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported), with the feature to enable, if this
    /// build lacks it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn an_unknown_scheme_lists_the_known_ones() {
        let url = ModelUrl::parse("gopher://h/m/model.json").unwrap();
        let error = Registry::default().resolve(&url).err().unwrap();
        assert_eq!(error.kind(), Kind::Misuse);
        assert_eq!(error.place().file.as_deref(), Some("gopher://h/m/model.json"));
        assert!(error.message().contains("`gopher`") && error.message().contains("`file`"), "{error}");
        let error = Registry::empty().resolve(&url).err().unwrap();
        assert!(error.message().contains("known are none"), "{error}");
    }

    #[test]
    fn a_scheme_is_there_or_names_the_feature_it_needs() {
        for (feature, built_in, schemes) in FEATURES {
            for scheme in *schemes {
                let url = ModelUrl::parse(&format!("{scheme}://h/m/model.json")).unwrap();
                match (built_in, Registry::default().resolve(&url)) {
                    (true, resolved) => assert!(resolved.is_ok(), "{scheme}"),
                    (false, resolved) => {
                        let error = resolved.err().unwrap();
                        assert_eq!(error.kind(), Kind::Unsupported);
                        assert!(error.message().contains(&format!("feature `{feature}`")), "{error}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_closure_is_a_scheme() {
        let registry = Registry::empty().with("Hub", |url: &ModelUrl| Err(Error::misuse("not today").in_file(url)));
        let url = ModelUrl::parse("hub://x").unwrap();
        assert_eq!(registry.resolve(&url).err().unwrap().message(), "not today");
        assert_eq!(registry.schemes().collect::<Vec<_>>(), ["hub"]);
    }
}
