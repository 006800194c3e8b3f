//! Errors for wrong files of a model: other formats, false manifests, unusual weights.

use harness::small::{Small, alone, check_refused, load_files, two_to_one};
use serde_json::{Value, json};
use tfjs::parts::io::MemoryFiles;
use tfjs::{Error, Input, Kind, LoadOptions};

/// A `model.json` of these bytes.
#[track_caller]
fn check_text(text: &[u8], kind: Kind, says: &str) -> Error {
    let result = load_files(MemoryFiles::new().with("model.json", text.to_vec()), LoadOptions::new());
    harness::small::check_error(result, kind, "model.json", says)
}

#[test]
fn other_formats_are_named() {
    check_text(b"\x89HDF\r\n\x1a\n\0\0\0\0", Kind::Malformed, "an HDF5 file");
    check_text(b"PK\x03\x04\x14\0\0\0", Kind::Malformed, "a zip archive");
    check_text(b"<!doctype html><title>404</title>", Kind::Malformed, "an HTML page");
    check_text(b"", Kind::Malformed, "empty");
    check_text(b"\0\0\0\0\0\0\0\0", Kind::Malformed, "");
    check_text(b"{\"a\": 1", Kind::Malformed, "");
    check_text(b"nonsense", Kind::Malformed, "");
    check_text("{\"a\": \"\u{fffd}\"".replace('\u{fffd}', "").as_bytes(), Kind::Malformed, "");
}

#[test]
fn graph_models_and_weights_without_a_model_are_named() {
    let graph = json!({"format": "graph-model", "modelTopology": {"node": [], "versions": {}}, "weightsManifest": []});
    check_text(graph.to_string().as_bytes(), Kind::Unsupported, "graph");
    let weights = json!({"modelTopology": null, "weightsManifest": [{"paths": ["w.bin"], "weights": []}]});
    check_text(weights.to_string().as_bytes(), Kind::Malformed, "");
    check_text(b"[{\"paths\": [\"w.bin\"], \"weights\": []}]", Kind::Malformed, "a weights manifest by itself");
    for text in ["{}", "3", "null", "\"x\"", "[]", "{\"modelTopology\": 3}", "{\"modelTopology\": {}}"] {
        check_text(text.as_bytes(), Kind::Malformed, "");
    }
}

#[test]
fn a_duplicate_key_is_an_error_where_the_original_takes_the_last() {
    let text = br#"{"modelTopology": {"class_name": "Sequential", "class_name": "Functional", "config": []}}"#;
    let error = check_text(text, Kind::Malformed, "duplicate key");
    assert_eq!(error.place().json.as_deref(), Some("modelTopology.class_name"));
}

/// `two_to_one` with changes in the manifest's entry of the kernel.
#[track_caller]
fn check_kernel(change: impl Fn(&mut Value), kind: Kind, place: &str, says: &str) {
    let mut model = two_to_one();
    change(&mut model.json["weightsManifest"][0]["weights"][0]);
    check_refused(&model, kind, place, says);
}

#[test]
fn quantization_lies() {
    let quantized = |q: Value| move |w: &mut Value| w["quantization"] = q.clone();
    let at = "weights[0]";
    check_kernel(quantized(json!({"dtype": "uint8"})), Kind::Malformed, at, "scale");
    check_kernel(quantized(json!({"dtype": "uint8", "scale": 1.0})), Kind::Malformed, at, "min");
    check_kernel(
        quantized(json!({"dtype": "uint8", "min": 0, "scale": "NaN"})),
        Kind::Malformed,
        "quantization.scale",
        "NaN",
    );
    check_kernel(quantized(json!({"dtype": "uint8", "min": null, "scale": 1})), Kind::Malformed, at, "");
    check_kernel(quantized(json!({"dtype": "int4", "min": 0, "scale": 1})), Kind::Unsupported, at, "int4");
    check_kernel(quantized(json!(7)), Kind::Malformed, at, "");
    // The manifest expects a quarter of the bytes that the file has.
    check_kernel(quantized(json!({"dtype": "uint8", "min": 0, "scale": 1})), Kind::Mismatch, "w.bin", "12");
    let mut int = two_to_one();
    int.json["weightsManifest"][0]["weights"][0]["dtype"] = json!("int32");
    int.json["weightsManifest"][0]["weights"][0]["quantization"] = json!({"dtype": "float16"});
    check_refused(&int, Kind::Malformed, at, "float16");
}

#[test]
fn a_number_that_is_none_in_json_is_explained() {
    let text = String::from_utf8(two_to_one().text()).unwrap().replacen("float32\"", "float32\",\"x\":NaN", 1);
    check_text(text.as_bytes(), Kind::Malformed, "NaN");
}

#[test]
fn dtypes_that_are_none_or_not_the_layers() {
    check_kernel(|w| w["dtype"] = json!("float8"), Kind::Unsupported, "weights[0]", "float8");
    check_kernel(|w| w["dtype"] = json!(3), Kind::Malformed, "weights[0]", "");
    check_kernel(|w| w["dtype"] = json!("int32"), Kind::Mismatch, "weight `d/kernel`", "dtype");
    check_kernel(|w| w["dtype"] = json!("bool"), Kind::Mismatch, "weight `d/kernel`", "dtype");
    check_kernel(|w| w["dtype"] = json!("string"), Kind::Mismatch, "weight `d/kernel`", "dtype");
    check_kernel(|w| w["dtype"] = json!("complex64"), Kind::Mismatch, "weight `d/kernel`", "dtype");
}

