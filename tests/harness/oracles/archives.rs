//! Any bytes as an archive: opened or refused, every file of it read or refused, within the limits, no name
//! out of the model's folder.

use super::proper;
use tfjs::parts::io::{ArchiveFiles, shard_components};
use tfjs::{Limits, Result};

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
    let limits = limits();
    let files = proper(ArchiveFiles::from_bytes("m", data.to_vec(), &limits))?;
    let names = files.names();
    assert!(names.len() as u64 <= limits.archive_entries, "{} entries", names.len());
    assert!(names.is_sorted_by(|a, b| a < b), "the names are sorted, each is there once: {names:?}");
    for name in &names {
        let parts = shard_components(name, &limits).expect("a name that was taken is a weight file's path");
        assert_eq!(parts.join("/"), *name, "a name that was taken is the plain one");
    }
    if let Ok(json) = proper(files.model_json()) {
        assert!(json.to_ascii_lowercase().ends_with(".json"), "{json}");
    }
    let count = proper(files.verify())?;
    assert!(count <= limits.archive_bytes, "{count} bytes");
    Ok(())
}

/// Limits that small archives come to.
fn limits() -> Limits {
    let mut limits = super::limits();
    limits.archive_bytes = 1 << 20;
    limits.archive_entries = 256;
    limits
}

/// Makes the checksums of a tar's headers right, so that a change to one is read and not only refused.
pub fn mend(data: &mut [u8]) {
    for header in data.chunks_exact_mut(BLOCK).filter(|block| block[MAGIC] == *b"ustar") {
        header[SUM].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}
