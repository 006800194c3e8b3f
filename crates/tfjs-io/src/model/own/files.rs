//! Decides which files belong to a model: its manifest names them, the files of each group add up to the length in the
//! manifest, and no other model names them. Only such files are ever replaced or removed.
//!
//! A manifest is not trusted and can name any file in its folder. The comparison of lengths protects other files of the
//! user that happen to have such a name.

use super::folders::Folders;
use super::neighbours::Claims;
use super::stored::{Group, Stored};
use crate::base::files::FolderEntry;
use crate::base::path::check_not_hidden;
use crate::model::cx::IoCx;
use crate::model::handler::IoHandler;
use crate::model::handlers::files::FilesHandler;
use tfjs_manifest::{Error, Result};

/// The existing weight files that belong to a model, by their names in the folder.
///
/// # Errors
/// If a file may belong to something else. In that case none of them may be changed.
pub(crate) async fn own_files(
    stored: &Stored,
    home: &FilesHandler,
    folders: &mut Folders<'_>,
    cx: &IoCx,
) -> Result<Vec<String>> {
    let files = home.place();
    let mut found: Vec<Option<FolderEntry>> = Vec::with_capacity(stored.files.len());
    for file in &stored.files {
        let here = |e: Error| e.in_file(files.location(&file.name));
        check_not_hidden(&file.name).map_err(here)?;
        let entry = folders.find(&file.name).await?;
        if entry.as_ref().is_some_and(|entry| !entry.is_file) {
            let error = "expected a weight file, found a link or a device; nothing is replaced or removed";
            return Err(here(Error::mismatch(error)));
        }
        found.push(entry);
    }
    for (g, group) in stored.groups.iter().enumerate() {
        check_group(g, group, stored, &found).map_err(|(file, e)| match file {
            Some(file) => e.in_file(files.location(&stored.files[file].name)),
            None => e.in_file(home.location()),
        })?;
    }
    let there = stored.files.iter().zip(found).filter(|(_, entry)| entry.is_some());
    let mut own: Vec<String> = there.map(|(file, _)| file.name.clone()).collect();
    if !own.is_empty() {
        let claims = Claims::of_others(home, &own, folders, cx).await?;
        claims.must_be_known(home)?;
        own.retain(|name| claims.owner(name).is_none());
    }
    Ok(own)
}

/// Compares the lengths of a group's files with the manifest. An error names the file, or `None` for the whole group.
fn check_group(
    g: usize,
    group: &Group,
    stored: &Stored,
    found: &[Option<FolderEntry>],
) -> Result<(), (Option<usize>, Error)> {
    let there: Vec<usize> = group.files.iter().copied().filter(|&file| found[file].is_some()).collect();
    if there.is_empty() {
        // No file of the group exists, so none can be removed.
        return Ok(());
    }
    let fail = |file, what: String| {
        let error = format!(
            "weight group {g}: {what}; nothing is replaced or removed, because the files may not be the model's"
        );
        Err((file, Error::mismatch(error)))
    };
    let Some(total) = group.total else {
        return fail(None, "it has string weights, so the length of its files cannot be checked".to_owned());
    };
    if let Some(&missing) = group.files.iter().find(|&&file| found[file].is_none()) {
        return fail(Some(missing), format!("expected {total} bytes in its files, but this one is missing"));
    }
    let mut sum = 0u64;
    for &file in &there {
        let name = &stored.files[file].name;
        match found[file].as_ref().and_then(|entry| entry.len) {
            // The length of an empty file proves nothing; `.bin` suggests a weight file.
            Some(0) if !name.to_ascii_lowercase().ends_with(".bin") => {
                return fail(Some(file), "expected weights, found an empty file".to_owned());
            }
            Some(len) => sum = sum.saturating_add(len),
            None => return fail(Some(file), "the length of this file is not known".to_owned()),
        }
    }
    match sum == total {
        true => Ok(()),
        false => fail(there.first().copied(), format!("expected {total} bytes in its files, found {sum}")),
    }
}
