//! What failed on the way, in words, and whether it may pass. The statuses of answers are judged elsewhere.

use super::policy::Refused;
use crate::fetch::may_pass;
use std::error::Error as StdError;
use std::io;
use tfjs_manifest::Error;

/// A request that was not answered.
pub(super) fn of_request(error: hyper_util::client::legacy::Error) -> Error {
    if causes(&error).any(|e| e.is::<Refused>()) {
        return Error::fetch(Refused.to_string());
    }
    // A proxy of the environment that cannot be used.
    if causes(&error).any(|e| e.is::<Error>()) {
        return Error::misuse("cannot connect to the server").with_source(error);
    }
    // The error of a tunnel has no name to look for.
    if causes(&error).any(|e| e.to_string().contains("proxy authorization required")) {
        return Error::fetch("the proxy wants a user and a password; give them in its URL").with_source(error);
    }
    if causes(&error).any(|e| e.is::<rustls::Error>()) {
        let message = "there is no secure connection to the server: TLS failed; check its certificate";
        return Error::fetch(message).with_source(error);
    }
    if error.is_connect() {
        return may_pass(Error::fetch("cannot connect to the server").with_source(error));
    }
    let nonsense = causes(&error).filter_map(|e| e.downcast_ref::<hyper::Error>()).any(|e| e.is_parse() || e.is_user());
    match nonsense {
        true => Error::fetch("the server did not answer a request as HTTP says").with_source(error),
        false => may_pass(Error::fetch("the connection broke off before an answer").with_source(error)),
    }
}

/// A body that ended with an error.
pub(super) fn of_body(error: Box<dyn StdError + Send + Sync>) -> Error {
    let broken_off = causes(&*error).any(|e| {
        // What decodes a body that breaks off sees an end.
        e.is::<hyper::Error>()
            || e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::UnexpectedEof)
    });
    match broken_off {
        true => may_pass(Error::fetch("the connection broke off within a body").with_source(error)),
        false => Error::fetch("the body cannot be decoded").with_source(error),
    }
}

/// An error and what is behind it. An `io::Error` hides what it was made of from `source`.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&e| {
        let inner = e.downcast_ref::<io::Error>().and_then(io::Error::get_ref).map(|inner| inner as _);
        inner.or_else(|| e.source())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_io_error_was_made_of_is_found() {
        let inner = rustls::Error::General("x".into());
        let error = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, inner));
        assert!(causes(&error).any(|e| e.is::<rustls::Error>()));
    }
}
