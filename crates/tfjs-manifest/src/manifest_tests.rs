//! Tests of the manifest: what is read, and one test for each kind of error. Not the layout or the bytes.

use super::*;
use crate::{AffineStore, DType, Kind, Quantization};

fn group(weights: Value) -> Value {
    json!([{"paths": ["w.bin"], "weights": weights}])
}

fn read(value: &Value) -> Result<WeightsManifest> {
    WeightsManifest::from_value(value, &Limits::default())
}

/// Checks the error of one invalid weight: kind, JSON path, weight and a part of the message.
#[track_caller]
fn check_weight(weight: Value, kind: Kind, place: &str, says: &str) {
    let error = read(&group(json!([weight]))).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.place().json.as_deref(), Some(place), "{error}");
    assert_eq!(error.place().weight.as_deref(), weight["name"].as_str(), "{error}");
    assert!(error.message().contains(says), "{error}");
}

#[track_caller]
fn check_manifest(manifest: Value, kind: Kind, place: &str, says: &str) {
    let error = read(&manifest).unwrap_err();
    assert_eq!((error.kind(), error.place().json.as_deref()), (kind, Some(place)), "{error}");
    assert!(error.message().contains(says), "{error}");
}

#[track_caller]
fn check_quantization(dtype: &str, quantization: Value, kind: Kind, place: &str, says: &str) {
    let weight = json!({"name": "w", "shape": [2], "dtype": dtype, "quantization": quantization});
    check_weight(weight, kind, place, says);
}

#[test]
fn everything_a_manifest_can_say() {
    let value = json!([
        {"paths": ["group1-shard1of2.bin", "./group1-shard2of2.bin"], "weights": [
            {"name": "a/kernel", "shape": [3, 64.0], "dtype": "float32",
             "quantization": {"dtype": "uint8", "min": -0.5, "scale": 0.25, "original_dtype": "float32"}},
            {"name": "a/bias", "shape": [64], "dtype": "float32",
             "quantization": {"dtype": "float16", "original_dtype": "float32"}},
            {"name": "count", "shape": [], "dtype": "int32", "quantization": null},
        ]},
        {"paths": ["o.bin"], "weights": [
            {"name": "iter", "shape": [], "dtype": "int32", "group": "optimizer"},
            {"name": "words", "shape": [0], "dtype": "string"},
        ]},
    ]);
    let manifest = read(&value).unwrap();
    let kernel = manifest.get("a/kernel").unwrap();
    assert_eq!(kernel.shape.dims(), [3, 64]);
    let expected = Quantization::Affine { stored: AffineStore::Uint8, scale: 0.25, min: -0.5 };
    assert_eq!((kernel.quantization, kernel.stored()), (Some(expected), DType::Uint8));
    assert_eq!(manifest.get("a/bias").unwrap().quantization, Some(Quantization::Float16));
    assert_eq!(manifest.get("count").unwrap().quantization, None);
    assert!(manifest.get("iter").unwrap().is_optimizer());
    assert_eq!(manifest.specs().map(|(g, i, _)| (g, i)).collect::<Vec<_>>(), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]);

    let written = manifest.to_value();
    assert_eq!(written[0]["weights"][0]["shape"], json!([3, 64]));
    assert_eq!(written[0]["weights"][0]["quantization"], value[0]["weights"][0]["quantization"]);
    assert_eq!(read(&written).unwrap(), manifest, "what is written reads back");
}

#[test]
fn every_plain_dtype() {
    for dtype in DType::ALL {
        let value = group(json!([{"name": "w", "shape": [1], "dtype": dtype.name()}]));
        assert_eq!(read(&value).unwrap().get("w").unwrap().dtype, dtype);
    }
}

#[test]
fn empty_manifests_and_groups() {
    assert!(read(&json!([])).unwrap().groups().is_empty());
    read(&json!([{"paths": [], "weights": []}])).unwrap();
    // Python writes no shard for a group without bytes.
    read(&json!([{"paths": [], "weights": [{"name": "e", "shape": [0, 4], "dtype": "float32"}]}])).unwrap();
}

