//! The trait [`Files`], which every backend implements: named files that can be opened, and perhaps written, listed and
//! removed.
//!
//! An implementation knows nothing about models. Anything between a backend and a model (decryption, a limit, a
//! signature) is another `Files` around it; [`PrefixedFiles`](crate::PrefixedFiles) is one, and
//! `examples/decrypting.rs` shows how to write another.

mod each;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use std::fmt::{self, Debug};
use std::fs::File;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::SystemTime;
use tfjs_manifest::{Error, Result};

/// A boxed future that can move between threads, for any executor.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A place with files in it: a folder, a URL's directory, a bucket, an archive, a map in memory.
///
/// A wrapper around another place implements the methods it changes, and forwards [`location`](Self::location) and any
/// other method its users need. It does not have to handle caching: the cache is below every wrapper that is put around
/// the [`WeightSource`](crate::WeightSource) of a handler.
///
/// An error that may go away on a retry, such as a lost connection, should be marked as
/// [transient](tfjs_manifest::Error::transient); callers do not retry other errors.
///
/// Paths are relative, with `/` between their components. Paths from a manifest have passed
/// [`shard_components`](crate::shard_components) before they get here. An implementation that maps paths to folders
/// must check them again.
pub trait Files: Send + Sync + Debug {
    /// Opens a file, or a range of it. Returns as soon as the length is known, or known to be missing. The body is read
    /// later; dropping it ends the transfer.
    ///
    /// # Errors
    /// [`Kind::Fetch`](tfjs_manifest::Kind::Fetch) if there is no such file or it cannot be reached.
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>>;

    /// Writes a file, whole or not at all: after an error it is as it was before.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if this place is read-only.
    fn put<'a>(&'a self, path: &'a str, body: Body) -> BoxFuture<'a, Result<()>> {
        let _ = body;
        unsupported("be written to", path)
    }

    /// Writes several files in this order. The last one makes the others usable, as a model's JSON does.
    ///
    /// If possible, an implementation leaves all files as they were after an error. The default first removes an
    /// existing last file, and does not write it after an error, so that a reader never mixes files of two models.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    fn put_all<'a>(&'a self, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(each::put_each(self, files))
    }

    /// Replaces the files of a former model by those of a new one, or by none: creates the new files, and replaces or
    /// removes those of `former`. In both lists the last file is the one that makes the others usable, so it is removed
    /// first. If a new file has the name of an existing file that is not in `former`, that is an error where the place
    /// can detect it. The default, which cannot, is [`put_all`](Self::put_all), then [`remove`](Self::remove).
    ///
    /// # Errors
    /// As these methods.
    fn replace<'a>(&'a self, former: Vec<String>, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(each::replace_each(self, former, files))
    }

    /// The sorted paths of all files whose path begins with `prefix`.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if this place cannot list.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        unsupported("be listed", prefix)
    }

    /// The entries of one folder, except its subfolders: files, links, devices and pipes. The root folder is the empty
    /// string. A folder that does not exist has no entries. The default uses [`list`](Self::list).
    ///
    /// # Errors
    /// Any error that prevents a complete listing; [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if this
    /// place cannot list.
    fn entries<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FolderEntry>>> {
        Box::pin(each::entries_of_list(self, folder))
    }

    /// The path of a file with links resolved: equal for two paths that lead to one file. The default, for places
    /// without links, is the path itself.
    ///
    /// # Errors
    /// Any error of resolving a link.
    fn canonical<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<String>> {
        Box::pin(std::future::ready(Ok(path.to_owned())))
    }

    /// Removes a file.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if this place cannot remove.
    fn remove<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<()>> {
        unsupported("remove files", path)
    }

    /// The file as messages name it: its URL without secrets, or its path.
    fn location(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// The error of a file that exists and would be replaced, but does not belong to the former model.
pub(crate) fn not_ours(place: impl fmt::Display) -> Error {
    let error = "this file exists already and does not belong to the model that would be replaced; move it away, or \
                 choose another folder";
    Error::misuse(error).in_file(place)
}

/// The error of a file that changed between the fetches of two parts of it.
pub(crate) fn changed() -> Error {
    Error::mismatch("the file changed while it was fetched; load the model again")
}

fn unsupported<T: Send + 'static>(what: &str, path: &str) -> BoxFuture<'static, Result<T>> {
    let error = Error::unsupported(format!("this place cannot {what}"));
    let error = if path.is_empty() { error } else { error.in_file(path) };
    Box::pin(std::future::ready(Err(error)))
}

/// An entry of a folder that is not a folder itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FolderEntry {
    /// The name, without the folder.
    pub name: String,
    /// The length, if it is known without opening the file.
    pub len: Option<u64>,
    /// Whether it is a regular file, not a link, device or pipe.
    pub is_file: bool,
}

impl FolderEntry {
    /// A file of unknown length.
    pub fn new(name: impl Into<String>) -> Self {
        FolderEntry { name: name.into(), len: None, is_file: true }
    }

    /// Sets the length.
    #[must_use]
    pub fn with_len(mut self, len: u64) -> Self {
        self.len = Some(len);
        self
    }

    /// Marks the entry as a link, a device or a pipe.
    #[must_use]
    pub fn not_a_file(mut self) -> Self {
        self.is_file = false;
        self
    }
}

/// The purpose of opening a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Text, which may be compressed for the transfer.
    Json,
    /// Weights, which hardly compress; their length should be known.
    #[default]
    Weights,
}

