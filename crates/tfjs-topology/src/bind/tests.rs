//! Tests of binding, and of its reports on weights that do not match.

use super::*;
use crate::lower::{LowerOptions, lower};
use crate::parse::parse;
use crate::producer::{Backend, Family, Producer};
use crate::read::CustomDefs;
use serde_json::{Value, json};
use tfjs_manifest::{Kind, Limits};

fn graph(topology: &Value) -> ModelGraph {
    let def = parse(topology, Producer::of(Family::Keras2), &CustomDefs::default(), &Limits::default()).unwrap();
    lower(&def, &LowerOptions::default()).unwrap().graph
}

fn dense(name: &str, units: usize) -> Value {
    json!({"class_name": "Dense", "config": {"name": name, "units": units}})
}

fn norm(name: &str) -> Value {
    json!({"class_name": "BatchNormalization", "config": {"name": name}})
}

/// A Sequential whose input is two numbers.
fn sequential(mut layers: Vec<Value>) -> Value {
    layers[0]["config"]["batch_input_shape"] = json!([null, 2]);
    json!({"class_name": "Sequential", "config": {"name": "m", "layers": layers}})
}

fn bind(topology: &Value, weights: &[(&str, &[usize])], strict: bool) -> Result<(ModelGraph, Binding)> {
    let weights: Vec<Value> =
        weights.iter().map(|(name, shape)| json!({"name": name, "shape": shape, "dtype": "float32"})).collect();
    let manifest = json!([{"paths": ["w.bin"], "weights": weights}]);
    let manifest = WeightsManifest::from_value(&manifest, &Limits::default()).unwrap();
    let graph = graph(topology);
    let binding = graph.bind(Some(&manifest), strict)?;
    Ok((graph, binding))
}

/// The lines of the report.
fn lines(topology: &Value, weights: &[(&str, &[usize])]) -> Vec<String> {
    let error = bind(topology, weights, true).unwrap_err();
    assert_eq!(error.kind(), Kind::Mismatch);
    match error.details() {
        [] => vec![error.to_string()],
        details => details.iter().map(ToString::to_string).collect(),
    }
}

/// For each weight of the model, the position in the file of the tensor that is bound to it.
fn bound(topology: &Value, weights: &[(&str, &[usize])]) -> Vec<(String, usize)> {
    let (graph, binding) = bind(topology, weights, true).unwrap();
    let index = |bound: &Bound| bound.tensors().first().expect("no weight is filled").index;
    graph.slots.iter().zip(&binding.slots).map(|(slot, bound)| (path(&graph, slot), index(bound))).collect()
}

#[test]
fn layers_that_the_converter_loses() {
    let model = sequential(vec![dense("c", 3), norm("c/bn"), dense("d", 3), norm("d/bn"), dense("out", 1)]);
    let weights: &[(&str, &[usize])] = &[
        ("c/kernel", &[2, 3]),
        ("c/bias", &[3]),
        ("d/kernel", &[3, 3]),
        ("d/bias", &[3]),
        ("out/kernel", &[3, 1]),
        ("out/bias", &[1]),
    ];
    assert_eq!(
        lines(&model, weights),
        [
            "8 of 14 weights are missing: the file does not have them: the converter loses a layer whose name continues \
             another layer's name with a slash, which 2 of the layers do: rename them, with `_` in place of `/`, and \
             convert again",
            "layer `c/bn`: the file has none of its weights: `gamma` [3], `beta` [3], `moving_mean` [3], \
             `moving_variance` [3]",
            "layer `d/bn`: the file has none of its weights: `gamma` [3], `beta` [3], `moving_mean` [3], \
             `moving_variance` [3]",
        ]
    );
}

#[test]
fn numbers_of_a_running_process() {
    let model = sequential(vec![dense("dense", 3), dense("dense_1", 3)]);
    let weights: &[(&str, &[usize])] =
        &[("dense_4/kernel", &[2, 3]), ("dense_4/bias", &[3]), ("dense_5/kernel", &[3, 3]), ("dense_5/bias", &[3])];
    let lines = lines(&model, weights);
    assert!(
        lines[0].starts_with("4 of 4 weights are missing") && lines[0].contains("running Python process"),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("layer `dense`: ") && lines[1].ends_with("the nearest left over is `dense_4`"),
        "{lines:?}"
    );
    assert!(lines[2].ends_with("the nearest left over is `dense_5`"), "{lines:?}");
    assert!(lines[4].starts_with("weight `dense_4`: ") && lines[4].ends_with("missing is `dense`"), "{lines:?}");
    assert_eq!(lines.len(), 6);
}

