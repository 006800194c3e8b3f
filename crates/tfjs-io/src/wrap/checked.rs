//! Checks files against the caller's SHA-256 sums. They are hashed while they stream, so that the checked bytes are the
//! bytes that are used.

use crate::base::checksums::{Checksums, hex};
use crate::base::files::{Body, BoxFuture, Files, FolderEntry, OpenOptions, Opened};
use crate::base::stream::into_stream;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// The files of another place, whose SHA-256 sums are checked.
///
/// The last bytes of a file are returned only after its sum was verified. After an error, a caller must discard the
/// bytes it has received. Reads the whole file, whatever range was requested.
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

    fn canonical<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<String>> {
        self.inner.canonical(path)
    }

    fn location(&self, path: &str) -> String {
        self.inner.location(path)
    }
}

/// Hashes a body. One chunk is held back, so that a wrong sum is an error instead of the last chunk.
pub(crate) fn hashed(expected: &str, body: BoxStream<'static, Result<Bytes>>) -> BoxStream<'static, Result<Bytes>> {
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
            let error = format!("expected the SHA-256 sum {expected}, found {found}: the file is not the expected one");
            return Err(Error::mismatch(error));
        }
        Ok(held.map(|last| (last, None)))
    })
    .boxed()
}
