//! Pools: the largest or mean value of a window, or of the whole input.

pub mod global;
pub mod window;

/// What a pool keeps of its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// The largest. Padding never counts.
    Max,
    /// The mean. Padding never counts, neither in the sum nor in the divisor.
    Average,
}

impl PoolKind {
    /// The kind a class name says.
    pub(crate) fn of(class: &str) -> Self {
        if class.contains("Max") { PoolKind::Max } else { PoolKind::Average }
    }
}
