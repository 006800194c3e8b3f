//! Arenas: the buffers of one call, planned before anything is allocated.

use super::buffer::{Buffer, Repr};
use tfjs_manifest::{Error, Result};

/// The buffers of one call.
pub(super) type Arena = Vec<Buffer>;

/// The buffers that an arena contains.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub(super) buffers: Vec<Reserve>,
}

/// One buffer of an arena.
#[derive(Clone, Debug)]
pub(super) enum Reserve {
    Elements(Repr, usize),
    /// The buffers of a loop's body.
    Nested(Layout),
}

impl Layout {
    /// The bytes of an arena.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if they overflow.
    pub(super) fn bytes(&self) -> Result<u64> {
        self.buffers.iter().try_fold(0u64, |sum, buffer| {
            let bytes = match buffer {
                Reserve::Elements(repr, elements) => repr.bytes().checked_mul(*elements as u64),
                Reserve::Nested(layout) => Some(layout.bytes()?),
            };
            bytes
                .and_then(|bytes| sum.checked_add(bytes))
                .ok_or_else(|| Error::limit("activations of more than 2^64 bytes"))
        })
    }

    /// An arena of zeros.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if memory is exhausted.
    pub(super) fn allocate(&self) -> Result<Arena> {
        let buffers = self.buffers.iter().map(|buffer| match buffer {
            Reserve::Elements(repr, elements) => Buffer::zeroed(*repr, *elements),
            Reserve::Nested(layout) => layout.allocate().map(Buffer::Nested),
        });
        buffers.collect()
    }
}

/// Assigns buffers to values as they are computed, and reuses them when the values are no longer read.
#[derive(Debug, Default)]
pub(super) struct Assigner {
    pub(super) layout: Layout,
    free: Vec<usize>,
    /// The number of values that still need each buffer.
    holders: Vec<usize>,
}

impl Assigner {
    /// Returns the free buffer of this element type whose size is nearest, enlarged if necessary; a new one if none is
    /// free.
    pub(super) fn assign(&mut self, repr: Repr, elements: usize) -> usize {
        let size = |buffer: usize| match &self.layout.buffers[buffer] {
            Reserve::Elements(found, size) if *found == repr => Some(*size),
            _ => None,
        };
        let fitting =
            self.free.iter().enumerate().filter_map(|(i, &buffer)| Some((i, size(buffer)?.abs_diff(elements))));
        let nearest = fitting.min_by_key(|&(_, difference)| difference).map(|(i, _)| i);
        let Some(nearest) = nearest else { return self.add(Reserve::Elements(repr, elements)) };
        let buffer = self.free.swap_remove(nearest);
        if let Reserve::Elements(_, size) = &mut self.layout.buffers[buffer] {
            *size = (*size).max(elements);
        }
        self.holders[buffer] = 1;
        buffer
    }

    /// Adds a buffer.
    pub(super) fn add(&mut self, reserve: Reserve) -> usize {
        self.layout.buffers.push(reserve);
        self.holders.push(1);
        self.layout.buffers.len() - 1
    }

    /// Records that another value uses the buffer.
    pub(super) fn share(&mut self, buffer: usize) {
        self.holders[buffer] += 1;
    }

    /// Whether exactly one value uses the buffer.
    pub(super) fn is_alone(&self, buffer: usize) -> bool {
        self.holders[buffer] == 1
    }

    /// Records that a value in the buffer is no longer read.
    pub(super) fn release(&mut self, buffer: usize) {
        self.holders[buffer] = self.holders[buffer].saturating_sub(1);
        if self.holders[buffer] == 0 {
            self.free.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[test]
    fn buffers_are_reused_by_type_and_size() {
        let mut assigner = Assigner::default();
        let [a, b] = [assigner.assign(Repr::F32, 10), assigner.assign(Repr::F32, 100)];
        let c = assigner.assign(Repr::I64, 90);
        [a, b, c].into_iter().for_each(|buffer| assigner.release(buffer));
        assert_eq!(assigner.assign(Repr::F32, 90), b);
        assert_eq!(assigner.assign(Repr::F32, 20), a);
        assert_eq!(assigner.assign(Repr::I64, 1), c);
        assert_eq!(assigner.layout.bytes().unwrap(), (20 + 100) * 4 + 90 * 8);
        assert_eq!(assigner.layout.allocate().unwrap().len(), 3);
    }

    #[test]
    fn a_shared_buffer_is_free_when_its_last_value_is() {
        let mut assigner = Assigner::default();
        let a = assigner.assign(Repr::F32, 4);
        assigner.share(a);
        assert!(!assigner.is_alone(a));
        assigner.release(a);
        assert_ne!(assigner.assign(Repr::F32, 4), a);
        assigner.release(a);
        assert_eq!(assigner.assign(Repr::F32, 4), a);
    }

    #[test]
    fn memory_beyond_all_bounds_is_an_error() {
        let layout = Layout { buffers: vec![Reserve::Elements(Repr::I64, usize::MAX / 2)] };
        assert_eq!(layout.bytes().unwrap_err().kind(), Kind::Limit);
        let layout = Layout { buffers: vec![Reserve::Elements(Repr::U8, isize::MAX as usize)] };
        assert_eq!(layout.allocate().unwrap_err().kind(), Kind::Limit);
    }
}
