//! The allowed dependencies between crates: compares the arrows of ARCHITECTURE.md with `cargo metadata`.

use super::{Finding, Findings};
use crate::run;
use crate::workspace::{TextFile, Workspace};
use serde_json::Value;
use std::collections::BTreeSet;

/// Every member and the members it depends on, including tests and build scripts. `*` is any member except xtask.
const EDGES: &[(&str, &[&str])] = &[
    ("tfjs-manifest", &[]),
    ("tfjs-kernels", &[]),
    ("tfjs-io", &["tfjs-manifest"]),
    ("tfjs-weights", &["tfjs-manifest"]),
    ("tfjs-ir", &["tfjs-manifest"]),
    ("tfjs-topology", &["tfjs-ir", "tfjs-manifest"]),
    ("tfjs-candle", &["tfjs-ir", "tfjs-kernels", "tfjs-manifest", "tfjs-topology", "tfjs-weights"]),
    ("tfjs", &["tfjs-candle", "tfjs-io", "tfjs-ir", "tfjs-manifest", "tfjs-topology", "tfjs-weights"]),
    ("tfjs-cli", &["tfjs"]),
    ("tfjs-io-tests", &["tfjs-io", "tfjs-manifest"]),
    ("tfjs-program-tests", &["tfjs-ir", "tfjs-manifest", "tfjs-topology", "tfjs-weights"]),
    ("tfjs-tests", &["*"]),
    ("tfjs-benches", &["*"]),
    ("xtask", &[]),
];

/// The members that may depend on candle.
const KNOW_CANDLE: &[&str] = &["tfjs-candle", "tfjs", "tfjs-cli", "tfjs-tests", "tfjs-benches"];

pub fn check(workspace: &Workspace, _: &[TextFile]) -> Findings {
    let metadata = run::output(run::cargo(workspace, &["metadata", "--locked", "--no-deps", "--format-version", "1"]))?;
    let metadata = serde_json::from_str(&metadata).map_err(|e| format!("`cargo metadata` printed no JSON: {e}"))?;
    Ok(check_metadata(&metadata))
}

fn check_metadata(metadata: &Value) -> Vec<Finding> {
    let packages: Vec<&Value> = metadata["packages"].as_array().into_iter().flatten().collect();
    let members: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut findings = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let found = |what: String| Finding::new(&format!("{name}/Cargo.toml"), 0, what);
        let dependencies: BTreeSet<&str> =
            package["dependencies"].as_array().into_iter().flatten().filter_map(|d| d["name"].as_str()).collect();
        let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == name) else {
            findings.push(found("a new member: say in xtask/src/tidy/edges.rs what it may depend on".into()));
            continue;
        };
        let edges: BTreeSet<&str> = dependencies.intersection(&members).copied().filter(|d| *d != name).collect();
        for edge in &edges {
            let anything = allowed.contains(&"*") && *edge != "xtask";
            if !anything && !allowed.contains(edge) {
                findings.push(found(format!("depends on `{edge}`, which ARCHITECTURE.md does not allow")));
            }
        }
        for missing in allowed.iter().filter(|a| **a != "*" && !edges.contains(**a)) {
            findings.push(found(format!(
                "no longer depends on `{missing}`: take the edge out of edges.rs and ARCHITECTURE.md"
            )));
        }
        if !KNOW_CANDLE.contains(&name) && dependencies.iter().any(|d| d.starts_with("candle")) {
            findings.push(found("depends on candle, which only tfjs-candle and what stands on it may".into()));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::check_metadata;
    use serde_json::{Value, json};

    fn package(name: &str, dependencies: &[&str]) -> Value {
        let dependencies: Vec<Value> = dependencies.iter().map(|d| json!({"name": d})).collect();
        json!({"name": name, "dependencies": dependencies})
    }

    #[track_caller]
    fn check(packages: &[Value], expected: &[&str]) {
        let found = check_metadata(&json!({"packages": packages}));
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (finding, expected) in found.iter().zip(expected) {
            assert!(finding.to_string().contains(expected), "{finding}");
        }
    }

    #[test]
    fn allowed_edges_pass() {
        check(&[package("tfjs-manifest", &["serde"]), package("tfjs-weights", &["tfjs-manifest", "half"])], &[]);
    }

    #[test]
    fn an_edge_that_is_not_allowed_is_found() {
        let io = package("tfjs-io", &["tfjs-manifest", "tfjs-weights"]);
        check(
            &[package("tfjs-manifest", &[]), package("tfjs-weights", &["tfjs-manifest"]), io],
            &["tfjs-io/Cargo.toml: depends on `tfjs-weights`"],
        );
    }

    #[test]
    fn an_edge_that_is_gone_is_found() {
        check(&[package("tfjs-manifest", &[]), package("tfjs-io", &[])], &["no longer depends on `tfjs-manifest`"]);
    }

    #[test]
    fn a_new_member_has_to_be_placed() {
        check(&[package("tfjs-new", &[])], &["a new member"]);
    }

    #[test]
    fn candle_is_for_the_runtime() {
        let weights = package("tfjs-weights", &["tfjs-manifest", "candle-core"]);
        check(&[package("tfjs-manifest", &[]), weights], &["depends on candle"]);
    }
}
