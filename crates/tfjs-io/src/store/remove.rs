//! Removes the files that belong to a model, and no others.

use crate::base::files::{Body, Files};
use crate::base::path::check_not_hidden;
use crate::model::cx::IoCx;
use crate::model::handler::IoHandler;
use crate::model::handlers::files::FilesHandler;
use crate::model::own::{Folders, Stored, open_json, own_files};
use tfjs_manifest::{Error, Result};

/// The weight files to remove with a model.
///
/// # Errors
/// If the owner of a file cannot be determined. In that case nothing may be removed.
pub(super) async fn removable(home: &FilesHandler, stored: &Stored, cx: &IoCx) -> Result<Vec<String>> {
    check_not_hidden(home.json_name()).map_err(|e| e.in_file(home.location()))?;
    own_files(stored, home, &mut Folders::new(&**home.place()), cx).await
}

/// Removes the JSON first, so that no load begins, then the weights. On disk, all of them or none.
pub(super) async fn remove(home: &FilesHandler, stored: &Stored, cx: &IoCx) -> Result<()> {
    let mut own = removable(home, stored, cx).await?;
    own.push(home.json_name().to_owned());
    home.place().replace(own, Vec::new()).await
}

/// Removes the original of a verified copy.
pub(super) async fn moved(home: &FilesHandler, stored: &Stored, copy: &FilesHandler, cx: &IoCx) -> Result<()> {
    let files = &**home.place();
    let own = removable(home, stored, cx).await?;
    files.remove(home.json_name()).await.map_err(|e| e.in_file(home.location()))?;
    // The two names are the same model, which was not detected before.
    if open_json(&**copy.place(), copy.json_name()).await.is_err() {
        files.put(home.json_name(), Body::Bytes(stored.json.clone())).await?;
        return Err(Error::misuse("source and target are the same model; it was not changed").in_file(copy.location()));
    }
    remove_files(files, &own).await
}

/// Removes files. The error lists those that could not be removed.
async fn remove_files(files: &dyn Files, names: &[String]) -> Result<()> {
    let mut findings = Vec::new();
    for name in names {
        if let Err(e) = files.remove(name).await {
            findings.push(e.in_file(files.location(name)));
        }
    }
    match findings.is_empty() {
        true => Ok(()),
        false => Err(Error::several("weight files could not be removed", findings)),
    }
}
