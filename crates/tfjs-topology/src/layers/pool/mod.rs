//! Pools: the maximum or mean of a window, or of the whole input.

pub mod adaptive;
pub mod global;
pub mod window;

use super::spatial::count_of;
use tfjs_manifest::Result;

/// How a pool combines elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// The maximum. Padding is excluded.
    Max,
    /// The mean. Padding is excluded from both the sum and the divisor.
    Average,
}

/// The kind of pool of a class, and its number of spatial axes: its position in `max` or `average`, from 1.
///
/// # Errors
/// [`Kind::Bug`](tfjs_manifest::Kind::Bug) for a listed class that is in neither.
fn kind_and_count(class: &str, max: [&str; 3], average: [&str; 3]) -> Result<(PoolKind, usize)> {
    let kind = if max.contains(&class) { PoolKind::Max } else { PoolKind::Average };
    let by_count = if kind == PoolKind::Max { max } else { average };
    Ok((kind, count_of(class, &by_count)?))
}
