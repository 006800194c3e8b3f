//! Weight files on disk, read by a few threads directly into the segments, without a copy in between.
//!
//! All lengths are checked before the first byte is read. Files are not memory-mapped: truncating a mapped file kills
//! the process, while here it is an error.

use super::pieces::{Pieces, Room, out_of_memory, suspect, too_long, too_short};
use crate::base::blocking::CancelOnDrop;
use crate::base::disk::{Links, open_regular, read_at};
use crate::base::files::{Body, LocalFile, Opened};
use crate::base::progress::Reporter;
use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tfjs_manifest::{Error, GroupSink, Result, Segment, WeightSink};

/// Most threads that read; more are not faster.
const THREADS: usize = 4;

/// Most bytes read by one call: the granularity of progress, cancellation and sharing between threads.
const PIECE: u64 = 8 << 20;

/// An open file of a known length.
#[derive(Debug)]
pub(super) struct LocalShard {
    location: String,
    file: Option<File>,
    path: Option<PathBuf>,
    state: FileState,
}

/// The state of a file, which must not change while it is read.
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

    fn check(&self, file: &File) -> Result<()> {
        let now = FileState::of(&file.metadata().map_err(cannot_read)?);
        if now == *self { Ok(()) } else { Err(changed()) }
    }

    /// Opens the same file again, with an error if it was replaced. If there is a pipe now, the call does not block.
    fn reopen(&self, path: &Path) -> Result<File> {
        let (file, _) = open_regular(path, path, Links::Any)?;
        self.check(&file)?;
        Ok(file)
    }
}

impl LocalShard {
    /// Records the file's state. Without `keep`, a file whose path is known is closed until it is read.
    pub(super) fn new(location: String, local: LocalFile, keep: bool) -> Result<Self> {
        let metadata = local.file.metadata().map_err(|e| cannot_read(e).in_file(&location))?;
        let keep = keep || local.path.is_none();
        let state = FileState::of(&metadata);
        Ok(LocalShard { location, file: keep.then_some(local.file), path: local.path, state })
    }

    /// Converts back into an open file.
    pub(super) fn into_opened(self) -> Opened {
        let LocalShard { location, file, path, state } = self;
        let body = match (file, path) {
            (Some(file), path) => Body::File(LocalFile::new(file, path)),
            // It was closed (see `KEPT_OPEN`), so it is opened again.
            (None, path) => match path.as_deref().map_or_else(|| Err(no_path()), |path| state.reopen(path)) {
                Ok(file) => Body::File(LocalFile::new(file, path)),
                Err(error) => Body::Stream(Box::pin(futures_util::stream::iter([Err(error.in_file(&location))]))),
            },
        };
        Opened::new(location, body).with_len(state.len)
    }

    pub(super) fn location(&self) -> &str {
        &self.location
    }

    pub(super) fn len(&self) -> u64 {
        self.state.len
    }

    /// Reads exactly these bytes, with an error if the file has changed.
    pub(super) fn read_unchanged(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.read(buffer, offset)?;
        // Checked after reading, so that a change during the read is noticed too.
        self.file.as_ref().map_or(Ok(()), |file| self.state.check(file))
    }

    /// Reads exactly these bytes.
    fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let reopened;
        let file = match (&self.file, &self.path) {
            (Some(file), _) => file,
            (None, Some(path)) => {
                reopened = self.state.reopen(path)?;
                &reopened
            }
            (None, None) => return Err(no_path()),
        };
        match read_exact_at(file, buffer, offset) {
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => Err(changed().with_source(e)),
            other => other.map_err(cannot_read),
        }
    }
}

fn no_path() -> Error {
    Error::bug("a file without a path was closed")
}

fn cannot_read(source: io::Error) -> Error {
    Error::fetch("cannot read the file").with_source(source)
}

fn changed() -> Error {
    Error::mismatch("the file changed while it was read; load again when it is no longer being written")
}

/// Fills the sink from files on disk. The sink is moved to a blocking thread and returned.
pub(super) async fn fill<S: WeightSink + 'static>(
    shards: Vec<LocalShard>,
    groups: &[Vec<String>],
    mut sink: S,
    reporter: &Reporter,
) -> Result<S> {
    let counts: Vec<usize> = groups.iter().map(Vec::len).collect();
    let cancelled = CancelOnDrop::default();
    let flag = cancelled.0.clone();
    let reporter = reporter.clone();
    crate::base::blocking::run(move || {
        fill_blocking(&shards, &counts, sink.groups(), &reporter, &flag)?;
        Ok(sink)
    })
    .await
}

fn fill_blocking(
    shards: &[LocalShard],
    counts: &[usize],
    sinks: Vec<GroupSink<'_>>,
    reporter: &Reporter,
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
    // Memory is touched only now, after every length was checked.
    for shard in &all {
        reporter.opened(&shard.name);
        if shard.local.state.len == 0 {
            reporter.done(&shard.name);
        }
    }
    reporter.total(all.iter().map(|s| s.local.state.len).sum());
    let groups = rooms.into_iter().map(|(files, room)| Ok((files, memory(files, room)?))).collect::<Result<_>>()?;
    read_all(Cutter { groups, offset: 0 }, reporter, cancelled)?;
    for shard in &all {
        if let Some(file) = &shard.local.file {
            shard.local.state.check(file).map_err(|e| e.in_file(&shard.local.location))?;
        }
    }
    Ok(())
}

/// A file and the number of bytes that are still to be read.
struct Shard<'s> {
    local: &'s LocalShard,
    name: Arc<str>,
    left: AtomicU64,
}

