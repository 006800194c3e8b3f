//! Models on disk: a path, a `file://` URL, or a folder with a `model.json` in it.

use super::files::FilesHandler;
use crate::base::blocking;
use crate::base::disk::Links;
#[cfg(feature = "archive")]
use crate::base::files::Body;
use crate::base::files::{BoxFuture, Opened};
use crate::base::url::MODEL_JSON;
use crate::model::cx::IoCx;
use crate::model::handler::{IoHandler, ModelArtifacts, SaveArtifacts, SaveResult, WeightSource};
use crate::model::load::{Json, Origin, load};
use crate::model::options::IoOptions;
use crate::place::file::{FolderFiles, folder_of, open};
use crate::wrap::archive::Named;
#[cfg(not(feature = "archive"))]
use crate::wrap::archive::needs_feature;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tfjs_manifest::{Error, Result, refuse_files};

/// The handler of a model on disk.
///
/// Weight files must be inside the folder of the model's JSON, after links are resolved, unless
/// [`allow_symlinks`](crate::IoOptions::allow_symlinks) is set. The JSON itself may be a link, because the caller
/// chose it.
#[derive(Clone, Debug)]
pub struct FileHandler {
    path: PathBuf,
}

impl FileHandler {
    /// The model at this path: its JSON, a folder with a `model.json`, or an archive (see
    /// [`ArchiveHandler`](crate::ArchiveHandler)). For saving, a path that ends in `.zip` is an archive, one that ends
    /// in `.json` is the JSON, and any other is a folder, which is created if necessary.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        FileHandler { path: path.into() }
    }

    #[cfg(feature = "archive")]
    async fn save_archive(&self, artifacts: SaveArtifacts, cx: &IoCx) -> Result<SaveResult> {
        super::zip::save(&self.path, artifacts, cx).await
    }

    #[cfg(not(feature = "archive"))]
    async fn save_archive(&self, _artifacts: SaveArtifacts, _cx: &IoCx) -> Result<SaveResult> {
        Err(needs_feature().in_file(self.path.display()))
    }
}

impl IoHandler for FileHandler {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            let path = self.path.clone();
            let Found { path, json } = blocking::run(move || find(path)).await?;
            let weights = WeightSource::Files(Arc::new(folder_files(folder_of(&path), cx.options())));
            load(Origin { location: path.display().to_string(), json, weights, query: None }, cx).await
        })
    }

    fn save<'a>(&'a self, artifacts: SaveArtifacts, cx: &'a IoCx) -> BoxFuture<'a, Result<SaveResult>> {
        Box::pin(async move {
            match is_archive(&self.path) {
                true => self.save_archive(artifacts, cx).await,
                false => self.files(cx).await?.save(artifacts, cx).await,
            }
        })
    }

    fn files<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<FilesHandler>> {
        Box::pin(async move {
            let path = self.path.clone();
            let path = blocking::run(move || json_path(path)).await?;
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| Error::misuse("expected a file name in UTF-8").in_file(path.display()))?;
            let files = folder_files(folder_of(&path), cx.options()).with_named(name);
            Ok(FilesHandler::new(Arc::new(files), name))
        })
    }

    fn location(&self) -> String {
        self.path.display().to_string()
    }
}

/// Whether saving to this path writes an archive.
fn is_archive(path: &Path) -> bool {
    path.to_str().is_some_and(|path| Named::in_path(path).is_some()) && !path.is_dir()
}

/// The files of a folder, with the limits and the rule for links from the options.
pub(crate) fn folder_files(folder: &Path, options: &IoOptions) -> FolderFiles {
    FolderFiles::new(folder).with_limits(options.limits.clone()).with_allow_symlinks(options.allow_symlinks)
}

/// The path of a model's JSON: in a folder, or a file that ends in `.json`. Any other existing file is an error.
fn json_path(path: PathBuf) -> Result<PathBuf> {
    if is_archive(&path) {
        let error = "the files of an archive cannot be written or removed one by one";
        return Err(Error::unsupported(error).in_file(path.display()));
    }
    let is_json = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
    match (path.is_dir(), path.is_file()) {
        (false, _) if is_json => Ok(path),
        (false, true) => Err(Error::misuse("expected a folder or a file that ends in `.json`").in_file(path.display())),
        _ => Ok(path.join(MODEL_JSON)),
    }
}

/// The canonical path of a model's JSON, to detect two names of one model. Links and `..` are resolved in a folder that
/// exists.
pub(crate) fn real_path(path: &Path) -> PathBuf {
    let path = json_path(path.to_owned()).unwrap_or_else(|_| path.to_owned());
    match (folder_of(&path).canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// The opened JSON or archive at a path.
struct Found {
    /// The path of the JSON or of the archive.
    path: PathBuf,
    json: Json<'static>,
}

/// Opens a model's JSON, or an archive. Archives are recognised by name or by their first bytes.
fn find(path: PathBuf) -> Result<Found> {
    let named = path.to_str().and_then(Named::in_path).filter(|named| named.inside.is_none() || !path.exists());
    let file = named.map_or(path.as_path(), |named| Path::new(named.archive));
    let is_folder = file.is_dir();
    let (found, opened) = open_json(file.to_owned())?;
    let is_archive = !is_folder && (named.is_some() || begins_as_archive(&opened));
    let inside = named.and_then(|named| named.inside).map(str::to_owned);
    let json = if is_archive { Json::Archive { opened, inside } } else { Json::Opened(opened) };
    Ok(Found { path: found, json })
}

#[cfg(feature = "archive")]
fn begins_as_archive(opened: &Opened) -> bool {
    matches!(&opened.body, Body::File(local) if crate::wrap::archive::begins_as_archive(&local.file))
}

#[cfg(not(feature = "archive"))]
fn begins_as_archive(_: &Opened) -> bool {
    false
}

/// Most files of a folder that are looked at to see what it is.
const LISTED: usize = 100;

/// The error of a folder without a `model.json`, which may contain another format.
fn no_model(json: &Path) -> Error {
    let folder = folder_of(json);
    let names: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().take(LISTED).map(|e| e.file_name()).collect();
    match refuse_files(names.iter().filter_map(|name| name.to_str())) {
        Ok(()) => {
            Error::fetch("this folder has no `model.json`; give the path of the model's JSON").in_file(json.display())
        }
        Err(other_format) => other_format.in_file(folder.display()),
    }
}

fn open_json(mut path: PathBuf) -> Result<(PathBuf, Opened)> {
    let in_folder = path.is_dir();
    if in_folder {
        path.push(MODEL_JSON);
    }
    let opened = open(&path, &path, Links::Any).map_err(|e| match in_folder {
        true if !path.exists() => no_model(&path),
        _ => e,
    })?;
    Ok((path, opened))
}
