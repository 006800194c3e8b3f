//! Every attack in the table of SECURITY.md names existing tests that run, and existing limits with their documented
//! defaults; every field of `Limits` is in the table.

use super::{Finding, Findings};
use crate::workspace::{TextFile, Workspace};
use std::collections::{BTreeMap, BTreeSet};

const TABLE: &str = "SECURITY.md";
const HEADING: &str = "## Attacks";
/// The types whose fields are limits, and their files.
const TYPES: &[(&str, &str)] = &[
    (LIMITS, "crates/tfjs-manifest/src/limits.rs"),
    ("IoOptions", "crates/tfjs-io/src/model/options.rs"),
    ("Timeouts", "crates/tfjs-io/src/base/network.rs"),
    ("Retry", "crates/tfjs-io/src/base/retry.rs"),
];
/// The type of which every field must be in the table.
const LIMITS: &str = "Limits";

pub fn check(workspace: &Workspace, files: &[TextFile]) -> Findings {
    let text = workspace.read(TABLE)?;
    let texts: BTreeMap<&str, &str> = files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    let mut fields = BTreeMap::new();
    for (name, path) in TYPES {
        let text = texts.get(path).ok_or_else(|| format!("there is no `{path}`"))?;
        fields.insert(*name, fields_of(text, name));
    }
    Ok(check_table(&text, &fields, |path| texts.get(path).copied()))
}

/// The default of each field, if its documentation states it.
type Fields = BTreeMap<String, Option<String>>;

fn check_table<'a>(
    text: &str,
    fields: &BTreeMap<&str, Fields>,
    read: impl Fn(&str) -> Option<&'a str>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    let mut rows = 0;
    let table = text.lines().enumerate().skip_while(|(_, line)| *line != HEADING);
    for (i, row) in table.filter(|(_, line)| line.starts_with('|')).skip(2) {
        rows += 1;
        let mut say = |what: String| findings.push(Finding::new(TABLE, i + 1, what));
        let [_, _, _, limit, tests, _] = row.split('|').collect::<Vec<_>>()[..] else {
            say("expected four columns: attack, what happens, default limit, shown by".to_owned());
            continue;
        };
        check_limits(limit, fields, &mut seen).into_iter().for_each(&mut say);
        check_tests(tests, &read).into_iter().for_each(&mut say);
    }
    if rows == 0 {
        findings.push(Finding::new(TABLE, 0, format!("there is no table below `{HEADING}`")));
    }
    let all = fields.get(LIMITS).into_iter().flat_map(|fields| fields.keys());
    for field in all.filter(|field| !seen.contains(&format!("{LIMITS}::{field}"))) {
        findings.push(Finding::new(TABLE, 0, format!("no attack is answered by `{LIMITS}::{field}`")));
    }
    findings
}

/// Checks `64 MiB (`Limits::model_json_bytes`); ...`: each name is a field with that documented default.
fn check_limits(cell: &str, fields: &BTreeMap<&str, Fields>, seen: &mut BTreeSet<String>) -> Vec<String> {
    let mut findings = Vec::new();
    let parts: Vec<&str> = cell.split('`').collect();
    for pair in parts.chunks_exact(2) {
        let (before, name) = (pair[0], pair[1]);
        let default = name.split_once("::").and_then(|(of, field)| fields.get(of).and_then(|fields| fields.get(field)));
        seen.insert(name.to_owned());
        match default {
            None => findings.push(format!("`{name}` is not a field of a limits type")),
            Some(None) => findings.push(format!("the documentation of `{name}` says no default")),
            Some(Some(default)) if default.starts_with('[') => {}
            Some(Some(default)) => {
                let said = before.trim_end_matches(['(', ' ']);
                let whole = said.strip_suffix(default.as_str());
                if whole.is_none_or(|rest| rest.ends_with(|c: char| c.is_alphanumeric())) {
                    findings.push(format!("the default of `{name}` is {default}, the table says `{}`", said.trim()));
                }
            }
        }
    }
    findings
}

/// Checks `` `a/b.rs`: `one`, `two`; `c.rs`: `three` ``: each name is a test in the file before it.
fn check_tests<'a>(cell: &str, read: impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
    let mut findings = Vec::new();
    let mut file: Option<(&str, Option<&str>)> = None;
    let mut tests = 0;
    for word in cell.split('`').skip(1).step_by(2) {
        match (word.ends_with(".rs"), file) {
            (true, _) => {
                let text = read(word);
                if text.is_none() {
                    findings.push(format!("there is no `{word}`"));
                }
                file = Some((word, text));
            }
            (false, Some((path, Some(text)))) => {
                tests += 1;
                if !is_test(text, word) {
                    findings.push(format!("`{word}` is not a test in `{path}` that runs"));
                }
            }
            (false, Some((_, None))) => {}
            (false, None) => findings.push(format!("`{word}` is named before its file")),
        }
    }
    if tests == 0 && findings.is_empty() {
        findings.push("no test shows it".to_owned());
    }
    findings
}

