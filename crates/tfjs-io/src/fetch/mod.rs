//! Bytes from a source into the memory a sink lends, without a copy of the whole in between.
//!
//! Three roads: whole files on disk are read by threads at their offsets ([`local`]), everything else
//! arrives in streams and is copied chunk by chunk ([`streams`]), and memory is copied ([`whole`]). All
//! of them check that the files of each group have exactly the bytes the group needs.

mod body;
mod huge;
mod lazy;
mod local;
mod parts;
mod pieces;
#[cfg(feature = "http")]
mod resume;
mod streams;
#[cfg(feature = "http")]
mod tries;
mod whole;

pub(crate) use body::{into_stream, read_json};
pub use lazy::open_weights;
#[cfg(feature = "archive")]
pub(crate) use local::CancelOnDrop;
#[cfg(any(feature = "archive", feature = "cache"))]
pub(crate) use local::read_at;
#[cfg(feature = "http")]
pub(crate) use resume::RetryFiles;
#[cfg(feature = "http")]
pub(crate) use tries::load_is_over;

use crate::checked::checked;
use crate::cx::IoCx;
use crate::files::{Body, Files, Opened};
use crate::handler::WeightSource;
use crate::progress::Phase;
use crate::shard_path::shard_components;
use parts::Requests;
use pieces::Room;
use std::sync::Arc;
use tfjs_manifest::{Error, GroupSink, Limits, Result, WeightSink};

/// Fetches the weight files of all groups into the sink's memory and gives the sink back.
///
/// `groups` are the paths of the manifest, group by group. Up to
/// [`concurrency`](crate::IoOptions::concurrency) requests are under way at a time, for files in order and for
/// parts of [large ones](crate::IoOptions::split_over); each file's place in its group is known as soon as the
/// lengths of those before it are. Dropping the future stops all traffic and all reading.
///
/// # Errors
/// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) if a group's files have more or fewer bytes than its
/// segments, or a body is not as long as announced; [`Kind::Malformed`](tfjs_manifest::Kind::Malformed)
/// for paths that could leave the model's folder; [`Kind::Fetch`](tfjs_manifest::Kind::Fetch) for files
/// that cannot be had. The place is the file.
pub async fn fetch_weights<S: WeightSink + 'static>(
    source: &WeightSource,
    groups: &[Vec<String>],
    mut sink: S,
    cx: &IoCx,
) -> Result<S> {
    let count = check_paths(groups, cx)?;
    let sizes = check_groups(groups, sink.groups())?;
    let bytes_total = sizes.iter().try_fold(0u64, |total, size| total.checked_add((*size)?));
    let source = &checked(source, groups, cx)?;
    let reporter = cx.reporter();
    match source {
        WeightSource::None if count > 0 => {
            let error = format!("the model names {count} weight files, its handler gave no weights");
            return Err(Error::misuse(error));
        }
        WeightSource::None => {}
        WeightSource::Whole(chunks) => {
            reporter.begin(Phase::Weights, 1, Some(chunks.iter().map(|c| c.len() as u64).sum()));
            whole::fill(chunks, sink.groups(), cx).await?;
        }
        WeightSource::Files(files) => {
            reporter.begin(Phase::Weights, count, bytes_total);
            let requests = Requests::new(cx.options());
            let paths: Vec<&str> = groups.iter().flatten().map(String::as_str).collect();
            let begun = files.begin_load(&paths).await?;
            let files = begun.as_ref().unwrap_or(files);
            sink = match open_while_local(files, groups, &sizes, &requests).await? {
                Road::Local(opened) => local::fill(opened, groups, sink, cx).await?,
                Road::Streams(opened) => {
                    streams::fill(files, groups, opened, &requests, sink.groups(), cx).await?;
                    sink
                }
            };
            files.end_load().await;
        }
    }
    reporter.end();
    Ok(sink)
}

/// Checks every path before the first file is opened; gives their number.
fn check_paths(groups: &[Vec<String>], cx: &IoCx) -> Result<usize> {
    let limits = &cx.options().limits;
    let count: usize = groups.iter().map(Vec::len).sum();
    Limits::check("files", count as u64, limits.files)?;
    for (g, paths) in groups.iter().enumerate() {
        for (p, path) in paths.iter().enumerate() {
            shard_components(path, limits).map_err(|e| e.at_json(format!("weightsManifest[{g}].paths[{p}]")))?;
        }
    }
    Ok(count)
}

/// Checks what can be known without any file; gives the bytes of each group, if they are known.
fn check_groups(groups: &[Vec<String>], sinks: Vec<GroupSink<'_>>) -> Result<Vec<Option<u64>>> {
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

/// How the files turned out, with those opened so far, in order.
enum Road {
    /// All of them are files on disk.
    Local(Vec<local::LocalShard>),
    /// Some are not. What has been opened is not opened again.
    Streams(Vec<Opened>),
}

/// More open files than this are closed again and reopened by their path when their turn comes.
const KEPT_OPEN: usize = 256;

/// Opens files for as long as they are files on disk, so that all lengths are known before a byte is
/// read.
async fn open_while_local(
    files: &Arc<dyn Files>,
    groups: &[Vec<String>],
    sizes: &[Option<u64>],
    requests: &Requests,
) -> Result<Road> {
    let mut shards = Vec::new();
    // Collected: the compiler cannot see that closures over borrows are general enough inside a boxed future.
    let sized = groups.iter().zip(sizes).flat_map(|(paths, size)| paths.iter().map(|path| (path, *size)));
    for (path, size) in sized.collect::<Vec<_>>() {
        let opened = files.open(path, requests.first(size)).await;
        let opened = opened.map_err(|e| e.in_file(files.location(path)))?;
        let Opened { location, body: Body::File(file), .. } = opened else {
            let mut all: Vec<Opened> = shards.into_iter().map(local::LocalShard::into_opened).collect();
            all.push(opened);
            return Ok(Road::Streams(all));
        };
        shards.push(local::LocalShard::new(location, file, shards.len() < KEPT_OPEN)?);
    }
    Ok(Road::Local(shards))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loads move between the threads of a runtime.
    #[test]
    fn a_load_can_be_sent() {
        fn check<T: Send>(_: T) {}
        struct None;
        impl WeightSink for None {
            fn groups(&mut self) -> Vec<GroupSink<'_>> {
                Vec::new()
            }
        }
        let (source, groups, cx) = (WeightSource::None, [Vec::new()], IoCx::default());
        check(fetch_weights(&source, &groups, None, &cx));
        check(open_weights(&source, &groups, &tfjs_manifest::TensorLayout::default(), &cx));
        let handler: &dyn crate::IoHandler = &crate::MemoryHandler::new("{}", WeightSource::None);
        check(crate::load_artifacts(handler, &cx));
    }
}
