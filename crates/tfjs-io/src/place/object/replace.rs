//! Several objects written as one. Stores replace one object at a time, so everything is uploaded first, what
//! will be replaced is copied aside within the store, and only then copies go into place: the former last file is
//! removed first, the new one comes last. After an error everything is put back.

use super::files::ObjectFiles;
use super::upload::upload;
use crate::base::files::{Body, BoxFuture};
use futures_util::{StreamExt, stream};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use tfjs_manifest::{Error, Result};
use tokio::runtime::Handle;

/// The beginning of the names of temporary objects.
const STAGED: &str = ".tfjs-";

/// Requests under way.
const AT_ONCE: usize = 4;

/// Whether an object of this key is there for the time of a save, or was when a process died.
pub(super) fn is_staged(key: &Path) -> bool {
    key.filename().is_some_and(|name| name.starts_with(STAGED))
}

/// Writes all files, or leaves what was there.
pub(super) async fn replace(files: &ObjectFiles, mut all: Vec<(Path, Body)>) -> Result<()> {
    if all.len() == 1 {
        // One object is written as a whole by every store.
        return match all.pop() {
            Some((key, body)) => upload(files, &key, &key, body).await,
            None => Ok(()),
        };
    }
    let traces = Traces::new(files);
    let last = all.len().saturating_sub(1);
    let jobs: Vec<BoxFuture<'_, Result<Option<Staged>>>> = all
        .into_iter()
        .enumerate()
        .map(|(i, (key, body))| Box::pin(stage(files, key, body, i == last, &traces)) as BoxFuture<'_, _>)
        .collect();
    // All of them are waited for, after an error too: a request that was given up may still take effect.
    let staged: Vec<Result<Option<Staged>>> = stream::iter(jobs).buffered(AT_ONCE).collect().await;
    let staged: Result<Vec<Option<Staged>>> = staged.into_iter().collect();
    let staged: Vec<Staged> = match staged {
        Ok(staged) => staged.into_iter().flatten().collect(),
        Err(e) => {
            traces.undo().await;
            return Err(e);
        }
    };
    let commit = commit(files.clone(), staged, traces);
    match Handle::try_current() {
        // Not to be stopped half-way by a future that is dropped.
        Ok(runtime) => runtime
            .spawn(commit)
            .await
            .unwrap_or_else(|e| Err(Error::misuse("the tokio runtime was shut down during a save").with_source(e))),
        Err(_) => commit.await,
    }
}

/// A file that is uploaded beside its place.
struct Staged {
    at: Path,
    target: Path,
    /// Whether there was one before.
    replaces: bool,
}

/// Uploads a file: beside its place, or, where nothing is replaced and nothing completed by it, into its place.
async fn stage(files: &ObjectFiles, key: Path, body: Body, last: bool, traces: &Traces) -> Result<Option<Staged>> {
    if traces.failed.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let work = async {
        let replaces = is_there(files, &key).await?;
        if !replaces && !last {
            traces.created(&key);
            upload(files, &key, &key, body).await?;
            return Ok(None);
        }
        let at = traces.beside(&key);
        upload(files, &at, &key, body).await?;
        Ok(Some(Staged { at, target: key, replaces }))
    };
    let result = work.await;
    if result.is_err() {
        traces.failed.store(true, Ordering::Relaxed);
    }
    result
}

async fn is_there(files: &ObjectFiles, key: &Path) -> Result<bool> {
    match files.store.head(key).await {
        Ok(_) => Ok(true),
        Err(StoreError::NotFound { .. }) => Ok(false),
        Err(e) => Err(files.error(&e, key)),
    }
}

/// Copies all files into their places, or puts back what was there.
async fn commit(files: ObjectFiles, staged: Vec<Staged>, traces: Traces) -> Result<()> {
    let replaced: Vec<(Path, Path)> =
        staged.iter().filter(|s| s.replaces).map(|s| (s.target.clone(), traces.beside(&s.target))).collect();
    // Nothing that was there has been touched so far.
    if let Err(e) = copy_all(&files, &replaced, |(target, _)| target).await {
        traces.undo().await;
        return Err(e);
    }
    let copies: Vec<(Path, Path)> = staged.iter().map(|s| (s.at.clone(), s.target.clone())).collect();
    for new in staged.iter().filter(|s| !s.replaces) {
        traces.created(&new.target);
    }
    let (last, others) = match copies.split_last() {
        Some((last, others)) => (std::slice::from_ref(last), others),
        None => (&[][..], &[][..]),
    };
    // The last one is removed first and written last: it is never beside files of two models.
    let mut placed = match staged.last().filter(|last| last.replaces) {
        Some(last) => files.store.delete(&last.target).await.map_err(|e| files.error(&e, &last.target)),
        None => Ok(()),
    };
    if placed.is_ok() {
        placed = copy_all(&files, others, |(_, target)| target).await;
    }
    if placed.is_ok() {
        placed = copy_all(&files, last, |(_, target)| target).await;
    }
    let Err(e) = placed else {
        traces.keep().await;
        return Ok(());
    };
    let back: Vec<(Path, Path)> = replaced.into_iter().map(|(target, copy)| (copy, target)).collect();
    let put_back = copy_all(&files, &back, |(_, target)| target).await;
    if put_back.is_err() {
        // The copies are all that is left of what was there.
        traces.forget(&back.iter().map(|(copy, _)| copy.clone()).collect::<Vec<_>>());
    }
    traces.undo().await;
    Err(match put_back {
        Ok(()) => e,
        Err(worse) => Error::several(
            format!(
                "the save failed, and what was there before could not be put back; it is in objects named `{STAGED}…`"
            ),
            vec![e, worse],
        ),
    })
}

/// Copies objects within the store. All are waited for; the first error counts, about the object `shown` of a pair.
async fn copy_all(files: &ObjectFiles, pairs: &[(Path, Path)], shown: fn(&(Path, Path)) -> &Path) -> Result<()> {
    let copies: Vec<BoxFuture<'_, Result<()>>> = pairs
        .iter()
        .map(|pair| {
            let copy =
                async move { files.store.copy(&pair.0, &pair.1).await.map_err(|e| files.error(&e, shown(pair))) };
            Box::pin(copy) as BoxFuture<'_, _>
        })
        .collect();
    let done: Vec<Result<()>> = stream::iter(copies).buffered(AT_ONCE).collect().await;
    done.into_iter().collect()
}

/// What a save leaves in the store until it is over. Dropped before that, it is removed by a task, if there is a
/// runtime to run it.
struct Traces {
    files: ObjectFiles,
    /// In every name, so that two saves do not meet.
    name: String,
    failed: AtomicBool,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    count: usize,
    beside: Vec<Path>,
    created: Vec<Path>,
}

impl Traces {
    fn new(files: &ObjectFiles) -> Self {
        // Randomly seeded, which is all that is wanted of it.
        let name = format!("{:016x}", RandomState::new().build_hasher().finish());
        Traces { files: files.clone(), name, failed: AtomicBool::new(false), keys: Mutex::default() }
    }

    fn keys<T>(&self, change: impl FnOnce(&mut Keys) -> T) -> T {
        change(&mut self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A key beside this one, of the same kind of file, so that the store gives it the same content type.
    fn beside(&self, key: &Path) -> Path {
        self.keys(|keys| {
            keys.count += 1;
            let extension = key.extension().map(|e| format!(".{e}")).unwrap_or_default();
            let name = format!("{STAGED}{}-{}{extension}", self.name, keys.count);
            let at = key.parent().unwrap_or_default().join(name);
            keys.beside.push(at.clone());
            at
        })
    }

    /// An object that was not there before is about to be.
    fn created(&self, key: &Path) {
        self.keys(|keys| keys.created.push(key.clone()));
    }

    /// These are no longer ours to remove.
    fn forget(&self, them: &[Path]) {
        self.keys(|keys| keys.beside.retain(|key| !them.contains(key)));
    }

    /// The files are in their places.
    async fn keep(self) {
        self.keys(|keys| keys.created.clear());
        self.undo().await;
    }

    /// Removes everything that was not there before.
    async fn undo(self) {
        let keys = self.keys(std::mem::take);
        remove(self.files.clone(), keys).await;
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        let keys = self.keys(std::mem::take);
        if keys.beside.is_empty() && keys.created.is_empty() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(remove(self.files.clone(), keys));
        }
    }
}

/// Removes objects as far as that can be done: the save itself succeeded or failed before.
async fn remove(files: ObjectFiles, keys: Keys) {
    let keys: Vec<object_store::Result<Path>> = keys.created.into_iter().chain(keys.beside).map(Ok).collect();
    let mut removed = files.store.delete_stream(stream::iter(keys).boxed());
    while removed.next().await.is_some() {}
}
