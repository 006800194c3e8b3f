//! Tests of the envelope: every form of a layers model's file, and files that are not one.

use super::*;
use crate::Kind;
use serde_json::json;

fn read(value: &Value) -> Result<ModelJson> {
    ModelJson::from_slice(value.to_string().as_bytes(), &Limits::default())
}

fn sequential() -> Value {
    json!({"class_name": "Sequential", "config": {"name": "s", "layers": []}})
}

/// The accessors return the same for every wrapping.
#[track_caller]
fn check_accessors(file: Value, keras_version: Option<&str>, backend: Option<&str>) {
    let model = read(&file).unwrap();
    assert_eq!(model.class_name(), "Sequential");
    assert_eq!(model.model_config()["config"], sequential()["config"]);
    assert_eq!((model.keras_version(), model.backend()), (keras_version, backend));
    // It stays unwrapped.
    assert_eq!(read(&model.to_value()).unwrap(), model);
    assert_eq!(ModelJson::from_slice(&model.to_vec(), &Limits::default()).unwrap(), model);
}

#[track_caller]
fn check_refused(file: Value, kind: Kind, place: Option<&str>, says: &str) {
    let error = read(&file).unwrap_err();
    assert_eq!((error.kind(), error.place().json.as_deref()), (kind, place), "{error}");
    assert!(error.message().contains(says), "{error}");
}

