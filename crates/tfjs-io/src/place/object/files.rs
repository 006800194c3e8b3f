//! Implements [`Files`] for stores of the crate `object_store`: opening, ranges, validators, listing. Independent of
//! the cloud.

use super::encoded::decoded;
use super::error::error;
use super::{key, replace, upload};
use crate::base::files::{Body, BoxFuture, ByteRange, Files, FolderEntry, OpenOptions, Opened, Validator};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Attribute, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt};
use std::fmt;
use std::sync::Arc;
use tfjs_manifest::{Error, Limits, Result};

/// The objects of a folder in any store of the crate [`object_store`].
///
/// Schemes create these from URLs. For a store of your own, such as one with another kind of credentials:
///
/// ```
/// use object_store::memory::InMemory;
/// use std::sync::Arc;
/// use tfjs_io::{FilesHandler, ObjectFiles};
///
/// # fn main() -> tfjs_io::Result<()> {
/// let files = ObjectFiles::new(Arc::new(InMemory::new()), "models/digits")?;
/// let handler = FilesHandler::new(Arc::new(files), "model.json");
/// # let _ = handler;
/// # Ok(())
/// # }
/// ```
///
/// Keys are used unchanged, without percent-decoding or escaping. [`put_all`](Files::put_all) first uploads all files
/// under temporary names, then copies them to their keys within the store; after an error everything is restored. If
/// the process dies, objects whose names begin with `.tfjs-` can be left; they are not listed.
#[derive(Clone)]
pub struct ObjectFiles {
    pub(super) store: Arc<dyn ObjectStore>,
    #[cfg(feature = "cloud")]
    pub(super) signer: Option<Arc<dyn object_store::signer::Signer>>,
    prefix: String,
    root: String,
    limits: Limits,
    hint: &'static str,
}

impl ObjectFiles {
    /// The objects in a folder of a store; an empty string means the whole store.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for a folder that is not a valid key.
    pub fn new(store: Arc<dyn ObjectStore>, folder: &str) -> Result<Self> {
        let slash = if folder.is_empty() || folder.ends_with('/') { "" } else { "/" };
        ObjectFiles::beginning(store, format!("{folder}{slash}"))
    }

    /// The objects whose keys begin with `prefix`.
    pub(super) fn beginning(store: Arc<dyn ObjectStore>, prefix: String) -> Result<Self> {
        key::check_prefix(&prefix)?;
        let root = format!("{store}/");
        Ok(ObjectFiles {
            store,
            #[cfg(feature = "cloud")]
            signer: None,
            prefix,
            root,
            limits: Limits::default(),
            hint: "check the credentials of the store",
        })
    }

    /// Sets the prefix of keys in messages, such as `s3://bucket/`. Default: the store's own name.
    #[must_use]
    pub fn with_root(mut self, root: impl Into<String>) -> Self {
        self.root = root.into();
        self
    }

