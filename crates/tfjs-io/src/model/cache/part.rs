//! A weight file that is written to the cache while it is fetched, possibly in parts and from several streams. If it is
//! dropped before it is committed, it is removed.

use super::disk::{self, io_error, write_all_at};
use super::entry::Entry;
use super::hash::Sha256;
use super::record::{Blob, Tag};
use crate::base::files::Validator;
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tempfile::TempPath;
use tfjs_manifest::{Error, Result};

#[derive(Debug)]
pub(super) struct Part {
    entry: Entry,
    validator: Option<Validator>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Open { file: Option<(Arc<File>, TempPath)>, have: Ranges, len: Option<u64> },
    Whole(Blob, TempPath),
    Failed(Error),
    Taken,
}

impl Part {
    /// A new file with this validator, of this length if it is known.
    pub(super) fn new(entry: &Entry, validator: Option<Validator>, len: Option<u64>) -> Self {
        let state = State::Open { file: None, have: Ranges::default(), len };
        Part { entry: entry.clone(), validator, state: Mutex::new(state) }
    }

    /// Whether bytes of a response with this validator can be added to this file.
    pub(super) fn is_of(&self, validator: Option<&Validator>) -> bool {
        self.validator.as_ref() == validator && validator.is_some_and(Validator::is_strong)
    }

    /// Writes bytes at an offset. An error is stored for [`take`](Self::take), and stops further writes.
    pub(super) fn write(&self, bytes: &[u8], at: u64) {
        let result = self.file().and_then(|file| match file {
            Some(file) => write_all_at(&file, bytes, at).map(|()| true).map_err(|e| self.cannot_write(e)),
            None => Ok(false),
        });
        self.advance(result, at, at.saturating_add(bytes.len() as u64), None);
    }

    /// Records that the file ends at this offset.
    pub(super) fn ended(&self, at: u64) {
        let result = self.file().map(|file| file.is_some());
        self.advance(result, at, at, Some(at));
    }

    /// Takes the complete file, or the error that prevented it.
    pub(super) fn take(&self) -> Result<(Blob, TempPath)> {
        match std::mem::replace(&mut *self.lock(), State::Taken) {
            State::Whole(blob, path) => Ok((blob, path)),
            State::Failed(error) => Err(error),
            State::Open { .. } | State::Taken => Err(Error::fetch("the file was not read to its end")),
        }
    }

    /// The file to write to; `None` once it is complete or has failed.
    fn file(&self) -> Result<Option<Arc<File>>> {
        let mut state = self.lock();
        let State::Open { file, .. } = &mut *state else {
            return Ok(None);
        };
        if let Some((file, _)) = file {
            return Ok(Some(file.clone()));
        }
        let (new, path) = self.entry.new_part()?.into_parts();
        let new = Arc::new(new);
        *file = Some((new.clone(), path));
        Ok(Some(new))
    }

    /// Records a written byte range, and finishes the file if it is complete.
    fn advance(&self, result: Result<bool>, start: u64, end: u64, file_len: Option<u64>) {
        let mut state = self.lock();
        let State::Open { file, have, len } = &mut *state else {
            return;
        };
        let result = result.and_then(|_| {
            have.add(start, end);
            *len = len.or(file_len);
            match (have.covers(*len)?, file.take()) {
                (true, Some((file, path))) => {
                    let blob = self.finish(&file, have.end())?;
                    Ok(Some((blob, path)))
                }
                (_, open) => {
                    *file = open;
                    Ok(None)
                }
            }
        });
        match result {
            Ok(None) => {}
            Ok(Some((blob, path))) => *state = State::Whole(blob, path),
            Err(error) => *state = State::Failed(error),
        }
    }

    /// Syncs the file and hashes its bytes on disk, which are the bytes that later loads read.
    fn finish(&self, file: &File, len: u64) -> Result<Blob> {
        let cannot = |e| self.cannot_write(e);
        file.sync_all().map_err(cannot)?;
        let sha256 = Sha256::of_file(file).map_err(cannot)?;
        let metadata = file.metadata().map_err(cannot)?;
        if metadata.len() != len {
            return Err(Error::bug("a file in the cache does not have the length that was written"));
        }
        let validator = self.validator.as_ref().and_then(Tag::of);
        Ok(Blob { sha256, len, modified: disk::modified(&metadata), validator })
    }

    fn cannot_write(&self, source: std::io::Error) -> Error {
        io_error("cannot write to the cache", self.entry.folder(), source)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Consistent even after a panic: the state is replaced in one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The byte ranges of a file that have been written, sorted; ranges that touch are merged.
#[derive(Debug, Default)]
struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    fn add(&mut self, mut start: u64, mut end: u64) {
        if start >= end {
            return;
        }
        self.0.retain(|&(s, e)| {
            let apart = e < start || end < s;
            if !apart {
                (start, end) = (start.min(s), end.max(e));
            }
            apart
        });
        let at = self.0.partition_point(|&(s, _)| s < start);
        self.0.insert(at, (start, end));
    }

    fn end(&self) -> u64 {
        self.0.last().map_or(0, |&(_, end)| end)
    }

    /// Whether the ranges cover a file of this length; not if the length is unknown.
    fn covers(&self, len: Option<u64>) -> Result<bool> {
        match len {
            Some(len) if self.end() > len => Err(Error::mismatch("the file is longer than its announced length")),
            Some(0) => Ok(true),
            Some(len) => Ok(self.0 == [(0, len)]),
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cache::entry::Kept;
    use tfjs_manifest::Limits;

    #[test]
    fn ranges_join_in_any_order() {
        let mut ranges = Ranges::default();
        for (start, end) in [(5, 7), (0, 2), (9, 10), (7, 9), (3, 3)] {
            ranges.add(start, end);
        }
        assert_eq!(ranges.0, [(0, 2), (5, 10)]);
        assert!(!ranges.covers(Some(10)).unwrap());
        ranges.add(1, 6);
        assert!(ranges.covers(Some(10)).unwrap());
        assert!(!ranges.covers(None).unwrap());
        assert!(ranges.covers(Some(9)).is_err());
    }

    fn entry(dir: &tempfile::TempDir) -> Entry {
        let entry = Entry::new(dir.path(), Sha256::of(b"m"), &Limits::default());
        entry.prepare().unwrap();
        entry
    }

    fn count(entry: &Entry) -> usize {
        disk::entries(entry.folder()).len()
    }

    #[test]
    fn pieces_become_a_file_and_a_file_that_is_dropped_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let entry = entry(&dir);
        let part = Part::new(&entry, None, Some(5));
        part.write(b"lo", 3);
        part.write(b"hel", 0);
        let (blob, path) = part.take().unwrap();
        assert_eq!((blob.len, blob.sha256), (5, Sha256::of(b"hello")));
        assert_eq!(std::fs::read(&path).unwrap(), b"hello");
        drop(path);
        let part = Part::new(&entry, None, None);
        part.write(b"hel", 0);
        assert_eq!(count(&entry), 1);
        drop(part);
        assert_eq!(count(&entry), 0);
    }

    #[test]
    fn what_is_not_whole_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let entry = entry(&dir);
        let short = Part::new(&entry, None, Some(5));
        short.write(b"hell", 0);
        assert!(short.take().is_err());
        let long = Part::new(&entry, None, Some(2));
        long.write(b"hell", 0);
        assert!(long.take().unwrap_err().message().contains("longer"));
        let empty = Part::new(&entry, None, None);
        empty.ended(0);
        assert_eq!(empty.take().unwrap().0.len, 0);
        assert!(entry.read(Kept::Model).is_none());
    }
}
