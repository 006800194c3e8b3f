//! Decides which files of a place belong to a model. Only those are ever replaced or removed.

mod files;
mod folders;
mod former;
mod neighbours;
mod stored;

pub(crate) use files::own_files;
pub(crate) use folders::Folders;
pub(crate) use former::former_files;
pub use stored::ModelInfo;
pub(crate) use stored::{Stored, is_json};

use super::cx::IoCx;
use super::handlers::files::FilesHandler;
use crate::base::files::{Files, OpenOptions, Opened, Purpose};
use tfjs_manifest::{Error, Kind, Result};

/// Opens a model's JSON.
pub(crate) async fn open_json(files: &dyn Files, path: &str) -> Result<Opened> {
    files.open(path, OpenOptions::new(Purpose::Json)).await.map_err(|e| e.in_file(files.location(path)))
}

/// The existing model; `None` if its JSON cannot be opened.
async fn open_if_there(home: &FilesHandler, cx: &IoCx) -> Result<Option<Stored>> {
    match open_json(&**home.place(), home.json_name()).await {
        Err(e) if e.kind() == Kind::Fetch => Ok(None),
        Err(e) => Err(e),
        Ok(opened) => Stored::from_opened(opened, cx).await.map(Some),
    }
}

/// The error of a target that exists and is not a model.
pub(crate) fn no_model_there(e: Error, place: &str) -> Error {
    let error = "the target exists and is not a model, so it is not replaced; remove it first";
    Error::new(e.kind(), error).in_file(place).with_source(e)
}
