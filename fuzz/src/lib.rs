//! What the targets share: JSON that stays JSON while it is changed. The properties are those of
//! `harness::oracles`; here is glue only.

use harness::oracles::json;

/// Changes an input: mostly its JSON, sometimes any byte of it. For `fuzz_mutator!`.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    if seed % 5 > 0
        && let Some(changed) = json::mutate(&data[..size], seed.into())
        && changed.len() <= max_size
    {
        data[..changed.len()].copy_from_slice(&changed);
        return changed.len();
    }
    libfuzzer_sys::fuzzer_mutate(data, size, max_size)
}

/// Puts a part of one input's JSON into the other's. For `fuzz_crossover!`.
pub fn cross(data: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
    match json::cross(data, other, seed.into()) {
        Some(crossed) if crossed.len() <= out.len() => {
            out[..crossed.len()].copy_from_slice(&crossed);
            crossed.len()
        }
        _ => 0,
    }
}
