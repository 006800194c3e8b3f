//! The time that a whole load may take. Computes the deadline only; the callers wait and fail.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tfjs_manifest::{Error, Setting};

/// When a load must have ended. Clones share one clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deadline {
    total: Option<Duration>,
    end: Arc<OnceLock<Option<Instant>>>,
}

impl Deadline {
    /// A deadline `total` after the first call of [`instant`](Self::instant). Without `total` there is no deadline.
    pub(crate) fn new(total: Option<Duration>) -> Self {
        Deadline { total, end: Arc::default() }
    }

    /// The deadline; `None` if the load may take any time. The first call starts the clock.
    pub(crate) fn instant(&self) -> Option<Instant> {
        let end = || self.total.and_then(|total| Instant::now().checked_add(total));
        *self.end.get_or_init(end)
    }
}

/// The error of a load that takes longer than [`Timeouts::total`](crate::Timeouts::total).
pub(crate) fn load_is_over() -> Error {
    Error::fetch(format!("timed out: the load took longer than {}", Setting::TotalTime))
}
