//! The tables are those that tf_keras 2.15 prints for the same models, except for spaces at the ends of lines.

use super::summary;
use crate::lower::{LowerOptions, lower};
use crate::parse::parse;
use crate::producer::{Family, Producer};
use crate::read::CustomDefs;
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use tfjs_manifest::Limits;

#[track_caller]
fn check(model: &Value, width: Option<usize>, table: &Expect) {
    let producer = Producer::of(Family::Keras2);
    let def = parse(model, producer, &CustomDefs::default(), &Limits::default()).unwrap();
    let graph = lower(&def, &LowerOptions::default()).unwrap().graph;
    table.assert_eq(&summary(&def, &graph, width));
}

fn layer(class: &str, name: &str, mut config: Value, nodes: &Value) -> Value {
    config["name"] = name.into();
    json!({ "class_name": class, "name": name, "config": config, "inbound_nodes": nodes })
}

fn sequential() -> Value {
    json!({ "class_name": "Sequential", "config": { "name": "s", "layers": [
        { "class_name": "InputLayer", "config": { "name": "input_1", "batch_input_shape": [null, 6, 6, 3] } },
        { "class_name": "Conv2D", "config": { "name": "conv2d", "filters": 4, "kernel_size": [3, 3] } },
        { "class_name": "BatchNormalization", "config": { "name": "batch_normalization", "axis": [3] } },
        { "class_name": "Flatten", "config": { "name": "flatten" } },
        { "class_name": "Dense", "config": { "name": "dense", "units": 2 } },
    ] } })
}

