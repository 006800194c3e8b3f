//! The oracles of the fuzz targets without fuzzing: over the conformance cases, over mutations of them, and over the
//! inputs that fuzzing found, with the expected result of each.

use harness::cases::{Case, CaseKind, all_cases};
use harness::oracles::{self, Oracle};
use harness::small::check_error;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tfjs::Kind;

fn oracle(target: &str) -> Oracle {
    oracles::ALL.iter().find(|(name, _)| *name == target).map(|(_, oracle)| *oracle).expect("there is that target")
}

/// The expected result of an input that fuzzing found.
enum Answer {
    /// No error.
    Fine,
    /// An error: its kind, its place, and a part of its message.
    Refused(Kind, &'static str, &'static str),
}

/// Every input that fuzzing found, by its path in `findings`.
const FINDINGS: &[(&str, Answer)] = &[
    (
        "archives/drive-letter-behind-a-dot.tar",
        Answer::Refused(Kind::Malformed, "m!/./Pa:Headers/m", "is a URL or has a drive letter"),
    ),
    ("weights/largest-float.json", Answer::Fine),
    (
        "topology/object-that-looks-like-tensors.json",
        Answer::Refused(Kind::Unsupported, "value `x`", "does not say the input's shape"),
    ),
    ("topology/query-mask-of-unknown-length.json", Answer::Fine),
    (
        "topology/weights-of-other-counts.json",
        Answer::Refused(Kind::Malformed, "layer `category_encoding`", "weights of shape"),
    ),
    ("load/embedding-of-no-columns.json", Answer::Fine),
    ("load/dense-of-integers.json", Answer::Fine),
    ("load/number-beside-text.json", Answer::Refused(Kind::Malformed, "layer `bidirectional`", "")),
    (
        "load/volume-with-a-huge-dilation.json",
        Answer::Refused(Kind::Malformed, "layer `max_pooling3d`", "does not fit"),
    ),
    ("programs/weight-of-many-sizes.txt", Answer::Refused(Kind::Mismatch, "value `b`", "expected shape")),
    ("load/pool-of-no-channels.json", Answer::Fine),
    ("load/softmax-of-a-number.json", Answer::Refused(Kind::Malformed, "layer `activation`", "a number has none")),
    ("load/softmax-of-no-channels.json", Answer::Fine),
    ("manifest/repeated-name.json", Answer::Fine),
    ("topology/call-without-tensors.json", Answer::Refused(Kind::Malformed, "layer `tower`", "without any tensor")),
    ("topology/called-input.json", Answer::Refused(Kind::Malformed, "layer `x`", "an InputLayer has no inputs")),
    (
        "topology/constant-among-inputs.json",
        Answer::Refused(Kind::Unsupported, "layer `pair`", "expected a tensor or a number"),
    ),
    ("topology/list-that-looks-like-a-tensor.json", Answer::Fine),
    (
        "topology/mask-of-higher-rank.json",
        Answer::Refused(Kind::Malformed, "layer `group_normalization`", "does not fit"),
    ),
    ("topology/model-among-arguments.json", Answer::Fine),
    ("urls/data.txt", Answer::Refused(Kind::Malformed, "C:x", "drive letter")),
    ("urls/space-before-fragment.txt", Answer::Refused(Kind::Malformed, "", "weight file path is empty")),
    ("urls/scheme-only.txt", Answer::Refused(Kind::Misuse, "", "a host after `http://`")),
];

fn findings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("findings")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries.map(|entry| entry.expect("an entry of a folder").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_finding_gets_its_answer() {
    for (file, answer) in FINDINGS {
        let (target, _) = file.split_once('/').expect("target/name");
        let found = oracle(target)(&std::fs::read(findings().join(file)).expect("findings are checked in"));
        match answer {
            Answer::Fine => found.unwrap_or_else(|e| panic!("`{file}`: nothing is wrong with it, found {e}")),
            Answer::Refused(kind, place, says) => drop(check_error(found, *kind, place, says)),
        }
    }
}

#[test]
fn every_finding_is_listed() {
    let mut files = Vec::new();
    for target in names(&findings()) {
        let _ = oracle(&target);
        files.extend(names(&findings().join(&target)).into_iter().map(|name| format!("{target}/{name}")));
    }
    files.sort();
    let mut listed: Vec<&str> = FINDINGS.iter().map(|(file, _)| *file).collect();
    listed.sort_unstable();
    assert_eq!(files, listed);
}

/// Runs a job for each case of the kind `layer` on several threads; panics with a list of the failed cases.
fn for_each_case(job: impl Fn(&Case, &[u8]) + Sync) {
    let cases: Vec<Case> = all_cases().into_iter().filter(|case| case.about.kind == CaseKind::Layer).collect();
    assert!(cases.len() > 500, "the cases are there: {}", cases.len());
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let json = std::fs::read(case.folder.join("model.json")).expect("a case has a model.json");
                    if catch_unwind(AssertUnwindSafe(|| job(case, &json))).is_err() {
                        failed.lock().expect("nobody panics with it").push(case.id.clone());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("nobody panics with it");
    assert!(failed.is_empty(), "{} cases, whose panics stand above: {failed:?}", failed.len());
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
        let json: Value = harness::cases::json(json);
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
        let mut json: Value = harness::cases::json(json);
        json.as_object_mut().expect("an envelope").remove("weightsManifest");
        let result = oracle("load")(json.to_string().as_bytes());
        // The layers may not accept the sizes that the oracle chooses for open axes.
        let fits = !case.id.contains("/open_flatten_known_product_");
        assert!(result.is_ok() || !fits, "{}: {result:?}", case.id);
    });
}

/// With integer inputs, layers compute the same as with floating-point inputs, or fail with an error.
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
        let mut json: Value = harness::cases::json(json);
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
    // If no mutation were accepted, only the parser would be tested.
    assert!(accepted.into_inner() > 1000);
}
