//! The interface between transports, which fetch files, and decoders, which make tensors: the destination of each byte
//! of a weight group.
//!
//! Transports and decoders depend on these traits, not on each other. For each group of the manifest, a sink lends the
//! memory for its bytes; the transport splits it at file boundaries and fills the pieces in any order, in parallel,
//! directly from a file or a socket. Weights that are read later, when they are first used, come from a
//! [`WeightReader`].

use crate::{Panels, Result};
use std::fmt::Debug;

/// Lends the destinations of a model's weight bytes.
///
/// The transport must write every byte of every segment that is not skipped, in the order of the group's files, and
/// must fail if the files are shorter or longer in total than the group's segments.
pub trait WeightSink: Send {
    /// The groups of the manifest, in its order.
    fn groups(&mut self) -> Vec<GroupSink<'_>>;
}

/// Reads the bytes of weights when they are first used, possibly long after the load. Blocks.
pub trait WeightReader: Send + Sync + Debug {
    /// Fills `out` with the bytes from `offset` of the concatenated files of a group.
    ///
    /// # Errors
    /// If a file cannot be read, or has changed since the load.
    fn read(&self, group: usize, offset: u64, out: &mut [u8]) -> Result<()>;
}

/// The destination of the bytes of one group.
#[derive(Debug)]
#[non_exhaustive]
pub enum GroupSink<'a> {
    /// The sizes are known: the concatenated files fill these segments exactly.
    Segments(Vec<Segment<'a>>),
    /// The group has string tensors, whose sizes are not known before a scan: the concatenated files are appended here.
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
    /// Bytes to store.
    Fill(&'a mut [u8]),
    /// Bytes to store in another order, in which the engine reads them.
    Panels(Panels<'a>),
    /// This many bytes to skip.
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
