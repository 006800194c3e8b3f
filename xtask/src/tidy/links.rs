//! The targets of links in documents exist: relative links, and paths of this repository in backticks.

use super::{Finding, Findings};
use crate::workspace::{TextFile, Workspace};

/// The folders of this repository; a word in backticks that begins with one of them is a path.
const ROOTS: &[&str] = &["crates/", "tests/", "benches/", "xtask/", "models/", "docs/", ".ci/", ".cargo/"];

pub fn check(workspace: &Workspace, files: &[TextFile]) -> Findings {
    let documents = files.iter().filter(|f| f.path.ends_with(".md"));
    Ok(documents.flat_map(|file| check_file(file, |path| workspace.exists(path))).collect())
}

fn check_file(file: &TextFile, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    for (i, line) in file.text.lines().enumerate() {
        for target in link_targets(line)
            .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        {
            if !exists(&join(folder, target)) {
                findings.push(Finding::new(
                    &file.path,
                    i + 1,
                    format!("the target of the link `{target}` does not exist"),
                ));
            }
        }
        // Only documents in the root use paths from the root.
        let words = line.split('`').skip(1).step_by(2).filter(|_| folder.is_empty());
        for word in words.filter(|w| ROOTS.iter().any(|root| w.starts_with(root)) && !w.contains(['*', '<', ' ', '{']))
        {
            if !exists(word.trim_end_matches('/')) {
                findings.push(Finding::new(&file.path, i + 1, format!("there is no `{word}`")));
            }
        }
    }
    findings
}

/// The targets of `[text](target)`, without anchors.
fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(|t| t.split('#').next().unwrap_or_default())
}

/// A path from a folder, with `..` resolved.
fn join(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, text: &str, findings: usize) {
        let there = ["models/digits", "crates/tfjs", "README.md"];
        assert_eq!(check_file(&TextFile::new(path, text), |p| there.contains(&p)).len(), findings, "{path}: {text}");
    }

    #[test]
    fn dead_links_and_paths_are_found() {
        check("README.md", "[a](models/digits) [b](https://example.com/x) [c](#top) `crates/tfjs/`", 0);
        check("README.md", "[a](models/gone)", 1);
        check("README.md", "see `crates/gone.rs` and `crates/*/src`", 1);
        check("models/README.md", "[a](digits) [b](../README.md)", 0);
        check("models/README.md", "[a](gone)", 1);
    }
}
