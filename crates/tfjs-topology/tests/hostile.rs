//! Topologies and manifests that are expensive to parse: large numbers of layers, very long names, calls
//! that list everything. Large inputs must be parsed in linear time; the others must be rejected.

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tfjs_manifest::{Error, Kind, Limits, Result, WeightsManifest};
use tfjs_topology::bind::{Binding, Bound};
use tfjs_topology::graph::ModelGraph;
use tfjs_topology::lower::{LowerOptions, lower};
use tfjs_topology::parse::parse;
use tfjs_topology::producer::{Family, Producer};
use tfjs_topology::read::CustomDefs;

/// Far more than the linear time of any of these on a slow machine, and far less than quadratic time.
const LONG: Duration = Duration::from_secs(60);

fn graph(topology: &Value, limits: &Limits) -> Result<ModelGraph> {
    let def = parse(topology, Producer::of(Family::Keras2), &CustomDefs::default(), limits)?;
    lower(&def, &LowerOptions { limits: limits.clone(), ..LowerOptions::default() }).map(|model| model.graph)
}

fn bind(topology: &Value, weights: &[Value], limits: &Limits) -> Result<(ModelGraph, Binding)> {
    let manifest = json!([{"paths": ["w.bin"], "weights": weights}]);
    let manifest = WeightsManifest::from_value(&manifest, limits)?;
    let graph = graph(topology, limits)?;
    let binding = graph.bind(Some(&manifest), true)?;
    Ok((graph, binding))
}

fn weight(name: &str) -> Value {
    json!({"name": name, "shape": [1, 1], "dtype": "float32"})
}

fn input(name: &str) -> Value {
    json!({"class_name": "InputLayer", "name": name, "inbound_nodes": [],
           "config": {"name": name, "batch_input_shape": [null, 1]}})
}

/// A layer with one weight.
fn dense(name: &str, from: &str) -> Value {
    json!({"class_name": "Dense", "name": name, "inbound_nodes": [[[from, 0, 0, {}]]],
           "config": {"name": name, "units": 1, "use_bias": false}})
}

fn functional(name: &str, layers: &[Value], output: &str) -> Value {
    json!({"class_name": "Functional", "config": {"name": name, "layers": layers,
           "input_layers": [["x", 0, 0]], "output_layers": [[output, 0, 0]]}})
}

fn alone(layer: &str) -> Value {
    functional("m", &[input("x"), dense(layer, "x")], layer)
}

#[track_caller]
fn check_refused<T>(result: Result<T>, since: Instant, kind: Kind, says: &str) -> Error {
    let error = result.err().expect("this is to be refused");
    assert!(since.elapsed() < LONG, "{:?}", since.elapsed());
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(says), "expected `{says}` in: {text}");
    assert!(text.len() < 100_000, "a message of {} bytes", text.len());
    error
}

#[test]
fn a_hundred_thousand_layers_in_the_worst_order() {
    const COUNT: usize = 100_000;
    let mut limits = Limits::default();
    (limits.layers, limits.nodes, limits.model_bytes) = (2 * COUNT as u64, 2 * COUNT as u64, 2 << 30);
    // Every layer takes the output of the next one in the file.
    let name = |i: usize| format!("dense_{i}");
    let from = |i: usize| if i + 1 == COUNT { "x".to_owned() } else { name(i + 1) };
    let layers: Vec<Value> = std::iter::once(input("x")).chain((0..COUNT).map(|i| dense(&name(i), &from(i)))).collect();
    let weights: Vec<Value> = (0..COUNT).map(|i| weight(&format!("{}/kernel", name(i)))).collect();
    let topology = functional("m", &layers, &name(0));
    let start = Instant::now();
    let (graph, binding) = bind(&topology, &weights, &limits).unwrap();
    assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    assert_eq!((graph.nodes.len(), graph.slots.len()), (COUNT, COUNT));
    assert!(binding.slots.iter().all(|slot| matches!(slot, Bound::Tensor(..))));
}

