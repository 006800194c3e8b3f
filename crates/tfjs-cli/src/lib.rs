//! The `tfjs` command as a library: [`run`] takes arguments and two streams, and returns an exit code.
//!
//! The output goes to the first stream, everything else to the second. The exit code is 0 only on success. Models are
//! loaded through the facade only. This crate opens only the files that the caller names (`--input`, `--image`, ...).

#![deny(missing_docs, unsafe_code)]

mod args;
mod chart;
mod clock;
mod commands;
mod failure;
mod flags;
mod image;
mod labels;
mod local;
mod options;
mod progress;
mod refused;
mod shown;
mod stages;
mod tensors;

use args::{Args, Command};
use clap::Parser;
use clock::Clock;
use failure::Failure;
use shown::{Out, Shown};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Runs the command with these arguments, the first of which is the program's name as in
/// [`std::env::args_os`]. The output goes to `out`; errors, warnings and progress go to `err`. Characters that a
/// terminal acts on are escaped in both, except line feeds, tabs, and the bytes of tensor files.
///
/// The code is 0 on success, 1 for an error of the model, a file or the output stream, and 2 for invalid arguments.
pub fn run<A, T>(args: A, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode
where
    A: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let (out, err) = (&mut Out::new(out), &mut Shown::text(err));
    let args = match Args::try_parse_from(args).map_err(refused::without_secrets) {
        Ok(args) => args,
        Err(refused) => {
            // Help and version are output; invalid arguments are an error.
            let stream: &mut dyn Write = if refused.use_stderr() { err } else { &mut out.text() };
            let written = write!(stream, "{}", refused.render()).and_then(|()| stream.flush());
            let code = if written.is_err() { 1 } else { refused.exit_code() };
            return ExitCode::from(u8::try_from(code).unwrap_or(1));
        }
    };
    let clock = Clock::start(args.command.transport().timeout);
    let done = match &args.command {
        Command::Inspect(args) => commands::inspect::run(args, clock, out, err),
        Command::Predict(args) => commands::predict::run(args, clock, out, err),
        Command::Dump(args) => commands::dump::run(args, clock, out),
        Command::Bench(args) => commands::bench::run(args, clock, out),
        Command::List(args) => commands::store::list(args, clock, out, err),
        Command::Copy(args) => commands::store::copy(args, clock, out),
        Command::Move(args) => commands::store::rename(args, clock, out),
        Command::Remove(args) => commands::store::remove(args, clock, out),
    };
    match done.and_then(|()| out.bytes().flush().map_err(Failure::from)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(err);
            ExitCode::FAILURE
        }
    }
}
