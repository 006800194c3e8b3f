//! The weights of a loaded model: fetches them into a sink, or opens them for reading later. Adds checksums and the
//! cache; the transfer itself is in [`fetch`](crate::fetch).

#[cfg(feature = "cache")]
use super::cache::{Caching, InUse};
use super::checksums::checked;
use super::cx::IoCx;
use super::handler::WeightSource;
use crate::base::files::Files;
use crate::fetch::{LazyFiles, Opening, check_groups, check_paths, from_files, from_memory, open_lazy};
use crate::wrap::gunzip::GunzippedFiles;
use std::collections::HashSet;
use std::sync::Arc;
use tfjs_manifest::{Error, GroupLayout, GroupSink, Limits, Result, Segment, TensorLayout, WeightReader, WeightSink};

/// Fetches the weight files of all groups into the sink's memory and returns the sink.
///
/// `groups` are the paths of the manifest, group by group. Up to [`concurrency`](crate::IoOptions::concurrency)
/// requests are active at a time, for files in order and for parts of [large ones](crate::IoOptions::split_over).
/// Dropping the future stops all transfers and reads. `cx` is the context that the model was loaded with.
///
/// # Errors
/// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) if a group's files have more or fewer bytes than its
/// segments, or a body is not as long as announced; [`Kind::Malformed`](tfjs_manifest::Kind::Malformed)
/// for paths that could leave the model's folder; [`Kind::Fetch`](tfjs_manifest::Kind::Fetch) for files
/// that cannot be fetched. The place is the file.
pub async fn fetch_weights<S: WeightSink + 'static>(
    source: &WeightSource,
    groups: &[Vec<String>],
    mut sink: S,
    cx: &IoCx,
) -> Result<S> {
    let count = check_paths(groups, &cx.options().limits)?;
    let sizes = check_groups(groups, sink.groups())?;
    let most = sizes.iter().zip(sink.groups()).map(|(size, group)| match group {
        GroupSink::Growing { limit, .. } => limit,
        _ => size.unwrap_or(0),
    });
    check_repeated(groups, most, &cx.options().limits)?;
    // The files of a group without weights are not read, because they are often not deployed.
    let read: Vec<Vec<String>> = groups
        .iter()
        .zip(&sizes)
        .map(|(paths, size)| if *size == Some(0) { Vec::new() } else { paths.clone() })
        .collect();
    match &checked(source, groups, cx)? {
        WeightSource::None if count > 0 => return Err(no_weights(count)),
        WeightSource::None => {}
        WeightSource::Whole(chunks) => from_memory(chunks, &mut sink, cx.reporter()).await?,
        WeightSource::Files(files) => {
            let caching = Caching::begin(&read, cx);
            let files: Arc<dyn Files> =
                Arc::new(GunzippedFiles::new(files.clone(), &read, &sizes, cx.options().limits.clone()));
            sink = from_files(&files, &read, &sizes, sink, &cx.fetch_config()).await?;
            caching.complete().await;
        }
    }
    cx.reporter().end();
    Ok(sink)
}

/// Opens the weight files of all groups for reading later. They must be on disk, in memory, or in the
/// [cache](crate::IoOptions::cache) of the load, into which missing files are fetched first.
///
/// `groups` are the paths of the manifest, and `layout` describes their contents. All lengths are checked here.
///
/// # Errors
/// As [`fetch_weights`](crate::fetch_weights); [`Kind::Unsupported`](tfjs_manifest::Kind::Unsupported) for files that
/// are available as streams only.
pub async fn open_weights(
    source: &WeightSource,
    groups: &[Vec<String>],
    layout: &TensorLayout,
    cx: &IoCx,
) -> Result<Arc<dyn WeightReader>> {
    let count = check_paths(groups, &cx.options().limits)?;
    check_repeated(groups, layout.groups().iter().map(|group| group.most), &cx.options().limits)?;
    let files = match checked(source, groups, cx)? {
        WeightSource::None if count > 0 => return Err(no_weights(count)),
        WeightSource::None => return Ok(Arc::new(LazyFiles::empty(groups.len()))),
        WeightSource::Whole(_) => {
            return Err(Error::unsupported(
                "weights in one buffer in memory cannot be loaded lazily; load without `lazy`",
            ));
        }
        WeightSource::Files(files) => files,
    };
    let mut caching = Caching::begin(groups, cx);
    let mut opened = open_lazy(&*files, groups).await?;
    if matches!(opened, Opening::Stream { .. }) && caching.is_active() {
        caching.cancel();
        fetch_weights(source, groups, Discard::new(layout), cx).await?;
        caching = Caching::begin(groups, cx);
        opened = open_lazy(&*files, groups).await?;
    }
    let files = opened.lazy()?;
    files.check_lengths(layout)?;
    Ok(Arc::new(OpenWeights { files, _in_use: caching.in_use() }))
}

