//! Helpers for tests of whole models: builds them from a short form, lowers them, and shows them as text.

use super::{LowerOptions, Model, lower};
use crate::parse::parse;
use crate::producer::{Family, Producer};
use crate::read::CustomDefs;
use expect_test::Expect;
use serde_json::{Value, json};
use tfjs_manifest::{Limits, Result};

/// A layer of a functional model: its name, its class, its configuration, and its calls as Keras 2 writes them.
pub(crate) type Layer<'a> = (&'a str, &'a str, Value, Value);

/// Lowers a functional model; its output is that of the last layer's first call.
pub(crate) fn functional(family: Family, inputs: &[(&str, Value)], layers: &[Layer<'_>]) -> Result<Model> {
    let input = |(name, shape): &(&str, Value)| {
        json!({"class_name": "InputLayer", "name": name, "config": {"name": name, "batch_input_shape": shape},
            "inbound_nodes": []})
    };
    let layer = |(name, class, config, nodes): &Layer<'_>| {
        let mut config = config.clone();
        config["name"] = json!(name);
        json!({"class_name": class, "name": name, "config": config, "inbound_nodes": nodes})
    };
    let all: Vec<Value> = inputs.iter().map(input).chain(layers.iter().map(layer)).collect();
    let ports: Vec<Value> = inputs.iter().map(|(name, _)| json!([name, 0, 0])).collect();
    let last = layers.last().expect("a model of at least one layer").0;
    let config = json!({"name": "m", "layers": all, "input_layers": ports, "output_layers": [[last, 0, 0]]});
    let topology = json!({"class_name": "Functional", "config": config});
    let def = parse(&topology, Producer::of(family), &CustomDefs::default(), &Limits::default())?;
    let model = lower(&def, &LowerOptions::default())?;
    tfjs_ir::verify::verify(&model.program)?;
    Ok(model)
}

/// Checks the text of the program of a Keras 2 model.
#[track_caller]
pub(crate) fn check_program(inputs: &[(&str, Value)], layers: &[Layer<'_>], expect: &Expect) {
    expect.assert_eq(&functional(Family::Keras2, inputs, layers).unwrap().program.to_string());
}

/// Checks the type of the output of a Keras 2 model, with every dimension written out.
#[track_caller]
pub(crate) fn check_type(inputs: &[(&str, Value)], layers: &[Layer<'_>], ty: &str) {
    let program = functional(Family::Keras2, inputs, layers).unwrap().program;
    assert_eq!(program.ty(program.body.results[0]).describe(&program.dims), ty);
}

/// [`check_type`], and checks the guards of the program.
#[track_caller]
pub(crate) fn check_guarded(inputs: &[(&str, Value)], layers: &[Layer<'_>], ty: &str, guards: &[&str]) {
    check_type(inputs, layers, ty);
    let program = functional(Family::Keras2, inputs, layers).unwrap().program;
    let found: Vec<String> = program.guards.iter().map(|guard| guard.check.describe(&program.dims)).collect();
    assert_eq!(found, guards);
}
