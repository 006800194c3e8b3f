//! Weight files that are not beside the model, by the caller's prefix or converter. A model's JSON cannot set either of
//! them, so their URLs are trusted and may have any scheme.

use super::cx::IoCx;
use super::options::WeightUrlConverter;
use crate::base::files::{BoxFuture, Files, OpenOptions, Opened};
use crate::base::path::shard_components;
use crate::base::url::ModelUrl;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tfjs_manifest::{Error, Result};

/// The weight files that the options name instead of those beside the model; `None` if the options name none. `query`
/// is the query of the model's URL, or `None` for a local model.
pub(super) fn weights_elsewhere(cx: &IoCx, query: Option<&str>) -> Result<Option<Elsewhere>> {
    let options = cx.options();
    let remote = query.is_some();
    if let Some(convert) = &options.weight_url_converter {
        let files = ConvertedFiles { convert: convert.clone(), remote, cx: cx.clone() };
        return Ok(Some(Elsewhere { files: Arc::new(files), cache_url: None }));
    }
    let Some(prefix) = &options.weight_path_prefix else {
        return Ok(None);
    };
    let (folder, query) = (named(prefix, remote, "weight_path_prefix")?, query.unwrap_or_default());
    let cache_url = cx.registry().cache_url(&folder, query)?;
    Ok(Some(Elsewhere { files: cx.registry().files(&folder, query, cx)?, cache_url }))
}

/// Weight files that are not beside the model.
pub(super) struct Elsewhere {
    pub(super) files: Arc<dyn Files>,
    /// The URL by which they are cached, if they can be.
    pub(super) cache_url: Option<String>,
}

/// Parses a URL or path. For a remote model it must have a scheme, because a relative one would be ambiguous.
fn named(text: &str, remote: bool, option: &str) -> Result<ModelUrl> {
    let url = ModelUrl::parse(text)?;
    if remote && url.as_path().is_some() && !text.contains("://") {
        return Err(Error::misuse(format!(
            "`{option}` has no scheme; for a model at a URL give a whole URL, or `file://` for a folder on disk"
        ))
        .in_file(url));
    }
    Ok(url)
}

/// Files whose URLs come from the caller's converter.
struct ConvertedFiles {
    convert: WeightUrlConverter,
    remote: bool,
    cx: IoCx,
}

impl Files for ConvertedFiles {
    fn open<'a>(&'a self, path: &'a str, options: OpenOptions) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            // Checked before conversion, because the converter may insert the path into a longer path or URL.
            shard_components(path, &self.cx.options().limits)?;
            let text = (self.convert)(path).await.map_err(|e| e.in_file(path))?;
            let url = named(&text, self.remote, "weight_url_converter")?;
            let (folder, name, query) = match (url.split(), url.as_path()) {
                (Some((folder, name, query)), _) => (ModelUrl::parse(&folder)?, name, query),
                (None, Some(path)) => {
                    let (folder, name) = split_path(path)?;
                    (folder, name, String::new())
                }
                (None, None) => {
                    return Err(Error::unsupported("weights cannot be taken from a `data:` URL").in_file(url));
                }
            };
            let files = self.cx.registry().files(&folder, &query, &self.cx)?;
            files.open(&name, options).await
        })
    }
}

fn split_path(path: &Path) -> Result<(ModelUrl, String)> {
    let name = path.file_name().and_then(|name| name.to_str());
    let Some(name) = name else {
        return Err(Error::misuse("`weight_url_converter` returned a path without a file name").in_file(path.display()));
    };
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    Ok((ModelUrl::from_path(folder), name.to_owned()))
}

impl fmt::Debug for ConvertedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConvertedFiles").field("remote", &self.remote).finish_non_exhaustive()
    }
}
