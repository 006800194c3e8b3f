//! The destinations of a group's bytes, cut at file boundaries and filled from front to back. Opens no files.

use std::collections::VecDeque;
use tfjs_manifest::{Error, GroupSink, Limits, Result, Segment};

/// Consecutive segments that are not filled yet.
#[derive(Debug, Default)]
pub(super) struct Pieces<'a> {
    queue: VecDeque<Segment<'a>>,
    len: u64,
}

impl<'a> Pieces<'a> {
    fn new(segments: Vec<Segment<'a>>) -> Result<Self> {
        let len = segments.iter().try_fold(0u64, |n, s| n.checked_add(s.len()));
        let len = len.ok_or_else(|| Error::limit("a weight group has more bytes than can be counted"))?;
        Ok(Pieces { queue: segments.into(), len })
    }

    /// One segment.
    pub(super) fn from_slice(bytes: &'a mut [u8]) -> Self {
        let len = bytes.len() as u64;
        Pieces { queue: VecDeque::from([Segment::Fill(bytes)]), len }
    }

    /// Advises huge pages for large buffers; to be called before anything is written.
    pub(super) fn advise_huge(&mut self) {
        for segment in &mut self.queue {
            match segment {
                Segment::Fill(bytes) => super::huge::advise(bytes),
                Segment::Panels(panels) => {
                    if let Some(memory) = panels.memory_mut() {
                        super::huge::advise(memory);
                    }
                }
                Segment::Skip(_) => {}
            }
        }
    }

    /// Bytes that are still to come.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Cuts off the first `len` bytes; `None`, without any change, if there are fewer.
    pub(super) fn take(&mut self, len: u64) -> Option<Pieces<'a>> {
        if len > self.len {
            return None;
        }
        let mut taken = Pieces { queue: VecDeque::new(), len };
        let mut left = len;
        while left > 0 {
            let Some(piece) = self.next(left) else { break };
            left -= piece.len();
            taken.queue.push_back(piece);
        }
        Some(taken)
    }

    /// Cuts off the first segment, or its first `most` bytes.
    pub(super) fn next(&mut self, most: u64) -> Option<Segment<'a>> {
        let first = self.queue.pop_front()?;
        let len = first.len().min(most);
        self.len -= len;
        if len == first.len() {
            return Some(first);
        }
        Some(match first {
            Segment::Skip(all) => {
                self.queue.push_front(Segment::Skip(all - len));
                Segment::Skip(len)
            }
            Segment::Panels(mut panels) => {
                let now = panels.take(len);
                self.queue.push_front(Segment::Panels(panels));
                Segment::Panels(now)
            }
            Segment::Fill(bytes) => {
                // `len` is less than a slice's length, so it is a `usize`.
                let (now, later) = bytes.split_at_mut(len as usize);
                self.queue.push_front(Segment::Fill(later));
                Segment::Fill(now)
            }
        })
    }

    /// Fills the first bytes. The caller must have checked that there is room for them.
    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if let Some(Segment::Panels(panels)) = self.queue.front_mut().filter(|first| !first.is_empty()) {
                let rest = panels.write(bytes);
                self.len -= (bytes.len() - rest.len()) as u64;
                bytes = rest;
                continue;
            }
            let Some(piece) = self.next(bytes.len() as u64) else {
                debug_assert!(false, "written past the end");
                return;
            };
            let (now, later) = bytes.split_at(piece.len() as usize);
            if let Segment::Fill(out) = piece {
                out.copy_from_slice(now);
            }
            bytes = later;
        }
    }
}

