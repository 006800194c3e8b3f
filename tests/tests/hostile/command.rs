//! Attacks by files and servers on users of the command: control characters for the terminal, another
//! model than the one that was shown, and much time and memory. Tested by the entry point of the command.

use io_harness::fault_server::{FaultServer, Reply};
use serde_json::{Value, json};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tfjs_manifest::text::acts;

/// One of each kind of character that controls a terminal: C0, DEL, C1, directions, separators, joiners, tags.
const EVIL: &str = "e\u{1b}[31m\r\n\u{7}\u{7f}\u{85}\u{9b}2J\u{ad}\u{61c}\u{200b}\u{200e}\u{2028}\u{202e}\u{2066}\u{feff}\u{e0041}\u{f8ff}";

struct Answer {
    success: bool,
    out: String,
    err: String,
}

/// Runs a command, and checks that its output contains no characters that control a terminal.
#[track_caller]
fn tfjs(args: &[&str]) -> Answer {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = tfjs_cli::run([&["tfjs"], args].concat(), &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).expect("answers are text");
    let answer = Answer { success: code == ExitCode::SUCCESS, out: text(out), err: text(err) };
    for text in [&answer.out, &answer.err] {
        let found = text.chars().find(|c| acts(*c) && *c != '\n');
        assert_eq!(found, None, "{args:?} says {text}");
    }
    answer
}

#[track_caller]
fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.out).unwrap_or_else(|e| panic!("no JSON ({e}): {} {}", answer.out, answer.err))
}

fn layer(class: &str, name: &str, mut config: Value, from: &Value) -> Value {
    config["name"] = name.into();
    json!({"class_name": class, "name": name, "config": config, "inbound_nodes": from})
}

fn input(name: &str) -> Value {
    layer("InputLayer", name, json!({"batch_input_shape": [null, 2], "dtype": "float32"}), &json!([]))
}

/// A model of these layers, with the first calls of the named layers as inputs and outputs.
fn functional(layers: &[Value], inputs: &[&str], outputs: &[&str]) -> Value {
    let ports = |names: &[&str]| names.iter().map(|name| json!([name, 0, 0])).collect::<Value>();
    let config = json!({"name": "m", "layers": layers, "input_layers": ports(inputs), "output_layers": ports(outputs)});
    json!({"keras_version": "2.15.0", "model_config": {"class_name": "Functional", "config": config}})
}

fn sequential(layers: &Value) -> Value {
    json!({"keras_version": "2.15.0", "model_config": {
        "class_name": "Sequential", "config": {"name": "s", "layers": layers}}})
}

/// A model's folder, and its name for the command.
fn folder(json: &Value) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.json"), json.to_string()).unwrap();
    let name = folder.path().display().to_string();
    (folder, name)
}

