//! The handler of a model in an archive: in memory, on disk, or at a URL whose scheme supports files.

use crate::base::files::{BoxFuture, OpenOptions, Opened, Purpose};
use crate::base::url::ModelUrl;
use crate::model::cx::IoCx;
use crate::model::handler::WeightSource;
use crate::model::handler::{IoHandler, ModelArtifacts, SaveArtifacts, SaveResult};
use crate::model::load::{Json, Origin, load};
use crate::wrap::archive::{ArchiveFiles, Named};
use bytes::Bytes;
use std::fmt;
use tfjs_manifest::{Error, Result};

/// The handler of a model in a `.zip`, `.tar` or `.tar.gz`, as Teachable Machine exports it.
///
/// Paths and `http(s)://` URLs with such an ending do not need this handler: they are recognised as archives by name,
/// and files on disk also by content. [`ArchiveFiles::model_json`] describes how the model's JSON is found; if there
/// are several, name one as in `models.zip!/digits/model.json`. Weight files are beside the JSON.
///
/// An archive at a URL is fetched whole before it is read, in memory up to 16 MiB and beyond that in a temporary
/// file; [`Limits::archive_bytes`](tfjs_manifest::Limits::archive_bytes) limits both its size and its inflated size.
///
/// ```
/// # use tfjs_io::{ArchiveHandler, Bytes};
/// static ZIP: &[u8] = b"PK"; // include_bytes!("model.zip")
/// let handler = ArchiveHandler::from_bytes(Bytes::from_static(ZIP));
/// ```
#[derive(Clone)]
pub struct ArchiveHandler(At);

#[derive(Clone)]
enum At {
    Memory(Bytes),
    Files(ArchiveFiles),
    Url(ModelUrl),
}

impl ArchiveHandler {
    /// The model in the archive at this path or URL.
    pub fn new(url: ModelUrl) -> Self {
        ArchiveHandler(At::Url(url))
    }

    /// The model in an archive in memory.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        ArchiveHandler(At::Memory(bytes.into()))
    }
}

impl From<ArchiveFiles> for ArchiveHandler {
    fn from(files: ArchiveFiles) -> Self {
        ArchiveHandler(At::Files(files))
    }
}

impl IoHandler for ArchiveHandler {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            match &self.0 {
                At::Memory(bytes) => {
                    let opened = Opened::new(self.location(), bytes.clone().into());
                    load(origin(self.location(), Json::Archive { opened, inside: None }, None), cx).await
                }
                At::Files(files) => load(origin(self.location(), Json::InArchive(files.clone()), None), cx).await,
                At::Url(url) => match url.as_url() {
                    #[cfg(not(target_family = "wasm"))]
                    None => super::file::FileHandler::new(url.as_path().unwrap_or("".as_ref())).load(cx).await,
                    #[cfg(target_family = "wasm")]
                    None => Err(Error::unsupported("this platform has no files on disk").in_file(url)),
                    Some(text) => load_url(text, cx).await.map_err(|e| e.in_file(url)),
                },
            }
        })
    }

    /// Saves to a path that ends in `.zip`, as [`FileHandler`](crate::FileHandler) does; other saves are errors.
    #[cfg(not(target_family = "wasm"))]
    fn save<'a>(&'a self, artifacts: SaveArtifacts, cx: &'a IoCx) -> BoxFuture<'a, Result<SaveResult>> {
        Box::pin(async move {
            match &self.0 {
                At::Url(url) if let Some(path) = url.as_path() => {
                    super::file::FileHandler::new(path).save(artifacts, cx).await
                }
                _ => {
                    Err(Error::unsupported("models can be saved in `.zip` archives on disk only")
                        .in_file(self.location()))
                }
            }
        })
    }

    fn location(&self) -> String {
        match &self.0 {
            At::Memory(_) => "memory".to_owned(),
            At::Files(files) => files.archive_location().to_owned(),
            At::Url(url) => url.to_string(),
        }
    }
}

async fn load_url(url: &str, cx: &IoCx) -> Result<ModelArtifacts> {
    let named = Named::in_url(url).unwrap_or(Named { archive: url.split('?').next().unwrap_or(url), inside: None });
    let query = url.find('?').map_or("", |at| &url[at..]);
    let (folder, name) = match named.archive.rfind('/') {
        Some(at) => named.archive.split_at(at + 1),
        None => return Err(Error::misuse("expected the URL of an archive")),
    };
    let files = cx.registry().files(&ModelUrl::parse(folder)?, query, cx)?;
    // Archives hardly compress, like weights.
    let opened = files.open(name, OpenOptions::new(Purpose::Weights)).await;
    let opened = opened.map_err(|e| e.in_file(files.location(name)))?;
    let json = Json::Archive { opened, inside: named.inside.map(str::to_owned) };
    load(origin(url.to_owned(), json, Some(query)), cx).await
}

/// A model in an archive, with its weights.
fn origin<'a>(location: String, json: Json<'a>, query: Option<&'a str>) -> Origin<'a> {
    Origin { location, json, weights: WeightSource::None, query }
}

impl fmt::Debug for ArchiveHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ArchiveHandler").field(&self.location()).finish()
    }
}