/// The memory for the rest of a group.
#[derive(Debug)]
pub(super) enum Room<'a> {
    /// The size is known.
    Exact(Pieces<'a>),
    /// The size is unknown; at most `left` more bytes are accepted.
    Growing { bytes: &'a mut Vec<u8>, left: u64 },
}

impl<'a> Room<'a> {
    pub(super) fn new(sink: GroupSink<'a>) -> Result<Self> {
        match sink {
            GroupSink::Segments(segments) => Pieces::new(segments).map(Room::Exact),
            GroupSink::Growing { bytes, limit } => Ok(Room::Growing { bytes, left: limit }),
            _ => Err(Error::bug("tfjs-io does not know this kind of weight group")),
        }
    }

    /// The number of bytes that must follow, if it is known.
    pub(super) fn needed(&self) -> Option<u64> {
        match self {
            Room::Exact(pieces) => Some(pieces.len()),
            Room::Growing { .. } => None,
        }
    }

    /// The most bytes that may follow.
    pub(super) fn left(&self) -> u64 {
        match self {
            Room::Exact(pieces) => pieces.len(),
            Room::Growing { left, .. } => *left,
        }
    }

    /// Checks that there is room, then fills the first bytes.
    pub(super) fn write(&mut self, chunk: &[u8], group: usize) -> Result<()> {
        self.check(chunk.len() as u64, group)?;
        match self {
            Room::Exact(pieces) => pieces.write(chunk),
            Room::Growing { bytes, left } => {
                bytes.try_reserve(chunk.len()).map_err(out_of_memory)?;
                bytes.extend_from_slice(chunk);
                *left -= chunk.len() as u64;
            }
        }
        Ok(())
    }

    /// Checks that there is room for `more` bytes.
    pub(super) fn check(&self, more: u64, group: usize) -> Result<()> {
        let left = self.left();
        match self {
            _ if more <= left => Ok(()),
            Room::Exact(_) => Err(too_long(group, left, more)),
            Room::Growing { .. } => Limits::check("string_bytes", more, left),
        }
    }

    /// Checks that the group is complete after its last file.
    pub(super) fn check_complete(&self, group: usize) -> Result<()> {
        match self {
            Room::Exact(pieces) if pieces.len() > 0 => Err(too_short(group, pieces.len())),
            _ => Ok(()),
        }
    }
}

/// The error of a file that is longer than the rest of its group.
pub(super) fn too_long(group: usize, left: u64, found: u64) -> Error {
    Error::mismatch(format!(
        "weight group {group}: expected {left} more bytes at most, found {found}; \
         the manifest and the weight files do not belong together"
    ))
}

/// The error of a group whose files are too short.
pub(super) fn too_short(group: usize, missing: u64) -> Error {
    Error::mismatch(format!(
        "weight group {group}: the files end {missing} bytes short of what the manifest needs; \
         a file is truncated, compressed, or not of this model"
    ))
}

/// The file of a group that is probably too short, by the lengths of its files: writers make all of them equally long,
/// except the last.
pub(super) fn suspect(lens: &[u64]) -> usize {
    let last = lens.len().saturating_sub(1);
    let longest = lens.iter().max();
    lens.iter().take(last).position(|len| Some(len) < longest).unwrap_or(last)
}

/// The error of a body that is not as long as its announced length.
pub(super) fn not_as_announced(group: usize, announced: u64, found: u64, more: bool) -> Error {
    let or_more = if more { " or more" } else { "" };
    Error::mismatch(format!(
        "weight group {group}: expected a body of {announced} bytes, as announced, found {found}{or_more}"
    ))
}

pub(super) fn out_of_memory(source: std::collections::TryReserveError) -> Error {
    Error::limit("not enough memory for a weight group").with_source(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn the_file_that_is_shorter_than_others_is_suspected() {
        for (lens, expected) in [(&[4, 4, 1][..], 2), (&[4, 3, 1], 1), (&[2, 4, 4], 0), (&[5], 0), (&[], 0)] {
            assert_eq!(suspect(lens), expected, "{lens:?}");
        }
    }

    #[test]
    fn files_are_cut_anywhere_and_skips_are_skipped() {
        let (mut a, mut b) = ([0u8; 3], [0u8; 4]);
        let segments = vec![Segment::Fill(&mut a), Segment::Skip(2), Segment::Fill(&mut b)];
        let mut all = Pieces::new(segments).unwrap();
        assert_eq!(all.len(), 9);
        let mut first = all.take(4).unwrap();
        let mut none = all.take(0).unwrap();
        let mut second = all.take(5).unwrap();
        assert!(all.take(1).is_none());
        second.write(&[5]);
        second.write(&[6, 7, 8, 9]);
        first.write(&[1, 2, 3, 4]);
        none.write(&[]);
        assert_eq!((first.len(), second.len(), all.len()), (0, 0, 0));
        assert_eq!((a, b), ([1, 2, 3], [6, 7, 8, 9]));
    }

    #[test]
    fn a_growing_group_stops_at_its_limit() {
        let mut bytes = vec![9];
        let mut room = Room::Growing { bytes: &mut bytes, left: 3 };
        room.write(&[1, 2], 0).unwrap();
        assert_eq!(room.write(&[3, 4], 0).unwrap_err().kind(), Kind::Limit);
        room.write(&[3], 0).unwrap();
        room.check_complete(0).unwrap();
        assert_eq!(bytes, [9, 1, 2, 3]);
    }

    #[test]
    fn lengths_that_overflow_are_a_limit() {
        let error = Pieces::new(vec![Segment::Skip(u64::MAX), Segment::Skip(1)]).unwrap_err();
        assert_eq!(error.kind(), Kind::Limit);
    }
}
