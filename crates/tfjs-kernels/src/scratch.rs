//! A thread's scratch memory, kept between calls: page faults of fresh memory cost more than the arithmetic
//! on it. It grows to the largest size requested and is freed when the thread ends.

use std::cell::Cell;

thread_local! {
    static BUFFER: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Calls `work` with `len` values of arbitrary content.
pub(crate) fn with<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    // A nested call finds an empty buffer and allocates its own.
    let mut buffer = BUFFER.take();
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    let result = work(&mut buffer[..len]);
    BUFFER.set(buffer);
    result
}

#[cfg(test)]
mod tests {
    #[test]
    fn calls_nest() {
        super::with(3, |outer| {
            outer.fill(1.0);
            super::with(5, |inner| inner.fill(2.0));
            assert_eq!(outer, [1.0; 3]);
        });
        super::with(4, |again| assert_eq!(again.len(), 4));
    }
}
