//! Every published crate alone, with default features and without: a build of the whole workspace unifies
//! features and hides what a crate forgot to ask for. Slow: each crate is checked with its own set.

use crate::Outcome;
use crate::run::{cargo, run};
use crate::workspace::Workspace;

const PUBLISHED: &[&str] =
    &["tfjs-manifest", "tfjs-io", "tfjs-weights", "tfjs-topology", "tfjs-kernels", "tfjs-candle", "tfjs", "tfjs-cli"];

/// The transport's features, each without the others.
const TRANSPORT: &[&str] = &["http", "object-store", "s3", "gcs", "azure"];

/// Checks every published crate alone.
///
/// # Errors
/// The first that does not build.
pub fn run_each(workspace: &Workspace) -> Outcome {
    for name in PUBLISHED {
        for features in [&["--no-default-features"][..], &[]] {
            let args = [&["check", "--locked", "--package", name], features].concat();
            run(&format!("{name} alone"), cargo(workspace, &args))?;
        }
    }
    for feature in TRANSPORT {
        let args = ["check", "--locked", "--package", "tfjs-io", "--no-default-features", "--features", feature];
        run(&format!("tfjs-io with {feature} alone"), cargo(workspace, &args))?;
    }
    Ok(())
}