#[test]
fn as_tensorflow_js_saves_it() {
    let text = concat!(
        r#"{"modelTopology":{"class_name":"Sequential","config":{"name":"s","layers":[]},"#,
        r#""keras_version":"tfjs-layers 4.22.0","backend":"tensor_flow.js"},"format":"layers-model","#,
        r#""generatedBy":"TensorFlow.js tfjs-layers v4.22.0","convertedBy":null,"weightsManifest":[{"#,
        r#""paths":["./model.weights.bin"],"weights":[{"name":"dense/kernel","shape":[2,1],"dtype":"float32"},"#,
        r#"{"name":"iter","shape":[],"dtype":"int32","group":"optimizer"}]}],"#,
        r#""userDefinedMetadata":{"labels":["a","b_c"]},"#,
        r#""trainingConfig":{"loss":"meanSquaredError","optimizer_config":{"class_name":"Adam","config":{}}}}"#,
    );
    let model = ModelJson::from_slice(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(model.format.as_deref(), Some("layers-model"));
    assert_eq!(model.generated_by.as_deref(), Some("TensorFlow.js tfjs-layers v4.22.0"));
    assert_eq!(model.converted_by, None);
    assert_eq!(model.keras_version(), Some("tfjs-layers 4.22.0"));
    assert_eq!(model.training_config().unwrap()["loss"], "meanSquaredError");
    assert_eq!(model.user_defined_metadata.as_ref().unwrap()["labels"][1], "b_c");
    assert_eq!(model.weights_manifest.as_ref().unwrap().specs().count(), 2);
    assert!(model.extra.is_empty());
    assert_eq!(String::from_utf8(model.to_vec()).unwrap(), text, "byte for byte");
}

#[test]
fn as_the_converter_writes_it() {
    let file = json!({
        "format": "layers-model", "generatedBy": "keras v2.15.0",
        "convertedBy": "TensorFlow.js Converter v4.22.0",
        "modelTopology": {
            "keras_version": "2.15.0", "backend": "tensorflow", "model_config": sequential(),
            "training_config": {"loss": "mse"},
        },
        "weightsManifest": [],
    });
    let model = read(&file).unwrap();
    assert_eq!(model.converted_by.as_deref(), Some("TensorFlow.js Converter v4.22.0"));
    assert_eq!(model.training_config(), Some(&json!({"loss": "mse"})));
    assert_eq!(model.topology(), &file["modelTopology"]);
    assert_eq!(model.to_value(), file);
    check_accessors(file, Some("2.15.0"), Some("tensorflow"));
}

#[test]
fn topology_as_a_string() {
    let topology = json!({"keras_version": "2.1.6", "backend": "tensorflow", "model_config": sequential()});
    check_accessors(json!({"modelTopology": topology.to_string()}), Some("2.1.6"), Some("tensorflow"));
    check_accessors(json!({"modelTopology": sequential().to_string()}), None, None);
}

#[test]
fn model_config_as_a_string() {
    let topology = json!({
        "keras_version": "2.1.6", "model_config": sequential().to_string(),
        "training_config": "{\"loss\": \"mse\"}",
    });
    let file = json!({"modelTopology": topology});
    assert_eq!(read(&file).unwrap().training_config(), Some(&json!({"loss": "mse"})));
    check_accessors(file, Some("2.1.6"), None);
}

#[test]
fn training_config_that_cannot_be_read_is_kept() {
    let mut topology = sequential();
    topology["training_config"] = "not json".into();
    let model = read(&json!({"modelTopology": topology})).unwrap();
    assert_eq!(model.training_config(), Some(&json!("not json")));
}

#[test]
fn bare_topology() {
    let mut bare = sequential();
    bare["keras_version"] = "2.15.0".into();
    bare["backend"] = "tensorflow".into();
    check_accessors(bare, Some("2.15.0"), Some("tensorflow"));
    check_accessors(json!({"model_config": sequential(), "keras_version": "2.4.0"}), Some("2.4.0"), None);
}

#[test]
fn versions_inside_the_model_config() {
    let mut inner = sequential();
    inner["keras_version"] = "3.15.1".into();
    check_accessors(json!({"modelTopology": {"model_config": inner}}), Some("3.15.1"), None);
}

#[test]
fn camel_case() {
    let topology = json!({
        "kerasVersion": "2.2", "modelConfig": {"className": "Sequential", "config": sequential()["config"]}
    });
    check_accessors(json!({"modelTopology": topology}), Some("2.2"), None);
}

#[test]
fn old_sequential_config_is_an_array() {
    let model = read(&json!({"modelTopology": {"class_name": "Sequential", "config": []}})).unwrap();
    assert!(model.model_config()["config"].is_array());
}

#[test]
fn unknown_and_mistyped_keys_are_kept() {
    let file = json!({
        "modelTopology": sequential(), "generatedBy": 3, "initializerSignature": {"a": 1}, "note": "x",
    });
    let model = read(&file).unwrap();
    assert_eq!(model.generated_by, None);
    let keys: Vec<_> = model.extra.keys().collect();
    assert_eq!(keys, ["initializerSignature", "note", "generatedBy"]);
    assert_eq!(model.to_value()["generatedBy"], 3);
}

#[test]
fn byte_order_mark() {
    let text = format!("\u{feff}{}", json!({"modelTopology": sequential()}));
    assert!(ModelJson::from_slice(text.as_bytes(), &Limits::default()).is_ok());
}

#[test]
fn graph_models() {
    let graph = json!({"node": [{"name": "x", "op": "Placeholder"}], "library": {}, "versions": {}});
    let manifest = json!([{"paths": ["w.bin"], "weights": []}]);
    let says = "this is a graph-model";
    let whole = json!({"format": "graph-model", "modelTopology": graph, "weightsManifest": manifest});
    check_refused(whole, Kind::Unsupported, Some("modelTopology"), says);
    // Version 1 of TensorFlow.js had no `format`.
    check_refused(json!({"modelTopology": graph}), Kind::Unsupported, Some("modelTopology"), says);
    check_refused(graph, Kind::Unsupported, None, says);
    check_refused(json!({"format": "graph-model", "modelTopology": null}), Kind::Unsupported, None, says);
    let empty = json!({"format": "graph-model", "modelTopology": {}});
    check_refused(empty, Kind::Unsupported, Some("modelTopology"), says);
}

#[test]
fn layers_under_the_wrong_format_are_layers() {
    check_accessors(json!({"format": "graph-model", "modelTopology": sequential()}), None, None);
}

#[test]
fn weights_only() {
    let manifest = json!([{"paths": [], "weights": []}]);
    for file in [
        json!({"format": "layers-model", "modelTopology": null, "weightsManifest": manifest}),
        json!({"weightsManifest": manifest}),
    ] {
        check_refused(file, Kind::Malformed, None, "weights only");
    }
}

#[test]
fn model_config_null() {
    let file = json!({"modelTopology": {"keras_version": "2.4.0", "model_config": null}});
    check_refused(file, Kind::Malformed, Some("modelTopology.model_config"), "found `keras_version`");
}

#[test]
fn other_json_files() {
    check_refused(json!([{"paths": [], "weights": []}]), Kind::Malformed, None, "weights manifest by itself");
    check_refused(
        json!({"tfjsVersion": "1.3.1", "labels": []}),
        Kind::Malformed,
        None,
        "found `tfjsVersion`, `labels`",
    );
    check_refused(json!({}), Kind::Malformed, None, "found nothing");
    check_refused(json!("text"), Kind::Malformed, None, "`\"text\"`");
}

#[test]
fn html_page() {
    let error = ModelJson::from_slice(b"<!DOCTYPE html>", &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Malformed);
    assert!(error.message().starts_with("this is an HTML page, not a model.json"));
}

#[test]
fn topologies_that_are_none() {
    let at = |topology: Value| json!({"modelTopology": topology});
    let place = Some("modelTopology");
    check_refused(at(json!([1])), Kind::Malformed, place, "an array of 1");
    check_refused(at(json!({})), Kind::Malformed, place, "`class_name`");
    check_refused(at(json!({"class_name": "Model"})), Kind::Malformed, place, "`config`");
    check_refused(at(json!("{")), Kind::Malformed, place, "the file is truncated");
    check_refused(at(json!({"class_name": 1, "config": {}})), Kind::Malformed, Some("modelTopology.class_name"), "`1`");
    check_refused(
        at(json!({"class_name": "Model", "config": 1})),
        Kind::Malformed,
        Some("modelTopology.config"),
        "`1`",
    );
    check_refused(at(json!({"model_config": 3})), Kind::Malformed, Some("modelTopology.model_config"), "`3`");
}

#[test]
fn a_bad_manifest_is_reported_with_its_place() {
    let weight = json!({"name": "w", "shape": [-1], "dtype": "float32"});
    let file = json!({"modelTopology": sequential(), "weightsManifest": [{"paths": ["w"], "weights": [weight]}]});
    check_refused(file, Kind::Malformed, Some("weightsManifest[0].weights[0].shape[0]"), "`-1`");
}
