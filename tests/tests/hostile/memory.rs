//! Small files that become large in memory, each loaded in a child process whose peak memory is measured.

use super::budgets::{as_root, called_often};
use harness::small::{Small, calls, functional, input, layer, sequential};
use serde_json::{Value, json};
use std::process::Command;
use tfjs::{Engine, Input, Kind, Limits, LoadOptions, PredictOptions};

/// Is set in the child process.
const CHILD: &str = "TFJS_TEST_CHILD";

/// Runs `work` in a child process, and checks its peak memory. `test` is the name of the calling test.
#[track_caller]
fn check_peak(test: &str, mebibytes: u64, work: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some() {
        work();
        println!("peak {} kB", peak());
        return;
    }
    let program = std::env::current_exe().unwrap();
    let test = format!("hostile::memory::{test}");
    let child = Command::new(program).args(["--exact", &test, "--nocapture"]).env(CHILD, "1").output().unwrap();
    let out = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{out}{}", String::from_utf8_lossy(&child.stderr));
    let peak = out.split_once("peak ").and_then(|(_, rest)| rest.split_once(" kB")).map(|(kb, _)| kb.parse::<u64>());
    let peak = peak.expect("the child ran the test").unwrap() / 1024;
    assert!(peak <= mebibytes, "expected at most {mebibytes} MiB, found {peak}");
}

/// The peak memory of this process in kB; 0 if the system does not report it.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[track_caller]
fn check_limit(model: &Small, options: LoadOptions, says: &str) {
    let error = model.load_with(options).expect_err("it is too large");
    assert_eq!(error.kind(), Kind::Limit, "{error}");
    assert!(error.to_string().contains(says), "{error}");
}

/// A Flatten with an unused list in its configuration.
fn flatten_with(junk: &Value) -> Value {
    json!({"class_name": "Flatten", "config": {"name": "f", "junk": junk}})
}

#[test]
fn json_is_charged_for_what_it_becomes() {
    check_peak("json_is_charged_for_what_it_becomes", 900, || {
        // Four bytes of text for a list with one value.
        let junk = "[0],".repeat(3_900_000);
        let text = format!("{{\"modelTopology\": {{\"junk\": [{junk}0]}}}}");
        let files = tfjs::parts::io::MemoryFiles::new().with("model.json", text.into_bytes());
        let error = harness::small::load_files(files, LoadOptions::new()).expect_err("it is too large");
        assert_eq!(error.kind(), Kind::Limit, "{error}");
        assert!(error.to_string().contains("model_bytes"), "{error}");
    });
}

#[test]
fn a_configuration_inside_of_many_models_is_kept_once() {
    check_peak("a_configuration_inside_of_many_models_is_kept_once", 400, || {
        let mut inner = flatten_with(&json!(vec![json!([0]); 200_000]));
        for i in 0..24 {
            let first = json!({"class_name": "InputLayer",
                "config": {"name": format!("in{i}"), "batch_input_shape": [null, 2]}});
            inner = json!({"class_name": "Sequential", "config": {"name": format!("m{i}"), "layers": [first, inner]}});
        }
        let model = Small::new(sequential(&inner["config"]["layers"])).manifest(json!([]));
        model.load().expect("it is merely nested");
    });
}

#[test]
fn a_configuration_inside_of_many_wrappers_is_charged() {
    check_peak("a_configuration_inside_of_many_wrappers_is_charged", 900, || {
        let mut inner = flatten_with(&json!(vec![json!([0]); 200_000]));
        for i in 0..24 {
            inner = json!({"class_name": "TimeDistributed", "config": {"name": format!("t{i}"), "layer": inner}});
        }
        inner["config"]["batch_input_shape"] = json!([null, 1, 1]);
        check_limit(&Small::new(sequential(&json!([inner]))).manifest(json!([])), LoadOptions::new(), "model_bytes");
    });
}

#[test]
fn constants_of_a_shared_model_are_shared() {
    check_peak("constants_of_a_shared_model_are_shared", 300, || {
        let model = called_with_a_constant(400);
        model.load().expect("four hundred calls of one model");
    });
}

#[test]
fn constants_of_a_shared_model_are_charged() {
    check_peak("constants_of_a_shared_model_are_charged", 300, || {
        check_limit(&called_with_a_constant(9000), LoadOptions::new(), "primitives");
    });
}

