//! The command line, tested by its entry point: arguments in; output, messages and an exit code out. The expected
//! predictions were computed by the models' producers.

use harness::small::alone;
use harness::tensors::{Named, read_tensors};
use io_harness::archives::{ZipEntry, zip};
use io_harness::fault_server::{FaultServer, Reply};
use io_harness::tls_server::{Certificate, TlsServer};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tempfile::TempDir;

/// The allowed difference, for rounding.
const TOLERANCE: f64 = 1e-4;

struct Answer {
    success: bool,
    out: String,
    err: String,
}

fn tfjs(args: &[&str]) -> Answer {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = tfjs_cli::run([&["tfjs"], args].concat(), &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).expect("answers are text");
    Answer { success: code == ExitCode::SUCCESS, out: text(out), err: text(err) }
}

/// Runs a command that must succeed; returns its output.
#[track_caller]
fn answer(args: &[&str]) -> String {
    let Answer { success, out, err } = tfjs(args);
    assert!(success, "{args:?} failed: {err}");
    out
}

#[track_caller]
fn answer_json(args: &[&str]) -> Value {
    let out = answer(args);
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?} gave no JSON ({e}): {out}"))
}

/// Runs a command that must fail, without output and with these words in its messages.
#[track_caller]
fn check_refused(args: &[&str], words: &[&str]) {
    let Answer { success, out, err } = tfjs(args);
    assert!(!success, "{args:?} should fail, printed {out}");
    assert_eq!(out, "", "{args:?} has output although it fails");
    for word in words {
        assert!(err.contains(word), "{args:?} should mention {word:?}, says {err}");
    }
}

/// A path in `models/`.
fn models(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(path).display().to_string()
}

