//! Features only add: `cargo tree` shows that a build without a feature lacks its dependencies.

use super::{Finding, Findings};
use crate::run;
use crate::workspace::{TextFile, Workspace};

/// The dependencies of the transport, absent without it.
const TRANSPORT: &[&str] = &["hyper", "hyper-util", "hyper-rustls", "rustls", "ring", "tower-http"];

/// The dependencies of object stores, absent without them.
const STORES: &[&str] = &["object_store", "quick-xml", "chrono", "url", "md-5"];

/// The dependencies of archives, absent without them.
const ARCHIVES: &[&str] = &["rawzip", "tar"];

/// Builds, and the packages they must not contain.
const BUILDS: &[(&[&str], &[&str])] = &[
    (&["--no-default-features"], TRANSPORT),
    (&["--no-default-features"], STORES),
    (&["--no-default-features"], ARCHIVES),
    (&[], STORES),
    // Each store alone: one transport, and no cryptography in C.
    (&["--features", "s3"], SECOND),
    (&["--features", "gcs"], SECOND),
    (&["--features", "azure"], SECOND),
];

/// A second transport, which object store crates enable by default.
const SECOND: &[&str] = &["reqwest", "aws-lc-rs", "aws-lc-sys", "openssl", "native-tls"];

pub fn check(workspace: &Workspace, _: &[TextFile]) -> Findings {
    let mut findings = Vec::new();
    for package in ["tfjs-io", "tfjs"] {
        for (features, unwanted) in BUILDS {
            let args = [&["tree", "--locked", "--package", package, "--edges", "normal"], *features].concat();
            let format = ["--prefix", "none", "--format", "{p}"];
            let tree = run::output(run::cargo(workspace, &[&args[..], &format].concat()))?;
            findings.extend(check_tree(package, &tree, features, unwanted));
        }
    }
    Ok(findings)
}

fn check_tree(package: &str, tree: &str, features: &[&str], unwanted: &[&str]) -> Vec<Finding> {
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let found = |what| Finding::new(&format!("{package}/Cargo.toml"), 0, what);
    if names.first() != Some(&package) {
        return vec![found("`cargo tree` does not begin with the package itself".to_owned())];
    }
    let build =
        if features.is_empty() { "with default features".to_owned() } else { format!("with `{}`", features.join(" ")) };
    let unwanted = unwanted.iter().filter(|name| names.contains(name));
    unwanted.map(|name| found(format!("contains `{name}` {build}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unrequested_transport_is_found() {
        let bare: &[&str] = &["--no-default-features"];
        assert_eq!(check_tree("tfjs-io", "tfjs-io v0.1.0\nbytes v1.12.0\n", bare, TRANSPORT), []);
        let tree = "tfjs-io v0.1.0\nhyper v1.12.0\nbytes v1.12.0 (*)\n";
        let found = check_tree("tfjs-io", tree, bare, TRANSPORT);
        assert_eq!(found.len(), 1);
        assert!(found[0].what.contains("`hyper` with `--no-default-features`"), "{}", found[0].what);
        assert_eq!(check_tree("tfjs-io", tree, &[], STORES), []);
    }

    #[test]
    fn an_empty_tree_is_no_proof() {
        assert_eq!(check_tree("tfjs-io", "", &[], STORES).len(), 1);
    }
}
