//! The index of an archive: the name of each file and the position of its bytes. Every entry is checked and counted
//! against the limits. Does not read the bytes of files.

use crate::base::path::{components, shown};
use crate::base::url::MODEL_JSON;
use std::collections::BTreeMap;
use std::collections::btree_map;
use tfjs_manifest::{Error, Limits, Result, refuse_files};

/// Most names shown in a message.
const SHOWN: usize = 8;

/// A file in an archive.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Uncompressed length in bytes.
    pub(super) len: u64,
    pub(super) content: Content,
}

/// The position and encoding of a file's bytes.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Uncompressed, from offset `at`.
    Stored { at: u64, crc: Option<u32> },
    /// Deflated, in `packed` bytes from offset `at`.
    Deflated { at: u64, packed: u64, crc: u32 },
    /// Not readable, with the reason. It is an error only if the file is opened.
    Refused(String),
}

/// The files of an archive by their names.
#[derive(Debug)]
pub(super) struct Index {
    location: String,
    limits: Limits,
    entries: BTreeMap<String, Entry>,
    seen: u64,
    bytes: u64,
    packed: u64,
    /// Whether every file is listed, except those that macOS adds.
    whole: bool,
}

impl Index {
    pub(super) fn new(location: &str, limits: &Limits) -> Self {
        Index {
            location: location.to_owned(),
            limits: limits.clone(),
            entries: BTreeMap::new(),
            seen: 0,
            bytes: 0,
            packed: 0,
            whole: true,
        }
    }

    /// The name of a file in messages.
    pub(super) fn place(&self, path: &str) -> String {
        // As a caller would write it: the query of a URL is last.
        let query = self.location.find("://").and_then(|at| Some(at + self.location.get(at..)?.find('?')?));
        let (archive, query) = self.location.split_at(query.unwrap_or(self.location.len()));
        format!("{archive}{}{path}{query}", super::name::INSIDE)
    }

    /// The archive's name in messages.
    pub(super) fn location(&self) -> &str {
        &self.location
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether no entry has been found so far.
    pub(super) fn is_empty(&self) -> bool {
        self.seen == 0
    }

    /// Counts an entry of any kind against the limit.
    pub(super) fn count(&mut self) -> Result<()> {
        self.seen += 1;
        Limits::check("archive_entries", self.seen, self.limits.archive_entries)
    }

    /// Adds a file. Skips names that are not UTF-8, which cannot be in a manifest, and files that macOS adds.
    pub(super) fn add(&mut self, name: &[u8], entry: Entry) -> Result<()> {
        if matches!(entry.content, Content::Refused(_)) {
            self.whole = false;
        } else {
            self.bytes = self.bytes.saturating_add(entry.len);
            self.packed = self.packed.saturating_add(match &entry.content {
                Content::Deflated { packed, .. } => *packed,
                _ => entry.len,
            });
            Limits::check("archive_bytes", self.bytes, self.limits.archive_bytes)?;
        }
        let Ok(name) = std::str::from_utf8(name) else {
            self.whole = false;
            return Ok(());
        };
        let parts = components(name, "the name of an archive's entry", &self.limits)
            .map_err(|e| e.in_file(self.place(&shown(name))))?;
        if is_clutter(&parts) {
            return Ok(());
        }
        match self.entries.entry(parts.join("/")) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(entry);
                Ok(())
            }
            btree_map::Entry::Occupied(taken) => {
                let name = taken.key().clone();
                Err(Error::malformed("the archive has two entries of this name").in_file(self.place(&name)))
            }
        }
    }

    /// Checks the inflation of a weight file, and of all files together: many small ones add up.
    pub(super) fn check_inflation(&self, packed: u64, len: u64) -> Result<()> {
        self.limits.check_inflation(packed, len)?;
        self.limits.check_inflation(self.packed, self.bytes)
    }

    pub(super) fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Whether [`names`](Self::names) has every file, except those that macOS adds.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// The names of the readable files, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let files = self.entries.iter().filter(|(_, entry)| !matches!(entry.content, Content::Refused(_)));
        files.map(|(name, _)| name.as_str())
    }

    /// The model's JSON: `model.json`; else the only `model.json` in a folder; else the only `.json`, not counting
    /// Teachable Machine's `metadata.json`.
    pub(super) fn model_json(&self) -> Result<&str> {
        if self.entries.contains_key(MODEL_JSON) {
            return Ok(MODEL_JSON);
        }
        refuse_files(self.names()).map_err(|e| e.in_file(&self.location))?;
        let file = |name: &str| name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
        // Includes unreadable files, because opening one gives a better error.
        let all = || self.entries.keys().map(String::as_str);
        let called: Vec<&str> = all().filter(|name| file(name) == MODEL_JSON).collect();
        let any: Vec<&str> = all().filter(|n| file(n).ends_with(".json") && file(n) != "metadata.json").collect();
        let found = if called.is_empty() { any } else { called };
        match &found[..] {
            [one] => Ok(one),
            [] => {
                Err(Error::fetch(format!("the archive has no `model.json`; it has {}", listed(self.names().collect())))
                    .in_file(&self.location))
            }
            [first, ..] => Err(Error::fetch(format!(
                "the archive has several models: {}; name one, as in `{}`",
                listed(found.clone()),
                self.place(first)
            ))
            .in_file(&self.location)),
        }
    }

    /// The error of a file that does not exist.
    pub(super) fn missing(&self, path: &str) -> Error {
        let names = listed(self.names().collect());
        Error::fetch(format!("no such file in the archive; it has {names}")).in_file(self.place(path))
    }
}

