//! The networks of `tests/goldens/networks`, as Keras writes them: every step has a kernel, and their number is fixed.

use crate::native::select::Selection;
use crate::native::{NativePlan, dump};
use std::path::PathBuf;
use std::sync::Arc;
use tfjs_manifest::{Limits, ModelJson};
use tfjs_topology::lower::{LowerOptions, lower};
use tfjs_topology::parse::parse;
use tfjs_topology::producer::Producer;
use tfjs_topology::read::CustomDefs;

fn select(name: &str) -> Arc<Selection> {
    let file: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "../../tests/goldens/networks", &format!("{name}.json")].iter().collect();
    let limits = Limits::default();
    let json = ModelJson::from_slice(&std::fs::read(file).unwrap(), &limits).unwrap();
    let producer = Producer::detect(json.keras_version(), None, json.topology());
    let def = parse(json.model_config(), producer, &CustomDefs::default(), &limits).unwrap();
    let model = lower(&def, &LowerOptions::default()).unwrap();
    NativePlan::select(&model.program).unwrap()
}

/// Checks the number of steps of a network's plan, and that each has a kernel: none runs in the interpreter or calls a
/// custom layer. MobileNetV2, for example, has 52 convolutions, one mean and one matrix product; batch normalization,
/// activations and residuals are fused into them.
#[track_caller]
fn check(name: &str, steps: usize) {
    let selection = select(name);
    assert_eq!(selection.reference_layers(), [""; 0]);
    assert_eq!(selection.opaque_layers(), [""; 0]);
    assert_eq!(dump::count(&selection), steps, "steps of {name}");
}

#[test]
fn mobilenet_v2() {
    check("mobilenet_v2", 54);
}

#[test]
fn resnet50() {
    check("resnet50", 57);
}

#[test]
fn densenet121() {
    check("densenet121", 247);
}

#[test]
fn inception_v3() {
    check("inception_v3", 124);
}

#[test]
fn a_bidirectional_network_with_masks() {
    check("bilstm", 13);
}

#[test]
fn a_u_net_for_pictures_of_any_size() {
    check("unet", 27);
}

#[test]
fn recurrent_layers_of_512_units() {
    check("lstm_2x512", 4);
}

#[test]
fn a_perceptron_of_two_layers() {
    check("mlp", 2);
}

#[test]
fn attention_of_three_kinds_with_masks() {
    check("transformer", 64);
}
