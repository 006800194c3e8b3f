//! The conformance cases as a table; the program that runs them belongs to the tests.

use crate::Outcome;
use crate::run::{cargo, run};
use crate::workspace::Workspace;

/// Runs the cases whose id contains the filter.
///
/// # Errors
/// If a case fails.
pub fn run_cases(workspace: &Workspace, args: &[&str]) -> Outcome {
    // Optimised, as a thousand models are loaded twice; the whole workspace, so that nothing is built again.
    let build = ["build", "--workspace", "--bin", "conformance"];
    run("building the cases' runner", cargo(workspace, &build))?;
    let command = ["run", "--quiet", "--package", "tfjs-tests", "--bin", "conformance", "--"];
    run("conformance", cargo(workspace, &[&command, args].concat()))
}
