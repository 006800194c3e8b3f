//! The bytes of an archive, in memory or in a file on disk, read at offsets by any thread.

use crate::base::disk::read_at;
use bytes::Bytes;
use rawzip::ReaderAt;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::time::SystemTime;
use tfjs_manifest::{Error, Limits, Result};

/// Longest fetched or inflated archive in bytes that is kept in memory; longer ones go to a temporary file.
const IN_MEMORY: usize = 16 << 20;

/// The bytes of an archive. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Memory(Bytes),
    Disk(Arc<OnDisk>),
}

/// A file, with its length and modification time, which must not change while it is read.
#[derive(Debug)]
pub(crate) struct OnDisk {
    file: File,
    state: (u64, Option<SystemTime>),
}

impl OnDisk {
    fn state(file: &File) -> Result<(u64, Option<SystemTime>)> {
        let metadata = file.metadata().map_err(cannot_read)?;
        Ok((metadata.len(), metadata.modified().ok()))
    }
}

impl Source {
    pub(super) fn disk(file: File) -> Result<Self> {
        let state = OnDisk::state(&file)?;
        Ok(Source::Disk(Arc::new(OnDisk { file, state })))
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::Disk(disk) => disk.state.0,
        }
    }

    /// A byte range of an archive in memory; `None` for one on disk.
    pub(super) fn slice(&self, at: u64, len: u64) -> Option<Bytes> {
        let Source::Memory(bytes) = self else { return None };
        let (at, end) = (usize::try_from(at).ok()?, usize::try_from(at.checked_add(len)?).ok()?);
        (end <= bytes.len()).then(|| bytes.slice(at..end))
    }

    /// Fails if the file has changed since it was opened.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        match self {
            Source::Disk(disk) if OnDisk::state(&disk.file)? != disk.state => Err(Error::mismatch(
                "the archive changed while it was read; load again when it is no longer being written",
            )),
            _ => Ok(()),
        }
    }

    /// The first bytes, at most `most`.
    pub(super) fn head(&self, most: usize) -> Result<Vec<u8>> {
        let mut head = vec![0; most.min(usize::try_from(self.len()).unwrap_or(most))];
        self.read_exact_at(&mut head, 0).map_err(cannot_read)?;
        Ok(head)
    }
}

impl ReaderAt for Source {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Source::Memory(bytes) => {
                let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
                let count = rest.len().min(out.len());
                out[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
            Source::Disk(disk) => loop {
                match read_at(&disk.file, out, offset) {
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    other => return other,
                }
            },
        }
    }
}

/// Converts an error of reading: a truncated or corrupt archive is malformed, any other error is one of the disk.
pub(super) fn cannot_read(source: io::Error) -> Error {
    match source.kind() {
        ErrorKind::UnexpectedEof => Error::malformed("the archive is truncated").with_source(source),
        ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            Error::malformed("the archive's compressed bytes are corrupt").with_source(source)
        }
        _ => Error::fetch("cannot read the archive").with_source(source),
    }
}

/// Archive formats that the first bytes identify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Zip,
    Tar,
    Gzip,
}

/// Number of bytes needed to detect the format.
pub(super) const HEAD: usize = 512;

impl Format {
    /// The format of an archive that begins with these bytes. Old tars without a magic number, and zips after a
    /// self-extracting program, are not detected; they are recognised by name.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            // The second pattern is an empty archive.
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Format::Zip),
            [0x1f, 0x8b, ..] => Some(Format::Gzip),
            _ => (head.get(257..262)? == b"ustar").then_some(Format::Tar),
        }
    }
}

/// Whether a file begins like an archive. JSON never does.
pub(crate) fn begins_as_archive(file: &File) -> bool {
    let mut head = [0; HEAD];
    let count = read_at(file, &mut head, 0).unwrap_or(0);
    Format::of(&head[..count]).is_some()
}

/// Collects a stream of unknown length, within the limit.
#[derive(Debug)]
pub(super) struct Spool {
    memory: Vec<u8>,
    file: Option<File>,
    len: u64,
    limit: u64,
}

impl Spool {
    pub(super) fn new(limits: &Limits) -> Self {
        Spool { memory: Vec::new(), file: None, len: 0, limit: limits.archive_bytes }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Whether `more` bytes still fit in memory, so that writing them does not block.
    pub(super) fn in_memory(&self, more: usize) -> bool {
        self.file.is_none() && self.memory.len().saturating_add(more) <= IN_MEMORY
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.len = self.len.saturating_add(bytes.len() as u64);
        Limits::check("archive_bytes", self.len, self.limit)?;
        if self.in_memory(bytes.len()) {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        let no_space = |e| {
            Error::fetch("cannot write a temporary file for the archive; unpack it, or set another temporary folder")
                .with_source(e)
        };
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let mut file = tempfile::tempfile().map_err(no_space)?;
                file.write_all(&std::mem::take(&mut self.memory)).map_err(no_space)?;
                file
            }
        };
        file.write_all(bytes).map_err(no_space)?;
        self.file = Some(file);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Source> {
        match self.file {
            Some(file) => Source::disk(file),
            None => Ok(Source::Memory(self.memory.into())),
        }
    }
}
