//! Reads files into the memory that a sink lends, without a second copy of the whole model.
//!
//! There are three ways: files on disk are read by threads at their offsets ([`local`]), other files are streams that
//! are copied chunk by chunk ([`streams`]), and data in memory is copied ([`whole`]). Each checks that the files of a
//! group have exactly as many bytes as the group needs. Depends on [`Files`] only, and knows nothing about models.

mod huge;
mod lazy;
mod local;
mod parts;
mod pieces;
mod streams;
mod whole;

pub(crate) use lazy::{LazyFiles, Opening, open_lazy};

use crate::base::files::{Body, Files, Opened};
use crate::base::path::shard_components;
use crate::base::progress::{Phase, Reporter};
use bytes::Bytes;
use parts::Requests;
use pieces::Room;
use std::sync::Arc;
use tfjs_manifest::{Error, GroupSink, Limits, Result, WeightSink};

/// How files are fetched.
#[derive(Clone, Debug)]
pub(crate) struct FetchConfig {
    /// Most concurrent requests.
    pub(crate) concurrency: usize,
    /// Files longer than this many bytes are fetched in parts.
    pub(crate) split_over: u64,
    /// Length of a part in bytes.
    pub(crate) range_bytes: u64,
    pub(crate) reporter: Reporter,
}

/// Fills a sink from the files of all groups and returns it. `sizes` are those of [`check_groups`].
pub(crate) async fn from_files<S: WeightSink + 'static>(
    files: &Arc<dyn Files>,
    groups: &[Vec<String>],
    sizes: &[Option<u64>],
    mut sink: S,
    config: &FetchConfig,
) -> Result<S> {
    let total = sizes.iter().try_fold(0u64, |total, size| total.checked_add((*size)?));
    config.reporter.begin(Phase::Weights, groups.iter().map(Vec::len).sum(), total);
    let requests = Requests::new(config);
    match open_while_local(files, groups, sizes, &requests).await? {
        Begun::Local(opened) => local::fill(opened, groups, sink, &config.reporter).await,
        Begun::Streams(opened) => {
            streams::fill(files, groups, opened, &requests, sink.groups(), &config.reporter).await?;
            Ok(sink)
        }
    }
}

/// Fills a sink from the concatenation of all files of all groups.
pub(crate) async fn from_memory(chunks: &[Bytes], sink: &mut impl WeightSink, reporter: &Reporter) -> Result<()> {
    reporter.begin(Phase::Weights, 1, Some(chunks.iter().map(|chunk| chunk.len() as u64).sum()));
    whole::fill(chunks, sink.groups(), reporter).await
}

/// Checks the paths of all groups before the first file is opened. Returns their number.
pub(crate) fn check_paths(groups: &[Vec<String>], limits: &Limits) -> Result<usize> {
    let count: usize = groups.iter().map(Vec::len).sum();
    Limits::check("files", count as u64, limits.files)?;
    for (g, paths) in groups.iter().enumerate() {
        for (p, path) in paths.iter().enumerate() {
            shard_components(path, limits).map_err(|e| e.at_json(format!("weightsManifest[{g}].paths[{p}]")))?;
        }
    }
    Ok(count)
}

/// Checks the groups before any file is opened. Returns the length of each group in bytes, if it is known.
pub(crate) fn check_groups(groups: &[Vec<String>], sinks: Vec<GroupSink<'_>>) -> Result<Vec<Option<u64>>> {
    if groups.len() != sinks.len() {
        let error = format!("expected one sink for each of {} groups, found {}", groups.len(), sinks.len());
        return Err(Error::misuse(error));
    }
    let mut sizes = Vec::with_capacity(groups.len());
    for (g, (paths, sink)) in groups.iter().zip(sinks).enumerate() {
        let needed = Room::new(sink)?.needed();
        if let (true, Some(needed @ 1..)) = (paths.is_empty(), needed) {
            return Err(Error::mismatch(format!("weight group {g} needs {needed} bytes, but names no files"))
                .at_json(format!("weightsManifest[{g}].paths")));
        }
        sizes.push(needed);
    }
    Ok(sizes)
}

/// The files opened before the transfer begins, in order.
enum Begun {
    /// All files of all groups; they are on disk.
    Local(Vec<local::LocalShard>),
    /// The first files, up to the first that is not on disk. They are read from here, and not opened again.
    Streams(Vec<Opened>),
}

/// The most files kept open. Further files are closed after the check, and reopened by their path when they are read.
const KEPT_OPEN: usize = 256;

/// Opens files as long as they are on disk, so that all lengths are known before a byte is read.
async fn open_while_local(
    files: &Arc<dyn Files>,
    groups: &[Vec<String>],
    sizes: &[Option<u64>],
    requests: &Requests,
) -> Result<Begun> {
    let mut shards = Vec::new();
    // Collected: the compiler cannot see that closures over borrows are general enough inside a boxed future.
    let sized = groups.iter().zip(sizes).flat_map(|(paths, size)| paths.iter().map(|path| (path, *size)));
    for (path, size) in sized.collect::<Vec<_>>() {
        let opened = files.open(path, requests.first(size)).await;
        let opened = opened.map_err(|e| e.in_file(files.location(path)))?;
        let Opened { location, body: Body::File(file), .. } = opened else {
            let mut all: Vec<Opened> = shards.into_iter().map(local::LocalShard::into_opened).collect();
            all.push(opened);
            return Ok(Begun::Streams(all));
        };
        shards.push(local::LocalShard::new(location, file, shards.len() < KEPT_OPEN)?);
    }
    Ok(Begun::Local(shards))
}
