//! The error type of the whole workspace: what went wrong, where, and whose fault it is.
//!
//! There is only one, because a report often collects findings of several crates; converting between six identical
//! types would add nothing.

use crate::text::{LONGEST_MESSAGE, one_line};
use std::fmt;
use std::time::Duration;

/// A `Result` with this workspace's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whose fault an error is, which is also what a caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Bytes could not be fetched: a missing file, a refused connection, an HTTP status, a time-out.
    Fetch,
    /// The bytes do not follow the format.
    Malformed,
    /// Two parts disagree: a model and its weights, a shard and its manifest, an input and its model.
    Mismatch,
    /// Valid, but not supported by this version.
    Unsupported,
    /// A limit of [`Limits`](crate::Limits) would be exceeded.
    Limit,
    /// The caller used the API incorrectly. Never caused by the contents of a file.
    Misuse,
    /// Code of the caller failed: a handler, a custom layer.
    Custom,
    /// An invariant of this project does not hold. Please report it.
    Bug,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Fetch => "fetch",
            Kind::Malformed => "malformed",
            Kind::Mismatch => "mismatch",
            Kind::Unsupported => "unsupported",
            Kind::Limit => "limit",
            Kind::Misuse => "misuse",
            Kind::Custom => "custom",
            Kind::Bug => "bug",
        })
    }
}

