//! Any bytes as an archive: opened or refused, every file of it read or refused, within the limits, no name
//! out of the model's folder.

use super::{limits, proper};
use io_harness::archives::explore;
use tfjs::Result;

/// A block of a tar, where a header says `ustar`, where its checksum is.
const BLOCK: usize = 512;
const MAGIC: std::ops::Range<usize> = 257..262;
const SUM: std::ops::Range<usize> = 148..156;

/// Checks an archive of any format.
///
/// # Errors
/// What opening it, or reading the first file that is damaged, refuses.
///
/// # Panics
/// If a property does not hold.
pub fn check(data: &[u8]) -> Result<()> {
    let found = proper(explore(data, limits()))?;
    drop(proper(found.json));
    proper(found.bytes).map(drop)
}

/// Makes the checksums of a tar's headers right, so that a change to one is read and not only refused.
pub fn mend(data: &mut [u8]) {
    for header in data.chunks_exact_mut(BLOCK).filter(|block| block[MAGIC] == *b"ustar") {
        header[SUM].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}
