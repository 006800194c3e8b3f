//! Retry options: how many tries, and how long to wait before each.

use std::time::Duration;

/// How [transient](tfjs_manifest::Error::is_transient) errors are retried. Responses such as 404 are not retried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// Tries for one file, including the first; at least 1. A try that received new bytes does not count. Default 5.
    pub tries: u32,
    /// The wait before the second try. It doubles with each further try, and is jittered. Default 200 ms.
    pub first_delay: Duration,
    /// The longest wait. Default 10 s.
    pub longest_delay: Duration,
    /// No try begins later than this after the first failure. Default 60 s.
    pub total: Duration,
    /// The longest `Retry-After` that is obeyed; a longer one is an error. Default 30 s.
    pub longest_retry_after: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            tries: 5,
            first_delay: Duration::from_millis(200),
            longest_delay: Duration::from_secs(10),
            total: Duration::from_secs(60),
            longest_retry_after: Duration::from_secs(30),
        }
    }
}

impl Retry {
    /// No retries.
    pub fn never() -> Self {
        Retry { tries: 1, ..Retry::default() }
    }

    /// Sets [`tries`](Self::tries).
    #[must_use]
    pub fn with_tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }

    /// Sets [`first_delay`](Self::first_delay) and [`longest_delay`](Self::longest_delay).
    #[must_use]
    pub fn with_delays(mut self, first: Duration, longest: Duration) -> Self {
        self.first_delay = first;
        self.longest_delay = longest;
        self
    }

    /// Sets [`total`](Self::total).
    #[must_use]
    pub fn with_total(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }

    /// Sets [`longest_retry_after`](Self::longest_retry_after).
    #[must_use]
    pub fn with_longest_retry_after(mut self, longest: Duration) -> Self {
        self.longest_retry_after = longest;
        self
    }
}
