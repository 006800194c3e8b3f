//! The invariants of ARCHITECTURE.md that a program can check. Each check is a function from the checkout
//! to findings; its tests give it examples that it must find.

pub mod builds;
mod differences;
mod direction;
mod edges;
mod expectations;
mod features;
mod links;
mod listed;
mod lock;
mod modules;
mod places;
mod readme;
mod reserved;
mod security;
mod sizes;

use crate::workspace::{TextFile, Workspace};
use crate::{Outcome, codegen};
use std::fmt;

/// A violation of an invariant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file.
    pub path: String,
    /// The line, from 1; 0 for the whole file.
    pub line: usize,
    /// The violation, and how to fix it.
    pub what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Finding { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

type Findings = Result<Vec<Finding>, String>;
type Check = fn(&Workspace, &[TextFile]) -> Findings;

const CHECKS: &[(&str, Check)] = &[
    ("crate edges", edges::check),
    ("features", features::check),
    ("locked packages", lock::check),
    ("reserved words", reserved::check),
    ("direction of tfjs-io", direction::check),
    ("module files", modules::check),
    ("listed layers", listed::check),
    ("sizes of allocations", sizes::check),
    ("places", places::check),
    ("expectations", expectations::check),
    ("differences", differences::check),
    ("attacks", security::check),
    ("README", readme::check),
    ("links", links::check),
    ("generated files", generated),
];

/// Runs every check and prints every finding.
///
/// # Errors
/// If there are findings, or a check fails to run.
pub fn run(workspace: &Workspace) -> Outcome {
    let files = workspace.text_files()?;
    let mut findings = Vec::new();
    for (name, check) in CHECKS {
        findings.extend(check(workspace, &files).map_err(|why| format!("tidy, {name}: {why}"))?);
    }
    findings.sort();
    findings.dedup();
    findings.iter().for_each(|finding| println!("{finding}"));
    match findings.len() {
        0 => {
            eprintln!("tidy: {} checks, {} files", CHECKS.len(), files.len());
            Ok(())
        }
        n => Err(format!("tidy found {n}")),
    }
}

fn generated(workspace: &Workspace, _: &[TextFile]) -> Findings {
    Ok(codegen::check(workspace).err().map(|why| Finding::new(codegen::LAYERS_MD, 0, why)).into_iter().collect())
}