    /// Sets the limits; only those of paths apply.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the hint in the error if the store denies access.
    #[cfg(feature = "cloud")]
    pub(super) fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }

    /// Sets the signer of URLs.
    #[cfg(feature = "cloud")]
    #[must_use]
    pub fn with_signer(mut self, signer: Arc<dyn object_store::signer::Signer>) -> Self {
        self.signer = Some(signer);
        self
    }

    /// A signed URL with which anyone can read this file over HTTPS until it expires. Does not check that the file
    /// exists.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if the store cannot sign;
    /// [`Kind::Fetch`](tfjs_manifest::Kind::Fetch) without credentials.
    #[cfg(feature = "cloud")]
    pub async fn sign_get(&self, path: &str, expires_in: std::time::Duration) -> Result<String> {
        let key = self.key(path)?;
        let unsigned = || Error::unsupported("this store cannot sign URLs").in_file(self.url(&key));
        let signer = self.signer.as_ref().ok_or_else(unsigned)?;
        let signed = signer.signed_url(http::Method::GET, &key, expires_in).await;
        signed.map(String::from).map_err(|e| self.error(&e, &key))
    }

    fn key(&self, path: &str) -> Result<Path> {
        key::key(&self.prefix, path, &self.limits)
    }

    fn url(&self, key: &Path) -> String {
        format!("{}{key}", self.root)
    }

    /// An error of the store about this object.
    pub(super) fn error(&self, e: &object_store::Error, key: &Path) -> Error {
        error(e, self.hint).in_file(self.url(key))
    }

    async fn get(&self, key: &Path, options: &OpenOptions) -> Result<Opened> {
        let mut get = GetOptions { range: options.range.and_then(get_range), ..GetOptions::default() };
        if let Some(validator) = &options.if_none_match {
            get.if_none_match = Some(validator.as_str().to_owned());
        }
        // Stores support `If-Match`, which fails where `If-Range` would return the whole file.
        let if_range = options.if_range.as_ref().filter(|_| get.range.is_some());
        if let Some(validator) = if_range {
            get.if_match = Some(validator.as_str().to_owned());
        }
        match self.store.get_opts(key, get).await {
            Ok(found) if if_range.is_some_and(|v| validator(&found.meta).as_ref() != Some(v)) => self.whole(key).await,
            // Some stores ignore the condition and return the object.
            Ok(found) if options.if_none_match.is_some() && validator(&found.meta) == options.if_none_match => {
                Ok(Opened::new(self.url(key), Body::Unchanged).with_validator_of(&found.meta))
            }
            // A range of a compressed object cannot be decoded.
            Ok(found) if encoding(&found).is_some() && options.range.is_some() => self.whole(key).await,
            Ok(found) => self.opened(key, found).await,
            Err(object_store::Error::NotModified { .. }) if options.if_none_match.is_some() => {
                let opened = Opened::new(self.url(key), Body::Unchanged);
                Ok(options.if_none_match.iter().cloned().fold(opened, Opened::with_validator))
            }
            Err(object_store::Error::Precondition { .. }) if if_range.is_some() => self.whole(key).await,
            Err(e) => Err(self.error(&e, key)),
        }
    }

    async fn whole(&self, key: &Path) -> Result<Opened> {
        let found = self.store.get_opts(key, GetOptions::default()).await.map_err(|e| self.error(&e, key))?;
        self.opened(key, found).await
    }

    async fn opened(&self, key: &Path, found: GetResult) -> Result<Opened> {
        let (meta, range) = (found.meta.clone(), found.range.clone());
        let encoding = encoding(&found);
        let body = self.body(key, found);
        let opened = match encoding {
            Some(encoding) => {
                let body = decoded(&encoding, body).await.map_err(|e| e.in_file(self.url(key)))?;
                Opened::new(self.url(key), Body::Stream(body))
            }
            None => {
                let opened =
                    Opened::new(self.url(key), Body::Stream(body)).with_len(range.end.saturating_sub(range.start));
                opened.with_part(range.start, Some(meta.size)).with_ranges(true)
            }
        };
        Ok(opened.with_validator_of(&meta))
    }

    fn body(&self, key: &Path, found: GetResult) -> BoxStream<'static, Result<Bytes>> {
        let (location, hint) = (self.url(key), self.hint);
        found.into_stream().map_err(move |e| error(&e, hint).in_file(&location)).boxed()
    }
}

