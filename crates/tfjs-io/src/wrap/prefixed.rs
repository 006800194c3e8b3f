//! A folder inside another place, as a place of its own: the smallest wrapper of [`Files`].

use crate::base::files::{Body, BoxFuture, Files, FolderEntry, OpenOptions, Opened};
use std::sync::Arc;
use tfjs_manifest::Result;

/// The files of another place whose paths begin with a prefix. Paths here are without the prefix.
#[derive(Clone, Debug)]
pub struct PrefixedFiles {
    inner: Arc<dyn Files>,
    prefix: String,
}

impl PrefixedFiles {
    /// The files whose paths begin with `prefix`, which is put before every path unchanged; for a folder it ends in
    /// `/`.
    pub fn new(inner: Arc<dyn Files>, prefix: impl Into<String>) -> Self {
        PrefixedFiles { inner, prefix: prefix.into() }
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

impl Files for PrefixedFiles {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move { self.inner.open(&self.path(path), options).await })
    }

    fn put<'a>(&'a self, path: &'a str, body: Body) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.inner.put(&self.path(path), body).await })
    }

    fn put_all<'a>(&'a self, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        let files = files.into_iter().map(|(path, body)| (self.path(&path), body)).collect();
        self.inner.put_all(files)
    }

    fn replace<'a>(&'a self, former: Vec<String>, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        let former = former.iter().map(|path| self.path(path)).collect();
        let files = files.into_iter().map(|(path, body)| (self.path(&path), body)).collect();
        self.inner.replace(former, files)
    }

    fn entries<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FolderEntry>>> {
        Box::pin(async move {
            let whole = self.path(folder);
            let (inside, beginning) = match (folder, whole.rsplit_once('/')) {
                // If the prefix ends inside a name, the second part is the beginning of the names.
                ("", split) => split.unwrap_or(("", &whole)),
                _ => (whole.as_str(), ""),
            };
            let entries = self.inner.entries(inside).await?;
            let ours = entries.into_iter().filter_map(|entry| {
                let name = entry.name.strip_prefix(beginning)?.to_owned();
                Some(FolderEntry { name, ..entry })
            });
            Ok(ours.collect())
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let paths = self.inner.list(&self.path(prefix)).await?;
            Ok(paths.iter().filter_map(|p| p.strip_prefix(&self.prefix)).map(str::to_owned).collect())
        })
    }

    fn canonical<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            let found = self.inner.canonical(&self.path(path)).await?;
            // A link may lead to a file outside of this folder, which has no path here.
            Ok(found.strip_prefix(&self.prefix).map(str::to_owned).unwrap_or(found))
        })
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.inner.remove(&self.path(path)).await })
    }

    fn location(&self, path: &str) -> String {
        self.inner.location(&self.path(path))
    }
}