#[test]
fn negative_size() {
    let weight = json!({"name": "w", "shape": [2, -1], "dtype": "float32"});
    check_weight(weight, Kind::Malformed, "weightsManifest[0].weights[0].shape[1]", "`-1`");
}

#[test]
fn sizes_that_are_no_counts() {
    for size in [json!(1.5), json!("3"), json!(null), json!(1e300), json!(-0.5), json!([1])] {
        let weight = json!({"name": "w", "shape": [size], "dtype": "float32"});
        check_weight(weight, Kind::Malformed, "weightsManifest[0].weights[0].shape[0]", "expected a size");
    }
}

#[test]
fn size_overflow() {
    let weight = json!({"name": "w", "shape": [4294967296u64, 4294967296u64], "dtype": "float32"});
    check_weight(weight, Kind::Limit, "weightsManifest[0].weights[0].shape", "more elements");
}

#[test]
fn too_many_dimensions() {
    let weight = json!({"name": "w", "shape": [1, 1, 1, 1, 1, 1, 1, 1, 1], "dtype": "float32"});
    check_weight(weight, Kind::Limit, "weightsManifest[0].weights[0].shape", "`rank`: allowed 8, asked 9");
}

#[test]
fn missing_or_mistyped_fields() {
    let at = "weightsManifest[0].weights[0]";
    check_weight(json!({"name": "w", "dtype": "float32"}), Kind::Malformed, at, "`shape`");
    check_weight(json!({"name": "w", "shape": []}), Kind::Malformed, at, "`dtype`");
    check_weight(json!({"shape": [], "dtype": "float32"}), Kind::Malformed, at, "`name`");
    check_weight(json!("w"), Kind::Malformed, at, "expected an object");
    let shape = "weightsManifest[0].weights[0].shape";
    check_weight(json!({"name": "w", "shape": 3, "dtype": "float32"}), Kind::Malformed, shape, "array of sizes");
    let group = "weightsManifest[0].weights[0].group";
    let weight = json!({"name": "w", "shape": [], "dtype": "float32", "group": 1});
    check_weight(weight, Kind::Malformed, group, "expected a string");
    check_manifest(json!({}), Kind::Malformed, "weightsManifest", "array of groups");
    check_manifest(json!([{"weights": []}]), Kind::Malformed, "weightsManifest[0]", "`paths`");
    check_manifest(json!([{"paths": []}]), Kind::Malformed, "weightsManifest[0]", "`weights`");
    check_manifest(json!([{"paths": {}, "weights": []}]), Kind::Malformed, "weightsManifest[0].paths", "file names");
    check_manifest(json!([{"paths": [7], "weights": []}]), Kind::Malformed, "weightsManifest[0].paths[0]", "`7`");
}

#[test]
fn unknown_dtype_says_what_to_do() {
    let at = "weightsManifest[0].weights[0].dtype";
    for (dtype, says) in [("float64", "`float32`"), ("int64", "`int32`"), ("object", "`complex64`")] {
        let weight = json!({"name": "w", "shape": [], "dtype": dtype});
        check_weight(weight, Kind::Unsupported, at, says);
    }
    check_weight(json!({"name": "w", "shape": [], "dtype": 4}), Kind::Malformed, at, "`4`");
}

#[test]
fn quantization_without_scale_or_min() {
    let at = "weightsManifest[0].weights[0].quantization";
    check_quantization("float32", json!({"dtype": "uint8", "min": 0}), Kind::Malformed, at, "`scale`");
    check_quantization("float32", json!({"dtype": "uint16", "scale": 1}), Kind::Malformed, at, "`min`");
    check_quantization("float32", json!({"scale": 1, "min": 0}), Kind::Malformed, at, "`dtype`");
}

#[test]
fn quantization_of_the_wrong_dtype() {
    let at = "weightsManifest[0].weights[0].quantization";
    check_quantization("int32", json!({"dtype": "float16"}), Kind::Malformed, at, "float32 only, found `int32`");
    for dtype in ["bool", "complex64", "string", "uint8"] {
        let affine = json!({"dtype": "uint8", "scale": 1, "min": 0});
        check_quantization(dtype, affine, Kind::Malformed, at, "float32 and int32");
    }
}

