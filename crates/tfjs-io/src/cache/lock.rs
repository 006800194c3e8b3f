//! Who may use a record: many who read it, or one who writes it. An open file holds the lock, so that the
//! system releases it when its process dies.
//!
//! Lock files lie apart from what they guard and are never removed: whoever waits for a lock on a file that is
//! gone would not exclude whoever makes it again.

use super::disk::io_error;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tfjs_manifest::{Error, Result};

/// How long to pause before a lock is tried again: at first, and at most.
const WAITS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];

/// A lock, held until this is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// With others who read; `None` while somebody writes.
    pub(super) fn shared(path: &Path) -> Result<Option<Lock>> {
        Self::hold(path, File::try_lock_shared)
    }

    /// Alone; `None` while somebody reads or writes.
    pub(super) fn exclusive(path: &Path) -> Result<Option<Lock>> {
        Self::hold(path, File::try_lock)
    }

    fn hold(path: &Path, lock: fn(&File) -> Result<(), TryLockError>) -> Result<Option<Lock>> {
        let file = open(path).map_err(|e| io_error("cannot open the lock of the cache", path, e))?;
        match lock(&file) {
            Ok(()) => Ok(Some(Lock { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(io_error("cannot lock the cache", path, e)),
        }
    }

    /// Notes that what is locked was used now. In a cache that cannot be written nobody will ask.
    pub(super) fn touch(&self) {
        let _ = self.file.set_modified(SystemTime::now());
    }
}

/// A cache that may only be read, as in a read-only image, can be used all the same.
fn open(path: &Path) -> io::Result<File> {
    let write = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    match write {
        Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            File::open(path).map_err(|_| e)
        }
        other => other,
    }
}

/// What comes of waiting.
pub(super) enum Turn<T> {
    /// What was looked for is there, and stays as long as the lock is held.
    Found(T, Lock),
    /// It is not there, and nobody else makes it.
    Mine(Lock),
}

/// Waits until what is looked for is there, or until it can be made by nobody else.
///
/// Fails if it takes longer than a load may. A holder that is alive is never pushed aside: it may well be fetching
/// for hours.
///
/// The lock is tried and not waited for: a thread that waits in the system cannot be cancelled, and would keep
/// the runtime from shutting down.
pub(super) async fn turn<T, L>(path: PathBuf, longest: Option<Duration>, look: L) -> Result<Turn<T>>
where
    T: Send + 'static,
    L: Fn() -> Option<T> + Send + Sync + 'static,
{
    let shared = Arc::new((path, look));
    let [mut wait, longest_wait] = WAITS;
    let start = Instant::now();
    loop {
        let shared = shared.clone();
        if let Some(turn) = crate::blocking::run(move || attempt(&shared.0, &shared.1)).await? {
            return Ok(turn);
        }
        if longest.is_some_and(|longest| start.elapsed() >= longest) {
            return Err(Error::fetch(
                "another load of this model took longer than this one may; see `Timeouts::total`",
            ));
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(longest_wait);
    }
}

fn attempt<T>(path: &Path, look: &impl Fn() -> Option<T>) -> Result<Option<Turn<T>>> {
    if let Some(lock) = Lock::shared(path)?
        && let Some(found) = look()
    {
        return Ok(Some(Turn::Found(found, lock)));
    }
    let Some(lock) = Lock::exclusive(path)? else {
        return Ok(None);
    };
    // Somebody may have made it between the two locks.
    Ok(look().is_none().then_some(Turn::Mine(lock)))
}
