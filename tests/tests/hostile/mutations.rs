//! Systematic damage: every configuration key of many layers replaced by invalid values, flipped bits of `model.json`,
//! truncated files. Each damaged model loads and predicts, or is refused, without a panic or an internal error.

use harness::tensors::read_inputs;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tfjs::parts::io::{FilesHandler, MemoryFiles};
use tfjs::{Engine, Input, Inputs, Kind, LoadOptions, PredictOptions, Result, Source};
use tokio::runtime::Runtime;

/// A conformance case: its files in memory and its inputs.
struct Victim {
    id: String,
    json: Vec<u8>,
    files: Vec<(String, Vec<u8>)>,
    inputs: Vec<(String, Input)>,
    /// The number of damaged files that still loaded and predicted.
    survived: AtomicUsize,
}

impl Victim {
    fn read(id: &str) -> Option<Victim> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/cases").join(id);
        let json = std::fs::read(folder.join("model.json")).ok()?;
        let names: Vec<PathBuf> = std::fs::read_dir(&folder).ok()?.flatten().map(|e| e.path()).collect();
        let weights = names.iter().filter(|path| path.extension().is_some_and(|e| e == "bin"));
        let files = weights.map(|path| {
            let name = path.file_name().and_then(|n| n.to_str()).expect("cases have plain names").to_string();
            (name, std::fs::read(path).expect("a file that was listed"))
        });
        let (files, inputs) = (files.collect(), read_inputs(&folder).expect("inputs of a case"));
        Some(Victim { id: id.to_string(), json, files, inputs, survived: AtomicUsize::new(0) })
    }

    /// Loads and predicts with the given `model.json`, on both engines.
    fn try_with(&self, json: Vec<u8>, runtime: &Runtime) -> Result<()> {
        let files: MemoryFiles = self.files.iter().cloned().chain([("model.json".to_string(), json)]).collect();
        let source = Source::handler(FilesHandler::new(Arc::new(files), "model.json"));
        let options = LoadOptions::new().with_threads(1);
        let model = runtime.block_on(tfjs::load_layers_model(source, options))?;
        for engine in [Engine::Native, Engine::Candle] {
            let inputs: Inputs = self.inputs.iter().cloned().collect();
            model.predict_with(inputs, &PredictOptions::default().with_engine(engine))?;
        }
        Ok(())
    }

    /// Loads and predicts; returns a description of a panic or an internal error.
    fn outcome(&self, what: &str, json: Vec<u8>, runtime: &Runtime) -> Option<String> {
        match catch_unwind(AssertUnwindSafe(|| self.try_with(json, runtime))) {
            Ok(Err(error)) if error.kind() == Kind::Bug => Some(format!("{}: {what}: {error}", self.id)),
            Ok(Err(_)) => None,
            Ok(Ok(())) => {
                self.survived.fetch_add(1, Ordering::Relaxed);
                None
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text");
                Some(format!("{}: {what}: panics: {text}", self.id))
            }
        }
    }
}

/// A runtime for each thread, so that loads do not create runtimes.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts")
}

/// Cases of all layer classes and operations.
fn victims() -> Vec<Victim> {
    let mut seen = std::collections::HashSet::new();
    let mut ids = Vec::new();
    for case in harness::cases::all_cases() {
        // Networks are large, and their layers have separate cases.
        if case.about.kind == harness::cases::CaseKind::Layer {
            let known = seen.len();
            seen.extend(case.about.layers);
            if seen.len() > known {
                ids.push(case.id);
            }
        }
    }
    ids.iter().filter_map(|id| Victim::read(id)).collect()
}

#[track_caller]
fn check_none(failures: &[String]) {
    assert!(failures.is_empty(), "{} of them:\n{}", failures.len(), failures.join("\n"));
}

/// JSON pointers of every key and every list entry of the layers' configurations and calls.
fn keys(value: &Value, at: &str, inside: bool, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let here = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                let inside = inside || key == "config" || key == "inbound_nodes";
                if (inside || key == "class_name") && !irrelevant(key) {
                    out.push(here.clone());
                    keys(value, &here, inside, out);
                }
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                let here = format!("{at}/{i}");
                if inside && !value.is_object() {
                    out.push(here.clone());
                }
                keys(value, &here, inside, out);
            }
        }
        _ => {}
    }
}

/// Keys whose values no layer reads, such as initializers; and names, which the test of flipped bits damages.
fn irrelevant(key: &str) -> bool {
    let exact = ["name", "trainable", "module", "registered_name", "shared_object_id", "build_config", "seed"];
    let part = ["initializer", "regularizer", "constraint"];
    exact.contains(&key) || part.iter().any(|word| key.contains(word))
}

/// At most this many places of each case are damaged, evenly spread, because some cases have hundreds of operations.
const PLACES: usize = 64;

fn spread<T>(places: &[T]) -> impl Iterator<Item = (usize, &T)> {
    places.iter().enumerate().step_by(places.len().div_ceil(PLACES).max(1))
}

