//! Saves a model as a `.zip`: writes a temporary file, then renames it. Files are stored without compression, because
//! weights hardly compress.

use super::files::FilesHandler;
use crate::base::files::not_ours;
use crate::base::path::{hidden, is_hidden};
use crate::base::url::MODEL_JSON;
use crate::model::cx::IoCx;
use crate::model::handler::{SaveArtifacts, SaveResult};
use crate::model::own::{Folders, Stored, no_model_there, own_files};
use crate::place::file::write_file_with;
use crate::wrap::archive::ArchiveFiles;
use crate::wrap::prefixed::PrefixedFiles;
use rawzip::{CompressionMethod, ZipArchiveWriter};
use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

pub(super) async fn save(path: &Path, artifacts: SaveArtifacts, cx: &IoCx) -> Result<SaveResult> {
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip")) {
        return Err(Error::unsupported("expected an archive that ends in `.zip`; others can only be read")
            .in_file(path.display()));
    }
    artifacts.check(MODEL_JSON, cx)?;
    let replaces = is_former(path, cx).await?;
    let path = path.to_owned();
    crate::base::blocking::run(move || {
        write_file_with(&path, replaces, |file| write(file, &artifacts))?;
        Ok(SaveResult::new(path.display().to_string(), artifacts.weights.len() + 1, artifacts.bytes()))
    })
    .await
}

/// Whether there is an archive at this path, which may be replaced.
///
/// # Errors
/// A link, a file that is not an archive of a model, and an archive with files of something else.
async fn is_former(path: &Path, cx: &IoCx) -> Result<bool> {
    if path.file_name().and_then(|name| name.to_str()).is_none_or(is_hidden) {
        return Err(hidden().in_file(path.display()));
    }
    let place = path.to_owned();
    let found = crate::base::blocking::run(move || Ok(place.symlink_metadata().ok())).await?;
    let Some(found) = found else { return Ok(false) };
    if !found.is_file() {
        return Err(not_ours(path.display()));
    }
    let location = path.display().to_string();
    let archive = ArchiveFiles::open(path, &cx.options().limits).await;
    let archive = archive.map_err(|e| no_model_there(e, &location))?;
    let json = archive.model_json().map_err(|e| no_model_there(e, &location))?;
    let (folder, name) = json.rsplit_once('/').map_or(("", &json[..]), |(folder, name)| (folder, name));
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let (names, whole) = (archive.names(), archive.is_whole());
    let home = FilesHandler::new(Arc::new(PrefixedFiles::new(Arc::new(archive), &prefix)), name);
    let stored = Stored::open(&**home.place(), name, cx).await.map_err(|e| no_model_there(e, &location))?;
    let own = own_files(&stored, &home, &mut Folders::new(&**home.place()), cx).await?;
    let own: HashSet<String> = own.iter().map(|name| format!("{prefix}{name}")).chain([json]).collect();
    let other = names.into_iter().find(|name| !own.contains(name));
    let Some(other) = other.or((!whole).then(|| "one that cannot be read".to_owned())) else { return Ok(true) };
    let error = format!(
        "this archive has a file that does not belong to the model in it, `{other}`, so it is not replaced; choose \
         another name"
    );
    Err(Error::misuse(error).in_file(location))
}

fn write(out: impl Write, artifacts: &SaveArtifacts) -> io::Result<()> {
    let mut archive = ZipArchiveWriter::new(BufWriter::new(out));
    let json = (MODEL_JSON, &artifacts.model_json);
    let weights = artifacts.weights.iter().map(|(path, bytes)| (path.strip_prefix("./").unwrap_or(path), bytes));
    for (path, bytes) in std::iter::once(json).chain(weights) {
        let file = archive.new_file(path).compression_method(CompressionMethod::STORE);
        let (mut entry, config) = file.start().map_err(io::Error::other)?;
        let mut writer = config.wrap(&mut entry);
        writer.write_all(bytes)?;
        let (_, descriptor) = writer.finish().map_err(io::Error::other)?;
        entry.finish(descriptor).map_err(io::Error::other)?;
    }
    archive.finish().map_err(io::Error::other)?.flush()
}
