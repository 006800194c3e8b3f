//! What one load or save carries along: options, registry, progress, connections. Opens nothing itself.

use crate::options::IoOptions;
use crate::progress::Reporter;
use crate::registry::Registry;
use std::sync::{Arc, OnceLock};
#[cfg(feature = "http")]
use std::time::Instant;

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
    checked_json: OnceLock<String>,
    #[cfg(feature = "http")]
    deadline: OnceLock<Option<Instant>>,
    #[cfg(feature = "http")]
    http: OnceLock<crate::http::HttpClient>,
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
                checked_json: OnceLock::new(),
                #[cfg(feature = "http")]
                deadline: OnceLock::new(),
                #[cfg(feature = "http")]
                http: OnceLock::new(),
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

    pub(crate) fn reporter(&self) -> &Reporter {
        &self.shared.reporter
    }

    /// When the whole load must be over. Its time begins when this is asked for first.
    #[cfg(feature = "http")]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let total = self.options().timeouts.total;
        *self.shared.deadline.get_or_init(|| total.and_then(|total| Instant::now().checked_add(total)))
    }

    /// What the checksums call the model's JSON, once it has been checked against them.
    pub(crate) fn checked_json(&self) -> Option<&str> {
        self.shared.checked_json.get().map(String::as_str)
    }

    pub(crate) fn note_checked_json(&self, name: &str) {
        // One context serves one load.
        let _ = self.shared.checked_json.set(name.to_owned());
    }

    /// The connections of this load. They are its own: a pool that outlived the runtime it was made on
    /// would hand out dead connections.
    #[cfg(feature = "http")]
    pub(crate) fn http(&self) -> tfjs_manifest::Result<&crate::http::HttpClient> {
        if let Some(client) = self.shared.http.get() {
            return Ok(client);
        }
        let client = crate::http::HttpClient::new(self)?;
        Ok(self.shared.http.get_or_init(|| client))
    }
}
