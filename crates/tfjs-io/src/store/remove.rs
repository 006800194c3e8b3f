//! Removing a model's files, and no others: what other models in the folder name stays.

use super::stored::{Stored, is_json};
use super::{open_if_there, open_json};
use crate::cx::IoCx;
use crate::files::{Body, Files};
use crate::handler::{FilesHandler, IoHandler};
use std::collections::{HashMap, HashSet};
use tfjs_manifest::{Error, Kind, Result};

/// Removes the JSON, so that nobody begins to load, then the weights.
pub(super) async fn remove(home: &FilesHandler, stored: &Stored, cx: &IoCx) -> Result<()> {
    let files = &**home.place();
    let others = of_others(home, cx).await?;
    files.remove(home.json_name()).await.map_err(|e| e.in_file(home.location()))?;
    remove_files(files, own_files(stored, home, &others)).await
}

/// Removes the original of a verified copy.
pub(super) async fn moved(home: &FilesHandler, stored: &Stored, copy: &FilesHandler, cx: &IoCx) -> Result<()> {
    let files = &**home.place();
    let others = of_others(home, cx).await?;
    files.remove(home.json_name()).await.map_err(|e| e.in_file(home.location()))?;
    // Two names that nobody could tell for one: the last moment to see it.
    if open_json(&**copy.place(), copy.json_name()).await.is_err() {
        files.put(home.json_name(), Body::Bytes(stored.json.clone())).await?;
        return Err(Error::misuse("both names mean the same model; it is as it was").in_file(copy.location()));
    }
    remove_files(files, own_files(stored, home, &others)).await
}

/// The weight files that are this model's alone. Its own JSON is none, whatever the manifest says.
pub(super) fn own_files<'a>(
    stored: &'a Stored,
    home: &'a FilesHandler,
    others: &'a HashMap<String, String>,
) -> impl Iterator<Item = &'a str> {
    let names = stored.files.iter().map(|file| file.name.as_str());
    names.filter(|name| !others.contains_key(*name) && *name != home.json_name())
}

/// The files of other models whose JSON is in this model's folder, each with that JSON's name, which is one of them.
/// A place that cannot list has no others.
pub(super) async fn of_others(home: &FilesHandler, cx: &IoCx) -> Result<HashMap<String, String>> {
    let mut names = HashMap::new();
    let paths = match home.place().list("").await {
        Ok(paths) => paths,
        // A folder that is not there yet, or a place without folders.
        Err(e) if matches!(e.kind(), Kind::Fetch | Kind::Unsupported) => return Ok(names),
        Err(e) => return Err(e),
    };
    for json in paths.into_iter().filter(|path| is_json(path) && !path.contains('/') && path != home.json_name()) {
        let other = FilesHandler::new(home.place().clone(), &json);
        // What is no model owns nothing.
        if let Ok(Some(stored)) = open_if_there(&other, cx).await {
            names.extend(stored.files.into_iter().map(|file| (file.name, json.clone())));
            names.insert(json.clone(), json);
        }
    }
    Ok(names)
}

/// Removes those of the files that are there, and says at the end which could not be.
pub(super) async fn remove_files(files: &dyn Files, names: impl Iterator<Item = &str>) -> Result<()> {
    let there: Option<HashSet<String>> = files.list("").await.ok().map(|paths| paths.into_iter().collect());
    let mut findings = Vec::new();
    for name in names {
        if there.as_ref().is_some_and(|there| !there.contains(name)) {
            continue;
        }
        if let Err(e) = files.remove(name).await {
            findings.push(e.in_file(files.location(name)));
        }
    }
    match findings.is_empty() {
        true => Ok(()),
        false => Err(Error::several("weight files could not be removed", findings)),
    }
}