impl Files for ObjectFiles {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let key = self.key(path)?;
            if options.range.is_some_and(|r| r.end.is_some_and(|end| end <= r.start)) {
                return Err(Error::misuse("an empty range cannot be requested").in_file(self.url(&key)));
            }
            self.get(&key, &options).await
        })
    }

    fn put<'a>(&'a self, path: &'a str, body: Body) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let key = self.key(path)?;
            upload::upload(self, &key, &key, body).await
        })
    }

    fn put_all<'a>(&'a self, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let files: Result<Vec<_>> = files.into_iter().map(|(path, body)| Ok((self.key(&path)?, body))).collect();
            replace::replace(self, files?).await
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let beginning = format!("{}{prefix}", self.prefix);
            // Stores list whole folders only.
            let folder = beginning.rfind('/').map_or("", |at| &beginning[..at]);
            let folder = Path::parse(folder).map_err(|e| {
                Error::misuse("a key with empty, `.` or `..` components cannot be listed")
                    .in_file(prefix)
                    .with_source(e)
            })?;
            let objects = self.store.list((!folder.is_root()).then_some(&folder));
            let objects: Vec<ObjectMeta> = objects.try_collect().await.map_err(|e| self.error(&e, &folder))?;
            let keys = objects.iter().map(|meta| &meta.location);
            let shown = keys.filter(|key| key.as_ref().starts_with(&beginning) && !replace::is_staged(key));
            let mut paths: Vec<String> =
                shown.filter_map(|key| key.as_ref().strip_prefix(&self.prefix)).map(str::to_owned).collect();
            paths.sort();
            Ok(paths)
        })
    }

    fn entries<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FolderEntry>>> {
        Box::pin(async move {
            let slash = if folder.is_empty() { "" } else { "/" };
            let beginning = format!("{}{folder}{slash}", self.prefix);
            let at = beginning.rfind('/').map_or("", |at| &beginning[..at]);
            let at = Path::parse(at)
                .map_err(|e| Error::malformed("this folder is not a valid key").in_file(folder).with_source(e))?;
            let found = self.store.list_with_delimiter((!at.is_root()).then_some(&at)).await;
            let found = found.map_err(|e| self.error(&e, &at))?;
            let objects = found.objects.iter().filter(|meta| !replace::is_staged(&meta.location));
            let entries = objects.filter_map(|meta| {
                let name = meta.location.as_ref().strip_prefix(&beginning)?;
                Some(FolderEntry::new(name).with_len(meta.size))
            });
            Ok(entries.collect())
        })
    }

    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let key = self.key(path)?;
            // Most stores report no error if a deleted object did not exist.
            self.store.head(&key).await.map_err(|e| self.error(&e, &key))?;
            self.store.delete(&key).await.map_err(|e| self.error(&e, &key))
        })
    }

    fn location(&self, path: &str) -> String {
        self.key(path).map_or_else(|_| path.to_owned(), |key| self.url(&key))
    }
}

/// Does not show the store, whose `Debug` may contain credentials.
impl fmt::Debug for ObjectFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ObjectFiles").field(&format!("{}{}", self.root, self.prefix)).finish()
    }
}

impl Opened {
    fn with_validator_of(self, meta: &ObjectMeta) -> Self {
        let opened = self.with_modified(meta.last_modified.into());
        validator(meta).into_iter().fold(opened, Opened::with_validator)
    }
}

fn validator(meta: &ObjectMeta) -> Option<Validator> {
    let tag = meta.e_tag.as_deref()?;
    Some(if tag.starts_with("W/") { Validator::weak(tag) } else { Validator::strong(tag) })
}

fn get_range(range: ByteRange) -> Option<GetRange> {
    match (range.start, range.end) {
        // The whole file, without a range: stores reject any range of an empty object.
        (0, None) => None,
        (start, None) => Some(GetRange::Offset(start)),
        (start, Some(end)) => Some(GetRange::Bounded(start..end)),
    }
}

fn encoding(found: &GetResult) -> Option<String> {
    let encoding = found.attributes.get(&Attribute::ContentEncoding)?.trim();
    // S3 keeps the encoding of a chunked signed upload, although the object is stored without it.
    let plain = encoding.is_empty() || ["identity", "aws-chunked"].iter().any(|e| encoding.eq_ignore_ascii_case(e));
    (!plain).then(|| encoding.to_ascii_lowercase())
}
