//! Invalid graphs: cycles, references to missing layers, unknown classes, entries that are not layers.

use harness::small::{Small, alone, calls, check_refused, functional, input, keras2, layer, sequential};
use serde_json::{Value, json};
use tfjs::Kind;

/// An input `x` of two numbers and these layers; the output is `y`.
#[track_caller]
fn check_layers(layers: &[Value], kind: Kind, place: &str, says: &str) {
    let all: Vec<Value> = std::iter::once(input("x", &json!([null, 2]))).chain(layers.iter().cloned()).collect();
    let model = Small::new(functional(&json!(all), &["x"], &["y"])).manifest(json!([]));
    check_refused(&model, kind, place, says);
}

fn relu(name: &str, from: &[&str]) -> Value {
    layer("ReLU", name, &json!({}), from)
}

#[test]
fn a_cycle_is_named() {
    let add = layer("Add", "a", &json!({}), &["x", "b"]);
    check_layers(&[add, relu("b", &["a"]), relu("y", &["x"])], Kind::Malformed, "model.json", "`a`, `b` wait for each");
}

#[test]
fn a_layer_that_takes_its_own_output_is_a_cycle() {
    check_layers(&[relu("y", &["y"])], Kind::Malformed, "model.json", "the graph has a cycle");
}

#[test]
fn a_layer_that_is_not_there_is_named_with_a_suggestion() {
    let layers = [relu("conv1", &["x"]), relu("y", &["conv2"])];
    check_layers(
        &layers,
        Kind::Malformed,
        "layer `y`",
        "layer `conv2`, which is not in the model; did you mean `conv1`?",
    );
}

#[test]
fn every_dangling_reference_is_reported() {
    let layers = json!([input("x", &json!([null, 2])), relu("a", &["p"]), relu("b", &["q"]), relu("y", &["x"])]);
    let model = Small::new(functional(&layers, &["x"], &["y"])).manifest(json!([]));
    let error = check_refused(&model, Kind::Malformed, "layer `a`", "layer `p`");
    assert!(error.to_string().contains("layer `q`"), "{error}");
}

#[test]
fn a_wrong_node_index_says_how_often_the_layer_is_called() {
    let y = calls("ReLU", "y", &json!({}), &json!([[["a", 7, 0, {}]]]));
    check_layers(&[relu("a", &["x"]), y], Kind::Malformed, "layer `y`", "call 7 of layer `a`, which is called 1 times");
}

#[test]
fn a_wrong_tensor_index_says_how_many_outputs_there_are() {
    let y = calls("ReLU", "y", &json!({}), &json!([[["a", 0, 3, {}]]]));
    check_layers(&[relu("a", &["x"]), y], Kind::Malformed, "layer `y`", "output 3 of layer `a`, which has 1");
    let y = calls("ReLU", "y", &json!({}), &json!([[["x", 0, 1, {}]]]));
    check_layers(&[y], Kind::Malformed, "layer `y`", "output 1 of the input `x`");
}

#[test]
fn indices_that_are_no_indices_are_shown() {
    for index in [json!(-1), json!(0.5), json!("0"), json!(null), json!(1e300), json!(u64::MAX)] {
        let y = calls("ReLU", "y", &json!({}), &json!([[["x", index, 0, {}]]]));
        let all = json!([input("x", &json!([null, 2])), y]);
        let model = Small::new(functional(&all, &["x"], &["y"])).manifest(json!([]));
        // The node index of an input is not used, so a large one may load, but must not panic.
        if let Err(error) = model.load() {
            assert_eq!(error.kind(), Kind::Malformed, "{index}: {error}");
            assert!(error.to_string().contains("layer `y`"), "{index}: {error}");
        }
    }
}

#[test]
fn two_layers_of_one_name_are_refused() {
    check_layers(&[relu("y", &["x"]), relu("y", &["x"])], Kind::Malformed, "layer `y`", "two layers");
    let dense = json!({"class_name": "ReLU", "config": {"name": "a", "batch_input_shape": [null, 2]}});
    let model = Small::new(sequential(&json!([dense, dense]))).manifest(json!([]));
    check_refused(&model, Kind::Malformed, "layer `a`", "two layers");
}

#[test]
fn unknown_classes_are_reported_all_at_once_with_suggestions() {
    let layers = json!([
        input("x", &json!([null, 2])),
        layer("Danse", "a", &json!({}), &["x"]),
        layer("KerasLayer", "b", &json!({}), &["a"]),
        layer("MaxPool2d", "y", &json!({}), &["b"]),
    ]);
    let model = Small::new(functional(&layers, &["x"], &["y"])).manifest(json!([]));
    let error = check_refused(&model, Kind::Unsupported, "layer `a`", "`Danse`; did you mean `Dense`?");
    let text = error.to_string();
    assert!(text.contains("unknown layer class `KerasLayer`; a layer of your own"), "{text}");
    assert!(text.contains("layer `b`") && text.contains("layer `y`"), "{text}");
    assert_eq!(error.details().len(), 3);
}

