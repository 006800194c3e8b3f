//! Decides whether and when a failed request is retried. Opens nothing itself.

use crate::base::blocking;
use crate::base::deadline::load_is_over;
use crate::base::retry::Retry;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};
use tfjs_manifest::{Error, Result};

/// Bytes of progress that reset the backoff. Fewer bytes do not, because a server could send a few bytes per try
/// forever.
const PROGRESS: u64 = 64 << 10;

/// The tries of one file.
#[derive(Debug)]
pub(super) struct Tries {
    retry: Retry,
    /// The deadline of the whole load.
    deadline: Option<Instant>,
    /// Tries made so far.
    made: u32,
    /// Consecutive tries without a new byte.
    failed: u32,
    /// Number of waits since the last progress.
    waits: u32,
    /// When the first try since the last progress failed.
    since: Option<Instant>,
}

impl Tries {
    pub(super) fn new(retry: Retry, deadline: Option<Instant>) -> Self {
        Tries { retry, deadline, made: 0, failed: 0, waits: 0, since: None }
    }

    /// Waits until the next try may begin, after one that failed with `error` and received `new_bytes`. Returns the
    /// error if it is not [transient](Error::is_transient), or if there are no tries or no time left.
    pub(super) async fn wait_or_fail(&mut self, error: Error, new_bytes: u64) -> Result<()> {
        self.made = self.made.saturating_add(1);
        if !error.is_transient() {
            return Err(self.given_up(error, ""));
        }
        if new_bytes > 0 {
            self.failed = 0;
        }
        if new_bytes >= PROGRESS {
            (self.waits, self.since) = (0, None);
        }
        self.failed += 1;
        if self.failed >= self.retry.tries {
            return Err(self.given_up(error, ""));
        }
        let wait = match error.retry_after() {
            Some(after) if after > self.retry.longest_retry_after => {
                let longest = self.retry.longest_retry_after;
                let why =
                    format!("; the server asks to wait {after:?}, but `Retry::longest_retry_after` is {longest:?}");
                return Err(self.given_up(error, &why));
            }
            // With jitter added, so that clients do not all return at the same time.
            Some(after) => after + self.retry.first_delay.mul_f64(jitter()),
            None => self.backoff().mul_f64(0.5 + jitter() / 2.0),
        };
        self.waits += 1;
        let next = Instant::now() + wait;
        let since = *self.since.get_or_insert(next - wait);
        if next > since + self.retry.total {
            return Err(self.given_up(error, "; the next try would begin later than `Retry::total` allows"));
        }
        if self.deadline.is_some_and(|deadline| next >= deadline) {
            return Err(load_is_over().with_source(error));
        }
        blocking::runtime("requests are retried")?;
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn backoff(&self) -> Duration {
        let doubled = 2u32.checked_pow(self.waits).and_then(|n| self.retry.first_delay.checked_mul(n));
        doubled.unwrap_or(Duration::MAX).min(self.retry.longest_delay)
    }

    /// Adds the reason for giving up and the number of tries to the error.
    fn given_up(&self, error: Error, why: &str) -> Error {
        let tried = if self.made > 1 { format!(" (tried {} times)", self.made) } else { String::new() };
        let message = format!("{}{why}{tried}", error.message());
        error.with_message(message)
    }
}

/// A random number between 0 and 1, so that clients that failed together do not retry together. Every `RandomState` has
/// different keys.
fn jitter() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}
