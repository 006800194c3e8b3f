//! Replaces several objects in one operation. Stores replace one object at a time, so everything is uploaded first
//! under temporary names, and objects to be replaced are copied to temporary names. Then the former last file is
//! removed, and the new files are copied to their keys, the last one last. After an error everything is restored.

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

/// Prefix of the names of temporary objects.
const STAGED: &str = ".tfjs-";

/// Most concurrent requests.
const AT_ONCE: usize = 4;

/// Whether this is the key of a temporary object of a save, perhaps one left by a process that died.
pub(super) fn is_staged(key: &Path) -> bool {
    key.filename().is_some_and(|name| name.starts_with(STAGED))
}

/// Writes all files, or leaves the store unchanged.
pub(super) async fn replace(files: &ObjectFiles, mut all: Vec<(Path, Body)>) -> Result<()> {
    if all.len() == 1 {
        // Every store writes one object atomically.
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
    // Waits for all of them even after an error, because a dropped request may still take effect.
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
        // In a task of its own, so that it is completed even if this future is dropped.
        Ok(runtime) => runtime
            .spawn(commit)
            .await
            .unwrap_or_else(|e| Err(Error::misuse("the tokio runtime was shut down during a save").with_source(e))),
        Err(_) => commit.await,
    }
}

/// A file that is uploaded under a temporary name.
struct Staged {
    at: Path,
    target: Path,
    /// Whether an object with this key existed before.
    replaces: bool,
}

/// Uploads a file: to its key, if it replaces no object and is not the last file; otherwise under a temporary name.
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

/// Copies all files to their keys, or restores the former objects.
async fn commit(files: ObjectFiles, staged: Vec<Staged>, traces: Traces) -> Result<()> {
    let replaced: Vec<(Path, Path)> =
        staged.iter().filter(|s| s.replaces).map(|s| (s.target.clone(), traces.beside(&s.target))).collect();
    // Until now, no existing object has been touched.
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
    // The last one is removed first and written last, so that it never exists beside files of two models.
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
        // The copies are the only ones of the former objects, so they must be kept.
        traces.forget(&back.iter().map(|(copy, _)| copy.clone()).collect::<Vec<_>>());
    }
    traces.undo().await;
    Err(match put_back {
        Ok(()) => e,
        Err(worse) => Error::several(
            format!(
                "the save failed, and the former objects could not be restored; they are in objects named `{STAGED}…`"
            ),
            vec![e, worse],
        ),
    })
}

/// Copies objects within the store. Waits for all copies; the first error is returned, for the object `shown` of a
/// pair.
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

/// The objects that a save has created so far. If it is dropped early, a task removes them, if there is a runtime.
struct Traces {
    files: ObjectFiles,
    /// Random part of every temporary name, so that two saves do not collide.
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
        // The hasher is randomly seeded, which is random enough for a name.
        let name = format!("{:016x}", RandomState::new().build_hasher().finish());
        Traces { files: files.clone(), name, failed: AtomicBool::new(false), keys: Mutex::default() }
    }

    fn keys<T>(&self, change: impl FnOnce(&mut Keys) -> T) -> T {
        change(&mut self.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A temporary key in the same folder, with the same extension, so that the store sets the same content type.
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

    /// Records an object that did not exist before and is about to be written.
    fn created(&self, key: &Path) {
        self.keys(|keys| keys.created.push(key.clone()));
    }

    /// Stops tracking these objects, so that they are not removed.
    fn forget(&self, them: &[Path]) {
        self.keys(|keys| keys.beside.retain(|key| !them.contains(key)));
    }

    /// Keeps the created files and removes the temporary objects.
    async fn keep(self) {
        self.keys(|keys| keys.created.clear());
        self.undo().await;
    }

    /// Removes every object that did not exist before.
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

/// Removes objects. Errors are ignored, because the result of the save is known already.
async fn remove(files: ObjectFiles, keys: Keys) {
    let keys: Vec<object_store::Result<Path>> = keys.created.into_iter().chain(keys.beside).map(Ok).collect();
    let mut removed = files.store.delete_stream(stream::iter(keys).boxed());
    while removed.next().await.is_some() {}
}