#[test]
fn shapes_that_are_not_the_layers() {
    check_kernel(
        |w| w["shape"] = json!([1, 2]),
        Kind::Mismatch,
        "weight `d/kernel`",
        "needs shape [2,1], the file has [1,2]",
    );
    check_kernel(
        |w| w["shape"] = json!([2]),
        Kind::Mismatch,
        "weight `d/kernel`",
        "needs shape [2,1], the file has [2]",
    );
    check_kernel(|w| w["shape"] = json!([-2, -1]), Kind::Malformed, "weights[0]", "-2");
    check_kernel(|w| w["shape"] = json!([1u64 << 40, 1u64 << 40]), Kind::Limit, "weights[0]", "");
    check_kernel(|w| w["shape"] = json!("2"), Kind::Malformed, "weights[0]", "");
    check_kernel(|w| w["shape"] = json!(vec![1; 9]), Kind::Limit, "weights[0]", "rank");
}

#[test]
fn names_that_are_not_the_models_come_with_a_suggestion() {
    check_kernel(
        |w| w["name"] = json!("d/kernal"),
        Kind::Mismatch,
        "d/kernel",
        "the nearest left over is `d/kernal` [2,1]",
    );
    check_kernel(|w| w["name"] = json!("d/bias"), Kind::Mismatch, "weight `d/bias`", "is 2 times in the file");
    check_kernel(|w| w["name"] = json!(null), Kind::Malformed, "weights[0]", "name");
}

#[test]
fn missing_truncated_and_oversized_files() {
    let mut model = two_to_one();
    model.files.clear();
    check_refused(&model, Kind::Fetch, "w.bin", "no such file in memory");
    let mut model = two_to_one();
    model.files[0].1.pop();
    check_refused(&model, Kind::Mismatch, "w.bin", "end 1 bytes short");
    let mut model = two_to_one();
    model.files[0].1.push(0);
    check_refused(&model, Kind::Mismatch, "w.bin", "13");
    let mut model = two_to_one();
    model.files[0].1.clear();
    check_refused(&model, Kind::Mismatch, "w.bin", "0");
}

#[test]
fn paths_out_of_the_folder_are_refused_whatever_holds_the_files() {
    for path in [
        "../w.bin",
        "/etc/passwd",
        "a/../../w.bin",
        "http://h/w.bin",
        "//h/w.bin",
        "C:\\w.bin",
        "..\\w.bin",
        "%2e%2e/w.bin",
    ] {
        let mut model = two_to_one();
        model.json["weightsManifest"][0]["paths"] = json!([path]);
        let model = model.file(path, vec![0; 12]);
        check_refused(&model, Kind::Malformed, "weightsManifest[0].paths[0]", "");
    }
}

/// No supported layer has a string weight, so an additional string tensor is used to check that its lengths are not
/// trusted.
#[test]
fn string_lengths_that_lie() {
    let strings = |bytes: &[u8], shape: Value| {
        let mut model = two_to_one();
        let group = json!({"paths": ["s.bin"], "weights": [{"name": "s", "shape": shape, "dtype": "string"}]});
        model.json["weightsManifest"].as_array_mut().unwrap().push(group);
        model.file("s.bin", bytes.to_vec())
    };
    let lax = |model: &Small| model.load_with(LoadOptions::new().with_strict(false));
    lax(&strings(b"\x02\0\0\0ab", json!([1]))).expect("one string of two bytes");
    for (bytes, shape) in [
        (&b"\xff\xff\xff\xffab"[..], json!([1])),
        (b"\x03\0\0\0ab", json!([1])),
        (b"\x02\0\0", json!([1])),
        (b"\x02\0\0\0ab", json!([2])),
        (b"\x02\0\0\0abcd", json!([1])),
        (b"", json!([1])),
        (b"\x02\0\0\0ab", json!([1_000_000_000])),
    ] {
        let error = lax(&strings(bytes, shape.clone())).expect_err("a length that lies");
        assert!(matches!(error.kind(), Kind::Malformed | Kind::Mismatch | Kind::Limit), "{bytes:?} {shape}: {error}");
    }
}

#[test]
fn weights_that_are_no_numbers_are_legal() {
    let model = Small { files: Vec::new(), ..two_to_one() };
    let model = model.weights(&[("d/kernel", &[2, 1], &[f32::NAN, 0.0]), ("d/bias", &[1], &[f32::INFINITY])]);
    let output = model.load().unwrap().predict(Input::new([1.0, 1.0], [1, 2]).unwrap()).unwrap();
    assert!(output.into_single().unwrap().to_vec2::<f32>().unwrap()[0][0].is_nan());
}

#[test]
fn an_index_outside_the_table() {
    let model = alone("Embedding", json!({"input_dim": 3, "output_dim": 2}), &json!([null, 2]));
    let model = model.filled(0.5, &[("l/embeddings", &[3, 2])]).load().unwrap();
    for (ids, named) in [([0.0, 3.0], "`3`"), ([-1.0, 0.0], "`-1`"), ([2e9, 0.0], "`2000000000`")] {
        let result = model.predict(Input::new(ids, [1, 2]).unwrap());
        harness::small::check_error(result, Kind::Mismatch, "layer `l`", named);
    }
}
