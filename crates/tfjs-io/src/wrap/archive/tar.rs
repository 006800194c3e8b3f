//! Reads the headers of a `.tar`, one before each file, and inflates a `.tar.gz`.
//!
//! Long names use GNU's or POSIX's (pax) extension. Both are limited, because a header can claim any length.

use super::entry::{CHUNK, cut_off};
use super::index::{Content, Entry, Index};
use super::source::{Source, Spool, cannot_read};
use flate2::read::MultiGzDecoder;
use rawzip::{RangeReader, ReaderAt};
use std::io::Read;
use tar::{EntryType, Header, PaxExtensions};
use tfjs_manifest::{Error, Limits, Result};

const BLOCK: u64 = 512;

/// Most bytes of an extension header, which describes the next file.
const MOST_EXTENSION: u64 = 1 << 20;

/// Properties of the next file from extension headers.
#[derive(Default)]
struct Next {
    name: Option<Vec<u8>>,
    len: Option<u64>,
    sparse: bool,
}

pub(super) fn read(source: &Source, index: &mut Index) -> Result<()> {
    let mut header = Header::new_old();
    let mut next = Next::default();
    let mut at = 0u64;
    // Some writers omit the two zero blocks at the end.
    while at < source.len() {
        source.read_exact_at(header.as_mut_bytes(), at).map_err(cannot_read)?;
        if header.as_bytes().iter().all(|&b| b == 0) {
            break;
        }
        check_sum(&header)?;
        index.count()?;
        let kind = header.entry_type();
        let is_extension = matches!(
            kind,
            EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader | EntryType::XGlobalHeader
        );
        let len = header.entry_size().map_err(|e| broken_header().with_source(e))?;
        let len = next.len.filter(|_| !is_extension).unwrap_or(len);
        let body = at + BLOCK;
        let end = body.checked_add(len).filter(|&end| end <= source.len());
        let extension = |most: u64| {
            Limits::check("bytes of an extended header", len, most)?;
            let mut bytes = vec![0; len as usize];
            source.read_exact_at(&mut bytes, body).map_err(cannot_read)?;
            Ok(bytes)
        };
        match kind {
            EntryType::GNULongName => {
                let mut name = extension(MOST_EXTENSION)?;
                name.truncate(name.iter().position(|&b| b == 0).unwrap_or(name.len()));
                next.name = Some(name);
            }
            EntryType::XHeader => next.extend(&extension(MOST_EXTENSION)?)?,
            // Ignored: the target of a link, and properties of the whole archive.
            EntryType::GNULongLink | EntryType::XGlobalHeader => {}
            _ => {
                let Next { name, sparse, .. } = std::mem::take(&mut next);
                let name = name.unwrap_or_else(|| header.path_bytes().into_owned());
                let shown = crate::base::path::shown(&String::from_utf8_lossy(&name));
                let place = |e: Error| e.in_file(index.place(&shown));
                if sparse || kind == EntryType::GNUSparse {
                    let error =
                        "the file is stored as a sparse file, which is not supported; pack it without `--sparse`";
                    return Err(place(Error::unsupported(error)));
                }
                if end.is_none() {
                    return Err(place(cut_off()));
                }
                if let Some(content) = content(kind, body, &name) {
                    index.add(&name, Entry { len, content })?;
                }
            }
        }
        // Padded to whole blocks; the last file's padding may be missing.
        let end = end.ok_or_else(cut_off)?;
        at = end.checked_next_multiple_of(BLOCK).ok_or_else(cut_off)?;
    }
    Ok(())
}

/// Whether these bytes begin a tar, including old ones without a magic number and empty ones.
pub(super) fn begins(head: &[u8]) -> bool {
    let mut header = Header::new_old();
    let whole = head.get(..BLOCK as usize).map(|block| header.as_mut_bytes().copy_from_slice(block));
    whole.is_some() && (head.iter().all(|&b| b == 0) || check_sum(&header).is_ok())
}

/// The content of an entry; `None` for a folder.
fn content(kind: EntryType, at: u64, name: &[u8]) -> Option<Content> {
    let what = match kind {
        // In old tars, folders are regular files whose names end in `/`.
        EntryType::Directory => return None,
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => return None,
        EntryType::Regular | EntryType::Continuous => return Some(Content::Stored { at, crc: None }),
        EntryType::Symlink | EntryType::Link => "a link",
        EntryType::Char | EntryType::Block | EntryType::Fifo => "a device or pipe",
        _ => "something else",
    };
    Some(Content::Refused(format!("expected a regular file, found {what}, which is never followed")))
}

impl Next {
    fn extend(&mut self, text: &[u8]) -> Result<()> {
        for pair in PaxExtensions::new(text) {
            let pair = pair.map_err(|e| broken_header().with_source(e))?;
            match pair.key_bytes() {
                b"path" => self.name = Some(pair.value_bytes().to_vec()),
                b"size" => {
                    let len = pair.value().ok().and_then(|text| text.parse().ok());
                    self.len = Some(len.ok_or_else(broken_header)?);
                }
                key if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {}
            }
        }
        Ok(())
    }
}

fn check_sum(header: &Header) -> Result<()> {
    let bytes = header.as_bytes();
    // The checksum is computed with spaces in its own field.
    let sum: u32 =
        bytes.iter().enumerate().map(|(i, &b)| if (148..156).contains(&i) { 32 } else { u32::from(b) }).sum();
    match header.cksum() {
        Ok(said) if said == sum => Ok(()),
        _ => Err(broken_header()),
    }
}

fn broken_header() -> Error {
    Error::malformed("not a complete tar archive: a header is invalid")
}

/// Inflates a gzip stream to a [`Source`], in steps.
#[derive(Debug)]
pub(super) struct Inflating {
    decoder: MultiGzDecoder<RangeReader<Source>>,
    packed: u64,
    limits: Limits,
    spool: Spool,
    buffer: Vec<u8>,
}

impl Inflating {
    pub(super) fn new(source: &Source, limits: &Limits) -> Self {
        let decoder = MultiGzDecoder::new(RangeReader::new(source.clone(), 0..source.len()));
        let (packed, limits) = (source.len(), limits.clone());
        Inflating { decoder, packed, spool: Spool::new(&limits), limits, buffer: vec![0; CHUNK] }
    }

    /// Inflates one step, which may block. Returns whether there is more.
    pub(super) fn step(&mut self) -> Result<bool> {
        let count = self.decoder.read(&mut self.buffer).map_err(cannot_read)?;
        self.limits.check_inflation(self.packed, self.spool.len().saturating_add(count as u64))?;
        self.spool.write(&self.buffer[..count])?;
        Ok(count > 0)
    }

    pub(super) fn finish(self) -> Result<Source> {
        self.spool.finish()
    }
}
