//! Reads one file of an archive: inflates and counts its bytes, and checks them before it returns the last ones.

use super::index::{Content, Entry};
use super::source::{Source, cannot_read};
use bytes::Bytes;
use flate2::Crc;
use flate2::read::DeflateDecoder;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use rawzip::RangeReader;
use std::io::Read;
use tfjs_manifest::{Error, Result};

/// Bytes inflated or read at once.
pub(super) const CHUNK: usize = 1 << 20;

/// Reads one file from its beginning to its end. Reading blocks.
#[derive(Debug)]
pub(super) struct EntryReader {
    source: Source,
    body: Packed,
    len: u64,
    left: u64,
    crc: Option<(Crc, u32)>,
    over: bool,
}

#[derive(Debug)]
enum Packed {
    Stored(RangeReader<Source>),
    Deflated { decoder: DeflateDecoder<RangeReader<Source>>, packed: u64 },
}

impl EntryReader {
    pub(super) fn new(source: &Source, entry: &Entry) -> Result<Self> {
        let range = |at: u64, len: u64| {
            let end = at.checked_add(len).filter(|&end| end <= source.len());
            end.map(|end| RangeReader::new(source.clone(), at..end)).ok_or_else(cut_off)
        };
        let (body, crc) = match &entry.content {
            Content::Refused(why) => return Err(Error::unsupported(why)),
            Content::Stored { at, crc } => (Packed::Stored(range(*at, entry.len)?), *crc),
            Content::Deflated { at, packed, crc } => {
                let decoder = DeflateDecoder::new(range(*at, *packed)?);
                (Packed::Deflated { decoder, packed: *packed }, Some(*crc))
            }
        };
        let crc = crc.map(|expected| (Crc::new(), expected));
        Ok(EntryReader { source: source.clone(), body, len: entry.len, left: entry.len, crc, over: false })
    }

    /// The next bytes; `None` at the end. The last bytes are returned only after all checks have passed.
    pub(super) fn chunk(&mut self) -> Result<Option<Bytes>> {
        if self.over {
            return Ok(None);
        }
        let mut chunk = vec![0; usize::try_from(self.left).unwrap_or(CHUNK).min(CHUNK)];
        let mut count = 0;
        while count < chunk.len() {
            let more = self.read(&mut chunk[count..])?;
            if more == 0 {
                let found = self.len - self.left + count as u64;
                return Err(Error::malformed(format!("the archive says {} bytes, the file has {found}", self.len)));
            }
            count += more;
        }
        if let Some((crc, _)) = &mut self.crc {
            crc.update(&chunk);
        }
        self.left -= count as u64;
        if self.left == 0 {
            self.check()?;
            self.over = true;
        }
        Ok((count > 0).then(|| chunk.into()))
    }

    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        match &mut self.body {
            Packed::Stored(range) => range.read(out),
            Packed::Deflated { decoder, .. } => decoder.read(out),
        }
        .map_err(cannot_read)
    }

    /// Checks that the data ends here, and its lengths and checksum.
    fn check(&mut self) -> Result<()> {
        if self.read(&mut [0])? > 0 {
            return Err(Error::malformed(format!("the archive says {} bytes, the file has more", self.len)));
        }
        if let Packed::Deflated { decoder, packed } = &self.body
            && decoder.total_in() != *packed
        {
            let found = decoder.total_in();
            let error = format!("the archive says {packed} compressed bytes, the file has {found}");
            return Err(Error::malformed(error));
        }
        if let Some((crc, expected)) = &self.crc
            && crc.sum() != *expected
        {
            let found = crc.sum();
            let error =
                format!("expected the checksum (CRC-32) {expected:08x}, found {found:08x}: the file is damaged");
            return Err(Error::malformed(error));
        }
        self.source.check_unchanged()
    }

    /// The bytes as a stream, read on blocking threads.
    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        stream::try_unfold(self, |mut reader| async move {
            crate::base::blocking::run(move || Ok(reader.chunk()?.map(|chunk| (chunk, reader)))).await
        })
        .boxed()
    }
}

pub(super) fn cut_off() -> Error {
    Error::malformed("the archive is truncated: a file ends beyond the end of the archive")
}
