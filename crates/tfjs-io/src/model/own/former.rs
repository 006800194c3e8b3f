//! Finds the files that saving a model may replace: those of the former model. Any other file with such a name is an
//! error. Writes nothing.

use super::files::own_files;
use super::folders::Folders;
use super::neighbours::Claims;
use super::{no_model_there, open_if_there};
use crate::base::files::not_ours;
use crate::base::path::{check_new, check_not_hidden};
use crate::model::cx::IoCx;
use crate::model::handler::same_as_json;
use crate::model::handlers::files::FilesHandler;
use std::collections::HashSet;
use tfjs_manifest::{Error, Result};

/// The files of the existing model, its JSON last, that are replaced or removed when a model with the weight files
/// `names` is written. Names are relative to the folder.
///
/// # Errors
/// If a new file has the name of a file that does not belong to the existing model.
pub(crate) async fn former_files(target: &FilesHandler, names: &[String], cx: &IoCx) -> Result<Vec<String>> {
    let (files, json_name) = (&**target.place(), target.json_name());
    let here = |name: &str| files.location(name);
    check_not_hidden(json_name).map_err(|e| e.in_file(here(json_name)))?;
    if let Some(name) = names.iter().find(|name| name.to_lowercase() == json_name.to_lowercase()) {
        return Err(same_as_json().in_file(here(name)));
    }
    names.iter().try_for_each(|name| check_new(name).map_err(|e| e.in_file(here(name))))?;

    let mut folders = Folders::new(files);
    let claims = Claims::of_others(target, names, &mut folders, cx).await?;
    if let Some((name, owner)) = names.iter().find_map(|name| Some((name, claims.owner(name)?))) {
        let error = format!("this file belongs to another model in this folder, `{owner}`; choose another folder");
        return Err(Error::misuse(error).in_file(here(name)));
    }

    let mut former = Vec::new();
    if folders.find(json_name).await?.is_some() {
        let stored = open_if_there(target, cx).await.map_err(|e| no_model_there(e, &here(json_name)))?;
        if let Some(stored) = stored {
            former = own_files(&stored, target, &mut folders, cx).await?;
            former.push(json_name.to_owned());
        }
    }

    let ours: HashSet<&str> = former.iter().map(String::as_str).collect();
    for name in names.iter().map(String::as_str).chain([json_name]).filter(|name| !ours.contains(name)) {
        if folders.find(name).await?.is_some() {
            return Err(not_ours(here(name)));
        }
    }
    Ok(former)
}
