//! The `tfjs` command: passes its arguments and streams to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    tfjs_cli::run(std::env::args_os(), &mut std::io::stdout().lock(), &mut std::io::stderr())
}
