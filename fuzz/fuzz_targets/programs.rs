//! Any bytes as the text of a program: read, verified, printed, simplified, interpreted.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| drop(harness::oracles::programs::check(data)));
