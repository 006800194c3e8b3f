//! A stored model: its JSON, the files it names, and the length of each group. Writes nothing.
//!
//! The reference is `getModelArtifactsInfoForJSON` in TensorFlow.js's `io/io_utils.ts`.

use super::open_json;
use crate::base::files::{Files, Opened};
use crate::base::path::shard_components;
use crate::model::cx::IoCx;
use crate::model::json::read_json;
use bytes::Bytes;
use std::time::SystemTime;
use tfjs_manifest::{Error, ModelJson, Result, TensorLayout, WeightsManifest, json};

/// A description of a stored model, without reading its weights, like TensorFlow.js's `ModelArtifactsInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// `layers-model` or `graph-model`, if the file has a format.
    pub format: Option<String>,
    /// When it was saved, if known.
    pub saved: Option<SystemTime>,
    /// Bytes of the topology as JSON.
    pub topology_bytes: u64,
    /// Bytes of the list of weights, with their names and shapes, as JSON.
    pub weight_spec_bytes: u64,
    /// Bytes of the weight files; `None` for a model with string weights, whose lengths are only in the files.
    pub weight_bytes: Option<u64>,
    /// Number of weight files.
    pub weight_files: usize,
}

/// A model's JSON and the files that it names.
pub(crate) struct Stored {
    pub(crate) json: Bytes,
    pub(crate) info: ModelInfo,
    /// The weight files without duplicates.
    pub(crate) files: Vec<WeightFile>,
    /// The files of each group, as indices into `files`, and their total length.
    pub(crate) groups: Vec<Group>,
}

pub(crate) struct WeightFile {
    /// The path as first written in the manifest.
    pub(crate) path: String,
    /// The normalized path; equal for two spellings of one file.
    pub(crate) name: String,
}

pub(crate) struct Group {
    pub(crate) files: Vec<usize>,
    /// Total length in bytes; `None` if the group has string weights.
    pub(crate) total: Option<u64>,
    pub(crate) most: u64,
}

impl Stored {
    /// The model whose JSON is this file.
    pub(crate) async fn open(files: &dyn Files, path: &str, cx: &IoCx) -> Result<Stored> {
        Self::from_opened(open_json(files, path).await?, cx).await
    }

    pub(crate) async fn from_opened(opened: Opened, cx: &IoCx) -> Result<Stored> {
        let (location, saved) = (opened.location.clone(), opened.modified);
        let mut stored = Self::read(read_json(opened, cx).await?, &location, cx)?;
        stored.info.saved = saved;
        Ok(stored)
    }

    /// The model with this JSON.
    pub(crate) fn read(json: Bytes, location: &str, cx: &IoCx) -> Result<Stored> {
        Self::parse(json, cx).map_err(|e| e.in_file(location))
    }

    fn parse(text: Bytes, cx: &IoCx) -> Result<Stored> {
        let limits = &cx.options().limits;
        let value = json::parse(&text, limits)?;
        let there = |key: &str| value.get(key).filter(|value| !value.is_null());
        let (topology, groups) = (there("modelTopology"), there("weightsManifest"));
        if topology.is_none() && groups.is_none() {
            // A topology without an envelope; for any other JSON, `from_value` returns an error that names it.
            let model = ModelJson::from_value(value, limits)?;
            let topology_bytes = model.topology().to_string().len() as u64;
            let info = ModelInfo { topology_bytes, weight_bytes: Some(0), ..ModelInfo::empty() };
            return Ok(Stored { json: text, info, files: Vec::new(), groups: Vec::new() });
        }

        let mut info = ModelInfo::empty();
        info.format = there("format").and_then(|format| format.as_str()).map(str::to_owned);
        info.topology_bytes = topology.map_or(0, |topology| topology.to_string().len() as u64);
        let manifest = groups.map(|groups| WeightsManifest::from_value(groups, limits)).transpose()?;
        let manifest = manifest.unwrap_or_default();
        let specs = groups.and_then(|groups| groups.as_array()).into_iter().flatten();
        let specs = specs.filter_map(|group| group["weights"].as_array()).flatten();
        // Counts the brackets and commas of the list.
        let specs = specs.map(|spec| spec.to_string().len() as u64 + 1).sum::<u64>();
        info.weight_spec_bytes = if groups.is_some() { specs.max(1) + 1 } else { 0 };
        let layout = manifest.layout(limits)?;
        info.weight_bytes = layout.total();
        let (files, groups) = weight_files(&manifest, &layout, cx)?;
        info.weight_files = files.len();
        Ok(Stored { json: text, info, files, groups })
    }
}

impl ModelInfo {
    fn empty() -> Self {
        ModelInfo {
            format: None,
            saved: None,
            topology_bytes: 0,
            weight_spec_bytes: 0,
            weight_bytes: None,
            weight_files: 0,
        }
    }
}

fn weight_files(manifest: &WeightsManifest, layout: &TensorLayout, cx: &IoCx) -> Result<(Vec<WeightFile>, Vec<Group>)> {
    let mut files: Vec<WeightFile> = Vec::new();
    let mut known = std::collections::HashMap::new();
    let mut groups = Vec::new();
    for (g, (group, layout)) in manifest.groups().iter().zip(layout.groups()).enumerate() {
        let mut indices = Vec::with_capacity(group.paths.len());
        for (p, path) in group.paths.iter().enumerate() {
            let here = |e: Error| e.at_json(format!("weightsManifest[{g}].paths[{p}]"));
            let name = shard_components(path, &cx.options().limits).map_err(here)?.join("/");
            indices.push(*known.entry(name).or_insert_with_key(|name| {
                files.push(WeightFile { path: path.clone(), name: name.clone() });
                files.len() - 1
            }));
        }
        groups.push(Group { files: indices, total: layout.total, most: layout.most });
    }
    Ok((files, groups))
}

/// Whether a file's name ends in `.json`.
pub(crate) fn is_json(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("json"))
}