impl<'s> Shard<'s> {
    fn new(local: &'s LocalShard) -> Self {
        Shard { local, name: local.location.as_str().into(), left: AtomicU64::new(local.state.len) }
    }

    fn progress(&self, bytes: u64, reporter: &Reporter) {
        reporter.bytes(&self.name, bytes);
        if bytes > 0 && self.left.fetch_sub(bytes, Ordering::Relaxed) == bytes {
            reporter.done(&self.name);
        }
    }
}

/// A byte range of a file and its destination.
struct Piece<'s, 'a> {
    shard: &'s Shard<'s>,
    offset: u64,
    out: Segment<'a>,
}

/// Bytes read at once into a bounce buffer, where they cannot be read into their destination directly. Small enough to
/// stay in the CPU's cache until they are copied on.
const BOUNCE: usize = 256 << 10;

impl Piece<'_, '_> {
    /// Reads the piece, through `bounce` if its destination is not contiguous.
    fn read(self, bounce: &mut Vec<u8>) -> Result<()> {
        let local = self.shard.local;
        match self.out {
            Segment::Fill(out) => local.read(out, self.offset),
            Segment::Skip(_) => Ok(()),
            Segment::Panels(mut panels) => {
                bounce.resize(BOUNCE, 0);
                let mut offset = self.offset;
                while !panels.is_empty() {
                    let count = panels.len().min(BOUNCE as u64) as usize;
                    let bytes = &mut bounce[..count];
                    local.read(bytes, offset)?;
                    panels.write(bytes);
                    offset += count as u64;
                }
                Ok(())
            }
        }
    }
}

fn check_lengths(group: usize, files: &[Shard<'_>], room: &Room<'_>) -> Result<()> {
    let mut sum = 0u64;
    for shard in files {
        let len = shard.local.state.len;
        let left = room.left() - sum;
        if len > left {
            // The error gives the excess and names the limit.
            let error = match room {
                Room::Exact(_) => too_long(group, left, len),
                Room::Growing { .. } => room.check(sum.saturating_add(len), group).err().unwrap_or_else(changed),
            };
            return Err(error.in_file(&shard.local.location));
        }
        sum += len;
    }
    let lens: Vec<u64> = files.iter().map(|shard| shard.local.state.len).collect();
    match (room, files.get(suspect(&lens))) {
        (Room::Exact(pieces), Some(file)) if sum < pieces.len() => {
            Err(too_short(group, pieces.len() - sum).in_file(&file.local.location))
        }
        _ => Ok(()),
    }
}

/// The memory of a group, fully allocated.
fn memory<'a>(files: &[Shard<'_>], room: Room<'a>) -> Result<Pieces<'a>> {
    let mut pieces = match room {
        Room::Exact(pieces) => pieces,
        Room::Growing { bytes, .. } => {
            let total: u64 = files.iter().map(|s| s.local.state.len).sum();
            let count = usize::try_from(total).map_err(|_| Error::limit("a weight group exceeds the address space"))?;
            bytes.try_reserve_exact(count).map_err(out_of_memory)?;
            let start = bytes.len();
            bytes.resize(start + count, 0);
            Pieces::from_slice(&mut bytes[start..])
        }
    };
    pieces.advise_huge();
    Ok(pieces)
}

/// Cuts the memory of the groups at file boundaries and into pieces of at most [`PIECE`] bytes. The pieces are made one
/// at a time, because one piece of a wide matrix is many slices.
struct Cutter<'s, 'a> {
    groups: VecDeque<(&'s [Shard<'s>], Pieces<'a>)>,
    /// Offset in the first file of the first group.
    offset: u64,
}

impl<'s, 'a> Cutter<'s, 'a> {
    fn next(&mut self, reporter: &Reporter) -> Option<Result<Piece<'s, 'a>>> {
        loop {
            let (files, room) = self.groups.front_mut()?;
            let Some(shard) = files.first() else {
                self.groups.pop_front();
                continue;
            };
            let left = shard.local.state.len - self.offset;
            if left == 0 {
                *files = &files[1..];
                self.offset = 0;
                continue;
            }
            let Some(out) = room.next(PIECE.min(left)) else {
                return Some(Err(Error::bug("a weight group is shorter than it was")));
            };
            let offset = self.offset;
            self.offset += out.len();
            match out {
                Segment::Skip(count) => shard.progress(count, reporter),
                out if out.is_empty() => {}
                out => return Some(Ok(Piece { shard, offset, out })),
            }
        }
    }
}

/// Reads all pieces on several threads, until one fails or the load is dropped.
fn read_all(pieces: Cutter<'_, '_>, reporter: &Reporter, cancelled: &AtomicBool) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    let total: u64 = pieces.groups.iter().map(|(_, room)| room.len()).sum();
    let threads = THREADS.min(cores).min(total.div_ceil(PIECE) as usize).max(1);
    let queue = Mutex::new(pieces);
    let failure = Mutex::new(None);
    let work = || {
        let mut bounce = Vec::new();
        loop {
            if cancelled.load(Ordering::Relaxed) || lock(&failure).is_some() {
                return;
            }
            let Some(piece) = lock(&queue).next(reporter) else {
                return;
            };
            let read = piece.and_then(|piece| {
                let (shard, count) = (piece.shard, piece.out.len());
                piece.read(&mut bounce).map_err(|e| e.in_file(&shard.local.location))?;
                shard.progress(count, reporter);
                Ok(())
            });
            if let Err(error) = read {
                lock(&failure).get_or_insert(error);
                return;
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
    // Code under these locks does not panic, and the values would be consistent even then.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