fn read_json(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A copy of a model's files (not its samples), for changes by a test.
struct Copy {
    dir: TempDir,
}

impl Copy {
    fn of(model: &str) -> Copy {
        let dir = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(models(model)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
            }
        }
        Copy { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn model(&self) -> String {
        self.dir.path().display().to_string()
    }

    fn edit(&self, change: impl FnOnce(&mut Value)) {
        let mut model = read_json(self.path("model.json"));
        change(&mut model);
        fs::write(self.path("model.json"), model.to_string()).unwrap();
    }
}

#[track_caller]
fn check_close(found: &Value, expect: &Value, what: &str) {
    match (found, expect) {
        (Value::Array(found), Value::Array(expect)) => {
            assert_eq!(found.len(), expect.len(), "{what}");
            found.iter().zip(expect).for_each(|(f, e)| check_close(f, e, what));
        }
        _ => {
            let (found, expect) = (found.as_f64().unwrap(), expect.as_f64().unwrap());
            assert!((found - expect).abs() <= TOLERANCE, "{what}: expected {expect}, found {found}");
        }
    }
}

/// The sample images of a model, and the producer's result for each.
fn samples(model: &str) -> Vec<(String, Value)> {
    let expected = read_json(models(&format!("{model}/expected.json")));
    let samples = expected["samples"].as_object().unwrap();
    samples.iter().map(|(name, said)| (models(&format!("{model}/{name}")), said.clone())).collect()
}

#[track_caller]
fn check_pictures(model: &str, output: &str, engine: &str) {
    let samples = samples(model);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out.json").display().to_string();
    let model = models(model);
    let mut args = vec!["predict", &model, "--engine", engine, "--batch-size", "4", "--output", &file, "--image"];
    args.extend(samples.iter().map(|(path, _)| path.as_str()));
    let chart = answer(&args);

    let found = read_json(&file);
    let expect: Value = samples.iter().map(|(_, said)| said["probabilities"].clone()).collect();
    check_close(&found[output], &expect, &model);

    // The name of an image, then its labels, best first.
    let lines: Vec<&str> = chart.lines().collect();
    for ((path, said), lines) in samples.iter().zip(lines.chunks(6)) {
        assert_eq!(lines[0], path);
        let best: Vec<&str> = lines[1].split_whitespace().collect();
        assert_eq!(best[0], said["label"].as_str().unwrap(), "{chart}");
        let probabilities = said["probabilities"].as_array().unwrap();
        let most = probabilities.iter().map(|p| p.as_f64().unwrap()).fold(0.0, f64::max);
        assert!((best[1].parse::<f64>().unwrap() - most).abs() < 2e-4, "{chart}");
        assert!(best[2].starts_with('█'), "{chart}");
    }
}

#[test]
fn pictures_are_named_as_tensorflow_js_names_them() {
    check_pictures("digits", "digit", "native");
    check_pictures("digits", "digit", "candle");
}

#[test]
fn pictures_are_named_as_keras_names_them() {
    check_pictures("digits-keras", "digit", "native");
    check_pictures("digits-keras", "digit", "candle");
}

#[test]
fn outputs_are_json_by_name() {
    for (input, said) in samples("iris") {
        let found = answer_json(&["predict", &models("iris"), "--input", &input]);
        check_close(&found["species"], &said["probabilities"], &input);
    }
}

/// Predicts the held-out examples, with the output in a file of this name.
#[track_caller]
fn check_held_out(model: &str, input: &str, file: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file);
    let (name, input) = (models(model), models(input));
    let args = ["predict", &name, "--input", &input, "--output", path.to_str().unwrap(), "--batch-size", "7"];
    assert_eq!(answer(&args), "", "the answer went to the file");
    let expect = read_tensors(Path::new(&models(&format!("{model}/test/predictions.safetensors")))).unwrap();
    let found = match path.extension().and_then(|e| e.to_str()) {
        Some("npy") => {
            let tensor = candle_core::Tensor::read_npy(&path).unwrap();
            expect.keys().map(|name| (name.clone(), Named::from_tensor(&tensor).unwrap())).collect()
        }
        _ => read_tensors(&path).unwrap(),
    };
    assert_eq!(found.keys().collect::<Vec<_>>(), expect.keys().collect::<Vec<_>>());
    for (name, expect) in &expect {
        assert!(expect.difference(&found[name]).unwrap() < TOLERANCE);
    }
}

#[test]
fn safetensors_in_and_out() {
    check_held_out("iris", "iris/test/x.safetensors", "out.safetensors");
    // A single tensor is used for a single input, regardless of its key.
    check_held_out("digits", "digits/test/x.safetensors", "out");
    check_held_out("digits-keras", "digits/test/x.safetensors", "out.safetensors");
}

#[test]
fn npy_in_and_out() {
    check_held_out("digits", "digits/test/x.safetensors", "out.npy");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.npy");
    let tensors =
        candle_core::safetensors::load(models("digits/test/x.safetensors"), &candle_core::Device::Cpu).unwrap();
    tensors["x"].write_npy(&file).unwrap();
    let file = file.display().to_string();
    let by_npy = answer_json(&["predict", &models("digits"), "--input", &file]);
    let by_safetensors = answer_json(&["predict", &models("digits"), "--input", &models("digits/test/x.safetensors")]);
    assert_eq!(by_npy, by_safetensors);
}

#[test]
fn safetensors_on_the_standard_output() {
    let args = ["predict", &models("iris"), "--input", &models("iris/samples/setosa.json"), "--output", "-"];
    let (mut out, mut err) = (Vec::new(), Vec::new());
    assert_eq!(tfjs_cli::run([&["tfjs"], &args[..]].concat(), &mut out, &mut err), ExitCode::SUCCESS);
    let tensors = candle_core::safetensors::load_buffer(&out, &candle_core::Device::Cpu).unwrap();
    assert_eq!(tensors["species"].dims(), [1, 3]);
}

#[test]
fn the_best_labels_of_tensors() {
    let chart = answer(&["predict", &models("iris"), "--input", &models("iris/samples/flowers.json"), "--top", "1"]);
    let words: Vec<&str> = chart.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(words, ["example", "setosa", "example", "versicolor", "example", "virginica"]);
}

#[test]
fn a_range_and_labels_given_win() {
    let file = models("digits/samples/7.png");
    let with = |more: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("o.json").display().to_string();
        let model = models("digits");
        let chart = answer(&[&["predict", &model, "--image", &file, "--output", &path, "--top", "1"], more].concat());
        (read_json(&path), chart)
    };
    let (own, _) = with(&[]);
    assert_eq!(with(&["--range", "0,16"]).0, own);
    assert_ne!(with(&["--range", "0,1"]).0, own);

    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("labels.txt");
    fs::write(&labels, "null\neins\nzwei\ndrei\nvier\nfünf\nsechs\nsieben\nacht\nneun\n").unwrap();
    let labels = labels.display().to_string();
    let (_, chart) = with(&["--labels", &labels]);
    assert!(chart.contains("sieben"), "{chart}");
    fs::write(&labels, "null\neins\n").unwrap();
    let refused = tfjs(&["predict", &models("digits"), "--image", &file, "--labels", &labels]);
    assert!(
        !refused.success && refused.err.contains("2 labels") && refused.err.contains("10 classes"),
        "{}",
        refused.err
    );
}

