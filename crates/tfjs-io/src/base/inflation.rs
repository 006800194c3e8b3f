//! Compares what compressed weight files become with their compressed bytes: for each load as a whole, because many
//! small files can add up.

use std::sync::{Arc, Mutex, PoisonError};
use tfjs_manifest::{Limits, Result};

/// The compressed and the decompressed bytes of the weight files of one load. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inflation(Arc<Mutex<Counts>>);

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    packed: u64,
    bytes: u64,
}

impl Inflation {
    /// Begins a file.
    pub(crate) fn file(&self) -> Inflated {
        Inflated { all: self.clone(), own: Counts::default(), whole: false }
    }

    fn change(&self, from: Counts, to: Counts) -> Counts {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.packed = all.packed.saturating_sub(from.packed).saturating_add(to.packed);
        all.bytes = all.bytes.saturating_sub(from.bytes).saturating_add(to.bytes);
        *all
    }
}

/// The bytes of one file. They are not counted if it is dropped before its end, because it is fetched again then.
#[derive(Debug)]
pub(crate) struct Inflated {
    all: Inflation,
    own: Counts,
    whole: bool,
}

impl Inflated {
    /// Checks a file that has become `bytes` so far, from `packed` compressed bytes.
    ///
    /// # Errors
    /// [`Kind::Limit`](tfjs_manifest::Kind::Limit) if the files of this load become too many bytes.
    pub(crate) fn check(&mut self, packed: u64, bytes: u64, limits: &Limits) -> Result<()> {
        let now = Counts { packed, bytes };
        let all = self.all.change(std::mem::replace(&mut self.own, now), now);
        limits.check_inflation(all.packed, all.bytes)
    }

    /// The file was read to its end.
    pub(crate) fn end(&mut self) {
        self.whole = true;
    }
}

impl Drop for Inflated {
    fn drop(&mut self) {
        if !self.whole {
            self.all.change(self.own, Counts::default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn files_add_up() {
        let (inflation, limits) = (Inflation::default(), Limits::default());
        for _ in 0..2 {
            let mut dropped = inflation.file();
            dropped.check(MIB / 100, 10 * MIB, &limits).unwrap();
        }
        let mut one = inflation.file();
        one.check(1, 5 * MIB, &limits).unwrap();
        one.check(2, 10 * MIB, &limits).unwrap();
        one.end();
        drop(one);
        let mut other = inflation.file();
        other.check(1, 6 * MIB, &limits).unwrap();
        assert!(other.check(1, 7 * MIB, &limits).is_err());
        assert!(other.check(MIB, 7 * MIB, &limits).is_ok(), "this one is dense");
    }
}
