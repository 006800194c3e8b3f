//! The API for saving: targets, files, and the metadata, training configuration and optimizer that are kept.

use serde_json::{Value, json};
use std::sync::Arc;
use tfjs::parts::io::{FilesHandler, MemoryFiles, MemoryHandler, MemoryStore, Registry, WeightSource};
use tfjs::{Input, Kind, LayersModel, LoadOptions, Save, SaveOptions, Source, StoreAs};

/// `y = x K + b` as TensorFlow.js saves it, with metadata and a training configuration.
fn dense() -> (Value, Vec<u8>) {
    let layer = json!({ "class_name": "Dense", "config": {
        "name": "d", "units": 2, "trainable": true, "activation": "linear", "use_bias": true,
        "batch_input_shape": [null, 3], "dtype": "float32" } });
    let json = json!({
        "modelTopology": {
            "class_name": "Sequential",
            "config": { "name": "s", "layers": [layer] },
            "keras_version": "tfjs-layers 4.22.0",
            "backend": "tensor_flow.js",
        },
        "format": "layers-model",
        "generatedBy": "TensorFlow.js tfjs-layers v4.22.0",
        "convertedBy": null,
        "weightsManifest": [{ "paths": ["w.bin"], "weights": [
            { "name": "d/kernel", "shape": [3, 2], "dtype": "float32" },
            { "name": "d/bias", "shape": [2], "dtype": "float32" },
        ] }],
        "userDefinedMetadata": { "labels": ["a", "b"] },
        "trainingConfig": { "loss": "meanSquaredError", "optimizer_config": { "class_name": "SGD", "config": {} } },
    });
    let values: [f32; 8] = [0.1, -0.2, 0.3, 0.4, -0.5, 0.6, 1.0, -1.0];
    (json, values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

fn load(source: impl Into<Source>, registry: &Registry) -> LayersModel {
    tfjs::blocking::load_layers_model(source, LoadOptions::new().with_registry(registry.clone())).unwrap()
}

fn model_of(json: &Value, weights: Vec<u8>) -> LayersModel {
    let files = MemoryFiles::new().with("model.json", json.to_string()).with("w.bin", weights);
    load(Source::handler(FilesHandler::new(Arc::new(files), "model.json")), &Registry::default())
}

fn model() -> LayersModel {
    let (json, weights) = dense();
    model_of(&json, weights)
}

fn predict(model: &LayersModel) -> Vec<f32> {
    let input = Input::new(vec![1.0f32, 2.0, 3.0], [1, 3]).unwrap();
    model.predict(input).unwrap().into_single().unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn saved_json(folder: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("model.json")).unwrap()).unwrap()
}

#[test]
fn to_a_folder_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("new").join("model");
    let report = tfjs::blocking::save(&model(), target.to_str().unwrap(), SaveOptions::new()).unwrap();
    assert_eq!(report.warnings, [""; 0]);
    assert_eq!(report.files, 2);
    assert_eq!(std::fs::read(target.join("weights.bin")).unwrap(), dense().1);
    let again = load(target.to_str().unwrap(), &Registry::default());
    assert_eq!(predict(&again), predict(&model()));
}

#[test]
fn what_is_kept_beside_the_model() {
    let folder = tempfile::tempdir().unwrap();
    tfjs::blocking::save(&model(), folder.path().to_str().unwrap(), SaveOptions::new()).unwrap();
    let (found, expected) = (saved_json(folder.path()), dense().0);
    for key in ["modelTopology", "format", "generatedBy", "convertedBy", "userDefinedMetadata", "trainingConfig"] {
        assert_eq!(found[key], expected[key], "{key}");
    }
}

#[test]
fn a_training_configuration_of_keras_stays_inside_the_topology() {
    // TensorFlow.js compiles with the training configuration beside the topology, and fails on Keras's names.
    let (mut json, weights) = dense();
    let training = json!({ "loss": "mse", "optimizer_config": { "class_name": "Nadam", "config": {} } });
    let config = json["modelTopology"].take();
    json["modelTopology"] = json!({ "keras_version": "2.15.0", "backend": "tensorflow",
        "model_config": { "class_name": config["class_name"], "config": config["config"] },
        "training_config": training });
    json["generatedBy"] = "keras v2.15.0".into();
    json.as_object_mut().unwrap().remove("trainingConfig");
    let folder = tempfile::tempdir().unwrap();
    let report = tfjs::blocking::save(&model_of(&json, weights), folder.path().to_str().unwrap(), SaveOptions::new());
    assert_eq!(report.unwrap().warnings, [""; 0]);
    let found = saved_json(folder.path());
    assert_eq!(found["modelTopology"]["training_config"], training);
    assert_eq!(found.get("trainingConfig"), None);
    let again = load(folder.path().to_str().unwrap(), &Registry::default());
    assert_eq!(again.training_config(), Some(&training));
}

