//! The context of one load or save: options, schemes, progress, deadline and connections. Opens nothing itself.

#[cfg(feature = "cache")]
use super::cache::CachedFiles;
use super::options::IoOptions;
use super::scheme::Registry;
#[cfg(feature = "http")]
use crate::base::deadline::Deadline;
use crate::base::progress::Reporter;
use crate::fetch::FetchConfig;
#[cfg(feature = "http")]
use crate::place::http::{Http, HttpConfig};
#[cfg(feature = "cache")]
use std::sync::Weak;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The context of one load or save: the caller's options, and the state that its requests share. Cheap to clone.
///
/// A context is for one load: it counts that load's progress and, with a total time-out, its time. Fetch the weights
/// with the same context as the model's JSON.
#[derive(Clone, Debug)]
pub struct IoCx {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: IoOptions,
    registry: Registry,
    reporter: Reporter,
    #[cfg(feature = "http")]
    deadline: Deadline,
    #[cfg(feature = "http")]
    http: Http,
    checked_json: OnceLock<String>,
    warnings: Mutex<Vec<String>>,
    #[cfg(feature = "cache")]
    cached: Mutex<Weak<CachedFiles>>,
}

impl IoCx {
    /// A context with these options and schemes.
    pub fn with_registry(options: IoOptions, registry: Registry) -> Self {
        #[cfg(feature = "http")]
        let deadline = Deadline::new(options.timeouts.total);
        IoCx {
            shared: Arc::new(Shared {
                reporter: Reporter::new(options.on_progress.clone()),
                #[cfg(feature = "http")]
                http: Http::new(http_config(&options, deadline.clone())),
                #[cfg(feature = "http")]
                deadline,
                options,
                registry,
                checked_json: OnceLock::new(),
                warnings: Mutex::default(),
                #[cfg(feature = "cache")]
                cached: Mutex::default(),
            }),
        }
    }

    /// The caller's options.
    pub fn options(&self) -> &IoOptions {
        &self.shared.options
    }

    /// The schemes that URLs can have, also those of a weight prefix or converter.
    pub fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    /// Takes the warnings so far, without duplicates. A warning is a problem that did not prevent the load.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[cfg(feature = "cache")]
    pub(super) fn warn(&self, warning: String) {
        let mut warnings = self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    pub(crate) fn reporter(&self) -> &Reporter {
        &self.shared.reporter
    }

    /// The deadline of the whole load.
    #[cfg(feature = "http")]
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.shared.deadline
    }

    /// The connections of this load.
    #[cfg(feature = "http")]
    pub(crate) fn http(&self) -> &Http {
        &self.shared.http
    }

    /// How weight files are fetched.
    pub(super) fn fetch_config(&self) -> FetchConfig {
        let options = self.options();
        FetchConfig {
            concurrency: options.concurrency,
            split_over: options.split_over,
            range_bytes: options.range_bytes,
            reporter: self.reporter().clone(),
        }
    }

    /// The name of the model's JSON in the checksums; `None` until it has been checked.
    pub(super) fn checked_json(&self) -> Option<&str> {
        self.shared.checked_json.get().map(String::as_str)
    }

    pub(super) fn note_checked_json(&self, name: &str) {
        // Set once, because a context is for one load.
        let _ = self.shared.checked_json.set(name.to_owned());
    }

    /// The cached weight files of this load, if there are any and they are still in use.
    #[cfg(feature = "cache")]
    pub(super) fn cached(&self) -> Option<Arc<CachedFiles>> {
        self.shared.cached.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    #[cfg(feature = "cache")]
    pub(super) fn note_cached(&self, files: &Arc<CachedFiles>) {
        *self.shared.cached.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(files);
    }
}

/// The HTTP configuration from the options.
#[cfg(feature = "http")]
fn http_config(options: &IoOptions, deadline: Deadline) -> HttpConfig {
    #[cfg(feature = "cache")]
    let offline = options.cache.as_ref().is_some_and(super::cache::Cache::is_offline);
    #[cfg(not(feature = "cache"))]
    let offline = false;
    HttpConfig {
        limits: options.limits.clone(),
        headers: options.headers.clone(),
        timeouts: options.timeouts.clone(),
        deadline,
        roots: options.roots,
        root_certificates: options.root_certificates.clone(),
        proxy: options.proxy.clone(),
        signer: options.signer.clone(),
        public_only: options.public_only,
        offline,
    }
}
