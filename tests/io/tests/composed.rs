//! Backends that wrap other backends: the example of decryption, and the files that it must refuse.

#[allow(dead_code)]
#[path = "../../../crates/tfjs-io/examples/decrypting.rs"]
mod decrypting;

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{Generate, Key};
use decrypting::{Decrypting, Vault, seal, signed};
use io_harness::archives::{ZipEntry, zip};
use io_harness::load::{check_error, load_with};
use io_harness::sink::{TestSink, pattern};
use std::sync::Arc;
use tfjs_io::{
    ArchiveFiles, CheckedFiles, Checksums, Files, FilesHandler, FolderFiles, IoCx, IoHandler, IoOptions, MemoryFiles,
    OpenOptions, Registry, fetch_weights,
};
use tfjs_manifest::Kind;

fn key() -> Key<XChaCha20Poly1305> {
    Key::<XChaCha20Poly1305>::generate()
}

#[tokio::test]
async fn the_example_runs() {
    assert_eq!(decrypting::run().await.unwrap(), b"0123456789");
}

#[tokio::test]
async fn sealed_files_load_from_a_folder_and_from_an_archive() {
    let key = key();
    let dir = tempfile::tempdir().unwrap();
    let mut entries = Vec::new();
    for (name, plain) in [("model.json", b"{}".to_vec()), ("w.bin", pattern(3 << 20))] {
        let sealed = seal(&key, name, &plain);
        std::fs::write(dir.path().join(name), &sealed).unwrap();
        entries.push(ZipEntry::stored(name, &sealed));
    }
    let archive = ArchiveFiles::from_bytes("m.zip", zip(&entries), &Default::default()).unwrap();
    for inner in [Arc::new(FolderFiles::new(dir.path())) as Arc<dyn Files>, Arc::new(archive)] {
        let handler = FilesHandler::new(Arc::new(Decrypting::new(inner, &key)), "model.json");
        let sink = TestSink::new().group(&[3 << 20]);
        let (json, sink) = load_with(&handler, &[&["w.bin"]], sink, IoOptions::default()).await.unwrap();
        assert_eq!(&json[..], b"{}");
        assert!(sink.bytes(0) == pattern(3 << 20));
    }
}

#[tokio::test]
async fn nothing_of_a_changed_file_is_given_out() {
    let (good, other) = (key(), key());
    let sealed = seal(&good, "w.bin", b"0123");
    let mut changed = sealed.clone();
    *changed.last_mut().unwrap() ^= 1;
    let files = MemoryFiles::new()
        .with("w.bin", sealed.clone())
        .with("swapped.bin", sealed)
        .with("changed.bin", changed)
        .with("short.bin", vec![0; 23]);
    let open = async |key, path: &str| {
        let files = Decrypting::new(Arc::new(files.clone()), key);
        files.open(path, OpenOptions::default()).await
    };
    assert_eq!(open(&good, "w.bin").await.unwrap().len, Some(4));
    check_error(open(&other, "w.bin").await, Kind::Mismatch, "w.bin", "another key");
    check_error(open(&good, "swapped.bin").await, Kind::Mismatch, "swapped.bin", "another file");
    check_error(open(&good, "changed.bin").await, Kind::Mismatch, "changed.bin", "changed bytes");
    check_error(open(&good, "short.bin").await, Kind::Malformed, "short.bin", "found 23");
}

#[tokio::test]
async fn a_wrong_signature_is_refused_by_who_checks_it() {
    let files: Arc<dyn Files> = Arc::new(MemoryFiles::new().with("model.json", "{}").with("w.bin", "0123"));
    let vault = |secret: &[u8]| Vault { files: files.clone(), secret: secret.to_vec() };
    let load = async |secret: &'static [u8]| {
        let options = IoOptions::default().with_weight_url_converter(move |path| Ok(signed(secret, path)));
        let cx = IoCx::with_registry(options, Registry::default().with("vault", vault(b"ours")));
        let artifacts = FilesHandler::new(files.clone(), "model.json").load(&cx).await.unwrap();
        fetch_weights(&artifacts.weights, &[vec!["w.bin".to_owned()]], TestSink::new().group(&[4]), &cx).await
    };
    assert_eq!(load(b"ours").await.unwrap().bytes(0), b"0123");
    check_error(load(b"theirs").await, Kind::Fetch, "vault://weights/w.bin", "403");
}

#[tokio::test]
async fn wrappers_stack() {
    let key = key();
    let sealed = seal(&key, "w.bin", b"0123");
    let sums = Checksums::new().with("w.bin", io_harness::sha256(&sealed));
    let inner = Arc::new(MemoryFiles::new().with("w.bin", sealed));
    let checked: Arc<dyn Files> = Arc::new(CheckedFiles::new(inner.clone(), sums.clone()));
    let opened = Decrypting::new(checked.clone(), &key).open("w.bin", OpenOptions::default()).await.unwrap();
    assert_eq!(opened.len, Some(4));
    inner.put("w.bin", seal(&key, "w.bin", b"0123").into_iter().collect::<bytes::Bytes>().into()).await.unwrap();
    let result = Decrypting::new(checked, &key).open("w.bin", OpenOptions::default()).await;
    check_error(result, Kind::Mismatch, "w.bin", "SHA-256");
}
