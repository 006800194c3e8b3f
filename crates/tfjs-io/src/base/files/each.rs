//! The default operations on several files: one file after the other.

use super::{Body, Files, FolderEntry, OpenOptions, Purpose};
use bytes::Bytes;
use futures_util::TryStreamExt;
use std::collections::HashSet;
use tfjs_manifest::{Error, Kind, Result};

/// Writes files in their order. If the last one exists, it is removed before others are overwritten. It is restored if
/// the first write fails, because until then nothing else has changed.
pub(super) async fn put_each<F: Files + ?Sized>(place: &F, files: Vec<(String, Body)>) -> Result<()> {
    let last = files.last().filter(|_| files.len() > 1).map(|(path, _)| path.clone());
    let mut former = match &last {
        Some(last) => take(place, last).await?,
        None => None,
    };
    for (path, body) in files {
        let put = place.put(&path, body).await;
        if let (Err(_), Some(last), Some(bytes)) = (&put, &last, former.take()) {
            // The first error is returned; an error of the restore is dropped.
            let _ = place.put(last, Body::Bytes(bytes)).await;
        }
        put?;
    }
    Ok(())
}

/// Removes a file if it exists, and returns its bytes. A place that cannot remove files keeps it.
async fn take<F: Files + ?Sized>(place: &F, path: &str) -> Result<Option<Bytes>> {
    let bytes = read(place, path).await;
    match place.remove(path).await {
        Ok(()) => Ok(bytes),
        Err(e) if bytes.is_some() && e.kind() != Kind::Unsupported => Err(e),
        Err(_) => Ok(None),
    }
}

/// The bytes of a file; `None` if it cannot be read.
async fn read<F: Files + ?Sized>(place: &F, path: &str) -> Option<Bytes> {
    let opened = place.open(path, OpenOptions::new(Purpose::Json)).await.ok()?;
    let chunks: Vec<Bytes> = opened.into_stream().try_collect().await.ok()?;
    Some(chunks.concat().into())
}

/// Writes the new files, then removes the former files that were not replaced: the last one first, and if that succeeds,
/// all others that can be removed.
pub(super) async fn replace_each<F: Files + ?Sized>(
    place: &F,
    former: Vec<String>,
    files: Vec<(String, Body)>,
) -> Result<()> {
    let new: HashSet<String> = files.iter().map(|(path, _)| path.clone()).collect();
    if !files.is_empty() {
        place.put_all(files).await?;
    }
    let last = former.last();
    let mut findings = Vec::new();
    for path in former.iter().rev().filter(|path| !new.contains(*path)) {
        if let Err(e) = place.remove(path).await.map_err(|e| e.in_file(place.location(path))) {
            if Some(path) == last {
                return Err(e);
            }
            findings.push(e);
        }
    }
    match findings.is_empty() {
        true => Ok(()),
        false => Err(Error::several("files could not be removed", findings)),
    }
}

/// The files of a folder, of unknown lengths.
pub(super) async fn entries_of_list<F: Files + ?Sized>(place: &F, folder: &str) -> Result<Vec<FolderEntry>> {
    let beginning = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let paths = place.list(&beginning).await?;
    let names = paths.iter().filter_map(|path| path.strip_prefix(&beginning)).filter(|name| !name.contains('/'));
    Ok(names.map(FolderEntry::new).collect())
}