#[test]
fn in_small_files_and_quantized() {
    for (store, tolerance) in [(StoreAs::Values, 0.0), (StoreAs::Float16, 1e-2), (StoreAs::Uint16, 1e-3)] {
        let store_to = MemoryStore::new();
        let registry = Registry::default().with("mem", store_to.clone());
        let options = SaveOptions::new().with_registry(registry.clone()).with_store(store).with_shard_bytes(5);
        let report = tfjs::blocking::save(&model(), "mem://m", options).unwrap();
        let bytes: usize = if store == StoreAs::Values { 32 } else { 16 };
        assert_eq!(report.files, bytes.div_ceil(5) + 1, "{store:?}");
        let found = predict(&load("mem://m", &registry));
        for (found, expected) in found.iter().zip(predict(&model())) {
            assert!((found - expected).abs() <= tolerance, "{store:?}: {found}, expected {expected}");
        }
    }
}

#[test]
fn in_more_files_than_a_process_may_have_open() {
    let units = 2500;
    let layer = json!({ "class_name": "Embedding", "config": {
        "name": "e", "input_dim": units, "output_dim": 1, "batch_input_shape": [null, 1] } });
    let json = json!({
        "modelTopology": { "class_name": "Sequential", "config": { "name": "s", "layers": [layer] },
            "keras_version": "tfjs-layers 4.22.0", "backend": "tensor_flow.js" },
        "weightsManifest": [{ "paths": ["w.bin"], "weights": [
            { "name": "e/embeddings", "shape": [units, 1], "dtype": "float32" }] }],
    });
    let model = model_of(&json, vec![0; 4 * units]);
    let folder = tempfile::tempdir().unwrap();
    let options = SaveOptions::new().with_shard_bytes(4);
    let report = tfjs::blocking::save(&model, folder.path().to_str().unwrap(), options).unwrap();
    assert_eq!(report.files, units + 1);
}

#[test]
fn as_a_method_inside_a_runtime() {
    let registry = Registry::default().with("mem", MemoryStore::new());
    let model = model();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = SaveOptions::new().with_registry(registry);
    let report = runtime.block_on(async { model.save("mem://m", options).await }).unwrap();
    assert_eq!(report.files, 2);
}

#[track_caller]
fn check_refused(result: tfjs::Result<tfjs::SaveReport>, kind: Kind, message: &str) {
    let error = result.expect_err("this is to be refused");
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn a_blocking_save_inside_a_runtime_is_a_misuse() {
    let model = model();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let result = runtime.block_on(async { tfjs::blocking::save(&model, "anywhere", SaveOptions::new()) });
    check_refused(result, Kind::Misuse, "await the async function");
}

/// Saves over HTTP, to a server that parses forms with an independent library.
#[test]
fn to_a_web_server_as_tensorflow_js_sends_it() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(io_harness::form_server::FormServer::start());
    let options = SaveOptions::new().with_shard_bytes(5);
    let report = tfjs::blocking::save(&model(), server.url("/200"), options).unwrap();
    assert_eq!((report.files, report.location), (2, server.url("/200")));
    let forms = server.forms();
    let names: Vec<&str> = forms[0].parts.iter().map(|part| part.file_name.as_str()).collect();
    assert_eq!(names, ["model.json", "model.weights.bin"]);
    let json: Value = serde_json::from_slice(&forms[0].parts[0].bytes).unwrap();
    let expected = dense().0;
    assert_eq!(json["modelTopology"], expected["modelTopology"]);
    assert_eq!(json["weightsManifest"][0]["paths"], json!(["./model.weights.bin"]));
    assert_eq!(json["weightsManifest"][0]["weights"], expected["weightsManifest"][0]["weights"]);
    assert_eq!(forms[0].parts[1].bytes, dense().1);
}

