//! Every published crate alone, with default features and without: a build of the whole workspace unifies
//! features and hides what a crate forgot to ask for. Slow: each crate is checked with its own set.

use crate::Outcome;
use crate::run::{cargo, run};
use crate::workspace::Workspace;

const PUBLISHED: &[&str] =
    &["tfjs-manifest", "tfjs-io", "tfjs-weights", "tfjs-topology", "tfjs-kernels", "tfjs-candle", "tfjs", "tfjs-cli"];

/// The transport's features, each without the others.
const TRANSPORT: &[&str] = &["archive", "cache", "http", "native-roots", "object-store", "cloud", "s3", "gcs", "azure"];

/// Checks every published crate alone.
///
/// # Errors
/// The first that does not build, or not without a warning.
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

fn check(workspace: &Workspace, what: &str, args: &[&str]) -> Outcome {
    let args = [&["clippy", "--locked"], args, &["--", "--deny", "warnings"]].concat();
    run(what, cargo(workspace, &args))
}
