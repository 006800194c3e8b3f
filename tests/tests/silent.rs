//! The ways in which TensorFlow.js silently computes wrong results, and what happens here instead.
//!
//! | # | TensorFlow.js | here |
//! |---|---|---|
//! | 1 | `streamWeights` gives an untrained model | no such option: weights always stream, and all are loaded |
//! | 2 | a 404 or HTML page is decoded as weights | `a_page_or_a_missing_file_is_no_weights`; `tests/io` |
//! | 3 | an absent manifest gives random weights | `an_absent_manifest_is_an_error` |
//! | 4 | bytes left over, or shifted across groups | `bytes_left_over_...`, `groups_are_apart_...` |
//! | 5 | `strict: false` keeps random kernels | `without_strict_what_is_missing_is_zero_and_said` |
//! | 6 | unknown configuration keys are dropped | `a_key_nobody_knows_is_said`, `a_key_of_a_cell_...` |
//! | 7 | masks apply to later layers | `a_mask_does_not_leak_into_a_later_layer`; conformance `keras*/mask_*` |
//! | 8 | loading applies constraints | `constraints_do_not_change_weights`; conformance `*/dense_constraints` |
//! | 9 | any negative axis means the last | `a_negative_axis_counts_from_the_end`; `*/concatenate_axis_minus_*` |
//! | 10 | a fixed batch is not enforced | `a_fixed_batch_is_enforced_where_a_layer_needs_it` |
//! | 11 | `evaluate` drops regularization | this version has no `evaluate` |
//! | 12 | bilinear upsampling differs from Keras's | `bilinear_upsampling_has_the_phase_of_its_producer` |

use harness::small::{
    Small, alone, calls, check_error, check_refused, functional, input, keras2, layer, tfjs_layers, two_to_one,
};
use io_harness::fault_server::{FaultServer, Reply};
use serde_json::{Value, json};
use tfjs::{Input, Kind, LoadOptions, Producer};

