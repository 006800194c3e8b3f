//! Words that only some crates may use: `unsafe`, candle's names, files and sockets.
//!
//! Comments and strings are ignored, and unit tests may open files.

use super::{Finding, Findings};
use crate::source::{Source, Token, path_uses};
use crate::workspace::{TextFile, Workspace};

const UNSAFE: &[&str] = &["crates/tfjs-kernels/", "crates/tfjs-io/src/fetch/huge.rs"];
const CANDLE: &[&str] = &["crates/tfjs-candle/", "crates/tfjs/", "crates/tfjs-cli/", "tests/", "benches/"];
const FILES: &[&str] = &["crates/tfjs-io/", "crates/tfjs-cli/", "tests/", "benches/", "xtask/"];

/// The modules and types that open files or sockets.
const OPENERS: &[(&str, &[&str])] = &[
    ("std", &["fs", "net"]),
    ("tokio", &["fs", "net"]),
    ("File", &["open", "create", "options"]),
    ("safetensors", &["load", "save", "MmapedSafetensors"]),
];

pub fn check(_: &Workspace, files: &[TextFile]) -> Findings {
    Ok(files.iter().filter(|f| f.is_rust()).flat_map(check_file).collect())
}

fn check_file(file: &TextFile) -> Vec<Finding> {
    let source = Source::new(&file.text);
    let mut findings = Vec::new();
    let mut refuse = |allowed: &[&str], tokens: Vec<Token<'_>>, what: &str| {
        if !allowed.iter().any(|place| file.path.starts_with(place)) {
            findings.extend(tokens.iter().map(|t| Finding::new(&file.path, t.line, format!("`{}`: {what}", t.text))));
        }
    };
    let named = |is: fn(&str) -> bool| source.tokens.iter().filter(|t| is(t.text)).copied().collect();
    refuse(UNSAFE, named(|word| word == "unsafe"), "`unsafe` belongs into tfjs-kernels, and into one file of tfjs-io");
    refuse(CANDLE, named(is_candle), "candle is for tfjs-candle and what stands on it");
    if !is_test(&file.path) {
        let tokens = source.without_tests();
        let uses = OPENERS.iter().flat_map(|(root, members)| path_uses(&tokens, root, members)).collect();
        refuse(FILES, uses, "only tfjs-io opens files and sockets (and the command line its user's)");
    }
    findings
}

fn is_candle(word: &str) -> bool {
    ["candle", "candle_core", "candle_nn", "tfjs_candle"].contains(&word)
}

/// Whether a whole file is unit tests or their helpers, by the naming conventions of this project.
fn is_test(path: &str) -> bool {
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
    path.contains("/tests/") || stem.ends_with("tests") || stem.starts_with("test")
}

#[cfg(test)]
mod tests {
    use super::check_file;
    use crate::workspace::TextFile;

    #[track_caller]
    fn check(path: &str, text: &str, lines: &[usize]) {
        let mut found: Vec<usize> = check_file(&TextFile::new(path, text)).iter().map(|f| f.line).collect();
        found.sort_unstable();
        assert_eq!(found, lines, "{path}: {text}");
    }

    #[test]
    fn unsafe_has_its_homes() {
        let text = "//! unsafe\nfn f() { unsafe { g() } }\n";
        check("crates/tfjs-weights/src/view.rs", text, &[2]);
        check("crates/tfjs-io/src/fetch/local.rs", text, &[2]);
        check("crates/tfjs-io/src/fetch/huge.rs", text, &[]);
        check("crates/tfjs-kernels/src/gemm.rs", text, &[]);
        check("crates/tfjs-io/src/lib.rs", "#![deny(unsafe_code)]", &[]);
    }

    #[test]
    fn candle_is_not_named_below_the_runtime() {
        check("crates/tfjs-topology/src/graph.rs", "/// candle\n\nuse candle_core::Tensor;", &[3]);
        check("crates/tfjs-kernels/src/gemm.rs", "use candle::Tensor;", &[1]);
        check("crates/tfjs/src/lib.rs", "pub use candle_core::Tensor;", &[]);
    }

    #[test]
    fn files_and_sockets_are_opened_in_one_place() {
        let uses = "use std::fs;\nuse tokio::net::TcpStream;\nlet f = File::open(p);\nuse std::{io, net::TcpStream};";
        check("crates/tfjs/src/load.rs", uses, &[1, 2, 3, 4]);
        check("crates/tfjs-io/src/place/file/mod.rs", uses, &[]);
        check("crates/tfjs-candle/src/weights.rs", "candle_core::safetensors::load(p, d)", &[1]);
    }

    #[test]
    fn unit_tests_may_open_files() {
        check("crates/tfjs-topology/src/graph.rs", "#[cfg(test)] mod tests { use std::fs; }\nuse std::fs;", &[2]);
        check("crates/tfjs-topology/src/graph_tests.rs", "use std::fs;", &[]);
    }
}