/// Runs a job for each victim on a few threads.
fn for_each_victim(job: impl Fn(&Victim, &Runtime) -> Vec<String> + Sync) -> Vec<String> {
    let victims = victims();
    assert!(victims.len() > 40, "the cases are there: {}", victims.len());
    let next = AtomicUsize::new(0);
    let failures = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let runtime = runtime();
                while let Some(victim) = victims.get(next.fetch_add(1, Ordering::SeqCst)) {
                    victim.try_with(victim.json.clone(), &runtime).expect("a case loads and predicts undamaged");
                    let found = job(victim, &runtime);
                    failures.lock().expect("no job panics").extend(found);
                }
            });
        }
    });
    // If no damaged file loaded, only the parser would be tested.
    let survived: usize = victims.iter().map(|v| v.survived.load(Ordering::Relaxed)).sum();
    assert!(survived > 2 * victims.len(), "{survived} damaged files of {} cases predicted", victims.len());
    failures.into_inner().expect("no job panics")
}

#[test]
fn every_configuration_key_may_be_nonsense() {
    let nonsense = [
        json!(null),
        json!(-1),
        json!(0),
        json!(1_000),
        json!(9_007_199_254_740_000u64),
        json!("x"),
        json!([]),
        json!({}),
    ];
    let failures = for_each_victim(|victim, runtime| {
        let whole: Value = harness::cases::json(&victim.json);
        let mut pointers = Vec::new();
        let model = if whole["modelTopology"]["model_config"].is_object() {
            "/modelTopology/model_config"
        } else {
            "/modelTopology"
        };
        keys(whole.pointer(model).expect("it is there"), model, false, &mut pointers);
        let mut failures = Vec::new();
        for (i, pointer) in spread(&pointers) {
            // One invalid value for each key; over all cases, each key gets each value.
            let value = &nonsense[(victim.id.len() + i) % nonsense.len()];
            let mut json = whole.clone();
            *json.pointer_mut(pointer).expect("a pointer into this JSON") = value.clone();
            let what = format!("{pointer} = {value}");
            failures.extend(victim.outcome(&what, json.to_string().into_bytes(), runtime));
        }
        failures
    });
    check_none(&failures);
}

#[test]
fn every_entry_of_a_list_may_be_missing_or_doubled() {
    let failures = for_each_victim(|victim, runtime| {
        let whole: Value = harness::cases::json(&victim.json);
        let mut lists = Vec::new();
        list_pointers(&whole["modelTopology"], "/modelTopology", &mut lists);
        let mut failures = Vec::new();
        for (_, (pointer, len)) in spread(&lists) {
            for i in 0..(*len).min(6) {
                // Each entry is removed or doubled; over all cases, both happen to each.
                let double = (victim.id.len() + i) % 2 == 0;
                let mut json = whole.clone();
                let list = json.pointer_mut(pointer).and_then(Value::as_array_mut).expect("a list");
                let item = list.remove(i);
                if double {
                    list.extend([item.clone(), item]);
                }
                let what = format!("{pointer}/{i} {}", if double { "doubled" } else { "removed" });
                failures.extend(victim.outcome(&what, json.to_string().into_bytes(), runtime));
            }
        }
        failures
    });
    check_none(&failures);
}

fn list_pointers(value: &Value, at: &str, out: &mut Vec<(String, usize)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if irrelevant(key) {
                    continue;
                }
                list_pointers(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), out);
            }
        }
        Value::Array(items) => {
            out.push((at.to_string(), items.len()));
            items.iter().enumerate().for_each(|(i, value)| list_pointers(value, &format!("{at}/{i}"), out));
        }
        _ => {}
    }
}

/// A small random generator with a fixed seed, so that failures can be reproduced.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

#[test]
fn flipped_bits_of_a_model_json() {
    let failures = for_each_victim(|victim, runtime| {
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        let mut failures = Vec::new();
        for round in 0..24 {
            let mut json = victim.json.clone();
            for _ in 0..=round % 3 {
                let at = random.below(json.len());
                json[at] ^= 1 << random.below(8);
            }
            failures.extend(victim.outcome(&format!("flips, round {round}"), json, runtime));
        }
        failures
    });
    check_none(&failures);
}

#[test]
fn digits_of_a_model_json_replaced() {
    let failures = for_each_victim(|victim, runtime| {
        let digits: Vec<usize> = (0..victim.json.len()).filter(|&i| victim.json[i].is_ascii_digit()).collect();
        let mut random = Random(0xD1B5_4A32_D192_ED03);
        let mut failures = Vec::new();
        for round in 0..24 {
            let mut json = victim.json.clone();
            json[digits[random.below(digits.len())]] = b'0' + random.below(10) as u8;
            failures.extend(victim.outcome(&format!("digits, round {round}"), json, runtime));
        }
        failures
    });
    check_none(&failures);
}

#[test]
fn a_model_json_cut_short_is_malformed() {
    for id in ["keras2/functional_cnn", "keras3/nested_sequential_functional_sequential", "tfjs/teachable_machine"] {
        let victim = Victim::read(id).expect("the case is checked in");
        let runtime = runtime();
        let end = victim.json.trim_ascii_end().len();
        for cut in (0..end).step_by(64) {
            let error = victim.try_with(victim.json[..cut].to_vec(), &runtime).expect_err("half a file");
            assert_eq!(error.kind(), Kind::Malformed, "{id} cut at {cut}: {error}");
            assert!(error.place().file.as_deref() == Some("model.json"), "{id} cut at {cut}: {error}");
        }
    }
}
