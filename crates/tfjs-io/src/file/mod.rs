//! Models on disk: a path, a `file://` URL, or a folder with a `model.json` in it.

mod folder;
mod save;

pub use folder::FolderFiles;

use crate::cx::IoCx;
use crate::fetch::read_json;
use crate::files::{BoxFuture, Files, Opened};
use crate::handler::{FilesHandler, IoHandler, ModelArtifacts, SaveArtifacts, SaveResult, WeightSource};
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
        Ok(Arc::new(folder_files(path_of(folder)?, cx)))
    }
}

fn folder_files(folder: &Path, cx: &IoCx) -> FolderFiles {
    let files = FolderFiles::new(folder).with_limits(cx.options().limits.clone());
    files.with_allow_symlinks(cx.options().allow_symlinks)
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
    /// The model at this path: its JSON, or a folder with a `model.json`. For saving, a path that does not
    /// end in `.json` is a folder, made if need be.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        FileHandler { path: path.into() }
    }
}

impl IoHandler for FileHandler {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            let path = self.path.clone();
            let (path, opened) = crate::blocking::run(move || open_json(path)).await?;
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
        Box::pin(async move { self.files(cx).await?.save(artifacts, cx).await })
    }

    fn files<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<FilesHandler>> {
        Box::pin(async move {
            let path = self.path.clone();
            let path = crate::blocking::run(move || json_path(path)).await?;
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| Error::misuse("expected a file's name, in UTF-8").in_file(path.display()))?;
            let files = folder_files(folder_of(&path), cx).with_named(name);
            Ok(FilesHandler::new(Arc::new(files), name))
        })
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }
}

/// The folder a file is in; never the empty path.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The model's JSON: the one in a folder, or a file whose name says what it is. Any other file is somebody
/// else's.
fn json_path(path: PathBuf) -> Result<PathBuf> {
    let is_json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
    match (path.is_dir(), path.is_file()) {
        (false, _) if is_json => Ok(path),
        (false, true) => Err(Error::misuse("expected a folder or a file that ends in `.json`").in_file(path.display())),
        _ => Ok(path.join(MODEL_JSON)),
    }
}

/// The path of a model's JSON by which two names of one model can be told: links and `..` resolved, as far as
/// there is something.
pub(crate) fn real_path(path: &Path) -> Result<PathBuf> {
    let path = json_path(path.to_owned())?;
    match (folder_of(&path).canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => Ok(folder.join(name)),
        _ => Ok(path),
    }
}

fn open_json(mut path: PathBuf) -> Result<(PathBuf, Opened)> {
    let in_folder = path.is_dir();
    if in_folder {
        path.push(MODEL_JSON);
    }
    let opened = folder::open(&path, &path, true).map_err(|e| match in_folder {
        true if !path.exists() => {
            Error::fetch("this folder has no `model.json`; give the path of the model's JSON").in_file(path.display())
        }
        _ => e,
    })?;
    Ok((path, opened))
}