#[test]
fn a_number_behind_the_whole_name() {
    let model = sequential(vec![dense("dense_1", 3), dense("dense_2", 1)]);
    let weights: &[(&str, &[usize])] = &[
        ("dense_1_15/kernel", &[2, 3]),
        ("dense_1_15/bias", &[3]),
        ("dense_2/kernel", &[3, 1]),
        ("dense_2/bias", &[1]),
    ];
    let lines = lines(&model, weights);
    assert!(lines[0].starts_with("2 of 4 weights") && lines[1].ends_with("over is `dense_1_15`"), "{lines:?}");
}

/// Other numbers, other shapes and names of other layers are not suggested.
#[test]
fn implausible_names_are_not_suggested() {
    let none = |model: &Value, weights: &[(&str, &[usize])]| {
        let lines = lines(model, weights);
        assert!(!lines.iter().any(|line| line.contains("nearest")), "{lines:?}");
    };
    // The model has one layer fewer than the file, so it is unknown which one is meant.
    let three: &[(&str, &[usize])] =
        &[("dense_4/kernel", &[2, 2]), ("dense_4/bias", &[2]), ("dense_5/kernel", &[2, 2]), ("dense_5/bias", &[2])];
    none(&sequential(vec![dense("dense", 2)]), three);
    // Different offsets.
    let uneven: &[(&str, &[usize])] =
        &[("dense_4/kernel", &[2, 2]), ("dense_4/bias", &[2]), ("dense_6/kernel", &[2, 2]), ("dense_6/bias", &[2])];
    none(&sequential(vec![dense("dense", 2), dense("dense_1", 2)]), uneven);
    none(&sequential(vec![dense("dense", 2)]), &[("dense_4/kernel", &[2, 3]), ("dense_4/bias", &[3])]);
    // `dense_1` is a layer of the model, whose weights in the file have another variable name.
    let owned: &[(&str, &[usize])] = &[("dense_1/w", &[2, 2]), ("dense_1/kernel", &[2, 2]), ("dense_1/bias", &[2])];
    none(&sequential(vec![dense("dense", 2), dense("dense_1", 2)]), owned);
}

#[test]
fn similar_names_are_suggested_to_each_other() {
    let model = sequential(vec![dense("features", 2), dense("scores", 2)]);
    let weights: &[(&str, &[usize])] =
        &[("feature/kernel", &[2, 2]), ("feature/bias", &[2]), ("score/kernel", &[2, 2]), ("score/bias", &[2])];
    let lines = lines(&model, weights);
    assert!(lines[1].ends_with("is `feature`") && lines[2].ends_with("is `score`"), "{lines:?}");
}

#[test]
fn the_weights_of_another_model() {
    let weights: &[(&str, &[usize])] = &[("conv2d/kernel", &[3, 3, 1, 4]), ("conv2d/bias", &[4])];
    let lines = lines(&sequential(vec![dense("d", 2)]), weights);
    assert!(lines[0].contains("these are the weights of another model"), "{lines:?}");
}

#[test]
fn a_prefix_that_no_model_has() {
    let weights: &[(&str, &[usize])] = &[("other/d/kernel", &[2, 2]), ("other/d/bias", &[2])];
    let lines = lines(&sequential(vec![dense("d", 2)]), weights);
    assert!(lines[0].contains("the file's names start with `other/`"), "{lines:?}");
}

/// TensorFlow.js looks up every weight by its name without the second last part.
#[test]
fn names_with_a_part_too_many() {
    let weights: &[(&str, &[usize])] = &[("d/inner_3/kernel", &[2, 2]), ("d/bias", &[2])];
    let bound = bound(&sequential(vec![dense("d", 2)]), weights);
    assert_eq!(bound, [("d/kernel".to_owned(), 0), ("d/bias".to_owned(), 1)]);
    // Another layer has exactly this name.
    let model = sequential(vec![dense("d", 2), dense("d/e", 2)]);
    let weights: &[(&str, &[usize])] = &[("d/e/kernel", &[2, 2]), ("d/e/bias", &[2]), ("d/bias", &[2])];
    assert!(lines(&model, weights)[0].starts_with("weight `d/kernel`: the file has no weight for it"));
}

