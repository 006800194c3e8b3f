//! Which failures may pass, when to try again, and when to give up. Opens nothing itself.

use crate::cx::IoCx;
use crate::retry::Retry;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};
use tfjs_manifest::{Error, Result};

/// New bytes that make a try a good one, after which the waits are short and the time is counted anew. One
/// that brings less is as good as none: a server could go on like that for ever.
const GOOD_TRY: u64 = 64 << 10;

/// Marks an error that may pass, as its cause. It stands before the true one and looks like it.
#[derive(Debug)]
struct MayPass {
    /// What the server asks to wait.
    after: Option<Duration>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl fmt::Display for MayPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => cause.fmt(f),
            None => f.write_str("this may pass"),
        }
    }
}

impl std::error::Error for MayPass {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().and_then(|cause| cause.source())
    }
}

/// The same error, marked: trying again may help. Without the mark an error is final.
pub(crate) fn may_pass(error: Error) -> Error {
    may_pass_after(error, None)
}

/// The same, not to be tried again before this time has passed.
pub(crate) fn may_pass_after(mut error: Error, after: Option<Duration>) -> Error {
    let cause = error.take_source();
    error.with_source(MayPass { after, cause })
}

/// The error without its mark, and the mark's wait if there was one.
fn unmarked(mut error: Error) -> (Error, Option<Option<Duration>>) {
    let Some(source) = error.take_source() else {
        return (error, None);
    };
    match source.downcast::<MayPass>() {
        Err(source) => (error.with_source(source), None),
        Ok(mark) => match mark.cause {
            Some(cause) => (error.with_source(cause), Some(mark.after)),
            None => (error, Some(mark.after)),
        },
    }
}

/// The error as it was before it was marked, for those who try again by rules of their own.
#[cfg(feature = "cloud")]
pub(crate) fn without_mark(error: Error) -> Error {
    unmarked(error).0
}

/// The tries of one file.
#[derive(Debug)]
pub(super) struct Tries {
    retry: Retry,
    /// When the whole load must be over.
    deadline: Option<Instant>,
    made: u32,
    /// Those in a row that brought nothing.
    failed: u32,
    /// The waits since the last good one.
    waits: u32,
    /// When the first one after the last good one failed.
    since: Option<Instant>,
}

impl Tries {
    pub(super) fn new(cx: &IoCx) -> Self {
        let retry = cx.options().retry.clone();
        Tries { retry, deadline: cx.deadline(), made: 0, failed: 0, waits: 0, since: None }
    }

    /// Waits until the next try may begin, after one that failed with this error and brought so many new
    /// bytes. Gives the error back if it is final, or if there were tries enough.
    pub(super) async fn again(&mut self, error: Error, brought: u64) -> Result<()> {
        self.made = self.made.saturating_add(1);
        let (error, mark) = unmarked(error);
        let Some(after) = mark else {
            return Err(self.given_up(error, ""));
        };
        if brought > 0 {
            self.failed = 0;
        }
        if brought >= GOOD_TRY {
            (self.waits, self.since) = (0, None);
        }
        self.failed += 1;
        if self.failed >= self.retry.tries {
            return Err(self.given_up(error, ""));
        }
        let wait = match after {
            Some(after) if after > self.retry.longest_retry_after => {
                let longest = self.retry.longest_retry_after;
                let why = format!("; it asks to wait {after:?}, `Retry::longest_retry_after` is {longest:?}");
                return Err(self.given_up(error, &why));
            }
            // Not all at the very moment it named.
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
        crate::blocking::runtime("tries are repeated")?;
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn backoff(&self) -> Duration {
        let doubled = 2u32.checked_pow(self.waits).and_then(|n| self.retry.first_delay.checked_mul(n));
        doubled.unwrap_or(Duration::MAX).min(self.retry.longest_delay)
    }

    /// The error, with why there is no further try and how many there were.
    fn given_up(&self, error: Error, why: &str) -> Error {
        let tried = if self.made > 1 { format!(" (tried {} times)", self.made) } else { String::new() };
        let message = format!("{}{why}{tried}", error.message());
        error.with_message(message)
    }
}

/// The time of a whole load has run out.
pub(crate) fn load_is_over() -> Error {
    Error::fetch("timed out: the time for the whole load is over; see `Timeouts::total`")
}

/// Between 0 and 1, so that many who failed together do not come back together. Every `RandomState` is
/// another.
fn jitter() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}
