//! The conformance cases as a table; the program that runs them belongs to the tests.

use crate::Outcome;
use crate::run::{build, program_in, run};
use crate::workspace::Workspace;

/// Runs the cases whose id contains the filter.
///
/// # Errors
/// If a case fails.
pub fn run_cases(workspace: &Workspace, args: &[&str]) -> Outcome {
    let binary = build(workspace, "conformance", &[])?;
    run("conformance", program_in(workspace, binary, args))
}
