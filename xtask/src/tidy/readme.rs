//! The README's programs are among the facade's, which are compiled, and its commands name existing files.

use super::{Finding, Findings};
use crate::ci::marked_command;
use crate::workspace::{TextFile, Workspace};

const README: &str = "README.md";
const FACADE: &str = "crates/tfjs/README.md";

pub fn check(workspace: &Workspace, _: &[TextFile]) -> Findings {
    let readme = workspace.read(README)?;
    let mut findings = check_programs(&readme, &workspace.read(FACADE)?);
    for command in ["predict", "test"] {
        match marked_command(&readme, command) {
            Ok(words) => findings.extend(check_words(&words, |path| workspace.exists(path))),
            Err(why) => findings.push(Finding::new(README, 0, why)),
        }
    }
    Ok(findings)
}

fn check_programs(readme: &str, facade: &str) -> Vec<Finding> {
    let compiled = programs(facade);
    let shown = programs(readme);
    let lost = shown.iter().filter(|program| !compiled.contains(program));
    let mut findings: Vec<Finding> = lost
        .map(|program| {
            let begins = program.first().unwrap_or(&"");
            Finding::new(README, 0, format!("its program `{begins}…` must be one of {FACADE}, which are compiled"))
        })
        .collect();
    if shown.is_empty() {
        findings.push(Finding::new(README, 0, "shows no Rust program".to_owned()));
    }
    findings
}

/// The lines of each Rust block, without those hidden in documentation.
fn programs(text: &str) -> Vec<Vec<&str>> {
    const RUST: [&str; 4] = ["```", "```rust", "```no_run", "```rust,no_run"];
    let mut lines = text.lines();
    let mut programs = Vec::new();
    while let Some(open) = lines.by_ref().find(|line| line.starts_with("```")) {
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if RUST.contains(&open) {
            programs.push(block.into_iter().filter(|line| *line != "#" && !line.starts_with("# ")).collect());
        }
    }
    programs
}

fn check_words(words: &[&str], exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let missing = words.iter().filter(|word| word.starts_with("models/") && !exists(word));
    missing.map(|word| Finding::new(README, 0, format!("there is no `{word}`"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_one_that_compiles() {
        let facade = "text\n```no_run\n# fn main() {\nlet a = 1;\n#\n# }\n```\n```\nlet b = 1;\n```\n";
        assert_eq!(check_programs("intro\n```sh\ncargo run\n```\n```rust\nlet a = 1;\n```\n", facade), []);
        assert_eq!(check_programs("```rust\nlet b = 1;\n```\n```rust\nlet a = 1;\n```\n", facade), []);
        assert_eq!(check_programs("```rust\nlet a = 1;\n```\n```rust\nlet a = 2;\n```\n", facade).len(), 1);
        assert_eq!(check_programs("no program", "no program").len(), 1);
    }

    #[test]
    fn commands_name_files_there_are() {
        let words = ["run", "--", "predict", "models/a", "models/b"];
        assert_eq!(check_words(&words, |path| path == "models/a").len(), 1);
    }
}
