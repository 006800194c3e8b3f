//! Weight files on disk, read by a few threads straight into the segments, without a copy in between.
//!
//! All lengths are known and checked before the first byte is read. Nothing is mapped: a file that is
//! truncated under a map kills the process, here it is an error.

use super::pieces::{Pieces, Room, out_of_memory};
use crate::cx::IoCx;
use crate::files::{Body, LocalFile, Opened};
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tfjs_manifest::{Error, GroupSink, Result, Segment, WeightSink};

/// More threads than this do not read faster.
const THREADS: usize = 4;

/// Bytes read by one call at most: the grain of progress, cancellation and sharing between threads.
const PIECE: u64 = 8 << 20;

/// An open file of a known length.
#[derive(Debug)]
pub(super) struct LocalShard {
    location: String,
    file: Option<File>,
    path: Option<PathBuf>,
    state: FileState,
}

/// What must not change while a file is read.
#[derive(Debug, PartialEq, Eq)]
struct FileState {
    len: u64,
    modified: Option<SystemTime>,
    id: (u64, u64),
}

impl FileState {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let id = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let id = (0, 0);
        FileState { len: metadata.len(), modified: metadata.modified().ok(), id }
    }
}

impl LocalShard {
    /// Notes the file's state; without `keep` it is closed until it is read, if its path is known.
    pub(super) fn new(location: String, local: LocalFile, keep: bool) -> Result<Self> {
        let metadata = local.file.metadata().map_err(|e| cannot_read(e).in_file(&location))?;
        let keep = keep || local.path.is_none();
        let state = FileState::of(&metadata);
        Ok(LocalShard { location, file: keep.then_some(local.file), path: local.path, state })
    }

    /// Back to what it was made of.
    pub(super) fn into_opened(self) -> Opened {
        let LocalShard { location, file, path, state } = self;
        let body = match (file, path) {
            (Some(file), path) => Body::File(LocalFile::new(file, path)),
            // Closed files are opened again by whoever reads them; see `KEPT_OPEN`.
            (None, path) => match path.as_ref().map(File::open) {
                Some(Ok(file)) => Body::File(LocalFile::new(file, path)),
                other => {
                    let source = other.and_then(|r| r.err()).unwrap_or_else(|| ErrorKind::NotFound.into());
                    let error = cannot_read(source).in_file(&location);
                    Body::Stream(Box::pin(futures_util::stream::iter([Err(error)])))
                }
            },
        };
        Opened::new(location, body).with_len(state.len)
    }

    /// Reads exactly these bytes.
    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let reopened;
        let file = match (&self.file, &self.path) {
            (Some(file), _) => file,
            (None, Some(path)) => {
                reopened = File::open(path).map_err(cannot_read)?;
                self.check_unchanged(&reopened)?;
                &reopened
            }
            (None, None) => return Err(Error::bug("a file without a path was closed")),
        };
        match read_exact_at(file, buffer, offset) {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => Err(changed().with_source(e)),
            other => other.map_err(cannot_read),
        }
    }

    fn check_unchanged(&self, file: &File) -> Result<()> {
        let now = FileState::of(&file.metadata().map_err(cannot_read)?);
        if now == self.state { Ok(()) } else { Err(changed()) }
    }
}

fn cannot_read(source: io::Error) -> Error {
    Error::fetch("cannot read the file").with_source(source)
}

fn changed() -> Error {
    Error::mismatch("the file changed while it was read; load again once nobody writes it")
}

/// Fills the sink from files on disk. The sink travels to a thread that may block, and back.
pub(super) async fn fill<S: WeightSink + 'static>(
    shards: Vec<LocalShard>,
    groups: &[Vec<String>],
    mut sink: S,
    cx: &IoCx,
) -> Result<S> {
    let counts: Vec<usize> = groups.iter().map(Vec::len).collect();
    let cancelled = CancelOnDrop::default();
    let flag = cancelled.0.clone();
    let cx = cx.clone();
    crate::blocking::run(move || {
        fill_blocking(&shards, &counts, sink.groups(), &cx, &flag)?;
        Ok(sink)
    })
    .await
}

/// Set when the load is dropped: threads that read look at it between pieces.
#[derive(Default)]
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn fill_blocking(
    shards: &[LocalShard],
    counts: &[usize],
    sinks: Vec<GroupSink<'_>>,
    cx: &IoCx,
    cancelled: &AtomicBool,
) -> Result<()> {
    let all: Vec<Shard<'_>> = shards.iter().map(Shard::new).collect();
    let mut rest = &all[..];
    let mut rooms = Vec::new();
    for (group, (&count, sink)) in counts.iter().zip(sinks).enumerate() {
        let (files, later) = rest.split_at(count.min(rest.len()));
        rest = later;
        let room = Room::new(sink)?;
        check_lengths(group, files, &room)?;
        rooms.push((files, room));
    }
    // Every length is right: now memory may be touched.
    for shard in &all {
        cx.reporter().opened(&shard.name);
        if shard.local.state.len == 0 {
            cx.reporter().done(&shard.name);
        }
    }
    cx.reporter().total(all.iter().map(|s| s.local.state.len).sum());
    let mut pieces = Vec::new();
    for (files, room) in rooms {
        cut(files, room, cx, &mut pieces)?;
    }
    read_all(pieces, cx, cancelled)?;
    for shard in &all {
        if let Some(file) = &shard.local.file {
            shard.local.check_unchanged(file).map_err(|e| e.in_file(&shard.local.location))?;
        }
    }
    Ok(())
}

