//! Golden cases: made by the real TensorFlow.js and Keras, through `tests/conformance/generate/all.sh`.

use crate::Outcome;
use crate::run::{build, program_in, run};
use crate::workspace::Workspace;

const GENERATE: &str = "tests/conformance/generate/all.sh";

/// Makes the cases of some producers again, or of all.
///
/// # Errors
/// A producer that cannot be installed or fails.
pub fn cases(workspace: &Workspace, producers: &[&str]) -> Outcome {
    run("golden", program_in(workspace, "bash", &[&[GENERATE], producers].concat()))
}

/// Makes MobileNetV2-224 if the cache does not have it, loads it from a path and from an HTTP server on both
/// engines, and prints differences to Keras and times.
///
/// # Errors
/// Also if a difference is larger than allowed.
pub fn large(workspace: &Workspace) -> Outcome {
    let cache = std::env::var_os("GOLDEN_CACHE").map_or_else(|| workspace.root.join(".cache/golden"), Into::into);
    let folder = cache.join("mobilenet_v2_224");
    // Written last by the recipe: with it the folder is whole.
    if !folder.join("case.json").exists() {
        run("MobileNetV2-224", program_in(workspace, "bash", &[GENERATE, "--large"]))?;
    }
    let mut compare = program_in(workspace, build(workspace, "large", &["--release"])?, &[]);
    compare.arg(&folder);
    run("MobileNetV2-224 against Keras", compare)
}
