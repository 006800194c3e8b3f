//! Tests of models of Keras written for TensorFlow.js, and of the warnings.

use super::{Encoded, Encoding, Target, encode, weight_names};
use crate::call::Call;
use crate::config::Config;
use crate::layer::LayerDef;
use crate::lower::{KerasTensor, LowerCx, LowerOptions, lower};
use crate::parse::parse;
use crate::producer::{Family, Producer};
use crate::read::CustomDefs;
use crate::testing::{after_input, check_encoded as check, encoded};
use serde_json::{Value, json};
use std::sync::Arc;
use tfjs_manifest::{Limits, Result};

#[test]
fn keras_3_spells_dtypes_initializers_and_activations_differently() {
    let policy = json!({ "module": "keras", "class_name": "DTypePolicy", "config": { "name": "float32" } });
    let config = json!({
        "units": 2,
        "dtype": policy,
        "activation": "silu",
        "quantization_config": null,
        "kernel_initializer": { "module": "keras.initializers", "class_name": "GlorotUniform",
            "config": { "seed": null, "input_axes": null, "output_axes": null }, "registered_name": null },
        "bias_initializer": { "class_name": "LecunNormal", "config": { "seed": 1 } },
        "kernel_regularizer": { "class_name": "L2", "config": { "l2": 0.5 } },
    });
    let expect = json!({
        "dtype": "float32",
        "activation": "swish",
        "quantization_config": null,
        "kernel_initializer": { "class_name": "GlorotUniform", "config": { "seed": null } },
        "bias_initializer": { "class_name": "LeCunNormal", "config": { "seed": 1 } },
        "kernel_regularizer": { "class_name": "L1L2", "config": { "l1": 0.0, "l2": 0.5 } },
    });
    check(Family::Keras3, &json!([null, 3]), "Dense", &config, &expect, &[]);
    let slope = json!({ "negative_slope": 0.1 });
    check(
        Family::Keras3,
        &json!([null, 3]),
        "LeakyReLU",
        &slope,
        &json!({ "alpha": 0.1, "negative_slope": null }),
        &[],
    );
    let function = json!({ "units": 2, "activation": { "class_name": "function", "config": "relu" } });
    check(Family::Keras2, &json!([null, 3]), "Dense", &function, &json!({ "activation": "relu" }), &[]);
}

#[test]
fn what_training_alone_needs_never_stops_tensorflow_js() {
    let config = json!({
        "units": 2,
        "kernel_initializer": { "class_name": "Custom>Mine", "config": {} },
        "kernel_regularizer": { "class_name": "OrthogonalRegularizer", "config": {} },
        "activity_regularizer": { "class_name": "L2", "config": { "l2": 0.1 } },
        "bias_constraint": { "class_name": "NonNeg", "config": {} },
    });
    let left_out = json!({ "kernel_initializer": null, "kernel_regularizer": null, "activity_regularizer": null });
    let warnings = [
        "`kernel_initializer` is left out: TensorFlow.js has no initializer `Custom>Mine`",
        "`kernel_regularizer` is left out: TensorFlow.js has no regularizer `OrthogonalRegularizer`",
        "`activity_regularizer` is left out: TensorFlow.js does not load layers with one",
        "TensorFlow.js applies `bias_constraint` to the weights it loads",
    ];
    check(Family::Keras2, &json!([null, 3]), "Dense", &config, &left_out, &warnings);
}

