//! The benches `load`, `predict`, `decode` and `transport`, built with release optimizations.

use crate::Outcome;
use crate::run::{cargo, run};
use crate::workspace::Workspace;

const BENCHES: &[&str] = &["load", "predict", "decode", "transport"];

/// Runs the named benches, or all of them; options are passed to each.
///
/// # Errors
/// A bench that fails.
pub fn run_all(workspace: &Workspace, args: &[&str]) -> Outcome {
    let (names, options) = split(args)?;
    let mut command = vec!["bench", "--workspace"];
    for name in names {
        command.extend(["--bench", name]);
    }
    command.push("--");
    command.extend(options);
    run("bench", cargo(workspace, &command))
}

/// Splits names from options, which begin at the first word with `--`.
fn split<'a>(args: &[&'a str]) -> Result<(Vec<&'a str>, Vec<&'a str>), String> {
    let at = args.iter().position(|arg| arg.starts_with("--")).unwrap_or(args.len());
    let (names, options) = args.split_at(at);
    if let Some(unknown) = names.iter().find(|name| !BENCHES.contains(name)) {
        return Err(format!("unknown bench `{unknown}`: expected {}", BENCHES.join(", ")));
    }
    let names = if names.is_empty() { BENCHES.to_vec() } else { names.to_vec() };
    Ok((names, options.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::{BENCHES, split};

    #[test]
    fn names_come_before_options() {
        assert_eq!(split(&["load", "--json"]), Ok((vec!["load"], vec!["--json"])));
        assert_eq!(split(&["--filter", "load"]), Ok((BENCHES.to_vec(), vec!["--filter", "load"])));
        assert!(split(&["lode"]).is_err());
    }
}
