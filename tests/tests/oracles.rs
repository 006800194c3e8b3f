//! What fuzzing checks, without fuzzing: every oracle over the conformance cases and a little damage to them,
//! and what the fuzz targets found, each input with the answer it gets now.

use harness::cases::{Case, CaseKind, all_cases};
use harness::oracles::{self, Oracle};
use harness::small::check_error;
use serde_json::Value;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use tfjs::Kind;

fn oracle(target: &str) -> Oracle {
    oracles::ALL.iter().find(|(name, _)| *name == target).map(|(_, oracle)| *oracle).expect("there is that target")
}

/// An input that fuzzing found, by its file below `findings`: whose fault it is, where, and what is said.
#[track_caller]
fn check_finding(file: &str, kind: Kind, place: &str, says: &str) {
    check_error(finding(file), kind, place, says);
}

/// An input that fuzzing found and nothing is wrong with.
#[track_caller]
fn check_fine(file: &str) {
    finding(file).expect("nothing is wrong with it");
}

fn finding(file: &str) -> tfjs::Result<()> {
    let (target, _) = file.split_once('/').expect("target/name");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("findings").join(file);
    oracle(target)(&std::fs::read(path).expect("findings are checked in"))
}

#[test]
fn every_finding_has_a_test_and_passes() {
    let this = include_str!("oracles.rs");
    for (target, oracle) in oracles::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("findings").join(target);
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = format!("{target}/{}", entry.file_name().to_string_lossy());
            assert!(this.contains(&format!("\"{name}\"")), "`{name}` has no test");
            drop(oracle(&std::fs::read(entry.path()).expect("a file that was listed")));
        }
    }
}

#[test]
fn an_input_layer_with_calls() {
    check_finding("topology/called-input.json", Kind::Malformed, "layer `x`", "an InputLayer is called by nobody");
}

#[test]
fn a_url_of_a_scheme_only() {
    check_finding("urls/scheme-only.txt", Kind::Misuse, "", "a host after `http://`");
}

#[test]
fn a_softmax_of_no_channels() {
    check_fine("load/softmax-of-no-channels.json");
}

#[test]
fn a_pool_of_no_channels() {
    check_fine("load/pool-of-no-channels.json");
}

#[test]
fn a_softmax_of_a_number() {
    check_finding("load/softmax-of-a-number.json", Kind::Malformed, "layer `activation`", "a number has none");
}

#[test]
fn a_dense_layer_of_integers() {
    check_fine("load/dense-of-integers.json");
}

#[test]
fn a_call_without_tensors() {
    check_finding("topology/call-without-tensors.json", Kind::Malformed, "layer `tower`", "without any tensor");
}

#[test]
fn a_list_that_looks_like_a_tensor() {
    check_fine("topology/list-that-looks-like-a-tensor.json");
}

#[test]
fn a_data_url() {
    check_finding("urls/data.txt", Kind::Malformed, "C:x", "drive letter");
}

/// Runs a job for each case of a few layers, on a few threads.
fn for_each_case(job: impl Fn(&Case, &[u8]) + Sync) {
    let cases: Vec<Case> = all_cases().into_iter().filter(|case| case.about.kind == CaseKind::Layer).collect();
    assert!(cases.len() > 500, "the cases are there: {}", cases.len());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let json = std::fs::read(case.folder.join("model.json")).expect("a case has a model.json");
                    job(case, &json);
                }
            });
        }
    });
}

#[test]
fn manifests_and_topologies_of_every_case() {
    for_each_case(|case, json| {
        for target in ["manifest", "topology"] {
            oracle(target)(json).unwrap_or_else(|error| panic!("{target}, {}: {error}", case.id));
        }
    });
}

#[test]
fn programs_that_fuzzing_starts_from() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/programs");
    let mut programs = 0;
    for entry in std::fs::read_dir(folder).expect("seeds are checked in") {
        let path = entry.expect("an entry of a folder").path();
        let text = std::fs::read(&path).expect("a file that was listed");
        oracle("programs")(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        programs += 1;
    }
    assert!(programs >= 16, "found {programs} programs");
}

#[test]
fn weights_of_every_case() {
    for_each_case(|case, json| {
        let json: Value = serde_json::from_slice(json).expect("a case's JSON");
        let groups = json["weightsManifest"].as_array().into_iter().flatten();
        let files = groups.filter_map(|group| group["paths"].as_array()).flatten().filter_map(|path| path.as_str());
        let bytes = files.flat_map(|file| std::fs::read(case.folder.join(file)).expect("a case has its files"));
        let input: Vec<u8> =
            json["weightsManifest"].to_string().into_bytes().into_iter().chain([0]).chain(bytes).collect();
        oracle("weights")(&input).unwrap_or_else(|error| panic!("{}: {error}", case.id));
    });
}

#[test]
fn every_case_loads_and_predicts_with_weights_made_up() {
    for_each_case(|case, json| {
        let mut json: Value = serde_json::from_slice(json).expect("a case's JSON");
        json.as_object_mut().expect("an envelope").remove("weightsManifest");
        let result = oracle("load")(json.to_string().as_bytes());
        // The made-up sizes of open axes need not be some that the layers after them can take.
        let fits = !case.id.contains("/open_flatten_known_product_");
        assert!(result.is_ok() || !fits, "{}: {result:?}", case.id);
    });
}

/// Layers compute with integers as with the same floating-point numbers, or say that they do not.
#[test]
fn every_case_of_integers_predicts_or_is_refused() {
    fn to_integers(value: &mut Value) -> usize {
        match value {
            Value::Object(map) if map.get("class_name").is_some_and(|class| class == "InputLayer") => {
                map["config"]["dtype"] = "int32".into();
                1
            }
            Value::Object(map) => map.values_mut().map(to_integers).sum(),
            Value::Array(items) => items.iter_mut().map(to_integers).sum(),
            _ => 0,
        }
    }
    let fine = AtomicUsize::new(0);
    for_each_case(|_, json| {
        let mut json: Value = serde_json::from_slice(json).expect("a case's JSON");
        json.as_object_mut().expect("an envelope").remove("weightsManifest");
        if to_integers(&mut json) > 0 {
            fine.fetch_add(usize::from(oracle("load")(json.to_string().as_bytes()).is_ok()), Ordering::Relaxed);
        }
    });
    assert!(fine.into_inner() > 500);
}

#[test]
fn a_little_damage_to_every_case() {
    let accepted = AtomicUsize::new(0);
    for_each_case(|_, json| {
        for seed in 0..3 {
            let damaged = oracles::json::mutate(json, seed).expect("a case's JSON");
            for target in ["manifest", "topology", "load"] {
                accepted.fetch_add(usize::from(oracle(target)(&damaged).is_ok()), Ordering::Relaxed);
            }
        }
    });
    // Damage that nothing survives would test the parser only.
    assert!(accepted.into_inner() > 1000);
}
