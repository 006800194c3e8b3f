//! The failure of a command, and its output: one line each for an error, its findings and its causes.

use crate::flags;
use crate::shown;
use std::error::Error as _;
use std::io::{self, Write};
use tfjs::Error;

/// Most causes of an error that are printed.
const MOST_CAUSES: usize = 16;

/// The reason why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error to print.
    Error(Error),
    /// The errors have been printed already.
    Reported,
    /// The output stream failed.
    Stream(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Error(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Stream(error)
    }
}

impl Failure {
    pub(crate) fn print(&self, err: &mut dyn Write) {
        // An error of the error stream is ignored: it cannot be reported anywhere.
        let _ = match self {
            Failure::Error(error) => print_error(error, err),
            Failure::Reported => Ok(()),
            Failure::Stream(closed) if closed.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Failure::Stream(closed) => writeln!(err, "error: cannot write the output: {closed}"),
        };
    }
}

/// Prints an error, its findings and their causes, one line each.
pub(crate) fn print_error(error: &Error, err: &mut dyn Write) -> io::Result<()> {
    writeln!(err, "error: {}", line(error))?;
    for cause in causes(error) {
        writeln!(err, "  caused by: {cause}")?;
    }
    for finding in error.details() {
        writeln!(err, "  {}", line(finding))?;
        for cause in causes(finding) {
            writeln!(err, "    caused by: {cause}")?;
        }
    }
    Ok(())
}

pub(crate) fn print_warning(warning: &str, err: &mut dyn Write) -> io::Result<()> {
    writeln!(err, "warning: {}", shown::line(&flags::in_words(warning)))
}

/// Place and message of an error on one line, cut, without its findings.
fn line(error: &Error) -> String {
    let place = error.place().to_string();
    let separator = if place.is_empty() { "" } else { ": " };
    format!("{place}{separator}{}", flags::in_words(error.message()))
}

/// The causes of an error, nearest first.
pub(crate) fn causes(error: &Error) -> Vec<String> {
    let chain = std::iter::successors(error.source(), |&cause| cause.source());
    chain.take(MOST_CAUSES).map(|cause| shown::line(&flags::in_words(&cause.to_string()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: Error, expect: &str) {
        let mut said = Vec::new();
        Failure::from(error).print(&mut said);
        assert_eq!(String::from_utf8(said).unwrap(), expect);
    }

    #[test]
    fn a_chain_has_a_line_for_each_link() {
        let error =
            Error::fetch("cannot read the file").in_file("w.bin").with_source(io::Error::other("disk\non fire"));
        check(error, "error: `w.bin`: cannot read the file\n  caused by: disk\\non fire\n");
    }

    #[test]
    fn a_report_has_a_line_for_each_finding() {
        let findings = vec![Error::mismatch("missing").at_weight("a"), Error::mismatch("missing").at_weight("b")];
        check(
            Error::several("two weights", findings).in_file("m"),
            "error: `m`: two weights\n  weight `a`: missing\n  weight `b`: missing\n",
        );
    }

    #[test]
    fn control_characters_cannot_act() {
        check(Error::malformed("unknown layer `\u{1b}[2J`"), "error: unknown layer `\\u{1b}[2J`\n");
        let cause = io::Error::other("x\u{202e}".repeat(1000));
        let mut said = Vec::new();
        Failure::from(Error::fetch("a\u{2028}b").in_file("c\u{61c}").with_source(cause)).print(&mut said);
        let said = String::from_utf8(said).unwrap();
        assert!(
            said.starts_with("error: `c\\u{61c}`: a\\u{2028}b\n  caused by: x\\u{202e}x") && said.len() < 6000,
            "{said}"
        );
    }

    #[test]
    fn a_reader_that_went_away_is_no_news() {
        let mut said = Vec::new();
        Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).print(&mut said);
        assert!(said.is_empty());
    }
}
