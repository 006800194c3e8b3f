//! The weights manifest: which files contain which weights. Its values have passed every check.
//!
//! Does not read weight files; the transport compares their lengths with the manifest.

use crate::text::{found, shorten};
use crate::{Error, Findings, Limits, Result, Shape, WeightSpec};
use serde_json::{Value, json};

/// The headline of a report with several errors.
const HEADLINE: &str = "the weights manifest cannot be used";

/// The contents of a model's weight files, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WeightsManifest {
    groups: Vec<WeightsGroup>,
}

/// Files whose concatenated bytes are these weights in order, without padding.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WeightsGroup {
    /// The paths of the files as written in the manifest. They can be any text, and must be checked before a file is
    /// opened, as tfjs-io's `shard_components` does.
    pub paths: Vec<String>,
    /// The weights.
    pub weights: Vec<WeightSpec>,
}

impl WeightsManifest {
    /// A manifest of these groups.
    ///
    /// # Errors
    /// All errors in one report: a quantization that is not valid for its dtype, weights without a file
    /// ([`Kind::Malformed`](crate::Kind::Malformed)); more weights, files, path characters or dimensions than `limits`
    /// allows ([`Kind::Limit`](crate::Kind::Limit)).
    pub fn new(groups: Vec<WeightsGroup>, limits: &Limits) -> Result<WeightsManifest> {
        let mut findings = Findings::new();
        check(&groups, limits, &mut findings);
        findings.finish(HEADLINE)?;
        Ok(WeightsManifest { groups })
    }

    /// The manifest in a JSON document: an array of `{paths, weights}`.
    ///
    /// # Errors
    /// As [`new`](Self::new), and for values of the wrong type, invalid sizes
    /// ([`Kind::Malformed`](crate::Kind::Malformed)) and unknown element types
    /// ([`Kind::Unsupported`](crate::Kind::Unsupported)). JSON paths in errors begin with `weightsManifest`.
    pub fn from_value(value: &Value, limits: &Limits) -> Result<WeightsManifest> {
        let Some(groups) = value.as_array() else {
            return Err(Error::malformed(format!("expected an array of groups, found {}", found(value)))
                .at_json("weightsManifest"));
        };
        count_before_building(groups, limits)?;

        let mut findings = Findings::new();
        let groups: Vec<_> =
            groups.iter().enumerate().map(|(g, group)| parse_group(group, g, limits, &mut findings)).collect();
        // A group that could not be read is empty now, which must not be reported as a second error.
        match findings.is_empty() {
            true => WeightsManifest::new(groups, limits),
            false => Err(findings.finish(HEADLINE).err().unwrap_or_else(|| Error::bug("findings vanished"))),
        }
    }

    /// The manifest of weights in one file, from an array of weights such as `weightSpecs` in a saved model's
    /// artifacts.
    ///
    /// # Errors
    /// As [`from_value`](Self::from_value). JSON paths in errors begin with `place`.
    pub(crate) fn from_specs(value: &Value, place: &str, file: &str, limits: &Limits) -> Result<WeightsManifest> {
        let Some(specs) = value.as_array() else {
            return Err(
                Error::malformed(format!("expected an array of weights, found {}", found(value))).at_json(place)
            );
        };
        Limits::check("tensors", specs.len() as u64, limits.tensors).map_err(|e| e.at_json(place))?;
        let mut findings = Findings::new();
        let mut group = WeightsGroup { paths: vec![file.to_owned()], weights: Vec::with_capacity(specs.len()) };
        for (i, spec) in specs.iter().enumerate() {
            group.weights.extend(WeightSpec::parse(spec, &format!("{place}[{i}]"), limits, &mut findings));
        }
        findings.finish(HEADLINE)?;
        WeightsManifest::new(vec![group], limits)
    }

    /// The groups, in file order.
    pub fn groups(&self) -> &[WeightsGroup] {
        &self.groups
    }

    /// Every weight with the index of its group and its index in that group.
    pub fn specs(&self) -> impl Iterator<Item = (usize, usize, &WeightSpec)> {
        let groups = self.groups.iter().enumerate();
        groups.flat_map(|(g, group)| group.weights.iter().enumerate().map(move |(i, spec)| (g, i, spec)))
    }

