//! Recognises files people pass for a `model.json`, by their first bytes, and says what to do with them.

use crate::{Error, Result};

/// What to do with a Keras file, whatever its container.
const CONVERT: &str = "convert it with `tensorflowjs_converter`";

/// Refuses bytes that are plainly another format; everything else is left to the JSON parser.
pub(crate) fn refuse(bytes: &[u8]) -> Result<()> {
    match name(bytes) {
        None => Ok(()),
        Some(found) => Err(Error::malformed(found)),
    }
}

fn name(bytes: &[u8]) -> Option<String> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let says = |what: &str, then: &str| Some(format!("this is {what}, not a model.json: {then}"));
    let text = bytes.trim_ascii_start();

    if text.is_empty() {
        return Some("expected a model.json, found an empty body".to_owned());
    }
    if text.starts_with(b"<") {
        return says("an HTML page", "check the address, servers often answer a missing file with a page");
    }
    if starts(b"version https://git-lfs") {
        return says("a Git LFS pointer", "run `git lfs pull` to fetch the file itself");
    }
    if starts(b"\x1f\x8b") {
        return says("gzip data", "decompress it, or let the server send `content-encoding: gzip`");
    }
    if starts(b"\x28\xb5\x2f\xfd") {
        return says("zstd data", "decompress it, or let the server send `content-encoding: zstd`");
    }
    if starts(b"\x89HDF\r\n\x1a\n") {
        return says("an HDF5 file (.h5)", &format!("{CONVERT} (`--input_format=keras`)"));
    }
    if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
        let then = format!("{CONVERT} (`--input_format=keras_keras`), or unpack an archive that holds a model.json");
        return says("a zip archive, perhaps a `.keras` file", &then);
    }
    if matches!(bytes, [0x80, 2..=5, ..]) {
        return says("a Python pickle", "save the model with Keras and convert that");
    }
    if bytes.get(4..8) == Some(b"TFL3".as_slice()) {
        return says("a TensorFlow Lite model", "only its Keras original can be converted");
    }
    if is_safetensors(bytes) {
        return says("a safetensors file", "it holds weights only, the model.json is another file");
    }
    if starts(b"\xff\xfe") || starts(b"\xfe\xff") {
        return says("UTF-16 text", "save it as UTF-8");
    }
    None
}

/// Eight bytes of header length, then the header, a JSON object.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return false;
    };
    // The format caps its header at 100 MB, so the length's upper bytes are zero: no JSON text has those.
    u64::from_le_bytes(*length) <= 100_000_000 && rest.first() == Some(&b'{')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[track_caller]
    fn check(bytes: &[u8], says: &str) {
        let error = refuse(bytes).unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
        assert!(error.message().contains(says), "{error}");
    }

    #[test]
    fn html_page() {
        check(b"\n <!DOCTYPE html><html>404</html>", "this is an HTML page, not a model.json");
    }

    #[test]
    fn empty_body() {
        check(b"", "empty body");
        check(b" \n", "empty body");
    }

    #[test]
    fn compressed() {
        check(b"\x1f\x8b\x08\x00", "gzip");
        check(b"\x28\xb5\x2f\xfd\x00", "zstd");
    }

    #[test]
    fn keras_files() {
        check(b"\x89HDF\r\n\x1a\n\x00\x00", "--input_format=keras`");
        check(b"PK\x03\x04\x14\x00", "--input_format=keras_keras`");
    }

    #[test]
    fn other_models() {
        check(b"\x80\x04\x95\x00", "pickle");
        check(b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite");
        check(b"\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":{}}", "safetensors");
    }

    #[test]
    fn other_text() {
        check(b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS");
        check(b"\xff\xfe{\x00}\x00", "UTF-16");
    }

    #[test]
    fn json_is_left_to_the_parser() {
        for text in [&b"{}"[..], b"  {\"format\": 1}", b"[", b"nonsense", b"12345678{"] {
            refuse(text).unwrap();
        }
    }
}
