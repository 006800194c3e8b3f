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

/// A description of a stored model, made without reading its weights: TensorFlow.js's `ModelArtifactsInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// `layers-model` or `graph-model`, if the file says it.
    pub format: Option<String>,
    /// When it was saved, if that is known.
    pub saved: Option<SystemTime>,
    /// Bytes of the topology as JSON.
    pub topology_bytes: u64,
    /// Bytes of the list of weights, with their names and shapes, as JSON.
    pub weight_spec_bytes: u64,
    /// Bytes of the weight files; `None` for a model with string weights, whose lengths only the files tell.
    pub weight_bytes: Option<u64>,
    /// Weight files.
    pub weight_files: usize,
}

/// A model's JSON and what it says of files.
pub(crate) struct Stored {
    pub(crate) json: Bytes,
    pub(crate) info: ModelInfo,
    /// The weight files, each once, as they are spelled the first time and as they are in the folder.
    pub(crate) files: Vec<WeightFile>,
    /// The files of each group, by their index, and the bytes they have together.
    pub(crate) groups: Vec<Group>,
}

pub(crate) struct WeightFile {
    /// As the manifest spells it.
    pub(crate) path: String,
    /// Its components, by which two spellings of one file are told.
    pub(crate) name: String,
}

pub(crate) struct Group {
    pub(crate) files: Vec<usize>,
    /// `None` if strings are among the weights.
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

    /// The model of this JSON.
    pub(crate) fn read(json: Bytes, location: &str, cx: &IoCx) -> Result<Stored> {
        Self::parse(json, cx).map_err(|e| e.in_file(location))
    }

    fn parse(text: Bytes, cx: &IoCx) -> Result<Stored> {
        let limits = &cx.options().limits;
        let value = json::parse(&text, limits)?;
        let there = |key: &str| value.get(key).filter(|value| !value.is_null());
        let (topology, groups) = (there("modelTopology"), there("weightsManifest"));
        if topology.is_none() && groups.is_none() {
            // A topology without an envelope; anything else is told what it is instead.
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
        // The brackets, and a comma before each but the first.
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

/// Whether a file's name says that it is JSON.
pub(crate) fn is_json(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("json"))
}