fn path_of(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

/// A model whose texts all contain control characters.
fn evil() -> (TempDir, String) {
    let kernel = |name: &str| json!({"name": name, "shape": [2, 2], "dtype": "float32"});
    let layers = [
        input(EVIL),
        layer("Dense", "d", json!({"units": 2, "use_bias": false, (EVIL): 1}), &json!([[[EVIL, 0, 0, {}]]])),
        layer("Flatten", &format!("{EVIL}2"), json!({}), &json!([[["d", 0, 0, {}]]])),
    ];
    let mut topology = functional(&layers, &[EVIL], &[&format!("{EVIL}2")]);
    topology["keras_version"] = format!("2.15{EVIL}").into();
    topology["model_config"]["config"]["name"] = EVIL.into();
    let (folder, model) = folder(&json!({
        "format": "layers-model", "generatedBy": EVIL, "convertedBy": EVIL, "modelTopology": topology,
        "userDefinedMetadata": {"labels": [EVIL, "b"], (EVIL): EVIL},
        "weightsManifest": [{"paths": ["w.bin"], "weights": [kernel("d/kernel"), kernel(EVIL)]}],
    }));
    fs::write(folder.path().join("w.bin"), [0; 32]).unwrap();
    fs::write(folder.path().join("x.json"), "[[1, 2]]").unwrap();
    (folder, model)
}

#[test]
fn nothing_of_a_file_acts_on_the_terminal() {
    let (folder, model) = evil();
    let x = path_of(&folder, "x.json");
    let commands: [(&[&str], bool); 8] = [
        (&["inspect", "--no-strict"], false),
        (&["inspect", "--no-strict", "--verify"], false),
        (&["inspect", "--no-strict", "--json"], true),
        (&["inspect", "--no-strict", "--verify", "--json"], true),
        (&["predict", "--no-strict", "--input", &x], true),
        (&["predict", "--no-strict", "--input", &x, "--output", "-", "--top", "1"], false),
        (&["predict", "--no-strict", "--input", &x, "--top", "1"], false),
        (&["bench", "--no-strict", "--seconds", "0"], false),
    ];
    for (args, is_json) in commands {
        if args.contains(&"-") {
            continue;
        }
        let answer = tfjs(&[args, &[&model]].concat());
        assert!(answer.success, "{args:?}: {}", answer.err);
        if is_json {
            let json = json_of(&answer);
            let name = format!("{EVIL}2");
            let here = json.get(&name).is_some() || json["outputs"][0]["name"] == name;
            assert!(here, "the JSON is what it was without escapes: {json}");
        }
    }
    for stage in ["artifacts", "layout", "def", "graph", "binding", "plan"] {
        json_of(&tfjs(&["dump", "--no-strict", &model, "--stage", stage]));
    }
    let program = tfjs(&["dump", "--no-strict", &model, "--stage", "program"]).out;
    let read = tfjs::parts::ir::text::parse(&program).unwrap();
    assert_eq!(read.to_string(), program);
    // Errors and reports.
    assert!(!tfjs(&["inspect", &model]).success);
    assert!(!tfjs(&["predict", &model, "--input", &x]).success);
    assert!(!tfjs(&["dump", &model, "--stage", "binding"]).success);
}

#[test]
fn a_version_does_not_forge_the_last_line() {
    let mut topology = sequential(&json!([layer("Flatten", "f", json!({"batch_input_shape": [null, 2]}), &json!([]))]));
    topology["keras_version"] = "2.15\n\nverified:\tevery\tbyte\twas\tread\n".into();
    let (_folder, model) = folder(&json!({"modelTopology": topology}));
    let said = tfjs(&["inspect", &model]).out;
    assert!(said.starts_with("s: Sequential, by Keras 2 (2.15)\n") && !said.contains("verified"), "{said}");
}

#[test]
fn names_of_files_and_arguments_do_not_act() {
    let (folder, model) = evil();
    let strange = "a\u{202e}\u{9b}2Jb\u{200b}";
    // Names with control characters are not listed.
    let copy = path_of(&folder, "a\u{202e}b\u{200b}");
    assert!(tfjs(&["copy", &model, &copy]).success);
    fs::write(Path::new(&copy).join(format!("{strange}.json")), "{\"format\": \"layers-model\"").unwrap();
    let listed = tfjs(&["list", &path_of(&folder, "")]);
    assert!(listed.out.contains(r"a\u{202e}b\u{200b}"), "{}", listed.out);
    let urls = json_of(&tfjs(&["list", "--json", &path_of(&folder, "")]));
    assert!(urls.to_string().contains("\u{202e}"), "{urls}");
    tfjs(&["inspect", &format!("{copy}/missing.json")]);
    tfjs(&["predict", &model, "--no-strict", "--input", strange]);
    tfjs(&["inspect", &model, strange]);
    tfjs(&["inspect", &model, "--threads", strange]);
    tfjs(&[strange]);
    // Nothing is removed if a JSON cannot be understood.
    assert!(!tfjs(&["remove", &copy]).success);
}

#[test]
fn warnings_are_counted_and_cut() {
    let flatten = |config: Value| sequential(&json!([layer("Flatten", "f", config, &json!([]))]));
    let weights: Value =
        (0..15_000).map(|i| json!({"name": format!("w{i}"), "shape": [0], "dtype": "float32"})).collect();
    let (_many, model) = folder(&json!({
        "modelTopology": flatten(json!({"batch_input_shape": [null, 2]})),
        "weightsManifest": [{"paths": ["w.bin"], "weights": weights}],
    }));
    let said = tfjs(&["inspect", "--no-strict", &model]).err;
    assert_eq!(said.lines().count(), 101, "{said}");
    assert!(said.ends_with("warning: and 14900 more warnings\n"), "{said}");
    let listed = json_of(&tfjs(&["inspect", "--no-strict", "--json", &model]));
    assert_eq!(listed["warnings"].as_array().unwrap().len(), 101);

    let key = "z".repeat(900_000);
    let (_long, model) = folder(&json!({"modelTopology": flatten(json!({"batch_input_shape": [null, 2], (key): 1}))}));
    for args in [&["inspect", &model][..], &["inspect", "--verify", &model], &["inspect", "--json", &model]] {
        let Answer { out, err, .. } = tfjs(args);
        let longest = out.lines().chain(err.lines()).map(str::len).max().unwrap();
        assert!(err.contains("configuration without a known meaning") && longest < 2000, "{longest}");
    }
}

#[test]
fn a_wide_layer_does_not_widen_the_table_for_all() {
    // One call has a thousand outputs, whose shapes are in a column of the table.
    let from = json!([[["x", 0, 0, {}]]]);
    let split = layer("TFOpLambda", "split", json!({"function": "unstack"}), &json!([["x", 0, 0, {"axis": 1}]]));
    let mut x = input("x");
    x["config"]["batch_input_shape"] = json!([null, 1000]);
    let mut layers = vec![x, split];
    layers.extend((0..50).map(|i| layer("Flatten", &format!("f{i}"), json!({}), &from)));
    let (_folder, model) = folder(&json!({"modelTopology": functional(&layers, &["x"], &["f0"])}));
    let said = tfjs(&["inspect", &model]);
    let longest = said.out.lines().map(str::len).max().unwrap();
    assert!(said.success && longest < 400, "{longest} {}", said.err);
}

#[test]
fn outputs_and_inputs_have_names_of_their_own() {
    let from = |name: &str| json!([[[name, 0, 0, {}]]]);
    let layers =
        [input("x"), layer("Flatten", "f", json!({}), &from("x")), layer("Flatten", "f:1", json!({}), &from("x"))];
    let (folder, model) = folder(&json!({"modelTopology": functional(&layers, &["x"], &["f", "f", "f:1"])}));
    let (x, file) = (path_of(&folder, "x.json"), path_of(&folder, "out.safetensors"));
    fs::write(&x, "[[1, 2]]").unwrap();
    let answer = tfjs(&["predict", &model, "--input", &x]);
    // Compares the text, because a map would hide a duplicate key.
    assert_eq!(answer.out, "{\n  \"f\": [[1.0, 2.0]],\n  \"f:2\": [[1.0, 2.0]],\n  \"f:1\": [[1.0, 2.0]]\n}\n");
    assert!(tfjs(&["predict", &model, "--input", &x, "--output", &file]).success);
    let written = fs::read(&file).unwrap();
    let written = safetensors::SafeTensors::deserialize(&written).unwrap();
    let mut names = written.names();
    names.sort_unstable();
    assert_eq!(names, ["f", "f:1", "f:2"]);

    // An input cannot be listed twice.
    let layers = [input("x"), layer("Flatten", "y", json!({}), &from("x"))];
    let (_folder, model) = self::folder(&json!({"modelTopology": functional(&layers, &["x", "x"], &["y"])}));
    let answer = tfjs(&["predict", &model, "--input", &x]);
    assert!(!answer.success && answer.err.contains("listed twice"), "{}", answer.err);
}

/// A server that sends another model for every request.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_what_was_verified() {
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let server = FaultServer::start(move |request| {
        if !request.target.ends_with(".json") {
            return Reply::ok([0, 0, 0x80, 0x3f]);
        }
        let name = if counter.fetch_add(1, Ordering::SeqCst) == 0 { "good" } else { "evil" };
        let config = json!({"units": 1, "use_bias": false, "batch_input_shape": [null, 1]});
        let weights = json!([{"name": format!("{name}/kernel"), "shape": [1, 1], "dtype": "float32"}]);
        let json = json!({
            "modelTopology": sequential(&json!([layer("Dense", name, config, &json!([]))])),
            "weightsManifest": [{"paths": ["w.bin"], "weights": weights}],
        });
        Reply::ok(json.to_string())
    })
    .await;
    let said = json_of(&tfjs(&["inspect", "--verify", "--json", &server.url("/model.json")]));
    assert_eq!(asked.load(Ordering::SeqCst), 1, "one JSON for all of it");
    assert_eq!((&said["verified"], &said["layers"][0]["path"]), (&json!(true), &json!("good")));
}