    /// The first weight of this name. TensorFlow.js writes a name several times if layers of nested models have equal
    /// names.
    pub fn get(&self, name: &str) -> Option<&WeightSpec> {
        self.specs().map(|(_, _, spec)| spec).find(|spec| spec.name == name)
    }

    /// The JSON of the manifest, as TensorFlow.js and the converter write it.
    pub fn to_value(&self) -> Value {
        let group = |group: &WeightsGroup| {
            let weights: Vec<_> = group.weights.iter().map(WeightSpec::to_value).collect();
            json!({"paths": group.paths, "weights": weights})
        };
        self.groups.iter().map(group).collect()
    }
}

/// Checks the limits of weights and files before they are built, with the actual lengths in the parsed document.
fn count_before_building(groups: &[Value], limits: &Limits) -> Result<()> {
    let total = |key: &str| -> u64 {
        groups.iter().filter_map(|g| g.get(key)?.as_array()).map(|items| items.len() as u64).sum()
    };
    let place = |error: Error| error.at_json("weightsManifest");
    Limits::check("tensors", total("weights"), limits.tensors).map_err(place)?;
    Limits::check("files", total("paths"), limits.files).map_err(place)
}

fn parse_group(value: &Value, index: usize, limits: &Limits, findings: &mut Findings) -> WeightsGroup {
    let place = format!("weightsManifest[{index}]");
    let mut group = WeightsGroup::default();

    match value.get("paths") {
        Some(Value::Array(paths)) => {
            for (i, path) in paths.iter().enumerate() {
                match path {
                    Value::String(path) => group.paths.push(path.clone()),
                    other => findings.push(
                        Error::malformed(format!("expected a file name, found {}", found(other)))
                            .at_json(format!("{place}.paths[{i}]")),
                    ),
                }
            }
        }
        other => findings.push(not_an_array(other, "paths", "file names", &place)),
    }
    match value.get("weights") {
        Some(Value::Array(weights)) => {
            for (i, weight) in weights.iter().enumerate() {
                let place = format!("{place}.weights[{i}]");
                group.weights.extend(WeightSpec::parse(weight, &place, limits, findings));
            }
        }
        other => findings.push(not_an_array(other, "weights", "weights", &place)),
    }
    group
}

fn not_an_array(value: Option<&Value>, key: &str, of: &str, place: &str) -> Error {
    match value {
        Some(value) => Error::malformed(format!("expected an array of {of}, found {}", found(value)))
            .at_json(format!("{place}.{key}")),
        None => Error::malformed(format!("a group needs `{key}`, an array of {of}")).at_json(place),
    }
}

fn check(groups: &[WeightsGroup], limits: &Limits, findings: &mut Findings) {
    let tensors: u64 = groups.iter().map(|g| g.weights.len() as u64).sum();
    let files: u64 = groups.iter().map(|g| g.paths.len() as u64).sum();
    findings.take(Limits::check("tensors", tensors, limits.tensors));
    findings.take(Limits::check("files", files, limits.files));

    for (g, group) in groups.iter().enumerate() {
        let place = format!("weightsManifest[{g}]");
        for (i, path) in group.paths.iter().enumerate() {
            let here = |error: Error| error.at_json(format!("{place}.paths[{i}]"));
            findings.take(check_path(path, limits).map_err(here));
        }
        for (i, spec) in group.weights.iter().enumerate() {
            let here = |error: Error| error.at_json(format!("{place}.weights[{i}]")).at_weight(shorten(&spec.name));
            findings.take(spec.check(limits).map_err(here));
        }
        let bytes_expected = group.weights.iter().map(|w| &w.shape).any(|s: &Shape| s.elements() > 0);
        if group.paths.is_empty() && bytes_expected {
            findings.push(
                Error::malformed(format!("{} weights, but no file that contains them", group.weights.len()))
                    .at_json(&place),
            );
        }
    }
}

fn check_path(path: &str, limits: &Limits) -> Result<()> {
    Limits::check("path_chars", path.chars().count() as u64, limits.path_chars)?;
    if path.is_empty() {
        return Err(Error::malformed("expected a file name, found an empty string"));
    }
    if path.contains('\0') {
        return Err(Error::malformed(format!("file name `{}` has a NUL character", shorten(path))));
    }
    Ok(())
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
