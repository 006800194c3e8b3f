//! Models that split texts, whose number of tokens is known only when predicting.

use harness::small::{Small, check_error, functional, input, layer};
use serde_json::{Value, json};
use tfjs::{Engine, Input, Kind, LayersModel, Limits, LoadOptions, PredictOptions};

const TEXTS: [&str; 2] = ["The cat, the dog", "a CAT"];

fn texts() -> Input {
    Input::strings(TEXTS, [2, 1]).expect("two texts")
}

/// A model of an input of texts and `TextVectorization` with these keys.
fn small(keys: &Value) -> Small {
    let mut text = input("text", &json!([null, 1]));
    text["config"]["dtype"] = json!("string");
    let mut config = json!({"vocabulary": ["the", "cat", "dog"]});
    config.as_object_mut().expect("an object").extend(keys.as_object().expect("an object").clone());
    let layers = json!([text, layer("TextVectorization", "y", &config, &["text"])]);
    Small::new(functional(&layers, &["text"], &["y"])).manifest(json!([]))
}

fn predicted(model: &LayersModel, options: &PredictOptions) -> tfjs::Result<(Vec<usize>, Vec<f32>)> {
    let tensor = model.predict_with(texts(), options)?.into_single()?;
    let floats = tensor.to_dtype(tfjs::DType::F32).and_then(|t| t.flatten_all()).and_then(|t| t.to_vec1());
    Ok((tensor.dims().to_vec(), floats.expect("numbers")))
}

#[test]
fn rows_are_as_long_as_the_longest_text() {
    let model = small(&json!({})).load().expect("a good model");
    for engine in [Engine::Native, Engine::Candle] {
        let found = predicted(&model, &PredictOptions::default().with_engine(engine)).expect("two texts");
        assert_eq!(found, (vec![2, 4], vec![2.0, 3.0, 2.0, 4.0, 1.0, 3.0, 0.0, 0.0]));
    }
    // The longest text differs between the batches.
    let one_by_one = PredictOptions::default().with_batch_size(1);
    let says = "batches give outputs of shapes [1, 4] and [1, 2], which do not join; predict all examples at once";
    check_error(predicted(&model, &one_by_one), Kind::Mismatch, "", says);
}

#[test]
fn rows_of_counts_join() {
    let model = small(&json!({"output_mode": "count", "ngrams": 2})).load().expect("a good model");
    let one_by_one = PredictOptions::default().with_batch_size(1);
    let found = predicted(&model, &one_by_one).expect("two texts");
    assert_eq!(found, (vec![2, 4], vec![3.0, 2.0, 1.0, 1.0, 2.0, 0.0, 1.0, 0.0]));
}

#[test]
fn a_length_of_the_file_is_paid_for() {
    let mut limits = Limits::default();
    limits.activation_bytes = 1 << 20;
    let options = || LoadOptions::new().with_limits(limits.clone());
    let model = small(&json!({"output_sequence_length": 1u64 << 20})).load_with(options()).expect("a legal model");
    check_error(predicted(&model, &PredictOptions::default()), Kind::Limit, "", "activation bytes (tokens of text)");
    let wide = small(&json!({"split": "character", "ngrams": 1u64 << 40})).load_with(options()).expect("a legal model");
    let long = Input::strings(["x".repeat(1000)], [1, 1]).expect("a text");
    check_error(wide.predict(long), Kind::Limit, "", "activation bytes (tokens of text)");
}

#[test]
fn text_behind_another_layer_is_not_split() {
    let mut text = input("text", &json!([null, 2]));
    text["config"]["dtype"] = json!("string");
    let layers = json!([
        text,
        layer("Reshape", "r", &json!({"target_shape": [2, 1]}), &["text"]),
        layer("TextVectorization", "y", &json!({"vocabulary": ["a"]}), &["r"]),
    ]);
    let model = Small::new(functional(&layers, &["text"], &["y"])).manifest(json!([]));
    let says = "text is split where it is an input of the model only, not behind another layer";
    check_error(model.load(), Kind::Unsupported, "y", says);
}

#[test]
fn rows_of_different_lengths_go_where_they_can() {
    let mut text = input("text", &json!([null, 1]));
    text["config"]["dtype"] = json!("string");
    let model = |behind: Value| {
        let words = layer("TextVectorization", "y", &json!({"vocabulary": ["a"], "ragged": true}), &["text"]);
        let layers = [vec![text.clone(), words], behind.as_array().expect("layers").clone()].concat();
        let last = layers.last().expect("a layer")["name"].as_str().expect("a name").to_owned();
        Small::new(functional(&layers.into(), &["text"], &[&last])).manifest(json!([])).load()
    };
    let says = "rows of different lengths, of a `TextVectorization` with `ragged`, are not supported here";
    check_error(model(json!([])), Kind::Unsupported, "y", says);
    check_error(model(json!([layer("Flatten", "f", &json!({}), &["y"])])), Kind::Unsupported, "f", says);
}
