//! Loads a model that is stored encrypted, with weights that are served under signed URLs only.
//!
//! It has two custom parts: `Decrypting` implements `Files` around any other `Files`, and a converter of weight URLs
//! adds the signature. `Vault` stands for the server that checks the signature. Run it with
//! `cargo run -p tfjs-io --example decrypting`.

use chacha20poly1305::aead::{Aead, Generate, Key, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use futures_util::StreamExt;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;
use tfjs_io::{
    Body, BoxFuture, Error, Files, FilesHandler, IoCx, IoHandler, IoOptions, MemoryFiles, ModelUrl, OpenOptions,
    Opened, Registry, Result, Scheme, fetch_weights,
};
use tfjs_manifest::{GroupSink, Segment, WeightSink};

/// Length of the nonce before the ciphertext. It is long enough to be chosen at random for each file.
const NONCE: usize = 24;

/// Decrypts the files of another place: each is a nonce, then the ciphertext with its tag.
///
/// The path is authenticated with the bytes, so that two files cannot be swapped. No byte is returned before the tag of
/// the whole file is verified, so a file is held in memory; shards are small.
pub(crate) struct Decrypting {
    inner: Arc<dyn Files>,
    cipher: XChaCha20Poly1305,
    most_bytes: usize,
}

impl Decrypting {
    pub(crate) fn new(inner: Arc<dyn Files>, key: &Key<XChaCha20Poly1305>) -> Self {
        Decrypting { inner, cipher: XChaCha20Poly1305::new(key), most_bytes: 256 << 20 }
    }

    async fn decrypt(&self, path: &str, opened: Opened) -> Result<Vec<u8>> {
        let mut sealed = Vec::new();
        let mut chunks = opened.into_stream();
        while let Some(chunk) = chunks.next().await {
            sealed.extend_from_slice(&chunk?);
            if sealed.len() > self.most_bytes {
                return Err(Error::limit(format!("an encrypted file has {} bytes at most", self.most_bytes)));
            }
        }
        let (nonce, message) = sealed
            .split_first_chunk::<NONCE>()
            .ok_or_else(|| Error::malformed(format!("expected a nonce of {NONCE} bytes, found {}", sealed.len())))?;
        let payload = Payload { msg: message, aad: path.as_bytes() };
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), payload);
        plain.map_err(|_| Error::mismatch("cannot decrypt the file: another key, another file, or changed bytes"))
    }
}

impl Files for Decrypting {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            // Reads the whole file whatever range was requested, because a range cannot be authenticated.
            let opened = self.inner.open(path, OpenOptions::new(options.purpose)).await?;
            let location = opened.location.clone();
            let plain = self.decrypt(path, opened).await.map_err(|e| e.in_file(&location))?;
            Ok(Opened::new(location, Body::Bytes(plain.into())))
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        self.inner.list(prefix)
    }

    fn location(&self, path: &str) -> String {
        self.inner.location(path)
    }
}

impl fmt::Debug for Decrypting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Decrypting").field(&self.inner).finish()
    }
}

/// Encrypts a file for `Decrypting`.
pub(crate) fn seal(key: &Key<XChaCha20Poly1305>, path: &str, plain: &[u8]) -> Vec<u8> {
    let nonce = XNonce::generate();
    let payload = Payload { msg: plain, aad: path.as_bytes() };
    let message = XChaCha20Poly1305::new(key).encrypt(&nonce, payload).expect("a shard is not 256 GiB");
    [nonce.as_slice(), &message].concat()
}

/// The signature of a weight file's path.
fn signature(secret: &[u8], path: &str) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(path.as_bytes());
    mac
}

/// The signed URL of a weight file, for `with_weight_url_converter`.
pub(crate) fn signed(secret: &[u8], path: &str) -> String {
    let sum = signature(secret, path).finalize().into_bytes();
    let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("vault://weights/{path}?sig={hex}")
}

/// A server that returns files only if the signature is right.
pub(crate) struct Vault {
    pub(crate) files: Arc<dyn Files>,
    pub(crate) secret: Vec<u8>,
}

impl Scheme for Vault {
    fn handler(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>> {
        Err(Error::unsupported("the vault has weights only").in_file(url))
    }

    fn files(&self, _folder: &ModelUrl, query: &str, _cx: &IoCx) -> Result<Arc<dyn Files>> {
        let sum = query.strip_prefix("?sig=").unwrap_or_default().to_owned();
        Ok(Arc::new(VaultFiles { files: self.files.clone(), secret: self.secret.clone(), sum }))
    }
}

struct VaultFiles {
    files: Arc<dyn Files>,
    secret: Vec<u8>,
    sum: String,
}

impl Files for VaultFiles {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let bytes = |i: usize| self.sum.get(i..i + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
            let sum: Vec<u8> = (0..self.sum.len()).step_by(2).filter_map(bytes).collect();
            // Compares in constant time.
            if signature(&self.secret, path).verify_slice(&sum).is_err() {
                return Err(Error::fetch("403: the signature is wrong").in_file(format!("vault://weights/{path}")));
            }
            self.files.open(path, options).await
        })
    }
}

impl fmt::Debug for VaultFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VaultFiles")
    }
}

/// The bytes of one weight.
struct Kernel(Vec<u8>);

impl WeightSink for Kernel {
    fn groups(&mut self) -> Vec<GroupSink<'_>> {
        vec![GroupSink::Segments(vec![Segment::Fill(&mut self.0)])]
    }
}

/// Encrypts a model, loads it, and returns its weights.
pub(crate) async fn run() -> Result<Vec<u8>> {
    let key = Key::<XChaCha20Poly1305>::generate();
    let sealed = |path: &str, plain: &[u8]| (path.to_owned(), seal(&key, path, plain));
    let stored: MemoryFiles = [sealed("model.json", b"{}"), sealed("w.bin", b"0123456789")].into_iter().collect();
    let files: Arc<dyn Files> = Arc::new(Decrypting::new(Arc::new(stored), &key));

    let secret = b"between us and the server".to_vec();
    let vault = Vault { files: files.clone(), secret: secret.clone() };
    let options = IoOptions::default().with_weight_url_converter(move |path| Ok(signed(&secret, path)));
    let cx = IoCx::with_registry(options, Registry::default().with("vault", vault));

    let artifacts = FilesHandler::new(files, "model.json").load(&cx).await?;
    let kernel = fetch_weights(&artifacts.weights, &[vec!["w.bin".to_owned()]], Kernel(vec![0; 10]), &cx).await?;
    Ok(kernel.0)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    println!("{}", String::from_utf8_lossy(&run().await?));
    Ok(())
}
