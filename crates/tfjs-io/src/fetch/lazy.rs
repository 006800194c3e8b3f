//! Weight files that stay open. A weight is read when it is first used, and not before.
//!
//! Files are not memory-mapped, because truncating a mapped file kills the process. Every read checks that the file's
//! length and modification time have not changed.

use super::KEPT_OPEN;
use super::local::LocalShard;
use super::pieces::{suspect, too_long, too_short};
use crate::base::files::{Body, Files, OpenOptions, Opened, Purpose};
use bytes::Bytes;
use tfjs_manifest::{Error, Result, TensorLayout, WeightReader};

/// The result of opening the files of a model.
pub(crate) enum Opening {
    /// All files are on disk or in memory, and can be read at offsets.
    Lazy(LazyFiles),
    /// This file is a stream, which cannot be read lazily.
    Stream { location: String },
}

impl Opening {
    /// The open files.
    ///
    /// # Errors
    /// [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for a stream.
    pub(crate) fn lazy(self) -> Result<LazyFiles> {
        match self {
            Opening::Lazy(files) => Ok(files),
            Opening::Stream { location } => Err(Error::unsupported(
                "lazy loading needs files on disk, and this file is not on disk; load it without `lazy`, or through a \
                 cache",
            )
            .in_file(location)),
        }
    }
}

/// Opens the files of all groups, up to the first that is a stream.
pub(crate) async fn open_lazy(files: &dyn Files, groups: &[Vec<String>]) -> Result<Opening> {
    let mut opened = Vec::with_capacity(groups.len());
    let mut count = 0;
    for paths in groups {
        let mut group = LazyGroup::default();
        for path in paths {
            let file = files.open(path, OpenOptions::new(Purpose::Weights)).await;
            let Opened { location, body, .. } = file.map_err(|e| e.in_file(files.location(path)))?;
            group.push(match body {
                Body::File(file) => LazyFile::Local(LocalShard::new(location, file, count < KEPT_OPEN)?),
                Body::Bytes(bytes) => LazyFile::Memory(location, bytes),
                Body::Stream(_) | Body::Unchanged => return Ok(Opening::Stream { location }),
            });
            count += 1;
        }
        opened.push(group);
    }
    Ok(Opening::Lazy(LazyFiles { groups: opened }))
}

/// The open files of a model.
#[derive(Debug)]
pub(crate) struct LazyFiles {
    groups: Vec<LazyGroup>,
}

impl LazyFiles {
    /// Groups without files.
    pub(crate) fn empty(groups: usize) -> Self {
        LazyFiles { groups: (0..groups).map(|_| LazyGroup::default()).collect() }
    }

    /// Compares the length of each group with the manifest's.
    pub(crate) fn check_lengths(&self, layout: &TensorLayout) -> Result<()> {
        for (g, (group, laid_out)) in self.groups.iter().zip(layout.groups()).enumerate() {
            let location = |i: usize| group.files.get(i).map(|(_, file)| file.location()).unwrap_or_default();
            match laid_out.total {
                Some(needed) if group.len < needed => {
                    let lens: Vec<u64> = group.files.iter().map(|(_, file)| file.len()).collect();
                    let file = location(suspect(&lens));
                    return Err(too_short(g, needed - group.len).in_file(file));
                }
                Some(needed) if group.len > needed => {
                    let last = location(group.files.len().saturating_sub(1));
                    return Err(too_long(g, needed, group.len).in_file(last));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The files of a group, each with its offset in their concatenation.
#[derive(Debug, Default)]
struct LazyGroup {
    files: Vec<(u64, LazyFile)>,
    len: u64,
}

#[derive(Debug)]
enum LazyFile {
    Local(LocalShard),
    Memory(String, Bytes),
}

impl WeightReader for LazyFiles {
    fn read(&self, group: usize, offset: u64, out: &mut [u8]) -> Result<()> {
        let missing = || Error::bug("a weight is outside of the weight files");
        self.groups.get(group).ok_or_else(missing)?.read(offset, out)
    }
}

impl LazyGroup {
    fn push(&mut self, file: LazyFile) {
        let len = file.len();
        self.files.push((self.len, file));
        self.len = self.len.saturating_add(len);
    }

    fn read(&self, mut offset: u64, mut out: &mut [u8]) -> Result<()> {
        // The last file that begins at or before the offset.
        let first = self.files.partition_point(|(start, _)| *start <= offset).saturating_sub(1);
        for (start, file) in self.files.iter().skip(first) {
            if out.is_empty() {
                return Ok(());
            }
            let inside = offset - start;
            let count = usize::try_from(file.len().saturating_sub(inside)).unwrap_or(usize::MAX).min(out.len());
            let (now, later) = std::mem::take(&mut out).split_at_mut(count);
            file.read(now, inside).map_err(|e| e.in_file(file.location()))?;
            offset += count as u64;
            out = later;
        }
        if out.is_empty() { Ok(()) } else { Err(Error::bug("a weight is outside of the weight files")) }
    }
}

impl LazyFile {
    fn location(&self) -> &str {
        match self {
            LazyFile::Local(shard) => shard.location(),
            LazyFile::Memory(location, _) => location,
        }
    }

    fn len(&self) -> u64 {
        match self {
            LazyFile::Local(shard) => shard.len(),
            LazyFile::Memory(_, bytes) => bytes.len() as u64,
        }
    }

    fn read(&self, out: &mut [u8], offset: u64) -> Result<()> {
        match self {
            LazyFile::Local(shard) => shard.read_unchanged(out, offset),
            LazyFile::Memory(_, bytes) => {
                // Cannot fail: the lengths are those of these bytes.
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let from = bytes.get(start..).and_then(|rest| rest.get(..out.len()));
                out.copy_from_slice(from.ok_or_else(|| Error::bug("bytes in memory became fewer"))?);
                Ok(())
            }
        }
    }
}
