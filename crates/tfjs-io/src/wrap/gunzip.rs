//! Decompresses weight files that contain gzip data, whatever their names. Some files are compressed before they are
//! uploaded; some servers compress once more than their headers say.

use crate::base::blocking;
use crate::base::disk::read_at;
use crate::base::files::{Body, BoxFuture, Files, OpenOptions, Opened};
use crate::base::inflation::{Inflated, Inflation};
use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use tfjs_manifest::{Error, Limits, Result};

/// Number of bytes needed to distinguish gzip data from weights.
const HEAD: usize = 10;

/// Compressed bytes per step; they inflate to at most a few megabytes.
const STEP: usize = 4 << 10;

/// Approximate number of decompressed bytes per chunk.
const CHUNK: usize = 256 << 10;

/// Most bytes by which gzip data may be longer than its content.
const OVERHEAD: u64 = 1 << 10;

/// The files of another place, decompressed if they contain gzip data.
#[derive(Debug)]
pub(crate) struct GunzippedFiles {
    inner: Arc<dyn Files>,
    limits: Limits,
    inflation: Inflation,
    /// What the manifest says of a file's length, by path.
    needed: HashMap<String, Needed>,
}

/// The length of a weight file that is not compressed.
#[derive(Debug, Clone, Copy)]
enum Needed {
    /// The file is the only one of its group.
    Exactly(u64),
    /// The length of its group; the other files' shares are not known.
    AtMost(u64),
}

impl GunzippedFiles {
    /// Wraps the files of these weight groups, whose lengths may be known. [`Limits::inflation`] applies.
    pub(crate) fn new(inner: Arc<dyn Files>, groups: &[Vec<String>], sizes: &[Option<u64>], limits: Limits) -> Self {
        let known = groups.iter().zip(sizes).filter_map(|(paths, size)| Some((paths, (*size)?)));
        let needed = known.flat_map(|(paths, size)| {
            let needed = if paths.len() == 1 { Needed::Exactly(size) } else { Needed::AtMost(size) };
            paths.iter().map(move |path| (path.clone(), needed))
        });
        GunzippedFiles { needed: needed.collect(), inner, limits, inflation: Inflation::default() }
    }

    /// Whether the first bytes of a file must be checked: its length is unknown, or can be that of its compressed
    /// weights; or nothing is known of its weights and its name ends in `.gz`. Checking waits for the first bytes.
    fn may_be_gzip(&self, path: &str, len: Option<u64>) -> bool {
        let Some(len) = len else { return true };
        match self.needed.get(path) {
            Some(Needed::Exactly(needed)) => len != *needed && len <= needed.saturating_add(OVERHEAD),
            Some(Needed::AtMost(needed)) => len <= needed.saturating_add(OVERHEAD),
            None => path.to_ascii_lowercase().ends_with(".gz"),
        }
    }
}

impl Files for GunzippedFiles {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let whole = OpenOptions::new(options.purpose);
            let is_part = options.range.is_some();
            let opened = self.inner.open(path, options).await?;
            // A later range is requested only after the beginning was checked.
            if opened.offset > 0 || !self.may_be_gzip(path, opened.file_len.or(opened.len)) {
                return Ok(opened);
            }
            let (head, mut opened) = head(opened).await?;
            if !is_gzip(&head) {
                return Ok(opened);
            }
            if is_part {
                drop(opened);
                opened = self.inner.open(path, whole).await?;
            }
            let location = opened.location.clone();
            let body = gunzipped(opened.into_stream(), self.inflation.file(), self.limits.clone());
            Ok(Opened::new(location, Body::Stream(body)))
        })
    }

    fn location(&self, path: &str) -> String {
        self.inner.location(path)
    }
}

/// Whether a file begins with a gzip header. The chance that weights do is about 10^-12.
fn is_gzip(head: &[u8]) -> bool {
    matches!(head, [0x1f, 0x8b, 8, flags, _, _, _, _, _, system, ..] if *flags < 0x20 && (*system < 14 || *system == 255))
}

/// The first bytes of a file, and the whole file again.
async fn head(mut opened: Opened) -> Result<(Bytes, Opened)> {
    let (head, body) = match opened.body {
        Body::Bytes(bytes) => (bytes.slice(..bytes.len().min(HEAD)), Body::Bytes(bytes)),
        Body::File(file) => {
            let work = move || {
                let mut head = vec![0; HEAD];
                let read = read_at(&file.file, &mut head, 0);
                head.truncate(read.map_err(|e| Error::fetch("cannot read the file").with_source(e))?);
                Ok((Bytes::from(head), Body::File(file)))
            };
            blocking::run(work).await?
        }
        Body::Stream(body) => {
            // A short file is polled once more after its end.
            let mut body = body.fuse();
            let (mut head, mut chunks) = (BytesMut::new(), Vec::new());
            while head.len() < HEAD {
                let Some(chunk) = body.try_next().await? else { break };
                head.extend_from_slice(&chunk[..chunk.len().min(HEAD)]);
                chunks.push(Ok(chunk));
            }
            (head.freeze(), Body::Stream(stream::iter(chunks).chain(body).boxed()))
        }
        Body::Unchanged => (Bytes::new(), Body::Unchanged),
    };
    opened.body = body;
    Ok((head, opened))
}

/// The state of a decompression.
struct Gunzip {
    packed: BoxStream<'static, Result<Bytes>>,
    /// The part of the last chunk that is not yet decompressed.
    rest: Bytes,
    decoder: MultiGzDecoder<Vec<u8>>,
    inflated: Inflated,
    limits: Limits,
    read: u64,
    made: u64,
    over: bool,
}

