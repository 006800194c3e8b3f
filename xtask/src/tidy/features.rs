//! Features add: what a build without them must not contain, shown by `cargo tree`.

use super::{Finding, Findings};
use crate::run;
use crate::workspace::{TextFile, Workspace};

/// What the transport brings, and nobody has without it.
const TRANSPORT: &[&str] = &["hyper", "hyper-util", "hyper-rustls", "rustls", "ring", "tower-http"];

/// What the cache brings. Candle has it for purposes of its own.
const CACHE: &[&str] = &["tempfile"];

/// Packages, and what they must not contain without default features.
const WITHOUT: &[(&str, &[&[&str]])] = &[("tfjs-io", &[TRANSPORT, CACHE]), ("tfjs", &[TRANSPORT])];

pub fn check(workspace: &Workspace, _: &[TextFile]) -> Findings {
    let mut findings = Vec::new();
    for (package, unwanted) in WITHOUT {
        let args = ["tree", "--locked", "--package", package, "--no-default-features", "--edges", "normal"];
        let format = ["--prefix", "none", "--format", "{p}"];
        let tree = run::output(run::cargo(workspace, &[&args[..], &format].concat()))?;
        findings.extend(check_tree(package, &tree, &unwanted.concat()));
    }
    Ok(findings)
}

fn check_tree(package: &str, tree: &str, unwanted: &[&str]) -> Vec<Finding> {
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let found = |what| Finding::new(&format!("{package}/Cargo.toml"), 0, what);
    if names.first() != Some(&package) {
        return vec![found("`cargo tree` does not begin with the package itself".to_owned())];
    }
    let unwanted = unwanted.iter().filter(|name| names.contains(name));
    unwanted.map(|name| found(format!("contains `{name}` without default features"))).collect()
}

#[cfg(test)]
mod tests {
    use super::{CACHE, TRANSPORT, check_tree};

    #[test]
    fn a_transport_nobody_asked_for_is_found() {
        assert_eq!(check_tree("tfjs-io", "tfjs-io v0.1.0\nbytes v1.12.0\n", TRANSPORT), []);
        let found = check_tree("tfjs-io", "tfjs-io v0.1.0\nhyper v1.12.0\nbytes v1.12.0 (*)\n", TRANSPORT);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("`hyper`"));
    }

    #[test]
    fn an_empty_tree_is_no_proof() {
        assert_eq!(check_tree("tfjs-io", "", CACHE).len(), 1);
    }
}