/// Checks the bytes of groups whose files an earlier group names too, which no compression accounts for. Producers write
/// each file once. `most` are the most bytes of each group.
fn check_repeated(groups: &[Vec<String>], most: impl Iterator<Item = u64>, limits: &Limits) -> Result<()> {
    let (mut seen, mut once, mut all) = (HashSet::new(), 0u64, 0u64);
    for (paths, size) in groups.iter().zip(most) {
        let repeated = paths.iter().filter(|path| !seen.insert(path.as_str())).count() > 0;
        all = all.saturating_add(size);
        once = once.saturating_add(if repeated { 0 } else { size });
    }
    // With the default limit of 100, as many bytes may be repeated as are read once.
    limits.check_inflation(once / 100, all.saturating_sub(once))
}

fn no_weights(count: usize) -> Error {
    Error::misuse(format!("the model names {count} weight files, but its handler returned no weights"))
}

/// Open weight files. The cache does not remove them while this exists.
#[derive(Debug)]
struct OpenWeights {
    files: LazyFiles,
    _in_use: InUse,
}

impl WeightReader for OpenWeights {
    fn read(&self, group: usize, offset: u64, out: &mut [u8]) -> Result<()> {
        self.files.read(group, offset, out)
    }
}

/// The use of the cache in one transfer; this build has no cache.
#[cfg(not(feature = "cache"))]
struct Caching;

#[cfg(not(feature = "cache"))]
type InUse = ();

#[cfg(not(feature = "cache"))]
impl Caching {
    fn begin(_groups: &[Vec<String>], _cx: &IoCx) -> Self {
        Caching
    }

    async fn complete(self) {}

    fn is_active(&self) -> bool {
        false
    }

    fn cancel(self) {}

    fn in_use(self) -> InUse {}
}

/// A sink that discards its bytes, for a transfer that only fills the cache.
struct Discard(Vec<Discarded>);

enum Discarded {
    Known(u64),
    Growing { bytes: Vec<u8>, limit: u64 },
}

impl Discard {
    fn new(layout: &TensorLayout) -> Self {
        let group = |group: &GroupLayout| match group.total {
            Some(total) => Discarded::Known(total),
            None => Discarded::Growing { bytes: Vec::new(), limit: group.most },
        };
        Discard(layout.groups().iter().map(group).collect())
    }
}

impl WeightSink for Discard {
    fn groups(&mut self) -> Vec<GroupSink<'_>> {
        let groups = self.0.iter_mut().map(|group| match group {
            Discarded::Known(total) => GroupSink::Segments(vec![Segment::Skip(*total)]),
            Discarded::Growing { bytes, limit } => GroupSink::Growing { bytes, limit: *limit },
        });
        groups.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::checksums::load_artifacts;
    use crate::model::handler::IoHandler;
    use crate::model::handlers::memory::MemoryHandler;

    /// The futures of loads must be `Send`.
    #[test]
    fn a_load_can_be_sent() {
        fn check<T: Send>(_: T) {}
        struct Empty;
        impl WeightSink for Empty {
            fn groups(&mut self) -> Vec<GroupSink<'_>> {
                Vec::new()
            }
        }
        let (source, groups, cx) = (WeightSource::None, [Vec::new()], IoCx::default());
        check(fetch_weights(&source, &groups, Empty, &cx));
        check(open_weights(&source, &groups, &TensorLayout::default(), &cx));
        let handler: &dyn IoHandler = &MemoryHandler::new("{}", WeightSource::None);
        check(load_artifacts(handler, &cx));
    }
}
