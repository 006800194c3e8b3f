//! The checks that a change must pass, cheapest first.
//!
//! Every step names the whole workspace, so that features unify in the same way and no dependency is compiled
//! twice: clippy and the documentation share one set of metadata, and only the tests produce object code.

use crate::run::{self, cargo};
use crate::workspace::Workspace;
use crate::{Outcome, tidy};

/// Runs every step up to the first that fails.
///
/// # Errors
/// The step that failed.
pub fn run(workspace: &Workspace, full: bool) -> Outcome {
    let readme = workspace.read("README.md")?;
    let test = marked_command(&readme, "test")?;
    run_cargo(workspace, "formatting", &["fmt", "--all", "--check"])?;
    tidy::run(workspace)?;
    run_cargo(workspace, "clippy", &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    let mut doc = cargo(workspace, &["doc", "--locked", "--workspace", "--no-deps"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    run::run("documentation", doc)?;
    run_cargo(workspace, "the README's test command", &test)?;
    tidy::builds::run_wasm(workspace)?;
    if full {
        tidy::builds::run_each(workspace)?;
        run_cargo(workspace, "the README's first command", &marked_command(&readme, "predict")?)?;
    }
    println!("ci: everything passed");
    Ok(())
}

fn run_cargo(workspace: &Workspace, what: &str, args: &[&str]) -> Outcome {
    run::run(what, cargo(workspace, args))
}

/// The words after `cargo` of the single command between `<!-- NAME -->` and `<!-- /NAME -->`. CI therefore runs
/// exactly the command that the README shows.
///
/// # Errors
/// Markers that are missing, or not exactly one cargo command between them.
pub fn marked_command<'a>(readme: &'a str, name: &str) -> Result<Vec<&'a str>, String> {
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let inner = readme.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end)).map(|(inner, _)| inner);
    let inner = inner.ok_or_else(|| format!("README.md has no `{begin}` ... `{end}`"))?;
    let mut lines = inner.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("```"));
    match (lines.next().and_then(|line| line.strip_prefix("cargo ")), lines.next()) {
        (Some(command), None) => Ok(command.split_whitespace().collect()),
        _ => Err(format!("README.md: expected one line `cargo ...` between `{begin}` and `{end}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::marked_command;

    #[test]
    fn the_command_is_read_from_between_the_markers() {
        let readme = "text\n<!-- test -->\n```sh\ncargo test --workspace\n```\n<!-- /test -->\nmore";
        assert_eq!(marked_command(readme, "test"), Ok(vec!["test", "--workspace"]));
    }

    #[test]
    fn a_readme_without_exactly_one_command_is_refused() {
        for readme in [
            "cargo test",
            "<!-- test -->\ncargo test",
            "<!-- test -->\n```sh\n```\n<!-- /test -->",
            "<!-- test -->\nmake test\n<!-- /test -->",
            "<!-- test -->\ncargo test\ncargo doc\n<!-- /test -->",
        ] {
            assert!(marked_command(readme, "test").is_err(), "{readme}");
        }
    }
}
