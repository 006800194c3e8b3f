//! `--timeout` is the limit of the whole command: of all its loads and predictions together, and of files that are
//! pipes. Tested by the entry point of the command.

use io_harness::fault_server::{FaultServer, Reply};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn models(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(path).display().to_string()
}

/// Runs a command that must fail, with these words, long before it would end without a limit.
#[track_caller]
fn check_ends(args: &[&str], words: &str) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let started = Instant::now();
    let code = tfjs_cli::run([&["tfjs"], args].concat(), &mut out, &mut err);
    let err = String::from_utf8_lossy(&err);
    assert_ne!(code, std::process::ExitCode::SUCCESS, "{args:?}");
    assert!(err.contains(words), "{args:?} says {err}");
    assert!(started.elapsed() < Duration::from_secs(40), "{args:?} took {:?}", started.elapsed());
}

#[cfg(unix)]
fn pipe(folder: &Path, name: &str) -> PathBuf {
    let pipe = folder.join(name);
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    pipe
}

/// Nobody writes to these pipes, or reads from them.
#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let [file, input] = [pipe(dir.path(), "pipe.npy"), dir.path().join("input.json")];
    // Another one, because the threads that wait for the first one read what is written to it.
    let output = pipe(dir.path(), "output.npy");
    let (model, pipe, output) = (models("iris"), file.to_str().unwrap(), output.to_str().unwrap());
    fs::write(&input, r#"{"sepal": [[5.1, 3.5]], "petal": [[1.4, 0.2]]}"#).unwrap();
    let input = input.to_str().unwrap();
    let words = "timed out: the file took longer than `--timeout`";
    for args in [
        &["predict", &model, "--input", pipe][..],
        &["predict", &models("digits"), "--image", pipe],
        &["predict", &model, "--input", input, "--labels", pipe, "--top", "1"],
        &["predict", &model, "--input", input, "--output", output],
        &["inspect", &model, "--checksums", pipe],
        &["inspect", &model, "--ca-cert", pipe],
        &["list", &model, "--ca-cert", pipe],
    ] {
        // Enough to load and predict.
        let time = if args[0] == "predict" { "5s" } else { "1s" };
        let args = [args, &["--timeout", time]].concat();
        check_ends(&args, words);
    }
}

#[test]
fn the_predictions_of_a_benchmark_end_in_time() {
    check_ends(&["bench", &models("iris"), "--seconds", "86400", "--timeout", "5s"], "before its deadline");
}

/// Each of the three loads takes half of the time.
#[tokio::test(flavor = "multi_thread")]
async fn the_loads_of_a_benchmark_share_one_time_limit() {
    let folder = PathBuf::from(models("iris"));
    let server = FaultServer::start(move |request| {
        let file = Reply::ok(fs::read(folder.join(request.target.trim_start_matches('/'))).unwrap());
        match request.target.ends_with(".json") {
            true => Reply::raw("").pause(Duration::from_secs(2)).and(file),
            false => file,
        }
    })
    .await;
    let url = server.url("/model.json");
    check_ends(&["bench", &url, "--seconds", "0", "--timeout", "4s"], "--timeout");
}
