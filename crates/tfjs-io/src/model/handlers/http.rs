//! The handler of a model on a web server.

use crate::base::files::{BoxFuture, Files};
use crate::base::path::shard_components;
use crate::base::url::{ModelUrl, without_secrets};
use crate::model::cx::IoCx;
use crate::model::handler::{IoHandler, ModelArtifacts, SaveArtifacts, SaveResult, WeightSource};
use crate::model::load::{CacheUrls, Json, Origin, load};
use crate::place::http::{HttpFile, HttpFiles, MODEL_JSON, WEIGHTS, send_model};
use crate::wrap::retry::RetryFiles;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use tfjs_manifest::{Error, Limits, Result, WeightsManifest, json as reader};

/// The handler of a model at an `http://` or `https://` URL.
///
/// Weight files are beside the model's JSON at the given URL (not at the target of a redirect), and inherit its query.
/// A user name and password in the URL are sent as basic authentication.
#[derive(Clone, Debug)]
pub struct HttpHandler {
    url: ModelUrl,
}

impl HttpHandler {
    /// The model at this URL. If it ends in `/`, `model.json` is appended.
    ///
    /// # Errors
    /// [`Kind::Misuse`](tfjs_manifest::Kind::Misuse) for any other scheme.
    pub fn new(url: ModelUrl) -> Result<Self> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::misuse("expected an `http://` or `https://` URL").in_file(url));
        }
        Ok(HttpHandler { url })
    }

    fn parts(&self) -> Result<(String, String, String)> {
        self.url.split().ok_or_else(|| Error::bug("a URL without parts").in_file(&self.url))
    }
}

impl IoHandler for HttpHandler {
    fn load<'a>(&'a self, cx: &'a IoCx) -> BoxFuture<'a, Result<ModelArtifacts>> {
        Box::pin(async move {
            let (prefix, name, query) = self.parts()?;
            let url = format!("{prefix}{name}{query}");
            let location = without_secrets(&url);
            let file = retried(HttpFile::new(cx.http().clone(), &*url), cx);
            let weights = retried(HttpFiles::new(cx.http().clone(), &*prefix, &*query), cx);
            let urls = CacheUrls { json: url, weights: format!("{prefix}{query}") };
            let json = Json::File { files: &*file, name: &name, urls: Some(urls) };
            load(Origin { location, json, weights: WeightSource::Files(weights), query: Some(&query) }, cx).await
        })
    }

    /// Sends the same form as TensorFlow.js to the URL, with the method
    /// [`save_method`](crate::IoOptions::save_method): a file `model.json`, and a file `model.weights.bin` with all
    /// weights. A status other than 2xx is an error, and so is a redirect, except 307 and 308 within the same origin. A
    /// request that may have arrived is not repeated.
    fn save<'a>(&'a self, artifacts: SaveArtifacts, cx: &'a IoCx) -> BoxFuture<'a, Result<SaveResult>> {
        Box::pin(async move { save(self.url.as_url().unwrap_or_default(), artifacts, cx).await })
    }

    fn location(&self) -> String {
        match self.parts() {
            Ok((prefix, name, query)) => without_secrets(&format!("{prefix}{name}{query}")),
            Err(_) => self.url.to_string(),
        }
    }
}

/// Wraps files of a server, so that transient errors are retried.
pub(crate) fn retried(files: impl Files + 'static, cx: &IoCx) -> Arc<dyn Files> {
    Arc::new(RetryFiles::new(Arc::new(files), cx.options().retry.clone(), cx.deadline().clone()))
}

async fn save(url: &str, artifacts: SaveArtifacts, cx: &IoCx) -> Result<SaveResult> {
    let location = without_secrets(url);
    let sent = async {
        artifacts.check(MODEL_JSON, cx)?;
        let (json, weights) = as_one_file(artifacts, &cx.options().limits)?;
        let files = if weights.is_some() { 2 } else { 1 };
        let bytes = json.len() as u64 + length(weights.as_deref().unwrap_or_default());
        send_model(cx.http(), url, json, weights, cx.options().save_method).await?;
        Ok(SaveResult::new(&location, files, bytes))
    };
    sent.await.map_err(|e: Error| e.in_file(&location))
}