/// Where an error happened. Only the fields that are known are set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The file or URL.
    pub file: Option<String>,
    /// The path inside a JSON document, such as `config.layers[3].config.kernel_size`.
    pub json: Option<String>,
    /// The layer, by its path in the model.
    pub layer: Option<String>,
    /// The weight, by its name.
    pub weight: Option<String>,
    /// A model input or output, by its name.
    pub value: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, json, layer, weight, value } = self;
        let parts = [("", file), ("", json), ("layer ", layer), ("weight ", weight), ("value ", value)];
        let mut separator = "";
        for (what, name) in parts {
            if let Some(name) = name {
                write!(f, "{separator}{what}`{}`", one_line(name, LONGEST_NAME))?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

/// The most characters of a name, a path or a URL that are shown.
const LONGEST_NAME: usize = 400;

impl Place {
    fn is_empty(&self) -> bool {
        *self == Place::default()
    }
}

/// An error of any crate of the workspace.
///
/// `Display` gives one line, `place: message`, and one more line for each finding if there are several. The cause, if
/// any, is available through [`source`](std::error::Error::source) and is not part of the text.
pub struct Error(Box<Repr>);

struct Repr {
    kind: Kind,
    place: Place,
    message: String,
    details: Vec<Error>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    transient: Option<Transient>,
}

/// Marks an error that may not occur again on a retry.
#[derive(Clone, Copy, Debug)]
struct Transient {
    /// How long the server asks to wait.
    retry_after: Option<Duration>,
}

impl Error {
    /// An error of this kind. The message should be lower case, one line, without a full stop. It is escaped to one
    /// line and cut to a readable length, because it may contain names from a file.
    #[cold]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error(Box::new(Repr {
            kind,
            place: Place::default(),
            message: one_line(&message.into(), LONGEST_MESSAGE),
            details: Vec::new(),
            source: None,
            transient: None,
        }))
    }

    /// [`Kind::Fetch`].
    #[cold]
    pub fn fetch(message: impl Into<String>) -> Self {
        Self::new(Kind::Fetch, message)
    }

    /// [`Kind::Malformed`].
    #[cold]
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(Kind::Malformed, message)
    }

    /// [`Kind::Mismatch`].
    #[cold]
    pub fn mismatch(message: impl Into<String>) -> Self {
        Self::new(Kind::Mismatch, message)
    }

    /// [`Kind::Unsupported`].
    #[cold]
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    /// [`Kind::Limit`].
    #[cold]
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(Kind::Limit, message)
    }

    /// [`Kind::Misuse`].
    #[cold]
    pub fn misuse(message: impl Into<String>) -> Self {
        Self::new(Kind::Misuse, message)
    }

    /// [`Kind::Bug`].
    #[cold]
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(Kind::Bug, message)
    }

    /// An error of the user's own handler or custom layer, which becomes the cause of this error.
    #[cold]
    pub fn custom(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::new(Kind::Custom, "a custom handler or layer failed").with_source(source)
    }

    /// One error for several findings, with the kind of the first one. A single finding is returned unchanged.
    #[cold]
    pub fn several(headline: impl Into<String>, mut findings: Vec<Error>) -> Self {
        match findings.len() {
            0 => Self::bug("an error report without findings"),
            1 => findings.swap_remove(0),
            _ => {
                let mut error = Self::new(findings[0].kind(), headline);
                error.0.details = findings;
                error
            }
        }
    }

    /// Whose fault it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Where it happened.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// What happened, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The findings of a report; empty for a single error.
    pub fn details(&self) -> &[Error] {
        &self.0.details
    }

    /// The findings of a report, taken out of it.
    pub fn into_details(self) -> Vec<Error> {
        self.0.details
    }

    /// The same error with a cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error with another message. Kind, place, findings and cause are kept.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = one_line(&message.into(), LONGEST_MESSAGE);
        self
    }

    /// The same error, marked as transient: the operation may succeed on a retry, as after a lost connection or with an
    /// overloaded server. Errors without this mark are final.
    #[must_use]
    pub fn transient(mut self) -> Self {
        self.0.transient.get_or_insert(Transient { retry_after: None });
        self
    }

    /// The same error, marked as [transient](Self::transient), with the time to wait before the next try.
    #[must_use]
    pub fn transient_after(mut self, wait: Duration) -> Self {
        self.0.transient = Some(Transient { retry_after: Some(wait) });
        self
    }

    /// Whether the operation may succeed on a retry. An error that is returned after the last of several tries is still
    /// transient.
    pub fn is_transient(&self) -> bool {
        self.0.transient.is_some()
    }

    /// The time to wait before the next try, if the server sent one.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.transient.and_then(|transient| transient.retry_after)
    }

    /// Adds the file or URL, unless one is known already. The findings of a report are not changed.
    #[must_use]
    pub fn in_file(mut self, file: impl fmt::Display) -> Self {
        self.0.place.file.get_or_insert_with(|| file.to_string());
        self
    }

    /// Adds the path in a JSON document. If one is known already, `path` is put before it.
    #[must_use]
    pub fn at_json(mut self, path: impl fmt::Display) -> Self {
        let json = &mut self.0.place.json;
        *json = Some(match json.take() {
            None => path.to_string(),
            Some(inner) if inner.starts_with('[') => format!("{path}{inner}"),
            Some(inner) => format!("{path}.{inner}"),
        });
        self
    }

    /// The same error where a key is called `written`, not `key`: in the path and, between backticks, in the message.
    #[must_use]
    pub fn with_key(mut self, key: &str, written: &str) -> Self {
        let path = self.0.place.json.take();
        let renamed = |part: &str| match part.strip_prefix(key) {
            Some(rest) if rest.is_empty() || rest.starts_with('[') => format!("{written}{rest}"),
            _ => part.to_string(),
        };
        self.0.place.json = path.map(|path| path.split('.').map(renamed).collect::<Vec<_>>().join("."));
        let message = self.0.message.replace(&format!("`{key}`"), &format!("`{written}`"));
        self.0.message = one_line(&message, LONGEST_MESSAGE);
        self
    }

    /// Adds the layer, unless one is known already.
    #[must_use]
    pub fn at_layer(mut self, layer: impl fmt::Display) -> Self {
        self.0.place.layer.get_or_insert_with(|| layer.to_string());
        self
    }

    /// Adds the weight, unless one is known already.
    #[must_use]
    pub fn at_weight(mut self, weight: impl fmt::Display) -> Self {
        self.0.place.weight.get_or_insert_with(|| weight.to_string());
        self
    }

    /// Adds the model input or output, unless one is known already.
    #[must_use]
    pub fn at_value(mut self, value: impl fmt::Display) -> Self {
        self.0.place.value.get_or_insert_with(|| value.to_string());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Repr { place, message, details, .. } = &*self.0;
        if !place.is_empty() {
            write!(f, "{place}: ")?;
        }
        f.write_str(message)?;
        for detail in details {
            write!(f, "\n  {detail}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Repr { kind, place, message, details, source, transient } = &*self.0;
        let mut out = f.debug_struct("Error");
        out.field("kind", kind).field("place", place).field("message", message);
        if !details.is_empty() {
            out.field("details", details);
        }
        if let Some(source) = source {
            out.field("source", source);
        }
        if let Some(transient) = transient {
            out.field("transient", transient);
        }
        out.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|s| s as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_with_the_place_first() {
        let error = Error::mismatch("needs 36864 bytes from offset 8192, 12288 left")
            .at_weight("conv1/kernel")
            .in_file("group1-shard2of3.bin");
        assert_eq!(
            error.to_string(),
            "`group1-shard2of3.bin`, weight `conv1/kernel`: needs 36864 bytes from offset 8192, 12288 left"
        );
    }

    #[test]
    fn an_error_is_final_unless_it_is_marked() {
        let wait = Duration::from_secs(3);
        let error = Error::fetch("busy");
        assert!(!error.is_transient() && error.retry_after().is_none());
        let error = error.transient_after(wait).transient().in_file("w.bin").with_message("still busy");
        assert_eq!((error.is_transient(), error.retry_after()), (true, Some(wait)));
        assert!(std::error::Error::source(&error).is_none());
        assert!(Error::fetch("lost").transient().is_transient());
    }

    #[test]
    fn names_of_a_file_make_no_second_line() {
        let error = Error::malformed("class `a\nb` is unknown").at_layer("l\r\u{1b}[31m").in_file("x".repeat(500));
        let text = error.to_string();
        assert!(text.ends_with("…`, layer `l\\r\\u{1b}[31m`: class `a\\nb` is unknown"), "{text}");
        assert!(text.len() < 500);
        assert!(Error::bug("é".repeat(5000)).message().chars().count() <= LONGEST_MESSAGE + 1);
    }

    #[test]
    fn the_innermost_place_wins_and_json_paths_join() {
        let error = Error::malformed("expected a number, found `\"a\"`")
            .at_json("[1]")
            .at_json("strides")
            .at_json("config")
            .at_layer("conv")
            .at_layer("model");
        assert_eq!(error.place().json.as_deref(), Some("config.strides[1]"));
        assert_eq!(error.place().layer.as_deref(), Some("conv"));
    }

    #[test]
    fn a_report_lists_its_findings_and_one_finding_is_itself() {
        let one = Error::several("two things", vec![Error::limit("a")]);
        assert_eq!(one.to_string(), "a");
        let two = Error::several("two things", vec![Error::limit("a"), Error::limit("b")]);
        assert_eq!(two.to_string(), "two things\n  a\n  b");
        assert_eq!((two.kind(), two.details().len()), (Kind::Limit, 2));
    }

    #[test]
    fn the_cause_is_not_repeated() {
        let error = Error::fetch("cannot read the file").with_source(std::io::Error::other("disk on fire"));
        assert_eq!(error.to_string(), "cannot read the file");
        assert!(std::error::Error::source(&error).is_some());
    }
}
