//! Short files that need much work: nested and shared models, nested wrappers, large numbers.
//! Files that would take hours must be refused, and files that are only large must load.

use harness::small::{Small, alone, calls, check_refused, functional, input, keras2, layer, sequential};
use serde_json::{Value, json};
use tfjs::{Input, Kind, Limits, LoadOptions};

/// A functional model with an input `x` of this shape, which calls `inner` repeatedly, one call after the other.
pub(crate) fn called_often(name: &str, shape: &Value, inner: Value, times: usize) -> Value {
    let mut inner = inner;
    let from = |i: usize| if i == 0 { json!([["x", 0, 0, {}]]) } else { json!([["i", i - 1, 0, {}]]) };
    inner["name"] = json!("i");
    inner["config"]["name"] = json!("i");
    inner["inbound_nodes"] = (0..times).map(from).collect();
    json!({"class_name": "Functional", "config": {"name": name, "layers": [input("x", shape), inner],
           "input_layers": [["x", 0, 0]], "output_layers": [["i", times - 1, 0]]}})
}

pub(crate) fn as_root(model: &Value) -> Small {
    Small::new(keras2("Functional", &model["config"])).manifest(json!([]))
}

#[test]
fn a_nest_of_shared_models_is_counted_expanded() {
    let shape = json!([null, 2]);
    let mut model = called_often("m", &shape, json!({"class_name": "ReLU", "config": {}}), 10);
    for _ in 0..8 {
        model = called_often("m", &shape, model, 10);
    }
    check_refused(&as_root(&model), Kind::Limit, "layer `i/", "nodes");
}

#[test]
fn a_nest_of_shared_models_without_layers_is_counted_too() {
    let shape = json!([null, 2]);
    let mut model = json!({"class_name": "Functional", "config": {"name": "m", "layers": [input("x", &shape)],
        "input_layers": [["x", 0, 0]], "output_layers": [["x", 0, 0]]}});
    for _ in 0..9 {
        model = called_often("m", &shape, model, 10);
    }
    check_refused(&as_root(&model), Kind::Limit, "layer `i", "nodes");
}

#[test]
fn a_nest_of_shared_wrappers_is_counted_expanded() {
    // Each level calls a wrapper around the level below ten times.
    let shape =
        |rank: usize| Value::from(std::iter::once(json!(null)).chain(vec![json!(1); rank - 1]).collect::<Vec<_>>());
    let mut model = called_often("m", &shape(2), json!({"class_name": "ReLU", "config": {}}), 10);
    for level in 0..6 {
        let wrapper = json!({"class_name": "TimeDistributed", "config": {"layer": model}});
        model = called_often("m", &shape(3 + level), wrapper, 10);
    }
    check_refused(&as_root(&model), Kind::Limit, "", "nodes");
}

#[test]
fn wrappers_inside_each_other_load_up_to_the_limit() {
    let nest = |depth: usize| {
        let mut inner = json!({"class_name": "ReLU", "config": {"name": "r"}});
        for i in 0..depth {
            inner = json!({"class_name": "TimeDistributed", "config": {"name": format!("t{i}"), "layer": inner}});
        }
        let mut config = inner["config"].clone();
        config["batch_input_shape"] = json!([null, 1, 1, 1, 1, 1, 1, 1]);
        Small::new(sequential(&json!([{"class_name": "TimeDistributed", "config": config}]))).manifest(json!([]))
    };
    let model = nest(5).load().expect("five wrappers around one layer");
    model.predict(Input::new([-1.0], [1; 8]).unwrap()).expect("it predicts");
    // Each wrapper removes one axis, so none is left for the innermost.
    check_refused(&nest(20), Kind::Malformed, "layer `t", "rank 3 or more");
    check_refused(&nest(40), Kind::Limit, "", "nesting");
}

#[test]
fn bidirectional_in_bidirectional_is_refused_at_once() {
    let mut inner = json!({"class_name": "LSTM", "config": {"name": "l", "units": 1, "return_sequences": true}});
    for i in 0..25 {
        inner = json!({"class_name": "Bidirectional", "config": {"name": format!("b{i}"), "layer": inner}});
    }
    let mut config = inner["config"].clone();
    config["batch_input_shape"] = json!([null, 2, 2]);
    let model = Small::new(sequential(&json!([{"class_name": "Bidirectional", "config": config}])));
    check_refused(&model, Kind::Malformed, "config.layer", "a recurrent layer inside `Bidirectional`");
}

#[test]
fn models_inside_each_other_stop_at_a_limit() {
    let nest = |depth: usize| {
        let mut inner = json!([{"class_name": "ReLU", "config": {"name": "r", "batch_input_shape": [null, 2]}}]);
        for i in 1..depth {
            inner = json!([{"class_name": "Sequential", "config": {"name": format!("s{i}"), "layers": inner}}]);
        }
        Small::new(sequential(&inner)).manifest(json!([]))
    };
    nest(24).load().expect("twenty-four models inside each other");
    let error = nest(40).load().expect_err("forty are too many");
    assert!(matches!(error.kind(), Kind::Limit), "{error}");
    let mut limits = Limits::default();
    limits.nesting = 3;
    nest(3).load_with(LoadOptions::new().with_limits(limits.clone())).expect("three are allowed");
    let error = nest(4).load_with(LoadOptions::new().with_limits(limits)).expect_err("four are not");
    assert_eq!(error.kind(), Kind::Limit, "{error}");
    assert!(error.to_string().contains("nesting"), "{error}");
}

