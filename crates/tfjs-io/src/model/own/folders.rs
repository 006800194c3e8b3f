//! The entries of the folders of a place; each folder is listed once. Opens a file only if its length is not listed.

use crate::base::files::{Files, FolderEntry, OpenOptions, Purpose};
use std::collections::HashMap;
use tfjs_manifest::{Error, Kind, Result};

/// The folders of a place, as they were when first listed.
pub(crate) struct Folders<'a> {
    files: &'a dyn Files,
    /// `None` for a place that cannot list.
    seen: HashMap<String, Option<Vec<FolderEntry>>>,
}

impl<'a> Folders<'a> {
    pub(crate) fn new(files: &'a dyn Files) -> Self {
        Folders { files, seen: HashMap::new() }
    }

    /// The entries of a folder; `None` if the place cannot list. Every other failure is an error, because files that
    /// are not listed cannot be protected.
    pub(crate) async fn entries(&mut self, folder: &str) -> Result<Option<&[FolderEntry]>> {
        if !self.seen.contains_key(folder) {
            let entries = match self.files.entries(folder).await {
                Ok(entries) => Some(entries),
                Err(e) if e.kind() == Kind::Unsupported => None,
                Err(e) if e.kind() == Kind::Fetch => {
                    let error = "this folder cannot be listed, so the owners of its files are unknown; \
                                 nothing is replaced or removed";
                    let place = e.place().file.clone().unwrap_or_else(|| self.files.location(folder));
                    return Err(Error::fetch(error).in_file(place).with_source(e));
                }
                Err(e) => return Err(e),
            };
            self.seen.insert(folder.to_owned(), entries);
        }
        Ok(self.seen.get(folder).and_then(Option::as_deref))
    }

    /// The entry of this path, with its length if it is known; `None` if it does not exist.
    pub(crate) async fn find(&mut self, path: &str) -> Result<Option<FolderEntry>> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let entry = match self.entries(folder).await? {
            Some(entries) => match entries.iter().find(|entry| entry.name == name) {
                Some(entry) => entry.clone(),
                None => return Ok(None),
            },
            None => FolderEntry::new(name),
        };
        if entry.len.is_some() || !entry.is_file {
            return Ok(Some(entry));
        }
        let listed = self.entries(folder).await?.is_some();
        match self.files.open(path, OpenOptions::new(Purpose::Weights)).await {
            Ok(opened) => Ok(Some(opened.file_len.into_iter().fold(entry, FolderEntry::with_len))),
            // In a place that cannot list, a file that cannot be opened counts as missing.
            Err(e) if e.kind() == Kind::Fetch && !listed => Ok(None),
            Err(e) => Err(e.in_file(self.files.location(path))),
        }
    }
}

/// The folders that contain a file, outermost first.
pub(crate) fn folders_of(path: &str) -> impl Iterator<Item = &str> {
    std::iter::once("").chain(path.match_indices('/').map(|(at, _)| &path[..at]))
}
