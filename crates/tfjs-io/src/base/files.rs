//! What a backend implements: named files that can be opened, and perhaps written, listed and removed.
//!
//! A `Files` knows no models. Everything between a backend and a model (decryption, a limit, a signature) is another
//! `Files` around it; [`PrefixedFiles`](crate::PrefixedFiles) is one, and
//! `examples/decrypting.rs` shows how to write one's own.

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

/// A boxed future that can move between threads. It names no executor.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A place with files in it: a folder, a URL's directory, a bucket, an archive, a map in memory.
///
/// A wrapper around another place implements what it changes, and forwards [`location`](Self::location) and what else
/// its users need. Caching is not its business: a cache is between a handler and its place, below every wrapper that is
/// put around the [`WeightSource`](crate::WeightSource) which the handler returns.
///
/// An error that may not occur again, such as a lost connection, should be marked as
/// [transient](tfjs_manifest::Error::transient), so that callers can tell it from a final one.
///
/// Paths are relative, with `/` between their components. Those from a manifest were checked by
/// [`shard_components`](crate::shard_components) before they come here; an implementation that maps paths
/// onto something with a parent checks them again.
pub trait Files: Send + Sync + Debug {
    /// Opens a file, or a range of it. Returns when the length is known, or known to be unknown. The body is read later,
    /// and dropping it stops its traffic.
    ///
    /// # Errors
    /// [`Kind::Fetch`](tfjs_manifest::Kind::Fetch) if there is no such file or it cannot be reached.
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>>;

    /// Writes a file: afterwards it is there whole, or, after an error, as it was before.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if this place cannot be written.
    fn put<'a>(&'a self, path: &'a str, body: Body) -> BoxFuture<'a, Result<()>> {
        let _ = body;
        unsupported("be written to", path)
    }

    /// Writes several files in this order, of which the last completes the rest, as a model's JSON does.
    ///
    /// A place that can do it leaves all of them as they were after an error. The default removes a last file that is
    /// there before it writes over others, and leaves none after an error, so that files of two models are never
    /// taken for one model.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    fn put_all<'a>(&'a self, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(each::put_each(self, files))
    }

    /// Writes a model's files in the place of a former model's. Files are created, and those of `former`, which are
    /// there, are replaced or removed; of both the last one completes the rest. Something else that has the name of
    /// a new file is an error, as far as the place can tell: the default is [`put_all`](Self::put_all), then
    /// [`remove`](Self::remove).
    ///
    /// # Errors
    /// As those.
    fn replace<'a>(&'a self, former: Vec<String>, files: Vec<(String, Body)>) -> BoxFuture<'a, Result<()>> {
        Box::pin(each::replace_each(self, former, files))
    }

    /// The paths of all files that begin with `prefix`, sorted.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if this place cannot list.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        unsupported("be listed", prefix)
    }

    /// The entries of one folder, without folders: files, links, and everything else. The outermost folder is
    /// the empty text; one that does not exist is empty. The default is made from [`list`](Self::list).
    ///
    /// # Errors
    /// Whatever keeps the folder from being listed whole; [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) if
    /// this place cannot list.
    fn entries<'a>(&'a self, folder: &'a str) -> BoxFuture<'a, Result<Vec<FolderEntry>>> {
        Box::pin(each::entries_of_list(self, folder))
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
    let error = "this file is there already and is none of the model's that would be replaced; move it away, or \
                 choose another folder";
    Error::misuse(error).in_file(place)
}

/// The error of a file of which two parts are not of the same state.
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
    /// Whether it is a file: no link, device or pipe.
    pub is_file: bool,
}

impl FolderEntry {
    /// A file of unknown length.
    pub fn new(name: impl Into<String>) -> Self {
        FolderEntry { name: name.into(), len: None, is_file: true }
    }

    /// With its length.
    #[must_use]
    pub fn with_len(mut self, len: u64) -> Self {
        self.len = Some(len);
        self
    }

