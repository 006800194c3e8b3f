//! A short run of every fuzz target from its seeds. The properties are those of `tests/harness/oracles`;
//! a finding is added as a file in `tests/findings` and a named test.

mod seeds;

use crate::Outcome;
use crate::run::{self, program_in};
use crate::workspace::Workspace;
use std::process::Command;

/// Seconds for each target.
const SECONDS: u64 = 60;
/// The most memory that a target may use, in MiB, and the most seconds for one input.
const MEMORY: u64 = 2048;
const TIMEOUT: u64 = 20;

/// Runs the named targets, or all, each for a bounded time. `--seconds N` sets it; `--seeds` only makes the seeds.
///
/// # Errors
/// A finding, with the path of the input that shows it; missing tools.
pub fn smoke(workspace: &Workspace, args: &[&str]) -> Outcome {
    let known = targets(&workspace.read("fuzz/Cargo.toml")?);
    let Options { seconds, targets, only_seeds } = options(args, &known)?;
    for target in &targets {
        seeds::write(workspace, target)?;
    }
    if only_seeds {
        return Ok(());
    }
    tools(workspace)?;
    // The locked versions of the workspace; cargo adds the packages that only fuzzing needs.
    let lock = |name: &str| workspace.root.join(name);
    std::fs::copy(lock("Cargo.lock"), lock("fuzz/Cargo.lock")).map_err(|e| format!("cannot copy Cargo.lock: {e}"))?;
    let findings: Vec<&str> =
        targets.iter().copied().filter(|target| fuzz(workspace, target, seconds).is_err()).collect();
    match findings.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "findings of {}: the inputs are in `fuzz/artifacts`; fix the cause, then keep each in `{}` with a test in \
             `tests/tests/oracles.rs`",
            findings.join(", "),
            seeds::FINDINGS
        )),
    }
}

/// Runs the target's seeds first, then mutations of them.
fn fuzz(workspace: &Workspace, target: &str, seconds: u64) -> Outcome {
    let [seconds, memory, timeout] =
        [format!("-max_total_time={seconds}"), format!("-rss_limit_mb={MEMORY}"), format!("-timeout={TIMEOUT}")];
    let limits =
        [seconds.as_str(), &memory, &timeout, "-max_len=16384", "-dict=fuzz/dict/model.dict", "-print_final_stats=1"];
    let args = [&["run", "--sanitizer", "none", target, "--"], &limits[..]].concat();
    let mut command = cargo_fuzz(workspace, &args);
    // Waking a thread takes longer than multiplying a tiny matrix.
    command.env("RAYON_NUM_THREADS", "1");
    run::run(&format!("fuzzing `{target}`"), command)
}

fn cargo_fuzz(workspace: &Workspace, args: &[&str]) -> Command {
    // Sanitizers and coverage need the nightly toolchain; everything else uses the pinned one.
    program_in(workspace, "rustup", &[&["run", "nightly", "cargo", "fuzz"], args].concat())
}

fn tools(workspace: &Workspace) -> Outcome {
    let missing = |_| {
        "fuzzing needs a nightly toolchain and cargo-fuzz: `rustup toolchain install nightly --profile minimal && cargo \
         install cargo-fuzz`"
            .to_owned()
    };
    run::output(cargo_fuzz(workspace, &["--version"])).map(drop).map_err(missing)
}

#[derive(Debug, PartialEq, Eq)]
struct Options<'a> {
    seconds: u64,
    targets: Vec<&'a str>,
    only_seeds: bool,
}

fn options<'a>(args: &[&'a str], known: &'a [String]) -> Result<Options<'a>, String> {
    let mut options = Options { seconds: SECONDS, targets: Vec::new(), only_seeds: false };
    let mut args = args.iter();
    while let Some(&arg) = args.next() {
        match arg {
            "--seeds" => options.only_seeds = true,
            "--seconds" => {
                let seconds = args.next().and_then(|text| text.parse().ok());
                options.seconds = seconds.ok_or("`--seconds` needs a number")?;
            }
            target if known.iter().any(|name| name == target) => options.targets.push(target),
            other => return Err(format!("no fuzz target `{other}`; there are {}", known.join(", "))),
        }
    }
    if options.targets.is_empty() {
        options.targets = known.iter().map(String::as_str).collect();
    }
    Ok(options)
}

/// The targets: the binaries of the fuzzing package.
fn targets(manifest: &str) -> Vec<String> {
    let sections = manifest.split("[[bin]]").skip(1);
    let name = |section: &str| {
        section.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"').map(str::to_owned))
    };
    sections.filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_the_binaries_and_only_they_are_known() {
        let known =
            targets("[package]\nname = \"fuzz\"\n[[bin]]\nname = \"a\"\npath = \"a.rs\"\n[[bin]]\nname = \"b\"\n");
        assert_eq!(known, ["a", "b"]);
        let all = Options { seconds: 60, targets: vec!["a", "b"], only_seeds: false };
        assert_eq!(options(&[], &known), Ok(all));
        let one = Options { seconds: 5, targets: vec!["b"], only_seeds: false };
        assert_eq!(options(&["--seconds", "5", "b"], &known), Ok(one));
        for wrong in [&["c"][..], &["--seconds"], &["--seconds", "soon"]] {
            assert!(options(wrong, &known).is_err(), "{wrong:?}");
        }
    }
}
