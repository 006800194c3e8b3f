//! Small files that would take very long to load or to predict.

use super::budgets::{as_root, called_often};
use harness::small::{Small, functional, input, sequential};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tfjs::{Engine, Input, Kind, Limits, LoadOptions, PredictOptions};

/// A model of these layers with an open batch, with these weights.
fn small(layers: &Value, dims: &[usize], weights: &[(&str, &[usize])]) -> Small {
    let mut layers = layers.clone();
    let open: Vec<Value> = std::iter::once(json!(null)).chain(dims[1..].iter().map(|&n| json!(n))).collect();
    layers[0]["config"]["batch_input_shape"] = json!(open);
    let model = Small::new(sequential(&layers)).manifest(json!([]));
    if weights.is_empty() { model } else { model.filled(0.5, weights) }
}

/// A prediction that both engines refuse before it begins, because of the limit of arithmetic.
#[track_caller]
fn check_work(layers: &Value, dims: &[usize], weights: &[(&str, &[usize])]) {
    let model = small(layers, dims, weights).load().expect("nothing is wrong with it before it predicts");
    for engine in [Engine::Native, Engine::Candle] {
        let input = Input::new(vec![1.0; dims.iter().product()], dims).unwrap();
        let options = PredictOptions::default().with_engine(engine);
        let error = model.predict_with(input, &options).expect_err("it would take hours");
        assert_eq!(error.kind(), Kind::Limit, "{error}");
        assert!(error.to_string().contains("`work "), "{error}");
    }
}

#[test]
fn a_pool_as_large_as_its_picture() {
    let pool = json!({"class_name": "AveragePooling2D",
        "config": {"name": "p", "pool_size": [2048, 2048], "strides": [1, 1], "padding": "same"}});
    let up = json!({"class_name": "UpSampling2D", "config": {"name": "u", "size": [2048, 2048]}});
    check_work(&json!([up, pool]), &[1, 1, 1, 1], &[]);
}

#[test]
fn a_kernel_as_large_as_its_picture() {
    let conv = json!({"class_name": "Conv2D",
        "config": {"name": "c", "filters": 1, "kernel_size": [500, 500], "padding": "same", "use_bias": false}});
    let up = json!({"class_name": "UpSampling2D", "config": {"name": "u", "size": [1000, 1000]}});
    check_work(&json!([up, conv]), &[1, 1, 1, 1], &[("c/kernel", &[500, 500, 1, 1])]);
}

#[test]
fn a_sequence_without_end() {
    let repeat = json!({"class_name": "RepeatVector", "config": {"name": "r", "n": 60_000_000}});
    let rnn = json!({"class_name": "SimpleRNN", "config": {"name": "s", "units": 1}});
    let weights: [(&str, &[usize]); 3] = [
        ("s/simple_rnn_cell/kernel", &[1, 1]),
        ("s/simple_rnn_cell/recurrent_kernel", &[1, 1]),
        ("s/simple_rnn_cell/bias", &[1]),
    ];
    check_work(&json!([repeat, rnn]), &[1, 1], &weights);
}

#[test]
fn keyword_arguments_by_the_hundred_thousand() {
    let keywords: Value = (0..100_000).map(|i| (format!("k{i:x}"), json!(0))).collect();
    let flatten = json!({"class_name": "Flatten", "name": "f", "config": {"name": "f"},
        "inbound_nodes": [[["x", 0, 0, keywords]]]});
    let layers = json!([input("x", &json!([null, 2])), flatten]);
    Small::new(functional(&layers, &["x"], &["f"])).manifest(json!([])).load().expect("it is merely long");
}

#[test]
fn layers_that_nobody_calls_are_ordered_once() {
    let shape = json!([null, 1]);
    let mut layers = vec![input("x", &shape)];
    layers.extend((0..8000).map(|i| input(&format!("i{i}"), &shape)));
    layers.push(json!({"class_name": "Flatten", "name": "f", "config": {"name": "f"},
        "inbound_nodes": [[["x", 0, 0, {}]]]}));
    let mut model = json!({"class_name": "Functional", "config": {"name": "m", "layers": layers,
        "input_layers": [["x", 0, 0]], "output_layers": [["f", 0, 0]]}});
    for _ in 0..2 {
        model = called_often("m", &shape, model, 100);
    }
    as_root(&model).load().expect("ten thousand calls of a small model");
}

