//! Any bytes as a zip, a tar or a gzipped tar of a model's folder.

#![no_main]

use harness::oracles::archives;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|data: &[u8]| drop(archives::check(data)));
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    if !seed.is_multiple_of(4) {
        archives::mend(&mut data[..size]);
    }
    size
});
