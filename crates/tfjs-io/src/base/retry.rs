//! Options of retries: how many, and how long to wait before each.

use std::time::Duration;

/// How often [transient](tfjs_manifest::Error::is_transient) errors are retried. Answers such as 404 are final.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// Tries of one file, the first included; at least 1. A try that brought new bytes does not count. Default 5.
    pub tries: u32,
    /// The wait before the second try; it doubles with every one after, and is jittered. Default 200 ms.
    pub first_delay: Duration,
    /// The longest wait. Default 10 s.
    pub longest_delay: Duration,
    /// No try begins later than this after the first one failed. Default 60 s.
    pub total: Duration,
    /// The longest `Retry-After` that is waited for; a longer one is an error. Default 30 s.
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

    /// Another number of tries.
    #[must_use]
    pub fn with_tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }

    /// Other waits: before the second try, and the longest.
    #[must_use]
    pub fn with_delays(mut self, first: Duration, longest: Duration) -> Self {
        self.first_delay = first;
        self.longest_delay = longest;
        self
    }

    /// Another time in which tries may begin.
    #[must_use]
    pub fn with_total(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }

    /// Another longest `Retry-After`.
    #[must_use]
    pub fn with_longest_retry_after(mut self, longest: Duration) -> Self {
        self.longest_retry_after = longest;
        self
    }
}
