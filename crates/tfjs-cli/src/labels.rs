//! The settings to give images to a model and to read its output: the range of pixels and the names of classes. They
//! come from, in this order of priority, the command line, the model's `userDefinedMetadata`, and a Teachable Machine
//! `metadata.json` beside the model.
//!
//! Teachable Machine: `Metadata` in `libraries/image/src/custom-mobilenet.ts` of
//! googlecreativelab/teachablemachine-community.

use crate::clock::Clock;
use crate::failure::{Failure, print_warning};
use crate::local;
use crate::stages::{self, Optional};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tfjs::parts::io::{FilesHandler, FolderFiles, ModelUrl};
use tfjs::parts::manifest::{self, text::found};
use tfjs::{Error, IoHandler, Kind, LoadOptions, Result};

/// The file beside the model.json in a Teachable Machine export.
const METADATA_JSON: &str = "metadata.json";

/// A model's settings for images and the names of its classes, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Picture {
    /// The values of black and white.
    pub(crate) range: Option<(f32, f32)>,
    /// The names of the classes, in the order of the output.
    pub(crate) labels: Option<Vec<String>>,
    /// Height and width, if the model's input leaves them open.
    pub(crate) size: Option<usize>,
    /// Whether images are grey, if the model's input leaves the channels open.
    pub(crate) grayscale: bool,
    /// Whether images are cropped to the centred square.
    pub(crate) crop: bool,
}

impl Picture {
    /// Reads the model's `userDefinedMetadata`.
    ///
    /// # Errors
    /// If `range` or `labels` are invalid, because ignoring them would give wrong outputs.
    pub(crate) fn of_metadata(metadata: Option<&Value>) -> Result<Picture> {
        let place = |e: Error| e.at_json("userDefinedMetadata");
        let mut picture = Picture::default();
        if let Some(range) = metadata.and_then(|m| m.get("range")).filter(|r| !r.is_null()) {
            picture.range = Some(read_range(range).map_err(|e| place(e.at_json("range")))?);
        }
        if let Some(labels) = metadata.and_then(|m| m.get("labels")).filter(|l| !l.is_null()) {
            picture.labels = Some(read_labels(labels).map_err(|e| place(e.at_json("labels")))?);
        }
        Ok(picture)
    }

    /// Reads a Teachable Machine `metadata.json`. The file of another program gives no settings.
    fn of_teachable_machine(metadata: &Value) -> Result<Picture> {
        let Some(labels) = metadata.get("labels").filter(|l| l.is_array()) else {
            return Ok(Picture::default());
        };
        let mut picture =
            Picture { labels: Some(read_labels(labels).map_err(|e| e.at_json("labels"))?), ..Picture::default() };
        let package = metadata.get("packageName").and_then(Value::as_str);
        let of_images = match package {
            Some(name) => name == "@teachablemachine/image",
            None => metadata.get("imageSize").is_some(),
        };
        if of_images {
            // Its JavaScript library divides by 127, so that white is 1.008; its generated code for Keras divides by
            // 127.5. Both document the range -1 to 1.
            picture.range = Some((-1.0, 1.0));
            picture.size = metadata.get("imageSize").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
            picture.grayscale = metadata.get("grayscale").and_then(Value::as_bool).unwrap_or(false);
            picture.crop = true;
        }
        Ok(picture)
    }

    /// Fills missing settings from `other`.
    pub(crate) fn or(self, other: Picture) -> Picture {
        Picture {
            // Cropping comes from the same source as the range.
            crop: self.crop || (self.range.is_none() && other.crop),
            range: self.range.or(other.range),
            labels: self.labels.or(other.labels),
            size: self.size.or(other.size),
            grayscale: self.grayscale || other.grayscale,
        }
    }
}