/// A model that adds a hundred thousand numbers, called many times.
fn called_with_a_constant(times: usize) -> Small {
    let shape = json!([null, 50_000, 2]);
    let constant = json!(vec![[1, 2]; 50_000]);
    let add = json!({"class_name": "TFOpLambda", "name": "a", "config": {"name": "a", "function": "math.add"},
        "inbound_nodes": [["x", 0, 0, {"y": constant}]]});
    let inner = json!({"class_name": "Functional", "config": {"name": "inner", "layers": [input("x", &shape), add],
        "input_layers": [["x", 0, 0]], "output_layers": [["a", 0, 0]]}});
    as_root(&called_often("m", &shape, inner, times))
}

#[test]
fn arguments_of_a_shared_model_are_charged() {
    check_peak("arguments_of_a_shared_model_are_charged", 900, || {
        let shape = json!([null, 1]);
        let many = vec!["x"; 5000];
        let inner = functional(
            &json!([
                input("x", &shape),
                layer("Concatenate", "c", &json!({}), &many),
                layer("Dense", "d", &json!({"units": 1}), &["c"])
            ]),
            &["x"],
            &["d"],
        )["model_config"]
            .clone();
        let mut model = called_often("m", &shape, inner, 100);
        model = called_often("m", &shape, model, 100);
        check_limit(&as_root(&model), LoadOptions::new(), "model_bytes");
    });
}

#[test]
fn weights_that_a_file_does_not_have_are_charged() {
    check_peak("weights_that_a_file_does_not_have_are_charged", 200, || {
        for (class, config) in [
            ("Embedding", json!({"input_dim": 1_u64 << 60, "output_dim": 1})),
            ("Embedding", json!({"input_dim": 100_000_000, "output_dim": 1})),
            ("Dense", json!({"units": 1_500_000_000})),
        ] {
            let model = harness::small::alone(class, config, &json!([null, 1]));
            check_limit(&model, LoadOptions::new().with_strict(false), "");
        }
    });
}

#[test]
fn buckets_for_unknown_tokens_are_counted() {
    check_peak("buckets_for_unknown_tokens_are_counted", 200, || {
        let lookup = |buckets: u64| {
            let config = json!({"num_oov_indices": buckets, "vocabulary": [1, 2]});
            harness::small::alone("IntegerLookup", config, &json!([null, 1]))
        };
        check_limit(&lookup(1_000_000_000_000), LoadOptions::new(), "num_oov_indices");
        let model = lookup(100_000_000).load().expect("a number, however large");
        assert!(model.report().warnings.iter().any(|w| w.contains("num_oov_indices")), "{:?}", model.report().warnings);
    });
}

/// A layer that is called many times, each time with the model's input.
fn called(class: &str, config: &Value, times: usize) -> Small {
    let nodes = vec![json!([["x", 0, 0, {}]]); times];
    let layers = json!([
        {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
         "config": {"name": "x", "batch_input_shape": [null, 1], "dtype": "string"}},
        calls(class, "l", config, &json!(nodes)),
    ]);
    let mut topology = functional(&layers, &["x"], &["l"]);
    topology["model_config"]["config"]["output_layers"] = json!([["l", times - 1, 0]]);
    Small::new(topology).manifest(json!([]))
}

#[test]
fn settings_of_a_layer_are_shared_by_its_calls() {
    check_peak("settings_of_a_layer_are_shared_by_its_calls", 200, || {
        let config = json!({"vocabulary": ["a"], "mask_token": "m".repeat(300_000)});
        called("StringLookup", &config, 2000).load().expect("a long mask token");
        let widths = vec![2; 1000];
        let config = json!({"vocabulary": ["a"], "ngrams": widths, "output_sequence_length": 4});
        called("TextVectorization", &config, 2000).load().expect("many widths");
        let config = json!({"vocabulary": ["a"], "ngrams": vec![2; 2000]});
        check_limit(&called("TextVectorization", &config, 1), LoadOptions::new(), "widths of n-grams");
    });
}

