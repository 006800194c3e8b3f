//! Any text as the address of a model and as the path of a weight file.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| drop(harness::oracles::urls::check(data)));
