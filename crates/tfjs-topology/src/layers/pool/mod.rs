//! Pools: the largest or mean value of a window, or of the whole input.

pub mod adaptive;
pub mod global;
pub mod window;

use super::spatial::count_of;
use tfjs_manifest::Result;

/// What a pool keeps of its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// The largest. Padding never counts.
    Max,
    /// The mean. Padding never counts, neither in the sum nor in the divisor.
    Average,
}

/// What a pool of this class keeps, and how many spatial axes it has, among those of both kinds from one axis on.
///
/// # Errors
/// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a class that is listed for the family and not among them.
fn kind_and_count(class: &str, max: [&str; 3], average: [&str; 3]) -> Result<(PoolKind, usize)> {
    let kind = if max.contains(&class) { PoolKind::Max } else { PoolKind::Average };
    let by_count = if kind == PoolKind::Max { max } else { average };
    Ok((kind, count_of(class, &by_count)?))
}