#[test]
fn axes_are_counted_the_way_tensorflow_js_understands() {
    check(Family::Keras2, &json!([null, 3]), "Softmax", &json!({}), &json!({ "axis": -1 }), &[]);
    check(Family::Keras2, &json!([null, 2, 3]), "Softmax", &json!({ "axis": [2] }), &json!({ "axis": 2 }), &[]);
    let last = &["TensorFlow.js has softmax over the last axis only"];
    check(Family::Keras3, &json!([null, 2, 3]), "Softmax", &json!({ "axis": 1 }), &json!({ "axis": 1 }), last);
    let norm = json!({ "axis": [3] });
    check(Family::Keras2, &json!([null, 4, 4, 3]), "BatchNormalization", &norm, &json!({ "axis": 3 }), &[]);
    let wrong = &["TensorFlow.js normalizes other axes than the last wrongly"];
    let norm = json!({ "axis": 1 });
    check(Family::Keras3, &json!([null, 4, 4, 3]), "BatchNormalization", &norm, &json!({ "axis": 1 }), wrong);
    let ranks = &["TensorFlow.js normalizes ranks 2 to 4 only, not 5"];
    check(Family::Keras3, &json!([null, 2, 4, 4, 3]), "BatchNormalization", &json!({}), &json!({ "axis": -1 }), ranks);
}

#[test]
fn what_tensorflow_js_computes_differently() {
    let rank3 = json!([null, 4, 3]);
    let rank4 = json!([null, 8, 8, 4]);
    let none = json!({});
    let hard = "`activation` is Keras 3's hard_sigmoid, relu6(x + 3) / 6; TensorFlow.js's is clip(0.2 x + 0.5)";
    check(Family::Keras3, &rank3, "Activation", &json!({ "activation": "hard_sigmoid" }), &none, &[hard]);
    check(Family::Keras2, &rank3, "Activation", &json!({ "activation": "hard_sigmoid" }), &none, &[]);
    let unknown = "TensorFlow.js has no activation \"exponential\", its `activation`";
    check(Family::Keras2, &rank3, "Activation", &json!({ "activation": "exponential" }), &none, &[unknown]);
    let groups = json!({ "filters": 4, "kernel_size": 3, "groups": 2 });
    check(Family::Keras2, &rank4, "Conv2D", &groups, &none, &["TensorFlow.js has no convolutions in `groups`"]);
    let dilated = json!({ "kernel_size": 3, "dilation_rate": [2, 2] });
    let ignored = &["TensorFlow.js ignores `dilation_rate` of depthwise convolutions"];
    check(Family::Keras2, &rank4, "DepthwiseConv2D", &dilated, &none, ignored);
    let keepdims = json!({ "keepdims": true });
    check(Family::Keras2, &rank4, "GlobalAveragePooling2D", &keepdims, &none, &["TensorFlow.js ignores `keepdims`"]);
    let slope = json!({ "negative_slope": 0.1, "threshold": { "type": "ndarray", "value": 1.0 } });
    let both = &["TensorFlow.js ignores `negative_slope`", "TensorFlow.js ignores `threshold`"];
    check(Family::Keras2, &rank3, "ReLU", &slope, &none, both);
    let only = &["TensorFlow.js has ELU with an `alpha` of 1 only"];
    check(Family::Keras2, &rank3, "ELU", &json!({ "alpha": 0.5 }), &none, only);
    let unknown = &["TensorFlow.js has no layer of this class"];
    check(Family::Keras2, &rank4, "SpatialDropout2D", &json!({ "rate": 0.5 }), &json!({ "rate": 0.5 }), unknown);
    let flat = &["TensorFlow.js flattens inputs of rank 3 or more whose sizes are known only"];
    check(Family::Keras2, &json!([null, 3]), "Flatten", &none, &none, flat);
    check(Family::Keras2, &json!([null, null, 3]), "Flatten", &none, &none, flat);
}

#[test]
fn a_free_size_that_follows_is_written_out() {
    let free = json!({ "target_shape": [-1, 3] });
    let x = json!([null, 4, 3]);
    check(Family::Keras2, &x, "Reshape", &free, &json!({ "target_shape": [4, 3] }), &[]);
    let unknown = json!([null, null, 3]);
    check(Family::Keras2, &unknown, "Reshape", &free, &free, &[]);
    check(Family::TensorFlowJs, &x, "Reshape", &free, &free, &[]);
}