/// A file and how much of it is still to be read.
struct Shard<'s> {
    local: &'s LocalShard,
    name: Arc<str>,
    left: AtomicU64,
}

impl<'s> Shard<'s> {
    fn new(local: &'s LocalShard) -> Self {
        Shard { local, name: local.location.as_str().into(), left: AtomicU64::new(local.state.len) }
    }

    fn progress(&self, bytes: u64, cx: &IoCx) {
        cx.reporter().bytes(&self.name, bytes);
        if bytes > 0 && self.left.fetch_sub(bytes, Ordering::Relaxed) == bytes {
            cx.reporter().done(&self.name);
        }
    }
}

/// A stretch of a file and where it goes.
struct Piece<'s, 'a> {
    shard: &'s Shard<'s>,
    offset: u64,
    out: &'a mut [u8],
}

fn check_lengths(group: usize, files: &[Shard<'_>], room: &Room<'_>) -> Result<()> {
    let mut sum = 0u64;
    for shard in files {
        let len = shard.local.state.len;
        let left = room.left() - sum;
        if len > left {
            // Says by how much, and which limit it is.
            let error = match room {
                Room::Exact(_) => super::pieces::too_long(group, left, len),
                Room::Growing { .. } => room.check(sum.saturating_add(len), group).err().unwrap_or_else(changed),
            };
            return Err(error.in_file(&shard.local.location));
        }
        sum += len;
    }
    match (room, files.last()) {
        (Room::Exact(pieces), Some(last)) if sum < pieces.len() => {
            Err(super::pieces::too_short(group, pieces.len() - sum).in_file(&last.local.location))
        }
        _ => Ok(()),
    }
}

/// Cuts a group's memory at the borders of its files and into pieces of a handy size.
fn cut<'s, 'a>(files: &'s [Shard<'s>], room: Room<'a>, cx: &IoCx, out: &mut Vec<Piece<'s, 'a>>) -> Result<()> {
    let total: u64 = files.iter().map(|s| s.local.state.len).sum();
    let mut room: Pieces<'a> = match room {
        Room::Exact(pieces) => pieces,
        Room::Growing { bytes, .. } => {
            let count = usize::try_from(total).map_err(|_| Error::limit("a weight group exceeds the address space"))?;
            bytes.try_reserve_exact(count).map_err(out_of_memory)?;
            let start = bytes.len();
            bytes.resize(start + count, 0);
            Pieces::from_slice(&mut bytes[start..])
        }
    };
    room.advise_huge();
    for shard in files {
        let mut offset = 0;
        let len = shard.local.state.len;
        while offset < len {
            let Some(segment) = room.next(PIECE.min(len - offset)) else {
                return Err(Error::bug("a weight group is shorter than it was"));
            };
            let count = segment.len();
            match segment {
                Segment::Fill(bytes) if count > 0 => out.push(Piece { shard, offset, out: bytes }),
                Segment::Fill(_) => {}
                Segment::Skip(_) => shard.progress(count, cx),
            }
            offset += count;
        }
    }
    Ok(())
}

/// Reads all pieces, by several threads, until one fails or the load is dropped.
fn read_all(pieces: Vec<Piece<'_, '_>>, cx: &IoCx, cancelled: &AtomicBool) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let threads = THREADS.min(cores).min(pieces.len()).max(1);
    let queue = Mutex::new(pieces.into_iter());
    let failure = Mutex::new(None);
    let work = || {
        loop {
            if cancelled.load(Ordering::Relaxed) || lock(&failure).is_some() {
                return;
            }
            let Some(piece) = lock(&queue).next() else {
                return;
            };
            let count = piece.out.len() as u64;
            match piece.shard.local.read(piece.out, piece.offset) {
                Ok(()) => piece.shard.progress(count, cx),
                Err(error) => {
                    lock(&failure).get_or_insert(error.in_file(&piece.shard.local.location));
                    return;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    if cancelled.load(Ordering::Relaxed) {
        return Err(Error::fetch("the load was cancelled"));
    }
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Nothing under these locks panics; if it did, what they hold would still be whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads at an offset without moving any cursor, so that threads can share the file.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, buffer, offset);
    // Moves the cursor, which nobody uses.
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, buffer, offset);
    #[cfg(not(any(unix, windows)))]
    {
        let _ = (file, buffer, offset);
        Err(ErrorKind::Unsupported.into())
    }
}

fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match read_at(file, buffer, offset) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                buffer = &mut std::mem::take(&mut buffer)[n..];
                offset += n as u64;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
