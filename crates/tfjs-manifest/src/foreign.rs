//! Recognises other formats that are passed as a `model.json`, by their first bytes, and returns errors that say what
//! to do.

use crate::{Error, Result};

/// Fails if the bytes are another known format; the JSON parser reports all other errors.
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
        return says("an HTML page", "check the address; servers often return a page for a missing file");
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
        return says("an HDF5 file (.h5)", "convert it with `tensorflowjs_converter --input_format=keras FILE FOLDER`");
    }
    if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
        return match first_name(bytes) {
            Some(b"metadata.json" | b"config.json" | b"model.weights.h5") => says("a Keras file (.keras)", KERAS_KERAS),
            _ => says(
                "a zip archive",
                &format!(
                    "unpack an archive that contains a model.json, or name it `.zip`; if it is a `.keras` file, {KERAS_KERAS}"
                ),
            ),
        };
    }
    if matches!(bytes, [0x80, 2..=5, ..]) {
        return says("a Python pickle", "save the model with Keras and convert that");
    }
    if bytes.get(4..8) == Some(b"TFL3".as_slice()) {
        return says("a TensorFlow Lite model (.tflite)", NO_LAYERS);
    }
    if is_saved_model(bytes) {
        return says("a TensorFlow SavedModel (.pb)", SAVED_MODEL);
    }
    if let Some(picture) = PICTURES.iter().find(|(magic, _)| starts(magic)) {
        return says(picture.1, "a picture is an input; give the model first");
    }
    if is_graph_def(bytes) {
        return says("a frozen TensorFlow graph (.pb)", NO_LAYERS);
    }
    if is_onnx(bytes) {
        return says("an ONNX model (.onnx)", NO_LAYERS);
    }
    if starts(b"\x93NUMPY") {
        return says("a NumPy array (.npy)", "it contains numbers only, the model.json is another file");
    }
    if is_safetensors(bytes) {
        return says("a safetensors file", "it contains weights only, the model.json is another file");
    }
    if starts(b"\xff\xfe") || starts(b"\xfe\xff") {
        return says("UTF-16 text", "save it as UTF-8");
    }
    None
}

/// What to do with a SavedModel.
const SAVED_MODEL: &str = "if Keras wrote it, convert its folder with `tensorflowjs_converter \
                           --input_format=keras_saved_model --output_format=tfjs_layers_model FOLDER FOLDER`";

/// The first bytes of pictures.
const PICTURES: [(&[u8], &str); 3] =
    [(b"\x89PNG\r\n\x1a\n", "a PNG picture"), (b"\xff\xd8\xff", "a JPEG picture"), (b"GIF8", "a GIF picture")];

/// Fails if the names of a folder's or an archive's files are those of another format.
///
/// # Errors
/// [`Kind::Malformed`](crate::Kind::Malformed) that names the format and says how to convert it.
pub fn refuse_files<'a>(mut names: impl Iterator<Item = &'a str>) -> Result<()> {
    match names.find(|name| matches!(*name, "saved_model.pb" | "keras_metadata.pb" | "model.weights.h5")) {
        None => Ok(()),
        Some("model.weights.h5") => {
            Err(Error::malformed(format!("this is a Keras file (.keras), not a model.json: {KERAS_KERAS}")))
        }
        Some(_) => Err(Error::malformed(format!("this is a TensorFlow SavedModel, not a model.json: {SAVED_MODEL}"))),
    }
}

/// What to do with a `.keras` file.
const KERAS_KERAS: &str = "convert it with `tensorflowjs_converter --input_format=keras_keras FILE FOLDER`";

/// What to do with a file that cannot be converted.
const NO_LAYERS: &str = "it no longer has layers; convert the Keras model it was made from, with \
                         `tensorflowjs_converter --input_format=keras FILE.h5 FOLDER`";