#[test]
fn what_tensorflow_js_cannot_read_of_its_own() {
    let warning = "TensorFlow.js writes the activation `gelu_new` but cannot read it";
    let gelu = json!({ "activation": "gelu_new" });
    check(Family::TensorFlowJs, &json!([null, 3]), "Activation", &gelu, &gelu, &[warning]);
}

#[test]
fn recurrent_defaults_are_written_out() {
    let x = json!([null, 4, 3]);
    let lstm = json!({ "units": 2, "activation": null });
    let explicit = json!({ "activation": "linear", "recurrent_activation": "sigmoid" });
    check(Family::Keras3, &x, "LSTM", &lstm, &explicit, &[]);
    let old = json!({ "output_dim": 2 });
    let explicit = json!({ "units": 2, "activation": "tanh", "recurrent_activation": "hard_sigmoid" });
    check(Family::Keras1, &x, "LSTM", &old, &explicit, &[]);
    let after = "TensorFlow.js has no GRU with `reset_after`";
    check(Family::Keras3, &x, "GRU", &json!({ "units": 2 }), &json!({ "reset_after": true }), &[after]);
    let before = json!({ "reset_after": false });
    check(Family::Keras2, &x, "GRU", &json!({ "units": 2 }), &before, &[]);
    check(Family::TensorFlowJs, &x, "GRU", &json!({ "units": 2 }), &json!({ "reset_after": null }), &[]);
}

#[test]
fn a_backward_layer_is_left_out_where_it_is_the_mirror() {
    let x = json!([null, 4, 3]);
    let lstm = |name: &str, backwards: bool, units: u32| json!({ "class_name": "LSTM", "config": { "name": name, "units": units, "go_backwards": backwards } });
    let mirror = json!({ "layer": lstm("forward_a", false, 2), "backward_layer": lstm("backward_a", true, 2) });
    check(Family::Keras3, &x, "Bidirectional", &mirror, &json!({ "backward_layer": null }), &[]);
    let written = encoded(Family::Keras3, &after_input(&x, "Bidirectional", &mirror)).topology;
    assert_eq!(written["config"]["layers"][1]["config"]["layer"]["config"]["name"], "a");
    let own = json!({ "layer": lstm("forward_a", false, 2), "backward_layer": lstm("backward_a", true, 5) });
    let differs = &["TensorFlow.js makes the backward layer out of the forward one; this one differs"];
    check(Family::Keras3, &x, "Bidirectional", &own, &json!({}), differs);
}

fn tensor(layer: &str) -> Value {
    json!({ "class_name": "__keras_tensor__", "config": { "shape": [null, 3], "dtype": "float32",
        "keras_history": [layer, 0, 0] } })
}

fn call(args: &Value, kwargs: &Value) -> Value {
    json!([{ "args": args, "kwargs": kwargs }])
}

/// A functional model in the form of Keras 3, with these layers between the input `x` and the output `y`.
fn keras3(layers: &[(&str, &str, Value, Value)]) -> Value {
    let input = json!({ "class_name": "InputLayer", "name": "x", "inbound_nodes": [],
        "config": { "name": "x", "batch_shape": [null, 3], "dtype": "float32", "optional": false } });
    let rest = layers.iter().map(|(class, name, config, nodes)| {
        let mut config = config.clone();
        config["name"] = (*name).into();
        json!({ "class_name": class, "name": name, "config": config, "inbound_nodes": nodes })
    });
    json!({ "class_name": "Functional", "config": { "name": "m",
        "layers": std::iter::once(input).chain(rest).collect::<Vec<_>>(),
        "input_layers": ["x", 0, 0], "output_layers": ["y", 0, 0] } })
}