/// `digits` as a Teachable Machine export: the settings for images are in a `metadata.json` beside the model.
fn teachable_machine() -> Copy {
    let copy = Copy::of("digits");
    copy.edit(|model| drop(model.as_object_mut().unwrap().remove("userDefinedMetadata")));
    let labels: Vec<String> = (0..10).map(|i| format!("Class {i}")).collect();
    let metadata = json!({"tfjsVersion": "1.3.1", "tmVersion": "2.4.5", "packageName": "@teachablemachine/image",
        "userMetadata": {}, "modelName": "tm-my-image-model", "labels": labels, "imageSize": 8, "grayscale": true});
    fs::write(copy.path("metadata.json"), metadata.to_string()).unwrap();
    copy
}

#[test]
fn teachable_machines_metadata_is_found_beside_the_model() {
    let copy = teachable_machine();
    let picture = models("digits/samples/3.png");
    let predict = |model: &str, more: &[&str]| {
        let out = copy.path("out.json").display().to_string();
        let chart = answer(&[&["predict", model, "--image", &picture, "--output", &out], more].concat());
        (read_json(&out), chart)
    };
    let (found, chart) = predict(&copy.model(), &[]);
    assert!(chart.contains("Class "), "{chart}");
    // Named by the file instead of the folder.
    assert_eq!(predict(&copy.path("model.json").display().to_string(), &[]).0, found);
    assert_eq!(predict(&copy.model(), &["--range", "-1,1"]).0, found);
    fs::remove_file(copy.path("metadata.json")).unwrap();
    assert_ne!(predict(&copy.model(), &[]).0, found);
    assert_eq!(predict(&copy.model(), &["--range", "-1,1"]).0, found);
}