fn gunzipped(
    packed: BoxStream<'static, Result<Bytes>>,
    inflated: Inflated,
    limits: Limits,
) -> BoxStream<'static, Result<Bytes>> {
    let decoder = MultiGzDecoder::new(Vec::new());
    let state = Gunzip { packed, rest: Bytes::new(), decoder, inflated, limits, read: 0, made: 0, over: false };
    stream::try_unfold(state, |mut state| async move { Ok(state.next().await?.map(|chunk| (chunk, state))) }).boxed()
}

impl Gunzip {
    /// The next decompressed bytes.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        let malformed =
            |e| Error::malformed("the file begins like gzip data, but cannot be decompressed").with_source(e);
        while !self.over && self.decoder.get_ref().len() < CHUNK {
            if self.rest.is_empty() {
                match self.packed.try_next().await? {
                    Some(chunk) => self.rest = chunk,
                    None => {
                        self.decoder.try_finish().map_err(malformed)?;
                        self.inflated.end();
                        self.over = true;
                    }
                }
            }
            let step = self.rest.split_to(self.rest.len().min(STEP));
            self.decoder.write_all(&step).map_err(malformed)?;
            self.read += step.len() as u64;
            self.inflated.check(self.read, self.made + self.decoder.get_ref().len() as u64, &self.limits)?;
        }
        let made = std::mem::take(self.decoder.get_mut());
        self.made += made.len() as u64;
        Ok((!made.is_empty()).then(|| made.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tfjs_manifest::Kind;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    async fn read(bytes: Vec<u8>, limits: Limits) -> Result<Vec<u8>> {
        let inner: MemoryFiles = [("w.gz".to_owned(), bytes)].into_iter().collect();
        let files = GunzippedFiles::new(Arc::new(inner), &[], &[], limits);
        let opened = files.open("w.gz", OpenOptions::default()).await?;
        let chunks: Vec<Bytes> = opened.into_stream().try_collect().await?;
        Ok(chunks.concat())
    }

    fn noise(len: u32) -> Vec<u8> {
        (0..len).flat_map(|i| i.wrapping_mul(0x9E37_79B9).to_le_bytes()).collect()
    }

    #[tokio::test]
    async fn gzip_data_is_decompressed_and_all_else_stays() {
        let plain = noise(300_000);
        assert!(read(gzip(&plain), Limits::default()).await.unwrap() == plain);
        assert!(read([gzip(&plain), gzip(&plain)].concat(), Limits::default()).await.unwrap() == plain.repeat(2));
        for other in [vec![], vec![0x1f, 0x8b], vec![0x1f, 0x8b, 8, 0xff, 0, 0, 0, 0, 0, 3, 1], plain] {
            assert_eq!(read(other.clone(), Limits::default()).await.unwrap(), other);
        }
    }

    /// Its bodies panic if they are polled after their end.
    #[derive(Debug)]
    struct ShortBodies;

    impl Files for ShortBodies {
        fn open<'a>(&'a self, path: &'a str, _: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
            let body = stream::unfold(0, |sent| async move { (sent == 0).then(|| (Ok(Bytes::from("abcd")), 1)) });
            Box::pin(std::future::ready(Ok(Opened::new(path, Body::Stream(body.boxed())))))
        }
    }

    #[tokio::test]
    async fn bodies_that_are_shorter_than_a_header() {
        let files = GunzippedFiles::new(Arc::new(ShortBodies), &[], &[], Limits::default());
        let mut body = files.open("w.bin", OpenOptions::default()).await.unwrap().into_stream();
        assert_eq!(body.try_next().await.unwrap().unwrap(), "abcd");
        for _ in 0..2 {
            assert_eq!(body.try_next().await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn files_that_become_much_longer_together_are_refused() {
        let packed = gzip(&vec![0; 10 << 20]);
        let inner: MemoryFiles = ["a.gz", "b.gz"].map(|name| (name.to_owned(), packed.clone())).into_iter().collect();
        let files = GunzippedFiles::new(Arc::new(inner), &[], &[], Limits::default());
        let read = async |name| -> Result<()> {
            let body = files.open(name, OpenOptions::default()).await?.into_stream();
            body.try_for_each(async |_| Ok(())).await
        };
        read("a.gz").await.unwrap();
        assert_eq!(read("b.gz").await.unwrap_err().kind(), Kind::Limit);
    }

    #[test]
    fn files_that_fit_are_not_looked_at() {
        let groups = ["a", "b c.GZ", "d", "e.gz"].map(|paths| paths.split(' ').map(str::to_owned).collect());
        let inner = MemoryFiles::default();
        let sizes = [Some(100), Some(9), None, None];
        let files = GunzippedFiles::new(Arc::new(inner), &groups, &sizes, Limits::default());
        for (path, len, looked_at) in [
            ("a", Some(100), false),
            ("a", Some(90), true),
            ("a", Some(120), true),
            ("a", Some(5000), false),
            ("a", None, true),
            ("b", Some(5), true),
            ("b", Some(5000), false),
            ("c.GZ", Some(5), true),
            ("d", Some(5), false),
            ("e.gz", Some(5), true),
        ] {
            assert_eq!(files.may_be_gzip(path, len), looked_at, "{path}, {len:?}");
        }
    }

    #[tokio::test]
    async fn gzip_data_that_is_cut_short_is_malformed() {
        let packed = gzip(&noise(1000));
        let error = read(packed[..packed.len() / 2].to_vec(), Limits::default()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed, "{error}");
    }

    #[tokio::test]
    async fn what_becomes_much_longer_is_refused() {
        let error = read(gzip(&vec![0; 64 << 20]), Limits::default()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Limit, "{error}");
    }
}
