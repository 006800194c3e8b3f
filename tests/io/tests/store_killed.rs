//! Processes that are killed while they copy a model of many files over another one: if a model loads, it is the
//! complete old or new one, and the next copy leaves no temporary files.

#![cfg(unix)]

use io_harness::tree;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tfjs_io::ModelStore;

/// Weight files of each model.
const FILES: usize = 60;
/// The number of killed processes.
const KILLED: u32 = 8;

/// Writes a model whose files contain only this byte; the old and the new model differ only in it.
fn write_model(folder: &Path, byte: u8) {
    fs::create_dir_all(folder).unwrap();
    let path = |i: usize| format!("w{i}.bin");
    let group = |i| json!({"paths": [path(i)], "weights": [{"name": path(i), "shape": [100], "dtype": "uint8"}]});
    let groups: Vec<Value> = (0..FILES).map(group).collect();
    let json = json!({"modelTopology": {"byte": byte}, "weightsManifest": groups});
    (0..FILES).for_each(|i| fs::write(folder.join(path(i)), [byte; 100]).unwrap());
    fs::write(folder.join("model.json"), json.to_string()).unwrap();
}

fn copy(from: &Path, to: &Path) {
    let (from, to) = (from.display().to_string(), to.display().to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(ModelStore::default().copy(&from, &to)).unwrap();
}

/// The code of the other processes.
#[test]
fn another_process() {
    let (Some(from), Some(to)) = (std::env::var_os("TFJS_TEST_FROM"), std::env::var_os("TFJS_TEST_TO")) else { return };
    copy(from.as_ref(), to.as_ref());
}

fn spawn(from: &Path, to: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["store_killed::another_process", "--exact"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("TFJS_TEST_FROM", from).env("TFJS_TEST_TO", to).spawn().unwrap()
}

/// The byte of the model in the folder; `None` without a JSON. Panics if the files are mixed.
fn loads(folder: &Path) -> Option<u8> {
    let text = fs::read(folder.join("model.json")).ok()?;
    let json: Value = serde_json::from_slice(&text).unwrap();
    let byte = json["modelTopology"]["byte"].as_u64().unwrap() as u8;
    for i in 0..FILES {
        assert_eq!(fs::read(folder.join(format!("w{i}.bin"))).unwrap(), [byte; 100], "w{i}.bin of model {byte}");
    }
    Some(byte)
}

#[test]
fn a_copy_that_is_killed_leaves_the_old_model_the_new_one_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let [old, new, target] = ["old", "new", "target"].map(|name| dir.path().join(name));
    write_model(&old, 1);
    write_model(&new, 2);
    copy(&old, &target);
    fs::write(target.join("notes.txt"), "mine").unwrap();
    let start = Instant::now();
    assert!(spawn(&new, &target).wait().unwrap().success());
    let whole = start.elapsed();
    for i in 0..KILLED {
        copy(&old, &target);
        assert_eq!(loads(&target), Some(1));
        let mut child = spawn(&new, &target);
        // Files are replaced in the last part of a copy.
        std::thread::sleep(whole.mul_f64(0.4 + 0.6 * f64::from(i) / f64::from(KILLED)));
        child.kill().unwrap();
        child.wait().unwrap();
        loads(&target);
    }
    std::thread::sleep(Duration::from_millis(10));
    copy(&new, &target);
    assert_eq!(loads(&target), Some(2));
    let names: Vec<String> = tree::of(&target).into_keys().collect();
    assert_eq!(names.len(), FILES + 2, "{names:?}");
    assert_eq!(fs::read_to_string(target.join("notes.txt")).unwrap(), "mine");
}
