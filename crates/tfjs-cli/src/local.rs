//! The caller's own files, given by name on the command line: the only ones this crate opens. Models and
//! what lies beside them come through `tfjs-io`.

use std::fs;
use std::io::Read;
use std::path::Path;
use tfjs::{Error, Result};

/// Whether the path means a standard stream.
pub(crate) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The bytes of a file; `-` is the standard input.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = match is_standard(path) {
        true => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        }
        false => fs::read(path),
    };
    bytes.map_err(|e| Error::fetch("cannot read the file").in_file(path.display()).with_source(e))
}

/// Writes a file, replacing what was there: whole, or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    tfjs::parts::io::write_file(path, bytes)
}

/// The most memory this process ever had, where the system tells.
pub(crate) fn peak_rss_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs::Kind;

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("no/such/file")).unwrap_err();
        assert_eq!((error.kind(), error.place().file.as_deref()), (Kind::Fetch, Some("no/such/file")));
    }
}
