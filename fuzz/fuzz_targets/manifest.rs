//! Any bytes as a `model.json`: its envelope, its weights manifest, its layout.

#![no_main]

use libfuzzer_sys::{fuzz_crossover, fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| drop(harness::oracles::manifest::check(data)));
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tfjs_fuzz::mutate(data, size, max_size, seed)
});
fuzz_crossover!(|data: &[u8], other: &[u8], out: &mut [u8], seed: u32| { tfjs_fuzz::cross(data, other, out, seed) });