#[test]
fn unknown_quantization() {
    let at = "weightsManifest[0].weights[0].quantization.dtype";
    let int8 = json!({"dtype": "int8", "scale": 1, "min": 0});
    check_quantization("float32", int8, Kind::Unsupported, at, "`int8` is unknown");
}

#[test]
fn quantization_of_the_wrong_type() {
    let at = "weightsManifest[0].weights[0].quantization";
    check_quantization("float32", json!("uint8"), Kind::Malformed, at, "expected an object");
    let text = json!({"dtype": "uint8", "scale": "1", "min": 0});
    check_quantization("float32", text, Kind::Malformed, &format!("{at}.scale"), "expected a number");
}

#[test]
fn quantization_that_is_not_finite() {
    // JSON cannot express it, but a caller can.
    for (scale, min) in [(f64::NAN, 0.0), (f64::INFINITY, 0.0), (1.0, f64::NEG_INFINITY)] {
        let mut spec = WeightSpec::new("w", Shape::default(), DType::Float32);
        spec.quantization = Some(Quantization::Affine { stored: AffineStore::Uint8, scale, min });
        let groups = vec![WeightsGroup { paths: vec!["w.bin".into()], weights: vec![spec] }];
        let error = WeightsManifest::new(groups, &Limits::default()).unwrap_err();
        assert_eq!((error.kind(), error.place().weight.as_deref()), (Kind::Malformed, Some("w")));
    }
}

#[test]
fn names_may_repeat_as_in_nested_models_of_tensorflow_js() {
    let weight = json!({"name": "w", "shape": [], "dtype": "float32"});
    let manifest = read(&json!([{"paths": ["w.bin"], "weights": [weight, weight]}])).unwrap();
    assert_eq!(manifest.specs().filter(|(_, _, spec)| spec.name == "w").count(), 2);
}

#[test]
fn weights_without_files() {
    let weight = json!({"name": "w", "shape": [], "dtype": "float32"});
    let group = json!([{"paths": [], "weights": [weight]}]);
    check_manifest(group, Kind::Malformed, "weightsManifest[0]", "no file");
}

#[test]
fn bad_paths() {
    let at = "weightsManifest[0].paths[0]";
    check_manifest(json!([{"paths": ["a\0b"], "weights": []}]), Kind::Malformed, at, "NUL");
    check_manifest(json!([{"paths": [""], "weights": []}]), Kind::Malformed, at, "empty");
    check_manifest(json!([{"paths": ["x".repeat(1025)], "weights": []}]), Kind::Limit, at, "asked 1025");
}

#[test]
fn too_many_weights_and_files() {
    let limits = Limits { tensors: 1, files: 1, ..Limits::default() };
    let weight = |name: &str| json!({"name": name, "shape": [], "dtype": "float32"});
    let many = group(json!([weight("a"), weight("b")]));
    let error = WeightsManifest::from_value(&many, &limits).unwrap_err();
    assert_eq!(error.kind(), Kind::Limit);
    assert!(error.message().contains("`tensors`: allowed 1, asked 2"), "{error}");
    let files = json!([{"paths": ["a", "b"], "weights": []}]);
    let error = WeightsManifest::from_value(&files, &limits).unwrap_err();
    assert!(error.message().contains("`files`: allowed 1, asked 2"), "{error}");
}

#[test]
fn everything_wrong_is_reported_at_once() {
    let error = read(&group(json!([
        {"name": "a", "shape": [-1], "dtype": "float64"},
        {"name": "b", "shape": [1], "dtype": "float32", "quantization": {"dtype": "uint8"}},
    ])))
    .unwrap_err();
    let weights: Vec<_> = error.details().iter().map(|e| e.place().weight.as_deref().unwrap()).collect();
    assert_eq!(weights, ["a", "a", "b"], "{error}");
}

#[test]
fn hostile_names_do_not_flood_the_message() {
    let name = "n\n".repeat(100_000);
    let error = read(&group(json!([{"name": name, "shape": [-1], "dtype": "float32"}]))).unwrap_err();
    assert!(error.to_string().len() < 1000 && !error.to_string().contains('\n'));
}
