//! Checks the checksums of a load: the JSON when it is loaded, weight files while they are fetched. Does nothing if the
//! options have no sums.

use super::cx::IoCx;
use super::handler::{IoHandler, ModelArtifacts, WeightSource};
use crate::base::checksums::{Checksums, normal};
use crate::base::files::Body;
use crate::base::stream::into_stream;
use crate::base::url::MODEL_JSON;
use crate::wrap::checked::{CheckedFiles, hashed};
use futures_util::TryStreamExt;
use std::collections::BTreeSet;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// Loads a model's artifacts and checks its JSON against [`IoOptions::checksums`](crate::IoOptions::checksums);
/// [`fetch_weights`](crate::fetch_weights) checks the weight files. Without checksums this is [`IoHandler::load`].
///
/// # Errors
/// Those of the handler; [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) for a JSON with another sum.
pub async fn load_artifacts(handler: &dyn IoHandler, cx: &IoCx) -> Result<ModelArtifacts> {
    let artifacts = handler.load(cx).await?;
    let sums = &cx.options().checksums;
    if sums.is_empty() {
        return Ok(artifacts);
    }
    let place = |e: Error| e.in_file(&artifacts.location);
    let key = json_key(&artifacts.location, sums);
    if let Some(expected) = sums.expected(key).map_err(place)? {
        let body = into_stream(Body::Bytes(artifacts.model_json.clone()), None);
        hashed(expected, body).try_for_each(|_| std::future::ready(Ok(()))).await.map_err(place)?;
    }
    cx.note_checked_json(key);
    Ok(artifacts)
}

/// The name of a model's JSON in the sums: its file name if that name has a sum, else `model.json`.
fn json_key<'a>(location: &'a str, sums: &Checksums) -> &'a str {
    let path = location.split('?').next().unwrap_or(location);
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    if sums.get(name).is_some() { name } else { MODEL_JSON }
}

/// Wraps the weights so that their files are checked while they are fetched.
///
/// # Errors
/// [`Kind::Mismatch`](tfjs_manifest::Kind::Mismatch) if there is a sum for a file that the model does not have, or,
/// with strict checksums, a file without a sum; [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) if sums cannot be
/// checked.
pub(crate) fn checked(source: &WeightSource, groups: &[Vec<String>], cx: &IoCx) -> Result<WeightSource> {
    let sums = &cx.options().checksums;
    if sums.is_empty() {
        return Ok(source.clone());
    }
    let json = cx.checked_json();
    let files: BTreeSet<String> = groups.iter().flatten().map(|path| normal(path)).collect();
    for path in &files {
        sums.expected(path).map_err(|e| e.in_file(path))?;
    }
    if json.is_none() && sums.is_strict() {
        return Err(Error::misuse("the model's JSON was not checked against its checksum; use `load_artifacts`"));
    }
    if let Some(path) = sums.paths().find(|path| !files.contains(*path) && json != Some(path)) {
        let why = match json {
            None => {
                "has a checksum, but no weight file has this name, and a model's JSON is checked by `load_artifacts` only"
            }
            Some(_) => "has a checksum, but the model has no such file",
        };
        let kind = if json.is_none() { Error::misuse(why) } else { Error::mismatch(why) };
        return Err(kind.in_file(path));
    }
    match source {
        WeightSource::Files(inner) => {
            let checked = CheckedFiles::new(inner.clone(), sums.clone());
            Ok(WeightSource::Files(Arc::new(checked)))
        }
        WeightSource::Whole(_) if !files.is_empty() && sums.paths().any(|path| files.contains(path)) => {
            Err(Error::misuse("checksums are by file, and these weights are one buffer without file names"))
        }
        other => Ok(other.clone()),
    }
}
