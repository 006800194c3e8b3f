//! Converts errors of object stores to this crate's errors: kind, the service's own message, and a hint.
//!
//! Their original texts are not shown, because they contain whole responses, and the response to a wrong signature
//! contains every signed header, tokens included.

use object_store::Error as StoreError;
use std::error::Error as StdError;
use tfjs_manifest::{Error, Kind};

/// The message if the machine's metadata service has no credentials.
pub(super) const NO_CREDENTIALS: &str = "no credentials were found, and the machine's metadata service has none";

/// Converts an error. `hint` says where credentials come from.
pub(super) fn error(source: &StoreError, hint: &str) -> Error {
    if let Some(ours) = our_own(source) {
        let hint = if ours.message() == NO_CREDENTIALS { hint } else { "" };
        let mut out = Error::new(ours.kind(), with_hint(ours.message(), hint));
        if let Some(cause) = ours.source() {
            out = out.with_source(cause.to_string());
        }
        if ours.is_transient() {
            out = out.transient();
        }
        return out;
    }
    let text = source.to_string();
    let (kind, message, hint, said) = match source {
        StoreError::NotFound { .. } => {
            (Kind::Fetch, "no such object", "check the URL, and that all files of the model were uploaded", said(&text))
        }
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            (Kind::Fetch, "the store denies access", hint, said(&text))
        }
        StoreError::Precondition { .. } => {
            (Kind::Fetch, "the object changed while it was read", "try again", said(&text))
        }
        StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => {
            (Kind::Unsupported, "the store cannot do this", "", said(&text).or_else(|| plain(&text)))
        }
        _ => (Kind::Fetch, "the store did not answer as expected", "", said(&text).or_else(|| plain(&text))),
    };
    let message = match said {
        Some(said) => format!("{message} ({said})"),
        None => message.to_owned(),
    };
    Error::new(kind, with_hint(&message, hint))
}

fn with_hint(message: &str, hint: &str) -> String {
    match hint {
        "" => message.to_owned(),
        hint => format!("{message}; {hint}"),
    }
}

/// The error of this crate's own connections, if it is a cause.
fn our_own(error: &StoreError) -> Option<&Error> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return Some(ours);
        }
        next = error.source();
    }
    None
}

/// The status, and the code and message of the service's XML, from the text of an error.
fn said(text: &str) -> Option<String> {
    let status = text.split_once("status code: ").map(|(_, rest)| rest.split(':').next().unwrap_or(rest));
    let code = between(text, "<Code>", "</Code>");
    // Azure appends the request's id and time to a message, on separate lines.
    let message = between(text, "<Message>", "</Message>").map(|m| m.lines().next().unwrap_or(m));
    let parts: Vec<&str> = [status, code, message].into_iter().flatten().map(str::trim).collect();
    (!parts.is_empty()).then(|| clean(&parts.join(", ")))
}

/// The text of an error that did not come from a service, but from a store of the caller or from `object_store`.
fn plain(text: &str) -> Option<String> {
    let text = text.lines().next().unwrap_or(text);
    let words = text.split(' ').map(|word| word.split_once('?').map_or(word, |(url, _)| url));
    let text = clean(&words.collect::<Vec<_>>().join(" "));
    (!text.is_empty()).then_some(text)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(inside, _)| inside).filter(|inside| !inside.is_empty())
}

/// Makes a text one line of at most 240 characters.
fn clean(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(240).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error_: StoreError, kind: Kind, says: &str) {
        let error = error(&error_, "look there");
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.message(), says);
    }

    fn source(text: &str) -> Box<dyn StdError + Send + Sync> {
        text.into()
    }

    #[test]
    fn the_service_is_quoted_and_its_secrets_are_not() {
        let text = "Error performing GET https://h/b/k?sig=hunter2 in 3ms - Server returned non-2xx status code: 403 \
                    Forbidden: <?xml version=\"1.0\"?>\n<Error><Code>SignatureDoesNotMatch</Code><Message>The request \
                    signature\nRequestId:1</Message><CanonicalRequest>x-amz-security-token:hunter2</CanonicalRequest>";
        check(
            StoreError::PermissionDenied { path: "k".into(), source: source(text) },
            Kind::Fetch,
            "the store denies access (403 Forbidden, SignatureDoesNotMatch, The request signature); look there",
        );
        let error =
            error(&StoreError::Generic { store: "S3", source: source("GET http://h/k?sig=hunter2 failed") }, "");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn our_own_errors_come_through() {
        let ours = Error::limit("too much").with_source(source("because"));
        check(StoreError::Generic { store: "S3", source: Box::new(ours) }, Kind::Limit, "too much");
        let ours = Error::fetch(NO_CREDENTIALS);
        let says = format!("{NO_CREDENTIALS}; look there");
        check(StoreError::Generic { store: "S3", source: Box::new(ours) }, Kind::Fetch, &says);
    }

    #[test]
    fn what_a_store_cannot_do_is_unsupported() {
        let error = StoreError::NotImplemented { operation: "copy".into(), implementer: "Mine".into() };
        let says = "the store cannot do this (Operation copy not yet implemented by Mine.)";
        check(error, Kind::Unsupported, says);
    }
}
