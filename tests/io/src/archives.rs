//! Archives for tests, written byte by byte so that every field can be wrong; and properties that must hold for any
//! bytes read as an archive.
//!
//! Zip: APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16. Tar: POSIX pax and GNU tar's `tar.h`.

use flate2::Crc;
use flate2::write::{DeflateEncoder, GzEncoder};
use std::io::Write;
use tfjs_io::{ArchiveFiles, Result, shard_components};
use tfjs_manifest::Limits;

/// One entry of a zip, with the values of its headers.
#[derive(Clone, Debug)]
pub struct ZipEntry {
    /// The name, which may be any bytes.
    pub name: Vec<u8>,
    /// The stored bytes.
    pub data: Vec<u8>,
    /// The compression method: 0 stored, 8 deflated.
    pub method: u16,
    /// General purpose flags.
    pub flags: u16,
    /// The checksum of the contents.
    pub crc: u32,
    /// The length of the contents.
    pub len: u32,
    /// The length of the stored bytes.
    pub packed: u32,
    /// Unix mode, if not zero.
    pub mode: u32,
    /// The extra field in the directory.
    pub extra: Vec<u8>,
    /// The offset written in the directory, if it differs from the true one.
    pub begins: Option<u32>,
}

impl ZipEntry {
    /// An entry with uncompressed bytes.
    pub fn stored(name: impl AsRef<[u8]>, data: &[u8]) -> Self {
        ZipEntry {
            name: name.as_ref().to_vec(),
            data: data.to_vec(),
            method: 0,
            flags: 0,
            crc: crc(data),
            len: data.len() as u32,
            packed: data.len() as u32,
            mode: 0,
            extra: Vec::new(),
            begins: None,
        }
    }

    /// An entry with deflated bytes.
    pub fn deflated(name: impl AsRef<[u8]>, data: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).expect("memory can be written");
        let packed = encoder.finish().expect("memory can be written");
        ZipEntry {
            packed: packed.len() as u32,
            method: 8,
            crc: crc(data),
            len: data.len() as u32,
            ..ZipEntry::stored(name, &packed)
        }
    }

    /// Changes some fields.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn fields(&self) -> Vec<u8> {
        let time = [0; 4];
        let mut out = [&self.flags.to_le_bytes()[..], &self.method.to_le_bytes(), &time].concat();
        for number in [self.crc, self.packed, self.len] {
            out.extend(number.to_le_bytes());
        }
        out.extend((self.name.len() as u16).to_le_bytes());
        out
    }
}

/// A zip of these entries.
pub fn zip(entries: &[ZipEntry]) -> Vec<u8> {
    zip_with_count(entries, entries.len() as u16)
}

/// A zip whose directory states this number of entries.
pub fn zip_with_count(entries: &[ZipEntry], count: u16) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let begins = entry.begins.unwrap_or(out.len() as u32);
        let zip64 = if entry.extra.is_empty() { 20u16 } else { 45 };
        out.extend(b"PK\x03\x04");
        out.extend(zip64.to_le_bytes());
        out.extend(entry.fields());
        out.extend([0, 0]);
        out.extend(&entry.name);
        out.extend(&entry.data);

        directory.extend(b"PK\x01\x02");
        // Made on Unix.
        directory.extend([20, 3]);
        directory.extend(zip64.to_le_bytes());
        directory.extend(entry.fields());
        directory.extend((entry.extra.len() as u16).to_le_bytes());
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(begins.to_le_bytes());
        directory.extend(&entry.name);
        directory.extend(&entry.extra);
    }
    let begins = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(begins.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// A header of a tar with its contents, padded to a block.
pub fn tar_entry(kind: u8, name: &str, data: &[u8]) -> Vec<u8> {
    tar_entry_with_length(kind, name, data, data.len() as u64)
}

/// The same, with this length in the header.
pub fn tar_entry_with_length(kind: u8, name: &str, data: &[u8], len: u64) -> Vec<u8> {
    let mut header = vec![0u8; 512];
    header[..name.len().min(100)].copy_from_slice(&name.as_bytes()[..name.len().min(100)]);
    header[100..108].copy_from_slice(b"0000644\0");
    if len < 1 << 33 {
        header[124..136].copy_from_slice(format!("{len:011o}\0").as_bytes());
    } else {
        header[124] = 0x80;
        header[128..136].copy_from_slice(&len.to_be_bytes());
    }
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar  \0");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut out = [&header, data].concat();
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

/// A tar of ordinary files.
pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out: Vec<u8> = files.iter().flat_map(|(name, data)| tar_entry(b'0', name, data)).collect();
    out.extend([0; 1024]);
    out
}

/// A record of a pax header; its length includes the digits of the length itself.
pub fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let mut len = rest.len();
    while format!("{len}{rest}").len() != len {
        len = format!("{len}{rest}").len();
    }
    format!("{len}{rest}").into_bytes()
}

/// The same bytes as a gzip file.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

fn crc(data: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(data);
    crc.sum()
}

/// The contents of a valid archive.
#[derive(Debug)]
pub struct Explored {
    /// The name of the model's JSON.
    pub json: Result<String>,
    /// The bytes of all files, each read to its end.
    pub bytes: Result<u64>,
}

/// Properties that must hold for any bytes read as an archive: opening it and reading each of its files succeeds or is
/// an error, within these limits and without a panic; no name leads out of the folder.
///
/// # Errors
/// Those of opening it.
///
/// # Panics
/// If a property does not hold.
pub fn explore(bytes: &[u8], mut limits: Limits) -> Result<Explored> {
    limits.archive_bytes = 1 << 20;
    limits.archive_entries = 256;
    let files = ArchiveFiles::from_bytes("m", bytes.to_vec(), &limits)?;
    let names = files.names();
    assert!(names.len() as u64 <= limits.archive_entries, "{} entries", names.len());
    assert!(names.is_sorted_by(|a, b| a < b), "the names are sorted and unique: {names:?}");
    for name in &names {
        let parts = shard_components(name, &limits).expect("a listed name is a valid path of a weight file");
        assert_eq!(parts.join("/"), *name, "a listed name is normalized");
    }
    let json = files.model_json();
    if let Ok(json) = &json {
        assert!(json.to_ascii_lowercase().ends_with(".json"), "{json}");
    }
    let bytes = files.verify();
    assert!(bytes.as_ref().is_ok_and(|count| *count <= limits.archive_bytes) || bytes.is_err(), "{bytes:?}");
    Ok(Explored { json, bytes })
}