#[test]
fn calls_and_ports_of_keras_3() {
    let dense = json!({ "units": 3, "trainable": true });
    let add = json!({ "trainable": true });
    let model = keras3(&[
        ("Dense", "d", dense, call(&json!([tensor("x")]), &json!({}))),
        ("Add", "y", add, call(&json!([[tensor("x"), tensor("d")]]), &json!({}))),
    ]);
    let Encoded { topology, warnings } = encoded(Family::Keras3, &model);
    assert_eq!(warnings, [""; 0]);
    assert_eq!(topology["class_name"], "Model");
    assert_eq!(topology["keras_version"], "tfjs-layers 4.22.0");
    assert_eq!(topology["config"]["input_layers"], json!([["x", 0, 0]]));
    assert_eq!(topology["config"]["output_layers"], json!([["y", 0, 0]]));
    let layers = &topology["config"]["layers"];
    let input = json!({ "batch_input_shape": [null, 3], "dtype": "float32", "sparse": false, "name": "x" });
    assert_eq!(layers[0]["config"], input);
    assert_eq!(layers[1]["inbound_nodes"], json!([[["x", 0, 0, {}]]]));
    assert_eq!(layers[2]["inbound_nodes"], json!([[["x", 0, 0, {}], ["d", 0, 0, {}]]]));
}

#[test]
fn operations_stay_what_they_are() {
    let model = keras3(&[("Add", "y", json!({}), call(&json!([tensor("x"), 1.0]), &json!({})))]);
    let Encoded { topology, warnings } = encoded(Family::Keras3, &model);
    assert_eq!(warnings, ["layer `y` (Add): TensorFlow.js has no operations on tensors in a model"]);
    // Parsed with TensorFlow.js's rules, it is still an operation and not the layer of that name.
    let producer = Producer::of(Family::TensorFlowJs);
    let again = parse(&topology, producer, &CustomDefs::default(), &Limits::default()).unwrap();
    assert!(matches!(again.root.layers[1].body, crate::def::LayerBody::Op(_)));
    assert_eq!(again.root.layers[1].calls[0].args[1], crate::call::Arg::Const(json!(1.0).into()));
}

#[test]
fn an_explicit_mask_is_kept_and_told() {
    let dense = json!({ "units": 3, "trainable": true });
    let model = keras3(&[
        ("Dense", "d", dense.clone(), call(&json!([tensor("x")]), &json!({}))),
        ("Dense", "y", dense, call(&json!([tensor("x")]), &json!({ "mask": tensor("d"), "training": null }))),
    ]);
    let Encoded { topology, warnings } = encoded(Family::Keras3, &model);
    assert_eq!(warnings, ["layer `y` (Dense): TensorFlow.js cannot call a layer with an explicit `mask`"]);
    let node = &topology["config"]["layers"][2]["inbound_nodes"][0];
    assert_eq!(node["kwargs"]["mask"]["config"]["keras_history"], json!(["d", 0, 0]));
}

#[test]
fn calls_are_numbered_as_tensorflow_js_makes_them() {
    // The first call of `s` needs `d`, which comes after it in the file: TensorFlow.js makes the second one first.
    let dense = json!({ "units": 3, "trainable": true });
    let tensor_of = |layer: &str, node: u32| json!({ "class_name": "__keras_tensor__", "config": { "keras_history": [layer, node, 0] } });
    let calls = json!([{ "args": [tensor("d")], "kwargs": {} }, { "args": [tensor("x")], "kwargs": {} }]);
    let model = keras3(&[
        ("Dense", "s", dense.clone(), calls),
        ("Dense", "d", dense.clone(), call(&json!([tensor("x")]), &json!({}))),
        ("Dense", "y", dense, call(&json!([tensor_of("s", 0)]), &json!({}))),
    ]);
    let layers = encoded(Family::Keras3, &model).topology["config"]["layers"].clone();
    assert_eq!(layers[1]["inbound_nodes"], json!([[["x", 0, 0, {}]], [["d", 0, 0, {}]]]));
    assert_eq!(layers[3]["inbound_nodes"], json!([[["s", 1, 0, {}]]]));
}