    /// A link, a device or a pipe.
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
    /// Text, which may travel compressed.
    Json,
    /// Weights: already dense, and their length should be known.
    #[default]
    Weights,
}

/// Options for opening a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OpenOptions {
    /// The purpose.
    pub purpose: Purpose,
    /// Only these bytes. A place that cannot do ranges answers with the whole file; see
    /// [`Opened::offset`].
    pub range: Option<ByteRange>,
    /// With a range: only if the file is still this one. A place that can tell answers with the whole file
    /// if it is not.
    pub if_range: Option<Validator>,
    /// Only if the file is no longer this one. A place that can tell answers with [`Body::Unchanged`] if it
    /// still is; others answer with the file.
    pub if_none_match: Option<Validator>,
}

impl OpenOptions {
    /// The whole file, for this purpose.
    pub fn new(purpose: Purpose) -> Self {
        OpenOptions { purpose, ..OpenOptions::default() }
    }

    /// Only these bytes.
    #[must_use]
    pub fn with_range(mut self, range: ByteRange) -> Self {
        self.range = Some(range);
        self
    }

    /// Only if the file is still this one.
    #[must_use]
    pub fn with_if_range(mut self, validator: Validator) -> Self {
        self.if_range = Some(validator);
        self
    }

    /// Only if the file is no longer this one.
    #[must_use]
    pub fn with_if_none_match(mut self, validator: Validator) -> Self {
        self.if_none_match = Some(validator);
        self
    }
}

/// Bytes `start..end` of a file; to its end without `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// One past the last byte.
    pub end: Option<u64>,
}

/// Tells one state of a file from another: an HTTP entity tag, a date, a length with a time.
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

    /// The text as its source spells it.
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
    /// The file as messages name it: its URL without secrets, or its path.
    pub location: String,
    /// Where in the file the body begins: the start of the range asked for, or zero if the place answered
    /// with the whole file.
    pub offset: u64,
    /// Length of the body, if known.
    pub len: Option<u64>,
    /// Length of the whole file, if known. Without a range it is that of the body.
    pub file_len: Option<u64>,
    /// Tells this state of the file from another.
    pub validator: Option<Validator>,
    /// When it was last written, if known.
    pub modified: Option<SystemTime>,
    /// Whether ranges of this file can be asked for.
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

    /// With the length of the body, which is the whole file.
    #[must_use]
    pub fn with_len(mut self, len: u64) -> Self {
        self.len = Some(len);
        self.file_len = Some(len);
        self
    }

    /// The body is the part of a file of this length that begins here.
    #[must_use]
    pub fn with_part(mut self, offset: u64, file_len: Option<u64>) -> Self {
        self.offset = offset;
        self.file_len = file_len;
        self
    }

    /// Whether ranges of this file can be asked for.
    #[must_use]
    pub fn with_ranges(mut self, ranges: bool) -> Self {
        self.ranges = ranges;
        self
    }

    /// When it was last written.
    #[must_use]
    pub fn with_modified(mut self, time: SystemTime) -> Self {
        self.modified = Some(time);
        self
    }

    /// With a validator.
    #[must_use]
    pub fn with_validator(mut self, validator: Validator) -> Self {
        self.validator = Some(validator);
        self
    }

    /// The body as a stream, wherever its bytes are: what a wrapper of another place reads.
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        super::stream::into_stream(self.body, self.len)
    }
}

/// The bytes of an open file. Complete: a body is one of these.
pub enum Body {
    /// All of them, in memory.
    Bytes(Bytes),
    /// A file on disk, to be read at offsets from any thread.
    File(LocalFile),
    /// As they arrive. An error ends the stream.
    Stream(BoxStream<'static, Result<Bytes>>),
    /// None: the file is still the one that [`OpenOptions::if_none_match`] names.
    Unchanged,
}

/// A regular file on disk.
#[derive(Debug)]
#[non_exhaustive]
pub struct LocalFile {
    /// The open file.
    pub file: File,
    /// Its path, by which it may be closed and opened again; the same file must still be there.
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