/// A model of images of any size.
fn of_pictures() -> Value {
    let config = json!({"batch_input_shape": [null, null, null, 3]});
    json!({"modelTopology": sequential(&json!([layer("GlobalAveragePooling2D", "g", config, &json!([]))]))})
}

fn picture() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/digits/samples/3.png").display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_optional_is_waited_for_three_seconds_and_asked_for_once() {
    let server = FaultServer::start(move |request| match request.target.as_str() {
        "/model.json" => Reply::ok(of_pictures().to_string()),
        _ => Reply::raw("").pause(Duration::from_secs(60)),
    })
    .await;
    let started = Instant::now();
    let answer = tfjs(&["predict", &server.url("/model.json"), "--image", &picture()]);
    let waited = started.elapsed();
    assert!(answer.success && answer.err.contains("`metadata.json` did not arrive in 3 s"), "{}", answer.err);
    assert!(waited >= Duration::from_secs(3) && waited < Duration::from_secs(10), "{waited:?}");
    assert_eq!(server.targets(), ["/model.json", "/metadata.json"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_optional_and_fails_is_not_tried_again() {
    let server = FaultServer::start(move |request| match request.target.as_str() {
        "/model.json" => Reply::ok(of_pictures().to_string()),
        _ => Reply::status("503 Service Unavailable", &[], ""),
    })
    .await;
    let answer = tfjs(&["predict", &server.url("/model.json"), "--image", &picture()]);
    assert!(answer.success, "{}", answer.err);
    assert_eq!(server.targets(), ["/model.json", "/metadata.json"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_has_a_limit_of_its_own() {
    let (folder, model) = folder(&of_pictures());
    let metadata = |bytes: usize| {
        let mut text =
            json!({"packageName": "@teachablemachine/image", "labels": ["a", "b", "c"], "imageSize": 8}).to_string();
        text.extend(std::iter::repeat_n(' ', bytes - text.len()));
        text
    };
    let predict = |model: &str, more: &[&str]| tfjs(&[&["predict", model, "--image", &picture()], more].concat());
    fs::write(folder.path().join("metadata.json"), metadata(64 << 10)).unwrap();
    assert!(predict(&model, &[]).success);
    fs::write(folder.path().join("metadata.json"), metadata((64 << 10) + 1)).unwrap();
    let server = FaultServer::start(move |request| match request.target.as_str() {
        "/model.json" => Reply::ok(of_pictures().to_string()),
        _ => Reply::ok(metadata((64 << 10) + 1)),
    })
    .await;
    for model in [model, server.url("/model.json")] {
        let refused = predict(&model, &[]);
        assert!(!refused.success && refused.err.contains("`metadata_bytes`"), "{}", refused.err);
        let labels = path_of(&folder, "labels.txt");
        fs::write(&labels, "a\nb\nc").unwrap();
        assert!(predict(&model, &["--range", "0,1", "--labels", &labels]).success);
    }
}

#[cfg(unix)]
#[test]
fn metadata_that_is_a_link_out_of_the_folder_is_not_read() {
    let (folder, model) = folder(&of_pictures());
    let elsewhere = tempfile::tempdir().unwrap();
    let secret = json!({"labels": ["s3cr", "s3cr", "s3cr"]}).to_string();
    fs::write(elsewhere.path().join("secret.json"), &secret).unwrap();
    let link = folder.path().join("metadata.json");
    std::os::unix::fs::symlink(elsewhere.path().join("secret.json"), &link).unwrap();
    for model in [&model, &path_of(&folder, "model.json"), &format!("file://{}", path_of(&folder, "model.json"))] {
        let refused = tfjs(&["predict", model, "--image", &picture()]);
        assert!(!refused.success && refused.err.contains("metadata.json"), "{}", refused.err);
        assert!(!(refused.out + &refused.err).contains("s3cr"));
    }
    // A link inside the folder is allowed.
    fs::remove_file(&link).unwrap();
    fs::write(folder.path().join("labels.json"), secret.replace("s3cr", "fine")).unwrap();
    std::os::unix::fs::symlink("labels.json", &link).unwrap();
    let answer = tfjs(&["predict", &model, "--image", &picture()]);
    assert!(answer.success && answer.out.contains("fine"), "{}", answer.err);
}

#[test]
fn headers_that_are_none_are_not_repeated() {
    for args in [
        &["inspect", "m", "--header", "Authorization Bearer s3cr"][..],
        &["list", "--header", "Authorization:", "Bearer", "s3cr"],
        &["predict", "m", "--input", "http://user:s3cr@localhost/x.npy"],
        &["copy", "http://user:s3cr@host/model.json"],
    ] {
        let answer = tfjs(args);
        assert!(!answer.success && !(answer.out + &answer.err).contains("s3cr"), "{args:?}: {}", answer.err);
    }
}

/// A writer that records the largest piece and the total number of bytes.
#[derive(Default)]
struct Pieces {
    largest: usize,
    bytes: usize,
}

impl Write for Pieces {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.largest = self.largest.max(piece.len());
        self.bytes += piece.len();
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_long_answer_is_written_as_it_is_read() {
    let config = json!({"n": 200_000, "batch_input_shape": [null, 1]});
    let (folder, model) =
        folder(&json!({"modelTopology": sequential(&json!([layer("RepeatVector", "r", config, &json!([]))]))}));
    let x = path_of(&folder, "x.json");
    fs::write(&x, "[[1.5]]").unwrap();
    let (mut out, mut err) = (Pieces::default(), Vec::new());
    let code = tfjs_cli::run(["tfjs", "predict", &model, "--input", &x], &mut out, &mut err);
    assert_eq!(code, ExitCode::SUCCESS);
    // `[1.5], ` for each value.
    assert!(out.bytes > 200_000 * 7 && out.largest <= 1 << 16, "{} of {}", out.largest, out.bytes);
}

/// A folder with the name of an archive and `!` is not what is in the archive.
#[cfg(unix)]
#[test]
fn metadata_of_an_archive_comes_from_the_archive() {
    use io_harness::archives::{ZipEntry, zip};
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/digits");
    let mut json: Value = serde_json::from_slice(&fs::read(models.join("model.json")).unwrap()).unwrap();
    json.as_object_mut().unwrap().remove("userDefinedMetadata");
    let weights = fs::read(models.join("weights.bin")).unwrap();
    let entries = [("model.json", json.to_string().into_bytes()), ("weights.bin", weights)];
    let folder = tempfile::tempdir().unwrap();
    fs::write(path_of(&folder, "m.zip"), zip(&entries.map(|(name, bytes)| ZipEntry::stored(name, &bytes)))).unwrap();
    let labels: Vec<String> = (0..10).map(|i| format!("secret {i}")).collect();
    fs::write(path_of(&folder, "secret.json"), json!({"labels": labels}).to_string()).unwrap();
    fs::create_dir(path_of(&folder, "m.zip!")).unwrap();
    std::os::unix::fs::symlink("../secret.json", path_of(&folder, "m.zip!/metadata.json")).unwrap();
    let picture = models.join("samples/3.png").display().to_string();
    let answer = tfjs(&["predict", &path_of(&folder, "m.zip"), "--image", &picture]);
    assert!(answer.success && !answer.out.contains("secret"), "{} {}", answer.out, answer.err);
}

/// A folder with thousands of broken models.
#[test]
fn a_list_of_broken_models_is_counted_after_a_hundred() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..130 {
        let model = folder.path().join(i.to_string());
        fs::create_dir(&model).unwrap();
        fs::write(model.join("model.json"), "{").unwrap();
    }
    let answer = tfjs(&["list", &folder.path().display().to_string()]);
    let errors: Vec<&str> = answer.err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(!answer.success && errors.len() == 101, "{}", answer.err);
    assert_eq!(errors.last(), Some(&"error: and 30 more models that cannot be read"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_cannot_be_used_is_a_warning_of_every_command() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/iris");
    let server =
        FaultServer::start(move |r| Reply::ok(fs::read(models.join(r.target.trim_start_matches('/'))).unwrap())).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url("/model.json"));
    fs::write(path_of(&folder, "file"), "not a folder").unwrap();
    for flag in ["--json", "--verify"] {
        let answer = tfjs(&["inspect", &url, flag, "--cache", &path_of(&folder, "file")]);
        let warnings = answer.err.lines().filter(|line| line.contains("the cache could not be used")).count();
        assert!(answer.success && warnings == 1, "{}", answer.err);
    }
}
