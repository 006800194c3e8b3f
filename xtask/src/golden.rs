//! Golden cases: made by the real TensorFlow.js and Keras, through `tests/conformance/generate/all.sh`.

use crate::Outcome;
use crate::run::{build, program_in, run};
use crate::workspace::Workspace;
use std::path::PathBuf;

const GENERATE: &str = "tests/conformance/generate/all.sh";

/// The networks of `tests/conformance/generate/keras2/large.py`.
const LARGE: &[&str] =
    &["mobilenet_v2_224", "resnet50", "efficientnet_b0", "densenet121", "convnext_tiny", "gpt2_124m"];

/// Makes the cases of some producers again, or of all.
///
/// # Errors
/// A producer that cannot be installed or fails.
pub fn cases(workspace: &Workspace, producers: &[&str]) -> Outcome {
    run("golden", program_in(workspace, "bash", &[&[GENERATE], producers].concat()))
}

/// Makes the networks that the cache does not have, or only those named, loads each from a path and from an HTTP
/// server on both engines, and prints differences to Keras and times.
///
/// # Errors
/// Also if a difference is larger than allowed.
pub fn large(workspace: &Workspace, networks: &[&str]) -> Outcome {
    let networks = if networks.is_empty() { LARGE } else { networks };
    let cache = std::env::var_os("GOLDEN_CACHE").map_or_else(|| workspace.root.join(".cache/golden"), PathBuf::from);
    for network in networks {
        // Written last by the recipe: with it the folder is whole.
        if !cache.join(network).join("case.json").exists() {
            run(network, program_in(workspace, "bash", &[GENERATE, "--large", network]))?;
        }
    }
    let mut compare = program_in(workspace, build(workspace, "large", &["--release"])?, &[]);
    compare.args(networks.iter().map(|network| cache.join(network)));
    run("known networks against Keras", compare)
}