/// Whether a file has a test of this name that is not ignored.
fn is_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declares = |line: &str| {
        let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        rest.and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with('('))
    };
    lines.iter().enumerate().filter(|(_, line)| declares(line)).any(|(i, _)| {
        let above = lines[..i].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        let attributes: Vec<&str> = above.copied().filter(|line| line.starts_with("#[")).collect();
        attributes.iter().any(|line| *line == "#[test]" || line.starts_with("#[tokio::test"))
            && !attributes.iter().any(|line| line.starts_with("#[ignore"))
    })
}

/// The public fields of a struct.
fn fields_of(text: &str, name: &str) -> Fields {
    let mut fields = Fields::new();
    let mut comment = String::new();
    let body = text.lines().skip_while(|line| *line != format!("pub struct {name} {{")).skip(1);
    for line in body.take_while(|line| *line != "}").map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            comment.push_str(text);
        } else if let Some((field, _)) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(':')) {
            fields.insert(field.to_owned(), default_in(&comment));
            comment.clear();
        }
    }
    fields
}

/// Parses `... Default 64 MiB; ...` or `... Default: none.`
fn default_in(comment: &str) -> Option<String> {
    let (_, rest) = comment.rsplit_once("Default")?;
    let value = rest.trim_start_matches(':').trim_start();
    Some(value.split([';', '.']).next()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "\
/// Budgets.
pub struct Limits {
    /// Bytes of JSON. Default 64 MiB; parsed it takes more.
    pub json_bytes: u64,
    /// Layers.
    /// Default 10 000.
    pub layers: u64,
}
pub struct Timeouts {
    /// For all. Default: none.
    pub total: Option<Duration>,
    pub unsaid: u64,
}
";
    const TESTS: &str = "\
#[test]
fn a_bomb() {}

#[cfg(unix)]
#[tokio::test(flavor = \"multi_thread\")]
// Reasons.
async fn a_link() {}

fn a_helper() {}

#[test]
#[ignore = \"slow\"]
fn ignored() {}
";
    const ALL: &str = "64 MiB (`Limits::json_bytes`); at most 10 000 (`Limits::layers`)";

    fn findings(limit: &str, tests: &str) -> Vec<String> {
        let text = format!("# X\n{HEADING}\n\n| a | b | c | d |\n|---|---|---|---|\n| x | y | {limit} | {tests} |\n");
        let fields = BTreeMap::from([("Limits", fields_of(CODE, "Limits")), ("Timeouts", fields_of(CODE, "Timeouts"))]);
        let found = check_table(&text, &fields, |path| (path == "tests/a.rs").then_some(TESTS));
        found.into_iter().map(|finding| finding.what).collect()
    }

    #[track_caller]
    fn check_lie(limit: &str, tests: &str, says: &str) {
        let found = findings(limit, tests);
        assert!(found.len() == 1 && found[0].contains(says), "{found:?}");
    }

    #[test]
    fn a_correct_row_has_no_findings() {
        assert_eq!(findings(ALL, "`tests/a.rs`: `a_bomb`, `a_link`"), [""; 0]);
        assert_eq!(findings(&format!("{ALL}; none (`Timeouts::total`)"), "`tests/a.rs`: `a_link`"), [""; 0]);
    }

    #[test]
    fn missing_tests_are_found() {
        check_lie(ALL, "`tests/b.rs`: `a_bomb`", "there is no `tests/b.rs`");
        check_lie(ALL, "`tests/a.rs`: `a_bom`", "`a_bom` is not a test");
        check_lie(ALL, "`tests/a.rs`: `a_helper`", "`a_helper` is not a test");
        check_lie(ALL, "`tests/a.rs`: `a_bomb`, `ignored`", "`ignored` is not a test");
        check_lie(ALL, "`a_bomb`", "before its file");
        check_lie(ALL, "`tests/a.rs`", "no test shows it");
        check_lie(ALL, "review", "no test shows it");
    }

    #[test]
    fn unknown_limits_are_found() {
        let tests = "`tests/a.rs`: `a_bomb`";
        check_lie(&format!("{ALL}; 3 (`Limits::gone`)"), tests, "`Limits::gone` is not a field");
        check_lie(&format!("{ALL}; 3 (`Budgets::layers`)"), tests, "`Budgets::layers` is not a field");
        check_lie(&ALL.replace("64 MiB", "32 MiB"), tests, "is 64 MiB, the table says `32 MiB`");
        check_lie(&ALL.replace("64 MiB", "164 MiB"), tests, "is 64 MiB");
        check_lie(&format!("{ALL}; 3 (`Timeouts::unsaid`)"), tests, "says no default");
        check_lie("64 MiB (`Limits::json_bytes`)", tests, "no attack is answered by `Limits::layers`");
    }

    #[test]
    fn a_missing_table_is_found() {
        let found = check_table("# X\n| a |\n|---|\n| x |\n", &BTreeMap::new(), |_| None);
        assert!(found.len() == 1 && found[0].what.contains("no table"), "{found:?}");
        let found = check_table(&format!("{HEADING}\n| a |\n|---|\n| x | y |\n"), &BTreeMap::new(), |_| None);
        assert!(found.len() == 1 && found[0].what.contains("four columns"), "{found:?}");
    }
}
