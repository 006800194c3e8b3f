//! Every Rust file describes itself in its first line, is compiled, and is short enough to read.

use super::{Finding, Findings};
use crate::codegen::LAYERS_MD;
use crate::source::Source;
use crate::workspace::{TextFile, Workspace};
use std::collections::BTreeSet;

/// A longer file should be split.
const MOST_LINES: usize = 700;

pub fn check(_: &Workspace, files: &[TextFile]) -> Findings {
    let rust: Vec<&TextFile> = files.iter().filter(|f| f.is_rust()).collect();
    let mut findings: Vec<Finding> = rust.iter().flat_map(|file| check_file(file)).collect();
    findings.extend(files.iter().filter(|f| is_code(&f.path)).filter_map(check_length));
    findings.extend(orphans(&rust, &targets(files)));
    Ok(findings)
}

fn check_file(file: &TextFile) -> Option<Finding> {
    let first = file.text.lines().next().unwrap_or_default();
    // The documentation of the facade is its README.
    let says =
        (first.starts_with("//! ") && first.len() > "//! ".len() + 10) || first.starts_with("#![doc = include_str!(");
    (!says).then(|| Finding::new(&file.path, 1, "the first line must be `//! ` and a description of the module"))
}

fn check_length(file: &TextFile) -> Option<Finding> {
    let lines = file.text.lines().count();
    (lines > MOST_LINES)
        .then(|| Finding::new(&file.path, 0, format!("{lines} lines, at most {MOST_LINES}: split it by behaviour")))
}

/// Whether a file is written by hand.
fn is_code(path: &str) -> bool {
    path != LAYERS_MD
        && [".rs", ".md", ".py", ".mjs", ".js", ".sh", ".toml"].iter().any(|ending| path.ends_with(ending))
}

/// The files that packages name as targets: `path = "conformance/src/main.rs"`.
fn targets(files: &[TextFile]) -> BTreeSet<String> {
    let manifests = files.iter().filter_map(|f| Some((f.path.strip_suffix("Cargo.toml")?, &f.text)));
    let paths = manifests.flat_map(|(folder, text)| {
        text.lines().filter_map(move |line| Some((folder, line.strip_prefix("path = \"")?)))
    });
    paths.map(|(folder, rest)| format!("{folder}{}", rest.trim_end_matches('"'))).collect()
}

/// Files in a crate's `src` that no `mod` line names: they look like code but are not compiled.
fn orphans(rust: &[&TextFile], targets: &BTreeSet<String>) -> Vec<Finding> {
    let is_named = |path: &str| {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = name.trim_end_matches(".rs");
        let (folder, stem) =
            if stem == "mod" { folder.rsplit_once('/').unwrap_or(("", folder)) } else { (folder, stem) };
        let parents = ["mod.rs", "lib.rs", "main.rs"].map(|parent| format!("{folder}/{parent}"));
        let declares = |text: &str| {
            let source = Source::new(text);
            source.tokens.windows(3).any(|w| w[0].text == "mod" && w[1].text == stem && w[2].text == ";")
        };
        // `#[path = "x_tests.rs"] mod tests;` names the file directly.
        let by_path = |file: &TextFile| file.text.contains(&format!("#[path = \"{name}\"]"));
        rust.iter().any(|file| {
            let parent = parents.contains(&file.path) || file.path == format!("{folder}.rs");
            (parent && declares(&file.text)) || (file.path.starts_with(folder) && by_path(file))
        })
    };
    let is_target =
        |path: &str| path.ends_with("/src/lib.rs") || path.ends_with("/src/main.rs") || targets.contains(path);
    let modules = rust.iter().filter(|f| f.path.contains("/src/") && !is_target(&f.path));
    let unnamed = modules.filter(|f| !is_named(&f.path));
    unnamed.map(|f| Finding::new(&f.path, 0, "no `mod` line names this file, so it is not compiled")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_what_the_file_is() {
        for (text, findings) in [
            ("//! Reading a layer's configuration.\n", 0),
            ("#![doc = include_str!(\"../README.md\")]\n", 0),
            ("use std::io;\n//! Late.\n", 1),
            ("//!\n//! Below.\n", 1),
            ("//! TODO\n", 1),
            ("", 1),
        ] {
            assert_eq!(check_file(&TextFile::new("a.rs", text)).iter().count(), findings, "{text}");
        }
    }

    #[test]
    fn long_files_are_found() {
        assert_eq!(check_length(&TextFile::new("a.rs", &"x\n".repeat(MOST_LINES))), None);
        assert!(check_length(&TextFile::new("a.rs", &"x\n".repeat(MOST_LINES + 1))).is_some());
    }

    #[test]
    fn an_uncompiled_file_is_found() {
        let files = [
            TextFile::new("c/src/lib.rs", "mod a;\npub mod b;\n// mod lost;\n"),
            TextFile::new("c/src/a.rs", "mod deep; #[cfg(test)] #[path = \"a_tests.rs\"] mod tests;"),
            TextFile::new("c/src/a_tests.rs", ""),
            TextFile::new("c/src/a/deep.rs", ""),
            TextFile::new("c/src/b/mod.rs", "mod inner;"),
            TextFile::new("c/src/b/inner.rs", ""),
            TextFile::new("c/b/src/tool.rs", ""),
            TextFile::new("c/src/lost.rs", ""),
        ];
        let targets = targets(&[TextFile::new("c/Cargo.toml", "[[bin]]\npath = \"b/src/tool.rs\"\n")]);
        let found = orphans(&files.iter().collect::<Vec<_>>(), &targets);
        assert_eq!(found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["c/src/lost.rs"]);
    }
}