/// Reads the `metadata.json` beside a model. No settings if there is none or it does not arrive in time.
///
/// # Errors
/// [`Kind::Limit`] if it is too large, [`Kind::Malformed`] if it is invalid, because ignoring it would change the
/// output.
pub(crate) fn beside(
    model: &str,
    location: &str,
    options: &LoadOptions,
    clock: Clock,
    err: &mut dyn Write,
) -> Result<Picture, Failure> {
    let url = ModelUrl::parse(model)?;
    // There are no files beside a `data:` URL.
    if url.scheme() == "data" {
        return Ok(Picture::default());
    }
    let mut options = options.clone();
    options.limits.model_json_bytes = options.limits.metadata_bytes;
    let too_large = |e: Error| match e.kind() {
        Kind::Limit => e.with_message(format!(
            "limit `metadata_bytes`: expected at most {} bytes; with `--range` and `--labels` the file is not read",
            options.limits.metadata_bytes
        )),
        _ => e,
    };
    let fetched = match stages::fetch_optional(&*handler(&url, location, &options)?, &options, clock) {
        Ok(Optional::Fetched(artifacts)) => artifacts,
        Ok(Optional::Late) => {
            let seconds = stages::PATIENCE.as_secs();
            let text = format!("`{METADATA_JSON}` did not arrive in {seconds} s; predicting without it");
            print_warning(&text, err)?;
            return Ok(Picture::default());
        }
        Err(e) if e.kind() == Kind::Fetch => return Ok(Picture::default()),
        Err(e) => return Err(too_large(e).into()),
    };
    let metadata = manifest::json::parse(&fetched.model_json, &options.limits).map_err(too_large);
    let picture = metadata.and_then(|m| Picture::of_teachable_machine(&m));
    Ok(picture.map_err(|e| e.in_file(&fetched.location))?)
}

/// The handler of the `metadata.json` beside a model.
fn handler(url: &ModelUrl, location: &str, options: &LoadOptions) -> Result<Arc<dyn IoHandler>> {
    let path = Path::new(location);
    if url.as_path().is_some() && path.is_file() {
        // The same rules as for weight files: links must not lead out of the folder.
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let files = FolderFiles::new(folder).with_limits(options.limits.clone());
        let files = files.with_allow_symlinks(options.io.allow_symlinks);
        return Ok(Arc::new(FilesHandler::new(Arc::new(files), METADATA_JSON)));
    }
    #[cfg(feature = "archive")]
    if let (Some(_), Some((archive, json))) = (url.as_path(), location.rsplit_once("!/")) {
        // Never a path with `!/` in it: there may be a folder of that name, with links in it.
        let open = tfjs::parts::io::ArchiveFiles::open(archive, &options.limits);
        let files = stages::Driver::new()?.block_on(open)?;
        let name = Path::new(json).with_file_name(METADATA_JSON).display().to_string();
        return Ok(Arc::new(FilesHandler::new(Arc::new(files), name)));
    }
    let file = match url.split() {
        Some((folder, name, query)) => match location.rsplit_once("!/") {
            // A JSON in an archive that the URL does not name.
            Some((_, json)) if !folder.contains("!/") => {
                let json = json.split('?').next().unwrap_or(json);
                let beside = Path::new(json).with_file_name(METADATA_JSON);
                format!("{folder}{name}!/{}{query}", beside.display())
            }
            _ => format!("{folder}{METADATA_JSON}{query}"),
        },
        None => path.with_file_name(METADATA_JSON).display().to_string(),
    };
    options.registry.resolve(&ModelUrl::parse(&file)?)
}

/// The lines of a file of labels.
pub(crate) fn of_file(path: &Path, clock: Clock) -> Result<Vec<String>> {
    let bytes = local::read_text(path, clock)?;
    let text = String::from_utf8(bytes)
        .map_err(|e| Error::malformed("expected lines of UTF-8 text").in_file(local::shown(path)).with_source(e))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.trim_end().lines().map(|line| line.trim().to_owned()).collect())
}

