//! The deadline of a call. The clock is read once for many operations, so that checking it costs nothing.

use std::cell::Cell;
use std::time::Instant;
use tfjs_manifest::{Error, Result};

/// The operations between two readings of the clock: some milliseconds.
const BETWEEN_LOOKS: u64 = 1 << 20;

/// Fails if the deadline has passed.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit).
pub fn check_deadline(deadline: Option<Instant>) -> Result<()> {
    match deadline {
        Some(deadline) if Instant::now() >= deadline => {
            Err(Error::limit("the prediction was not finished before its deadline"))
        }
        _ => Ok(()),
    }
}

/// Counts operations, and reads the clock once for many of them.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    deadline: Option<Instant>,
    since: Cell<u64>,
}

impl Clock {
    /// A clock with this deadline.
    pub fn new(deadline: Option<Instant>) -> Self {
        Clock { deadline, since: Cell::new(0) }
    }

    /// Counts operations that were or will be executed.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the deadline has passed.
    pub fn look(&self, operations: usize) -> Result<()> {
        let since = self.since.get().saturating_add(operations as u64);
        if since < BETWEEN_LOOKS {
            self.since.set(since);
            return Ok(());
        }
        self.since.set(0);
        check_deadline(self.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn the_deadline_is_checked_after_many_operations() {
        let clock = Clock::new(Some(Instant::now()));
        clock.look(BETWEEN_LOOKS as usize - 1).unwrap();
        assert_eq!(clock.look(1).unwrap_err().kind(), Kind::Limit);
        clock.look(1).unwrap();
        assert_eq!(clock.look(usize::MAX).unwrap_err().kind(), Kind::Limit);
        Clock::default().look(usize::MAX).unwrap();
    }
}
