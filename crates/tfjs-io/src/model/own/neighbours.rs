//! The files that belong to other models in the same folders. A JSON file that cannot be read may name any file.

use super::folders::{Folders, folders_of};
use super::open_json;
use super::stored::{Stored, is_json};
use crate::base::files::Files;
use crate::model::cx::IoCx;
use crate::model::handler::IoHandler;
use crate::model::handlers::files::FilesHandler;
use crate::model::json::read_json;
use std::collections::{BTreeSet, HashMap};
use tfjs_manifest::{Error, Result, json};

/// The files that other models name, and the JSON files of those models.
pub(crate) struct Claims {
    /// For the name of each file, the JSON file of the model that it belongs to. The names are in lower case, because
    /// some file systems ignore case, and links in them are resolved.
    owners: HashMap<String, String>,
    /// For each name given to [`of_others`](Self::of_others), its key in `owners`.
    keys: HashMap<String, String>,
    known: bool,
}

impl Claims {
    /// Finds the claims on these files, which are in the folder of `home` or below.
    ///
    /// # Errors
    /// If a JSON file cannot be read or is a link, because its model may use the same files.
    pub(crate) async fn of_others(
        home: &FilesHandler,
        names: &[String],
        folders: &mut Folders<'_>,
        cx: &IoCx,
    ) -> Result<Claims> {
        let mut claims = Claims { owners: HashMap::new(), keys: HashMap::new(), known: true };
        let files = &**home.place();
        for name in names {
            claims.keys.insert(name.clone(), key(files, name).await?);
        }
        let places: BTreeSet<&str> = names.iter().flat_map(|name| folders_of(name)).chain([""]).collect();
        for folder in places {
            let Some(entries) = folders.entries(folder).await? else {
                claims.known = false;
                continue;
            };
            let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            let jsons = entries.iter().filter(|entry| is_json(&entry.name));
            let jsons = jsons.map(|entry| (format!("{prefix}{}", entry.name), entry.is_file));
            for (json, is_file) in jsons.filter(|(json, _)| json != home.json_name()) {
                let named = match is_file {
                    true => named_by(home, &json, cx).await,
                    false => Err(Error::malformed("expected a file, found a link or a device")),
                };
                let named = named.map_err(|e| {
                    let error = "this may be another model's JSON and cannot be read, so the owners of the files here are \
                    unknown; nothing is replaced or removed";
                    Error::new(e.kind(), error).in_file(home.place().location(&json)).with_source(e)
                })?;
                for name in named.iter().map(|name| format!("{prefix}{name}")).chain([json.clone()]) {
                    claims.owners.insert(key(files, &name).await?, json.clone());
                }
            }
        }
        Ok(claims)
    }

    /// The JSON of the other model that this file belongs to: its manifest names the file, or the file is that JSON. Only
    /// for the names that were given to [`of_others`](Self::of_others).
    pub(crate) fn owner(&self, name: &str) -> Option<&str> {
        self.owners.get(self.keys.get(name)?).map(String::as_str)
    }

    /// Checks that the place could be listed; otherwise there may be unknown models.
    pub(crate) fn must_be_known(&self, home: &FilesHandler) -> Result<()> {
        match self.known {
            true => Ok(()),
            false => Err(Error::unsupported(
                "this place cannot list its files, so their owners are unknown; nothing is replaced or removed",
            )
            .in_file(home.location())),
        }
    }
}

/// The name that is equal for all paths of one file.
async fn key(files: &dyn Files, name: &str) -> Result<String> {
    let name = files.canonical(name).await.map_err(|e| e.in_file(files.location(name)))?;
    Ok(name.to_lowercase())
}

/// The weight files that a JSON names; none if it is not the JSON of a model.
async fn named_by(home: &FilesHandler, json_name: &str, cx: &IoCx) -> Result<Vec<String>> {
    let files = &**home.place();
    let text = read_json(open_json(files, json_name).await?, cx).await?;
    let value = json::parse(&text, &cx.options().limits)?;
    if value.get("weightsManifest").is_none_or(serde_json::Value::is_null) {
        return Ok(Vec::new());
    }
    let stored = Stored::read(text, &files.location(json_name), cx)?;
    Ok(stored.files.into_iter().map(|file| file.name).collect())
}