/// The JSON with a manifest of one group with one file, and the pieces of that file; `None` for a model without
/// weights. Joining groups is valid because there is no padding between groups or files.
fn as_one_file(artifacts: SaveArtifacts, limits: &Limits) -> Result<(Bytes, Option<Vec<Bytes>>)> {
    let SaveArtifacts { model_json, weights } = artifacts;
    let mut model = reader::parse(&model_json, limits)?;
    let mut files = HashMap::new();
    for (path, bytes) in weights {
        files.insert(shard_components(&path, limits)?.join("/"), bytes);
    }
    let groups = model.get("weightsManifest").filter(|manifest| !manifest.is_null());
    let Some(groups) = groups else {
        return match files.into_keys().next() {
            Some(path) => Err(unnamed(&path)),
            None => Ok((model_json, None)),
        };
    };

    let manifest = WeightsManifest::from_value(groups, limits)?;
    let layout = manifest.layout(limits)?;
    let specs = groups.as_array().into_iter().flatten().filter_map(|group| group["weights"].as_array());
    let specs: Vec<Value> = specs.flatten().cloned().collect();
    let mut pieces = Vec::new();
    for (g, (group, layout)) in manifest.groups().iter().zip(layout.groups()).enumerate() {
        let first = pieces.len();
        for path in &group.paths {
            let bytes = files.remove(&shard_components(path, limits)?.join("/"));
            pieces.push(
                bytes.ok_or_else(|| Error::misuse("the manifest names a file that was not given").in_file(path))?,
            );
        }
        let found = length(&pieces[first..]);
        // A wrong length would shift the weights of all later groups.
        if let Some(expected) = layout.total.filter(|&expected| expected != found) {
            let error = format!("weight group {g}: expected {expected} bytes in its files, found {found}");
            return Err(Error::mismatch(error));
        }
    }
    if let Some(path) = files.into_keys().next() {
        return Err(unnamed(&path));
    }
    model["weightsManifest"] = json!([{"paths": [format!("./{WEIGHTS}")], "weights": specs}]);
    Ok((model.to_string().into(), Some(pieces)))
}

fn unnamed(path: &str) -> Error {
    Error::misuse("the manifest does not name this file, and TensorFlow.js's form cannot contain other files")
        .in_file(path)
}

fn length(pieces: &[Bytes]) -> u64 {
    pieces.iter().map(|piece| piece.len() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfjs_manifest::Kind;

    fn artifacts(json: Value, files: &[(&str, &'static str)]) -> SaveArtifacts {
        let weights = files.iter().map(|(p, b)| ((*p).to_owned(), Bytes::from_static(b.as_bytes()))).collect();
        SaveArtifacts::new(json.to_string(), weights)
    }

    fn group(paths: &[&str], name: &str, bytes: usize) -> Value {
        json!({"paths": paths, "weights": [{"name": name, "shape": [bytes], "dtype": "uint8"}]})
    }

    #[test]
    fn groups_and_shards_become_one_file() {
        let manifest = json!([group(&["b", "./a"], "x", 5), group(&["c"], "y", 1)]);
        let given = artifacts(json!({"x": 1.0, "weightsManifest": manifest}), &[("a", "345"), ("b", "12"), ("c", "6")]);
        let (json, pieces) = as_one_file(given, &Limits::default()).unwrap();
        assert_eq!(pieces.unwrap().concat(), b"123456");
        let json = String::from_utf8(json.to_vec()).unwrap();
        let expected = concat!(
            r#"{"x":1.0,"weightsManifest":[{"paths":["./model.weights.bin"],"weights":["#,
            r#"{"name":"x","shape":[5],"dtype":"uint8"},{"name":"y","shape":[1],"dtype":"uint8"}]}]}"#
        );
        assert_eq!(json, expected);
    }

    #[track_caller]
    fn check_refused(json: Value, files: &[(&str, &'static str)], kind: Kind, says: &str) {
        let error = as_one_file(artifacts(json, files), &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(says), "{error}");
    }

    #[test]
    fn files_and_manifest_must_agree() {
        let manifest = json!({"weightsManifest": [group(&["a"], "x", 2)]});
        check_refused(manifest.clone(), &[], Kind::Misuse, "was not given");
        check_refused(manifest.clone(), &[("a", "12"), ("b", "")], Kind::Misuse, "does not name");
        check_refused(json!({}), &[("a", "12")], Kind::Misuse, "does not name");
        check_refused(manifest, &[("a", "123")], Kind::Mismatch, "expected 2 bytes in its files, found 3");
    }
}
