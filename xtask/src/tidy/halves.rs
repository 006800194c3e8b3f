//! A layer has two halves at the same path in two crates, and one line in the list.

use super::{Finding, Findings};
use crate::layers::{self, Entry};
use crate::source::Source;
use crate::workspace::{TextFile, Workspace};

/// One list and the two folders its entries live in.
struct Kind {
    list: &'static str,
    macro_name: &'static str,
    /// Below `crates/tfjs-topology/src` and `crates/tfjs-candle/src`.
    folder: &'static str,
    /// What the describing half implements.
    describes: &'static str,
}

const KINDS: [Kind; 2] = [
    Kind { list: layers::LAYERS, macro_name: "for_each_layer", folder: "layers", describes: "FromConfig" },
    Kind { list: layers::OPS, macro_name: "for_each_op", folder: "ops", describes: "FromOpConfig" },
];

pub fn check(workspace: &Workspace, files: &[TextFile]) -> Findings {
    let mut findings = Vec::new();
    for kind in KINDS {
        let entries = layers::list(&workspace.read(kind.list)?, kind.macro_name)?;
        findings.extend(check_kind(&kind, &entries, files));
    }
    Ok(findings)
}

fn check_kind(kind: &Kind, entries: &[Entry], files: &[TextFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (half, implements) in [("topology", kind.describes), ("candle", "Run")] {
        let folder = format!("crates/tfjs-{half}/src/{}/", kind.folder);
        for entry in entries {
            let path = format!("{folder}{}.rs", entry.file);
            let file = files.iter().find(|f| f.path == path);
            let has = file.is_some_and(|f| implementors(&f.text, implements).contains(&entry.name.as_str()));
            if !has {
                let what = format!(
                    "`{}!` lists `{}`: this file must have `impl {implements} for {}`",
                    kind.macro_name, entry.name, entry.name
                );
                findings.push(Finding::new(&path, 0, what));
            }
        }
        for file in files.iter().filter(|f| f.path.starts_with(&folder)) {
            let below = file.path[folder.len()..].trim_end_matches(".rs");
            for name in implementors(&file.text, implements) {
                if !entries.iter().any(|e| e.file == below && e.name == name) {
                    let what = format!("`{name}` is not in `{}!`, so no model can have it", kind.macro_name);
                    findings.push(Finding::new(&file.path, 0, what));
                }
            }
        }
    }
    findings
}

/// The types a file implements a trait for.
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
            for (half, implements) in [("topology", "FromConfig"), ("candle", "Run")] {
                let path = format!("crates/tfjs-{half}/src/layers/{path}.rs");
                files.push(TextFile::new(&path, &format!("//! {name}\nimpl {implements} for {name} {{}}")));
            }
        }
        change(&mut files);
        let entries = layers::list(LIST, "for_each_layer").unwrap();
        check_kind(&KINDS[0], &entries, &files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn two_halves_pass() {
        assert_eq!(findings(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn a_missing_half_is_found() {
        let found = findings(|files| files.retain(|f| f.path != "crates/tfjs-candle/src/layers/core/dense.rs"));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/tfjs-candle/src/layers/core/dense.rs: "), "{found:?}");
    }

    #[test]
    fn a_half_elsewhere_is_found_twice() {
        let found = findings(|files| files[1].path = "crates/tfjs-candle/src/layers/core/linear.rs".into());
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
    fn helpers_need_no_other_half() {
        let helper = TextFile::new("crates/tfjs-topology/src/layers/rnn/arguments.rs", "pub fn read() {}");
        assert_eq!(findings(|files| files.push(helper.clone())), Vec::<String>::new());
    }
}
