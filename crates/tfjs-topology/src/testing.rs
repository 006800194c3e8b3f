//! The one door layer tests go through, so that a change of the traits touches this file only.

use crate::call::Call;
use crate::layer::WeightDecl;
use crate::lower::LowerCx;
use crate::producer::{Family, Producer};
use crate::read::ReadCx;
use crate::registry::Layer;
use crate::types::TensorType;
use serde_json::Value;
use tfjs_manifest::Result;

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

/// The output shapes for these input shapes.
#[track_caller]
pub(crate) fn check_infer(class: &str, config: Value, inputs: &[&str], outputs: &[&str]) {
    let layer = read_layer(class, config).unwrap();
    let found: Vec<String> = layer.def().infer(&call(inputs)).unwrap().iter().map(|t| t.shape.to_string()).collect();
    let expect: Vec<String> = outputs.iter().map(|shape| format!("[{shape}]")).collect();
    assert_eq!(found, expect);
    let (types, _) = LowerCx::alone(layer.def(), &call(inputs)).unwrap();
    let found: Vec<String> = types.iter().map(|t| t.shape.to_string()).collect();
    assert_eq!(found, expect, "lowered");
}

/// The weights for these input shapes, as `scope/kernel[3,8]`.
#[track_caller]
pub(crate) fn check_weights(class: &str, config: Value, inputs: &[&str], weights: &[&str]) {
    let layer = read_layer(class, config).unwrap();
    let text = |w: &WeightDecl| {
        let scopes: String = w.scope.iter().map(|s| format!("{}/", s.name)).collect();
        format!("{scopes}{}{}", w.name, w.shape)
    };
    let declared = layer.def().weights(&call(inputs)).unwrap();
    assert_eq!(declared.iter().map(text).collect::<Vec<_>>(), weights);
    let (_, lowered) = LowerCx::alone(layer.def(), &call(inputs)).unwrap();
    assert_eq!(lowered, declared, "lowered");
}

/// The message with which reading, inference or the weights refuse.
#[track_caller]
pub(crate) fn check_refused(class: &str, config: Value, inputs: &[&str], message: &str) {
    let call = call(inputs);
    let layer = read_layer(class, config);
    if let Ok(layer) = &layer {
        let error = LowerCx::alone(layer.def(), &call).expect_err("this is to be refused when lowered");
        assert_eq!(error.to_string(), message, "lowered");
    }
    let error = layer
        .and_then(|layer| {
            layer.def().infer(&call)?;
            layer.def().weights(&call)
        })
        .expect_err("this is to be refused");
    assert_eq!(error.to_string(), message);
}