#[test]
fn json_nested_without_end_is_refused_by_the_parser() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let mut small = alone("ReLU", json!({}), &json!([null, 2]));
        small.json = json!("placeholder");
        let text = format!("{{\"modelTopology\":{}{}{}}}", open.repeat(100_000), "1", close.repeat(100_000));
        let files = tfjs::parts::io::MemoryFiles::new().with("model.json", text.into_bytes());
        let error = harness::small::load_files(files, LoadOptions::new()).expect_err("too deep");
        assert_eq!(error.kind(), Kind::Limit, "{error}");
    }
}

#[test]
fn ten_thousand_layers_in_a_row_load() {
    let relu = |i: usize| json!({"class_name": "ReLU", "config": {"name": format!("r{i}")}});
    let mut layers: Vec<Value> = (0..9_999).map(relu).collect();
    layers.insert(0, json!({"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [null, 1]}}));
    let model = Small::new(sequential(&json!(layers))).manifest(json!([])).load().expect("the limit is ten thousand");
    assert_eq!(model.layers().len(), 9_999);
    layers.push(relu(9_999));
    check_refused(&Small::new(sequential(&json!(layers))), Kind::Limit, "", "layers");
}

#[test]
fn ten_thousand_calls_out_of_order_load() {
    // Every layer takes the output of the one after it in the file.
    let mut layers = vec![input("x", &json!([null, 1]))];
    layers.extend((0..5_000).map(|i| {
        let from = if i == 4_999 { "x".to_string() } else { format!("r{}", i + 1) };
        layer("ReLU", &format!("r{i}"), &json!({}), &[&from])
    }));
    let model = Small::new(functional(&json!(layers), &["x"], &["r0"])).manifest(json!([])).load().unwrap();
    assert_eq!(model.layers().len(), 5_000);
}

#[test]
fn layers_are_counted_over_all_models() {
    let nested = |name: &str| {
        let relu = |i: usize| json!({"class_name": "ReLU", "config": {"name": format!("r{i}")}});
        json!({"class_name": "Sequential", "config": {"name": name, "layers": (0..6_000).map(relu).collect::<Vec<_>>(),
               "build_input_shape": [null, 1]}})
    };
    check_refused(&Small::new(sequential(&json!([nested("a"), nested("b")]))), Kind::Limit, "", "layers");
}

#[test]
fn one_layer_called_very_often_is_one_layer() {
    let from = |i: usize| if i == 0 { json!([["x", 0, 0, {}]]) } else { json!([["d", i - 1, 0, {}]]) };
    let nodes: Vec<Value> = (0..2_000).map(from).collect();
    let dense = calls("Dense", "d", &json!({"units": 1, "use_bias": false}), &json!(nodes));
    let mut topology = functional(&json!([input("x", &json!([null, 1])), dense]), &["x"], &["d"]);
    topology["model_config"]["config"]["output_layers"] = json!([["d", 1_999, 0]]);
    let model = Small::new(topology).filled(1.0, &[("d/kernel", &[1, 1])]).load().expect("shared weights");
    assert_eq!(model.weights().len(), 1);
    let output = model.predict(Input::new([3.0], [1, 1]).unwrap()).unwrap().into_single().unwrap();
    assert_eq!(output.to_vec2::<f32>().unwrap(), [[3.0]]);
}

#[test]
fn a_file_past_its_budget_is_refused_unread() {
    let mut limits = Limits::default();
    limits.model_json_bytes = 100;
    let result = harness::small::two_to_one().load_with(LoadOptions::new().with_limits(limits.clone()));
    assert_eq!(result.expect_err("a hundred bytes are too few").kind(), Kind::Limit);
    limits = Limits::default();
    limits.weight_bytes = 8;
    let result = harness::small::two_to_one().load_with(LoadOptions::new().with_limits(limits));
    let error = result.expect_err("eight bytes are too few");
    assert_eq!(error.kind(), Kind::Limit, "{error}");
}

/// A model that repeats one value many times, and then applies a ReLU.
fn repeated(times: u32) -> Small {
    let repeat = json!({"class_name": "RepeatVector",
        "config": {"name": "r", "n": times, "batch_input_shape": [null, 1]}});
    let relu = json!({"class_name": "ReLU", "config": {"name": "a"}});
    Small::new(sequential(&json!([repeat, relu]))).manifest(json!([]))
}

#[test]
fn values_that_are_too_large_are_refused_before_they_are_allocated() {
    // 16 GB for each value, from a file of a few hundred bytes: none may be allocated.
    let model = repeated(2_000_000_000).load().expect("nothing is too large before it predicts");
    let error = model.predict(Input::new([1.0, 2.0], [2, 1]).unwrap()).unwrap_err();
    assert_eq!(error.kind(), Kind::Limit, "{error}");

    let mut limits = Limits::default();
    limits.activation_bytes = 1000;
    let model = repeated(300).load_with(LoadOptions::new().with_limits(limits)).unwrap();
    let error = model.predict(Input::new([1.0], [1, 1]).unwrap()).unwrap_err();
    assert_eq!(error.kind(), Kind::Limit, "{error}");
    assert!(error.to_string().contains("activation_bytes"), "{error}");
}

#[test]
fn primitives_are_counted() {
    let mut limits = Limits::default();
    limits.primitives = 2;
    check_limit(repeated(3).load_with(LoadOptions::new().with_limits(limits)));
}

fn check_limit(result: tfjs::Result<tfjs::LayersModel>) {
    let error = result.expect_err("more primitives than allowed");
    assert_eq!(error.kind(), Kind::Limit, "{error}");
    assert!(error.to_string().contains("primitives"), "{error}");
}
