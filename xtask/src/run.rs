//! Running programs: what runs is printed, and a program that fails stops the task.

use crate::Outcome;
use crate::workspace::Workspace;
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The cargo that runs this task.
pub fn cargo(workspace: &Workspace, args: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    program_in(workspace, program, args)
}

/// A program in the root of the workspace, with nothing to read.
pub fn program_in(workspace: &Workspace, program: impl Into<OsString>, args: &[&str]) -> Command {
    let mut command = Command::new(program.into());
    command.args(args).current_dir(&workspace.root).stdin(Stdio::null());
    command
}

/// Runs to the end; its output goes where ours does.
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

/// Runs to the end and gives what it prints on stdout.
///
/// # Errors
/// A program that cannot be started or fails, with its stderr.
pub fn output(mut command: Command) -> Result<String, String> {
    let shown = shown(&command);
    let output = command.output().map_err(|e| format!("cannot start `{shown}`: {e}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{shown}` ended with {}: {}", output.status, stderr.trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{shown}` printed what is not UTF-8"))
}

/// The command as one would type it; the program without its folder.
fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