fn listed(names: Vec<&str>) -> String {
    let mut out: Vec<String> = names.iter().take(SHOWN).map(|n| format!("`{}`", n.escape_debug())).collect();
    match names.len() {
        0 => return "no files".to_owned(),
        n if n > SHOWN => out.push(format!("{} more", n - SHOWN)),
        _ => {}
    }
    out.join(", ")
}

/// Whether macOS has added this file to the archive.
fn is_clutter(parts: &[&str]) -> bool {
    let last = parts.last().copied().unwrap_or_default();
    parts.first() == Some(&"__MACOSX") || last == ".DS_Store" || last.starts_with("._")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    fn index(names: &[&str]) -> Index {
        let mut index = Index::new("m.zip", &Limits::default());
        for name in names {
            let content = Content::Stored { at: 0, crc: None };
            index.add(name.as_bytes(), Entry { len: 0, content }).unwrap();
        }
        index
    }

    #[track_caller]
    fn check_json(names: &[&str], json: &str) {
        assert_eq!(index(names).model_json().unwrap(), json);
    }

    #[test]
    fn the_models_json_is_found() {
        check_json(&["model.json", "a/model.json", "x.json"], "model.json");
        check_json(&["./model.json", "weights.bin"], "model.json");
        check_json(&["a/b/model.json", "a/b/other.json"], "a/b/model.json");
        check_json(&["my-model.json", "my-model.weights.bin", "metadata.json"], "my-model.json");
        check_json(&["m/model.json", "__MACOSX/m/._model.json", "m/._model.json", "m/.DS_Store"], "m/model.json");
    }

    #[test]
    fn a_file_is_named_as_one_would_ask_for_it() {
        let place = |location: &str| Index::new(location, &Limits::default()).place("a/b");
        assert_eq!(place("d?/m.zip"), "d?/m.zip!/a/b");
        assert_eq!(place("https://h/m.zip?t=…"), "https://h/m.zip!/a/b?t=…");
        assert_eq!(place("data:application/zip;base64,…"), "data:application/zip;base64,…!/a/b");
    }

    #[test]
    fn none_or_several_is_an_error_that_lists_them() {
        let several = index(&["a/model.json", "b/model.json"]).model_json().unwrap_err();
        assert_eq!(several.kind(), Kind::Fetch);
        assert!(several.message().contains("`a/model.json`, `b/model.json`; name one"), "{several}");
        assert!(several.message().contains("`m.zip!/a/model.json`"), "{several}");
        let none = index(&["a", "b"]).model_json().unwrap_err();
        assert!(none.message().ends_with("it has `a`, `b`"), "{none}");
        let empty = index(&[]).model_json().unwrap_err();
        assert!(empty.message().ends_with("it has no files"), "{empty}");
        let many: Vec<String> = (0..10).map(|i| format!("{i}.bin")).collect();
        let many = index(&many.iter().map(String::as_str).collect::<Vec<_>>()).model_json().unwrap_err();
        assert!(many.message().ends_with("`7.bin`, 2 more"), "{many}");
    }
}
