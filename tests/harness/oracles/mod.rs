//! Properties that must hold for any input bytes: one function for each fuzz target.
//!
//! An oracle returns the result of the code under test, and panics if a property does not
//! hold: an internal error, an exceeded limit, a value that a round trip changes, two implementations
//! with different results. The fuzz targets only call these; `tests/oracles.rs` runs the inputs that fuzzing
//! found.

pub mod archives;
mod inputs;
pub mod json;
pub mod load;
pub mod manifest;
mod pool;
pub mod programs;
pub mod topology;
pub mod urls;
pub mod weights;

use tfjs::{Error, Kind, Limits, Result};

/// Checks one input of a target.
pub type Oracle = fn(&[u8]) -> Result<()>;

/// The oracles, by the name of their fuzz target.
pub const ALL: &[(&str, Oracle)] = &[
    ("manifest", manifest::check),
    ("topology", topology::check),
    ("weights", weights::check),
    ("archives", archives::check),
    ("load", load::check),
    ("urls", urls::check),
    ("programs", programs::check),
];

/// Limits so tight that every input within them takes only milliseconds.
pub fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.model_json_bytes = 64 << 10;
    limits.model_bytes = 16 << 20;
    limits.filled_bytes = 1 << 20;
    limits.activation_bytes = 16 << 20;
    limits.work = 1 << 30;
    limits.weight_bytes = 256 << 10;
    limits.string_bytes = 16 << 10;
    limits.tensors = 256;
    limits.files = 64;
    limits.path_chars = 256;
    limits.elements = 1 << 13;
    limits.layers = 256;
    limits.nesting = 8;
    limits.nodes = 256;
    limits
}

/// The same result, after checking its error: it is not a bug of the library, and every finding is one readable line.
///
/// # Panics
/// If a check fails.
#[track_caller]
pub fn proper<T>(result: Result<T>) -> Result<T> {
    if let Err(error) = &result {
        check_error(error);
    }
    result
}

#[track_caller]
fn check_error(error: &Error) {
    assert_ne!(error.kind(), Kind::Bug, "an internal error: {error:?}");
    let lines = error.to_string().split(['\n', '\r', '\u{2028}']).count();
    assert_eq!(lines, 1 + error.details().len(), "a finding is one line: {error:?}");
    for finding in std::iter::once(error).chain(error.details()) {
        assert_ne!(finding.kind(), Kind::Bug, "an internal error: {finding:?}");
        let text = if finding.details().is_empty() { finding.to_string() } else { finding.message().to_owned() };
        assert!(!text.chars().any(char::is_control), "control characters in a message: {text:?}");
        assert!(text.chars().count() < 4_000, "a message of {} characters", text.chars().count());
    }
}

/// Splits at the first NUL into text and bytes; JSON cannot contain NUL.
fn split(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|&b| b == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}
