//! Every deliberate difference from TensorFlow.js is in a table of ARCHITECTURE.md, and every row of
//! the table is marked in the code.

use super::{Finding, Findings};
use crate::source::Source;
use crate::workspace::{TextFile, Workspace};
use std::collections::BTreeMap;

const TABLE: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Differences from TensorFlow.js";
const MARK: &str = "DIFFERENCE:";

pub fn check(workspace: &Workspace, files: &[TextFile]) -> Findings {
    let marked = files.iter().filter(|f| f.is_rust() && f.path.starts_with("crates/"));
    let marks = marked.flat_map(|f| marks(f).into_iter().map(|line| (f.path.clone(), line))).collect::<Vec<_>>();
    let text = workspace.read(TABLE)?;
    let section = text.split_once(HEADING).ok_or_else(|| format!("{TABLE} has no `{HEADING}`"))?.1;
    Ok(compare(&marks, section.split("\n## ").next().unwrap_or_default()))
}

/// The lines of a file's marks, which count only in comments.
fn marks(file: &TextFile) -> Vec<usize> {
    Source::new(&file.text).comments.iter().filter(|c| c.text.contains(MARK)).map(|c| c.line).collect()
}

/// Checks that the number of rows that name a file is the number of marks in it.
fn compare(marks: &[(String, usize)], section: &str) -> Vec<Finding> {
    let mut open: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    marks.iter().for_each(|(path, line)| open.entry(path).or_default().push(*line));
    let mut findings = Vec::new();
    for row in section.lines().filter(|line| line.starts_with('|')) {
        for path in row.split('`').filter(|word| word.starts_with("crates/")) {
            if open.get_mut(path).and_then(Vec::pop).is_none() {
                findings.push(Finding::new(
                    TABLE,
                    0,
                    format!("the table names `{path}`, which has no `{MARK}` mark for it"),
                ));
            }
        }
    }
    let left = open.into_iter().flat_map(|(path, lines)| lines.into_iter().map(move |line| (path, line)));
    findings
        .extend(left.map(|(path, line)| Finding::new(path, line, format!("a row is missing in {TABLE}, `{HEADING}`"))));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(code: &str, table: &str) -> usize {
        let file = TextFile::new("crates/a.rs", code);
        compare(&marks(&file).into_iter().map(|line| (file.path.clone(), line)).collect::<Vec<_>>(), table).len()
    }

    #[test]
    fn marks_and_rows_go_together() {
        assert_eq!(
            findings("// DIFFERENCE: a\n/// DIFFERENCE: b\n", "| x | `crates/a.rs` |\n| y | `crates/a.rs` |"),
            0
        );
        assert_eq!(findings("// DIFFERENCE: a\n", "| - |"), 1);
        assert_eq!(findings("let s = \"DIFFERENCE:\";", "| x | `crates/a.rs` |"), 1);
        assert_eq!(findings("// DIFFERENCE: a\n", "| x | `crates/a.rs` |\n| y | `crates/b.rs` |"), 1);
    }
}
