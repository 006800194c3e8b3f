//! Every known failure names an existing case and has a reason.

use super::{Finding, Findings};
use crate::workspace::{TextFile, Workspace};

const FILE: &str = "tests/conformance/expectations.toml";

pub fn check(workspace: &Workspace, _: &[TextFile]) -> Findings {
    let text = workspace.read(FILE)?;
    Ok(check_text(&text, |id| workspace.exists(&format!("tests/conformance/cases/{id}/case.json"))))
}

fn check_text(text: &str, is_case: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (i, line) in text.lines().enumerate().map(|(i, line)| (i + 1, line.trim())) {
        if line.is_empty() || line.starts_with('#') || line.starts_with('[') {
            continue;
        }
        match entry(line) {
            None => findings.push(Finding::new(FILE, i, "expected `\"producer/case\" = \"reason\"`")),
            Some((_, "")) => findings.push(Finding::new(FILE, i, "a known failure needs a reason")),
            Some((id, _)) if !is_case(id) => findings.push(Finding::new(FILE, i, format!("there is no case `{id}`"))),
            Some(_) => {}
        }
    }
    findings
}

fn entry(line: &str) -> Option<(&str, &str)> {
    let (id, reason) = line.strip_prefix('"')?.split_once('"')?;
    let reason = reason.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?.strip_suffix('"')?;
    Some((id, reason.trim()))
}

#[cfg(test)]
mod tests {
    use super::check_text;

    #[test]
    fn entries_must_be_cases_with_reasons() {
        for (line, findings) in [
            ("# comment\n[fails]\n", 0),
            ("\"keras2/known\" = \"candle has no such kernel\"", 0),
            ("\"keras2/gone\" = \"candle has no such kernel\"", 1),
            ("\"keras2/known\" = \" \"", 1),
            ("keras2/known = why", 1),
        ] {
            assert_eq!(check_text(line, |id| id == "keras2/known").len(), findings, "{line}");
        }
    }
}
