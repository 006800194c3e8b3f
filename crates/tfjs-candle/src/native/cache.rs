//! Caches plans by the shapes of calls, with idle arenas for a few concurrent calls.

use super::instance::Instance;
use super::layout::Arena;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tfjs_ir::Bound;
use tfjs_manifest::Result;

/// The most shapes that are cached.
const ENTRIES: usize = 16;
/// The most bytes of idle arenas of all shapes together, not counting the most recent shape.
const RESTING_BYTES: u64 = 1 << 30;
/// The most idle arenas of one shape.
const ARENAS: usize = 16;

/// The prepared data for the shapes of a call.
#[derive(Debug)]
pub(super) struct Entry {
    /// The dimensions of all inputs and states, concatenated: their ranks are fixed.
    key: Box<[usize]>,
    pub(super) bound: Bound,
    pub(super) instance: Instance,
    /// Bytes of memory of one call.
    pub(super) bytes: u64,
    /// The estimated operations of one call.
    pub(super) work: u64,
    resting: Mutex<Vec<Arena>>,
}

impl Entry {
    /// `outputs` are the bytes of the outputs, which are copied out of the arena.
    pub(super) fn new(key: Box<[usize]>, bound: Bound, instance: Instance, outputs: u64, work: u64) -> Result<Self> {
        let bytes = instance.layout.bytes()?.saturating_add(instance.scratch).saturating_add(outputs);
        Ok(Entry { key, bound, instance, bytes, work, resting: Mutex::default() })
    }

    /// Memory for one call: an idle arena, or a new one.
    pub(super) fn arena(&self) -> Result<Arena> {
        let resting = lock(&self.resting).pop();
        resting.map_or_else(|| self.instance.layout.allocate(), Ok)
    }

    /// Keeps an arena for a later call. An arena of a failed call can be reused, because every buffer is written before
    /// it is read.
    pub(super) fn rest(&self, arena: Arena) {
        let mut resting = lock(&self.resting);
        let bytes = self.bytes.saturating_mul(resting.len() as u64 + 1);
        if resting.is_empty() || (resting.len() < ARENAS && bytes <= RESTING_BYTES / 2) {
            resting.push(arena);
        }
    }

    fn resting_bytes(&self) -> u64 {
        self.bytes.saturating_mul(lock(&self.resting).len() as u64)
    }
}

/// The cached shapes, the most recent one first.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: Mutex<Vec<Arc<Entry>>>,
}

impl Cache {
    /// The entry for these dimensions; `prepare` is called if there is none.
    pub(super) fn get(
        &self,
        key: impl Iterator<Item = usize> + Clone,
        prepare: impl FnOnce(Box<[usize]>) -> Result<Entry>,
    ) -> Result<Arc<Entry>> {
        if let Some(entry) = self.known(key.clone()) {
            return Ok(entry);
        }
        // Two threads may prepare the same entry; one of the two stays.
        let entry = Arc::new(prepare(key.collect())?);
        let mut entries = lock(&self.entries);
        entries.insert(0, entry.clone());
        let mut bytes = 0u64;
        let mut kept = 0;
        entries.retain(|entry| {
            bytes = bytes.saturating_add(entry.resting_bytes());
            kept += 1;
            kept == 1 || (kept <= ENTRIES && bytes <= RESTING_BYTES)
        });
        Ok(entry)
    }

    fn known(&self, key: impl Iterator<Item = usize> + Clone) -> Option<Arc<Entry>> {
        let mut entries = lock(&self.entries);
        let position = entries.iter().position(|entry| entry.key.iter().copied().eq(key.clone()))?;
        if position > 0 {
            let entry = entries.remove(position);
            entries.insert(0, entry);
        }
        entries.first().cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::select::Selection;
    use tfjs_ir::{Builder, ElementType, Type};

    fn entry(key: Box<[usize]>) -> Result<Entry> {
        let mut b = Builder::default();
        let n = b.dims().symbol("n");
        let x = b.input("x", Type::new(ElementType::F32, [n]))?;
        let y = b.add(x, x)?;
        let selection = Selection::new(b.finish(vec![("y".to_string(), y)])?)?;
        let bound = selection.program.bind(&[&key])?;
        let instance = Instance::new(&selection.root, &selection.program, &bound, 0)?;
        Entry::new(key, bound, instance, 0, 0)
    }

    #[test]
    fn the_shapes_used_last_are_remembered() {
        let cache = Cache::default();
        let get = |n: usize| cache.get([n].into_iter(), entry).unwrap();
        let first = get(0);
        for n in 1..ENTRIES {
            get(n);
        }
        assert!(Arc::ptr_eq(&first, &get(0)));
        get(ENTRIES);
        assert!(Arc::ptr_eq(&first, &get(0)), "the least recently used one has gone");
        assert_eq!(lock(&cache.entries).len(), ENTRIES);
        assert!(!lock(&cache.entries).iter().any(|entry| *entry.key == [1]));
    }

    #[test]
    fn arenas_rest_between_calls() {
        let entry = entry([5].into()).unwrap();
        assert_eq!(entry.bytes, 20);
        let (a, b) = (entry.arena().unwrap(), entry.arena().unwrap());
        entry.rest(a);
        entry.rest(b);
        assert_eq!(entry.resting_bytes(), 40);
    }
}