#[test]
fn targets_that_cannot_save() {
    let unknown = tfjs::blocking::save(&model(), "nowhere://m", SaveOptions::new());
    check_refused(unknown, Kind::Misuse, "nowhere");
    let memory = MemoryHandler::new("{}", WeightSource::None);
    let handler = tfjs::blocking::save(&model(), Source::handler(memory), SaveOptions::new());
    check_refused(handler, Kind::Unsupported, "cannot save");
}

#[test]
fn what_no_quantization_can_store_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().to_str().unwrap();
    tfjs::blocking::save(&model(), target, SaveOptions::new()).unwrap();
    let (json, mut weights) = dense();
    weights[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let result = tfjs::blocking::save(&model_of(&json, weights), target, SaveOptions::new().with_store(StoreAs::Uint8));
    let error = result.expect_err("NaN has no byte");
    assert_eq!((error.kind(), error.place().weight.as_deref()), (Kind::Misuse, Some("d/kernel")), "{error}");
    assert_eq!(predict(&load(target, &Registry::default())), predict(&model()));
}

/// A model that TensorFlow.js saved with its optimizer, and its weight file.
fn with_optimizer(options: LoadOptions) -> (LayersModel, Value, Vec<u8>) {
    let case = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/cases/tfjs/compiled_with_optimizer");
    let model = tfjs::blocking::load_layers_model(case, options).unwrap();
    let json = serde_json::from_slice(&std::fs::read(format!("{case}/model.json")).unwrap()).unwrap();
    (model, json, std::fs::read(format!("{case}/model.weights.bin")).unwrap())
}

#[test]
fn an_optimizer_that_was_kept_is_saved_as_it_was() {
    let (model, json, weights) = with_optimizer(LoadOptions::new().with_keep_optimizer(true));
    assert_eq!(model.optimizer_weights().len(), 9);
    assert_eq!(model.report().unused, [""; 0]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().to_str().unwrap();
    tfjs::blocking::save(&model, target, SaveOptions::new().with_optimizer(true)).unwrap();
    let found = saved_json(folder.path());
    assert_eq!(found["weightsManifest"][0]["weights"], json["weightsManifest"][0]["weights"]);
    assert_eq!(found["trainingConfig"], json["trainingConfig"]);
    assert_eq!(std::fs::read(folder.path().join("weights.bin")).unwrap(), weights);

    // Only the model's weights are quantized; the optimizer's are unchanged after saving and loading.
    let options = SaveOptions::new().with_optimizer(true).with_store(StoreAs::Float16).with_shard_bytes(7);
    tfjs::blocking::save(&model, target, options).unwrap();
    let again = tfjs::blocking::load_layers_model(target, LoadOptions::new().with_keep_optimizer(true)).unwrap();
    let values = |model: &LayersModel| model.optimizer_weights().to_vec();
    assert_eq!(format!("{:?}", values(&again)), format!("{:?}", values(&model)));
    // A lazy load keeps them as well.
    let (lazy, ..) = with_optimizer(LoadOptions::new().with_keep_optimizer(true).with_lazy(true));
    assert_eq!(format!("{:?}", values(&lazy)), format!("{:?}", values(&model)));
}

#[test]
fn an_optimizer_is_neither_kept_nor_saved_unless_asked_for() {
    let (model, json, weights) = with_optimizer(LoadOptions::new());
    assert_eq!(model.optimizer_weights().len(), 0);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().to_str().unwrap();
    let asked = tfjs::blocking::save(&model, target, SaveOptions::new().with_optimizer(true));
    check_refused(asked, Kind::Misuse, "the file had 9 weights of the optimizer, and they were not kept");
    tfjs::blocking::save(&model, target, SaveOptions::new()).unwrap();
    let specs = json["weightsManifest"][0]["weights"].as_array().unwrap();
    assert_eq!(saved_json(folder.path())["weightsManifest"][0]["weights"], json!(specs[..4]));
    let saved = std::fs::read(folder.path().join("weights.bin")).unwrap();
    assert_eq!(saved, weights[..saved.len()]);
    // A model without an optimizer can be saved with this option too.
    tfjs::blocking::save(&self::model(), target, SaveOptions::new().with_optimizer(true)).unwrap();
}
