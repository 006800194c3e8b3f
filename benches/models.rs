//! The measured models: small real ones of this repository, and a synthetic one of any size.

use candle_core::{Device, Tensor};
use serde_json::{Value, json};
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use tfjs::Input;

/// An error ends the bench.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A model in a folder.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name in the rows of the report.
    pub name: &'static str,
    /// Its folder.
    pub folder: PathBuf,
    /// The path of its test inputs, relative to its folder.
    inputs: &'static str,
}

/// The models of this repository; `large` adds MobileNetV2-224.
///
/// # Errors
/// The large model was not generated yet.
pub fn real(large: bool) -> Result<Vec<Model>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let model = |name, folder: &str, inputs| Model { name, folder: root.join(folder), inputs };
    let mut models = vec![
        model("digits", "models/digits", "test/x.safetensors"),
        model("mobilenet_v2 0.35 32x32", "tests/conformance/cases/keras2/mobilenet_v2", "inputs.safetensors"),
        model("bilstm_text", "tests/conformance/cases/keras2/bilstm_text", "inputs.safetensors"),
    ];
    if large {
        let model = model("mobilenet_v2 1.0 224x224", ".cache/golden/mobilenet_v2_224", "inputs.safetensors");
        if !model.folder.join("case.json").exists() {
            return Err("MobileNetV2-224 does not exist: `cargo xtask golden --large` generates it".into());
        }
        models.push(model);
    }
    Ok(models)
}

impl Model {
    /// The folder as text, as passed to `load_layers_model`.
    pub fn location(&self) -> String {
        self.folder.to_string_lossy().into_owned()
    }

    /// The paths of the weight files in the manifest.
    ///
    /// # Errors
    /// The `model.json` cannot be read.
    pub fn shards(&self) -> Result<Vec<String>> {
        shards(&std::fs::read(self.folder.join("model.json"))?)
    }

    /// Its test inputs in the model's order, repeated or cut to a batch.
    ///
    /// # Errors
    /// The inputs cannot be read, or have other names than the model's inputs.
    pub fn inputs(&self, model: &tfjs::LayersModel, batch: usize) -> Result<Vec<Input>> {
        let tensors = candle_core::safetensors::load(self.folder.join(self.inputs), &Device::Cpu)?;
        let names: Vec<&str> = model.inputs().map(|port| port.name).collect();
        // The held-out data of a model with one input is called `x`, whatever the input's name.
        let only = (names.len() == 1 && tensors.len() == 1).then(|| tensors.values().next()).flatten();
        let inputs = names.iter().map(|name| {
            let tensor = tensors.get(*name).or(only).ok_or_else(|| format!("no values for the input `{name}`"))?;
            Ok(Input::Tensor(rows(tensor, batch)?))
        });
        inputs.collect()
    }
}

/// The paths of the weight files in the manifest of a `model.json`.
///
/// # Errors
/// Text that is not JSON.
pub fn shards(model_json: &[u8]) -> Result<Vec<String>> {
    let json: Value = serde_json::from_slice(model_json)?;
    let groups = json["weightsManifest"].as_array().into_iter().flatten();
    let paths = groups.flat_map(|group| group["paths"].as_array().into_iter().flatten());
    Ok(paths.filter_map(Value::as_str).map(str::to_owned).collect())
}

fn rows(tensor: &Tensor, batch: usize) -> Result<Tensor> {
    let there = tensor.dims().first().copied().filter(|n| *n > 0).ok_or("inputs without examples")?;
    let copies = vec![tensor; batch.div_ceil(there)];
    Ok(Tensor::cat(&copies, 0)?.narrow(0, 0, batch)?)
}

/// Bytes of a weight file as the converter writes them.
pub const SHARD: usize = 4 << 20;

/// Writes a model of dense layers, `width` by `width` each, its weights in files of `shard` bytes.
///
/// # Errors
/// The folder cannot be written.
pub fn synthetic(folder: &Path, width: usize, layers: usize, shard: usize) -> Result<Model> {
    let mut entries = vec![
        json!({"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [null, width], "dtype": "float32"}}),
    ];
    let mut weights = Vec::new();
    for i in 0..layers {
        entries.push(json!({"class_name": "Dense", "config": {"name": format!("dense_{i}"), "units": width, "activation": "relu"}}));
        weights.push(json!({"name": format!("dense_{i}/kernel"), "shape": [width, width], "dtype": "float32"}));
        weights.push(json!({"name": format!("dense_{i}/bias"), "shape": [width], "dtype": "float32"}));
    }
    let numbers = layers * width * (width + 1);
    let value = |i: usize| ((i % 251) as f32 / 251.0 - 0.5).to_le_bytes();
    let count = numbers.div_ceil(shard / 4);
    let mut paths = Vec::with_capacity(count);
    for (i, start) in (0..numbers).step_by(shard / 4).enumerate() {
        let path = format!("group1-shard{}of{count}.bin", i + 1);
        let mut file = BufWriter::new(File::create(folder.join(&path))?);
        for number in start..numbers.min(start + shard / 4) {
            file.write_all(&value(number))?;
        }
        file.flush()?;
        paths.push(path);
    }
    let config = json!({"name": "synthetic", "layers": entries});
    let model = json!({
        "format": "layers-model", "generatedBy": "keras v2.15.0",
        "modelTopology": {"keras_version": "2.15.0", "backend": "tensorflow", "model_config": {"class_name": "Sequential", "config": config}},
        "weightsManifest": [{"paths": paths, "weights": weights}],
    });
    std::fs::write(folder.join("model.json"), model.to_string())?;
    Ok(Model { name: "synthetic dense", folder: folder.to_owned(), inputs: "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_repeat_and_end() {
        let tensor = Tensor::new(&[[1f32], [2.0], [3.0]], &Device::Cpu).unwrap();
        let found = rows(&tensor, 5).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(found, [[1.0], [2.0], [3.0], [1.0], [2.0]]);
        assert!(rows(&Tensor::zeros((0, 1), candle_core::DType::F32, &Device::Cpu).unwrap(), 1).is_err());
    }

    #[test]
    fn the_synthetic_model_loads() {
        let folder = tempfile::tempdir().unwrap();
        let model = synthetic(folder.path(), 8, 2, 300).unwrap();
        let loaded = tfjs::blocking::load_layers_model(model.location(), tfjs::LoadOptions::new()).unwrap();
        assert_eq!((loaded.weights().len(), model.shards().unwrap().len()), (4, 2));
    }
}