#[test]
fn metadata_that_asks_for_a_picture_of_any_size_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = alone("GlobalAveragePooling2D", json!({}), &json!([null, null, null, 1]));
    fs::write(folder.path().join("model.json"), model.text()).unwrap();
    let (model, picture) = (folder.path().display().to_string(), models("digits/samples/3.png"));
    let with_size = |size: u64| {
        let metadata = json!({"packageName": "@teachablemachine/image", "labels": ["a"], "imageSize": size});
        fs::write(folder.path().join("metadata.json"), metadata.to_string()).unwrap();
        ["predict", &model, "--image", &picture]
    };
    answer(&with_size(8));
    check_refused(&with_size(100_000), &["the model needs an image of 100000 x 100000"]);
    check_refused(&with_size(18_000), &["the model needs an image of 18000 x 18000"]);
    check_refused(&with_size(u64::MAX), &["the model needs an image"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_a_model_with_what_lies_beside_it() {
    let copy = teachable_machine();
    let file = |name: &str| ZipEntry::deflated(format!("export/{name}"), &fs::read(copy.path(name)).unwrap());
    let archive = zip(&["model.json", "weights.bin", "metadata.json"].map(file));
    let path = copy.path("export.zip").display().to_string();
    fs::write(&path, &archive).unwrap();
    let server = FaultServer::start(move |_| Reply::ok(&archive)).await;
    let picture = models("digits/samples/3.png");
    let chart = |model: &str| answer(&["predict", model, "--image", &picture]);
    let expected = chart(&copy.model());
    assert!(expected.contains("Class "), "{expected}");
    for model in [&path, &format!("{path}!/export/model.json"), &server.url("/export.zip?t=1")] {
        assert_eq!(chart(model), expected, "{model}");
        assert_eq!(answer_json(&["inspect", model, "--verify", "--json"])["verified"], true);
    }
    assert!(server.targets().iter().all(|target| target == "/export.zip?t=1"), "{:?}", server.targets());
    check_refused(&["inspect", &format!("{path}!/model.json")], &["export.zip!/model.json", "`export/model.json`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_with_headers_and_inside_a_runtime() {
    let copy = teachable_machine();
    let folder = copy.dir.path().to_owned();
    let server = FaultServer::start(move |request| {
        let name = request.target.rsplit('/').next().unwrap_or_default();
        fs::read(folder.join(name)).map_or_else(|_| Reply::status("404 Not Found", &[], ""), Reply::ok)
    })
    .await;
    let url = server.url("/m/model.json");
    let chart = answer(&["predict", &url, "--header", "X-Key: secret", "--image", &models("digits/samples/3.png")]);
    assert!(chart.contains("Class "), "{chart}");
    assert!(server.targets().iter().any(|target| target == "/m/metadata.json"));
    assert!(server.requests().iter().all(|request| request.header("x-key") == Some("secret")));

    let verified = answer_json(&["inspect", &url, "--verify", "--json"]);
    assert_eq!(verified["verified"], true);

    fs::remove_file(copy.path("weights.bin")).unwrap();
    let Answer { success, err, .. } = tfjs(&["inspect", &url, "--verify"]);
    assert!(!success && err.contains("weights.bin") && err.contains("404"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_cache_and_offline() {
    let copy = teachable_machine();
    let folder = copy.dir.path().to_owned();
    let server = FaultServer::start(move |request| {
        let name = request.target.rsplit('/').next().unwrap_or_default();
        let tag = format!("ETag: \"{name}\"");
        match (fs::read(folder.join(name)), request.header("if-none-match")) {
            (Ok(_), Some(_)) => Reply::head("304 Not Modified", &[&tag]),
            (Ok(bytes), None) => Reply::status("200 OK", &[&tag], bytes),
            (Err(_), _) => Reply::status("404 Not Found", &[], ""),
        }
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache").display().to_string();
    let url = server.url("/m/model.json");
    let picture = models("digits/samples/3.png");
    let predict = |more: &[&str]| tfjs(&[&["predict", &url, "--image", &picture, "--cache", &cache], more].concat());
    let nothing = predict(&["--offline"]);
    assert!(!nothing.success && nothing.err.contains("not in the cache, and the load is offline"), "{}", nothing.err);
    assert_eq!(server.requests().len(), 0);

    let first = predict(&[]);
    assert!(first.success, "{}", first.err);
    let asked = server.requests().len();
    assert_eq!(predict(&[]).out, first.out);
    let again: Vec<String> = server.targets().split_off(asked);
    assert!(!again.is_empty() && again.iter().all(|target| target.ends_with(".json")), "{again:?}");

    // The labels of the `metadata.json` are cached too.
    drop(server);
    let offline = predict(&["--offline"]);
    assert!(offline.success && offline.out == first.out && offline.out.contains("Class "), "{}", offline.err);
}

#[test]
fn inspect_says_what_a_model_is() {
    let text = answer(&["inspect", &models("digits")]);
    for part in ["digits: Sequential, by TensorFlow.js (4.22.0)", "conv1_input float32[?,8,8,1]", "digit float32[?,10]"]
    {
        assert!(text.contains(part), "{part:?} is missing from\n{text}");
    }
    let found = answer_json(&["inspect", &models("iris"), "--json"]);
    assert_eq!(found["producer"]["family"], "keras2");
    assert_eq!(found["inputs"][0], json!({"name": "sepal", "shape": [null, 2], "dtype": "float32"}));
    // Dense 4 -> 16 and 16 -> 3 with biases, and four vectors of batch normalization, two of them trainable.
    assert_eq!(found["parameters"], json!({"total": 80 + 51 + 16, "trainable": 80 + 51 + 8, "non_trainable": 8}));
    assert_eq!(found["metadata"]["labels"][0], "setosa");
    assert_eq!((&found["compiled"], &found["verified"], &found["problems"]), (&json!(true), &Value::Null, &json!([])));
}

#[test]
fn verify_reads_every_byte_and_builds() {
    for model in ["digits", "digits-keras", "iris"] {
        let found = answer_json(&["inspect", &models(model), "--verify", "--json"]);
        assert_eq!(found["verified"], true, "{model}");
    }
}

/// The problems that `--verify` finds: it must fail, and print them in JSON and as errors, one per line.
#[track_caller]
fn problems(copy: &Copy) -> Vec<Value> {
    let Answer { success, out, err } = tfjs(&["inspect", &copy.model(), "--verify", "--json"]);
    assert!(!success, "nothing was found");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["verified"], false);
    let problems = found["problems"].as_array().unwrap().clone();
    assert_eq!(err.lines().filter(|line| line.starts_with("error: ")).count(), problems.len(), "{err}");
    problems
}

#[test]
fn verify_finds_a_truncated_shard() {
    let copy = Copy::of("digits");
    let weights = fs::read(copy.path("weights.bin")).unwrap();
    fs::write(copy.path("weights.bin"), &weights[..weights.len() - 1]).unwrap();
    let problems = problems(&copy);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0]["kind"], "mismatch");
    assert!(problems[0]["place"]["file"].as_str().unwrap().contains("weights.bin"));
}

#[test]
fn verify_finds_every_missing_file() {
    let copy = Copy::of("digits");
    copy.edit(|model| model["weightsManifest"][0]["paths"] = json!(["a.bin", "weights.bin", "b.bin"]));
    let problems = problems(&copy);
    let files: Vec<&str> = problems.iter().map(|p| p["place"]["file"].as_str().unwrap()).collect();
    assert!(files.len() == 2 && files[0].contains("a.bin") && files[1].contains("b.bin"), "{files:?}");
    assert!(problems.iter().all(|p| p["kind"] == "fetch"));
}

#[test]
fn verify_finds_layers_and_bytes_at_once() {
    let copy = Copy::of("digits");
    copy.edit(|model| {
        let layers = model["modelTopology"]["config"]["layers"].as_array_mut().unwrap();
        layers[1]["class_name"] = json!("BatchNormalisation");
        layers[2]["class_name"] = json!("Relu77");
    });
    fs::write(copy.path("weights.bin"), b"short").unwrap();
    let problems = problems(&copy);
    let text = Value::from(problems.clone()).to_string();
    assert!(text.contains("BatchNormalisation") && text.contains("Relu77") && text.contains("weights.bin"), "{text}");
    assert_eq!(problems.len(), 3, "{text}");
}

#[test]
fn verify_finds_every_weight_that_does_not_fit() {
    let copy = Copy::of("digits");
    copy.edit(|model| {
        let weights = model["weightsManifest"][0]["weights"].as_array_mut().unwrap();
        weights[0]["name"] = json!("nobody/kernel");
    });
    let text = Value::from(problems(&copy)).to_string();
    assert!(text.contains("nobody/kernel") && text.contains("conv1/kernel"), "{text}");
}

#[test]
fn values_that_are_not_finite_are_warned_of() {
    let copy = Copy::of("digits");
    let mut weights = fs::read(copy.path("weights.bin")).unwrap();
    weights[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(copy.path("weights.bin"), weights).unwrap();
    let Answer { success, err, .. } = tfjs(&["inspect", &copy.model(), "--verify"]);
    assert!(success && err.contains("warning: ") && err.contains("not finite"), "{err}");
}

#[test]
fn models_that_are_none() {
    check_refused(&["inspect", "no/such/model"], &["error: ", "no/such/model", "no such file"]);
    let folder = tempfile::tempdir().unwrap();
    check_refused(&["inspect", folder.path().to_str().unwrap()], &["has no `model.json`"]);
    let page = folder.path().join("model.json");
    fs::write(&page, "<!DOCTYPE html><html>Not Found</html>").unwrap();
    check_refused(&["predict", page.to_str().unwrap(), "--input", "x.json"], &["HTML", "model.json"]);
    check_refused(&["inspect", "gopher://h/model.json"], &["unknown scheme `gopher`"]);
}

#[test]
fn predicting_with_a_broken_model() {
    let copy = Copy::of("iris");
    fs::write(copy.path("group1-shard1of1.bin"), b"short").unwrap();
    let input = models("iris/samples/setosa.json");
    check_refused(&["predict", &copy.model(), "--input", &input], &["group1-shard1of1.bin"]);
}

#[test]
fn wrong_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("in.json");
    let check = |text: &str, words: &[&str]| {
        fs::write(&file, text).unwrap();
        check_refused(&["predict", &models("iris"), "--input", file.to_str().unwrap()], words);
    };
    check(r#"{"sepal": [[1, 2]], "petals": [[1, 2]]}"#, &["`petals`", "`petal` float32[?,2]", "in.json"]);
    check(r#"{"sepal": [[1, 2]]}"#, &["`petal` is missing"]);
    check(r#"{"sepal": [[1, 2, 3]], "petal": [[1, 2]]}"#, &["`sepal`", "expected shape [?,2], found [1,3]"]);
    check(r#"{"sepal": [[1, 2], [3, 4]], "petal": [[1, 2]]}"#, &["`sepal`", "`petal`", "batch"]);
    check(r#"{"sepal": [["a", 2]], "petal": [[1, 2]]}"#, &["`sepal[0][0]`", "expected a number", "in.json"]);
    check("[[1, 2]]", &["`sepal`, `petal`"]);
    check("sepal,petal", &["expected JSON"]);
    check_refused(&["predict", &models("iris"), "--input", "no/such.npy"], &["no/such.npy"]);
    check_refused(&["predict", &models("iris"), "--image", &models("digits/samples/7.png")], &["one input", "--input"]);
    check_refused(&["predict", &models("digits"), "--image", &models("iris/expected.json")], &["PNG or JPEG"]);
}

#[test]
fn every_stage_can_be_dumped() {
    let dump = |model: &str, stage: &str| answer_json(&["dump", &models(model), "--stage", stage]);
    for model in ["digits", "digits-keras", "iris"] {
        let artifacts = dump(model, "artifacts");
        assert_eq!(artifacts["weights"], "files");
        assert_eq!(artifacts["model_json"]["format"], "layers-model");
        let layout = dump(model, "layout");
        let size: u64 = artifacts["weight_files"][0]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| fs::metadata(models(&format!("{model}/{}", file.as_str().unwrap()))).unwrap().len())
            .sum();
        assert_eq!(layout["total"], size);
        let graph = dump(model, "graph");
        let slots = graph["slots"].as_array().unwrap().len();
        assert_eq!(dump(model, "binding")["slots"].as_array().unwrap().len(), slots);
        assert_eq!(layout["groups"][0]["tensors"].as_array().unwrap().len(), slots);
        assert!(!dump(model, "plan")["steps"].as_array().unwrap().is_empty());
    }
    let def = dump("iris", "def");
    assert_eq!(def["producer"]["family"], "keras2");
    assert_eq!(def["model"]["layers"][0]["type"], json!({"shape": [null, 2], "dtype": "float32"}));
    let by: Vec<Value> = dump("digits-keras", "binding")["slots"].as_array().unwrap().clone();
    assert!(by.iter().all(|slot| slot["rule"] == "object_path"));
}

#[test]
fn a_dump_stops_at_the_stage_that_fails() {
    let copy = Copy::of("digits");
    fs::remove_file(copy.path("weights.bin")).unwrap();
    answer_json(&["dump", &copy.model(), "--stage", "binding"]);
    check_refused(&["dump", &copy.model(), "--stage", "plan"], &["weights.bin"]);
    copy.edit(|model| model["modelTopology"]["config"]["layers"][1]["class_name"] = json!("Nonsense"));
    answer_json(&["dump", &copy.model(), "--stage", "layout"]);
    check_refused(&["dump", &copy.model(), "--stage", "def"], &["Nonsense", "model.json"]);
    fs::write(copy.path("model.json"), "{\"broken\": ").unwrap();
    let artifacts = answer_json(&["dump", &copy.model(), "--stage", "artifacts"]);
    assert_eq!((&artifacts["model_json"], &artifacts["model_json_text"]), (&Value::Null, &json!("{\"broken\": ")));
}

#[test]
fn loading_options_arrive() {
    let copy = Copy::of("digits");
    let elsewhere = tempfile::tempdir().unwrap();
    fs::rename(copy.path("weights.bin"), elsewhere.path().join("weights.bin")).unwrap();
    let prefix = elsewhere.path().display().to_string();
    let picture = models("digits/samples/1.png");
    check_refused(&["predict", &copy.model(), "--image", &picture], &["weights.bin"]);
    answer(&["predict", &copy.model(), "--image", &picture, "--weight-path-prefix", &prefix]);
    copy.edit(|model| model["weightsManifest"][0]["weights"][0]["name"] = json!("nobody/kernel"));
    let loose = ["predict", &copy.model(), "--image", &picture, "--weight-path-prefix", &prefix, "--no-strict"];
    let Answer { success, err, .. } = tfjs(&loose);
    assert!(success && err.contains("warning: ") && err.contains("nobody/kernel"), "{err}");

    let found = answer_json(&["dump", &models("digits"), "--stage", "graph", "--input-shape", "conv1_input=2,8,8,1"]);
    assert_eq!(found["values"][0]["shape"], json!([2, 8, 8, 1]));
    let found = answer_json(&["dump", &models("digits"), "--stage", "def", "--producer", "keras3"]);
    assert_eq!(found["producer"]["family"], "keras3");
}

#[test]
fn bench_answers_in_json() {
    let bench = |engine: &str| {
        answer_json(&["bench", &models("iris"), "--json", "--seconds", "0", "--engine", engine, "--batch-size", "3"])
    };
    for engine in ["native", "candle"] {
        let found = bench(engine);
        assert_eq!(found["engine"], engine);
        assert!(found["load_ms"]["min"].as_f64().unwrap() <= found["load_ms"]["median"].as_f64().unwrap());
        assert!(found["predict_ms"]["runs"].as_u64().unwrap() >= 3);
        assert!(found["first_predict_ms"].as_f64().unwrap() > 0.0 && found["threads"].as_u64().unwrap() > 0);
        #[cfg(target_os = "linux")]
        assert!(found["peak_rss_bytes"].as_u64().unwrap() > 1 << 20);
    }
}

#[test]
fn help_is_an_answer_and_nonsense_is_not() {
    let help = answer(&["predict", "--help"]);
    assert!(help.contains("--image") && help.contains("--weight-path-prefix"), "{help}");
    assert!(answer(&["--version"]).starts_with("tfjs "));
    check_refused(&["predict", &models("iris")], &["--input"]);
    check_refused(&["dump", &models("iris"), "--stage", "nowhere"], &["artifacts", "plan"]);
    check_refused(&["frobnicate"], &["frobnicate"]);
}

#[test]
fn files_must_have_the_sums_that_are_given() {
    // By coreutils: `sha256sum model.json group1-shard1of1.bin` in `models/iris`.
    const SUMS: &str = "23c87c115b31cca5b864bad899a3d6850fa5fc1ce53d834797da7a5718d11a5b  model.json\n\
                        598a1179be8f5f059bd5ab42b0bc5ef638387c03d78011422ff3fb23adacac04  group1-shard1of1.bin\n";
    let home = tempfile::tempdir().unwrap();
    let sums = home.path().join("SHA256SUMS");
    let (iris, sums_path) = (models("iris"), sums.display().to_string());
    let inspect = ["inspect", &iris, "--verify", "--checksums", &sums_path];
    fs::write(&sums, SUMS).unwrap();
    answer(&inspect);
    fs::write(&sums, SUMS.replace("  group1", "0  group1")).unwrap();
    check_refused(&inspect, &["SHA256SUMS", "line 2", "64 hexadecimal digits"]);
    let check_weights = |sums_are: &str, says: &str| {
        fs::write(&sums, sums_are).unwrap();
        let Answer { success, err, .. } = tfjs(&inspect);
        assert!(!success && err.contains("group1-shard1of1.bin") && err.contains(says), "{err}");
    };
    check_weights(&SUMS.replace("598a", "598b"), "not the expected one");
    check_weights(SUMS.lines().next().unwrap(), "no checksum");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_https_with_a_certificate_of_ones_own() {
    let names = ["model.json", "group1-shard1of1.bin"];
    let entries = names.map(|name| ZipEntry::stored(name, &fs::read(models(&format!("iris/{name}"))).unwrap()));
    let server = TlsServer::start(Certificate::Good, &["h2", "http/1.1"], zip(&entries)).await;
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("root.pem");
    fs::write(&root, server.root()).unwrap();
    let (url, root) = (server.url("/iris.zip"), root.display().to_string());
    answer(&["inspect", &url, "--verify", "--ca-cert", &root]);
    check_refused(&["inspect", &url, "--tries", "1"], &["iris.zip", "certificate"]);
    check_refused(&["inspect", &url, "--ca-cert", &root, "--public-only"], &["iris.zip", "private or link-local"]);
    check_refused(&["inspect", &url, "--ca-cert", &url], &["cannot read the file"]);
}

#[test]
fn models_are_listed_copied_moved_and_removed() {
    let home = tempfile::tempdir().unwrap();
    let url = |name: &str| home.path().join(name).display().to_string();
    let list = || -> Vec<String> {
        let models = answer_json(&["list", &url(""), "--json"]);
        let urls = models.as_array().unwrap().iter().map(|m| m["url"].as_str().unwrap().to_owned());
        urls.map(|m| m.strip_prefix(&url("")).unwrap().to_owned()).collect()
    };
    assert!(answer(&["copy", &models("digits"), &url("a")]).starts_with("copied "));
    answer(&["copy", &url("a"), &url("b/new.json")]);
    assert_eq!(list(), ["a/model.json", "b/new.json"]);
    answer(&["move", &url("a"), &url("c")]);
    assert_eq!(list(), ["b/new.json", "c/model.json"]);
    // The model is unchanged after the moves.
    let verified = answer_json(&["inspect", &url("c"), "--verify", "--json"]);
    assert_eq!(verified["verified"], json!(true));
    let entry = &answer_json(&["list", &url("c"), "--json"])[0];
    assert_eq!(entry["weight_bytes"], verified["weights"]["bytes"]);
    assert!(answer(&["list", &url("")]).contains("c/model.json"));
    answer(&["remove", &url("b/new.json"), &url("c")]);
    assert_eq!(list(), [""; 0]);
    check_refused(&["remove", &url("c")], &["model.json", "no such file"]);
    check_refused(&["move", &models("digits"), &models("digits")], &["are the same model"]);

    fs::write(home.path().join("model.json"), "<html>").unwrap();
    let Answer { success, out, err } = tfjs(&["list", &url("")]);
    assert!(!success && out.is_empty() && err.contains("model.json"), "{out}{err}");
}

/// The code of the child process of [`an_answer_that_does_not_fit_leaves_the_old_one`].
#[test]
fn a_process_that_predicts() {
    let Ok(folder) = std::env::var("TFJS_TEST_FOLDER") else { return };
    let (input, output) = (format!("{folder}/in.json"), format!("{folder}/out.npy"));
    check_refused(&["predict", &folder, "--input", &input, "--output", &output], &["out.npy", "cannot write the file"]);
}

#[cfg(unix)]
#[test]
fn an_answer_that_does_not_fit_leaves_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let model = alone("RepeatVector", json!({"n": 100_000}), &json!([null, 1])).text();
    let files = [("model.json", &model[..]), ("in.json", b"[[1.0]]"), ("out.npy", b"old")];
    files.into_iter().for_each(|(name, text)| fs::write(dir.path().join(name), text).unwrap());
    // The size of files is limited in that process, which has the effect of a full disk.
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" cli::a_process_that_predicts --exact";
    let mut child = std::process::Command::new("sh");
    child.args(["-c", script]).arg(std::env::current_exe().unwrap()).env("TFJS_TEST_FOLDER", dir.path());
    let done = child.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    assert_eq!(fs::read_to_string(dir.path().join("out.npy")).unwrap(), "old");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn removals_say_which_file_is_not_theirs() {
    let copy = Copy::of("digits");
    let weights = &*read_json(copy.path("model.json"))["weightsManifest"][0]["paths"][0].as_str().unwrap().to_owned();
    fs::write(copy.path(weights), "mine").unwrap();
    check_refused(&["remove", &copy.model()], &[weights, "found 4", "nothing is replaced or removed"]);
    assert!(copy.path("model.json").exists() && copy.path(weights).exists());
}
