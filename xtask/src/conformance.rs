//! Runs the conformance cases. The program that runs them is part of the tests.

use crate::run::{build, program_in, run};
use crate::workspace::Workspace;
use crate::{Outcome, codegen};

/// The results of the last run of all cases.
pub const RESULTS: &str = "docs/conformance.json";

/// Runs the cases whose id contains the filter.
///
/// # Errors
/// If a case fails.
pub fn run_cases(workspace: &Workspace, args: &[&str]) -> Outcome {
    let binary = build(workspace, "conformance", &[])?;
    run("conformance", program_in(workspace, binary, args))
}

/// Runs all cases, writes the results, and writes the table of layers.
///
/// # Errors
/// If a case fails.
pub fn write(workspace: &Workspace) -> Outcome {
    run_cases(workspace, &["--write", RESULTS])?;
    codegen::write(workspace)
}
