//! The seam between bytes that arrive and values they become: where each byte of a weight group goes.
//!
//! A transport knows files, a decoder knows tensors; they meet here and know nothing else of each other.
//! A sink lends, for each group of the manifest, the memory its bytes belong in; the transport cuts that
//! sequence at the file borders and fills the pieces in any order, in parallel, straight from a file or
//! a socket. Weights that are to be read later, when they are wanted, come through a [`WeightReader`].

use crate::{Panels, Result};
use std::fmt::Debug;

/// Lends the destinations of a model's weight bytes.
///
/// Whoever fills must write every byte of every segment that is not skipped, in the order of the group's files,
/// and must refuse files that are shorter or longer in sum than the group's segments.
pub trait WeightSink: Send {
    /// The groups of the manifest, in its order.
    fn groups(&mut self) -> Vec<GroupSink<'_>>;
}

/// Reads the bytes of weights when they are wanted, long after the load. It blocks.
pub trait WeightReader: Send + Sync + Debug {
    /// Fills `out` with what the files of a group, concatenated, have from `offset` on.
    ///
    /// # Errors
    /// Files that cannot be read, or are no longer those of the load.
    fn read(&self, group: usize, offset: u64, out: &mut [u8]) -> Result<()>;
}

/// Where the bytes of one group go.
#[derive(Debug)]
#[non_exhaustive]
pub enum GroupSink<'a> {
    /// The sizes are known: the concatenated files tile these segments exactly.
    Segments(Vec<Segment<'a>>),
    /// The group has string tensors, whose sizes only a scan can tell: the concatenated files are appended
    /// here. At most `limit` bytes may be.
    Growing {
        /// Receives the bytes of the group's files, in order.
        bytes: &'a mut Vec<u8>,
        /// The most bytes that may be appended.
        limit: u64,
    },
}

/// One contiguous piece of a group's bytes.
#[derive(Debug)]
pub enum Segment<'a> {
    /// Bytes that are kept.
    Fill(&'a mut [u8]),
    /// Bytes that are kept in another order, in which the engine reads them.
    Panels(Panels<'a>),
    /// This many bytes that nobody wants.
    Skip(u64),
}

impl Segment<'_> {
    /// Length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Segment::Fill(bytes) => bytes.len() as u64,
            Segment::Panels(panels) => panels.len(),
            Segment::Skip(len) => *len,
        }
    }

    /// Whether the segment has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
