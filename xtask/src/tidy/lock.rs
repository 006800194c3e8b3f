//! `Cargo.lock` contains no banned package (deny.toml has the same list for `cargo deny`), and no package that is not
//! from crates.io.

use super::{Finding, Findings};
use crate::workspace::{TextFile, Workspace};

/// A second TLS or HTTP stack besides hyper and rustls with ring, or a C library to link.
const BANNED: &[&str] =
    &["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys", "reqwest", "ureq", "curl", "isahc"];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub fn check(workspace: &Workspace, _: &[TextFile]) -> Findings {
    Ok(check_lock(&workspace.read("Cargo.lock")?, &workspace.read("deny.toml")?))
}

fn check_lock(lock: &str, deny: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, line) in lock.lines().enumerate() {
        let value = |key: &str| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"');
        if let Some(name) = value("name").filter(|name| BANNED.contains(name)) {
            findings.push(Finding::new(
                "Cargo.lock",
                i + 1,
                format!("`{name}` is banned: `cargo tree -i {name}` shows what depends on it"),
            ));
        }
        if value("source").is_some_and(|source| source != CRATES_IO) {
            findings.push(Finding::new("Cargo.lock", i + 1, "a package that is not from crates.io"));
        }
    }
    for name in BANNED.iter().filter(|name| !deny.contains(&format!("\"{name}\""))) {
        findings.push(Finding::new("deny.toml", 0, format!("does not ban `{name}`")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deny() -> String {
        BANNED.iter().map(|name| format!("\"{name}\"\n")).collect()
    }

    #[test]
    fn banned_packages_and_foreign_sources_are_found() {
        let good = format!("[[package]]\nname = \"hyper\"\nsource = \"{CRATES_IO}\"\n");
        assert_eq!(check_lock(&good, &deny()), []);
        assert_eq!(check_lock(&good.replace("hyper", "reqwest"), &deny())[0].line, 2);
        assert_eq!(check_lock(&good.replace("github.com", "mirror.example"), &deny())[0].line, 3);
    }

    #[test]
    fn both_lists_of_bans_are_one() {
        assert_eq!(check_lock("", &deny().replace("\"ureq\"", ""))[0].path, "deny.toml");
    }
}