#[test]
fn a_chain() {
    check(
        &sequential(),
        None,
        &expect![[r#"
            Model: "s"
            _________________________________________________________________
             Layer (type)                Output Shape              Param #
            =================================================================
             conv2d (Conv2D)             (None, 4, 4, 4)           112

             batch_normalization (Batch  (None, 4, 4, 4)           16
             Normalization)

             flatten (Flatten)           (None, 64)                0

             dense (Dense)               (None, 2)                 130

            =================================================================
            Total params: 258 (1.01 KB)
            Trainable params: 250 (1000.00 Byte)
            Non-trainable params: 8 (32.00 Byte)
            _________________________________________________________________
        "#]],
    );
}

/// Two nested models, a shared layer, states, a frozen layer, a name that is too long for its column.
fn graph() -> Value {
    let inner = json!({ "name": "inner", "layers": [
        { "class_name": "InputLayer", "config": { "name": "input_2", "batch_input_shape": [null, 3] } },
        { "class_name": "Dense", "config": { "name": "inner_dense", "units": 3 } },
    ] });
    let fun = json!({
        "name": "fun",
        "layers": [
            layer("InputLayer", "i", json!({ "batch_input_shape": [null, 3] }), &json!([])),
            layer("Dense", "fd", json!({ "units": 2 }), &json!([[["i", 0, 0, {}]]])),
        ],
        "input_layers": [["i", 0, 0]],
        "output_layers": [["fd", 0, 0]],
    });
    let long = "a_very_long_name_for_a_concatenate_layer";
    let five = json!([[
        ["inner", 1, 0, {}],
        ["fun", 1, 0, {}],
        ["shared_dense", 0, 0, {}],
        ["shared_dense", 1, 0, {}],
        ["lstm", 0, 1, {}]
    ]]);
    let gru = json!({ "class_name": "GRU", "config": { "name": "gru", "units": 3, "reset_after": true } });
    json!({ "class_name": "Functional", "config": {
        "name": "big",
        "layers": [
            layer("InputLayer", "y", json!({ "batch_input_shape": [null, 5, 3] }), &json!([])),
            layer("InputLayer", "x", json!({ "batch_input_shape": [null, 3] }), &json!([])),
            layer("LSTM", "lstm", json!({ "units": 4, "return_sequences": true, "return_state": true }), &json!([[["y", 0, 0, {}]]])),
            layer("Sequential", "inner", inner, &json!([[["x", 0, 0, {}]]])),
            layer("Bidirectional", "bi", json!({ "layer": gru }), &json!([[["lstm", 0, 0, {}]]])),
            layer("Functional", "fun", fun, &json!([[["x", 0, 0, {}]]])),
            layer("Dense", "shared_dense", json!({ "units": 4 }), &json!([[["x", 0, 0, {}]], [["inner", 1, 0, {}]]])),
            layer("Dropout", "drop", json!({ "rate": 0.5 }), &json!([[["bi", 0, 0, {}]]])),
            layer("Concatenate", long, json!({ "axis": -1 }), &five),
            layer("Dense", "frozen", json!({ "units": 3, "trainable": false }), &json!([[["drop", 0, 0, {}]]])),
        ],
        "input_layers": [["x", 0, 0], ["y", 0, 0]],
        "output_layers": [[long, 0, 0], ["frozen", 0, 0], ["lstm", 0, 0]],
    } })
}

#[test]
fn a_graph() {
    check(
        &graph(),
        None,
        &expect![[r#"
            Model: "big"
            __________________________________________________________________________________________________
             Layer (type)                Output Shape                 Param #   Connected to
            ==================================================================================================
             y (InputLayer)              [(None, 5, 3)]               0         []

             x (InputLayer)              [(None, 3)]                  0         []

             lstm (LSTM)                 [(None, 5, 4),               128       ['y[0][0]']
                                          (None, 4),
                                          (None, 4)]

             inner (Sequential)          (None, 3)                    12        ['x[0][0]']

             bi (Bidirectional)          (None, 6)                    162       ['lstm[0][0]']

             fun (Functional)            (None, 2)                    8         ['x[0][0]']

             shared_dense (Dense)        (None, 4)                    16        ['x[0][0]',
                                                                                 'inner[0][0]']

             drop (Dropout)              (None, 6)                    0         ['bi[0][0]']

             a_very_long_name_for_a_con  (None, 17)                   0         ['inner[0][0]',
             catenate_layer (Concatenat                                          'fun[0][0]',
             e)                                                                  'shared_dense[0][0]',
                                                                                 'shared_dense[1][0]',
                                                                                 'lstm[0][1]']

             frozen (Dense)              (None, 3)                    21        ['drop[0][0]']

            ==================================================================================================
            Total params: 347 (1.36 KB)
            Trainable params: 326 (1.27 KB)
            Non-trainable params: 21 (84.00 Byte)
            __________________________________________________________________________________________________
        "#]],
    );
}

#[test]
fn width_zero_still_has_columns() {
    let producer = Producer::of(Family::Keras2);
    let def = parse(&sequential(), producer, &CustomDefs::default(), &Limits::default()).unwrap();
    let graph = lower(&def, &LowerOptions::default()).unwrap().graph;
    for width in [0, 1, 40, 10_000] {
        let table = summary(&def, &graph, Some(width));
        assert!(table.lines().skip(1).take(1).all(|rule| rule.len() == width.max(40)), "{table}");
        assert!(table.contains("258"), "{table}");
    }
}

#[test]
fn names_do_not_act_on_a_terminal() {
    let name = "a\u{202e}b\n\u{9b}2J";
    let model = json!({ "class_name": "Sequential", "config": { "name": name, "layers": [
        { "class_name": "Flatten", "config": { "name": name, "batch_input_shape": [null, 2] } },
    ] } });
    let def = parse(&model, Producer::of(Family::Keras2), &CustomDefs::default(), &Limits::default()).unwrap();
    let graph = lower(&def, &LowerOptions::default()).unwrap().graph;
    let table = summary(&def, &graph, Some(200));
    assert_eq!(table.matches(r"a\u{202e}b\n\u{9b}2J").count(), 2, "{table}");
    assert!(!table.chars().any(|c| c != '\n' && tfjs_manifest::text::acts(c)), "{table:?}");
}