#[test]
fn weights_that_all_have_other_names() {
    let layers: Vec<Value> =
        std::iter::once(input("x")).chain((0..5_000).map(|i| dense(&format!("{i}{}", "a".repeat(90)), "x"))).collect();
    let topology = functional("m", &layers, &format!("0{}", "a".repeat(90)));
    let weights: Vec<Value> = (0..100_000).map(|i| weight(&format!("{i}{}", "b".repeat(90)))).collect();
    let start = Instant::now();
    check_refused(
        bind(&topology, &weights, &Limits::default()),
        start,
        Kind::Mismatch,
        "5000 of 5000 weights are missing",
    );
}

#[test]
fn names_of_weights_as_long_as_a_file_may_be() {
    let start = Instant::now();
    let result = bind(&alone("d"), &[weight(&"a".repeat(20 << 20))], &Limits::default());
    check_refused(result, start, Kind::Mismatch, "weight `d/kernel`");
}

#[test]
fn names_of_layers_as_long_as_a_file_may_be() {
    let start = Instant::now();
    let says = "limit `name_chars`: allowed 1024, asked 20971520";
    check_refused(graph(&alone(&"a".repeat(20 << 20)), &Limits::default()), start, Kind::Limit, says);
    graph(&alone(&"é".repeat(1024)), &Limits::default()).unwrap();
    let class = json!({"class_name": "D".repeat(20 << 20), "config": {"name": "d"}});
    let topology = functional("m", &[input("x"), class], "d");
    check_refused(graph(&topology, &Limits::default()), start, Kind::Unsupported, "unknown layer class");
    let mut lost = dense("d", "x");
    lost["inbound_nodes"][0][0][0] = json!("y".repeat(20 << 20));
    let topology = functional("m", &[input("x"), lost], "d");
    check_refused(graph(&topology, &Limits::default()), start, Kind::Malformed, "is not in the model");
}

/// Each name is short enough, but every layer's path would contain all of them.
#[test]
fn names_of_models_inside_each_other_are_counted_together() {
    let mut model = alone("d");
    for i in 0..20 {
        model["name"] = json!(format!("{i}{}", "m".repeat(100)));
        model["inbound_nodes"] = json!([[["x", 0, 0, {}]]]);
        let name = model["name"].as_str().unwrap().to_owned();
        model = functional("m", &[input("x"), model], &name);
    }
    let start = Instant::now();
    check_refused(graph(&model, &Limits::default()), start, Kind::Limit, "limit `name_chars");
}

#[test]
fn unknown_classes_by_the_thousand() {
    let odd = |i: usize| json!({"class_name": format!("Dens{i}"), "config": {"name": format!("d{i}")}});
    let layers: Vec<Value> = std::iter::once(input("x")).chain((0..9_000).map(odd)).collect();
    let start = Instant::now();
    let result = graph(&functional("m", &layers, "d0"), &Limits::default());
    let error = check_refused(result, start, Kind::Unsupported, "`Dens0`; did you mean `Dense`?");
    assert_eq!(error.details().len(), 101);
}

/// TensorFlow.js ignores the numbers of Keras's cells, so a name with one more part is tried too, but only for weights
/// of the model.
#[test]
fn weights_of_an_optimizer_are_never_a_layers() {
    let lstm = json!({"class_name": "LSTM", "name": "l", "inbound_nodes": [[["x", 0, 0, {}]]],
                      "config": {"name": "l", "units": 1}});
    let mut x = input("x");
    x["config"]["batch_input_shape"] = json!([null, 2, 1]);
    let topology = functional("m", &[x, lstm], "l");
    let named = |group: Value| {
        let weights = [("kernel", json!([1, 4])), ("recurrent_kernel", json!([1, 4])), ("bias", json!([4]))];
        weights.map(|(name, shape)| {
            json!({"name": format!("l/lstm_cell_7/{name}"), "shape": shape, "dtype": "float32", "group": group})
        })
    };
    bind(&topology, &named(Value::Null), &Limits::default()).unwrap();
    let start = Instant::now();
    let result = bind(&topology, &named(json!("optimizer")), &Limits::default());
    check_refused(result, start, Kind::Mismatch, "`lstm_cell/kernel` [1,4]");
}
