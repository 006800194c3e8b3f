//! The source of a model, or the target of a save: a path, a URL or a handler.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use tfjs_io::{IoHandler, ModelUrl, Registry};
use tfjs_manifest::{Error, Result};

/// The location of a model to load or save.
#[derive(Clone)]
#[non_exhaustive]
pub enum Source {
    /// The path of a `model.json`, of its folder or of an archive, or a URL.
    Url(String),
    /// A handler, for bytes in memory or any other source.
    Handler(Arc<dyn IoHandler>),
}

impl Source {
    /// A source from a handler.
    pub fn handler(handler: impl IoHandler + 'static) -> Self {
        Source::Handler(Arc::new(handler))
    }

    pub(crate) fn resolve(&self, registry: &Registry) -> Result<Arc<dyn IoHandler>> {
        match self {
            Source::Url(text) => registry.resolve(&ModelUrl::parse(text)?),
            Source::Handler(handler) => Ok(handler.clone()),
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Url(text) => f.debug_tuple("Url").field(text).finish(),
            Source::Handler(handler) => f.debug_tuple("Handler").field(&handler.location()).finish(),
        }
    }
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        Source::Url(text.to_string())
    }
}

impl From<String> for Source {
    fn from(text: String) -> Self {
        Source::Url(text)
    }
}

impl TryFrom<&Path> for Source {
    type Error = Error;

    fn try_from(path: &Path) -> Result<Self> {
        let text = path.to_str();
        text.map(Source::from).ok_or_else(|| Error::misuse(format!("the path `{}` is not UTF-8", path.display())))
    }
}

impl TryFrom<PathBuf> for Source {
    type Error = Error;

    fn try_from(path: PathBuf) -> Result<Self> {
        Source::try_from(path.as_path())
    }
}

impl From<Arc<dyn IoHandler>> for Source {
    fn from(handler: Arc<dyn IoHandler>) -> Self {
        Source::Handler(handler)
    }
}