#[track_caller]
fn check_predicts(model: &Small, values: &[f32], shape: &[usize], expected: &[f32]) {
    let model = model.load().expect("the model loads");
    let input = Input::new(values, shape).expect("the test's values fit");
    let output = model.predict(input).expect("it predicts").into_single().expect("one output");
    let output: Vec<f32> = output.flatten_all().and_then(|t| t.to_vec1()).expect("floats");
    assert_eq!(output.len(), expected.len(), "{output:?}");
    let close = output.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(close, "found {output:?}, expected {expected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_or_a_missing_file_is_no_weights() {
    let text = two_to_one().text();
    for (reply, says) in [
        (Reply::status("404 Not Found", &["Content-Type: text/html"], "<!DOCTYPE html><p>no"), "404"),
        (Reply::status("200 OK", &["Content-Type: text/html"], "<!DOCTYPE html>"), "HTML"),
    ] {
        let text = text.clone();
        let server =
            FaultServer::start(
                move |request| {
                    if request.target.ends_with("model.json") { Reply::ok(&text) } else { reply.clone() }
                },
            )
            .await;
        let result = tfjs::load_layers_model(server.url("/m/model.json"), LoadOptions::new()).await;
        check_error(result, Kind::Fetch, "/m/w.bin", says);
    }
}

#[test]
fn an_absent_manifest_is_an_error() {
    let mut model = two_to_one();
    model.json.as_object_mut().expect("an object").remove("weightsManifest");
    check_refused(&model, Kind::Mismatch, "model.json", "no `weightsManifest`, and the model has 2 weights");
}

/// The JSON that `io.withSaveHandler` receives, saved without the bytes of the weights.
#[test]
fn specs_without_a_place_of_their_bytes_are_an_error() {
    let mut model = two_to_one();
    model.json["weightSpecs"] = model.json["weightsManifest"][0]["weights"].take();
    model.json.as_object_mut().expect("an object").remove("weightsManifest");
    check_refused(&model, Kind::Mismatch, "weightSpecs", "if they are in a `weights.bin` beside this file");
    let untrained = model.load_with(LoadOptions::new().with_strict(false)).expect("it loads without `strict`");
    assert_eq!(untrained.report().warnings.len(), 2);
}

#[test]
fn weights_in_the_json_itself_are_read() {
    for data in [json!("AAAAQAAAQEAAAIA/"), json!([0, 0, 0, 64, 0, 0, 64, 64, 0, 0, 128, 63])] {
        let mut model = two_to_one();
        model.json["weightSpecs"] = model.json["weightsManifest"][0]["weights"].take();
        model.json["weightsManifest"] = json!(null);
        model.json["weightData"] = data;
        model.files.clear();
        check_predicts(&model, &[10.0, 100.0], &[1, 2], &[321.0]);
        model.json["weightData"] = json!([0, 0, 0, 64]);
        check_refused(&model, Kind::Mismatch, "weight data", "expected 12 bytes of weights");
    }
}

/// TensorFlow.js saves a model of two models whose layers have equal names, and cannot load it again.
#[test]
fn names_that_are_there_twice_are_taken_in_order() {
    let tower = |name: &str| {
        let dense = json!({"name": "d", "units": 1, "use_bias": false, "batch_input_shape": [null, 1]});
        json!({"class_name": "Sequential", "config": {"name": name, "layers": [{"class_name": "Dense", "config": dense}]}})
    };
    let model = Small::new(tfjs_layers("Sequential", &json!({"name": "m", "layers": [tower("a"), tower("b")]})));
    let model = model.weights(&[("d/kernel", &[1, 1], &[2.0]), ("d/kernel", &[1, 1], &[5.0])]);
    check_predicts(&model, &[1.0], &[1, 1], &[10.0]);
    let warnings = model.load().unwrap().report().warnings.join("\n");
    assert!(warnings.contains("`d/kernel` was taken for `b/d/kernel` by the order of the layers"), "{warnings}");
}

#[test]
fn a_manifest_without_the_weights_is_an_error() {
    let model = two_to_one().manifest(json!([]));
    check_refused(&model, Kind::Mismatch, "", "2 of 2 weights are missing");
    check_refused(&model, Kind::Mismatch, "layer `d`", "none of its weights: `kernel` [2,1], `bias` [1]");
}

#[test]
fn bytes_left_over_after_the_last_weight_are_an_error() {
    let mut model = two_to_one();
    model.files[0].1.extend([0; 4]);
    check_refused(&model, Kind::Mismatch, "w.bin", "16");
}

#[test]
fn bytes_missing_at_the_end_are_an_error() {
    let mut model = two_to_one();
    model.files[0].1.truncate(9);
    check_refused(&model, Kind::Mismatch, "w.bin", "end 3 bytes short");
}

#[test]
fn groups_are_apart_and_do_not_make_up_for_each_other() {
    // The total number of bytes is right, but not the number in each group.
    let spec = |name: &str, shape: Value| json!([{"name": name, "shape": shape, "dtype": "float32"}]);
    let model = two_to_one().manifest(json!([
        {"paths": ["a.bin"], "weights": spec("d/kernel", json!([2, 1]))},
        {"paths": ["b.bin"], "weights": spec("d/bias", json!([1]))},
    ]));
    let shifted = model.clone().file("a.bin", vec![0; 4]).file("b.bin", vec![0; 8]);
    check_refused(&shifted, Kind::Mismatch, "a.bin", "4");
    model.file("a.bin", vec![0; 8]).file("b.bin", vec![0; 4]).load().expect("the right cut loads");
}

#[test]
fn without_strict_what_is_missing_is_zero_and_said() {
    let mut model = two_to_one().weights(&[("d/kernel", &[2, 1], &[2.0, 3.0]), ("e/bias", &[1], &[9.0])]);
    model.files.remove(0);
    let loaded = model.load_with(LoadOptions::new().with_strict(false)).expect("it loads without `strict`");
    let warnings = loaded.report().warnings.join("\n");
    assert!(warnings.contains("`d/bias` is not in the file: filled with zeros"), "{warnings}");
    assert!(warnings.contains("`e/bias` of the file has no place"), "{warnings}");
    assert_eq!(loaded.report().unused, ["e/bias"]);
    let output = loaded.predict(Input::new([1.0, 1.0], [1, 2]).unwrap()).unwrap().into_single().unwrap();
    assert_eq!(output.to_vec2::<f32>().unwrap(), [[5.0]]);
    check_refused(&model, Kind::Mismatch, "e/bias", "no place for it");
}

#[test]
fn a_key_nobody_knows_is_said() {
    let model = alone("ReLU", json!({"negative_slop": 0.5}), &json!([null, 2])).load().expect("it loads");
    let warnings = model.report().warnings.join("\n");
    assert!(warnings.contains("`l`") && warnings.contains("`negative_slop`"), "{warnings}");
}

#[test]
fn a_key_of_a_cell_or_an_operation_that_nobody_knows_is_said() {
    let cell = json!({"class_name": "SimpleRNNCell", "config": {"units": 2, "use_bias": false, "peephole": true}});
    let operation = json!({"name": "tf.math.add", "function": "math.add"});
    let layers = json!([
        input("x", &json!([null, 2, 1])),
        layer("RNN", "r", &json!({"cell": cell}), &["x"]),
        calls("TFOpLambda", "o", &operation, &json!([["r", 0, 0, {"y": 1.0, "carry": true}]])),
    ]);
    let names = [("r/simple_rnn_cell/kernel", &[1, 2][..]), ("r/simple_rnn_cell/recurrent_kernel", &[2, 2])];
    let model = Small::new(functional(&layers, &["x"], &["o"])).filled(0.0, &names).load().expect("it loads");
    let expected = [
        "layer `r` (RNN): configuration without a known meaning: `peephole`",
        "operation `o` (TFOpLambda): argument without a known meaning: `carry`",
    ];
    assert_eq!(model.report().warnings, expected);
}

#[test]
fn keys_the_original_drops_compute() {
    let relu = alone("ReLU", json!({"negative_slope": 0.5, "threshold": 1.0}), &json!([null, 3]));
    check_predicts(&relu, &[-1.0, 0.5, 2.0], &[1, 3], &[-1.0, -0.25, 2.0]);
    let pool = alone("GlobalMaxPooling2D", json!({"keepdims": true}), &json!([null, 2, 1, 1])).load().unwrap();
    assert_eq!(pool.outputs().next().unwrap().shape.to_string(), "[?,1,1,1]");
    // Two groups with one channel each; without `groups` the kernel would have another shape.
    let config = json!({"filters": 2, "kernel_size": 1, "groups": 2, "use_bias": false});
    let conv = alone("Conv2D", config, &json!([null, 1, 1, 2])).weights(&[("l/kernel", &[1, 1, 1, 2], &[3.0, 5.0])]);
    check_predicts(&conv, &[1.0, 10.0], &[1, 1, 1, 2], &[3.0, 50.0]);
    // A dilated depthwise kernel reads every other row.
    let config = json!({"kernel_size": [2, 1], "dilation_rate": 2, "use_bias": false});
    let depthwise = alone("DepthwiseConv2D", config, &json!([null, 3, 1, 1]));
    let depthwise = depthwise.weights(&[("l/depthwise_kernel", &[2, 1, 1, 1], &[1.0, 1.0])]);
    check_predicts(&depthwise, &[1.0, 10.0, 100.0], &[1, 3, 1, 1], &[101.0]);
}

#[test]
fn a_backward_layer_of_its_own_is_used() {
    let cell = |name: &str, back: bool| {
        json!({"class_name": "SimpleRNN", "config": {"name": name, "units": 1, "activation": "linear",
               "use_bias": false, "go_backwards": back}})
    };
    let config = json!({"layer": cell("a", false), "backward_layer": cell("b", true), "merge_mode": "concat"});
    let names = [
        "forward_a/simple_rnn_cell/kernel",
        "forward_a/simple_rnn_cell/recurrent_kernel",
        "backward_b/simple_rnn_cell/kernel",
        "backward_b/simple_rnn_cell/recurrent_kernel",
    ];
    let names: Vec<String> = names.iter().map(|name| format!("l/{name}")).collect();
    let values = [2.0f32, 1.0, 5.0, 0.0];
    let weights: Vec<(&str, &[usize], &[f32])> =
        names.iter().zip(&values).map(|(n, v)| (n.as_str(), &[1usize, 1][..], std::slice::from_ref(v))).collect();
    let model = alone("Bidirectional", config, &json!([null, 2, 1])).weights(&weights);
    check_predicts(&model, &[1.0, 3.0], &[1, 2, 1], &[8.0, 5.0]);
}

#[test]
fn a_mask_does_not_leak_into_a_later_layer() {
    // The state [c, c] has no mask; TensorFlow.js multiplies Softmax's input with that of the sequence.
    let rnn = json!({"units": 2, "activation": "linear", "use_bias": false});
    let layers = json!([
        input("x", &json!([null, 2])),
        layer("Embedding", "e", &json!({"input_dim": 3, "output_dim": 1, "mask_zero": true}), &["x"]),
        layer("SimpleRNN", "r", &rnn, &["e"]),
        layer("Softmax", "s", &json!({"axis": -1}), &["r"]),
    ]);
    let model = Small::new(functional(&layers, &["x"], &["s"]))
        .filled(1.0, &[("e/embeddings", &[3, 1]), ("r/kernel", &[1, 2]), ("r/recurrent_kernel", &[2, 2])]);
    check_predicts(&model, &[1.0, 0.0], &[1, 2], &[0.5, 0.5]);
}

#[test]
fn constraints_do_not_change_weights() {
    let mut model = two_to_one();
    let config = &mut model.json["modelTopology"]["model_config"]["config"]["layers"][0]["config"];
    config["kernel_constraint"] = json!({"class_name": "NonNeg", "config": {}});
    let model = Small { files: Vec::new(), ..model };
    let model = model.weights(&[("d/kernel", &[2, 1], &[-1.0, 3.0]), ("d/bias", &[1], &[0.0])]);
    check_predicts(&model, &[1.0, 0.0], &[1, 2], &[-1.0]);
}

#[test]
fn a_negative_axis_counts_from_the_end() {
    for (axis, shape) in [(-1, "[?,2,6]"), (-2, "[?,4,3]"), (1, "[?,4,3]")] {
        let shapes = json!([null, 2, 3]);
        let layers = json!([
            input("a", &shapes),
            input("b", &shapes),
            layer("Concatenate", "c", &json!({"axis": axis}), &["a", "b"]),
        ]);
        let model = Small::new(functional(&layers, &["a", "b"], &["c"])).manifest(json!([])).load().unwrap();
        assert_eq!(model.outputs().next().unwrap().shape.to_string(), shape, "axis {axis}");
    }
}

#[test]
fn a_fixed_batch_is_enforced_where_a_layer_needs_it() {
    let any = alone("ReLU", json!({}), &json!([4, 2]));
    check_predicts(&any, &[1.0, -1.0, 3.0, -2.0, 0.0, 5.0], &[3, 2], &[1.0, 0.0, 3.0, 0.0, 0.0, 5.0]);
    // A state has an entry for each example: larger inputs are split into batches, a partial batch is an error.
    let config = json!({"units": 1, "stateful": true, "activation": "linear", "use_bias": false});
    let stateful = alone("SimpleRNN", config, &json!([2, 1, 1]));
    let stateful =
        stateful.filled(1.0, &[("l/simple_rnn_cell/kernel", &[1, 1]), ("l/simple_rnn_cell/recurrent_kernel", &[1, 1])]);
    check_predicts(&stateful, &[1.0, 2.0, 3.0, 4.0], &[4, 1, 1], &[1.0, 2.0, 4.0, 6.0]);
    let result = stateful.load().unwrap().predict(Input::new([0.0; 3], [3, 1, 1]).unwrap());
    check_error(result, Kind::Mismatch, "l_input", "a stateful layer needs whole batches of 2: pad the last one");
    // A batch size fixed by the caller is enforced.
    let fixed = any.load_with(LoadOptions::new().with_input_shape("l_input", [Some(4), Some(2)])).unwrap();
    let result = fixed.predict(Input::new([0.0; 6], [3, 2]).unwrap());
    check_error(result, Kind::Mismatch, "l_input", "expected shape [4,2], found [3,2]");
}

#[test]
fn bilinear_upsampling_has_the_phase_of_its_producer() {
    let config =
        json!({"name": "u", "size": [2, 2], "interpolation": "bilinear", "batch_input_shape": [null, 2, 2, 1]});
    let config = json!({"name": "m", "layers": [{"class_name": "UpSampling2D", "config": config}]});
    // First rows of the outputs of tf.keras 2.15 and of TensorFlow.js 4.22.
    for (topology, family, row) in [
        (keras2("Sequential", &config), "keras2", [1.0, 1.25, 1.75, 2.0]),
        (tfjs_layers("Sequential", &config), "tfjs", [1.0, 1.5, 2.0, 2.0]),
    ] {
        let model = Small::new(topology).manifest(json!([])).load().unwrap();
        let family = Producer::from_name(family).unwrap().family;
        assert_eq!(model.report().producer.as_ref().unwrap().family, family);
        let output = model.predict(Input::new([1.0, 2.0, 3.0, 4.0], [1, 2, 2, 1]).unwrap()).unwrap();
        let output: Vec<f32> = output.into_single().unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(output[..4], row, "{family:?}");
    }
}

#[test]
fn an_input_shape_the_file_does_not_say_is_asked_for() {
    let dense = json!({"class_name": "Dense", "config": {"name": "d", "units": 1}});
    let mut model = two_to_one();
    model.json["modelTopology"]["model_config"]["config"]["layers"] = json!([dense]);
    check_refused(&model, Kind::Unsupported, "d_input", "does not say the input's shape");
    model.load_with(LoadOptions::new().with_input_shape("d_input", [None, Some(2)])).expect("it is said now");
}
