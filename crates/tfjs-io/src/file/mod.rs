//! Models on disk: a path, a `file://` URL, or a folder with a `model.json` in it.

mod folder;
mod save;
#[cfg(feature = "archive")]
mod zip;

pub use folder::FolderFiles;
pub(crate) use folder::open_regular;

#[cfg(feature = "archive")]
use crate::archive;
use crate::archive::Named;
use crate::cx::IoCx;
use crate::fetch::read_json;
use crate::files::{Body, BoxFuture, Files, LocalFile, Opened};
use crate::handler::{IoHandler, ModelArtifacts, SaveArtifacts, SaveResult, WeightSource};
use crate::registry::Scheme;
use crate::url::{MODEL_JSON, ModelUrl};
use crate::weights_at::weights_elsewhere;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// The scheme `file`, which paths without a scheme have too.
pub(crate) struct FileScheme;

impl Scheme for FileScheme {
    fn handler(&self, url: &ModelUrl) -> Result<Arc<dyn IoHandler>> {
        Ok(Arc::new(FileHandler::new(path_of(url)?)))
    }

    fn files(&self, folder: &ModelUrl, _query: &str, cx: &IoCx) -> Result<Arc<dyn Files>> {
        let files = FolderFiles::new(path_of(folder)?).with_limits(cx.options().limits.clone());
        Ok(Arc::new(files.with_allow_symlinks(cx.options().allow_symlinks)))
    }
}

fn path_of(url: &ModelUrl) -> Result<&Path> {
    url.as_path().ok_or_else(|| Error::misuse("expected a path or a `file://` URL").in_file(url))
}

/// The handler of a model on disk.
///
/// Weight files never lie outside the folder of the model's JSON, links included, unless
/// [`allow_symlinks`](crate::IoOptions::allow_symlinks) says otherwise. The JSON itself may be a link: the
/// caller named it.
#[derive(Clone, Debug)]
pub struct FileHandler {
    path: PathBuf,
}

impl FileHandler {
    /// The model at this path: its JSON, a folder with a `model.json`, or an archive (see
    /// [`ArchiveHandler`](crate::ArchiveHandler)). For saving, a path that ends in `.zip` is an archive, one that
    /// does not end in `.json` a folder, made if need be.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        FileHandler { path: path.into() }
    }
}

impl IoHandler for FileHandler {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            let path = self.path.clone();
            let (path, opened) = match crate::blocking::run(move || open_model(path)).await? {
                Found::Json(path, opened) => (path, opened),
                #[cfg(feature = "archive")]
                Found::Archive(opened, inside) => {
                    return archive::load(opened, inside.as_deref(), None, cx).await;
                }
            };
            let json = read_json(opened, cx).await?;
            let weights = match weights_elsewhere(cx, false, "")? {
                Some(elsewhere) => elsewhere,
                None => FileScheme.files(&ModelUrl::from_path(folder_of(&path)), "", cx)?,
            };
            let location = path.display().to_string();
            Ok(ModelArtifacts::new(location, json, WeightSource::Files(weights)))
        })
    }

    fn save<'a>(&'a self, artifacts: SaveArtifacts, cx: &'a IoCx) -> BoxFuture<'a, Result<SaveResult>> {
        Box::pin(async move {
            if is_archive(&self.path) {
                #[cfg(feature = "archive")]
                return zip::save(&self.path, artifacts, cx).await;
                #[cfg(not(feature = "archive"))]
                return Err(crate::archive::needs_feature().in_file(self.path.display()));
            }
            let is_json = self.path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
            let json_path = match is_json {
                true => self.path.clone(),
                false => self.path.join(MODEL_JSON),
            };
            let name = json_path.file_name().and_then(|name| name.to_str()).unwrap_or(MODEL_JSON).to_owned();
            artifacts.check(&name, cx)?;
            let folder = folder_of(&json_path).to_owned();
            let limits = cx.options().limits.clone();
            crate::blocking::run(move || save::save(&folder, &name, &artifacts, &limits)).await
        })
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }
}

/// Whether what is saved here is an archive.
fn is_archive(path: &Path) -> bool {
    path.to_str().is_some_and(|path| Named::in_path(path).is_some()) && !path.is_dir()
}

/// The file of an archive.
#[cfg(feature = "archive")]
pub(crate) fn open_archive(path: &Path) -> Result<std::fs::File> {
    open_regular(path, path, true).map(|(file, _)| file)
}

/// The folder a file is in; never the empty path.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// What a path turned out to be.
enum Found {
    /// A model's JSON.
    Json(PathBuf, Opened),
    /// An archive, and the JSON named inside it.
    #[cfg(feature = "archive")]
    Archive(Opened, Option<String>),
}

/// Opens a model's JSON, or an archive: what is named as one, and what begins as one.
fn open_model(path: PathBuf) -> Result<Found> {
    let named = path.to_str().and_then(Named::in_path).filter(|named| named.inside.is_none() || !path.exists());
    let file = named.map_or(path.as_path(), |named| Path::new(named.archive));
    let is_folder = file.is_dir();
    let (json, opened) = open_json(file.to_owned())?;
    if is_folder {
        return Ok(Found::Json(json, opened));
    }
    #[cfg(feature = "archive")]
    if named.is_some() || matches!(&opened.body, Body::File(local) if archive::begins_as_archive(&local.file)) {
        return Ok(Found::Archive(opened, named.and_then(|named| named.inside).map(str::to_owned)));
    }
    #[cfg(not(feature = "archive"))]
    if named.is_some() {
        return Err(crate::archive::needs_feature().in_file(path.display()));
    }
    Ok(Found::Json(json, opened))
}

fn open_json(mut path: PathBuf) -> Result<(PathBuf, Opened)> {
    let in_folder = path.is_dir();
    if in_folder {
        path.push(MODEL_JSON);
    }
    let (file, len) = open_regular(&path, &path, true).map_err(|e| match in_folder {
        true if !path.exists() => {
            Error::fetch("this folder has no `model.json`; give the path of the model's JSON").in_file(path.display())
        }
        _ => e,
    })?;
    let body = Body::File(LocalFile::new(file, Some(path.clone())));
    let opened = Opened::new(path.display().to_string(), body).with_len(len);
    Ok((path, opened))
}
