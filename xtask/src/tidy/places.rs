//! No file contains paths of one machine, or the address that packages are downloaded from on it.

use super::{Finding, Findings};
use crate::workspace::{TextFile, Workspace};

/// Top folders whose content differs between machines.
const MACHINE: &[&str] = &["home", "root", "Users", "work", "tmp", "private", "workspace", "builds"];

pub fn check(workspace: &Workspace, files: &[TextFile]) -> Findings {
    let own = workspace.root.to_string_lossy();
    Ok(files.iter().flat_map(|file| check_file(file, &own)).collect())
}

fn check_file(file: &TextFile, own: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, line) in file.text.lines().enumerate() {
        // A checkout in `/` or `/a` is too short a name to search for.
        if (own.len() > 4 && line.contains(own)) || MACHINE.iter().any(|folder| names_folder(line, folder)) {
            findings.push(Finding::new(&file.path, i + 1, "an absolute path of some machine"));
        }
        if names_registry(&file.path, line.trim()) {
            findings.push(Finding::new(
                &file.path,
                i + 1,
                "the address of a package source belongs in the machine's configuration",
            ));
        }
    }
    findings
}

/// Whether a path begins with `/folder/`, followed by a name.
fn names_folder(line: &str, folder: &str) -> bool {
    let starts_path = |before: &str| {
        // `file:///folder/` begins a path, `https://host/folder/` and `a/folder/` do not.
        before.ends_with("file://") || !before.ends_with(|c: char| c.is_alphanumeric() || "._-/)}]>*$~%\\".contains(c))
    };
    let names = |after: &str| after.starts_with(|c: char| c.is_alphanumeric() || c == '.' || c == '_');
    let unix = format!("/{folder}/");
    let windows = format!(":\\{folder}\\");
    line.contains(&windows)
        || line.match_indices(&unix).any(|(at, _)| starts_path(&line[..at]) && names(&line[at + unix.len()..]))
}

fn names_registry(path: &str, line: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name {
        "package-lock.json" => line.starts_with("\"resolved\":"),
        ".npmrc" => line.contains("registry=") && !line.starts_with("omit-lockfile-registry-resolved"),
        "config.toml" => line.starts_with("[source") || line.starts_with("[registr"),
        _ if name.starts_with("requirements") => {
            line.contains("index-url") || line.starts_with("-i ") || line.contains("://")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, line: &str, findings: usize) {
        let found = check_file(&TextFile::new(path, line), "/checkout/of/tfjs");
        assert_eq!(found.len(), findings, "{path}: {line}");
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        for folder in MACHINE {
            check("a.md", &format!("see /{folder}/x/model.json"), 1);
            check("a.rs", &format!("\"file:///{folder}/x\""), 1);
            check("a.md", &format!("https://example.com/{folder}/x"), 0);
            check("a.md", &format!("scope/{folder}/x"), 0);
        }
        check("a.json", "{\"from\": \"/checkout/of/tfjs/a\"}", 1);
        check("a.rs", &format!("C:\\{}\\me", "Users"), 1);
        check("a.rs", "PathBuf::from(\"/etc/passwd\")", 0);
    }

    #[test]
    fn registries_are_found() {
        check("a/package-lock.json", "  \"resolved\": \"https://registry.example/a.tgz\",", 1);
        check("a/package-lock.json", "  \"version\": \"1.0.0\",", 0);
        check("a/.npmrc", "registry=https://registry.example", 1);
        check("a/.npmrc", "omit-lockfile-registry-resolved=true", 0);
        check(".cargo/config.toml", "[source.crates-io]", 1);
        check("a/requirements.txt", "--index-url https://registry.example/simple", 1);
        check("a/requirements.txt", "keras==3.15.1", 0);
    }
}
