//! Weight files that stay open and are read when a weight is wanted. Reads nothing before that.
//!
//! Nothing is mapped, because a file truncated under a map kills the process: every read looks whether the file
//! still has the length and the time it had.

use super::local::LocalShard;
use super::{KEPT_OPEN, check_paths, fetch_weights};
use crate::checked::checked;
use crate::cx::IoCx;
use crate::files::{Body, Files, OpenOptions, Opened, Purpose};
use crate::handler::WeightSource;
use bytes::Bytes;
use std::sync::Arc;
use tfjs_manifest::{Error, GroupLayout, GroupSink, Result, Segment, TensorLayout, WeightReader, WeightSink};

/// Opens the weight files of all groups for reading later. They must be files on disk or in memory, or such as a
/// [cache](crate::IoOptions::cache) keeps: what it has not yet is brought there first.
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
    let opened = match source {
        WeightSource::None if groups.iter().any(|paths| !paths.is_empty()) => {
            return Err(Error::misuse("the model names weight files, its handler gave no weights"));
        }
        WeightSource::None => LazyFiles { groups: groups.iter().map(|_| LazyGroup::default()).collect(), _begun: None },
        WeightSource::Whole(_) => {
            return Err(Error::unsupported(
                "weights in one piece of memory are not read lazily, they are there already; load them whole",
            ));
        }
        WeightSource::Files(_) => match open_all(source, groups, cx).await? {
            Road::Open(opened) => opened,
            Road::Streams { cached: true, .. } => {
                fetch_weights(source, groups, PassedBy::new(layout), cx).await?;
                open_all(source, groups, cx).await?.open()?
            }
            streams => streams.open()?,
        },
    };
    for (g, (group, laid_out)) in opened.groups.iter().zip(layout.groups()).enumerate() {
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
    Ok(Arc::new(opened))
}

/// How the files can be had.
enum Road {
    Open(LazyFiles),
    Streams { location: String, cached: bool },
}

impl Road {
    fn open(self) -> Result<LazyFiles> {
        match self {
            Road::Open(files) => Ok(files),
            Road::Streams { location, .. } => Err(Error::unsupported(
                "lazy loading reads from files on disk, and this one comes from elsewhere; load it whole, or through a \
                 cache",
            )
            .in_file(location)),
        }
    }
}

async fn open_all(source: &WeightSource, groups: &[Vec<String>], cx: &IoCx) -> Result<Road> {
    let WeightSource::Files(files) = &checked(source, groups, cx)? else {
        return Err(Error::bug("files are no files once their sums are checked"));
    };
    let paths: Vec<&str> = groups.iter().flatten().map(String::as_str).collect();
    let begun = files.begin_load(&paths).await?;
    let files = begun.as_ref().unwrap_or(files);
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
                Body::Stream(_) | Body::Unchanged => return Ok(Road::Streams { location, cached: begun.is_some() }),
            });
            count += 1;
        }
        opened.push(group);
    }
    Ok(Road::Open(LazyFiles { groups: opened, _begun: begun }))
}

/// Where bytes go that only a cache is to keep.
struct PassedBy(Vec<Passing>);

enum Passing {
    Known(u64),
    Growing { bytes: Vec<u8>, limit: u64 },
}

impl PassedBy {
    fn new(layout: &TensorLayout) -> Self {
        let group = |group: &GroupLayout| match group.total {
            Some(total) => Passing::Known(total),
            None => Passing::Growing { bytes: Vec::new(), limit: group.most },
        };
        PassedBy(layout.groups().iter().map(group).collect())
    }
}

impl WeightSink for PassedBy {
    fn groups(&mut self) -> Vec<GroupSink<'_>> {
        let groups = self.0.iter_mut().map(|group| match group {
            Passing::Known(total) => GroupSink::Segments(vec![Segment::Skip(*total)]),
            Passing::Growing { bytes, limit } => GroupSink::Growing { bytes, limit: *limit },
        });
        groups.collect()
    }
}

/// The open files of a model.
#[derive(Debug)]
struct LazyFiles {
    groups: Vec<LazyGroup>,
    /// A cache keeps what is in use.
    _begun: Option<Arc<dyn Files>>,
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