#[test]
fn unknown_classes_in_nested_models_and_wrappers_are_reported_too() {
    let td = json!({"class_name": "TimeDistributed", "config": {"name": "t", "batch_input_shape": [null, 2, 2],
        "layer": {"class_name": "Danse", "config": {"name": "inner"}}}});
    let nested = json!({"class_name": "Sequential", "config": {"name": "n", "layers": [
        {"class_name": "Relu6", "config": {"name": "r"}}]}});
    let model = Small::new(sequential(&json!([td, nested]))).manifest(json!([]));
    let error = check_refused(&model, Kind::Unsupported, "", "`Danse`; did you mean `Dense`?");
    assert!(error.to_string().contains("`Relu6`"), "{error}");
}

#[test]
fn an_unknown_activation_is_unsupported_at_its_key() {
    let model = alone("Dense", json!({"units": 1, "activation": "rellu"}), &json!([null, 2]));
    check_refused(&model, Kind::Unsupported, "config.activation", "`rellu`");
}

#[test]
fn lambda_never_runs() {
    let model = alone("Lambda", json!({"function": ["4wEAAAA=", null, null]}), &json!([null, 2]));
    check_refused(&model, Kind::Unsupported, "layer `l`", "`Lambda`");
}

#[test]
fn a_subclassed_model_says_what_to_do() {
    let model = Small::new(keras2("MyModel", &json!({"name": "mine"}))).manifest(json!([]));
    check_refused(&model, Kind::Unsupported, "", "`MyModel`");
    let model = Small::new(keras2("Functional", &json!({"name": "mine"}))).manifest(json!([]));
    check_refused(&model, Kind::Unsupported, "", "subclassed model");
}

#[test]
fn a_single_layer_is_no_model() {
    let model = Small::new(keras2("Dense", &json!({"name": "d", "units": 1}))).manifest(json!([]));
    check_refused(&model, Kind::Malformed, "", "found a single layer of class `Dense`");
}

#[test]
fn a_model_without_layers_is_refused() {
    check_refused(&Small::new(sequential(&json!([]))), Kind::Malformed, "", "no layers");
    check_refused(&Small::new(functional(&json!([]), &["x"], &["y"])), Kind::Malformed, "", "`x`");
}

#[test]
fn a_functional_model_without_inputs_or_outputs_is_refused() {
    let layers = json!([input("x", &json!([null, 2])), relu("y", &["x"])]);
    check_refused(&Small::new(functional(&layers, &[], &["y"])), Kind::Malformed, "layer `y`", "the input `x`");
    check_refused(&Small::new(functional(&layers, &["x"], &[])), Kind::Malformed, "output_layers", "without outputs");
}

#[test]
fn an_input_that_is_listed_twice_is_refused() {
    let layers = json!([input("x", &json!([null, 2])), relu("y", &["x"])]);
    check_refused(&Small::new(functional(&layers, &["x", "x"], &["y"])), Kind::Malformed, "layer `x`", "listed twice");
}

#[test]
fn a_call_without_inputs_is_refused() {
    for nodes in [json!([[]]), json!([{"args": [], "kwargs": {}}])] {
        let y = calls("ReLU", "y", &json!({}), &nodes);
        check_layers(&[y], Kind::Malformed, "layer `y`", "a call without any tensor");
    }
}

#[test]
fn a_layer_called_with_too_many_inputs_is_refused() {
    check_layers(&[relu("y", &["x", "x"])], Kind::Malformed, "layer `y`", "expected one input, found 2");
}

#[test]
fn configurations_that_are_no_objects_are_refused() {
    for config in [json!([]), json!("x"), json!(7), json!(null), json!(true)] {
        let dense = json!({"class_name": "Dense", "name": "d", "config": config});
        let model = Small::new(sequential(&json!([dense]))).manifest(json!([]));
        check_refused(&model, Kind::Malformed, "config.layers[0]", "expected an object");
    }
}

#[test]
fn layers_that_are_no_layers_are_refused() {
    for entry in [json!(null), json!(3), json!("Dense"), json!([]), json!({}), json!({"class_name": 3, "config": {}})] {
        let model = Small::new(sequential(&json!([entry]))).manifest(json!([]));
        check_refused(&model, Kind::Malformed, "config.layers[0]", "expected a layer with `class_name`");
    }
    let model = Small::new(sequential(&json!([{"class_name": "Dense"}])));
    check_refused(&model, Kind::Malformed, "config.layers[0]", "missing `config`");
}

#[test]
fn inbound_nodes_that_are_none_are_refused() {
    for nodes in
        [json!(3), json!("x"), json!({"a": 1}), json!([3]), json!([[3]]), json!([[["x"]]]), json!([[["x", 0]]])]
    {
        let all = json!([input("x", &json!([null, 2])), calls("ReLU", "y", &json!({}), &nodes)]);
        let model = Small::new(functional(&all, &["x"], &["y"]));
        check_refused(&model, Kind::Malformed, "layer `y`", "expected");
    }
}

#[test]
fn weights_of_two_layers_that_cannot_be_told_apart_are_refused() {
    // Keras 2 gives layers of two nested models the same weight names; its converter refuses them too.
    let nested = |name: &str| {
        json!({"class_name": "Sequential", "config": {"name": name, "layers": [
            {"class_name": "Dense", "config": {"name": "d", "units": 2, "use_bias": false, "batch_input_shape": [null, 2]}}]}})
    };
    let model = Small::new(sequential(&json!([nested("a"), nested("b")]))).filled(0.0, &[("d/kernel", &[2, 2])]);
    check_refused(&model, Kind::Mismatch, "d/kernel", "fits both `a/d/kernel` and `b/d/kernel`");
}
