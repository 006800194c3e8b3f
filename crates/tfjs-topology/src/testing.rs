//! Helpers for the tests of layers, so that a change of the traits affects only this file.

use crate::call::Call;
use crate::encode::{Encoded, Target, encode};
use crate::layer::WeightDecl;
use crate::lower::{Alone, LowerCx, Phase};
use crate::parse::parse;
use crate::producer::{Family, Producer};
use crate::read::{CustomDefs, ReadCx};
use crate::registry::Layer;
use crate::types::{TensorType, ValueType};
use expect_test::Expect;
use serde_json::{Value, json};
use tfjs_ir::Array;
use tfjs_ir::interpret::{Inputs, Outcome, interpret};
use tfjs_manifest::{Limits, Result};

pub(crate) fn read_layer_of(family: Family, class: &str, config: Value) -> Result<Layer> {
    let map = config.as_object().expect("a configuration is an object").clone();
    Layer::read(class, &map, &ReadCx::new(&Producer::of(family))).map(|read| read.layer)
}

pub(crate) fn read_layer(class: &str, config: Value) -> Result<Layer> {
    read_layer_of(Family::Keras2, class, config)
}

fn call(inputs: &[&str]) -> Call<TensorType> {
    Call::of(inputs.iter().map(|shape| TensorType::float(shape.parse().expect("a shape such as `?,3`"))))
}

/// Checks the output shapes for these input shapes.
#[track_caller]
pub(crate) fn check_infer(class: &str, config: Value, inputs: &[&str], outputs: &[&str]) {
    let layer = read_layer(class, config).unwrap();
    let expect: Vec<String> = outputs.iter().map(|shape| format!("[{shape}]")).collect();
    let (types, _) = LowerCx::alone(layer.def(), &call(inputs)).unwrap();
    let found: Vec<String> = types.iter().map(|t| t.shape.to_string()).collect();
    assert_eq!(found, expect);
}

/// Checks the weights for these input shapes, as `scope/kernel[3,8]`.
#[track_caller]
pub(crate) fn check_weights(class: &str, config: Value, inputs: &[&str], weights: &[&str]) {
    let layer = read_layer(class, config).unwrap();
    let text = |w: &WeightDecl| {
        let scopes: String = w.scope.iter().map(|s| format!("{}/", s.name)).collect();
        format!("{scopes}{}{}", w.name, w.shape)
    };
    let (_, declared) = LowerCx::alone(layer.def(), &call(inputs)).unwrap();
    assert_eq!(declared.iter().map(text).collect::<Vec<_>>(), weights);
}

/// Checks the message with which parsing or lowering fails.
#[track_caller]
pub(crate) fn check_refused(class: &str, config: Value, inputs: &[&str], message: &str) {
    let call = call(inputs);
    let lowered = read_layer(class, config).and_then(|layer| LowerCx::alone(layer.def(), &call).map(|_| ()));
    let error = lowered.expect_err("this is to be refused");
    assert_eq!(error.to_string(), message);
}

/// Checks the program of a layer in prediction. Inputs are `?,5,3`; `?,5,3 masked` with a mask of batch and time;
/// `int32 ?,5`.
#[track_caller]
pub(crate) fn check_program(class: &str, config: Value, inputs: &[&str], program: Expect) {
    check_program_of(Family::Keras2, class, config, inputs, program);
}

/// Checks the program of a layer in prediction, for a producer.
#[track_caller]
pub(crate) fn check_program_of(family: Family, class: &str, config: Value, inputs: &[&str], program: Expect) {
    program.assert_eq(&alone(Phase::Predict, family, class, config, inputs).unwrap().program.to_string());
}

/// Checks the program of a layer in training.
#[track_caller]
pub(crate) fn check_trained(family: Family, class: &str, config: Value, inputs: &[&str], program: Expect) {
    program.assert_eq(&alone(Phase::Train, family, class, config, inputs).unwrap().program.to_string());
}

/// Checks the message with which a layer fails in a phase.
#[track_caller]
pub(crate) fn check_refused_in(phase: Phase, class: &str, config: Value, inputs: &[&str], message: &str) {
    let error = alone(phase, Family::Keras2, class, config, inputs).expect_err("this is to be refused");
    assert_eq!(error.to_string(), message);
}

/// Evaluates a training step of a layer with the interpreter.
#[track_caller]
pub(crate) fn train(
    family: Family,
    (class, config): (&str, Value),
    inputs: &[&str],
    arguments: Vec<Array>,
    weights: Vec<Array>,
) -> Outcome {
    let program = alone(Phase::Train, family, class, config, inputs).unwrap().program;
    interpret(&program, &Inputs { arguments, slots: weights, seed: 7, ..Inputs::default() }).unwrap()
}

fn alone(phase: Phase, family: Family, class: &str, config: Value, inputs: &[&str]) -> Result<Alone> {
    let trainable = config.get("trainable").and_then(Value::as_bool).unwrap_or(true);
    let layer = read_layer_of(family, class, config).unwrap();
    LowerCx::alone_in(phase, trainable, layer.def(), &Call::of(inputs.iter().map(|input| read_input(input))))
}

fn read_input(text: &str) -> (TensorType, bool) {
    let (rest, masked) = text.strip_suffix(" masked").map_or((text, false), |rest| (rest, true));
    let (dtype, shape) = rest.split_once(' ').unwrap_or(("float32", rest));
    let dtype = ValueType::from_keras(dtype).expect("a name of a dtype");
    (TensorType { shape: shape.parse().expect("a shape such as `?,3`"), dtype }, masked)
}

#[track_caller]
pub(crate) fn encoded(family: Family, model: &Value) -> Encoded {
    let def = parse(model, Producer::of(family), &CustomDefs::default(), &Limits::default()).unwrap();
    encode(&def, Target::TensorFlowJs, &Limits::default()).unwrap()
}

/// A Sequential of an input of this shape and one layer.
pub(crate) fn after_input(shape: &Value, class: &str, config: &Value) -> Value {
    let mut config = config.clone();
    config["name"] = "l".into();
    json!({ "class_name": "Sequential", "config": { "name": "s", "layers": [
        { "class_name": "InputLayer", "config": { "name": "x", "batch_input_shape": shape } },
        { "class_name": class, "config": config },
    ] } })
}

/// Checks how these keys of a layer with an input of this shape are written for TensorFlow.js, and the warnings
/// (without the layer's name).
#[track_caller]
pub(crate) fn check_encoded(
    family: Family,
    shape: &Value,
    class: &str,
    config: &Value,
    keys: &Value,
    warnings: &[&str],
) {
    let Encoded { topology, warnings: found } = encoded(family, &after_input(shape, class, config));
    let layer = &topology["config"]["layers"][1];
    for (key, value) in keys.as_object().expect("keys and their values") {
        assert_eq!(layer["config"].get(key).unwrap_or(&Value::Null), value, "`{key}` of {layer}");
    }
    let warnings: Vec<String> = warnings.iter().map(|w| format!("layer `l` ({class}): {w}")).collect();
    assert_eq!(found, warnings);
}