#[test]
fn the_first_layer_says_what_the_model_was_built_for() {
    let model = json!({ "class_name": "Sequential", "config": { "name": "s", "build_input_shape": [null, 3],
        "layers": [{ "class_name": "Dense", "config": { "name": "d", "units": 2 } }] } });
    let Encoded { topology, warnings } = encoded(Family::Keras3, &model);
    assert_eq!(topology["config"]["layers"][0]["config"]["batch_input_shape"], json!([null, 3]));
    assert_eq!(topology["config"]["layers"].as_array().map(Vec::len), Some(1));
    assert_eq!(warnings, [""; 0]);
}

/// Two Sequentials, each with a layer `d`.
fn twins() -> Value {
    let inner = |name: &str| {
        json!({ "class_name": "Sequential", "config": { "name": name, "layers": [
            { "class_name": "Dense", "config": { "name": "d", "units": 3, "batch_input_shape": [null, 3] } }] } })
    };
    json!({ "class_name": "Sequential", "config": { "name": "outer", "layers": [inner("a"), inner("b")] } })
}

#[test]
fn names_of_weights() {
    let def = parse(&twins(), Producer::of(Family::Keras2), &CustomDefs::default(), &Limits::default()).unwrap();
    let graph = lower(&def, &LowerOptions::default()).unwrap().graph;
    let topology = encode(&def, Target::TensorFlowJs, &Limits::default()).unwrap().topology;
    let named = weight_names(&graph, &topology, &CustomDefs::default(), &Limits::default()).unwrap();
    assert_eq!(named.names, ["a/d/kernel", "a/d/bias", "b/d/kernel", "b/d/bias"]);
    assert_eq!(
        named.warnings[0],
        "weight `d/kernel` of several nested models is written as `a/d/kernel`, which TensorFlow.js cannot find"
    );
}

#[test]
fn names_no_tensor_of_tensorflow_js_can_have() {
    let mut model = after_input(&json!([null, 3]), "Dense", &json!({ "units": 2 }));
    model["config"]["layers"][1]["config"]["name"] = "a b".into();
    let warnings = encoded(Family::Keras2, &model).warnings;
    assert_eq!(
        warnings,
        ["layer `a b` (Dense): TensorFlow.js takes names of letters, digits and `-._/` only, a letter or digit first"]
    );
}

/// A layer for which TensorFlow.js uses another key.
#[derive(Debug)]
struct Scale;

impl LayerDef for Scale {
    fn lower(&self, cx: &mut LowerCx<'_>, call: &Call<KerasTensor>) -> Result<Vec<KerasTensor>> {
        Ok(vec![cx.single(call)?])
    }

    fn encode(&self, target: Target, out: &mut Encoding<'_>) -> Result<()> {
        assert_eq!(target, Target::TensorFlowJs);
        out.rename("factor", "scale");
        out.warn(format_args!("of rank {:?}, by {}", out.rank(), out.producer()));
        Ok(())
    }
}

#[test]
fn a_layer_of_the_callers_own_says_how_it_is_written() {
    let mut custom = CustomDefs::default();
    custom.insert("Mine>Scale", Arc::new(|_: &Config<'_>| Ok(Arc::new(Scale) as Arc<dyn LayerDef>)));
    let model = after_input(&json!([null, 3]), "Mine>Scale", &json!({ "factor": 2, "dtype": { "kept": true } }));
    let def = parse(&model, Producer::of(Family::Keras2), &custom, &Limits::default()).unwrap();
    let Encoded { topology, warnings } = encode(&def, Target::TensorFlowJs, &Limits::default()).unwrap();
    let layer = json!({ "class_name": "Mine>Scale",
        "config": { "name": "l", "scale": 2, "dtype": { "kept": true } } });
    assert_eq!(topology["config"]["layers"][1], layer);
    let expected = [
        "layer `l` (Mine>Scale): a class of your own, which TensorFlow.js needs to be registered under this name",
        "layer `l` (Mine>Scale): of rank Some(2), by Keras 2",
    ];
    assert_eq!(warnings, expected);
}