#[test]
fn nan_is_no_row_of_a_table() {
    let model = harness::small::alone("Embedding", json!({"input_dim": 3, "output_dim": 1}), &json!([null, 2]));
    let model = model.filled(1.0, &[("l/embeddings", &[3, 1])]).load().unwrap();
    for engine in [Engine::Native, Engine::Candle] {
        let options = PredictOptions::default().with_engine(engine);
        let input = Input::new(vec![f32::NAN, 0.0], [1, 2]).unwrap();
        let error = model.predict_with(input, &options).expect_err("NaN is no index");
        assert_eq!(error.kind(), Kind::Mismatch, "{error}");
        model.predict_with(Input::new(vec![1.0, 0.0], [1, 2]).unwrap(), &options).expect("these are");
    }
}

/// A prediction that would take minutes ends soon after its deadline, and the model can be used again.
#[track_caller]
fn check_deadline(engines: &[Engine], layers: &Value, dims: &[usize], weights: &[(&str, &[usize])]) {
    let options = LoadOptions::new().with_limits(Limits::unlimited());
    let model = small(layers, dims, weights).load_with(options).unwrap();
    for &engine in engines.iter().chain(engines) {
        let input = Input::new(vec![1.0; dims.iter().product()], dims).unwrap();
        let start = Instant::now();
        let options = PredictOptions::default().with_engine(engine);
        let options = options.with_deadline(start + Duration::from_millis(200));
        let error = model.predict_with(input, &options).expect_err("it would take minutes");
        assert_eq!(error.kind(), Kind::Limit, "{error}");
        assert!(error.to_string().contains("deadline"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(30), "it ended after {:?}", start.elapsed());
    }
}

const BOTH: [Engine; 2] = [Engine::Native, Engine::Candle];

#[test]
fn a_deadline_ends_a_pool() {
    let pool = json!({"class_name": "AveragePooling2D",
        "config": {"name": "p", "pool_size": [2048, 2048], "strides": [1, 1], "padding": "same"}});
    let up = json!({"class_name": "UpSampling2D", "config": {"name": "u", "size": [2048, 2048]}});
    check_deadline(&BOTH, &json!([up, pool]), &[1, 1, 1, 1], &[]);
}

#[test]
fn a_deadline_ends_a_convolution() {
    let conv = json!({"class_name": "Conv2D",
        "config": {"name": "c", "filters": 1, "kernel_size": [500, 500], "padding": "same", "use_bias": false}});
    let up = json!({"class_name": "UpSampling2D", "config": {"name": "u", "size": [2000, 2000]}});
    check_deadline(&[Engine::Native], &json!([up, conv]), &[1, 1, 1, 1], &[("c/kernel", &[500, 500, 1, 1])]);
}

#[test]
fn a_deadline_ends_a_sequence() {
    let repeat = json!({"class_name": "RepeatVector", "config": {"name": "r", "n": 20_000_000}});
    let rnn = json!({"class_name": "SimpleRNN", "config": {"name": "s", "units": 1}});
    let weights: [(&str, &[usize]); 3] = [
        ("s/simple_rnn_cell/kernel", &[1, 1]),
        ("s/simple_rnn_cell/recurrent_kernel", &[1, 1]),
        ("s/simple_rnn_cell/bias", &[1]),
    ];
    check_deadline(&BOTH, &json!([repeat, rnn]), &[1, 1], &weights);
}

/// One row of windows is one job of a thread.
#[test]
fn a_deadline_ends_a_row_of_windows() {
    let up = json!({"class_name": "UpSampling1D", "config": {"name": "u", "size": 1 << 20}});
    let conv = json!({"class_name": "Conv1D",
        "config": {"name": "c", "filters": 1, "kernel_size": [1 << 18], "padding": "same", "use_bias": false}});
    check_deadline(&[Engine::Native], &json!([up, conv]), &[1, 1, 1], &[("c/kernel", &[1 << 18, 1, 1])]);
}

/// Volumes in groups run in the interpreter.
#[test]
fn a_deadline_ends_a_node_of_the_interpreter() {
    let up = json!({"class_name": "UpSampling3D", "config": {"name": "u", "size": [48, 48, 48]}});
    let conv = json!({"class_name": "Conv3D", "config": {"name": "c", "filters": 2, "groups": 2, "padding": "same",
        "kernel_size": [23, 23, 23], "use_bias": false}});
    let weights: [(&str, &[usize]); 1] = [("c/kernel", &[23, 23, 23, 1, 2])];
    check_deadline(&[Engine::Native], &json!([up, conv]), &[1, 1, 1, 1, 2], &weights);
}
