//! Files in memory, by name.

use crate::base::files::{Body, BoxFuture, Files, OpenOptions, Opened, Validator};
use crate::base::stream::into_stream;
use bytes::Bytes;
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use tfjs_manifest::{Error, Result};

/// Files in memory, by name. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryFiles {
    files: Arc<RwLock<BTreeMap<String, Bytes>>>,
}

impl MemoryFiles {
    /// An empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file. Static bytes, such as those of `include_bytes!`, are not copied:
    ///
    /// ```
    /// # use tfjs_io::{Bytes, MemoryFiles};
    /// static WEIGHTS: &[u8] = b"0123"; // include_bytes!("weights.bin")
    /// let files = MemoryFiles::new().with("weights.bin", Bytes::from_static(WEIGHTS));
    /// ```
    #[must_use]
    pub fn with(self, path: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        self.insert(path.into(), bytes.into());
        self
    }

    fn insert(&self, path: String, bytes: Bytes) {
        self.lock().insert(normal(&path).to_owned(), bytes);
    }

    pub(crate) fn lock(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Bytes>> {
        // Consistent even if another thread panicked: files are inserted in one step.
        self.files.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy of the files as they are now. Later changes of either do not affect the other.
    pub(crate) fn snapshot(&self) -> MemoryFiles {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner).clone();
        MemoryFiles { files: Arc::new(RwLock::new(files)) }
    }

    pub(crate) fn get(&self, path: &str) -> Option<Bytes> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).get(normal(path)).cloned()
    }

    /// The names of all files, sorted.
    pub fn names(&self) -> Vec<String> {
        self.files.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

/// The path without a leading `./`, which TensorFlow.js writes.
pub(crate) fn normal(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

/// Reads all files to their ends. Returns their bytes by name.
pub(crate) async fn in_memory(files: Vec<(String, Body)>) -> Result<BTreeMap<String, Bytes>> {
    let mut whole = BTreeMap::new();
    for (path, body) in files {
        let bytes = match body {
            Body::Bytes(bytes) => bytes,
            other => {
                let mut all = Vec::new();
                let mut chunks = into_stream(other, None);
                while let Some(chunk) = chunks.next().await {
                    all.extend_from_slice(&chunk?);
                }
                Bytes::from(all)
            }
        };
        whole.insert(normal(&path).to_owned(), bytes);
    }
    Ok(whole)
}

impl<P: Into<String>, B: Into<Bytes>> FromIterator<(P, B)> for MemoryFiles {
    fn from_iter<I: IntoIterator<Item = (P, B)>>(files: I) -> Self {
        files.into_iter().fold(Self::new(), |all, (path, bytes)| all.with(path, bytes))
    }
}

impl fmt::Debug for MemoryFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryFiles").field(&self.names()).finish()
    }
}

impl Files for MemoryFiles {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let Some(bytes) = self.get(path) else {
                let names: Vec<String> = self.names().iter().take(8).map(|n| format!("`{n}`")).collect();
                let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                return Err(Error::fetch(format!("no such file in memory; there are: {known}")).in_file(path));
            };
            // Bytes are never changed in place, so their address identifies them; no hash is needed.
            let validator = Validator::strong(format!("{:p}+{}", bytes.as_ptr(), bytes.len()));
            if options.if_none_match.as_ref() == Some(&validator) {
                return Ok(Opened::new(path, Body::Unchanged).with_validator(validator));
            }
            let whole = options.if_range.as_ref().is_some_and(|v| *v != validator);
            let range = options.range.filter(|_| !whole).map(|r| {
                let end = r.end.unwrap_or(u64::MAX).min(bytes.len() as u64) as usize;
                (r.start.min(end as u64) as usize)..end
            });
            let offset = range.as_ref().map_or(0, |r| r.start as u64);
            let body = range.map_or(bytes.clone(), |r| bytes.slice(r));
            let opened = Opened::new(path, Body::Bytes(body)).with_part(offset, Some(bytes.len() as u64));
            Ok(opened.with_validator(validator).with_ranges(true))
        })
    }

    fn put<'a>(&'a self, path: &'a str, body: Body) -> BoxFuture<'a, Result<()>> {
        self.put_all(vec![(path.to_owned(), body)])
    }

    /// Writes all files in one step, or none.
    fn put_all<'a>(&'a self, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let whole = in_memory(files).await?;
            self.lock().extend(whole);
            Ok(())
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        let names = self.names().into_iter().filter(|name| name.starts_with(prefix)).collect();
        Box::pin(std::future::ready(Ok(names)))
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        let removed = self.lock().remove(normal(path));
        let result = removed.map(drop).ok_or_else(|| Error::fetch("no such file in memory").in_file(path));
        Box::pin(std::future::ready(result))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::files::{ByteRange, Purpose};
    use crate::wrap::prefixed::PrefixedFiles;
    use tfjs_manifest::Kind;

    async fn text(files: &dyn Files, path: &str, options: OpenOptions) -> (u64, String) {
        let opened = files.open(path, options).await.unwrap();
        let Body::Bytes(bytes) = opened.body else { panic!("expected bytes") };
        (opened.offset, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn ranges_are_served_unless_the_file_changed() {
        let files = MemoryFiles::new().with("./a", "0123456789".as_bytes());
        let options = OpenOptions::new(Purpose::Weights).with_range(ByteRange { start: 4, end: Some(7) });
        assert_eq!(text(&files, "a", options.clone()).await, (4, "456".into()));
        let validator = files.open("a", OpenOptions::default()).await.unwrap().validator.unwrap();
        let options = options.with_if_range(validator);
        assert_eq!(text(&files, "a", options.clone()).await, (4, "456".into()));
        files.put("a", Bytes::from_static(b"other").into()).await.unwrap();
        assert_eq!(text(&files, "a", options).await, (0, "other".into()));
    }

    #[tokio::test]
    async fn a_missing_file_names_those_there_are() {
        let files = MemoryFiles::new().with("a", "x".as_bytes());
        let error = files.open("b", OpenOptions::default()).await.unwrap_err();
        assert_eq!((error.kind(), error.place().file.as_deref()), (Kind::Fetch, Some("b")));
        assert!(error.message().contains("`a`"), "{error}");
    }

    #[tokio::test]
    async fn a_prefix_is_a_folder_of_its_own() {
        let inner = Arc::new(MemoryFiles::new().with("m/a", "x".as_bytes()).with("n/b", "y".as_bytes()));
        let files = PrefixedFiles::new(inner.clone(), "m/");
        files.put("c", Bytes::from_static(b"z").into()).await.unwrap();
        assert_eq!(files.list("").await.unwrap(), ["a", "c"]);
        assert_eq!(text(&files, "a", OpenOptions::default()).await.1, "x");
        files.remove("a").await.unwrap();
        assert_eq!(inner.names(), ["m/c", "n/b"]);
        assert_eq!(files.open("b", OpenOptions::default()).await.unwrap_err().place().file.as_deref(), Some("m/b"));
    }
}
