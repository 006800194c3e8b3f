//! Files that must have the SHA-256 sums a caller knows: hashed as they stream, so that what was checked is what is
//! used. Without sums in the options nothing here does anything.

use crate::checksums::{Checksums, hex, normal};
use crate::cx::IoCx;
use crate::fetch::into_stream;
use crate::files::{Body, BoxFuture, Files, FolderEntry, OpenOptions, Opened};
use crate::handler::{IoHandler, ModelArtifacts, WeightSource};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// Loads a model's artifacts and checks its JSON against [`IoOptions::checksums`](crate::IoOptions::checksums);
/// [`fetch_weights`](crate::fetch_weights) does so with the weight files. Without checksums this is
/// [`IoHandler::load`].
///
/// # Errors
/// Those of the handler; [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for a JSON that is another.
pub async fn load_artifacts(handler: &dyn IoHandler, cx: &IoCx) -> Result<ModelArtifacts> {
    let artifacts = handler.load(cx).await?;
    let sums = &cx.options().checksums;
    if sums.is_empty() {
        return Ok(artifacts);
    }
    let place = |e: Error| e.in_file(&artifacts.location);
    let key = json_key(&artifacts.location, sums);
    if let Some(expected) = sums.expected(key).map_err(place)? {
        let body = into_stream(Body::Bytes(artifacts.model_json.clone()), None);
        hashed(expected, body).try_for_each(|_| std::future::ready(Ok(()))).await.map_err(place)?;
    }
    cx.note_checked_json(key);
    Ok(artifacts)
}

/// What the sums call a model's JSON: its own name, if they do, else `model.json`.
fn json_key<'a>(location: &'a str, sums: &Checksums) -> &'a str {
    let path = location.split('?').next().unwrap_or(location);
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    if sums.get(name).is_some() { name } else { crate::url::MODEL_JSON }
}

/// The weights, so that their files are checked while they are fetched.
///
/// # Errors
/// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for a sum whose file the model has not, and where all files must
/// have sums for one that has none; [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) where sums cannot be checked.
pub(crate) fn checked(source: &WeightSource, groups: &[Vec<String>], cx: &IoCx) -> Result<WeightSource> {
    let sums = &cx.options().checksums;
    if sums.is_empty() {
        return Ok(source.clone());
    }
    let json = cx.checked_json();
    let files: BTreeSet<String> = groups.iter().flatten().map(|path| normal(path)).collect();
    for path in &files {
        sums.expected(path).map_err(|e| e.in_file(path))?;
    }
    if json.is_none() && sums.is_strict() {
        return Err(Error::misuse("the model's JSON was not checked against its checksum; use `load_artifacts`"));
    }
    if let Some(path) = sums.paths().find(|path| !files.contains(*path) && json != Some(path)) {
        let why = match json {
            None => "has a checksum, but only `load_artifacts` checks a model's JSON, and no weight file is called so",
            Some(_) => "has a checksum, but the model has no such file",
        };
        let kind = if json.is_none() { Error::misuse(why) } else { Error::mismatch(why) };
        return Err(kind.in_file(path));
    }
    match source {
        WeightSource::Files(inner) => {
            let checked = CheckedFiles::new(inner.clone(), sums.clone());
            Ok(WeightSource::Files(Arc::new(checked)))
        }
        WeightSource::Whole(_) if !files.is_empty() && sums.paths().any(|path| files.contains(path)) => {
            Err(Error::misuse("checksums of files need files, and these weights are one piece of memory"))
        }
        other => Ok(other.clone()),
    }
}

/// The files of another place, given out only if they have the right sums.
///
/// The last bytes of a file come when all of it has been hashed and found to be right; whoever used those before
/// must throw them away after an error. Reads the whole file, whatever range was asked for.
#[derive(Clone, Debug)]
pub struct CheckedFiles {
    inner: Arc<dyn Files>,
    sums: Checksums,
}

impl CheckedFiles {
    /// The files of `inner`, which must have these sums.
    pub fn new(inner: Arc<dyn Files>, sums: Checksums) -> Self {
        CheckedFiles { inner, sums }
    }
}

impl Files for CheckedFiles {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let place = |e: Error| e.in_file(self.inner.location(path));
            let Some(expected) = self.sums.expected(path).map_err(place)? else {
                return self.inner.open(path, options).await;
            };
            let mut opened = self.inner.open(path, OpenOptions::new(options.purpose)).await?;
            let body = into_stream(opened.body, opened.len);
            let location = opened.location.clone();
            opened.body = Body::Stream(hashed(expected, body).map_err(move |e| e.in_file(&location)).boxed());
            opened.ranges = false;
            Ok(opened)
        })
    }

    fn entries<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FolderEntry>>> {
        self.inner.entries(folder)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        self.inner.list(prefix)
    }

    fn location(&self, path: &str) -> String {
        self.inner.location(path)
    }

    fn url(&self, path: &str) -> Option<String> {
        self.inner.url(path)
    }

    fn begin_load<'a>(&'a self, paths: &'a [&'a str]) -> BoxFuture<'a, Result<Option<Arc<dyn Files>>>> {
        Box::pin(async move {
            let begun = self.inner.begin_load(paths).await?;
            Ok(begun.map(|inner| Arc::new(CheckedFiles::new(inner, self.sums.clone())) as Arc<dyn Files>))
        })
    }

    fn end_load(&self) -> BoxFuture<'_, ()> {
        self.inner.end_load()
    }
}

/// The same bytes. One chunk is held back, so that there is an error in the place of the last if the sum is another.
fn hashed(expected: &str, body: BoxStream<'static, Result<Bytes>>) -> BoxStream<'static, Result<Bytes>> {
    let begin = (Sha256::new(), None::<Bytes>, body, expected.to_owned());
    stream::try_unfold(Some(begin), |state| async move {
        let Some((mut hasher, mut held, mut body, expected)) = state else { return Ok(None) };
        while let Some(chunk) = body.next().await.transpose()? {
            hasher.update(&chunk);
            if let Some(before) = held.replace(chunk) {
                return Ok(Some((before, Some((hasher, held, body, expected)))));
            }
        }
        let found = hex(&hasher.finalize());
        if found != expected {
            let error = format!("expected the SHA-256 sum {expected}, found {found}: this is another file");
            return Err(Error::mismatch(error));
        }
        Ok(held.map(|last| (last, None)))
    })
    .boxed()
}
