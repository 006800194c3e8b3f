//! The record of a model in a cache: one line of JSON, then the text of its `model.json`. Both are in one file, so that
//! they always match. If a file is not exactly such a record, it is ignored and the model is fetched again.

use super::hash::Sha256;
use crate::base::files::Validator;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the record's format. Records of other versions are ignored.
const VERSION: u32 = 1;

/// A model's JSON, and the weight files that belong to it.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) facts: Facts,
    pub(super) text: Bytes,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    version: u32,
    /// The model's URL for messages, without secrets.
    pub(super) url: String,
    /// The hash of its whole URL; see [`super::key::url`].
    pub(super) url_sha256: Sha256,
    /// The server's validator of the JSON.
    pub(super) validator: Option<Tag>,
    /// The sum of the text.
    pub(super) sha256: Sha256,
    /// The files, by their paths in the manifest.
    pub(super) files: BTreeMap<String, Blob>,
}

/// A weight file on disk. Its name is its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Blob {
    pub(super) sha256: Sha256,
    pub(super) len: u64,
    /// Modification time in nanoseconds since 1970. If it differs, the file is hashed again.
    pub(super) modified: u64,
    pub(super) validator: Option<Tag>,
}

impl Record {
    pub(super) fn new(url: String, url_sha256: Sha256, validator: Option<Tag>, text: Bytes) -> Self {
        let sha256 = Sha256::of(&text);
        let facts = Facts { version: VERSION, url, url_sha256, validator, sha256, files: BTreeMap::new() };
        Record { facts, text }
    }

    /// Whether both records have the same JSON and validator.
    pub(super) fn is_as(&self, other: &Record) -> bool {
        (self.facts.sha256, &self.facts.validator) == (other.facts.sha256, &other.facts.validator)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        // Cannot fail: string keys, numbers and strings are always valid JSON.
        let mut out = serde_json::to_vec(&self.facts).unwrap_or_default();
        out.push(b'\n');
        out.extend_from_slice(&self.text);
        out
    }

    /// Parses a record; `None` if the bytes are not a valid one.
    pub(super) fn decode(bytes: Vec<u8>) -> Option<Record> {
        let end = bytes.iter().position(|b| *b == b'\n')?;
        let facts: Facts = serde_json::from_slice(&bytes[..end]).ok()?;
        let text = Bytes::from(bytes).slice(end + 1..);
        let mut tags = facts.files.values().map(|blob| &blob.validator).chain([&facts.validator]).flatten();
        let sound = facts.version == VERSION && tags.all(Tag::is_sound) && Sha256::of(&text) == facts.sha256;
        drop(tags);
        sound.then_some(Record { facts, text })
    }
}

/// A [`Validator`] on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tag {
    text: String,
    strong: bool,
}

impl Tag {
    pub(super) fn of(validator: &Validator) -> Option<Self> {
        let tag = Tag { text: validator.as_str().to_owned(), strong: validator.is_strong() };
        tag.is_sound().then_some(tag)
    }

    pub(super) fn validator(&self) -> Validator {
        match self.strong {
            true => Validator::strong(&self.text),
            false => Validator::weak(&self.text),
        }
    }

    /// Whether the text is safe to send in a header.
    fn is_sound(&self) -> bool {
        !self.text.is_empty() && self.text.len() <= 1024 && self.text.bytes().all(|b| matches!(b, b' '..=b'~'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let tag = Tag::of(&Validator::strong("\"1\""));
        let mut record = Record::new("http://h/m".into(), Sha256::of(b"u"), tag.clone(), Bytes::from_static(b"{\n}"));
        let blob = Blob { sha256: Sha256::of(b"w"), len: 1, modified: 2, validator: tag };
        record.facts.files.insert("w.bin".into(), blob);
        record
    }

    #[test]
    fn what_is_written_is_read() {
        let read = Record::decode(record().encode()).unwrap();
        assert_eq!(read.text, record().text);
        assert_eq!(read.facts.files, record().facts.files);
        assert_eq!(read.facts.validator.unwrap().validator(), Validator::strong("\"1\""));
    }

    #[track_caller]
    fn check_refused(from: &str, to: &str) {
        let text = String::from_utf8(record().encode()).unwrap();
        assert!(text.contains(from), "{from}: {text}");
        assert!(Record::decode(text.replacen(from, to, 1).into_bytes()).is_none(), "{to}");
    }

    #[test]
    fn what_was_tampered_with_is_no_record() {
        check_refused("{\n}", "{\n }");
        check_refused("\"version\":1", "\"version\":2");
        check_refused("\"url\"", "\"u\":0,\"url\"");
        check_refused("{", "");
        let name = Sha256::of(b"w").to_string();
        check_refused(&name, "../../etc/passwd");
        check_refused("\\\"1\\\"", "1\\r\\nX: y");
        assert!(Record::decode(Vec::new()).is_none());
        assert!(Record::decode(vec![b'{'; 100]).is_none());
    }

    #[test]
    fn a_validator_that_is_no_header_is_none() {
        assert!(Tag::of(&Validator::weak("a\r\nb")).is_none());
        assert!(Tag::of(&Validator::weak("")).is_none());
    }
}
