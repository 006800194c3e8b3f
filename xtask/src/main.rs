//! The project's own tasks: `cargo xtask ci | tidy | golden | conformance | bench | codegen | fuzz-smoke`.
//!
//! It depends on no runtime crate, so it builds in seconds even if those do not compile.

mod bench;
mod ci;
mod codegen;
mod conformance;
mod fuzz;
mod golden;
mod layers;
mod run;
mod source;
mod tidy;
mod workspace;

use std::process::ExitCode;
use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask TASK

  ci [--full]             what a change must pass: formatting, tidy, clippy, the README's test command, documentation;
                          --full adds `tidy --builds` and the README's first command
  tidy [--builds]         the invariants of ARCHITECTURE.md; --builds also builds every crate alone (slow)
  codegen [--check]       rewrites what is generated: docs/LAYERS.md
  conformance [FILTER]    the conformance cases as a table, by class, producer and engine
  conformance --cases FOLDER [FILTER]
                          the cases of another folder: of random models, see tests/conformance/generate/README.md
  conformance --write     all of them; keeps the results in docs/conformance.json and docs/LAYERS.md
  golden [PRODUCER...]    makes the conformance cases again with the real TensorFlow.js and Keras (Node 20, Python 3.11 and 3.6)
  golden --large [NETWORK...]
                          makes known networks at full size with the real converter (cached, never committed) and compares
                          with Keras
  golden --saved          saves the model of every case and checks it with the real TensorFlow.js (Node 20); keeps the results
                          in docs/saved.json and docs/LAYERS.md
  bench [NAME...] [--large] [--json] [--seconds S] [--filter TEXT]
                          load, predict, decode and transport (3 GB over HTTP and from files, with peak memory), each
                          side by side with what it is measured against
  fuzz-smoke [--seconds N] [--seeds] [TARGET...]
                          makes the seeds and runs each fuzz target for a minute; --seeds only makes them (nightly, cargo-fuzz)";

/// The result of a task; the text says what failed.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match task(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

fn task(args: &[&str]) -> Outcome {
    let workspace = Workspace::find()?;
    match args {
        ["ci"] => ci::run(&workspace, false),
        ["ci", "--full"] => ci::run(&workspace, true),
        ["tidy"] => tidy::run(&workspace),
        ["tidy", "--builds"] => tidy::run(&workspace).and_then(|()| tidy::builds::run_each(&workspace)),
        ["codegen"] => codegen::write(&workspace),
        ["codegen", "--check"] => codegen::check(&workspace),
        ["conformance", "--write"] => conformance::write(&workspace),
        ["conformance", rest @ ..] => conformance::run_cases(&workspace, rest),
        ["golden", "--large", networks @ ..] => golden::large(&workspace, networks),
        ["golden", "--saved"] => golden::saved(&workspace),
        ["golden", producers @ ..] => golden::cases(&workspace, producers),
        ["bench", rest @ ..] => bench::run_all(&workspace, rest),
        ["fuzz-smoke", rest @ ..] => fuzz::smoke(&workspace, rest),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(format!("unknown task `{}`\n{USAGE}", args.join(" "))),
    }
}
