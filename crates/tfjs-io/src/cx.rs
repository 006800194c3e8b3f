//! What one load or save carries along: options, registry, progress, connections. Opens nothing itself.

use crate::options::IoOptions;
use crate::progress::Reporter;
use crate::registry::Registry;
use std::sync::{Arc, Mutex, PoisonError};

/// The context of one load or save: the caller's options and what its requests share. Cheap to clone.
///
/// One context serves one load: it counts that load's progress and, with a total time-out, its time.
#[derive(Clone, Debug)]
pub struct IoCx {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: IoOptions,
    registry: Registry,
    reporter: Reporter,
    warnings: Mutex<Vec<String>>,
    #[cfg(feature = "http")]
    http: std::sync::OnceLock<crate::http::HttpClient>,
}

impl Default for IoCx {
    fn default() -> Self {
        IoCx::new(IoOptions::default())
    }
}

impl IoCx {
    /// A context with these options and the built-in schemes.
    pub fn new(options: IoOptions) -> Self {
        Self::with_registry(options, Registry::default())
    }

    /// A context with these options and schemes.
    pub fn with_registry(options: IoOptions, registry: Registry) -> Self {
        let reporter = Reporter::new(options.on_progress.clone());
        IoCx {
            shared: Arc::new(Shared {
                options,
                registry,
                reporter,
                warnings: Mutex::default(),
                #[cfg(feature = "http")]
                http: std::sync::OnceLock::new(),
            }),
        }
    }

    /// The caller's options.
    pub fn options(&self) -> &IoOptions {
        &self.shared.options
    }

    /// The schemes a prefix or converter can name.
    pub fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// What went wrong so far without keeping the model from being loaded, each once.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(feature = "cache")]
    pub(crate) fn warn(&self, warning: String) {
        let mut warnings = self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    pub(crate) fn reporter(&self) -> &Reporter {
        &self.shared.reporter
    }

    /// The connections of this load. They are its own: a pool that outlived the runtime it was made on
    /// would hand out dead connections.
    #[cfg(feature = "http")]
    pub(crate) fn http(&self) -> tfjs_manifest::Result<&crate::http::HttpClient> {
        #[cfg(feature = "cache")]
        if self.options().cache.as_ref().is_some_and(|cache| cache.is_offline()) {
            return Err(crate::cache::not_here());
        }
        if let Some(client) = self.shared.http.get() {
            return Ok(client);
        }
        let client = crate::http::HttpClient::new(self.options())?;
        Ok(self.shared.http.get_or_init(|| client))
    }
}