fn read_range(value: &Value) -> Result<(f32, f32)> {
    let bound = |v: &Value| v.as_f64().map(|x| x as f32).filter(|x| x.is_finite());
    let bounds = value.as_array().and_then(|bounds| match &bounds[..] {
        [low, high] => bound(low).zip(bound(high)),
        _ => None,
    });
    bounds.ok_or_else(|| Error::malformed(format!("expected two numbers, found {}; or give `--range`", found(value))))
}

fn read_labels(value: &Value) -> Result<Vec<String>> {
    let label = |v: &Value| match v {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let labels = value.as_array().and_then(|labels| labels.iter().map(label).collect());
    labels.ok_or_else(|| Error::malformed(format!("expected a list of names, found {}", found(value))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_models_own_metadata() {
        let own =
            Picture::of_metadata(Some(&json!({"labels": ["a", 7], "range": [0, 16], "testAccuracy": 0.9}))).unwrap();
        assert_eq!((own.range, own.labels), (Some((0.0, 16.0)), Some(vec!["a".to_owned(), "7".to_owned()])));
        assert_eq!(Picture::of_metadata(None).unwrap(), Picture::default());
        assert_eq!(Picture::of_metadata(Some(&json!("free text"))).unwrap(), Picture::default());
    }

    #[test]
    fn a_range_that_is_none() {
        for wrong in [json!([0]), json!("0,1"), json!([0, "1"]), json!({"low": 0})] {
            let error = Picture::of_metadata(Some(&json!({"range": wrong}))).unwrap_err();
            assert_eq!(error.kind(), Kind::Malformed);
            assert_eq!(error.place().json.as_deref(), Some("userDefinedMetadata.range"));
        }
    }

    #[test]
    fn labels_that_are_none() {
        let error = Picture::of_metadata(Some(&json!({"labels": [["a"]]}))).unwrap_err();
        assert_eq!(error.place().json.as_deref(), Some("userDefinedMetadata.labels"));
    }

    /// The metadata of an export from 2021.
    #[test]
    fn teachable_machine() {
        let file = json!({"tfjsVersion": "1.3.1", "tmVersion": "2.4.4", "packageVersion": "0.8.4",
            "packageName": "@teachablemachine/image", "timeStamp": "2021-05-01T10:00:00.000Z", "userMetadata": {},
            "modelName": "tm-my-image-model", "labels": ["Class 1", "Class 2"], "imageSize": 224});
        let picture = Picture::of_teachable_machine(&file).unwrap();
        assert_eq!(picture.labels.as_deref(), Some(&["Class 1".to_owned(), "Class 2".to_owned()][..]));
        assert_eq!(
            (picture.range, picture.size, picture.crop, picture.grayscale),
            (Some((-1.0, 1.0)), Some(224), true, false)
        );
        let grey =
            json!({"packageName": "@teachablemachine/image", "labels": ["a"], "imageSize": 96, "grayscale": true});
        assert!(Picture::of_teachable_machine(&grey).unwrap().grayscale);
    }

    #[test]
    fn other_exports_only_name_their_classes() {
        let pose = json!({"packageName": "@teachablemachine/pose", "labels": ["up", "down"]});
        let picture = Picture::of_teachable_machine(&pose).unwrap();
        assert_eq!((picture.range, picture.crop, picture.labels.map(|l| l.len())), (None, false, Some(2)));
        let foreign = json!({"name": "someone else's", "range": [0, 3]});
        assert_eq!(Picture::of_teachable_machine(&foreign).unwrap(), Picture::default());
    }

    #[test]
    fn the_models_own_word_counts_before_its_neighbours() {
        let own = Picture { range: Some((0.0, 1.0)), ..Picture::default() };
        let beside = Picture { range: Some((-1.0, 1.0)), crop: true, size: Some(9), ..Picture::default() };
        let both = own.or(beside.clone());
        assert_eq!((both.range, both.crop, both.size), (Some((0.0, 1.0)), false, Some(9)));
        assert!(Picture::default().or(beside).crop);
    }
}
