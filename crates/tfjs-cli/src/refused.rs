//! Removes possible secrets from errors about invalid arguments. clap repeats unknown arguments, which may be a part of
//! a header without quotes, or a URL with a password.

use crate::shown;
use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The placeholder of a hidden value.
const HIDDEN: &str = "… (not shown, as it may be a secret)";
/// Most characters of an unknown option or command that are shown, and of any other value.
const LONGEST: (usize, usize) = (24, 64);

/// The error without values of headers, and without values that may be URLs or tokens.
pub(crate) fn without_secrets(mut error: Error) -> Error {
    let argument = text(&error, ContextKind::InvalidArg);
    if let Some(value) = text(&error, ContextKind::InvalidValue) {
        let of_header = argument.as_deref().is_some_and(|argument| argument.starts_with("--header"));
        let shown = if of_header || !is_harmless(&value) { HIDDEN.to_owned() } else { shown::line(&value) };
        set(&mut error, ContextKind::InvalidValue, &shown);
    }
    if let Some(command) = text(&error, ContextKind::InvalidSubcommand)
        && error.kind() == ErrorKind::InvalidSubcommand
        && !is_name(&command)
    {
        hide(&mut error, ContextKind::InvalidSubcommand, HIDDEN);
    }
    if let Some(argument) = argument
        && error.kind() == ErrorKind::UnknownArgument
    {
        // For `--name=value`, the name is enough for the message.
        let flag = argument.split('=').next().unwrap_or_default();
        match flag.strip_prefix("--").or_else(|| flag.strip_prefix('-')) {
            Some(name) if is_name(name) && flag == argument => {}
            Some(name) if is_name(name) => hide(&mut error, ContextKind::InvalidArg, flag),
            _ => hide(&mut error, ContextKind::InvalidArg, HIDDEN),
        }
    }
    error
}

/// Replaces the invalid argument, and removes the suggestion that repeats it.
fn hide(error: &mut Error, kind: ContextKind, shown: &str) {
    set(error, kind, shown);
    error.remove(ContextKind::Suggested);
}

fn set(error: &mut Error, kind: ContextKind, shown: &str) {
    error.insert(kind, ContextValue::String(shown.to_owned()));
}

fn text(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// Whether a text looks like the name of a command or option, possibly misspelt.
fn is_name(text: &str) -> bool {
    text.len() <= LONGEST.0 && text.chars().all(|c| c.is_ascii_alphabetic() || c == '-' || c == '_')
}

fn is_harmless(value: &str) -> bool {
    value.len() <= LONGEST.1 && !value.contains("://") && !value.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;
    use clap::Parser;

    fn refused(args: &[&str]) -> String {
        let error = Args::try_parse_from([&["tfjs"], args].concat()).unwrap_err();
        without_secrets(error).render().to_string()
    }

    #[test]
    fn secrets_are_not_repeated() {
        for args in [
            &["inspect", "m", "--header", "Authorization Bearer s3cr"][..],
            &["inspect", "m", "--header=Authorization s3cr"],
            &["inspect", "m", "--header", ": s3cr"],
            &["inspect", "m", "--header", "Authorization Bearer s3cr:x"],
            &["inspect", "m", "--header", "Authorization=Bearer s3cr:443"],
            // A header without quotes.
            &["inspect", "--header", "Authorization:", "Bearer", "s3cr", "m"],
            &["inspect", "m", "https://user:s3cr@host/model.json"],
            &["https://user:s3cr@host/model.json"],
            &["s3cr3t"],
            &["inspect", "m", "--headers=Authorization: s3cr"],
            &["inspect", "m", "--s3cr=1"],
            &["inspect", "m", "-HAuthorization: s3cr"],
            &["predict", "m", "--input", "x", "--device", "http://user:s3cr@host"],
            &["predict", "m", "--input", "x", "--engine", "u:s3cr@host"],
            &["dump", "m", "--stage", "http://s3cr"],
            &["inspect", "m", "--timeout", "http://s3cr"],
        ] {
            let said = refused(args);
            assert!(!said.contains("s3cr") && said.starts_with("error: "), "{args:?}: {said}");
        }
    }

    #[test]
    fn a_value_is_shown_on_one_line() {
        for args in [
            &["inspect", "m", "--producer", "x\nerror: forged"][..],
            &["inspect", "m", "--timeout", "5\nerror: forged"],
            &["inspect", "m", "--input-shape", "x=\nerror: forged"],
            &["inspect", "m", "--limit", "\nerror: forged"],
            &["predict", "m", "--input", "x", "--device", "\nerror: forged"],
            &["predict", "m", "--input", "x", "--range", "\nerror: forged"],
            &["bench", "m", "--seconds", "\nerror: forged"],
            &["dump", "m", "--stage", "\nerror: forged"],
            &["\nerror: forged"],
            &["inspect", "m", "\nerror: forged"],
            &["inspect", "m", "--x\nerror: forged"],
        ] {
            let said = refused(args);
            assert!(said.lines().skip(1).all(|line| !line.starts_with("error")), "{args:?}: {said}");
        }
    }

    #[test]
    fn what_is_no_secret_is_named() {
        for (args, words) in [
            (&["inspct"][..], &["'inspct'", "inspect"][..]),
            (&["inspect", "m", "--headr", "x"], &["'--headr'", "'--header'"]),
            (&["inspect", "m", "--headr=x"], &["'--headr'"]),
            (&["inspect", "m", "--header", "x"], &["--header <NAME: VALUE>", "expected `Name: value`"]),
            (&["inspect", "m", "--threads", "0"], &["'0'", "--threads"]),
            (&["predict", "m", "--input", "x", "--device", "gpu:1"], &["'gpu:1'", "--device"]),
            (&["dump", "m", "--stage", "grph"], &["'grph'", "graph"]),
            (&["inspect"], &["<MODEL>"]),
        ] {
            let said = refused(args);
            assert!(words.iter().all(|word| said.contains(word)), "{args:?}: {said}");
        }
    }
}