#[test]
fn expressions_of_dimensions_are_counted() {
    check_peak("expressions_of_dimensions_are_counted", 500, || {
        let open = json!([null, null]);
        let names: Vec<String> = (0..60).map(|i| format!("x{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut layers: Vec<Value> = names.iter().map(|name| input(name, &open)).collect();
        layers.push(layer("Concatenate", "p", &json!({"axis": 1}), &names));
        let many = layer("Concatenate", "c", &json!({"axis": 1}), &["y"; 3000]);
        let mut inner = functional(&json!([input("y", &open), many]), &["y"], &["c"])["model_config"].clone();
        for i in 0..10 {
            let from = [&["p"][..], &vec!["x0"; i + 1]].concat();
            layers.push(layer("Concatenate", &format!("q{i}"), &json!({"axis": 1}), &from));
        }
        inner["name"] = json!("n");
        inner["inbound_nodes"] = (0..10).map(|i| json!([[format!("q{i}"), 0, 0, {}]])).collect();
        layers.push(inner);
        let mut topology = functional(&json!(layers), &names, &["n"]);
        topology["model_config"]["config"]["output_layers"] = (0..10).map(|i| json!(["n", i, 0])).collect();
        check_limit(&Small::new(topology).manifest(json!([])), LoadOptions::new(), "dimension expressions");
    });
}

#[test]
fn axes_beside_one_of_length_0_are_limited() {
    for shape in [json!([0, 1_u64 << 62]), json!([3, 0, 1_u64 << 40]), json!([null, 0, 1_u64 << 33])] {
        let model = harness::small::alone("Rescaling", json!({"scale": 2.0}), &shape);
        check_limit(&model, LoadOptions::new(), "elements");
    }
}

#[test]
fn cells_inside_of_many_stacks_are_not_copied() {
    check_peak("cells_inside_of_many_stacks_are_not_copied", 500, || {
        let mut cell =
            json!({"class_name": "SimpleRNNCell", "config": {"units": 1, "junk": vec![json!([0]); 200_000]}});
        for _ in 0..24 {
            cell = json!({"class_name": "StackedRNNCells", "config": {"cells": [cell]}});
        }
        let model = harness::small::alone("RNN", json!({"cell": cell}), &json!([null, 2, 1]));
        let options = LoadOptions::new().with_strict(false);
        model.load_with(options).expect("one cell, in many stacks");
    });
}

#[test]
fn nested_constants_are_not_copied_at_every_level() {
    check_peak("nested_constants_are_not_copied_at_every_level", 400, || {
        let mut constant = json!(vec![0; 300_000]);
        for _ in 0..90 {
            constant = json!([constant]);
        }
        let nodes = json!([["x", 0, 0, {"unused": constant}]]);
        let relu = calls("TFOpLambda", "r", &json!({"function": "nn.relu"}), &nodes);
        let topology = functional(&json!([input("x", &json!([null, 1])), relu]), &["x"], &["r"]);
        Small::new(topology).manifest(json!([])).load().expect("an argument without a meaning");
    });
}

#[test]
fn outputs_that_are_one_value_take_its_memory_once() {
    check_peak("outputs_that_are_one_value_take_its_memory_once", 400, || {
        let repeat = layer("RepeatVector", "r", &json!({"n": 20_000_000}), &["x"]);
        let outputs = ["r"; 60];
        let topology = functional(&json!([input("x", &json!([null, 1])), repeat]), &["x"], &outputs);
        let model = Small::new(topology).manifest(json!([])).load().unwrap();
        let x = tfjs::Tensor::from_vec(vec![1f32], (1, 1), &tfjs::Device::Cpu).unwrap();
        let made = model.predict(x).expect("eighty megabytes");
        assert_eq!(made.len(), 60);
    });
}

#[test]
fn text_that_is_repeated_is_shared() {
    check_peak("text_that_is_repeated_is_shared", 300, || {
        const COUNT: usize = 5000;
        let shape = json!([null, COUNT]);
        let mut numbers = input("x", &shape);
        numbers["config"]["dtype"] = json!("int64");
        let token = json!({"vocabulary": ["a".repeat(400_000)], "invert": true});
        let layers = json!([
            numbers,
            layer("StringLookup", "token", &token, &["x"]),
            layer("StringLookup", "index", &json!({"vocabulary": ["b"]}), &["token"]),
        ]);
        let model = Small::new(functional(&layers, &["x"], &["index"])).manifest(json!([])).load().unwrap();
        for engine in [Engine::Native, Engine::Candle] {
            let numbers = Input::new(vec![1.0; COUNT], [1, COUNT]).unwrap();
            let options = PredictOptions::default().with_engine(engine);
            let found = model.predict_with(numbers, &options).unwrap().into_single().unwrap();
            assert_eq!(found.dims(), [1, COUNT]);
        }
    });
}

#[test]
fn tokens_of_all_texts_are_paid_for_together() {
    check_peak("tokens_of_all_texts_are_paid_for_together", 300, || {
        let mut text = input("x", &json!([null]));
        text["config"]["dtype"] = json!("string");
        let names: Vec<String> = (0..12).map(|i| format!("t{i}")).collect();
        let split = |(i, name): (usize, &String)| {
            layer("TextVectorization", name, &json!({"vocabulary": ["a"], "ngrams": [1000 + i]}), &["x"])
        };
        let layers: Vec<Value> = [text].into_iter().chain(names.iter().enumerate().map(split)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut limits = Limits::default();
        limits.activation_bytes = 80 << 20;
        let model = Small::new(functional(&json!(layers), &["x"], &names)).manifest(json!([]));
        let model = model.load_with(LoadOptions::new().with_limits(limits)).unwrap();
        // About fifty megabytes of tokens for each.
        let words: String = (0..10_000).map(|i| format!("{i:04} ")).collect();
        let error = model.predict(Input::strings([words], [1]).unwrap()).expect_err("too many tokens");
        assert_eq!(error.kind(), Kind::Limit, "{error}");
        assert!(error.to_string().contains("tokens of text"), "{error}");
    });
}

#[test]
fn padding_of_narrow_kernels_is_bounded() {
    check_peak("padding_of_narrow_kernels_is_bounded", 600, || {
        const ROWS: usize = 8 << 20;
        let names = ["a", "b", "c"];
        let layers: Vec<Value> = [input("x", &json!([null, ROWS]))]
            .into_iter()
            .chain(names.map(|name| layer("Dense", name, &json!({"units": 1, "use_bias": false}), &["x"])))
            .collect();
        let group = |name: &str| {
            json!({"paths": [format!("{name}.bin")], "weights": [{"name": format!("{name}/kernel"),
                "shape": [ROWS, 1], "dtype": "float32", "quantization": {"dtype": "uint8", "scale": 1.0, "min": 0.5}}]})
        };
        let model = Small::new(functional(&json!(layers), &["x"], &names)).manifest(json!(names.map(group)));
        let files = names.into_iter().fold(model, |model, name| model.file(&format!("{name}.bin"), vec![0; ROWS]));
        let model = files.load().unwrap();
        drop(files);
        let outputs = model.predict(Input::new(vec![1.0; ROWS], [1, ROWS]).unwrap()).unwrap();
        for name in names {
            let found = outputs.get(name).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(found, [ROWS as f32 / 2.0]);
        }
    });
}

#[test]
fn a_number_is_not_repeated_for_many_channels() {
    check_peak("a_number_is_not_repeated_for_many_channels", 200, || {
        let shape = json!([null, 1 << 29]);
        harness::small::alone("Rescaling", json!({"scale": 2.0, "offset": 1.0}), &shape).load().expect("a long row");
    });
}

#[test]
fn counters_take_no_memory_before_they_are_computed() {
    check_peak("counters_take_no_memory_before_they_are_computed", 200, || {
        let config = json!({"name": "o", "sequence_length": 1_u64 << 31, "sequence_stride": 1});
        let from = json!({"class_name": "__keras_tensor__",
            "config": {"shape": [null, 8], "dtype": "float32", "keras_history": ["x", 0, 0]}});
        let layers = json!([
            {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
                "config": {"batch_shape": [null, 8], "dtype": "float32", "sparse": false, "name": "x"}},
            {"class_name": "ExtractSequences", "name": "o", "config": config,
                "inbound_nodes": [{"args": [from], "kwargs": {}}]},
        ]);
        let topology = json!({"keras_version": "3.15.1", "backend": "tensorflow",
            "model_config": functional(&layers, &["x"], &["o"])["model_config"].clone()});
        let model = Small::new(topology).manifest(json!([])).load().unwrap();
        for engine in [Engine::Native, Engine::Candle] {
            let options = PredictOptions::default().with_engine(engine);
            let error = model.predict_with(Input::new(vec![1.0; 8], [1, 8]).unwrap(), &options).unwrap_err();
            assert_eq!(error.kind(), Kind::Limit, "{error}");
        }
    });
}
