//! Files of Keras 1: what they become, and what is said of them.

use super::classes::{CLASSES, OLD_ONLY};
use super::*;
use crate::lower::{LowerOptions, lower};
use crate::parse::parse;
use crate::producer::{Family, Producer};
use crate::read::CustomDefs;
use crate::registry;
use serde_json::json;
use tfjs_manifest::account::json_bytes;
use tfjs_manifest::{Kind, Limits};

fn of_family(family: Family, model: &Value) -> Result<crate::def::ModelDef> {
    parse(model, Producer::of(family), &CustomDefs::default(), &Limits::default())
}

/// Class and configuration of the only layer of a file of Keras 1.
#[track_caller]
fn check(class: &str, config: Value, expect: &str, expected: Value) {
    let producer = Producer::of(Family::Keras1);
    let found = translate(class, &config, &ReadCx::new(&producer)).unwrap().expect("a class of Keras 1");
    assert_eq!((found.class, found.config), (expect, expected));
}

#[track_caller]
fn check_refused(class: &str, config: Value, message: &str) {
    let layer = json!({"class_name": class, "config": config});
    let error = of_family(Family::Keras1, &json!({"class_name": "Sequential", "config": [layer]})).unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[test]
fn every_class_exists() {
    for class in CLASSES {
        assert!(registry::CLASSES.contains(&class.new), "{}", class.new);
        assert!(class.pairs().all(|(old, new)| old != new), "{}", class.old);
    }
    assert!(OLD_ONLY.iter().all(|class| registry::CLASSES.contains(class)));
}

#[test]
fn arguments() {
    check(
        "Convolution2D",
        json!({"name": "c", "nb_filter": 4, "nb_col": 2, "nb_row": 3, "border_mode": "same", "subsample": [1, 2],
               "dim_ordering": "th", "bias": false, "init": "zero", "W_regularizer": null}),
        "Conv2D",
        json!({"name": "c", "filters": 4, "kernel_size": [3, 2], "padding": "same", "strides": [1, 2],
               "data_format": "channels_first", "use_bias": false, "kernel_initializer": "zero", "kernel_regularizer": null}),
    );
    check(
        "AtrousConvolution1D",
        json!({"filter_length": 3, "nb_filter": 2, "atrous_rate": 2, "subsample_length": 1}),
        "Conv1D",
        json!({"kernel_size": 3, "filters": 2, "dilation_rate": 2, "strides": 1}),
    );
    check(
        "Deconvolution2D",
        json!({"nb_row": 1, "nb_col": 1, "output_shape": [null, 3, 8, 9], "dim_ordering": "th"}),
        "Conv2DTranspose",
        json!({"kernel_size": [1, 1], "output_lengths": [8, 9], "data_format": "channels_first"}),
    );
    check(
        "LSTM",
        json!({"output_dim": 3, "inner_activation": "sigmoid", "dropout_U": 0.5, "consume_less": "gpu", "forget_bias_init": "one"}),
        "LSTM",
        json!({"units": 3, "recurrent_activation": "sigmoid", "recurrent_dropout": 0.5}),
    );
    check(
        "Embedding",
        json!({"input_dim": 5, "output_dim": 2, "init": "uniform", "dropout": 0.1}),
        "Embedding",
        json!({"input_dim": 5, "output_dim": 2, "embeddings_initializer": "uniform"}),
    );
    // Words of both versions: those of Keras 2 count.
    check("Dense", json!({"output_dim": 3, "units": 4}), "Dense", json!({"units": 4}));
}

#[test]
fn values_of_arguments() {
    check(
        "Dense",
        json!({"output_dim": 1, "W_regularizer": {"name": "L1L2Regularizer", "l1": 0.0, "l2": 0.01},
               "b_constraint": {"name": "MaxNorm", "m": 2, "axis": 0}}),
        "Dense",
        json!({"units": 1, "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01}},
               "bias_constraint": {"class_name": "MaxNorm", "config": {"max_value": 2, "axis": 0}}}),
    );
    check("ZeroPadding1D", json!({"padding": {"right_pad": 2}}), "ZeroPadding1D", json!({"padding": [0, 2]}));
    let padding = json!([1, 2, 3, 4]);
    let expected = json!({"data_format": "channels_last", "padding": [[1, 2], [3, 4]]});
    check("ZeroPadding2D", json!({"padding": padding, "dim_ordering": "tf"}), "ZeroPadding2D", expected);
}

#[test]
fn modes_of_merge() {
    check("Merge", json!({"mode": "sum", "concat_axis": -1, "dot_axes": -1}), "Add", json!({}));
    check("Merge", json!({"mode": "concat", "mode_type": "raw", "concat_axis": 1}), "Concatenate", json!({"axis": 1}));
    check("Merge", json!({"mode": "dot", "dot_axes": [1, 2]}), "Dot", json!({"axes": [1, 2]}));
    check("Merge", json!({"mode": "cos"}), "Merge", json!({"mode": "cos", "axes": -1}));
    check_refused(
        "Merge",
        json!({"name": "m", "mode": "tan"}),
        "`config.layers[0].config.mode`, layer `m`: expected `sum`, `mul`, `concat`, `ave`, `cos`, `dot` or `max`, found `tan`",
    );
    check_refused(
        "Merge",
        json!({"name": "m", "mode": ["4wEA"], "mode_type": "lambda"}),
        "`config.layers[0].config.mode`, layer `m`: a `Merge` by a function of Python cannot be read; give the layer a class \
         of your own",
    );
}

#[test]
fn errors_are_in_the_words_of_the_file() {
    check_refused(
        "Convolution2D",
        json!({"name": "c", "nb_filter": -1, "nb_row": 3, "nb_col": 3}),
        "`config.layers[0].config.nb_filter`, layer `c`: expected a whole number of at least 0, found `-1`",
    );
    check_refused(
        "Convolution2D",
        json!({"name": "c", "nb_filter": 1, "nb_row": 3}),
        "`config.layers[0].config`, layer `c`: missing `nb_col`",
    );
    check_refused(
        "Convolution3D",
        json!({"name": "c", "nb_filter": 1}),
        "`config.layers[0].config`, layer `c`: missing `kernel_dim1, kernel_dim2, kernel_dim3`",
    );
    check_refused("Dense", json!({"name": "d"}), "`config.layers[0].config`, layer `d`: missing `output_dim`");
    check_refused(
        "Graph",
        json!({"name": "g"}),
        "`config.layers[0]`, layer `g`: a `Graph` of Keras 0 is not supported; load it with that version and save it as a `Model`",
    );
    let layer = json!({"class_name": "Dense", "config": {"name": "d", "output_dim": "three"}});
    let model = json!({"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}});
    let message =
        "`config.layers[0].config.output_dim`, layer `d`: expected a whole number of at least 0, found `\"three\"`";
    assert_eq!(of_family(Family::Keras2, &model).unwrap_err().to_string(), message);
}

#[test]
fn where_the_channels_are() {
    let up = |name: &str| json!({"class_name": "UpSampling2D", "config": {"name": name, "size": [2, 2]}});
    let conv = json!({"class_name": "Convolution2D", "config": {"name": "c", "nb_filter": 2, "nb_row": 1, "nb_col": 1,
                      "dim_ordering": "th"}});
    let mut first = up("u");
    first["config"]["batch_input_shape"] = json!([null, 3, 4, 5]);
    let model = |layers: Value| json!({"class_name": "Sequential", "config": layers});
    let def = of_family(Family::Keras1, &model(json!([first, conv]))).unwrap();
    let lowered = lower(&def, &LowerOptions::default()).unwrap().graph;
    assert_eq!(lowered.ty(lowered.outputs[0].value).shape.to_string(), "[?,2,8,10]");
    assert!(def.warnings.is_empty());
    let def = of_family(Family::Keras1, &model(json!([first]))).unwrap();
    let warning = "layer `u` (UpSampling2D): Keras 1 does not write where the channels are, and no layer of the model says \
                   it: taken as last";
    assert_eq!(def.warnings.to_lines(), [warning]);
}

fn dense(name: &str, units: usize, input: usize) -> Value {
    json!({"class_name": "Dense", "config": {"name": name, "output_dim": units, "batch_input_shape": [null, input],
                                             "input_dtype": "float32"}})
}

#[test]
fn branches_of_a_merge_in_first_place() {
    let branch = |layers: Value| json!({"class_name": "Sequential", "config": layers});
    let inner = json!({"class_name": "Merge", "config": {"name": "m1", "mode": "sum",
        "layers": [branch(json!([dense("a", 3, 4)])), branch(json!([dense("b", 3, 5)]))]}});
    let outer = json!({"class_name": "Merge", "config": {"name": "m2", "mode": "concat",
        "layers": [branch(json!([inner])), branch(json!([dense("c", 2, 6)]))]}});
    let def = of_family(Family::Keras1, &branch(json!([outer, dense("d", 1, 5)]))).unwrap();
    let names: Vec<&str> = def.root.inputs.iter().map(|port| port.name.as_str()).collect();
    assert_eq!(names, ["dense_input_1", "dense_input_2", "dense_input_3"]);
    let graph = lower(&def, &LowerOptions::default()).unwrap().graph;
    let shape = |value| graph.ty(value).shape.to_string();
    assert_eq!(graph.inputs.iter().map(|port| shape(port.value)).collect::<Vec<_>>(), ["[?,4]", "[?,5]", "[?,6]"]);
    assert_eq!(shape(graph.outputs[0].value), "[?,1]");
    let paths: Vec<&str> = graph.layers.iter().map(|layer| layer.path.as_str()).collect();
    assert_eq!(
        paths,
        ["sequential_1/sequential_1/a", "sequential_1/sequential_2/b", "sequential_1/m1", "sequential_2/c", "m2", "d"]
    );
}

#[test]
fn models_without_names() {
    let nest = |layer: Value| json!({"class_name": "Sequential", "config": [layer]});
    let model = json!({"class_name": "Sequential", "config": [nest(dense("a", 3, 4)), nest(dense("b", 3, 3)), dense("c", 1, 3)]});
    let def = of_family(Family::Keras1, &model).unwrap();
    let names: Vec<&str> = def.root.layers.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["dense_input_1", "sequential", "sequential_1", "c"]);
}

#[test]
fn a_nest_of_merges_is_paid_for() {
    let mut layer = json!({"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [null, 2]}});
    for _ in 0..14 {
        let merge = json!({"class_name": "Merge", "config": {"name": "m", "mode": "sum", "layers": [layer.clone()]}});
        layer = json!({"class_name": "Sequential", "config": [merge]});
    }
    let parsed = |bytes: u64| {
        let mut limits = Limits::default();
        limits.model_bytes = bytes;
        parse(&layer, Producer::of(Family::Keras1), &CustomDefs::default(), &limits)
    };
    parsed(1 << 20).unwrap();
    let error = parsed(json_bytes(&layer) * 4).unwrap_err();
    assert!(error.to_string().contains("model_bytes"), "{error}");
}

#[test]
fn inputs_that_a_model_lists_twice_are_found_once() {
    let mut layer = json!({"class_name": "InputLayer", "name": "a",
                           "config": {"name": "a", "batch_input_shape": [null, 2]}, "inbound_nodes": []});
    for _ in 0..24 {
        layer = json!({"class_name": "Model", "name": "a", "config": {"name": "a", "layers": [layer],
            "input_layers": [["a", 0, 0], ["a", 0, 0]], "output_layers": [["a", 0, 0]]}});
    }
    let merge = json!({"class_name": "Merge", "config": {"name": "m", "mode": "sum", "layers": [layer]}});
    let model = json!({"class_name": "Sequential", "config": [merge]});
    // What it refuses is not the point: that it answers is.
    assert!(of_family(Family::Keras1, &model).is_err());
}

#[test]
fn what_is_missing_is_named() {
    let model = |class: &str, config: Value| json!({"class_name": "Sequential", "config": [{"class_name": class, "config": config}]});
    let error = |class: &str, config: Value| of_family(Family::Keras1, &model(class, config)).unwrap_err().to_string();
    let sides = json!({"name": "c", "nb_filter": 2, "nb_row": 3, "batch_input_shape": [null, 4, 4, 1]});
    assert!(error("Convolution2D", sides).contains("missing `nb_col`"));
    let none = json!({"name": "c", "nb_filter": 2, "batch_input_shape": [null, 4, 4, 1]});
    assert!(error("Convolution2D", none).contains("missing `nb_row"));
    assert!(error("Merge", json!({"name": "m"})).contains("missing `mode`"));
}

#[test]
fn classes_of_keras_1_alone_are_a_user_s_own_elsewhere() {
    for class in ["Merge", "SReLU", "Highway"] {
        let layer = json!({"class_name": class, "config": {"name": "l", "batch_input_shape": [null, 4]}});
        let model = json!({"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}});
        let message = of_family(Family::Keras3, &model).unwrap_err().to_string();
        assert!(message.contains(&format!("unknown layer class `{class}`")), "{message}");
    }
}

#[test]
fn extreme_values_of_old_arguments() {
    let plausible = json!({
        "name": "l", "output_dim": 2, "nb_filter": 2, "filter_length": 2, "nb_row": 2, "nb_col": 2, "kernel_dim1": 1,
        "kernel_dim2": 1, "kernel_dim3": 1, "input_dim": 3, "p": 0.5, "sigma": 0.5, "output_shape": [null, 3, 3, 2],
    });
    let extremes = [
        json!(null),
        json!(0),
        json!(-1),
        json!(u64::MAX),
        json!(1e308),
        json!(""),
        json!("th"),
        json!("full"),
        json!([]),
        json!([0]),
        json!([1u64 << 53, 1u64 << 53]),
        json!({}),
        json!({"name": "L1L2Regularizer"}),
        json!({"left_pad": -1}),
        json!([-1, 2, 3, 4]),
    ];
    for class in CLASSES {
        for shape in [json!([null, 6]), json!([null, 5, 6]), json!([null, 4, 5, 6]), json!([null, 3, 4, 5, 6])] {
            let keys = class.pairs().map(|(old, _)| old).chain(["padding", "mode", "layers"]);
            for key in keys.filter(|key| *key != "layers" || class.old == "Merge") {
                for value in &extremes {
                    let mut config = plausible.clone();
                    config["batch_input_shape"] = shape.clone();
                    config[key] = value.clone();
                    let model =
                        json!({"class_name": "Sequential", "config": [{"class_name": class.old, "config": config}]});
                    let found = of_family(Family::Keras1, &model).and_then(|def| lower(&def, &LowerOptions::default()));
                    let bug = found.err().filter(|error| error.kind() == Kind::Bug);
                    assert!(bug.is_none(), "{}: `{key}` {value}: {bug:?}", class.old);
                }
            }
        }
    }
}
