//! Seeds of fuzzing: the conformance cases and small models, reduced to what each target reads, and
//! every input of an earlier finding.

use crate::workspace::Workspace;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Inputs of findings, by target; `tests/oracles.rs` explains them.
pub const FINDINGS: &str = "tests/findings";

/// Archives written by the usual programs.
const ARCHIVES: &str = "tests/io/data/archives";

/// Programs in text form.
const PROGRAMS: &str = "fuzz/seeds/programs";

/// Larger models are too slow to be mutated thousands of times a second.
const MOST: usize = 12 << 10;

/// Model addresses, a NUL, paths of weight files: examples for the rules of both.
const URLS: &[&str] = &[
    "models/digits\0group1-shard1of2.bin",
    "C:\\m\\model.json\0./model.weights.bin",
    "file:///m/a%20b/model.json\0a//b/./c d%20e.bin",
    "FILE://localhost/m\0..a/b..",
    "https://me:password@h:8443/m/model.json?X-Sig=abcdefgh&v=2&token#top\0%2e%2e/x",
    "HTTP://h/m/?t=1\0a/%2E%2e%2fx",
    "http://h?t=http://q/z\0%252e%252e/x",
    "s3://bucket/m/model.json\0http://h/x",
    "data:application/json,%7B%7D\0C:x",
    "mem://name\0a%5cb",
    "gs://b\0.. /x",
];

/// A model's folder, read into memory.
struct Model {
    name: String,
    json: Value,
    weights: Vec<u8>,
}

/// Writes the seeds of a target and returns their folder.
///
/// # Errors
/// Files that cannot be read or written.
pub fn write(workspace: &Workspace, target: &str) -> Result<PathBuf, String> {
    let folder = workspace.root.join("fuzz/corpus").join(target);
    let put = |name: &str, bytes: &[u8]| {
        if bytes.is_empty() || bytes.len() > MOST {
            return Ok(());
        }
        fs::write(folder.join(name), bytes).map_err(|e| format!("cannot write a seed: {e}"))
    };
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make `{}`: {e}", folder.display()))?;
    let put_all = |prefix: &str, from: &Path| {
        files(from).iter().try_for_each(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            put(&format!("{prefix}-{name}"), &fs::read(path).unwrap_or_default())
        })
    };
    match target {
        "urls" => URLS.iter().enumerate().try_for_each(|(i, text)| put(&format!("seed-{i}"), text.as_bytes()))?,
        "programs" => put_all("seed", &workspace.root.join(PROGRAMS))?,
        "archives" => put_all("seed", &workspace.root.join(ARCHIVES))?,
        _ => {
            for path in workspace.paths()?.iter().filter(|path| path.ends_with("/model.json")) {
                let model = read(workspace, path)?;
                for (i, bytes) in seeds(target, &model).iter().enumerate() {
                    put(&format!("{}-{i}", model.name), bytes)?;
                }
            }
        }
    }
    put_all("finding", &workspace.root.join(FINDINGS).join(target))?;
    Ok(folder)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}

fn read(workspace: &Workspace, path: &str) -> Result<Model, String> {
    // Infinities, which Python writes, are no JSON; the library reads them as these texts.
    let text = workspace.read(path)?.replace("-Infinity", "\"-Infinity\"").replace(" Infinity", " \"Infinity\"");
    let json = serde_json::from_str(&text).map_err(|e| format!("`{path}`: {e}"))?;
    let folder = path.trim_end_matches("/model.json");
    let mut weights = Vec::new();
    for file in paths_of(&json) {
        weights.extend(fs::read(workspace.root.join(folder).join(file)).unwrap_or_default());
    }
    Ok(Model { name: folder.replace('/', "-"), json, weights })
}

fn paths_of(json: &Value) -> impl Iterator<Item = &str> {
    let groups = json["weightsManifest"].as_array().into_iter().flatten();
    groups.filter_map(|group| group["paths"].as_array()).flatten().filter_map(Value::as_str)
}

/// The parts of a model that a target reads.
fn seeds(target: &str, model: &Model) -> Vec<Vec<u8>> {
    let with = |json: &Value, bytes: &[u8]| [json.to_string().as_bytes(), b"\0", bytes].concat();
    let few = &model.weights[..model.weights.len().min(16)];
    match target {
        "manifest" => vec![model.json.to_string().into_bytes()],
        "weights" => vec![with(&model.json["weightsManifest"], &model.weights)],
        "topology" => vec![lean(&model.json).to_string().into_bytes()],
        "load" => {
            let mut lean = lean(&model.json);
            let manifest = lean.as_object_mut().and_then(|map| map.shift_remove("weightsManifest"));
            let mut seeds = vec![with(&lean, few)];
            // Targets generate plain float weights themselves, for any mutation of the model.
            let odd = |text: &str| text.contains("quantization") || text.contains("\"string\"");
            if let Some(manifest) = manifest.filter(|manifest| odd(&manifest.to_string())) {
                lean["weightsManifest"] = manifest;
                seeds.push(with(&lean, few));
            }
            seeds
        }
        _ => Vec::new(),
    }
}

/// Removes what no layer reads: initializers and the like are most of a file.
fn lean(value: &Value) -> Value {
    let dead = ["initializer", "regularizer", "constraint", "build_config", "compile_config", "training_config"];
    let more = ["module", "registered_name", "shared_object_id", "seed", "userDefinedMetadata", "optimizer"];
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, _)| !dead.iter().any(|d| key.contains(d)) && !more.contains(&&key[..]));
            kept.map(|(key, value)| (key.clone(), lean(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(lean).collect(),
        other => json!(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(manifest: Value) -> Model {
        let layer =
            json!({"class_name": "Dense", "config": {"units": 1, "kernel_initializer": {"a": 1}, "module": "k"}});
        let json = json!({"modelTopology": {"config": [layer]}, "weightsManifest": manifest});
        Model { name: "m".to_owned(), json, weights: vec![1, 2, 3] }
    }

    #[test]
    fn each_target_gets_what_it_reads() {
        let plain = model(json!([{"paths": ["w.bin"], "weights": [{"name": "d/kernel", "dtype": "float32"}]}]));
        let topology = "{\"modelTopology\":{\"config\":[{\"class_name\":\"Dense\",\"config\":{\"units\":1}}]}}";
        assert_eq!(seeds("load", &plain), [[topology.as_bytes(), b"\0\x01\x02\x03"].concat()]);
        assert!(seeds("weights", &plain)[0].starts_with(b"[{\"paths\""));
        assert_eq!(seeds("manifest", &plain)[0], plain.json.to_string().into_bytes());
        let odd = model(json!([{"paths": [], "weights": [{"name": "d/kernel", "dtype": "string"}]}]));
        assert_eq!(seeds("load", &odd).len(), 2);
    }
}
