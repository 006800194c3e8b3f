//! Decodes `data:` URLs, with text or Base64. Opens nothing.
//!
//! The reference is the Fetch standard, section `data:` URLs. TensorFlow.js's `io/http.ts` reads a model's JSON from
//! such a URL and then looks for weight files beside it, which cannot exist: here that is an error that says what to
//! do.

use crate::base::files::{BoxFuture, Files, OpenOptions, Opened};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use tfjs_manifest::{Error, Limits, Result};

/// Base64 with optional padding, as browsers allow.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The content of a `data:` URL.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) is_archive: bool,
    pub(crate) bytes: Bytes,
}

impl Data {
    /// Decodes a URL, within the limits.
    pub(crate) fn parse(url: &str, limits: &Limits) -> Result<Data> {
        let rest = url.get(5..).unwrap_or_default();
        let (head, data) = rest.split_once(',').ok_or_else(|| {
            Error::misuse("a `data:` URL has a comma before its data, as in `data:application/json;base64,e30=`")
        })?;
        let is_base64 = head.rsplit(';').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
        let kind = head.split(';').next().unwrap_or(head).trim().to_ascii_lowercase();
        let is_archive = matches!(
            &*kind,
            "application/zip"
                | "application/x-zip-compressed"
                | "application/x-tar"
                | "application/gzip"
                | "application/x-gzip"
        );
        let (what, limit) = match is_archive {
            true => ("archive_bytes", limits.archive_bytes),
            false => ("model_json_bytes", limits.model_json_bytes),
        };
        // Checked before decoding: a lower bound of the decoded length, where each escape is one byte.
        let least = data.len() as u64 - 2 * data.bytes().filter(|&b| b == b'%').count().min(data.len() / 3) as u64;
        Limits::check(what, if is_base64 { least / 4 * 3 } else { least }, limit)?;
        let mut bytes: Vec<u8> = percent_decode_str(data).collect();
        if is_base64 {
            bytes.retain(|b| !b.is_ascii_whitespace());
            bytes = BASE64
                .decode(&bytes)
                .map_err(|e| Error::malformed("the data of the `data:` URL is not Base64").with_source(e))?;
        }
        Ok(Data { is_archive, bytes: bytes.into() })
    }
}

/// The place beside a `data:` URL, which has no files: opening one is an error that says what to do.
#[derive(Debug)]
pub(crate) struct NothingBeside {
    /// The URL's name in messages.
    pub(crate) location: String,
}

impl Files for NothingBeside {
    fn open<'a>(&'a self, path: &'a str, _options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        let error = Error::misuse(format!(
            "the weight file `{path}` cannot be beside a `data:` URL; name its folder with `weight_path_prefix`, or put \
             the whole model into one archive, `data:application/zip;base64,...`"
        ));
        Box::pin(std::future::ready(Err(error.in_file(&self.location))))
    }

    fn location(&self, _path: &str) -> String {
        self.location.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    #[track_caller]
    fn check(url: &str, expected: &[u8]) {
        let data = Data::parse(url, &Limits::default()).unwrap();
        assert_eq!((&data.bytes[..], data.is_archive), (expected, false), "{url}");
    }

    #[track_caller]
    fn check_refused(url: &str, limit: u64, kind: Kind, says: &str) {
        let mut limits = Limits::default();
        limits.model_json_bytes = limit;
        let error = Data::parse(url, &limits).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.message().contains(says), "{error}");
    }

    #[test]
    fn text_and_base64() {
        check("data:,%7B%7d", b"{}");
        check("data:application/json,{\"a\": \"%C3%A9\"}", "{\"a\": \"é\"}".as_bytes());
        check("data:application/json;base64,e30=", b"{}");
        check("data:application/json;charset=utf-8; BASE64,e30", b"{}");
        check("data:;base64,e%330%3D", b"{}");
        check("data:;base64,e3\n 0=", b"{}");
        check("data:text/plain;base64,", b"");
    }

    #[test]
    fn archives_are_known_by_their_type() {
        for kind in ["application/zip", "Application/X-Zip-Compressed", "application/gzip", "application/x-tar"] {
            assert!(Data::parse(&format!("data:{kind};base64,"), &Limits::default()).unwrap().is_archive, "{kind}");
        }
    }

    #[test]
    fn what_is_no_data_is_refused() {
        check_refused("data:application/json", 9, Kind::Misuse, "a comma before its data");
        check_refused("data:;base64,e30*", 9, Kind::Malformed, "not Base64");
        check_refused("data:;base64,e", 9, Kind::Malformed, "not Base64");
    }

    #[test]
    fn limits_hold_before_anything_is_decoded() {
        check_refused("data:,0123456789", 9, Kind::Limit, "allowed 9, asked 10");
        check_refused("data:;base64,MDEyMzQ1Njc4OTAx", 9, Kind::Limit, "allowed 9, asked 12");
        check("data:;base64,MDEy", b"012");
        check_refused("data:,%30%31%32", 2, Kind::Limit, "allowed 2, asked 3");
    }
}
