//! Runs programs: prints each command, and stops the task if it fails.

use crate::Outcome;
use crate::workspace::Workspace;
use serde_json::Value;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// The cargo executable that runs this task.
pub fn cargo(workspace: &Workspace, args: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    program_in(workspace, program, args)
}

/// A program that runs in the root of the workspace, without standard input.
pub fn program_in(workspace: &Workspace, program: impl Into<OsString>, args: &[&str]) -> Command {
    let mut command = Command::new(program.into());
    command.args(args).current_dir(&workspace.root).stdin(Stdio::null());
    command
}

/// Runs a command to its end; its output is not captured.
///
/// # Errors
/// A program that cannot be started or fails.
pub fn run(what: &str, mut command: Command) -> Outcome {
    let shown = shown(&command);
    eprintln!("== {what}: {shown}");
    let started = Instant::now();
    let status = command.status().map_err(|e| format!("cannot start `{shown}`: {e}"))?;
    if !status.success() {
        return Err(format!("{what} failed: `{shown}` ended with {status}"));
    }
    eprintln!("== {what}: done in {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}

/// Builds a binary of any member and returns its path. It names the whole workspace, like the other steps: for a single
/// package, features would unify differently and dependencies would be compiled again.
///
/// # Errors
/// Errors of cargo.
pub fn build(workspace: &Workspace, name: &str, more: &[&str]) -> Result<PathBuf, String> {
    let args = ["build", "--workspace", "--bin", name, "--message-format", "json-render-diagnostics"];
    let messages = output(cargo(workspace, &[&args, more].concat()))?;
    executable(&messages, name).ok_or_else(|| format!("cargo built no `{name}`"))
}

/// The path of a binary in cargo's messages, one JSON object per line.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built = messages.filter(|m| m["target"]["name"] == name && m["target"]["kind"][0] == "bin");
    built.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// Runs a command to its end and returns what it prints on stdout.
///
/// # Errors
/// A program that cannot be started or fails; its stderr is not captured.
pub fn output(mut command: Command) -> Result<String, String> {
    let shown = shown(&command);
    let child = command.stdout(Stdio::piped()).spawn();
    let output = child.and_then(Child::wait_with_output).map_err(|e| format!("cannot start `{shown}`: {e}"))?;
    if !output.status.success() {
        return Err(format!("`{shown}` ended with {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{shown}` printed what is not UTF-8"))
}

/// The command as typed in a shell, with the program's folder omitted.
fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::executable;
    use std::path::PathBuf;

    #[test]
    fn the_binary_is_found_among_the_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"large","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"large","kind":["bin"]},"executable":"target/large"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "large"), Some(PathBuf::from("target/large")));
        assert_eq!(executable(messages, "small"), None);
    }
}
