//! Models on disk: a path, a `file://` URL, or a folder with a `model.json` in it.

mod exchange;
mod folder;
mod operation;
mod save;
mod step;
#[cfg(feature = "archive")]
mod zip;

pub use folder::FolderFiles;
pub(crate) use folder::{Links, open_regular};
pub use save::write_file;

#[cfg(feature = "archive")]
use crate::archive;
use crate::archive::Named;
use crate::cx::IoCx;
use crate::fetch::read_json;
#[cfg(feature = "archive")]
use crate::files::Body;
use crate::files::{BoxFuture, Files, Opened};
use crate::handler::{FilesHandler, IoHandler, ModelArtifacts, SaveArtifacts, SaveResult, WeightSource};
use crate::registry::Scheme;
use crate::shard_path::{hidden, is_hidden};
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
    /// The model at this path: its JSON, a folder with a `model.json`, or an archive (see
    /// [`ArchiveHandler`](crate::ArchiveHandler)). For saving, a path that ends in `.zip` is an archive, one that
    /// does not end in `.json` a folder, made if need be.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        FileHandler { path: path.into() }
    }

    /// An archive that is there is replaced only if a model is in it.
    async fn check_replaceable(&self, cx: &IoCx) -> Result<()> {
        let path = self.path.clone();
        if path.file_name().and_then(|name| name.to_str()).is_none_or(is_hidden) {
            return Err(hidden().in_file(path.display()));
        }
        if crate::blocking::run(move || Ok(path.symlink_metadata().is_err())).await? {
            return Ok(());
        }
        let mut options = cx.options().clone();
        options.on_progress = None;
        let own = IoCx::with_registry(options, cx.registry().clone());
        self.load(&own).await.map(drop).map_err(|e| crate::store::no_model_there(e, &self.location()))
    }

    #[cfg(feature = "archive")]
    async fn save_archive(&self, artifacts: SaveArtifacts, cx: &IoCx) -> Result<SaveResult> {
        zip::save(&self.path, artifacts, cx).await
    }

    #[cfg(not(feature = "archive"))]
    async fn save_archive(&self, _artifacts: SaveArtifacts, _cx: &IoCx) -> Result<SaveResult> {
        Err(crate::archive::needs_feature().in_file(self.path.display()))
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
            match is_archive(&self.path) {
                true => {
                    self.check_replaceable(cx).await?;
                    self.save_archive(artifacts, cx).await
                }
                false => self.files(cx).await?.save(artifacts, cx).await,
            }
        })
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

/// Whether what is saved here is an archive.
fn is_archive(path: &Path) -> bool {
    path.to_str().is_some_and(|path| Named::in_path(path).is_some()) && !path.is_dir()
}

/// The file of an archive.
#[cfg(feature = "archive")]
pub(crate) fn open_archive(path: &Path) -> Result<std::fs::File> {
    open_regular(path, path, Links::Any).map(|(file, _)| file)
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

/// The path of a model's JSON by which two names of one model can be told: links and `..` resolved, as far as
/// there is something.
pub(crate) fn real_path(path: &Path) -> PathBuf {
    let path = json_path(path.to_owned()).unwrap_or_else(|_| path.to_owned());
    match (folder_of(&path).canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
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
    let opened = folder::open(&path, &path, Links::Any).map_err(|e| match in_folder {
        true if !path.exists() => {
            Error::fetch("this folder has no `model.json`; give the path of the model's JSON").in_file(path.display())
        }
        _ => e,
    })?;
    Ok((path, opened))
}