/// Options for opening a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OpenOptions {
    /// The purpose.
    pub purpose: Purpose,
    /// Opens only these bytes. A place without support for ranges returns the whole file; see [`Opened::offset`].
    pub range: Option<ByteRange>,
    /// The range applies only if the file still has this validator. A place that can compare validators returns the
    /// whole file if it has another.
    pub if_range: Option<Validator>,
    /// Opens the file only if it no longer has this validator. A place that can compare validators returns
    /// [`Body::Unchanged`] if it still has it; other places return the file.
    pub if_none_match: Option<Validator>,
}

impl OpenOptions {
    /// Options for opening the whole file, for this purpose.
    pub fn new(purpose: Purpose) -> Self {
        OpenOptions { purpose, ..OpenOptions::default() }
    }

    /// Sets the byte range to open.
    #[must_use]
    pub fn with_range(mut self, range: ByteRange) -> Self {
        self.range = Some(range);
        self
    }

    /// Sets [`if_range`](Self::if_range).
    #[must_use]
    pub fn with_if_range(mut self, validator: Validator) -> Self {
        self.if_range = Some(validator);
        self
    }

    /// Sets [`if_none_match`](Self::if_none_match).
    #[must_use]
    pub fn with_if_none_match(mut self, validator: Validator) -> Self {
        self.if_none_match = Some(validator);
        self
    }
}

/// Bytes `start..end` of a file; without `end`, up to the end of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// One past the last byte.
    pub end: Option<u64>,
}

/// Identifies one version of a file: an HTTP entity tag, a date, a length with a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Validator {
    text: String,
    strong: bool,
}

impl Validator {
    /// A validator that differs whenever a byte does, such as a strong `ETag`.
    pub fn strong(text: impl Into<String>) -> Self {
        Validator { text: text.into(), strong: true }
    }

    /// A validator that may miss a change, such as a date or a weak `ETag`.
    pub fn weak(text: impl Into<String>) -> Self {
        Validator { text: text.into(), strong: false }
    }

    /// The text, as the server or file system gave it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether equal validators mean equal bytes, so that ranges may be joined.
    pub fn is_strong(&self) -> bool {
        self.strong
    }
}

/// An open file.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The file's name in messages: its URL without secrets, or its path.
    pub location: String,
    /// Where in the file the body begins: the start of the requested range, or zero if the place returned the whole
    /// file.
    pub offset: u64,
    /// Length of the body, if known.
    pub len: Option<u64>,
    /// Length of the whole file, if known. Equal to `len` without a range.
    pub file_len: Option<u64>,
    /// Identifies this version of the file.
    pub validator: Option<Validator>,
    /// When it was last written, if known.
    pub modified: Option<SystemTime>,
    /// Whether ranges of this file can be requested.
    pub ranges: bool,
    /// The bytes.
    pub body: Body,
}

impl Opened {
    /// An open file of unknown length, without validator or ranges.
    pub fn new(location: impl Into<String>, body: Body) -> Self {
        let len = match &body {
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            _ => None,
        };
        let location = location.into();
        Opened { location, offset: 0, len, file_len: len, validator: None, modified: None, ranges: false, body }
    }

    /// Sets the length of the body and of the file, where the body is the whole file.
    #[must_use]
    pub fn with_len(mut self, len: u64) -> Self {
        self.len = Some(len);
        self.file_len = Some(len);
        self
    }

    /// Sets the offset at which the body begins in the file, and the length of the whole file.
    #[must_use]
    pub fn with_part(mut self, offset: u64, file_len: Option<u64>) -> Self {
        self.offset = offset;
        self.file_len = file_len;
        self
    }

    /// Sets whether ranges of this file can be requested.
    #[must_use]
    pub fn with_ranges(mut self, ranges: bool) -> Self {
        self.ranges = ranges;
        self
    }

    /// Sets when the file was last written.
    #[must_use]
    pub fn with_modified(mut self, time: SystemTime) -> Self {
        self.modified = Some(time);
        self
    }

    /// Sets the validator.
    #[must_use]
    pub fn with_validator(mut self, validator: Validator) -> Self {
        self.validator = Some(validator);
        self
    }

    /// The body as a stream, for memory, disk and network alike. Wrappers read it.
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        super::stream::into_stream(self.body, self.len)
    }
}

/// The bytes of an open file. Exhaustive: no other variants will be added.
pub enum Body {
    /// All bytes, in memory.
    Bytes(Bytes),
    /// A file on disk, to be read at offsets from any thread.
    File(LocalFile),
    /// The bytes as they arrive. An error ends the stream.
    Stream(BoxStream<'static, Result<Bytes>>),
    /// No bytes: the file still has the validator [`OpenOptions::if_none_match`].
    Unchanged,
}

/// A regular file on disk.
#[derive(Debug)]
#[non_exhaustive]
pub struct LocalFile {
    /// The open file.
    pub file: File,
    /// Its path, with which it may be closed and reopened; the same file must still be there.
    pub path: Option<PathBuf>,
}

impl LocalFile {
    /// An open file and its path.
    pub fn new(file: File, path: Option<PathBuf>) -> Self {
        LocalFile { file, path }
    }
}

impl Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Body::File(file) => write!(f, "{file:?}"),
            Body::Stream(_) => f.write_str("Stream"),
            Body::Unchanged => f.write_str("Unchanged"),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Body::Bytes(bytes)
    }
}