/// Two parallel models `a` and `b` with a layer `d` each, followed by a layer `out`.
fn towers(units: [usize; 2], trainable: bool) -> Value {
    let input = |name: &str| {
        json!({"class_name": "InputLayer", "name": name, "inbound_nodes": [],
               "config": {"name": name, "batch_input_shape": [null, 2]}})
    };
    let tower = |name: &str, units: usize| {
        let layer = json!({"class_name": "Dense", "name": "d", "inbound_nodes": [[["i", 0, 0, {}]]],
            "config": {"name": "d", "units": units, "use_bias": false, "trainable": trainable || name == "b"}});
        json!({"class_name": "Functional", "name": name, "inbound_nodes": [[["x", 0, 0, {}]]],
               "config": {"name": name, "layers": [input("i"), layer], "input_layers": [["i", 0, 0]],
                          "output_layers": [["d", 0, 0]]}})
    };
    let out = json!({"class_name": "Dense", "name": "out", "inbound_nodes": [[["both", 0, 0, {}]]],
                     "config": {"name": "out", "units": 1, "use_bias": false}});
    let both = json!({"class_name": "Concatenate", "name": "both", "config": {"name": "both"},
                      "inbound_nodes": [[["a", 1, 0, {}], ["b", 1, 0, {}]]]});
    json!({"class_name": "Functional", "config": {"name": "m",
        "layers": [input("x"), tower("a", units[0]), tower("b", units[1]), both, out],
        "input_layers": [["x", 0, 0]], "output_layers": [["out", 0, 0]]}})
}

#[track_caller]
fn check_towers(topology: &Value, weights: &[(&str, &[usize])], expect: [usize; 3]) {
    let bound = bound(topology, weights);
    let names: Vec<&str> = bound.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a/d/kernel", "b/d/kernel", "out/kernel"]);
    assert_eq!(bound.iter().map(|(_, index)| *index).collect::<Vec<_>>(), expect);
}

/// A name and a shape.
type Weight = (&'static str, &'static [usize]);

#[test]
fn repeated_names_are_taken_in_the_order_of_the_layers() {
    let (d, out): (Weight, Weight) = (("d/kernel", &[2, 3]), ("out/kernel", &[6, 1]));
    check_towers(&towers([3, 3], true), &[d, d, out], [0, 1, 2]);
    let (_, binding) = bind(&towers([3, 3], true), &[d, d, out], true).unwrap();
    let warnings = binding.warnings.to_lines();
    assert_eq!(
        warnings[1],
        "weight `d/kernel` was taken for `b/d/kernel` by the order of the layers: several weights have this name"
    );
    // TensorFlow.js writes trainable weights first; the position of `out` shows it.
    check_towers(&towers([3, 3], false), &[d, out, d], [2, 0, 1]);
    // Shapes distinguish them in any order.
    let narrow: (&str, &[usize]) = ("d/kernel", &[2, 4]);
    check_towers(&towers([3, 4], true), &[("out/kernel", &[7, 1]), narrow, ("d/kernel", &[2, 3])], [2, 1, 0]);
}

#[test]
fn repeated_names_in_no_order_are_refused() {
    let (d, out): (Weight, Weight) = (("d/kernel", &[2, 3]), ("out/kernel", &[6, 1]));
    let says = |weights: &[(&str, &[usize])], trainable| {
        let lines = lines(&towers([3, 3], trainable), weights);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines[0].clone()
    };
    let times = "weight `d/kernel`: is 2 times in the file and fits 2 of the model's weights, `a/d/kernel` and \
                 `b/d/kernel`; which is which cannot be told";
    // The weights of a frozen part are at the end of the file, but it is unknown which part was frozen.
    assert!(says(&[d, out, d], true).starts_with(times));
    assert!(says(&[d, d, d, out], true).contains("is 3 times in the file"));
}

