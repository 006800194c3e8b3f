//! The README's program is the one that compiles (the facade's), and its commands name files there are.

use super::{Finding, Findings};
use crate::ci::marked_command;
use crate::workspace::{TextFile, Workspace};

const README: &str = "README.md";
const FACADE: &str = "crates/tfjs/README.md";

pub fn check(workspace: &Workspace, _: &[TextFile]) -> Findings {
    let readme = workspace.read(README)?;
    let mut findings = check_program(&readme, &workspace.read(FACADE)?);
    for command in ["predict", "test"] {
        match marked_command(&readme, command) {
            Ok(words) => findings.extend(check_words(&words, |path| workspace.exists(path))),
            Err(why) => findings.push(Finding::new(README, 0, why)),
        }
    }
    Ok(findings)
}

fn check_program(readme: &str, facade: &str) -> Vec<Finding> {
    let shown = first_program(readme);
    match (shown.is_empty(), shown == first_program(facade)) {
        (false, true) => Vec::new(),
        _ => {
            vec![Finding::new(README, 0, format!("its first Rust program must be that of {FACADE}, which is compiled"))]
        }
    }
}

/// The lines of the first block of Rust, without those that documentation hides.
fn first_program(text: &str) -> Vec<&str> {
    const RUST: [&str; 4] = ["```", "```rust", "```no_run", "```rust,no_run"];
    let mut lines = text.lines();
    while let Some(open) = lines.by_ref().find(|line| line.starts_with("```")) {
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if RUST.contains(&open) {
            return block.into_iter().filter(|line| *line != "#" && !line.starts_with("# ")).collect();
        }
    }
    Vec::new()
}

fn check_words(words: &[&str], exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let missing = words.iter().filter(|word| word.starts_with("models/") && !exists(word));
    missing.map(|word| Finding::new(README, 0, format!("there is no `{word}`"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_the_one_that_compiles() {
        let facade = "text\n```no_run\n# fn main() {\nlet a = 1;\n#\n# }\n```\n";
        assert_eq!(check_program("intro\n```sh\ncargo run\n```\n```rust\nlet a = 1;\n```\n", facade), []);
        assert_eq!(check_program("```rust\nlet a = 2;\n```\n", facade).len(), 1);
        assert_eq!(check_program("no program", "no program").len(), 1);
    }

    #[test]
    fn commands_name_files_there_are() {
        let words = ["run", "--", "predict", "models/a", "models/b"];
        assert_eq!(check_words(&words, |path| path == "models/a").len(), 1);
    }
}
