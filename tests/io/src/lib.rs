//! Shared code of the tests of the transport: misbehaving servers, invalid archives, a sink for bytes, loading.

pub mod archives;
pub mod cached;
pub mod fault_server;
pub mod form_server;
pub mod load;
pub mod proxy;
pub mod sink;
pub mod site;
pub mod tls_server;
pub mod tree;

/// The SHA-256 checksum of these bytes, in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
