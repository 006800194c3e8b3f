//! Stores of the caller: in memory, inside a prefix, and one whose requests fail in turn.

use super::s3::bytes;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use io_harness::load::{check_error, load_with};
use io_harness::sink::{TestSink, pattern};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{
    Attribute, AttributeValue, Attributes, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult,
};
use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use tfjs_io::{
    Body, ByteRange, Files, FilesHandler, IoCx, IoHandler, IoOptions, ObjectFiles, OpenOptions, SaveArtifacts,
};
use tfjs_manifest::Kind;

fn files(all: &[(&str, &'static str)]) -> Vec<(String, Body)> {
    all.iter().map(|(name, text)| (name.to_string(), Body::Bytes(Bytes::from_static(text.as_bytes())))).collect()
}

#[tokio::test]
async fn a_store_in_memory_is_a_place_for_models() {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let inside: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(store.clone(), "tenant/7"));
    let folder = ObjectFiles::new(inside, "digits").unwrap().with_root("mine://");
    let handler = FilesHandler::new(Arc::new(folder.clone()), "model.json");
    let artifacts = SaveArtifacts::new("{}", vec![("w.bin".to_owned(), pattern(64).into())]);
    let saved = handler.save(artifacts, &IoCx::default()).await.unwrap();
    assert_eq!(saved.location, "mine://digits/model.json");
    let (json, sink) =
        load_with(&handler, &[&["w.bin"]], TestSink::new().group(&[64]), IoOptions::default()).await.unwrap();
    assert_eq!((&json[..], sink.bytes(0)), (&b"{}"[..], pattern(64)));
    assert_eq!(folder.list("").await.unwrap(), ["model.json", "w.bin"]);
    assert!(store.head(&Path::from("tenant/7/digits/w.bin")).await.is_ok());

    let missing = folder.open("x.bin", OpenOptions::default()).await;
    check_error(missing, Kind::Fetch, "mine://digits/x.bin", "no such object");
    let unsigned = folder.sign_get("w.bin", std::time::Duration::from_secs(1)).await;
    check_error(unsigned, Kind::Unsupported, "mine://digits/w.bin", "cannot sign");
    assert_eq!(ObjectFiles::new(store, "/digits").unwrap_err().kind(), Kind::Misuse);
}

#[tokio::test]
async fn an_object_stored_compressed_is_decoded_whole() {
    let store = Arc::new(InMemory::new());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&pattern(5000)).unwrap();
    let attributes = Attributes::from_iter([(Attribute::ContentEncoding, AttributeValue::from("gzip"))]);
    let options = PutOptions { attributes, ..PutOptions::default() };
    store.put_opts(&Path::from("w.bin"), gzip.finish().unwrap().into(), options).await.unwrap();
    let files = ObjectFiles::new(store, "").unwrap();
    let range = OpenOptions::default().with_range(ByteRange { start: 10, end: Some(20) });
    for options in [OpenOptions::default(), range] {
        let opened = files.open("w.bin", options).await.unwrap();
        assert_eq!((opened.offset, opened.len, opened.ranges), (0, None, false));
        assert_eq!(bytes(opened).await, pattern(5000));
    }
}

#[tokio::test]
async fn whichever_request_of_a_save_fails_what_was_there_is_there() {
    let mut failures = 0;
    for request in 0.. {
        let memory = Arc::new(InMemory::new());
        let before = [("m/a.bin", "old a"), ("m/model.json", "old json"), ("m/sub/b.bin", "old b")];
        for (key, text) in before {
            memory.put(&Path::from(key), PutPayload::from_static(text.as_bytes())).await.unwrap();
        }
        let failing = Arc::new(Failing { inner: memory.clone(), left: AtomicIsize::new(request) });
        let place = ObjectFiles::new(failing, "m").unwrap();
        let new = files(&[("new.bin", "new"), ("a.bin", "a"), ("sub/b.bin", "b"), ("model.json", "json")]);
        let result = place.put_all(new).await;
        let after = contents(&memory).await;
        if result.is_ok() {
            let expected = [("m/a.bin", "a"), ("m/model.json", "json"), ("m/new.bin", "new"), ("m/sub/b.bin", "b")];
            assert_eq!(after, expected.map(|(k, t)| (k.to_owned(), t.to_owned())));
            break;
        }
        failures += 1;
        check_error(result, Kind::Fetch, "", "request number");
        assert_eq!(after, before.map(|(k, t)| (k.to_owned(), t.to_owned())), "request {request}");
    }
    // Four checks for existing files, four uploads, three backup copies, and three copies to the final keys.
    assert_eq!(failures, 4 + 4 + 3 + 3);
}

async fn contents(store: &InMemory) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut all = store.list(None);
    while let Some(meta) = all.next().await {
        let key = meta.unwrap().location;
        let bytes = store.get(&key).await.unwrap().bytes().await.unwrap();
        out.push((key.to_string(), String::from_utf8(bytes.to_vec()).unwrap()));
    }
    out.sort();
    out
}

/// A store with one failing request.
#[derive(Debug)]
struct Failing {
    inner: Arc<InMemory>,
    /// Requests before the failing one.
    left: AtomicIsize,
}

impl Failing {
    fn request(&self) -> StoreResult<()> {
        match self.left.fetch_sub(1, Ordering::SeqCst) {
            0 => Err(object_store::Error::Generic { store: "Failing", source: "request number 0".into() }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Failing")
    }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, key: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        self.request()?;
        self.inner.put_opts(key, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        key: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(key, options).await
    }

    async fn get_opts(&self, key: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.request()?;
        self.inner.get_opts(key, options).await
    }

    fn delete_stream(&self, keys: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        self.inner.delete_stream(keys)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.request()?;
        self.inner.copy_opts(from, to, options).await
    }
}
