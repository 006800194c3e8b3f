//! The default schemes, and the registry that contains all of them.

#[cfg(feature = "cloud")]
mod object;

#[cfg(any(feature = "http", not(target_family = "wasm")))]
use crate::base::files::Files;
use crate::base::url::ModelUrl;
use crate::model::cx::IoCx;
use crate::model::handler::IoHandler;
use crate::model::handlers::data::DataHandler;
#[cfg(not(target_family = "wasm"))]
use crate::model::handlers::file::{FileHandler, folder_files};
#[cfg(feature = "http")]
use crate::model::handlers::http::{HttpHandler, retried};
use crate::model::options::IoOptions;
#[cfg(feature = "cloud")]
use crate::model::scheme::FEATURES;
use crate::model::scheme::{Registry, Scheme};
#[cfg(feature = "http")]
use crate::place::http::HttpFiles;
#[cfg(feature = "cloud")]
use crate::place::object::ObjectScheme;
#[cfg(not(target_family = "wasm"))]
use std::path::Path;
use std::sync::Arc;
#[cfg(any(feature = "http", not(target_family = "wasm")))]
use tfjs_manifest::Error;
use tfjs_manifest::Result;

impl Default for Registry {
    fn default() -> Self {
        let registry = Registry::empty().with("data", DataScheme);
        #[cfg(not(target_family = "wasm"))]
        let registry = registry.with("file", FileScheme);
        #[cfg(feature = "http")]
        let registry = registry.with("http", HttpScheme).with("https", HttpScheme);
        #[cfg(feature = "s3")]
        let registry = with_all(registry, "s3", ObjectScheme::s3());
        #[cfg(feature = "gcs")]
        let registry = with_all(registry, "gcs", ObjectScheme::gcs());
        #[cfg(feature = "azure")]
        let registry = with_all(registry, "azure", ObjectScheme::azure());
        registry
    }
}

/// Adds all schemes of a feature.
#[cfg(feature = "cloud")]
fn with_all(registry: Registry, feature: &str, what: impl Scheme + Clone + 'static) -> Registry {
    let schemes = FEATURES.iter().find(|(name, _, _)| *name == feature).map_or(&[][..], |(_, _, schemes)| schemes);
    schemes.iter().fold(registry, |registry, scheme| registry.with(scheme, what.clone()))
}

impl IoCx {
    /// A context with these options and the built-in schemes.
    pub fn new(options: IoOptions) -> Self {
        IoCx::with_registry(options, Registry::default())
    }
}

impl Default for IoCx {
    fn default() -> Self {
        IoCx::new(IoOptions::default())
    }
}

/// The scheme `data`.
struct DataScheme;

impl Scheme for DataScheme {
    fn handler(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>> {
        Ok(Arc::new(DataHandler { url: url.clone() }))
    }
}

/// The scheme `file`, which paths without a scheme also use.
#[cfg(not(target_family = "wasm"))]
struct FileScheme;

#[cfg(not(target_family = "wasm"))]
impl Scheme for FileScheme {
    fn handler(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>> {
        Ok(Arc::new(FileHandler::new(path_of(url)?)))
    }

    fn files(&self, folder: &ModelUrl, _query: &str, cx: &IoCx) -> Result<Arc<dyn Files>> {
        Ok(Arc::new(folder_files(path_of(folder)?, cx.options())))
    }
}

#[cfg(not(target_family = "wasm"))]
fn path_of(url: &ModelUrl) -> Result<&Path> {
    url.as_path().ok_or_else(|| Error::misuse("expected a path or a `file://` URL").in_file(url))
}

/// The schemes `http` and `https`.
#[cfg(feature = "http")]
struct HttpScheme;

#[cfg(feature = "http")]
impl Scheme for HttpScheme {
    fn handler(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>> {
        match crate::model::archive_at(url)? {
            Some(archive) => Ok(archive),
            None => Ok(Arc::new(HttpHandler::new(url.clone())?)),
        }
    }

    fn files(&self, folder: &ModelUrl, query: &str, cx: &IoCx) -> Result<Arc<dyn Files>> {
        let prefix = folder.as_url().ok_or_else(|| Error::misuse("expected a URL").in_file(folder))?;
        Ok(retried(HttpFiles::new(cx.http().clone(), prefix, query), cx))
    }

    fn cache_url(&self, folder: &ModelUrl, query: &str) -> Option<String> {
        Some(format!("{}{query}", folder.as_url()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scheme::FEATURES;
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
