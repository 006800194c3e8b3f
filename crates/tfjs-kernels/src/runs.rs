//! The inner dimension of a product as contiguous runs of the left side, split into blocks whose share of
//! a packed panel stays in the first-level cache.

/// `len` contiguous values, at `offset` from each row's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// Consecutive runs that are summed together. `first_k` is the number of values before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) first_k: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Runs {
    runs: Vec<Run>,
    blocks: Vec<Block>,
}

/// Inner length up to which one block is enough: a panel's share is then a few tens of KiB.
const BLOCK: usize = 384;

impl Runs {
    /// A single run of length `k`.
    pub(crate) fn whole(k: usize) -> Self {
        Self::new([Run { offset: 0, len: k }])
    }

    /// One block whatever the length, for products of few rows, which reuse nothing.
    pub(crate) fn unblocked(k: usize) -> Self {
        Runs { runs: vec![Run { offset: 0, len: k }], blocks: vec![Block { start: 0, end: 1, first_k: 0 }] }
    }

    /// Splits the pieces into blocks, in order. The ends of blocks depend only on the total length.
    pub(crate) fn new(pieces: impl IntoIterator<Item = Run>) -> Self {
        let pieces: Vec<Run> = pieces.into_iter().collect();
        let k: usize = pieces.iter().map(|run| run.len).sum();
        let count = k.div_ceil(BLOCK).max(1);
        // A multiple of the unrolled loop's step.
        let target = k.div_ceil(count).next_multiple_of(4);
        let mut runs: Vec<Run> = Vec::with_capacity(pieces.len() + count);
        let mut blocks = Vec::with_capacity(count);
        let (mut start, mut first_k, mut filled) = (0, 0, 0);
        for mut piece in pieces {
            while piece.len > 0 {
                let len = piece.len.min(target - filled);
                runs.push(Run { offset: piece.offset, len });
                piece = Run { offset: piece.offset + len, len: piece.len - len };
                filled += len;
                if filled == target {
                    blocks.push(Block { start, end: runs.len(), first_k });
                    (start, first_k, filled) = (runs.len(), first_k + filled, 0);
                }
            }
        }
        // The last block writes the result, so there is one even if the sum is empty.
        if filled > 0 || blocks.is_empty() {
            blocks.push(Block { start, end: runs.len(), first_k });
        }
        Runs { runs, blocks }
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub(crate) fn of(&self, block: Block) -> &[Run] {
        &self.runs[block.start..block.end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_every_run_once() {
        for (count, len) in [(0, 0), (1, 0), (1, 5), (3, 9), (1, 385), (1, 5000), (3, 1536), (9, 100), (49, 512)] {
            let runs = Runs::new((0..count).map(|i| Run { offset: i * 10_000, len }));
            let mut covered = vec![0; count * 10_000];
            let mut k = 0;
            let mut next = 0;
            for &block in runs.blocks() {
                assert_eq!((block.first_k, block.start), (k, next));
                next = block.end;
                for run in runs.of(block) {
                    k += run.len;
                    covered[run.offset..run.offset + run.len].iter_mut().for_each(|c| *c += 1);
                }
                assert!(k - block.first_k <= BLOCK);
            }
            assert_eq!(k, count * len);
            assert!(!runs.blocks().is_empty());
            for (i, c) in covered.into_iter().enumerate() {
                assert_eq!(c, usize::from(i % 10_000 < len));
            }
        }
    }
}
