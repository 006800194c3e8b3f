//! A small weight sink for tests of the transport: groups of known or unknown size, in pieces of odd
//! lengths, with gaps that nobody wants.

use tfjs_manifest::{GroupSink, Segment, WeightSink};

/// What one group expects.
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

/// Lends buffers and keeps what was put into them.
#[derive(Clone, Debug, Default)]
pub struct TestSink(Vec<Group>);

impl TestSink {
    /// No groups yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more group, of pieces of these lengths.
    #[must_use]
    pub fn group(mut self, lengths: &[usize]) -> Self {
        let pieces = lengths.iter().map(|&n| Piece::Keep(vec![0; n])).collect();
        self.0.push(Group::Exact { pieces });
        self
    }

    /// Nobody wants so many bytes at the end of the last group.
    #[must_use]
    pub fn skip(mut self, count: u64) -> Self {
        if let Some(Group::Exact { pieces }) = self.0.last_mut() {
            pieces.push(Piece::Skip(count));
        }
        self
    }

    /// One more piece of the last group.
    #[must_use]
    pub fn piece(mut self, length: usize) -> Self {
        if let Some(Group::Exact { pieces }) = self.0.last_mut() {
            pieces.push(Piece::Keep(vec![0; length]));
        }
        self
    }

    /// One more group, of unknown size.
    #[must_use]
    pub fn growing(mut self, limit: u64) -> Self {
        self.0.push(Group::Growing { bytes: Vec::new(), limit });
        self
    }

    /// What a group was filled with, without the skipped bytes.
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

/// Bytes that differ wherever they are: a shift of any kind shows.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8 ^ i as u8).collect()
}