/// The name of a zip archive's first file.
fn first_name(bytes: &[u8]) -> Option<&[u8]> {
    let length = bytes.get(26..28).and_then(|length| length.try_into().ok()).map(u16::from_le_bytes)?;
    bytes.get(30..30 + usize::from(length))
}

/// Whether this is the protocol buffer `SavedModel`: version 1, then its graphs, each beginning with its information.
/// JSON never begins with the first byte.
fn is_saved_model(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 1, 0x12, ..])
}

/// Whether this is the protocol buffer `ModelProto`: a version, then the producer, the graph or the operators.
fn is_onnx(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 3..=31, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42, ..])
}

/// Whether this is the protocol buffer `GraphDef`: nodes, each beginning with its name and its operation. The first
/// byte is a line feed, with which JSON may begin; but the byte before the operation cannot occur in JSON.
fn is_graph_def(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"\x0a") else { return false };
    let length = rest.iter().take_while(|&&byte| byte >= 0x80).count() + 1;
    let Some([0x0a, name, rest @ ..]) = rest.get(length..) else { return false };
    rest.get(usize::from(*name)) == Some(&0x12)
}

/// Whether this is safetensors: eight bytes with the length of the header, then the header, a JSON object.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return false;
    };
    // The format limits its header to 100 MB, so the upper bytes of the length are zero, which JSON never contains.
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
        check(b"\x89HDF\r\n\x1a\n\x00\x00", "an HDF5 file (.h5), not a model.json: convert it with");
        check(b"PK\x03\x04\x14\x00", "a zip archive, not a model.json: unpack");
        let mut keras = b"PK\x03\x04".to_vec();
        keras.resize(26, 0);
        keras.extend([13, 0, 0, 0]);
        keras.extend(b"metadata.json");
        check(&keras, "a Keras file (.keras), not a model.json: convert it with");
    }

    #[test]
    fn other_models() {
        check(b"\x80\x04\x95\x00", "pickle");
        check(b"\x1c\x00\x00\x00TFL3", "a TensorFlow Lite model (.tflite)");
        check(b"\x08\x01\x12\xd4\x02\x0a\x8b\x01\x0a", "a TensorFlow SavedModel (.pb)");
        check(b"\x0a\x1f\x0a\x05Const\x12\x05Const", "a frozen TensorFlow graph (.pb)");
        check(b"\x0a\x9f\x01\x0a\x05input\x12\x0bPlaceholder", "a frozen TensorFlow graph (.pb)");
        check(b"\x08\x07\x12\x07pytorch\x1a\x031.9", "an ONNX model (.onnx)");
        check(b"\x93NUMPY\x01\x00", "a NumPy array");
        check(b"\x10\x00\x00\x00\x00\x00\x00\x00{\"a\":{}}", "safetensors");
    }

    #[test]
    fn pictures() {
        check(b"\x89PNG\r\n\x1a\n\x00", "this is a PNG picture, not a model.json: a picture is an input");
        check(b"\xff\xd8\xff\xe0", "a JPEG picture");
    }

    #[test]
    fn files_of_other_formats() {
        for (names, says) in [
            (&["assets", "saved_model.pb"][..], "a TensorFlow SavedModel, not a model.json: if Keras wrote it"),
            (&["metadata.json", "config.json", "model.weights.h5"], "a Keras file (.keras), not a model.json"),
        ] {
            let error = refuse_files(names.iter().copied()).unwrap_err();
            assert!(error.message().contains(says), "{error}");
        }
        refuse_files(["config.json", "weights.bin"].into_iter()).unwrap();
    }

    #[test]
    fn other_text() {
        check(b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS");
        check(b"\xff\xfe{\x00}\x00", "UTF-16");
    }

    #[test]
    fn json_is_left_to_the_parser() {
        for text in
            [&b"{}"[..], b"  {\"format\": 1}", b"[", b"nonsense", b"12345678{", b"\n{\n    \"a\": 1}", b"\n\n\n{}"]
        {
            refuse(text).unwrap();
        }
    }
}
