//! A small weight sink for tests of the transport: groups of known or unknown size, in pieces of odd
//! lengths, with skipped ranges.

use tfjs_manifest::{GroupSink, Segment, WeightSink};

/// The pieces of a group, or the bytes of one of unknown size.
#[derive(Clone, Debug)]
enum Group {
    Exact { pieces: Vec<Piece> },
    Growing { bytes: Vec<u8>, limit: u64 },
}

#[derive(Clone, Debug)]
enum Piece {
    Keep(Vec<u8>),
    Skip(u64),
}

/// A sink that keeps all bytes in memory.
#[derive(Clone, Debug, Default)]
pub struct TestSink(Vec<Group>);

impl TestSink {
    /// A sink without groups.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a group with pieces of these lengths.
    #[must_use]
    pub fn group(mut self, lengths: &[usize]) -> Self {
        let pieces = lengths.iter().map(|&n| Piece::Keep(vec![0; n])).collect();
        self.0.push(Group::Exact { pieces });
        self
    }

    /// Adds a skipped range of `count` bytes to the last group.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Self {
        if let Some(Group::Exact { pieces }) = self.0.last_mut() {
            pieces.push(Piece::Skip(count));
        }
        self
    }

    /// Adds a piece to the last group.
    #[must_use]
    pub fn piece(mut self, length: usize) -> Self {
        if let Some(Group::Exact { pieces }) = self.0.last_mut() {
            pieces.push(Piece::Keep(vec![0; length]));
        }
        self
    }

    /// Adds a group of unknown size.
    #[must_use]
    pub fn growing(mut self, limit: u64) -> Self {
        self.0.push(Group::Growing { bytes: Vec::new(), limit });
        self
    }

    /// The bytes of a group, without the skipped ones.
    pub fn bytes(&self, group: usize) -> Vec<u8> {
        match &self.0[group] {
            Group::Growing { bytes, .. } => bytes.clone(),
            Group::Exact { pieces } => pieces
                .iter()
                .flat_map(|p| match p {
                    Piece::Keep(bytes) => &bytes[..],
                    Piece::Skip(_) => &[],
                })
                .copied()
                .collect(),
        }
    }
}

impl WeightSink for TestSink {
    fn groups(&mut self) -> Vec<GroupSink<'_>> {
        self.0
            .iter_mut()
            .map(|group| match group {
                Group::Growing { bytes, limit } => GroupSink::Growing { bytes, limit: *limit },
                Group::Exact { pieces } => GroupSink::Segments(
                    pieces
                        .iter_mut()
                        .map(|p| match p {
                            Piece::Keep(bytes) => Segment::Fill(bytes),
                            Piece::Skip(n) => Segment::Skip(*n),
                        })
                        .collect(),
                ),
            })
            .collect()
    }
}

/// Bytes without a short period, so that bytes at a wrong position are noticed.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8 ^ i as u8).collect()
}
