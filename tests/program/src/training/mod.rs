//! Ten training steps of small networks, as Keras 2, Keras 3 and TensorFlow.js made them: `tests/goldens/training`.

mod networks;

use crate::{array, read_arrays};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tfjs_ir::{Array, ElementType, Program};
use tfjs_manifest::{Limits, ModelJson};
use tfjs_weights::decode_group;

/// The networks.
pub const NETWORKS: [&str; 3] = ["conv_bn", "masked_lstm", "dense_bn"];
/// Who trained them.
pub const PRODUCERS: [&str; 3] = ["keras2", "keras3", "tfjs"];
/// The steps that each was trained for.
pub const STEPS: usize = 10;

/// A network's training: the program of a step, and what the producer arrived at.
#[derive(Clone, Debug)]
pub struct Training {
    /// `network/producer`.
    pub id: String,
    /// One step of descent: `x`, `y` and `rate` give `loss`; every weight is replaced.
    pub step: Program,
    /// The weights before the first step, in the order of the program's slots.
    pub weights: Vec<Array>,
    folder: PathBuf,
    batches: BTreeMap<String, Array>,
    rate: f64,
    losses: Vec<f64>,
}

impl Training {
    /// Reads a training and builds its program.
    ///
    /// # Errors
    /// Files that cannot be read, and what the builder rejects.
    pub fn load(network: &str, producer: &str) -> Result<Training, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../goldens/training").join(network).join(producer);
        let about: Json = serde_json::from_slice(&read(&folder, "training.json")?).map_err(|e| e.to_string())?;
        let first = first_weights(&folder)?;
        let step = networks::descent(network, producer, &first).map_err(|e| e.to_string())?;
        let losses: Vec<f64> =
            about["losses"].as_array().into_iter().flatten().filter_map(|loss| loss.as_f64()).collect();
        let rate = about["learning_rate"].as_f64().ok_or("no learning rate")?;
        if losses.len() != STEPS {
            return Err(format!("{} losses, expected {STEPS}", losses.len()));
        }
        let batches = read_arrays(&folder.join("batches.safetensors"))?;
        let id = format!("{network}/{producer}");
        Ok(Training { id, step, weights: first.into_values().collect(), folder, batches, rate, losses })
    }

    /// What a step is given, from step 0 on: `x`, `y`, `rate`.
    ///
    /// # Panics
    /// If the batches are not those that the generators write.
    pub fn arguments(&self, step: usize) -> Vec<Array> {
        let batch = |name: &str| self.batches[&format!("{name}{}", step % 2)].clone();
        vec![batch("x"), batch("y"), Array::scalar(ElementType::F32, self.rate)]
    }

    /// The difference of a step's loss from the producer's.
    pub fn loss_difference(&self, step: usize, loss: f64) -> f64 {
        (self.losses[step] - loss).abs()
    }

    /// The largest difference of a weight after a step, in the order of the program's slots, and whose it is; `None` for
    /// a step after which the producer wrote nothing down.
    ///
    /// # Errors
    /// Files that cannot be read; weights of another number or shape.
    pub fn weight_difference(&self, step: usize, weights: &[Array]) -> Result<Option<(f64, String)>, String> {
        let path = self.folder.join(format!("step_{}.safetensors", step + 1));
        if !path.exists() {
            return Ok(None);
        }
        let expected = read_arrays(&path)?;
        if expected.len() != weights.len() {
            return Err(format!("{} weights, expected {}", weights.len(), expected.len()));
        }
        let mut worst = (0.0, String::new());
        for (slot, found) in self.step.slots.iter().zip(weights) {
            let expected = expected.get(&slot.name).ok_or_else(|| format!("no weight `{}`", slot.name))?;
            if expected.dims() != found.dims() {
                return Err(format!("`{}`: shape {:?}, expected {:?}", slot.name, found.dims(), expected.dims()));
            }
            let numbers = |array: &Array| array.to_floats().map_err(|e| e.to_string());
            for (expected, found) in numbers(expected)?.into_iter().zip(numbers(found)?) {
                let difference = (expected - found).abs();
                // A difference that is no number is the worst of all.
                if difference.is_nan() || difference > worst.0 {
                    let difference = if difference.is_nan() { f64::INFINITY } else { difference };
                    worst = (difference, slot.name.clone());
                }
            }
        }
        Ok(Some(worst))
    }
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, String> {
    let path = folder.join(name);
    std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))
}

/// The weights of the model that the producer started from, by name.
fn first_weights(folder: &Path) -> Result<BTreeMap<String, Array>, String> {
    let json = ModelJson::from_slice(&read(folder, "model.json")?, &Limits::default()).map_err(|e| e.to_string())?;
    let mut weights = BTreeMap::new();
    for group in json.weights_manifest.iter().flat_map(|manifest| manifest.groups()) {
        let mut bytes = Vec::new();
        for path in &group.paths {
            bytes.extend(read(folder, path)?);
        }
        let tensors = decode_group(&bytes, &group.weights, |_| true).map_err(|e| e.to_string())?;
        for (spec, tensor) in group.weights.iter().zip(tensors.into_iter().flatten()) {
            weights.insert(spec.name.clone(), array(&tensor).map_err(|e| e.to_string())?);
        }
    }
    Ok(weights)
}
