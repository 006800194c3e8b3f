//! Reads any bytes as an archive: it and each of its files is read or refused, within the limits, and no name leads
//! out of the model's folder.

use super::{limits, proper};
use io_harness::archives::explore;
use tfjs::Result;

/// Bytes of a block of a tar; a header is one block.
const BLOCK: usize = 512;
/// The bytes of `ustar` in a header.
const MAGIC: std::ops::Range<usize> = 257..262;
/// The bytes of the checksum in a header.
const SUM: std::ops::Range<usize> = 148..156;

/// Checks an archive of any format.
///
/// # Errors
/// The error of opening the archive, or of the first file that is damaged.
///
/// # Panics
/// If a property does not hold.
pub fn check(data: &[u8]) -> Result<()> {
    let found = proper(explore(data, limits()))?;
    drop(proper(found.json));
    proper(found.bytes).map(drop)
}

/// Corrects the checksums of a tar's headers, so that changes to other fields are not refused by the checksum alone.
pub fn mend(data: &mut [u8]) {
    for header in data.chunks_exact_mut(BLOCK).filter(|block| block[MAGIC] == *b"ustar") {
        header[SUM].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}
