//! Builds every published crate alone, with and without default features: a build of the whole workspace unifies
//! features and hides a missing feature of a dependency. This is slow, because each crate is checked separately.

use crate::Outcome;
use crate::run::{cargo, output, program_in, run};
use crate::workspace::Workspace;

const PUBLISHED: &[&str] =
    &["tfjs-manifest", "tfjs-io", "tfjs-weights", "tfjs-topology", "tfjs-kernels", "tfjs-candle", "tfjs", "tfjs-cli"];

/// The features of the transport, each checked without the others.
const TRANSPORT: &[&str] = &["archive", "cache", "http", "native-roots", "object-store", "cloud", "s3", "gcs", "azure"];

/// Checks every published crate alone.
///
/// # Errors
/// The first crate that does not build, or builds with a warning.
pub fn run_each(workspace: &Workspace) -> Outcome {
    for name in PUBLISHED {
        for features in [&["--no-default-features"][..], &[]] {
            check(workspace, &format!("{name} alone"), &[&["--package", name], features].concat())?;
        }
    }
    for feature in TRANSPORT {
        let args = ["--package", "tfjs-io", "--no-default-features", "--features", feature];
        check(workspace, &format!("tfjs-io with {feature} alone"), &args)?;
    }
    Ok(())
}

/// The crates that build for [`WASM`]; the transport is built without its backends.
const PORTABLE: &[&str] = &["tfjs-manifest", "tfjs-io", "tfjs-weights", "tfjs-ir", "tfjs-topology", "tfjs-kernels"];

const WASM: &str = "wasm32-unknown-unknown";

/// Checks the portable crates for WebAssembly, if the toolchain has the standard library for it.
///
/// # Errors
/// The first crate that does not build, or builds with a warning.
pub fn run_wasm(workspace: &Workspace) -> Outcome {
    let folder = output(program_in(workspace, "rustc", &["--print", "target-libdir", "--target", WASM]))?;
    if !std::path::Path::new(folder.trim()).is_dir() {
        eprintln!("== {WASM}: skipped, its standard library is not installed (`rustup target add {WASM}`)");
        return Ok(());
    }
    let packages = PORTABLE.iter().flat_map(|name| ["--package", name]);
    let args: Vec<&str> = ["--target", WASM, "--no-default-features"].into_iter().chain(packages).collect();
    check(workspace, WASM, &args)
}

fn check(workspace: &Workspace, what: &str, args: &[&str]) -> Outcome {
    let args = [&["clippy", "--locked"], args, &["--", "--deny", "warnings"]].concat();
    run(what, cargo(workspace, &args))
}
