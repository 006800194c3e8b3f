//! Every layer is one file and one entry of the list; the engines name no layer.

use super::{Finding, Findings};
use crate::layers::{self, Entry};
use crate::source::{Source, path_uses};
use crate::workspace::{TextFile, Workspace};

/// A list and the folder of its entries' files.
struct Kind {
    list: &'static str,
    macro_name: &'static str,
    folder: &'static str,
    /// The trait that each entry implements.
    implements: &'static str,
}

const KINDS: [Kind; 2] = [
    Kind {
        list: layers::LAYERS,
        macro_name: "for_each_layer",
        folder: "crates/tfjs-topology/src/layers/",
        implements: "FromConfig",
    },
    Kind {
        list: layers::OPS,
        macro_name: "for_each_op",
        folder: "crates/tfjs-topology/src/ops/",
        implements: "FromOpConfig",
    },
];

/// The folders in which no layer may be named: the engines and the crates below them.
const BLIND: &[&str] = &["crates/tfjs-candle/src/", "crates/tfjs-ir/src/", "crates/tfjs-kernels/src/"];

pub fn check(workspace: &Workspace, files: &[TextFile]) -> Findings {
    let mut findings = Vec::new();
    for kind in KINDS {
        let entries = layers::list(&workspace.read(kind.list)?, kind.macro_name)?;
        findings.extend(check_kind(&kind, &entries, files));
    }
    findings.extend(files.iter().flat_map(check_blind));
    Ok(findings)
}

fn check_kind(kind: &Kind, entries: &[Entry], files: &[TextFile]) -> Vec<Finding> {
    let Kind { macro_name, folder, implements, .. } = kind;
    let mut findings = Vec::new();
    for entry in entries {
        let path = format!("{folder}{}.rs", entry.file);
        let file = files.iter().find(|f| f.path == path);
        if !file.is_some_and(|f| implementors(&f.text, implements).contains(&entry.name.as_str())) {
            let name = &entry.name;
            let what = format!("`{macro_name}!` lists `{name}`: this file must have `impl {implements} for {name}`");
            findings.push(Finding::new(&path, 0, what));
        }
    }
    for file in files.iter().filter(|f| f.path.starts_with(folder)) {
        let below = file.path[folder.len()..].trim_end_matches(".rs");
        for name in implementors(&file.text, implements) {
            if !entries.iter().any(|e| e.file == below && e.name == name) {
                let what = format!("`{name}` is not in `{macro_name}!`, so no model can have it");
                findings.push(Finding::new(&file.path, 0, what));
            }
        }
    }
    findings
}

/// Checks that only topology and the code that prints it use `tfjs_topology::layers`, `tfjs_topology::ops` and
/// `Callee`.
fn check_blind(file: &TextFile) -> Vec<Finding> {
    if !file.is_rust() || !BLIND.iter().any(|place| file.path.starts_with(place)) {
        return Vec::new();
    }
    let tokens = Source::new(&file.text).without_tests();
    let paths = path_uses(&tokens, "tfjs_topology", &["layers", "ops"]);
    let callees = tokens.iter().filter(|token| token.text == "Callee");
    let lines = paths.iter().map(|token| token.line).chain(callees.map(|token| token.line));
    let what = "engines know primitives: no layer is named below tfjs-topology or in tfjs-candle";
    lines.map(|line| Finding::new(&file.path, line, what)).collect()
}

/// The types for which a file implements a trait.
fn implementors<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let tokens = Source::new(text).without_tests();
    let named = tokens.windows(3).filter(|w| w[0].text == name && w[1].text == "for");
    named.map(|w| w[2].text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::LIST;

    fn findings(change: impl Fn(&mut Vec<TextFile>)) -> Vec<String> {
        let mut files = Vec::new();
        for (path, name) in [("core/dense", "Dense"), ("pool/window", "Pool")] {
            let path = format!("crates/tfjs-topology/src/layers/{path}.rs");
            files.push(TextFile::new(&path, &format!("//! {name}\nimpl FromConfig for {name} {{}}")));
        }
        change(&mut files);
        let entries = layers::list(LIST, "for_each_layer").unwrap();
        check_kind(&KINDS[0], &entries, &files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn listed_layers_pass() {
        assert_eq!(findings(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn a_layer_without_its_file_is_found() {
        let found = findings(|files| files.retain(|f| !f.path.ends_with("core/dense.rs")));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/tfjs-topology/src/layers/core/dense.rs: "), "{found:?}");
    }

    #[test]
    fn a_layer_elsewhere_is_found_twice() {
        let found = findings(|files| files[0].path = "crates/tfjs-topology/src/layers/core/linear.rs".into());
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_layer_that_is_not_listed_is_found() {
        let lost = TextFile::new("crates/tfjs-topology/src/layers/core/lost.rs", "impl FromConfig for Lost {}");
        let found = findings(|files| files.push(lost.clone()));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("`Lost` is not in `for_each_layer!`"), "{found:?}");
    }

    #[test]
    fn an_engine_that_names_layers_is_found() {
        let lines = |path: &str, text: &str| check_blind(&TextFile::new(path, text)).len();
        assert_eq!(
            lines("crates/tfjs-candle/src/native/dense.rs", "use tfjs_topology::layers::core::dense::Dense;"),
            1
        );
        assert_eq!(lines("crates/tfjs-candle/src/model.rs", "fn f(c: &Callee) {}"), 1);
        assert_eq!(lines("crates/tfjs-candle/src/model.rs", "use tfjs_topology::graph::ModelGraph;"), 0);
        assert_eq!(lines("crates/tfjs-cli/src/dump.rs", "fn f(c: &Callee) {}"), 0);
    }
}
