//! Locks of records: shared by readers, or exclusive for a writer. An open file holds the lock, so that the system
//! releases it when its process dies.
//!
//! Lock files are separate from the files they guard and are never removed: a process that has opened a removed lock
//! file would not exclude one that creates the file again.

use super::disk::{self, io_error};
use crate::model::cx::IoCx;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tfjs_manifest::{Error, Result};

/// The first and the longest pause between two attempts to lock.
const WAITS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(50)];

/// A lock, held until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// A shared lock; `None` while another process writes.
    pub(super) fn shared(path: &Path) -> Result<Option<Lock>> {
        Self::hold(path, File::try_lock_shared)
    }

    /// An exclusive lock; `None` while another process reads or writes.
    pub(super) fn exclusive(path: &Path) -> Result<Option<Lock>> {
        Self::hold(path, File::try_lock)
    }

    fn hold(path: &Path, lock: fn(&File) -> Result<(), TryLockError>) -> Result<Option<Lock>> {
        // Checks `v1` and `v1/locks`: if one were a link, lock files would be created elsewhere.
        path.ancestors().skip(1).take(2).try_for_each(disk::check_folder)?;
        let file = open(path).map_err(|e| io_error("cannot open the lock of the cache", path, e))?;
        match lock(&file) {
            Ok(()) => Ok(Some(Lock { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(io_error("cannot lock the cache", path, e)),
        }
    }

    /// Records the time of the last use. An error is ignored: a cache that cannot be written does not remove models
    /// either.
    pub(super) fn touch(&self) {
        let _ = self.file.set_modified(SystemTime::now());
    }
}

/// Opens a lock file; for reading if the cache is read-only, as in a machine image.
fn open(path: &Path) -> io::Result<File> {
    match disk::open_to_write(path, true) {
        Err(e) if matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            disk::open_to_read(path).map_err(|_| e)
        }
        other => other,
    }
}

/// The result of waiting for a lock.
pub(super) enum Turn<T> {
    /// The value exists, and does not change while the lock is held.
    Found(T, Lock),
    /// The value does not exist, and this load may write it.
    Mine(Lock),
}

/// How long to wait for another load.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// After this time the wait is reported.
    pub(super) report: Duration,
    /// After this time the load continues without the cache.
    pub(super) longest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { report: Duration::from_secs(2), longest: Duration::from_secs(30) }
    }
}

/// Waits until `look` finds a value, or until this load may write it.
///
/// Fails if that takes too long. The lock is never taken from another process, which may be fetching for hours; the
/// waiting load can continue without the cache.
///
/// The lock is polled: a thread that blocks in the system call cannot be cancelled, and would keep the runtime from
/// shutting down.
pub(super) async fn turn<T, L>(path: PathBuf, patience: Patience, cx: &IoCx, look: L) -> Result<Turn<T>>
where
    T: Send + 'static,
    L: Fn() -> Option<T> + Send + Sync + 'static,
{
    // The rest of the time is for the load without the cache.
    let longest = cx.options().timeouts.total.map_or(patience.longest, |total| (total / 4).min(patience.longest));
    let shown: Arc<str> = path.display().to_string().into();
    let shared = Arc::new((path, look));
    let [mut wait, longest_wait] = WAITS;
    let (start, mut reported) = (Instant::now(), false);
    loop {
        let shared = shared.clone();
        if let Some(turn) = crate::base::blocking::run(move || attempt(&shared.0, &shared.1)).await? {
            return Ok(turn);
        }
        if !reported && start.elapsed() >= patience.report {
            reported = true;
            cx.reporter().waits(&shown);
        }
        if start.elapsed() >= longest {
            let error = format!("another load has held the lock of this model for {longest:?}");
            return Err(Error::fetch(error).in_file(&*shown));
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
    // Another load may have written it between the two locks.
    Ok(look().is_none().then_some(Turn::Mine(lock)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::progress::Phase;
    use crate::model::options::IoOptions;
    use std::sync::Mutex;
    use tfjs_manifest::Kind;

    const SHORT: Patience = Patience { report: Duration::from_millis(100), longest: Duration::from_millis(400) };

    #[tokio::test]
    async fn a_lock_that_is_held_is_reported_and_then_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k.model");
        let held = Lock::exclusive(&path).unwrap().unwrap();
        let seen: Arc<Mutex<Vec<Phase>>> = Arc::default();
        let record = seen.clone();
        let cx = IoCx::new(IoOptions::default().with_on_progress(move |p| record.lock().unwrap().push(p.phase)));
        let start = Instant::now();
        let error = turn(path.clone(), SHORT, &cx, || None::<()>).await.err().unwrap();
        assert_eq!((error.kind(), error.place().file.as_deref()), (Kind::Fetch, path.to_str()));
        assert!(error.message().contains("held the lock"), "{error}");
        assert!((SHORT.longest..Duration::from_secs(20)).contains(&start.elapsed()));
        assert_eq!(*seen.lock().unwrap(), [Phase::Waiting]);
        drop(held);
        assert!(matches!(turn(path, SHORT, &cx, || None::<()>).await, Ok(Turn::Mine(_))));
    }

    #[test]
    fn patience_is_two_seconds_and_thirty() {
        let Patience { report, longest } = Patience::default();
        assert_eq!((report.as_secs(), longest.as_secs()), (2, 30));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_or_a_pipe_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("elsewhere", dir.path().join("link")).unwrap();
        assert_eq!(Lock::exclusive(&dir.path().join("link")).unwrap_err().kind(), Kind::Fetch);
        assert!(!dir.path().join("elsewhere").exists());
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(Lock::exclusive(&pipe).unwrap_err().kind(), Kind::Fetch);
    }
}
