//! Weight files that stay open and are read when a weight is wanted. Reads nothing before that.
//!
//! Nothing is mapped, because a file truncated under a map kills the process: every read looks whether the file
//! still has the length and the time it had.

use super::local::LocalShard;
use super::{KEPT_OPEN, check_paths};
use crate::checked::checked;
use crate::cx::IoCx;
use crate::files::{Body, OpenOptions, Opened, Purpose};
use crate::handler::WeightSource;
use bytes::Bytes;
use std::sync::Arc;
use tfjs_manifest::{Error, Result, TensorLayout, WeightReader};

/// Opens the weight files of all groups for reading later. They must be files on disk or in memory.
///
/// `groups` are the paths of the manifest and `layout` what lies in them. All lengths are checked now.
///
/// # Errors
/// As [`fetch_weights`](crate::fetch_weights); [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for files that
/// can only be had as a stream.
pub async fn open_weights(
    source: &WeightSource,
    groups: &[Vec<String>],
    layout: &TensorLayout,
    cx: &IoCx,
) -> Result<Arc<dyn WeightReader>> {
    check_paths(groups, cx)?;
    let source = &checked(source, groups, cx)?;
    let mut opened = Vec::with_capacity(groups.len());
    match source {
        WeightSource::None if groups.iter().any(|paths| !paths.is_empty()) => {
            return Err(Error::misuse("the model names weight files, its handler gave no weights"));
        }
        WeightSource::None => {}
        WeightSource::Whole(_) => {
            return Err(Error::unsupported(
                "weights in one piece of memory are not read lazily, they are there already; load them whole",
            ));
        }
        WeightSource::Files(files) => {
            let mut count = 0;
            for paths in groups {
                let mut group = LazyGroup::default();
                for path in paths {
                    let file = files.open(path, OpenOptions::new(Purpose::Weights)).await;
                    let file = file.map_err(|e| e.in_file(files.location(path)))?;
                    group.push(LazyFile::new(file, count < KEPT_OPEN)?);
                    count += 1;
                }
                opened.push(group);
            }
        }
    }
    for (g, (group, laid_out)) in opened.iter().zip(layout.groups()).enumerate() {
        let last = group.files.last().map(|(_, file)| file.location().to_owned()).unwrap_or_default();
        match laid_out.total {
            Some(needed) if group.len < needed => {
                return Err(super::pieces::too_short(g, needed - group.len).in_file(last));
            }
            Some(needed) if group.len > needed => {
                return Err(super::pieces::too_long(g, needed, group.len).in_file(last));
            }
            _ => {}
        }
    }
    Ok(Arc::new(LazyFiles { groups: opened }))
}

/// The open files of a model.
#[derive(Debug)]
struct LazyFiles {
    groups: Vec<LazyGroup>,
}

/// The files of a group, each with where it begins in their concatenation.
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
        let missing = || Error::bug("a weight is asked for that the files have not");
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
        if out.is_empty() { Ok(()) } else { Err(Error::bug("a weight is asked for that the files have not")) }
    }
}

impl LazyFile {
    fn new(opened: Opened, keep: bool) -> Result<LazyFile> {
        let Opened { location, body, .. } = opened;
        match body {
            Body::File(file) => LocalShard::new(location, file, keep).map(LazyFile::Local),
            Body::Bytes(bytes) => Ok(LazyFile::Memory(location, bytes)),
            Body::Stream(_) | Body::Unchanged => Err(Error::unsupported(
                "lazy loading reads from files on disk, and this one comes from elsewhere; load it whole, or through a cache",
            )
            .in_file(location)),
        }
    }

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
                // Lengths were taken from the same bytes.
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let from = bytes.get(start..).and_then(|rest| rest.get(..out.len()));
                out.copy_from_slice(from.ok_or_else(|| Error::bug("bytes in memory became fewer"))?);
                Ok(())
            }
        }
    }
}
