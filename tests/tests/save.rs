//! Saving: every saved model can be loaded again, and without a warning its outputs are equal bit by bit.
//! `conformance/generate/check_saved.mjs` checks that TensorFlow.js loads it and computes the same.

use harness::cases::{Case, all_cases};
use harness::tensors::{Named, read_inputs};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use tfjs::parts::io::{MemoryStore, Registry};
use tfjs::{Engine, Inputs, Kind, LayersModel, LoadOptions, Outputs, PredictOptions, SaveOptions, Tensor};

/// Cases that TensorFlow.js's JSON cannot represent: it reads the states of stacked cells in reverse order.
const REFUSED: &[&str] = &["keras2/rnn_stacked_cells_initial_state", "keras3/rnn_stacked_cells_initial_state"];

fn main() {
    let arguments = Arguments::from_args();
    let trials = all_cases().into_iter().map(|case| {
        let id = case.id.clone();
        Trial::test(id, move || round_trip(&case).map_err(Failed::from))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

fn round_trip(case: &Case) -> Result<(), String> {
    let text = |e: tfjs::Error| e.to_string();
    let model = case.load()?;
    let store = MemoryStore::new();
    let registry = Registry::default().with("mem", store.clone());
    let report = tfjs::blocking::save(&model, "mem://case", SaveOptions::new().with_registry(registry.clone()));
    let warnings = match report {
        Err(error) if REFUSED.contains(&case.id.as_str()) && error.kind() == Kind::Unsupported => return Ok(()),
        report => report.map_err(text)?.warnings,
    };
    if REFUSED.contains(&case.id.as_str()) {
        return Err("it can be written now; take it out of the list".to_owned());
    }
    let again = tfjs::blocking::load_layers_model("mem://case", LoadOptions::new().with_registry(registry));
    let again = again.map_err(|e| format!("what was saved does not load: {e}"))?;
    if again.report().producer.as_ref().is_none_or(|p| !p.is_tfjs()) {
        return Err("what was saved is not taken for TensorFlow.js's".to_string());
    }
    let known = &model.report().warnings;
    let new: Vec<&String> = again.report().warnings.iter().filter(|warning| !known.contains(warning)).collect();
    if !new.is_empty() {
        return Err(format!("what was saved loads with warnings: {new:?}"));
    }
    let found = predict(case, &model, &again, Engine::Candle)?;
    if warnings.is_empty() {
        same_bits(&predict(case, &model, &model, Engine::Candle)?, &found)?;
        // The native engine may fuse the two models differently, because TensorFlow.js applies fewer masks.
        let of_native = |of: &LayersModel| predict(case, &model, of, Engine::Native);
        nearly_the_same(&of_native(&model)?, &of_native(&again)?, case.about.kind.tolerance())?;
    }
    if case.id.starts_with("tfjs/") {
        as_tensorflow_js_wrote_it(&model, &again, &warnings)?;
    }
    Ok(())
}

/// Predicts the case's inputs, passed to the model in the order of the original's inputs.
fn predict(case: &Case, original: &LayersModel, model: &LayersModel, engine: Engine) -> Result<Outputs, String> {
    // By position, because the implicit input of a Sequential may have another name.
    let mut named: Vec<_> = read_inputs(&case.folder)?;
    let order: Vec<String> = original.inputs().map(|port| port.key.unwrap_or(port.name).to_string()).collect();
    named.sort_by_key(|(name, _)| order.iter().position(|n| n == name));
    let inputs: Inputs = named.into_iter().map(|(_, input)| input).collect::<Vec<_>>().into();
    model
        .predict_with(inputs, &PredictOptions::default().with_engine(engine))
        .map_err(|e| format!("what was saved does not predict: {e}"))
}

fn same_bits(expected: &Outputs, found: &Outputs) -> Result<(), String> {
    if expected.len() != found.len() {
        return Err(format!("{} outputs, expected {}", found.len(), expected.len()));
    }
    for i in 0..expected.len() {
        let (a, b) = (expected.at(i), found.at(i));
        match (a, b) {
            (Ok(a), Ok(b)) if bits(a)? == bits(b)? => {}
            (Ok(a), Ok(b)) => return Err(format!("output {i} is not the same: {b}, expected {a}")),
            _ => return Err(format!("output {i} is no tensor")),
        }
    }
    Ok(())
}

fn nearly_the_same(expected: &Outputs, found: &Outputs, tolerance: f64) -> Result<(), String> {
    for i in 0..expected.len() {
        let (Ok(a), Ok(b)) = (expected.at(i), found.at(i)) else { return Err(format!("output {i} is no tensor")) };
        let difference = Named::from_tensor(a)?.difference(&Named::from_tensor(b)?)?;
        if difference > tolerance {
            return Err(format!("output {i} of the native engine differs by {difference:.1e}"));
        }
    }
    Ok(())
}

fn bits(tensor: &Tensor) -> Result<(Vec<usize>, Vec<u64>), String> {
    let flat = tensor.to_dtype(tfjs::DType::F64).and_then(|t| t.flatten_all()).and_then(|t| t.to_vec1::<f64>());
    let values = flat.map_err(|e| e.to_string())?;
    Ok((tensor.dims().to_vec(), values.into_iter().map(f64::to_bits).collect()))
}

/// A model of TensorFlow.js is saved as it was read: topology, order of weights, metadata.
fn as_tensorflow_js_wrote_it(model: &LayersModel, again: &LayersModel, warnings: &[String]) -> Result<(), String> {
    // TensorFlow.js cannot read the model that it wrote with this activation.
    let unreadable = |warning: &String| warning.contains("`gelu_new`");
    if warnings.iter().any(|warning| !unreadable(warning)) {
        return Err(format!("a model of TensorFlow.js has warnings: {warnings:?}"));
    }
    let (before, after) = (model.json().to_value(), again.json().to_value());
    for key in ["modelTopology", "format", "generatedBy", "convertedBy", "userDefinedMetadata", "trainingConfig"] {
        if before.get(key) != after.get(key) {
            return Err(format!("`{key}` was {:?}, is {:?}", before.get(key), after.get(key)));
        }
    }
    let weights = |json: &Value| -> Vec<Value> {
        let groups = json["weightsManifest"].as_array().cloned().unwrap_or_default();
        let all = groups.iter().flat_map(|group| group["weights"].as_array().cloned().unwrap_or_default());
        all.filter(|weight| weight.get("group").is_none()).collect()
    };
    if weights(&before) != weights(&after) {
        return Err(format!("the weights were {:?}, are {:?}", weights(&before), weights(&after)));
    }
    Ok(())
}
