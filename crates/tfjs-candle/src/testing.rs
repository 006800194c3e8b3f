//! The one door tests of running halves go through: both halves of a layer, from its configuration.

use crate::custom::CustomLayers;
use crate::run::{RunCx, run};
use crate::value::Value;
use candle_core::{Device, Tensor};
use serde_json::Value as Json;
use tfjs_manifest::Result;
use tfjs_topology::call::Call;
use tfjs_topology::graph::Callee;
use tfjs_topology::producer::{Family, Producer};
use tfjs_topology::read::ReadCx;
use tfjs_topology::registry::Layer;
use tfjs_topology::types::{SymShape, TensorType};

/// Values in row-major order.
pub(crate) fn tensor(dims: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_slice(values, dims, &Device::Cpu).expect("as many values as the dimensions say")
}

/// `start, start + 1, ...`.
pub(crate) fn counting(dims: &[usize], start: f32) -> Tensor {
    let values: Vec<f32> = (0..dims.iter().product::<usize>()).map(|i| start + i as f32).collect();
    tensor(dims, &values)
}

/// A value with a `[batch, time]` mask.
pub(crate) fn masked(x: Tensor, mask: &[&[u8]]) -> Value {
    let rows: Vec<Vec<u8>> = mask.iter().map(|row| row.to_vec()).collect();
    Value::new(x).with_mask(Some(Tensor::new(rows, &Device::Cpu).expect("rows of one length")))
}

/// Runs a layer, in training or not, and checks that what comes out is what the description promised, and that
/// the weights are what it asked for.
#[track_caller]
pub(crate) fn run_layer(
    (family, class, config): (Family, &str, Json),
    inputs: &[Value],
    weights: &[Tensor],
    training: bool,
) -> Result<Value> {
    let map = config.as_object().expect("a configuration is an object");
    let layer = Layer::read(class, map, &ReadCx::new(&Producer::of(family)))?.layer;
    let shape = |dims: &[usize]| SymShape(dims.iter().copied().map(Some).collect());
    let types = Call::of(inputs.iter().map(|v| TensorType::float(shape(v.dims()))));
    let promised = layer.def().infer(&types)?;
    let asked: Vec<Vec<usize>> = layer.def().weights(&types)?.iter().map(|w| w.shape.dims().to_vec()).collect();
    assert_eq!(asked, weights.iter().map(|w| w.dims().to_vec()).collect::<Vec<_>>(), "the weights");
    let custom = CustomLayers::new();
    let cx = RunCx { weights, training, custom: &custom };
    let mut outputs = run(&Callee::Layer(layer), &cx, &Call::of(inputs.iter().cloned()))?;
    assert_eq!(outputs.iter().map(|v| shape(v.dims())).collect::<Vec<_>>(), [promised[0].shape.clone()]);
    Ok(outputs.remove(0))
}

/// The flat values a layer computes, to within rounding.
#[track_caller]
pub(crate) fn check_run(class: &str, config: Json, inputs: &[Value], weights: &[Tensor], expect: &[f32]) {
    check_run_of((Family::Keras2, class, config), inputs, weights, expect);
}

/// As [`check_run`], for a producer.
#[track_caller]
pub(crate) fn check_run_of(layer: (Family, &str, Json), inputs: &[Value], weights: &[Tensor], expect: &[f32]) {
    check_close(run_layer(layer, inputs, weights, false).unwrap().tensor().unwrap(), expect);
}

/// The flat values of a tensor, to within rounding; NaN is NaN.
#[track_caller]
pub(crate) fn check_close(found: &Tensor, expect: &[f32]) {
    let found: Vec<f32> = found.flatten_all().and_then(|t| t.to_vec1()).unwrap();
    let near = |a: &f32, b: &f32| a == b || (a - b).abs() <= 1e-5 * (1.0 + b.abs()) || (a.is_nan() && b.is_nan());
    let all = found.len() == expect.len() && found.iter().zip(expect).all(|(a, b)| near(a, b));
    assert!(all, "expected {expect:?}, found {found:?}");
}