/// What each weight of a model of Keras 1 is made of, by places in the file; `turned` for a kernel turned around.
#[track_caller]
fn bound_keras1(theano: bool, layers: Value, weights: &[(&str, &[usize])]) -> Vec<(String, Vec<usize>, Vec<usize>)> {
    let topology = json!({"class_name": "Sequential", "config": layers});
    let backend = Some(if theano { Backend::Theano } else { Backend::TensorFlow });
    let producer = Producer { backend, ..Producer::of(Family::Keras1) };
    let def = parse(&topology, producer, &CustomDefs::default(), &Limits::default()).unwrap();
    let graph = lower(&def, &LowerOptions::default()).unwrap().graph;
    let weights: Vec<Value> =
        weights.iter().map(|(name, shape)| json!({"name": name, "shape": shape, "dtype": "float32"})).collect();
    let manifest = json!([{"paths": ["w.bin"], "weights": weights}]);
    let binding = graph.bind(Some(&WeightsManifest::from_value(&manifest, &Limits::default()).unwrap()), true).unwrap();
    let one = |(slot, bound): (&WeightSlot, &Bound)| {
        let reversed = match bound {
            Bound::Assembled(_, assembly, _) => assembly.reversed.clone(),
            _ => Vec::new(),
        };
        (slot.name(), bound.tensors().iter().map(|id| id.index).collect(), reversed)
    };
    graph.slots.iter().zip(&binding.slots).map(one).collect()
}

#[test]
fn weights_of_keras_1() {
    let layers = json!([
        {"class_name": "Convolution1D", "config": {"name": "c", "nb_filter": 3, "filter_length": 2,
            "batch_input_shape": [null, 5, 4]}},
        {"class_name": "Bidirectional", "config": {"name": "b", "layer": {"class_name": "GRU", "config":
            {"name": "g", "output_dim": 2}}}},
        {"class_name": "Dense", "config": {"name": "d", "output_dim": 1, "bias": false}},
    ]);
    let mut weights: Vec<(String, Vec<usize>)> = vec![("c_W:0".into(), vec![2, 1, 4, 3]), ("c_b:0".into(), vec![3])];
    for direction in ["forward", "backward"] {
        for gate in ["z", "r", "h"] {
            for (name, shape) in [("W", vec![3, 2]), ("U", vec![2, 2]), ("b", vec![2])] {
                weights.push((format!("{direction}_g_{name}_{gate}:0"), shape));
            }
        }
    }
    weights.push(("d/d_W:0".into(), vec![4, 1]));
    let weights: Vec<(&str, &[usize])> = weights.iter().map(|(name, shape)| (name.as_str(), &shape[..])).collect();
    let entry = |name: &str, parts: &[usize], turned: &[usize]| (name.to_string(), parts.to_vec(), turned.to_vec());
    let expect = |turned: &[usize]| {
        vec![
            entry("c/kernel", &[0], turned),
            entry("c/bias", &[1], &[]),
            entry("b/forward_g/kernel", &[2, 5, 8], &[]),
            entry("b/forward_g/recurrent_kernel", &[3, 6, 9], &[]),
            entry("b/forward_g/bias", &[4, 7, 10], &[]),
            entry("b/backward_g/kernel", &[11, 14, 17], &[]),
            entry("b/backward_g/recurrent_kernel", &[12, 15, 18], &[]),
            entry("b/backward_g/bias", &[13, 16, 19], &[]),
            entry("d/kernel", &[20], &[]),
        ]
    };
    assert_eq!(bound_keras1(false, layers.clone(), &weights), expect(&[]));
    assert_eq!(bound_keras1(true, layers, &weights), expect(&[0]));
}

#[test]
fn arguments_of_keras_1_and_names_of_keras_2() {
    let layers =
        json!([{"class_name": "LSTM", "config": {"name": "l", "output_dim": 2, "batch_input_shape": [null, 5, 4]}}]);
    let weights: &[(&str, &[usize])] = &[("l/kernel", &[4, 8]), ("l/recurrent_kernel", &[2, 8]), ("l/bias", &[8])];
    let expect = ["l/kernel", "l/recurrent_kernel", "l/bias"];
    let expect: Vec<_> = expect.iter().enumerate().map(|(i, name)| (name.to_string(), vec![i], vec![])).collect();
    assert_eq!(bound_keras1(false, layers, weights), expect);
}

#[test]
fn kernels_of_theano_are_turned_around() {
    let layers = json!([{"class_name": "Conv2D", "config": {"name": "c", "filters": 2, "kernel_size": [3, 2],
        "batch_input_shape": [null, 5, 5, 1]}}]);
    let weights: &[(&str, &[usize])] = &[("c/kernel", &[3, 2, 1, 2]), ("c/bias", &[2])];
    let expect = vec![("c/kernel".to_string(), vec![0], vec![0, 1]), ("c/bias".to_string(), vec![1], vec![])];
    assert_eq!(bound_keras1(true, layers, weights), expect);
}
