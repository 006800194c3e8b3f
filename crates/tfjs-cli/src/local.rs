//! Reads and writes the files that the caller names on the command line, the only ones that this crate opens itself.
//! Models and the files beside them come from `tfjs-io`.

use crate::clock::Clock;
use crate::failure::Failure;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use tfjs::parts::io::ModelUrl;
use tfjs::{Error, Result};

/// Most bytes of a text file.
const MOST_TEXT: u64 = 16 << 20;

/// Whether the path is `-`, a standard stream.
pub(crate) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The path for messages. If it is a URL by mistake, its secrets are left out.
pub(crate) fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    match ModelUrl::parse(&text) {
        Ok(url) => url.to_string(),
        Err(_) if text.trim().is_empty() => text,
        Err(_) => "a URL".to_owned(),
    }
}

/// Reads a file of at most `most` bytes; `-` is standard input.
///
/// # Errors
/// [`Kind::Limit`](tfjs::Kind::Limit) for more bytes, [`Kind::Fetch`](tfjs::Kind::Fetch) if it cannot be read, or not in
/// time.
pub(crate) fn read(path: &Path, most: u64, clock: Clock) -> Result<Vec<u8>> {
    let whole = path.to_owned();
    clock.wait(move || read_whole(&whole, most)).map_err(|e| e.in_file(shown(path)))
}

fn read_whole(path: &Path, most: u64) -> Result<Vec<u8>> {
    let read = || {
        let mut bytes = Vec::new();
        if is_standard(path) {
            std::io::stdin().lock().take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        } else {
            let file = File::open(path)?;
            // Zero for a file without a length, such as a pipe.
            let length = file.metadata()?.len();
            if length > most {
                return Ok(None);
            }
            bytes.try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))?;
            file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
        }
        Ok(Some(bytes).filter(|bytes| bytes.len() as u64 <= most))
    };
    let bytes = read().map_err(|e: std::io::Error| Error::fetch("cannot read the file").with_source(e))?;
    bytes.ok_or_else(|| Error::limit(format!("expected a file of at most {most} bytes, found more")))
}

/// Reads a text file: labels, certificates, checksums.
pub(crate) fn read_text(path: &Path, clock: Clock) -> Result<Vec<u8>> {
    read(path, MOST_TEXT, clock)
}

/// Checks that this is a path to write to, and not a URL: errors of writing show it as it is.
pub(crate) fn check_path(path: &Path) -> Result<()> {
    match path.to_str().map(ModelUrl::parse) {
        Some(Ok(url)) if url.as_path().is_none() => {
            Err(Error::misuse("expected the path of a file, found a URL").in_file(url))
        }
        Some(Err(e)) => Err(e),
        _ => Ok(()),
    }
}

/// Writes a file atomically. Replaces an existing file. A pipe is written to directly, in the time that is left.
pub(crate) fn write(path: &Path, bytes: Vec<u8>, clock: Clock) -> Result<()> {
    check_path(path)?;
    if fs::metadata(path).map_or(true, |found| found.is_file()) {
        return tfjs::parts::io::write_file(path, &bytes);
    }
    let pipe = path.to_owned();
    let written = clock.wait(move || tfjs::parts::io::write_file(&pipe, &bytes));
    written.map_err(|e| e.in_file(path.display()))
}

/// [`write`] with a function that writes the bytes to a file, piece by piece. For a pipe they are collected first.
pub(crate) fn write_from(
    path: &Path,
    clock: Clock,
    from: impl FnOnce(&mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    check_path(path)?;
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let mut bytes = Vec::new();
        from(&mut bytes)?;
        return Ok(write(path, bytes, clock)?);
    }
    let mut failed = Ok(());
    let written = tfjs::parts::io::write_file_from(path, |file| {
        failed = from(file);
        if failed.is_ok() { Ok(()) } else { Err(io::Error::other("not all bytes were written")) }
    });
    match failed {
        Ok(()) => Ok(written?),
        // An error of the file itself, such as a full disk, is that of writing it.
        Err(Failure::Stream(e)) => {
            Err(Error::fetch("cannot write the file").in_file(path.display()).with_source(e).into())
        }
        Err(other) => Err(other),
    }
}

/// The peak memory of this process, if the system reports it.
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
        let error = read(Path::new("no/such/file"), 9, Clock::default()).unwrap_err();
        assert_eq!((error.kind(), error.place().file.as_deref()), (Kind::Fetch, Some("no/such/file")));
    }

    #[test]
    fn a_url_in_place_of_a_path_is_shown_without_secrets() {
        let error = read(Path::new("http://user:s3cr@host/x.npy"), 9, Clock::default()).unwrap_err();
        assert_eq!(error.place().file.as_deref(), Some("http://host/x.npy"));
        assert_eq!(shown(Path::new("http://")), "a URL");
    }

    #[test]
    fn files_end_at_their_limit() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/local.rs");
        assert_eq!(read(&here, 9, Clock::default()).unwrap_err().kind(), Kind::Limit);
        let length = fs::metadata(&here).unwrap().len();
        assert_eq!(read(&here, length, Clock::default()).unwrap().len() as u64, length);
        #[cfg(unix)]
        assert_eq!(read(Path::new("/dev/zero"), 1 << 20, Clock::default()).unwrap_err().kind(), Kind::Limit);
    }
}
