//! A stable sort that can be interrupted: it looks at the clock between blocks and while it merges them.

use crate::clock::Clock;
use std::cmp::Ordering;
use tfjs_manifest::{Error, Result};

/// Elements that the standard library's sort takes at once: some tens of milliseconds.
const BLOCK: usize = 1 << 18;

/// Elements that are merged between two looks at the clock.
const MERGED: usize = 1 << 14;

/// Sorts and keeps the order of equal elements. A comparison takes about `cost` operations. More elements than a block
/// need memory for a copy.
///
/// # Errors
/// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the deadline has passed, and if there is no memory for the copy. The
/// order is then any.
pub fn sort_by<T: Copy>(
    items: &mut Vec<T>,
    cost: usize,
    clock: &Clock,
    mut compare: impl FnMut(&T, &T) -> Ordering,
) -> Result<()> {
    let block = (BLOCK / cost.max(1)).max(1);
    for part in items.chunks_mut(block) {
        clock.look(part.len().saturating_mul(cost).saturating_mul(16))?;
        part.sort_by(&mut compare);
    }
    if items.len() <= block {
        return Ok(());
    }
    let mut other = Vec::new();
    let no_memory = |e| Error::limit(format!("no memory to sort {} elements", items.len())).with_source(e);
    other.try_reserve_exact(items.len()).map_err(no_memory)?;
    let mut sorted = block;
    while sorted < items.len() {
        other.clear();
        for pair in items.chunks(sorted.saturating_mul(2)) {
            let (left, right) = pair.split_at(sorted.min(pair.len()));
            merge(left, right, &mut other, cost, clock, &mut compare)?;
        }
        std::mem::swap(items, &mut other);
        sorted = sorted.saturating_mul(2);
    }
    Ok(())
}

/// Appends the elements of two sorted slices in order; of equal ones, those of the left slice first.
fn merge<T: Copy>(
    mut left: &[T],
    mut right: &[T],
    out: &mut Vec<T>,
    cost: usize,
    clock: &Clock,
    compare: &mut impl FnMut(&T, &T) -> Ordering,
) -> Result<()> {
    let at_once = (MERGED / cost.max(1)).max(1);
    while let (false, false) = (left.is_empty(), right.is_empty()) {
        clock.look(at_once.saturating_mul(cost))?;
        for _ in 0..at_once {
            let (Some((a, after_left)), Some((b, after_right))) = (left.split_first(), right.split_first()) else {
                break;
            };
            if compare(b, a) == Ordering::Less {
                out.push(*b);
                right = after_right;
            } else {
                out.push(*a);
                left = after_left;
            }
        }
    }
    out.extend_from_slice(left);
    out.extend_from_slice(right);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    /// Sorts keys with their positions by the keys, in blocks of `BLOCK / cost` elements.
    #[track_caller]
    fn check(len: usize, cost: usize) {
        let mut items: Vec<(u64, usize)> = (0..len).map(|i| ((i as u64 * 7919) % 101, i)).collect();
        let mut expected = items.clone();
        expected.sort_by_key(|&(key, _)| key);
        sort_by(&mut items, cost, &Clock::default(), |a, b| a.0.cmp(&b.0)).unwrap();
        assert!(items == expected, "{len} elements of cost {cost}");
    }

    #[test]
    fn blocks_are_merged_and_equal_elements_keep_their_order() {
        for len in [0, 1, 2, 3, 63, 64, 65, 1000, 4096, 5000] {
            for cost in [1, BLOCK / 64, BLOCK / 3, BLOCK, usize::MAX] {
                check(len, cost);
            }
        }
    }

    #[test]
    fn the_deadline_ends_a_sort() {
        let passed = || Clock::new(Some(Instant::now()));
        for (len, cost) in [(BLOCK, 1), (10, BLOCK)] {
            let mut items: Vec<usize> = (0..len).rev().collect();
            let error = sort_by(&mut items, cost, &passed(), Ord::cmp).unwrap_err();
            assert!(error.message().contains("deadline"), "{error}");
        }
        // While the blocks are merged.
        let mut out = Vec::new();
        let (left, right): (Vec<usize>, Vec<usize>) = ((0..2 << 20).collect(), (0..2 << 20).collect());
        let error = merge(&left, &right, &mut out, 1, &passed(), &mut Ord::cmp).unwrap_err();
        assert!(error.message().contains("deadline"), "{error}");
    }
}
