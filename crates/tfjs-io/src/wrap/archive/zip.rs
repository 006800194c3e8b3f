//! Reads the central directory of a `.zip`. Local headers are ignored, even if they differ.
//!
//! Entries that share bytes are errors, because with them a small archive could contain any amount of data.

use super::entry::cut_off;
use super::index::{Content, Entry, Index};
use super::source::{Source, cannot_read};
use rawzip::{CompressionMethod, ErrorKind, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, ZipFileHeaderRecord, ZipLocator};
use tfjs_manifest::{Error, Result};

/// The bits of a mode that are the file's type.
const TYPE_MASK: u32 = 0o170_000;
const REGULAR: u32 = 0o100_000;
const PIPE: u32 = 0o010_000;

pub(super) fn read(source: &Source, index: &mut Index) -> Result<()> {
    let mut buffer = vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
    let located = ZipLocator::new().locate_in_reader(source.clone(), &mut buffer, source.len());
    let archive = located.map_err(|(_, e)| no_zip(e))?;
    // The byte ranges in use, beginning with the directory.
    let mut taken = vec![(archive.directory_offset(), archive.eocd_offset(), "the directory".to_owned())];
    let mut entries = archive.entries(&mut buffer);
    let mut count = 0u64;
    while let Some(header) = entries.next_entry().map_err(no_zip)? {
        index.count()?;
        count += 1;
        // Names written on Windows may have backslashes.
        let name: Vec<u8> = header.file_path().as_ref().iter().map(|&b| if b == b'\\' { b'/' } else { b }).collect();
        let shown = String::from_utf8_lossy(&name).into_owned();
        let place = |e: Error| e.in_file(index.place(&crate::base::path::shown(&shown)));
        let (start, end) =
            archive.get_entry(header.wayfinder()).map_err(no_zip).map_err(place)?.compressed_data_range();
        if end > source.len() {
            return Err(place(cut_off()));
        }
        taken.push((header.local_header_offset(), end, shown.clone()));
        if name.ends_with(b"/") {
            continue;
        }
        let content = content(&header, start).map_err(place)?;
        index.add(&name, Entry { len: header.uncompressed_size_hint(), content })?;
    }
    // Without the zip64 extension, only the low 16 bits of the number are stored.
    let said = archive.entries_hint();
    if said != count && said != count & 0xffff {
        return Err(Error::malformed(format!("the archive says {said} entries, its directory has {count}")));
    }
    taken.sort_unstable();
    match taken.windows(2).find(|pair| pair[0].1 > pair[1].0) {
        None => Ok(()),
        Some(pair) => {
            let shown = crate::base::path::shown(&pair[1].2);
            let error = format!("shares bytes of the archive with `{}`", crate::base::path::shown(&pair[0].2));
            Err(Error::malformed(error).in_file(index.place(&shown)))
        }
    }
}

fn content(header: &ZipFileHeaderRecord<'_>, at: u64) -> Result<Content> {
    let (len, packed, crc) = (header.uncompressed_size_hint(), header.compressed_size_hint(), header.crc32());
    let flags = header.flags();
    let refused = |why: String| Ok(Content::Refused(why));
    if flags.is_encrypted() || flags.has_strong_encryption() || flags.is_masked() {
        return refused("the file is encrypted, which is not supported; pack it without a password".into());
    }
    // Some systems set no file type, and Info-ZIP marks data that it read from a pipe as a pipe.
    if !matches!(header.mode().value() & TYPE_MASK, 0 | REGULAR | PIPE) {
        let what = if header.mode().is_symlink() { "a link" } else { "a device or folder" };
        return refused(format!("expected a regular file, found {what}, which is never followed"));
    }
    match header.compression_method() {
        CompressionMethod::STORE if packed != len => {
            Err(Error::malformed(format!("the archive says {len} bytes, stored uncompressed in {packed}")))
        }
        CompressionMethod::STORE => Ok(Content::Stored { at, crc: Some(crc) }),
        CompressionMethod::DEFLATE => Ok(Content::Deflated { at, packed, crc }),
        method => {
            let name = method.name().map_or_else(|| format!("method {}", method.as_u16()), str::to_ascii_lowercase);
            refused(format!("the file is compressed with {name}, which is not supported; pack it with deflate"))
        }
    }
}

fn no_zip(error: rawzip::Error) -> Error {
    match error.kind() {
        ErrorKind::IO(_) => match error.into_kind() {
            ErrorKind::IO(e) => cannot_read(e),
            other => Error::malformed("not a complete zip archive").with_source(other.to_string()),
        },
        ErrorKind::MissingEndOfCentralDirectory => {
            Error::malformed("not a complete zip archive: it has no directory at its end; it may be truncated")
        }
        _ => Error::malformed("not a complete zip archive: its directory is invalid").with_source(error),
    }
}
