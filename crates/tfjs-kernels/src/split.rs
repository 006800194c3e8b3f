//! Splits an output into disjoint parts that threads write.

use std::marker::PhantomData;

use crate::Cpu;

/// Elements below which one thread is faster than waking another.
pub(crate) const SERIAL_ELEMENTS: usize = 1 << 15;

/// Elements after which a part checks the deadline again: some tens of milliseconds.
const PART_ELEMENTS: usize = 1 << 26;

/// A mutable slice that several threads write, each its own part.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: it is a `&mut [T]` split into parts (see `part`), so it may be sent to other threads like one.
unsafe impl<T: Send> Send for Shared<'_, T> {}
// SAFETY: a shared reference gives access to disjoint parts only, as `part` requires.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Shared { start: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// The elements from `start` on, at most `len` of them.
    ///
    /// # Safety
    /// No two parts that exist at the same time overlap.
    pub(crate) unsafe fn part(self, start: usize, len: usize) -> &'a mut [T] {
        let start = start.min(self.len);
        let len = len.min(self.len - start);
        // SAFETY: the range is inside the slice as just clamped, and the caller keeps parts disjoint.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }

    /// The first element, for kernels that write strided parts.
    pub(crate) fn start(self) -> *mut T {
        self.start
    }
}

/// Calls `work(first_row, rows)` for parts of `out`, rows of `width` elements, on all threads.
///
/// `cost` is the cost of a row, in elements; cheap work is done by the calling thread only. `out` holds
/// whole rows.
pub(crate) fn rows(cpu: &Cpu, out: &mut [f32], width: usize, cost: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    let count = out.len().checked_div(width).unwrap_or(0);
    let elements = count.saturating_mul(cost);
    let threads = cpu.pool().threads();
    // A few parts for each thread balance other load of the machine, but no part is below the threshold.
    let shared_out = match threads == 1 || elements < SERIAL_ELEMENTS {
        true => 1,
        false => (threads * 4).min(elements / (SERIAL_ELEMENTS / 2)),
    };
    let parts = shared_out.max(elements / PART_ELEMENTS).min(count);
    if parts < 2 {
        return work(0, out);
    }
    let height = count.div_ceil(parts);
    let shared = Shared::new(out);
    cpu.parallel(count.div_ceil(height), |i| {
        // SAFETY: part `i` covers the rows from `i * height` to the next part's first.
        let part = unsafe { shared.part(i * height * width, height * width) };
        work(i * height, part);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_all_visited_once_whatever_the_threads() {
        for threads in 1..4 {
            let cpu = Cpu::new(threads);
            for (count, width) in [(0, 3), (1, 5), (7, 3), (1000, 99)] {
                let mut out = vec![0.0; count * width];
                rows(&cpu, &mut out, width, 1000, |first, part| {
                    for (i, row) in part.chunks_exact_mut(width).enumerate() {
                        row.iter_mut().for_each(|x| *x += (first + i) as f32);
                    }
                });
                for (i, x) in out.iter().enumerate() {
                    assert_eq!(*x, (i / width) as f32);
                }
            }
        }
    }

    #[test]
    fn nothing_begins_after_the_deadline() {
        let past = std::time::Instant::now();
        for threads in 1..3 {
            let mut out = vec![0.0; 4000];
            rows(&Cpu::new(threads).with_deadline(Some(past)), &mut out, 1, PART_ELEMENTS, |_, part| part.fill(1.0));
            assert!(out.iter().all(|&x| x == 0.0));
            let later = past + std::time::Duration::from_secs(3600);
            rows(&Cpu::new(threads).with_deadline(Some(later)), &mut out, 1, PART_ELEMENTS, |_, part| part.fill(1.0));
            assert!(out.iter().all(|&x| x == 1.0));
        }
    }
}
